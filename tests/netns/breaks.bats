#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Changes that would move most flows by nature are refused, and flows stay, until somebody says
# --break-flows. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1 .. web3       pool web: 1 and 2, pool other: 3

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip=192.0.2.10
seed=000102030405060708090a0b0c0d0e0f

# configuration [KEYS OF POOL WEB] [POOL OF SERVICE HTTP] [HASH SEED]
configuration()
{
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 1000}, hash_seed: ${3-$seed}}
		pools:
		- name: web
		  ${1-"table_size: 1009"}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		- {name: other, backends: [{name: web3, address: $(backend_v4 3)}]}
		services:
		- {name: http, listen: "tcp://$vip:*", pool: ${2-web}}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 4
	balancer_add balancer 1 one $vip
	for n in 1 2 3; do
		backend_up web$n $n $vip
	done
	configuration
	lb_up
}

teardown_file() { lab_close; }

setup() { steady_start tcp "$vip:80" 40; }

teardown()
{
	stop tcp
	lab_diagnostics
	# Whatever the test left: as it was, for the next one.
	configuration
	running "lbd-$INSTANCE" || lbd_start --break-flows
	lbctl reload --break-flows
}

all_stay()
{
	steady_rounds tcp 3
	steady_stop tcp
	expect "$(steady tcp '[.[] | select(.error or (.backends | length) != 1)] | length')" = 0 \
		"flows that moved"
}

table_size() { lbctl pool show web -o json | jq .table_size; }

# Refused by reload, by SIGHUP and at the start; told by a dry run.
refused() # WHAT
{
	run -5 lbctl reload
	[[ $output == *"$1"*"would move 50% of its flows"*--break-flows* ]]
	expect "$(lbctl reload -o json | jq -r .error.code)" = conflict
	run -0 lbctl reload -n
	[[ $output == *"$1"*"move 50% of its flows"*--break-flows* ]]
	expect "$(lbctl reload -n -o json | jq '[.changes[].moved_percent] | max')" = 50
	kill -HUP "$(<"$LAB/pid/lbd-$INSTANCE")"
	wait_until 30 grep -q "reload by SIGHUP: .*$1.*nothing is changed" "$LAB/log/lbd-$INSTANCE"
	lbd_stop
	run -5 on "$INSTANCE" timeout 30 "$BUILD/lbd" -c "$LAB/$INSTANCE/lbd.yaml" \
		--pin-dir "$LAB/bpf/$INSTANCE" --socket "$LAB/$INSTANCE/lbd.sock" \
		--state-dir "$LAB/$INSTANCE/state"
	[[ $output == *"$1"*"would move 50% of its flows"*--break-flows* ]]
}

@test "another table size: refused everywhere, flows stay; done when asked for" {
	configuration "table_size: 2003"
	refused "table_size 1009 -> 2003"
	expect "$(visit "$(client_v4 1)" $vip 20 | wc -l)" = 20 answers
	all_stay
	lbd_start --break-flows
	wait_until 30 pools_settled
	expect "$(table_size)" = 2003
	expect "$(visit "$(client_v4 1)" $vip 20 | wc -l)" = 20 answers
	# In force now, it is nothing to refuse any more.
	lbd_stop
	lbd_start
	run -0 lbctl reload
}

@test "another affinity key: refused everywhere, flows stay" {
	configuration "affinity: {key: source-ip}"
	refused "affinity 5-tuple -> source-ip"
	all_stay
}

@test "a service to another pool: refused, flows stay; with --break-flows it goes" {
	configuration "table_size: 1009" other
	run -5 lbctl reload
	[[ $output == *"change service http: pool web -> other: would move 100% of its flows"* ]]
	all_stay
	run -0 lbctl reload --break-flows
	expect "$(visit "$(client_v4 1)" $vip 5 | sort -u | cut -d' ' -f1)" = web3
}

@test "an exact port over an any-port service with flows" {
	steady_rounds tcp 1
	run -5 lbctl service add web80 "tcp://$vip:80" --pool other
	[[ $output == *"add service web80: would move 100% of its flows"* ]]
	run -0 lbctl service add web80 "tcp://$vip:80" --pool other -n
	[[ $output == *"move 100% of its flows"* ]]
	# The same pool moves nobody.
	run -0 lbctl service add same80 "tcp://$vip:80" --pool web
	expect "$(visit "$(client_v4 1)" $vip 20 | grep -c web3)" = 0
	lbctl service del same80
	all_stay
	run -0 lbctl service add web80 "tcp://$vip:80" --pool other --break-flows
	expect "$(visit "$(client_v4 1)" $vip 5 | sort -u | cut -d' ' -f1)" = web3
	lbctl service del web80
}

@test "another hash seed: refused by reload, and never in force before the next attach" {
	configuration "table_size: 1009" web 0f0e0d0c0b0a09080706050403020100
	run -5 lbctl reload
	[[ $output == *"hash_seed"*"would move 50% of all flows"*"lbload detach"* ]]
	run -0 lbctl reload -n
	[[ $output == *hash_seed* ]]
	run -0 lbctl reload --break-flows
	all_stay
}

@test "what moves nobody needs no flag" {
	configuration "track: always"
	lbctl reload --break-flows # back to the default table size
	stop tcp
	steady_start tcp "$vip:80" 40
	configuration "idle_timeout: {tcp: 1h}"
	run -0 lbctl reload
	lbctl backend weight web/web1 50
	lbctl backend add web/web3 "$(backend_v4 3)"
	lbctl backend del web/web3
	lbctl backend weight web/web1 100
	all_stay
}
