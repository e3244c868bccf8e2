#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Many of everything: 1,000 connections from one address, 100 backends. The network is drawn in
# topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10 (5-tuple), .11 (source-ip)
#                          '----- web1 .. web100

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

count=100

configuration()
{
	local n backends
	backends=$(for ((n = 1; n <= count; n++)); do
		echo "  - {name: web$n, address: $(backend_v4 $n)}"
	done)
	cat <<-EOT
		version: 1
		global: {limits: {flows: 100000, clients: 10000}}
		pools:
		- name: flows
		  affinity: {key: 5-tuple}
		  track: always
		  check: {type: tcp, interval: 2s, timeout: 1s}
		  backends:
		$backends
		- name: sources
		  affinity: {key: source-ip}
		  backends:
		$backends
		services:
		- {name: by-flow, listen: "tcp://192.0.2.10:80", pool: flows}
		- {name: by-source, listen: "tcp://192.0.2.11:80", pool: sources}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 40
	# Of a hundred hosts on one link, each may be a neighbour of the router's and the balancer's.
	balancer_add balancer 1 one 192.0.2.10 192.0.2.11
	for ((n = 1; n <= count; n++)); do
		backend_add web$n $n 192.0.2.10 192.0.2.11
		backend_decap web$n
		nginx_start web$n
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

@test "all 100 backends are up and have their fair share of slots within 1%" {
	lbctl backend list flows -o json >"$LAB/list.json"
	expect "$(jq '[.backends[] | select(.health == "up")] | length' "$LAB/list.json")" = 100 up
	expect "$(jq '[.backends[].slots] | add' "$LAB/list.json")" = 65537 "slots in all"
	expect "$(jq '[.backends[].slots] | min' "$LAB/list.json")" -ge 649 "the smallest share"
	expect "$(jq '[.backends[].slots] | max' "$LAB/list.json")" -le 662 "the largest share"
}

@test "1,000 connections of one address go to many backends, and none moves" {
	steady_start many 192.0.2.10:80 1000 --source "$(client_v4 1)" --pause 0.2
	lbctl backend weight flows/web1 0
	lbctl backend del flows/web2
	wait_until 30 backend_is flows/web1 slots 0
	steady_rounds many 2
	steady_stop many
	expect "$(steady many '[.[] | select(.error)] | map(.backends[0]) | unique - ["web2"]
		| length')" = 0 "failed connections to other backends than the deleted one"
	expect "$(steady many '[.[] | select((.backends | length) != 1 and
		.backends[0] != "web2")] | length')" = 0 "connections that moved"
	# 1,000 balls in 100 urns leave none empty in all likelihood; 90 is certain enough.
	expect "$(steady many '[.[].backends[0]] | unique | length')" -ge 90 "backends in use"
	lbctl backend add flows/web2 "$(backend_v4 2)"
	lbctl backend weight flows/web1 100
}

@test "1,000 connections of one address go to one backend where affinity is by source" {
	steady_start many 192.0.2.11:80 1000 --source "$(client_v4 2)" --pause 0.2
	steady_rounds many 1
	steady_stop many
	expect "$(steady many '[.[] | select(.error)] | length')" = 0 "failed connections"
	expect "$(steady many '[.[].backends[]] | unique | length')" = 1 "backends in use"
}

@test "one of 100 backends goes: 39 of 40 clients or more stay" {
	local n before after gone
	where() { for n in {1..40}; do visit "$(client_v4 "$n")" 192.0.2.11 1; done; }
	before=$(where)
	gone=$(head -1 <<<"$before" | cut -d' ' -f1)
	lbctl backend del "sources/$gone"
	after=$(where)
	expect "$(grep -c "^$gone " <<<"$after")" = 0 "clients of the deleted backend"
	# Those of the others: Maglev moves at most 1% of their slots.
	moved=$(comm -23 <(grep -v "^$gone " <<<"$before" | sort) <(sort <<<"$after") | wc -l)
	expect "$moved" -le 1 "clients of others that moved"
}
