#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Packets that are not of the common kind, from real senders: datagrams of 8 KB in fragments, tagged
# frames, IPv6 extension headers, jumbo frames. The network is drawn in topology.bash; its MTU is 9000
# here, but on the client's way to the VIPs that end in 1, where it is 1500:
#
#   client -- router -- bridge -- balancer (eth0)    VIPs 192.0.2.10 to .31, 2001:db8::10 to ::31
#                          '----- web1, web2
#
# The first digit of the VIP is the pool's: 1 by flow through IPIP, 2 by source through IPIP, 3 by L2.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vips=()
for digit in 1 2 3; do
	vips+=("192.0.2.${digit}0" "192.0.2.${digit}1" "2001:db8::${digit}0" "2001:db8::${digit}1")
done

pool() # DIGIT FORWARD AFFINITY
{
	local second
	second=$(backend_v6 2)
	[[ $2 != l2 ]] || second=$(backend_v4 2)
	cat <<-EOT
		- name: pool$1
		  forward: $2
		  affinity: {key: $3}
		  table_size: 251
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: "$second"}
	EOT
}

service() # DIGIT
{
	local vip
	echo "- name: service$1"
	echo "  pool: pool$1"
	echo "  listen:"
	for vip in "192.0.2.${1}0" "192.0.2.${1}1" "[2001:db8::${1}0]" "[2001:db8::${1}1]"; do
		echo "  - \"udp://$vip:53\""
		echo "  - \"tcp://$vip:80\""
		echo "  - \"tcp://$vip:9000\""
	done
}

