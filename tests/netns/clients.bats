#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is remembered, listed: flows that have an entry of their own, clients of a pool with a
# timeout; and how to forget one. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10 (pool web), 192.0.2.11 (sticky)
#                          '----- web1 .. web3       web3 is in no file: tests add it

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip=192.0.2.10 sticky=192.0.2.11 sticky6=2001:db8::11

setup_file()
{
	local n
	lab_open
	network_add 40
	balancer_add balancer 1 one $vip $sticky $sticky6
	for n in 1 2 3; do
		backend_up web$n $n $vip $sticky $sticky6
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 1000}}
		defaults: {table_size: 1009, check: {type: tcp, interval: 300ms, timeout: 250ms}}
		pools:
		- name: web
		  track: always
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		- name: sticky
		  affinity: {key: source-ip, prefix_v6: 64, timeout: 10m}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: "tcp://$vip:80", pool: web}
		- {name: sticky, listen: ["tcp://$sticky:80", "tcp://[$sticky6]:80"], pool: sticky}
	EOT
	lb_up
}

teardown_file() { lab_close; }

teardown()
{
	stop tcp
	lab_diagnostics
}

tracked_flows_are() { (($(lbctl pool show web -o json | jq .tracked_flows) == $1)); }
takes_slots() { (($(backend_field "$1" slots) > 0)); }

# The number of flows that `flow list` has with these filters.
flows() { lbctl flow list -o json "$@" | jq '.flows | length'; }

@test "flow list: each flow with its backend, and filters" {
	steady_start tcp "$vip:80" 30 --source "$(client_v4 1)" --source "$(client_v4 2)"
	steady_rounds tcp 3
	steady_look tcp
	lbctl flow list -o json >"$LAB/flows"
	# Each that the client knows, where it is, and no other.
	expect "$(jq -c '[.flows[] | select(.kind == "flow") | [.source, .backend]] | sort' "$LAB/flows")" \
		= "$(steady tcp '[.[] | ["\(.source):\(.port)", .backends[0]]] | sort | tojson')"
	expect "$(jq -c '[.flows[] | select(.kind == "flow") | [.proto, .pool, .state, .live]] | unique' \
		"$LAB/flows")" = '[["tcp","web","open",true]]'
	expect "$(jq -r '[.flows[].destination] | unique | join(" ")' "$LAB/flows")" = "$vip:80"
	here=$(steady tcp '[.[] | select(.backends[0] == "web2")] | length')
	expect "$(lbctl flow list --backend web/web2 -o json |
		jq '[.flows[] | select(.kind == "flow")] | length')" = "$here"
	expect "$(lbctl flow list --source "$(client_v4 1)/32" -o json |
		jq '[.flows[] | select(.kind == "flow")] | length')" = 15
	expect "$(flows --source 203.0.113.0/24)" = 0
	expect "$(flows --pool sticky)" = 0
	expect "$(flows --older 1h)" = 0
	expect "$(lbctl flow list --younger 1m -o json |
		jq '[.flows[] | select(.kind == "flow")] | length')" = 30
	run lbctl flow list --limit 7
	expect "$(grep -c "$vip:80" <<<"$output")" = 7 "flows listed"
	[[ $output == *"more flows than these 7"* ]]
	expect "$(lbctl flow list --limit 7 -o json | jq .cut)" = true
	expect "$(flows --limit 1000000)" -ge 30
	# How full the table is, and what it holds, agree.
	wait_until 30 tracked_flows_are 30
	expect "$(lbctl status -o json | jq .flow_table.limit)" = 10000
	expect "$(lbctl status -o json | jq .flow_table.entries)" -ge 30
	steady_stop tcp
	# What is closed is not counted any more, though it is in the table for a minute yet.
	wait_until 30 tracked_flows_are 0
	expect "$(lbctl flow list -o json | jq -c '[.flows[] | select(.kind == "flow") | .state] | unique')" \
		= '["closing"]'
}

@test "client list: each client with its backend" {
	local n
	for n in 3 4 5; do
		visit "$(client_v4 $n)" $sticky 2 >"$LAB/answers-$n"
	done
	visit "$(client_v6 3)" $sticky6 2 >"$LAB/answers-6"
	lbctl client list sticky -o json >"$LAB/clients"
	expect "$(jq '.clients | length' "$LAB/clients")" = 4 "clients known"
	for n in 3 4 5; do
		expect "$(jq -r --arg a "$(client_v4 $n)/32" \
			'.clients[] | select(.address == $a) | .owner' "$LAB/clients")" \
			= "$(awk '{ print $1; exit }' "$LAB/answers-$n")" "backend of client $n"
	done
	expect "$(jq -r '.clients[] | select(.address == "2001:db8:c::/64") | .owner' "$LAB/clients")" \
		= "$(awk '{ print $1; exit }' "$LAB/answers-6")" "backend of the IPv6 client"
	expect "$(lbctl client list web -o json | jq -c .clients)" = '[]'
	run lbctl client list sticky
	[[ $output == *"$(client_v4 3)/32"* ]]
	run lbctl client list sticky --limit 2
	[[ $output == *"more clients than these 2"* ]]
	expect "$(lbctl status -o json | jq .client_table.entries)" = 4
	run -4 lbctl client list nope
}

@test "client forget: a client that stayed chooses again" {
	local n moved=
	# They are known, and stay when a backend is added.
	for ((n = 6; n <= 40; n++)); do
		visit "$(client_v4 "$n")" $sticky 1 >"$LAB/before-$n"
	done
	lbctl backend add sticky/web3 "$(backend_v4 3)"
	wait_until 30 takes_slots sticky/web3
	for ((n = 6; n <= 40; n++)); do
		[[ $(visit "$(client_v4 "$n")" $sticky 1) == "$(<"$LAB/before-$n")" ]]
	done
	before=$(lbctl status -o json | jq .client_table.entries)
	run -0 lbctl client forget -n sticky "$(client_v4 6)"
	expect "$(lbctl status -o json | jq .client_table.entries)" = "$before" "clients known"
	for ((n = 6; n <= 40; n++)); do
		lbctl client forget sticky "$(client_v4 "$n")/32"
		[[ $(visit "$(client_v4 "$n")" $sticky 1) != web3* ]] || moved+=" $n"
	done
	# A third of the slots is web3's: that none of 35 clients has one of them cannot be.
	[[ -n $moved ]]
	expect "$(lbctl status -o json | jq .client_table.entries)" = "$before" "clients known"
	run -4 lbctl client forget sticky 203.0.113.9
	[[ $output == *"does not know it"* ]]
	run -2 lbctl client forget sticky nobody
	run -0 lbctl client forget sticky "$(client_v6 9)"
	expect "$(lbctl client list sticky -o json |
		jq '[.clients[] | select(.address == "2001:db8:c::/64")] | length')" = 0
}
