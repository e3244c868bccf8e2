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
	run -0 churn flows
	echo "$output"
	expect "$(of_rows 'length')" = 13 scenarios
	expect "$(of_rows '[.[].at_once] | min')" -gt 900 "flows at once"
	# The clients do notice when something breaks.
	expect "$(of_rows '[.[] | select(.name | test("flaps|killed$|vanishes")) | .broken] | min')" \
		-gt 0 "flows broken with their backend"
}
