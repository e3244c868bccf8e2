#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How a pool begins that nobody served before: with all that answer, in one table. A table of the first
# one alone, if only for a moment, leaves its slots changed, and datagrams of flows that begin then with
# that backend. The network is drawn in topology.bash.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10

setup_file()
{
	local n
	lab_open
	network_add 1
	balancer_add balancer 1 one $vip4
	for n in 1 2; do
		backend_add web$n $n $vip4
		backend_decap web$n
		nginx_start web$n
		echo_start web$n 5353 $vip4
	done
	cat >"$LAB/check" <<-'EOT'
		#!/bin/sh
		case $LBD_BACKEND in
		late) sleep 0.3 ;;
		slow) sleep 0.9 ;;
		hung) sleep 60 ;;
		esac
	EOT
	chmod 755 "$LAB/check"
	lbload attach eth0 >>"$LAB/log/lbload-balancer"
}

teardown_file() { lab_close; }

setup()
{
	echo "version: 1" | config
	lbd_start
}

teardown()
{
	lbd_stop
	lab_diagnostics
}

# pool NAME CHECK BACKEND=NUMBER...: the configuration with that pool; the numbers are of addresses.
pool()
{
	local each backends=
	for each in "${@:3}"; do
		backends+="{name: ${each%=*}, address: $(backend_v4 "${each#*=}")}, "
	done
	config <<-EOT
		version: 1
		pools:
		- {name: $1, check: {$2}, table_size: 251, backends: [$backends]}
		services:
		- {name: $1, pool: $1, listen: ["tcp://$vip4:80", "udp://$vip4:80"]}
	EOT
}

takes() { (($(backend_field "$1" slots) > 0)); }

# began POOL BACKEND...: these take traffic, and did so from the first table on.
began()
{
	local each
	for each in "${@:2}"; do
		wait_until 30 takes "$1/$each"
	done
	expect "$(lbctl pool show "$1" -o json | jq .unsettled_slots)" = 0 "changed slots"
}

# ms_of FILTER: the time of the first event that it lets through.
ms_of() { lbctl events -o json | jq -rn "first(inputs | select($1)) | .time" | xargs -I{} date -d {} +%s%3N; }

@test "a new pool begins with all that answer, though one takes longer" {
	pool late "type: exec, command: [$LAB/check], interval: 4s, timeout: 4s" early=1 late=2
	lbctl reload
	began late early late
}

@test "a new pool does not wait for ever for one that hangs" {
	pool hung "type: exec, command: [$LAB/check], interval: 20s, timeout: 20s" early=1 hung=2
	lbctl reload
	wait_until 10 takes hung/early
	expect "$(backend_field hung/hung health)" = unknown "health of the one that hangs"
}

@test "a new pool without checks begins with all whose next hop answers, though one takes longer" {
	# Nobody knows web2's MAC before it is there; the balancer asks ten times a second.
	on balancer sh -c 'cd /proc/sys/net/ipv4/neigh/eth0 && echo 100 >retrans_time_ms && echo 40 >mcast_solicit'
	on balancer ip neigh flush dev eth0
	backend_cut web2
	pool bare "type: none" early=1 late=2
	lbctl reload
	expect "$(backend_field bare/late next_hop.resolved)" = false "next hop of the one that is not there"
	backend_mend web2
	began bare early late
}

@test "new backends are asked through the tunnel once they can be reached" {
	on balancer ip neigh flush dev eth0
	# One that was lost would be found out after twenty seconds.
	pool tunnel "type: udp, port: 5353, send: hello, interval: 20s, timeout: 20s" one=1 two=2
	lbctl reload
	wait_until 10 takes tunnel/one
	began tunnel one two
}

# began_at_once: the first good news followed the first table, if it was not before it.
began_at_once()
{
	expect "$(($(ms_of '.event == "health"') - $(ms_of '.event == "publish"')))" -lt 500 \
		"milliseconds from the first table to the first that is up"
}

# A second later than the start gave up, if it were.
@test "who was waited for at the start is not waited for again" {
	lbd_stop
	pool start "type: exec, command: [$LAB/check], interval: 20s, timeout: 20s" slow=1 hung=2
	lbd_start
	wait_until 10 takes start/slow
	began_at_once
}

@test "who cannot be reached is not waited for" {
	lbd_stop
	pool gone "type: tcp, port: 80" one=1 two=2 three=9
	lbd_start
	began gone one two
	began_at_once
}
