#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Whom a service takes packets from: allow and deny lists, and the limit of new flows. The network is
# drawn in topology.bash:
#
#   client (addresses .11 to .14) -- router -- bridge -- balancer    VIP 192.0.2.10, 2001:db8::10
#                                                 '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

configuration() # KEYS of the service, in one line each
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		services:
		- name: http
		  listen: ["tcp://192.0.2.10:80", "tcp://[2001:db8::10]:80"]
		  table_size: 251
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		  $1
		  ${2-}
	EOT
}

setup_file()
{
	lab_open
	network_add 4
	balancer_add balancer 1 one 192.0.2.10 2001:db8::10
	backend_up web1 1 192.0.2.10 2001:db8::10
	backend_up web2 2 192.0.2.10 2001:db8::10
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

reconfigure() # KEYS...
{
	configuration "$@" | config
	lbctl reload
}

served() # CLIENT-NUMBER...: each of them is, over both families
{
	local number
	for number; do
		expect "$(visit "$(client_v4 "$number")" 192.0.2.10 3 | wc -l)" = 3 "answers to $number"
		expect "$(visit "$(client_v6 "$number")" 2001:db8::10 3 | wc -l)" = 3 "answers to $number"
	done
}

# A dropped packet has no answer: that it was dropped for this is what is waited for.
refused() # CLIENT-NUMBER VERDICT
{
	local before
	before=$(drop_count "$2")
	run on client curl -sf --max-time 1 --interface "$(client_v4 "$1")" http://192.0.2.10/
	expect "$status" != 0 "the status of a request from $1"
	run on client curl -sf --max-time 1 --interface "$(client_v6 "$1")" "http://[2001:db8::10]/"
	expect "$status" != 0 "the status of a request from $1"
	expect "$(drop_count "$2")" -ge $((before + 2)) "$2"
}

@test "without lists everyone is served" {
	served 1 2 3
}

@test "a denied source is refused, established flows of it too, others are not" {
	steady_start denied 192.0.2.10:80 5 --source "$(client_v4 1)"
	steady_start other 192.0.2.10:80 5 --source "$(client_v4 2)"
	reconfigure "deny: [$(client_v4 1)/32, \"$(client_v6 1)/128\"]"
	before=$(steady_progress denied)
	refused 1 drop_denied
	served 2 3
	steady_rounds other 3
	expect "$(steady_progress denied)" -le $((before + 1)) "rounds of the denied source's flows"
	steady_stop other
	stop denied
	expect "$(steady other '[.[] | select(.error)] | length')" = 0 "other flows with an error"
}

@test "the longest prefix decides" {
	reconfigure "deny: [198.51.100.0/24, \"2001:db8:c::/64\"]" \
		"allow: [$(client_v4 3)/32, \"$(client_v6 3)/128\", $(client_v4 2)/31]"
	served 3
	refused 4 drop_denied
	run -0 lbctl service show http
	[[ $output == *"allow"*"3 prefixes"* && $output == *"deny"*"2 prefixes"* ]]
}

@test "with an allow list nobody else is served, and flow lookup says so" {
	reconfigure "allow: [$(client_v4 2), \"$(client_v6 2)\"]"
	served 2
	refused 1 drop_denied
	run -0 lbctl flow lookup tcp "$(client_v4 1):4000" 192.0.2.10:80 --syn -o json
	[[ $(jq -r .verdict <<<"$output") == drop_denied ]]
	run -0 lbctl flow lookup tcp "$(client_v4 2):4000" 192.0.2.10:80 --syn -o json
	[[ $(jq -r .verdict <<<"$output") == forwarded ]]
}

# many SEED: 10,000 prefixes that nobody here is in, in the form of a YAML list.
many() { seq 0 9999 | awk -v seed="$1" '{ printf "%s10.%d.%d.%d", (NR > 1 ? "," : ""), seed, $1 / 250, $1 % 250 }'; }

@test "lists of 10,000 prefixes change while flows of allowed sources go on" {
	reconfigure "allow: [$(client_v4 2), \"$(client_v6 2)\"]"
	steady_start flows 192.0.2.10:80 10 --source "$(client_v4 2)"
	reconfigure "allow: [$(client_v4 2), \"$(client_v6 2)\"]" "deny: [$(many 1)]"
	reconfigure "allow: [$(client_v4 2)/31, \"$(client_v6 2)\"]" "deny: [$(many 2)]"
	steady_rounds flows 2
	reconfigure "deny: [$(many 1)]"
	steady_rounds flows 2
	steady_stop flows
	expect "$(steady flows '[.[] | select(.error)] | length')" = 0 "flows with an error"
	served 1 2
	run -0 lbctl service show http -o json
	expect "$(jq '.deny | length' <<<"$output")" = 10000 "denied prefixes"
}

@test "a new lbd finds the lists in force, and changes only what differs" {
	reconfigure "deny: [$(client_v4 1), \"$(client_v6 1)\"]"
	lbd_stop
	run on client curl -sf --max-time 1 --interface "$(client_v4 1)" http://192.0.2.10/
	expect "$status" != 0 "the status of a request of a denied source"
	configuration "deny: [$(client_v4 4), \"$(client_v6 4)\"]" | config
	lbd_start
	wait_until 30 served 1
	refused 4 drop_denied
}

@test "config apply takes a list away that the file applied does not have" {
	reconfigure "deny: [$(client_v4 1), \"$(client_v6 1)\"]"
	configuration >"$LAB/other.yaml"
	lbctl config apply "$LAB/other.yaml"
	served 1
}

@test "new_flow_limit holds back new flows of one source, and no established ones" {
	reconfigure "new_flow_limit: 1" "new_flow_burst: 12"
	steady_start flows 192.0.2.10:80 5 --source "$(client_v4 1)"
	before=$(drop_count drop_new_flow_limit)
	# At once: far more than come free meanwhile.
	run on client curl -s --parallel --parallel-immediate --parallel-max 100 --max-time 2 \
		-o /dev/null --interface "$(client_v4 1)" "http://192.0.2.10/[1-100]"
	expect "$(drop_count drop_new_flow_limit)" -gt "$before" "drop_new_flow_limit"
	expect "$(visit "$(client_v4 2)" 192.0.2.10 5 | wc -l)" = 5 "answers to another source"
	steady_rounds flows 3
	steady_stop flows
	expect "$(steady flows '[.[] | select(.error)] | length')" = 0 "flows with an error"
	run -0 lbctl service show http
	[[ $output == *"new flow limit"*"1 a second of each /32"*"12 at once"* ]]
	reconfigure ""
	served 1
}
