#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lbd holds the services' addresses: on the interface, announced, and taken off again. No route leads to
# them: they are of the link's own network, and who answers for them is asked by ARP and ND.
#
#   client -- router -- bridge -- balancer (eth0)    VIPs 10.0.0.100, 2001:db8:b::100 and others
#                          |----- other (eth0)       the same
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=10.0.0.100 vip6=2001:db8:b::100 fragile=10.0.0.101

# configuration MODE
configuration()
{
	cat <<-EOT
		version: 1
		global:
		  hash_seed: 000102030405060708090a0b0c0d0e0f
		  limits: {flows: 1000, clients: 1000}
		  vip: $1
		pools:
		- name: web
		  check: {type: tcp, interval: 200ms, timeout: 100ms, hold_down: 0s, via: direct}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		- name: one
		  check: {type: tcp, interval: 200ms, timeout: 100ms, hold_down: 0s, via: direct}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: http, listen: ["tcp://$vip4:80", "tcp://[$vip6]:80"], pool: web}
		- {name: fragile, listen: "tcp://$fragile:80", pool: one, withdraw: true}
	EOT
}

setup_file()
{
	local name
	lab_open
	network_add 2
	backend_up web1 1 $vip4 $vip6 $fragile
	backend_up web2 2 $vip4 $vip6 $fragile
	balancer_add balancer 1 one
	balancer_add other 2 one
	for name in balancer other; do
		INSTANCE=$name
		configuration none | config
		lbload attach eth0 -c "$LAB/$name/lbd.yaml" >>"$LAB/log/lbload-$name"
	done
	INSTANCE=balancer
	lbd_start
	wait_until 30 pools_settled
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# has ADDRESS: on the interface of $INSTANCE.
has() { [[ -n $(on "$INSTANCE" ip -o address show dev eth0 to "$1") ]]; }

mac_of() { on "$1" ip -o link show eth0 | grep -o 'link/ether [0-9a-f:]*' | cut -d' ' -f2; }

# The MAC that the router has for the address, after asking for it.
mac_for()
{
	on router ping -c 1 -W 1 "$1" >/dev/null 2>&1 || true
	on router ip neigh show to "$1" dev br0 | grep -o 'lladdr [0-9a-f:]*' | cut -d' ' -f2
}

answers() { [[ $(mac_for "$1") == $(mac_of "$2") ]]; }

# captured PATTERN COUNT: so many frames, or more.
captured() { (($(grep -cE -- "$1" "$LAB/log/capture") >= $2)); }

forget_neighbours() { on router ip neigh flush dev br0; }

@test "with vip: none lbd holds no address, and a node that holds none is not drained" {
	not has $vip4
	run lbctl node drain
	expect "$status" = 5 "exit status"
	[[ $output == *"global.vip"* ]]
	expect "$(lbctl node show -o json | jq -r .vip)" = none vip
}

@test "with vip: interface, from a reload on, each VIP is on the interface and answers" {
	# Another node has it still, and this one does not ask whether it may.
	address other eth0 $vip6/128
	on balancer sysctl -qw net.ipv6.conf.eth0.accept_dad=1
	configuration interface | config
	lbctl reload
	wait_until 30 has $vip4
	wait_until 30 has $vip6
	wait_until 30 has $fragile
	[[ $(on balancer ip -o address show dev eth0 to $vip6) != *@(tentative|dadfailed)* ]]
	on other ip address del $vip6/128 dev eth0
	forget_neighbours
	wait_until 30 answers $vip4 balancer
	wait_until 30 answers $vip6 balancer
	on router ping -c 1 -W 5 $vip4
	expect "$(visit "$(client_v4 1)" $vip4 8 | wc -l)" = 8 "answers over IPv4"
	expect "$(visit "$(client_v6 1)" $vip6 8 | wc -l)" = 8 "answers over IPv6"
	expect "$(lbctl node show -o json |
		jq '[.addresses[] | select(.held and .wanted)] | length')" = 3 "addresses held"
}

# node_is ADMIN WHY: of `lbctl node show`, and why the first address is not held
node_is()
{
	[[ $(lbctl node show -o json | jq -r '"\(.admin): \(.addresses[0].why)"') == "$1: $2" ]]
}

