#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lbd killed with SIGKILL between two writes of a change, at every such place, and at random moments of
# random changes: the next one makes it good, and the flows that are there notice nothing. See crash.py
# for what is compared. Here some of the places are tried; CRASH=all tries every one and a thousand
# random moments (a quarter of an hour).
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          |----- web1, web2         have all the flows that are watched
#                          '----- web3 .. web8       come and go; no servers

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

setup_file()
{
	local n
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" "$BUILD"/tests/{kill_at.so,agree}
	lab_open
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	for n in 1 2; do
		backend_add web$n $n 192.0.2.10
		nginx_start web$n
	done
	backend_add web3 3 192.0.2.10
	# More addresses, for those that come and go.
	address web3 eth0 10.0.0.{21..26}/24
	configuration | config
}

teardown_file() { lab_close; }
teardown()
{
	stop tcp
	lbload detach eth0
	lbload clean
	tail -n 20 "$LAB/$INSTANCE/lbd.log"
}

# web3 is there, but takes no flow of those that are watched: it is drained when they begin.
configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000, services: 16}}
		pools:
		- name: web
		  forward: l2
		  table_size: 61
		  drain_deadline: 0s
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		  - {name: web3, address: $(backend_v4 3), ${1:-weight: 30}}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
		- {name: second, listen: "tcp://192.0.2.10:81", pool: web}
	EOT
}

# Opens the flows while web3 takes none. A data plane anew: an index of a backend that is gone is given
# out again two sweeps later, and no lbd here lives for so long.
flows_start()
{
	lbload attach eth0 -c "$LAB/$INSTANCE/lbd.yaml"
	configuration "admin: drain" | config
	rm -rf "$LAB/$INSTANCE/state"
	lbd_start
	wait_until 30 pools_settled
	steady_start tcp 192.0.2.10:80 40 --source "$(client_v4 1)"
	configuration | config
	lbctl reload >/dev/null
	lbd_stop
}

flows_undisturbed()
{
	steady_rounds tcp 2
	steady_stop tcp
	expect "$(steady tcp '[.[] | select(.error or (.backends | length) != 1)] | tojson')" = "[]" \
		"flows that were disturbed"
}

crash()
{
	local addresses=() n
	for n in 21 22 23 24 25 26; do
		addresses+=(--address "10.0.0.$n")
	done
	on "$INSTANCE" timeout 3000 python3 "$TOPOLOGY_DIR/../crash/crash.py" "$1" --build "$BUILD" \
		--dir "$LAB/$INSTANCE" --pins "$LAB/bpf/$INSTANCE" --count "$2" "${addresses[@]}" \
		${CRASH_SEED:+--seed "$CRASH_SEED"}
}

@test "killed at the boundaries between two writes of each kind of change" {
	[[ $(uname -m) == x86_64 ]] || skip "kill_at.c is for x86-64"
	flows_start
	crash boundaries "$([[ ${CRASH-} == all ]] && echo 0 || echo 5)"
	flows_undisturbed
}

@test "killed at random moments of random changes" {
	flows_start
	crash random "$([[ ${CRASH-} == all ]] && echo 1000 || echo 25)"
	flows_undisturbed
}