setup_file()
{
	local n vip
	CABLE_MTU=9000
	lab_open
	network_add 8
	balancer_add balancer 1 one "${vips[@]}"
	for n in 1 2; do
		backend_up web$n $n "${vips[@]}"
		echo_start web$n 53 "${vips[@]}"
		for vip in "192.0.2.10" "2001:db8::10"; do
			spawn "bulk$vip-web$n" web$n python3 "$TOPOLOGY_DIR/bulk.py" serve "$vip" 9000
			wait_until 30 grep -q ready "$LAB/log/bulk$vip-web$n"
		done
	done
	for n in 1 2 3; do
		on client ip route add "192.0.2.${n}1" via 198.51.100.1 mtu lock 1500
		on client ip route add "2001:db8::${n}1" via 2001:db8:c::1 mtu lock 1500
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		$(pool 1 ipip 5-tuple)
		$(pool 2 ipip source-ip)
		$(pool 3 l2 5-tuple)
		services:
		$(service 1)
		$(service 2)
		$(service 3)
	EOT
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

pieces() { on "${FROM:-client}" python3 "$TOPOLOGY_DIR/pieces.py" "$@"; }
mac_of() { on "$1" cat /sys/class/net/eth0/address; }

# So many datagrams, each answered whole, by both.
both_answer() # SIZE VIP...
{
	local vip source answers size=$1
	shift
	for vip; do
		source=$(client_v4 1)
		[[ $vip != *:* ]] || source=$(client_v6 1)
		answers=$(pieces datagrams "$source" "$vip" 53 "$size" 16)
		expect "$(sort -u <<<"$answers" | tr '\n' ' ')" = "web1 web2 " "who answered at $vip"
	done
}

@test "datagrams of 8 KB in six fragments each go to one backend, by flow" {
	both_answer 8192 192.0.2.11 2001:db8::11 192.0.2.31 2001:db8::31
	expect "$(drop_count drop_fragment)" = 0 "fragments without their first one"
}

@test "datagrams of 8 KB in fragments go to the client's backend, by source" {
	local n
	for n in 1 2 3 4; do
		run -0 pieces datagrams "$(client_v4 $n)" 192.0.2.21 53 8192 4
		expect "$(sort -u <<<"$output" | wc -l)" = 1 "backends of one client"
		run -0 pieces datagrams "$(client_v6 $n)" 2001:db8::21 53 8192 4
		expect "$(sort -u <<<"$output" | wc -l)" = 1 "backends of one client"
	done
}

@test "datagrams of 8 KB that are whole, in jumbo frames" {
	both_answer 8192 192.0.2.10 2001:db8::10 192.0.2.30 2001:db8::30
}

@test "fragments in the wrong order: by source they arrive" {
	run -0 pieces backwards "$(client_v4 1)" 192.0.2.21 53 4000
	expect "$output" = "$(pieces datagrams "$(client_v4 1)" 192.0.2.21 53 100 1)" "who answered"
}

@test "fragments in the wrong order: by flow those before the first one are counted" {
	before=$(drop_count drop_fragment)
	run -0 pieces backwards "$(client_v4 1)" 192.0.2.11 53 4000
	expect "$output" = nobody "who answered"
	expect $(($(drop_count drop_fragment) - before)) = 3 "fragments without their first one"
}

@test "TCP in jumbo frames: 80 MB in 9000-byte packets, both families" {
	local before
	before=$(lbctl backend list pool1 -o json | jq '[.backends[].packets] | add')
	run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send 192.0.2.10 9000 40
	run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send 2001:db8::10 9000 40
	# With 1,460 bytes a packet it would be 57,456 and more.
	expect $(($(lbctl backend list pool1 -o json | jq '[.backends[].packets] | add') - before)) \
		-lt 40000 "packets through the balancer"
}

# What a backend's end of its cable sees, one packet that fits FILTER.
capture_start() # NAME FILTER...
{
	local name=$1
	shift
	rm -f "$LAB/log/capture-$name"
	spawn "capture-$name" router tcpdump -l -n -e -i "$name" -c 1 "$@"
	wait_until 30 grep -q 'listening on' "$LAB/log/capture-$name"
}

tagged_arrive() # FILTER VIP TAG...
{
	local name filter=$1 vip=$2
	shift 2
	for name in web1 web2; do
		capture_start $name "$filter"
	done
	FROM=router pieces tagged balancer "$(mac_of balancer)" "$(client_v4 1)" "$vip" 53 "$@"
	wait_until 30 captured
	cat "$LAB"/log/capture-web[12]
	stop capture-web1
	stop capture-web2
}

captured() { grep -q '1 packet captured' "$LAB"/log/capture-web[12]; }

@test "a tagged frame arrives at a backend with its tag, by L2" {
	run -0 tagged_arrive "vlan 7 and udp port 53" 192.0.2.30 8100:7
	expect "$(grep -c 'vlan 7' <<<"$output")" = 1 "frames with tag 7"
	run -0 tagged_arrive "vlan 9 and vlan 7 and udp port 53" 192.0.2.30 88a8:9 8100:7
	expect "$(grep -c 'vlan 9.*vlan 7' <<<"$output")" = 1 "frames with tags 9 and 7"
}

@test "a tagged frame arrives at a backend with its tag in front of the tunnel" {
	run -0 tagged_arrive "vlan 7 and (ip proto 4 or ip6 proto 4)" 192.0.2.10 8100:7
	expect "$(grep -c 'vlan 7.*> 192.0.2.10.53' <<<"$output")" = 1 "tunnelled frames with tag 7"
}

@test "IPv6 extension headers: what stands behind them is forwarded and answered" {
	rm -f "$LAB/log/capture-answer"
	spawn capture-answer client tcpdump -l -n -i eth0 -c 1 "ip6 src 2001:db8::10 and udp src port 53"
	wait_until 30 grep -q 'listening on' "$LAB/log/capture-answer"
	FROM=router pieces hops balancer "$(mac_of balancer)" "$(client_v6 1)" 2001:db8::10 53
	wait_until 30 grep -q '1 packet captured' "$LAB/log/capture-answer"
}

@test "checksums that the far end leaves unfinished arrive right" {
	on router ethtool -K balancer tx on
	run -0 on router ethtool -k balancer
	expect "$(grep -c 'tx-checksumming: on' <<<"$output")" = 1 "offload to nobody"
	both_answer 1000 192.0.2.10 2001:db8::10 192.0.2.30 2001:db8::30
	both_answer 8192 192.0.2.10
	for vip in 192.0.2.10 2001:db8::10; do
		run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send $vip 9000 10
	done
	run -0 visit "$(client_v4 1)" 192.0.2.31 20
	on router ethtool -K balancer tx off
}