@test "nothing is sent from a VIP that is not asked to be" {
	[[ $(on balancer ip -4 route get 10.0.0.1) == *"src 10.0.0.2"* ]]
	[[ $(on balancer ip -6 route get 2001:db8:b::1) == *"src 2001:db8:b::2"* ]]
	# Not where the interface's own address came later, either, and the gateway is in no network of it.
	on balancer ip address del 10.0.0.2/24 dev eth0
	on balancer ip address add 10.0.0.2/24 dev eth0
	on balancer ip route replace default via 10.0.0.1
	on balancer ip route add 203.0.113.0/24 via 198.51.100.1 dev eth0 onlink
	[[ $(on balancer ip -4 route get 203.0.113.1) == *"src 10.0.0.2"* ]]
	on balancer ip route del 203.0.113.0/24
	wait_until 30 pools_settled
}

@test "a drained node takes them off and keeps them off, through a restart; ready, it announces them" {
	lbctl node drain -n
	has $vip4
	lbctl node drain
	wait_until 30 not has $vip4
	not has $vip6
	lbd_stop
	lbd_start
	wait_until 30 pools_settled
	not has $vip4
	# Of the addresses it speaks once the first tables are out.
	wait_until 30 node_is drain "the node is drained"
	not has $vip4
	spawn capture router tcpdump -i br0 -nn -l --immediate-mode "arp or icmp6[0] == 136"
	wait_until 30 grep -q listening "$LAB/log/capture"
	lbctl node ready
	wait_until 30 has $vip4
	# Three times, because one may be lost.
	wait_until 30 captured "Announcement $vip4|who-has $vip4 .*tell $vip4" 3
	wait_until 30 captured "$vip6 > ff02::1: ICMP6, neighbor advertisement, tgt is $vip6" 3
	stop capture
	expect "$(lbctl events -o json | jq -sr '[.[] | select(.change == "change node") | .detail] | join(", ")')" \
		= "drain -> ready" "what was told of it since the start"
}

@test "withdraw: true: the address goes with the last backend, and comes back; others stay" {
	lbctl backend maint one/web1
	wait_until 30 not has $fragile
	has $vip4
	[[ $(lbctl node show -o json | jq -r '.addresses[] | select(.address == "'$fragile'").why') == \
		*"no backend"* ]]
	lbctl backend ready one/web1
	wait_until 30 has $fragile
	# By a check, too.
	stop nginx-web1
	wait_until 30 not has $fragile
	has $vip4
	nginx_start web1
	wait_until 30 has $fragile
}

