#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Two instances side by side: their own namespaces, pins, sockets and state, one network, one kernel.
#
#   client -- router -- bridge -- left  (192.0.2.10) -> web1
#                          '----- right (192.0.2.20) -> web2
#                          '----- web1, web2          (both have both VIPs)

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

configuration() # VIP BACKEND
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		services:
		- name: http
		  listen: tcp://$1:80
		  backends: [{name: web, address: $2}]
	EOT
}

setup_file()
{
	lab_open
	network_add 2
	balancer_add left 1 one 192.0.2.10
	balancer_add right 2 one 192.0.2.20
	backend_up web1 1 192.0.2.10 192.0.2.20
	backend_up web2 2 192.0.2.10 192.0.2.20
	INSTANCE=left
	configuration 192.0.2.10 "$(backend_v4 1)" | config
	lb_up
	INSTANCE=right
	configuration 192.0.2.20 "$(backend_v4 2)" | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

served_by() # VIP: the backends of ten requests
{
	visit "$(client_v4 1)" "$1" 10 | cut -d' ' -f1 | sort -u
}

@test "each serves its own VIP" {
	[[ $(served_by 192.0.2.10) == web1 ]]
	[[ $(served_by 192.0.2.20) == web2 ]]
}

@test "each shows its own interface and pins" {
	local left right
	INSTANCE=left
	left=$(lbload status -o json)
	INSTANCE=right
	right=$(lbload status -o json)
	[[ $(jq '.attachments | length' <<<"$left") == 1 ]]
	[[ $(jq '.attachments | length' <<<"$right") == 1 ]]
	[[ $(jq -r '.attachments[0].pin_dir' <<<"$left") == "$LAB/bpf/left" ]]
	[[ $(jq -r '.attachments[0].pin_dir' <<<"$right") == "$LAB/bpf/right" ]]
	[[ $(jq -r '.attachments[0].mode' <<<"$left") == native ]]
	[[ $(jq -r '.attachments[0].program_id' <<<"$left") != \
		$(jq -r '.attachments[0].program_id' <<<"$right") ]]
}

@test "a change of one is none of the other" {
	INSTANCE=left
	lbctl service add more tcp://192.0.2.10:81
	lbctl backend weight http/web 7
	INSTANCE=right
	run -4 lbctl service show more
	[[ $(backend_field http/web weight) == 100 ]]
	INSTANCE=left
	lbctl service del more
}

@test "one stops, is detached and cleaned: the other does not notice" {
	INSTANCE=right
	steady_start flows 192.0.2.20:80 20
	INSTANCE=left
	lbd_stop
	lbload detach eth0
	lbload clean
	run visit "$(client_v4 1)" 192.0.2.10 1
	((status != 0))
	steady_rounds flows 3
	steady_stop flows
	expect "$(steady flows '[.[] | select(.error or .backends != ["web2"])] | length')" = 0 \
		"disturbed flows"
	INSTANCE=right
	run -0 lbctl status
	INSTANCE=left
	lb_up
	[[ $(served_by 192.0.2.10) == web1 ]]
}

@test "an instance is not taken over by a second lbd" {
	INSTANCE=left
	run -5 on left "$BUILD/lbd" -c "$LAB/left/lbd.yaml" --pin-dir "$LAB/bpf/left" \
		--socket "$LAB/left/lbd.sock" --state-dir "$LAB/left/state"
	[[ $(served_by 192.0.2.10) == web1 ]]
	run -0 lbctl status
}

@test "an interface is not taken by a second instance" {
	run -5 on left "$BUILD/lbload" --pin-dir "$LAB/bpf/other" attach eth0
	[[ $output == *eth0* && $output == *"$LAB/bpf/left"* ]]
	[[ $(served_by 192.0.2.10) == web1 ]]
}
