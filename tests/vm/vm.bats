#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What only a kernel of a distribution can show: that the programs load on an older one, beside others in
# libxdp's dispatcher, and that backends need nothing but the kernel's own tunnel devices. The network
# is drawn in ../netns/topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIPs 192.0.2.10 to .14, 2001:db8::10 to ::14
#                          '----- web1: ipip, sit and ip6tnl devices, fou ports
#                          '----- web2: the same
#                          '----- tagged: in one test, a client that has only VLAN devices
#
# The last digit of a VIP is the pool's: 0 IPIP to IPv4 backends, 1 IPIP to IPv6 backends, 2 L2, 3 GUE
# to IPv4 backends, 4 GUE to IPv6 backends.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/../netns/topology.bash"

vips() # DIGIT...
{
	local digit
	for digit; do
		echo "192.0.2.1$digit"
		echo "2001:db8::1$digit"
	done
}

pool() # DIGIT FORWARD ADDRESS1 ADDRESS2
{
	cat <<-EOT
		- name: pool$1
		  forward: $2
		  table_size: 251
		  backends:
		  - {name: web1, address: "$3"}
		  - {name: web2, address: "$4"}
	EOT
}

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults: {check: {type: tcp, interval: 1s, timeout: 1s, fall: 3, hold_down: 0s}}
		pools:
		$(pool 0 ipip "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool 1 ipip "$(backend_v6 1)" "$(backend_v6 2)")
		$(pool 2 l2 "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool 3 gue "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool 4 gue "$(backend_v6 1)" "$(backend_v6 2)")
		services:
		$(for digit in {0..4}; do
			echo "- {name: http$digit, pool: pool$digit,"
			echo "   listen: ['tcp://192.0.2.1$digit:80', 'tcp://[2001:db8::1$digit]:80']}"
		done)
	EOT
}

# The kernel's own devices, one for each pair of families that IPIP can have, and what takes GUE off
# before them.
tunnels_add() # HOST NUMBER
{
	on "$1" ip link add ipip1 type ipip local "$(backend_v4 "$2")" remote any
	on "$1" ip link add sit1 type sit local "$(backend_v4 "$2")" remote any
	on "$1" ip link add ip6tnl1 type ip6tnl mode any local "$(backend_v6 "$2")" remote any
	for device in ipip1 sit1 ip6tnl1; do
		on "$1" ip link set $device up
	done
	on "$1" ip fou add port 6080 gue
	on "$1" ip -6 fou add port 6080 gue
}

