#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A shortened `make churn`: some hundred connections where that has thousands. The scenarios, and what
# counts as broken, are in tests/churn; the network is that of topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10, 2001:db8::10, port 7000
#                          '----- web1 ..

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/lib.bash
source "$BATS_TEST_DIRNAME/lib.bash"

setup_file()
{
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" all churn-programs
}

churn() { "$ROOT/tests/churn/run" --short "$@"; }

# of_rows FILTER: of what the last run wrote.
of_rows() { jq "$1" "$BUILD/churn-short/netns.json"; }

@test "flows stay through every change, but for those on backends that died" {
	run churn flows
	echo "$output"
	expect "$status" = 0 "exit status"
	expect "$(of_rows 'length')" = 13 scenarios
	expect "$(of_rows '[.[].at_once] | min')" -gt 900 "flows at once"
	# The clients do notice when something breaks.
	expect "$(of_rows '[.[] | select(.name | test("flaps|killed$|vanishes")) | .broken] | min')" \
		-gt 0 "flows broken with their backend"
}

@test "clients that come again, and newcomers, through every change" {
	run churn affinity
	echo "$output"
	expect "$status" = 0 "exit status"
	expect "$(of_rows 'length')" -ge 7 scenarios
	expect "$(of_rows '[.[].clients] | min')" -gt 700 "clients that come again"
	# A client whose backend died has to move, and is seen to.
	expect "$(of_rows '.[] | select(.name | test("is killed")) | .moved_allowed')" -gt 0 \
		"clients moved from the killed server"
}

@test "one of two balancers dies in a settled pool: nobody notices" {
	run churn ecmp
	echo "$output"
	expect "$status" = 0 "exit status"
	expect "$(of_rows 'length')" = 6 scenarios
	expect "$(of_rows '[.[].at_once] | min')" -gt 1200 "flows at once"
}

@test "floods leave nothing in a settled pool, and lose no flow in an unsettled one" {
	run churn floods
	echo "$output"
	expect "$status" = 0 "exit status"
	expect "$(of_rows 'length')" = 9 scenarios
	expect "$(of_rows '[.[] | .flood_packets // empty] | length')" = 8 floods
	expect "$(of_rows '[.[] | select(.name | test(" settled")) | .entries_left] | max')" = 0 \
		"entries left"
}
