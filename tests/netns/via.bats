#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Checks through the tunnel: each type, in each pair of families, is good only where the backend
# takes what traffic would bring it, and says what on this host is in the way. The pools:
#
#   tcp, six    ipip: a VIP of IPv4, and one of IPv6, each with backends of both families
#   http, udp, icmp, gue (in UDP), neighbour (l2), direct (ipip, checked directly)
bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10
vip6=2001:db8::10

backends() { echo "backends: [{name: v4, address: $(backend_v4 1)}, {name: v6, address: \"$(backend_v6 1)\"}]"; }

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults: {table_size: 251, check: {interval: 400ms, timeout: 400ms, rise: 1, fall: 1, hold_down: 0s}}
		pools:
		- {name: tcp, check: {type: tcp}, $(backends)}
		- {name: six, check: {type: tcp}, $(backends)}
		- {name: http, check: {type: http, path: /, expect: 200, body: web1}, $(backends)}
		- {name: udp, check: {type: udp, send: hello, expect: web1 hello}, $(backends)}
		- {name: icmp, check: {type: icmp}, $(backends)}
		- {name: gue, forward: gue, check: {type: http, path: /, expect: 200}, $(backends)}
		- {name: neighbour, forward: l2, check: {type: tcp, via: tunnel}, $(backends)}
		- {name: direct, check: {type: tcp, via: direct}, $(backends)}
		- {name: unused, check: {type: tcp, port: 80}, $(backends)}
		services:
		- {name: tcp, listen: "tcp://$vip4:80", pool: tcp}
		- {name: six, listen: "tcp://[$vip6]:80", pool: six}
		- {name: http, listen: ["tcp://$vip4:8080-8081", "tcp://$vip4:8082"], pool: http}
		- {name: udp, listen: "udp://$vip4:53", pool: udp}
		- {name: icmp, listen: "udp://[$vip6]:99", pool: icmp}
		- {name: gue, listen: "tcp://[$vip6]:84", pool: gue}
		- {name: neighbour, listen: "tcp://$vip4:81", pool: neighbour}
		- {name: direct, listen: "tcp://$vip4:82", pool: direct}
	EOT
}

setup_file()
{
	local port
	lab_open
	network_add 1
	balancer_add balancer 1 two $vip4 $vip6
	backend_up web1 1 $vip4 $vip6
	echo_start web1 53 $vip4
	for port in 81 82 84 8082; do
		spawn "port-$port" web1 socat "TCP6-LISTEN:$port,ipv6only=0,fork,reuseaddr" \
			TCP:127.0.0.1:80
	done
	configuration | config
	lbload attach eth0 eth1 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	lbd_start
}

teardown_file() { lab_close; }

teardown() { lab_diagnostics; }

# have BACKENDS HEALTH REASON: each of these (POOL/NAME POOL/NAME ...); a part of the reason.
have()
{
	lbctl backend list -o json | jq -e --arg all "$1" --arg health "$2" --arg reason "$3" '
		($all | split(" ")) as $names
		| [.backends[] | select("\(.pool)/\(.name)" | IN($names[]))]
		| length == ($names | length) and
			all(.[]; .health == $health and (.reason | contains($reason)))'
}

all_become()
{
	wait_until 30 have "$@" && return 0
	echo "expected $1 to be $2 because of '$3':" >&2
	lbctl backend list -o json | jq -c '.backends[] | [.pool, .name, .health, .reason]' >&2
	return 1
}

becomes() { all_become "$@"; }

tunnelled="tcp/v4 tcp/v6 six/v4 six/v6 http/v4 http/v6 udp/v4 udp/v6 icmp/v4 icmp/v6 gue/v4 gue/v6"
others="neighbour/v4 neighbour/v6 direct/v4 direct/v6 unused/v4"

@test "each type is good, in each pair of families" {
	all_become "$tunnelled $others" up " in "
}

@test "check now tells of the VIP and of the tunnel" {
	run -0 lbctl check now tcp/v6
	[[ $output == *"connecting to $vip4 port 80 in the tunnel to $(backend_v6 1)"* ]]
	[[ $output == *"the probe's packets went into the tunnel"* && $output == *"tcp/v6: good"* ]]
	run -0 lbctl check now icmp/v4
	[[ $output == *"echo request to $vip6 in the tunnel to $(backend_v4 1)"* ]]
	run -0 lbctl check now http/v4
	[[ $output == *"to $vip4 port 8082 in the tunnel"* && $output == *"GET http://$vip4:8082/"* ]]
	run -0 lbctl check now direct/v4
	[[ $output == *"connecting to $(backend_v4 1) port 82 over TCP"* && $output != *tunnel* ]]
}