setup_file()
{
	local n all
	lab_open
	modprobe -a fou fou6 8021q
	network_add 2
	mapfile -t all < <(vips {0..4})
	balancer_add balancer 1 one "${all[@]}"
	for n in 1 2; do
		backend_add web$n $n "${all[@]}"
		tunnels_add web$n $n
		nginx_start web$n
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# programs: those on eth0 in the order they run, as libxdp sees them, one in a line.
programs() { on balancer xdp-loader status eth0 | awk '$1 == "=>" { print $3 }'; }

# Requests over new connections from a client of the VIP's family reach both backends.
both_answer() # VIP
{
	local answers client
	client=$(client_v4 1)
	[[ $1 != *:* ]] || client=$(client_v6 1)
	answers=$(visit "$client" "$1" 20)
	expect "$(wc -l <<<"$answers")" = 20 answers
	expect "$(cut -d' ' -f1 <<<"$answers" | sort -u | tr '\n' ' ')" = "web1 web2 " backends
	expect "$(cut -d' ' -f2 <<<"$answers" | sort -u)" = "$client" "the address that backends see"
}

# After a time without the program: checks that went through no tunnel meanwhile may have taken
# backends away, and those that are on their way have to end first (interval and timeout are 1 s).
back_again()
{
	sleep 2
	wait_until 60 pools_settled
}

received() { on "$1" ip -s -j link show "$2" | jq ".[0].stats64.rx.packets"; } # HOST DEVICE

@test "the kernel is Debian 12's own" {
	[[ $(uname -r) == 6.1.*-amd64 ]]
}

# Traffic to the VIPs of these pools reaches both backends through each of their tunnel devices.
through_tunnels() # DIGIT...
{
	local device host vip
	local -A before=()
	for device in ipip1 sit1 ip6tnl1; do
		for host in web1 web2; do
			before[$host-$device]=$(received $host $device)
		done
	done
	for vip in $(vips "$@"); do
		echo "VIP $vip"
		both_answer "$vip"
	done
	for device in ipip1 sit1 ip6tnl1; do
		for host in web1 web2; do
			expect "$(received $host $device)" -gt $((before[$host-$device] + 10)) \
				"packets through $device of $host"
		done
	done
}

@test "forward: ipip, to the kernel's own tunnel devices, each family in each" {
	through_tunnels 0 1
}

@test "forward: gue, to the kernel's own fou ports, each family in each" {
	through_tunnels 3 4
}

@test "forward: l2" {
	for vip in $(vips 2); do
		both_answer "$vip"
	done
}

# vlans_add HOST NUMBER: one tag (10.7.0.NUMBER) and two (10.9.0.NUMBER) on eth0.
vlans_add()
{
	on "$1" ip link add eth0.7 link eth0 type vlan id 7
	on "$1" ip link add eth0.9 link eth0 type vlan proto 802.1ad id 9
	on "$1" ip link add eth0.9.8 link eth0.9 type vlan id 8
	for device in eth0.7 eth0.9 eth0.9.8; do
		on "$1" ip link set $device up
	done
	address "$1" eth0.7 "10.7.0.$2/24" "2001:db8:7::$2/64"
	address "$1" eth0.9.8 "10.9.0.$2/24" "2001:db8:9::$2/64"
}

# Requests leave through a VLAN device; backends get them, and answer, through one of the same tags.
tagged_answer() # DEVICE NETWORK4 NETWORK6 VIP
{
	local answers source=$2.100 gateway=$2.2 url=$4
	[[ $4 != *:* ]] || source=$3::100 gateway=$3::2 url=[$4]
	on tagged ip route replace "$4" via "$gateway"
	answers=$(on tagged curl -sSf --max-time 20 -H 'Connection: close' "http://$url/[1-20]")
	expect "$(sort <<<"$answers" | uniq -c | awk '{ sum += $1; print $2, $3 } END { print sum }')" = \
		"web1 $source"$'\n'"web2 $source"$'\n'20 "backends, and the address they see, and answers"
}

forwarded() { lbctl backend list -o json | jq '[.backends[].packets] | add'; }

@test "VLAN devices on the client and the backends: frames keep one tag and two, through the lower interface" {
	host_add tagged
	host_link tagged eth0 router tagged 1600
	on router ip link set tagged master br0
	# Tags shall stand in the frames that the program sees, as they do behind most NICs.
	on router ethtool -K balancer txvlan off tx-vlan-stag-hw-insert off
	vlans_add tagged 100
	vlans_add balancer 2
	vlans_add web1 11
	vlans_add web2 12
	all_answer() # DEVICE NETWORK4 NETWORK6 DIGIT...
	{
		local forwarded_before vip web1 web2
		forwarded_before=$(forwarded) web1=$(received web1 "$1") web2=$(received web2 "$1")
		for vip in $(vips "${@:4}"); do
			echo "VIP $vip by $1"
			tagged_answer "${@:1:3}" "$vip"
		done
		# 40 requests for each digit, of five packets: SYN, ACK, request, and what closes.
		expect $(($(received web1 "$1") + $(received web2 "$1") - web1 - web2)) -ge $((($# - 3) * 200)) \
			"tagged packets that backends got"
		expect $(($(forwarded) - forwarded_before)) -ge $((($# - 3) * 200)) \
			"packets that the program forwarded"
	}
	all_answer eth0.7 10.7.0 2001:db8:7 0 2
	all_answer eth0.9.8 10.9.0 2001:db8:9 1
	host_del tagged
}

# pools_are HEALTH DIGIT...: of both backends of these pools.
pools_are()
{
	local health=$1 digit
	shift
	for digit; do
		backend_is "pool$digit/web1" health "$health" &&
			backend_is "pool$digit/web2" health "$health" || return 1
	done
}

@test "checks go through the same tunnels, and notice when one is missing" {
	wait_until 30 pools_are up 0 1 2 3 4
	run -0 lbctl check now pool4/web1
	[[ $output == *"in the tunnel to $(backend_v6 1)"*"went into the tunnel"* ]]
	on web1 ip fou del port 6080
	on web1 ip -6 fou del port 6080
	wait_until 30 backend_is pool3/web1 health down
	wait_until 30 backend_is pool4/web1 health down
	pools_are up 0 1 2
	on web1 ip fou add port 6080 gue
	on web1 ip -6 fou add port 6080 gue
	wait_until 30 pools_are up 3 4
}

@test "lbload attaches through libxdp's dispatcher" {
	expect "$(programs)" = limpet "the dispatcher's programs"
	run -0 lbload probe eth0
	[[ $output == *"dispatcher"*"works"* ]]
}

@test "flow lookup works on the copy that explains" {
	run -0 lbctl flow lookup tcp "$(client_v4 1):40001" 192.0.2.10:80 --syn -o json
	[[ $(jq -r .verdict <<<"$output") == forwarded ]]
}

@test "another program lives beside ours, before and after it came" {
	on balancer xdp-loader load -m native -s xdp eth0 "$BUILD/tests/pass.bpf.o"
	expect "$(programs | sort | tr '\n' ' ')" = "limpet pass " "the dispatcher's programs"
	both_answer 192.0.2.10
	lbload detach eth0
	expect "$(programs)" = pass "the dispatcher's programs"
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml"
	expect "$(programs | sort | tr '\n' ' ')" = "limpet pass " "the dispatcher's programs"
	back_again
	both_answer 192.0.2.10
	[[ $(lbload status -o json | jq -r '.attachments[0].state') == attached ]]
}

@test "lbload replace under traffic, in the dispatcher: no flow notices" {
	local before after
	before=$(lbload status -o json | jq '.attachments[0].program_id')
	steady_start flows 192.0.2.10:80 20
	steady_rounds flows 2
	lbload replace
	steady_rounds flows 2
	lbload replace eth0
	steady_rounds flows 2
	steady_stop flows
	expect "$(steady flows '[.[] | select(.error or (.backends | length) != 1)] | length')" = 0 \
		"disturbed flows"
	after=$(lbload status -o json | jq '.attachments[0].program_id')
	expect "$after" != "$before" "the program's number"
	expect "$(programs | sort | tr '\n' ' ')" = "limpet pass " "the dispatcher's programs"
}

@test "the other program goes, ours stays; ours goes, nothing is left" {
	local id
	id=$(on balancer xdp-loader status eth0 | awk '$1 == "=>" && $3 == "pass" { print $4 }')
	on balancer xdp-loader unload eth0 --id "$id"
	expect "$(programs)" = limpet "the dispatcher's programs"
	both_answer 192.0.2.10
	lbload detach eth0
	expect "$(on balancer ip -o link show eth0 | grep -c 'prog/xdp')" = 0 "XDP programs on eth0"
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml"
	back_again
	both_answer 192.0.2.10
}

@test "lbdecap in the place of the kernel's devices, through the dispatcher" {
	on web1 ip link del ipip1
	on web1 ip link del sit1
	on web1 ip link del ip6tnl1
	on web1 ip fou del port 6080
	on web1 ip -6 fou del port 6080
	backend_decap web1
	for vip in $(vips 0 1 3 4); do
		both_answer "$vip"
	done
	on web1 xdp-loader status eth0 | grep -q limpet_decap
}