# A daemon puts an address, and says with a number that it is its own (iproute2 cannot before 6.3).
daemon_puts()
{
	on balancer python3 - "$1" <<-'EOF'
		import socket, struct, sys
		attributes = b"".join(struct.pack("HH4s", 8, kind, socket.inet_aton(sys.argv[1])) for kind in (1, 2))
		attributes += struct.pack("HHB3x", 5, 11, 188)  # IFA_PROTO
		body = struct.pack("BBBBi", socket.AF_INET, 32, 0, 253, socket.if_nametoindex("eth0")) + attributes
		kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
		kernel.send(struct.pack("IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)  # RTM_NEWADDR
		assert struct.unpack_from("i", kernel.recv(4096), 16) == (0,)
	EOF
}

@test "an address that somebody else put is never taken off" {
	# As lbd would have put it.
	on balancer ip address add 10.0.0.102/32 scope link dev eth0
	daemon_puts 10.0.0.105
	lbctl service add mine tcp://10.0.0.102:80 --pool web
	lbctl service add ours tcp://10.0.0.103:80 --pool web
	wait_until 30 has 10.0.0.103
	lbctl node drain
	wait_until 30 not has 10.0.0.103
	has 10.0.0.102
	has 10.0.0.105
	lbctl node ready
	wait_until 30 has 10.0.0.103
	lbctl service del mine
	lbctl service del ours
	wait_until 30 not has 10.0.0.103
	has 10.0.0.102
	on balancer ip address del 10.0.0.102/32 dev eth0
	on balancer ip address del 10.0.0.105/32 dev eth0
}

@test "one that somebody else takes off is put on again" {
	on balancer ip address del $vip4/32 dev eth0
	not has $vip4
	wait_until 30 has $vip4
}

@test "the addresses follow the data plane from interface to interface" {
	# In the network of no interface, so on all.
	lbctl service add roams tcp://192.0.2.50:80 --pool web
	wait_until 30 has 192.0.2.50
	on balancer ip link add spare type veth peer name spared
	on balancer ip link set spare up
	on balancer ip link set spared up
	lbload attach spare
	wait_until 30 on balancer sh -c 'ip -o address show dev spare | grep -q 192.0.2.50'
	lbload detach spare
	wait_until 30 not on balancer sh -c 'ip -o address show dev spare | grep -q 192.0.2.50'
	has 192.0.2.50
	lbctl service del roams
	wait_until 30 not has 192.0.2.50
	on balancer ip link del spare
}

@test "what an lbd left on an interface that was detached meanwhile, the next one takes off" {
	lbctl service add roams tcp://192.0.2.50:80 --pool web
	on balancer ip link add spare type veth peer name spared
	on balancer ip link set spare up
	on balancer ip link set spared up
	lbload attach spare
	wait_until 30 on balancer sh -c 'ip -o address show dev spare | grep -q 192.0.2.50'
	lbd_stop KILL
	lbload detach spare
	# Where another program is, it may be another instance's.
	on balancer ip link set dev spare xdpdrv obj "$BUILD/tests/pass.bpf.o" sec xdp
	lbd_start
	lbctl service add late tcp://192.0.2.51:80 --pool web
	wait_until 30 has 192.0.2.51
	on balancer sh -c 'ip -o address show dev spare | grep -q 192.0.2.50'
	on balancer ip link set dev spare xdpdrv off
	wait_until 30 not on balancer sh -c 'ip -o address show dev spare | grep -q 192.0.2.50'
	has 192.0.2.50
	lbctl service del late
	lbctl service del roams
	wait_until 30 not has 192.0.2.50
	on balancer ip link del spare
}

@test "a restart of lbd, or its death, changes no address" {
	spawn monitor balancer ip -o monitor address
	lbd_stop
	lbd_start
	wait_until 30 pools_settled
	lbd_stop KILL
	lbd_start
	wait_until 30 pools_settled
	# What it does from here on is seen: the monitor works, and lbd has looked.
	lbctl service add late tcp://10.0.0.104:80 --pool web
	wait_until 30 grep -q 10.0.0.104 "$LAB/log/monitor"
	lbctl service del late
	wait_until 30 grep -q "Deleted.*10.0.0.104" "$LAB/log/monitor"
	stop monitor
	expect "$(grep -c -e "$vip4\\b" -e $vip6 -e $fragile "$LAB/log/monitor")" = 0 "changes"
}

@test "two nodes hand over: the neighbours follow, connections go on, new ones come through" {
	INSTANCE=other
	configuration interface | config
	# Before it holds anything.
	mkdir -m 700 "$LAB/other/state"
	echo '{"version": 1, "admin": "drain"}' >"$LAB/other/state/node.json"
	chmod 600 "$LAB/other/state/node.json"
	lbd_start
	wait_until 30 pools_settled
	not has $vip4
	steady_start held $vip4:80 20 --source "$(client_v4 1)" --pause 0.1
	steady_rounds held 1
	answers $vip4 balancer
	INSTANCE=balancer lbctl node drain
	lbctl node ready
	wait_until 30 has $vip4
	wait_until 30 answers $vip4 other
	wait_until 30 answers $vip6 other
	steady_rounds held 2
	expect "$(visit "$(client_v4 2)" $vip4 8 | wc -l)" = 8 "answers through the other node"
	INSTANCE=balancer lbctl node ready
	lbctl node drain
	wait_until 30 answers $vip4 balancer
	steady_rounds held 2
	steady_stop held
	expect "$(steady held '[.[] | select(.error)] | length')" = 0 "connections that failed"
	expect "$(steady held '[.[] | select((.backends | length) != 1)] | length')" = 0 "that moved"
}

@test "checks through the tunnel to an address that this node holds" {
	on balancer sysctl -qw net.ipv4.conf.eth0.accept_local=1
	configuration interface | sed 's/, via: direct//' | config
	lbctl reload
	run lbctl check now web/web1
	[[ $output == *"in the tunnel"*"web/web1: good"* ]]
	wait_until 30 pools_settled
	wait_until 30 backend_is web/web2 health up
	has $vip4
}

@test "back to vip: none, the addresses go" {
	configuration none | config
	lbctl reload
	wait_until 30 not has $vip4
	not has $vip6
	not has $fragile
}