@test "a pool without a service is checked directly, until it has one" {
	run -0 lbctl check now unused/v4
	[[ $output == *"connecting to $(backend_v4 1) port 80 over TCP"* ]]
	lbctl service add late "tcp://$vip4:83" --pool unused
	run -0 lbctl check now unused/v4
	[[ $output == *"connecting to $vip4 port 80 in the tunnel"* ]]
	becomes unused/v4 up " in "
	run -0 lbctl backend show unused/v4
	[[ $output == *"checked"*"tcp at $vip4 port 80, through the tunnel"* ]]
	lbctl service del late
	becomes unused/v4 up " in "
}

@test "a backend that does not decapsulate is down, whatever it answers directly" {
	on web1 "$BUILD/lbdecap" detach eth0
	all_become "$tunnelled" down ""
	[[ $(backend_field tcp/v4 reason) == *"no answer within 400 ms"* ||
		$(backend_field tcp/v4 reason) == *"protocol"* ]]
	all_become "$others" up ""
	run -1 lbctl check now tcp/v4
	[[ $output == *"went into the tunnel"* && $output == *"tcp/v4: failed"* ]]
	backend_decap web1
	all_become "$tunnelled" up " in "
}

@test "a backend without the VIP is down" {
	on web1 ip address del $vip4/32 dev lo
	all_become "tcp/v4 tcp/v6 http/v4 udp/v6 neighbour/v4" down ""
	all_become "six/v4 six/v6 icmp/v4 direct/v4" up ""
	on web1 ip address add $vip4/32 dev lo
	all_become "$tunnelled $others" up " in "
}

@test "an answer from elsewhere is not taken for the backend's" {
	# This host answers for the VIP itself; without the program on lo nothing is tunnelled.
	on balancer tc filter del dev lo egress
	on balancer ip address add $vip4/32 dev lo
	spawn own balancer socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:'echo the balancer'
	becomes tcp/v4 down "not through the tunnel: packets to $vip4 leave by lo"
	becomes tcp/v4 down "(connected in"
	stop own
	lbload replace
	# Now they leave, and the answers are dropped.
	becomes tcp/v4 down "accept_local=1"
	on balancer sysctl -qw net.ipv4.conf.eth1.accept_local=1
	all_become "tcp/v4 tcp/v6 http/v4 udp/v4" up " in "
	on balancer ip address del $vip4/32 dev lo
	on balancer sysctl -qw net.ipv4.conf.eth1.accept_local=0
	all_become "$tunnelled" up " in "
}

@test "without a route to the VIP it is said, and any route helps" {
	on balancer ip route del default via 10.0.0.1
	becomes tcp/v4 down "this host has no route to $vip4"
	becomes six/v4 up ""
	on balancer ip route add $vip4 dev lo
	becomes tcp/v4 up " in "
	on balancer ip route del $vip4 dev lo
	on balancer ip route add default via 10.0.0.1
	all_become "$tunnelled" up " in "
}

@test "where the program of probes is missing, checks and lbload status say so; replace brings it" {
	on balancer tc filter del dev eth1 egress
	all_become "tcp/v4 icmp/v6" down "not through the tunnel"
	becomes udp/v4 down "leave by eth1, and the program of probes is not on it"
	becomes direct/v4 up ""
	run -0 lbload status
	[[ $output == *"eth1: the program of probes is not on it"*"lbload replace eth1"* ]]
	run -0 --separate-stderr lbload status -o json
	expect "$(jq -r '.attachments[] | select(.interface == "eth1").probe_program_id' <<<"$output")" = null
	expect "$(jq -r '.attachments[] | select(.interface == "eth0").probe_program_id' <<<"$output")" -gt 0
	lbload replace eth1
	all_become "$tunnelled" up " in "
}

@test "lbload detach takes it off, and leaves what others have there" {
	on balancer tc qdisc show dev eth0 | grep -q clsact
	# Of another's, which takes nothing: no packet comes in with a mark.
	on balancer tc filter add dev eth1 ingress pref 9 bpf da pinned "$LAB/bpf/balancer/probe"
	lbload detach eth0
	run -0 on balancer tc qdisc show dev eth0
	[[ $output != *clsact* ]]
	on balancer tc filter show dev lo egress | grep -q limpet_probe
	lbload detach eth1
	run -0 on balancer tc filter show dev eth1 egress
	[[ -z $output ]]
	on balancer tc filter show dev eth1 ingress | grep -q 'pref 9 bpf'
	run -0 on balancer tc qdisc show dev lo
	[[ $output != *clsact* ]]
}
