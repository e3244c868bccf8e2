#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Interfaces, routes and neighbours that change under real traffic: followed, told of, and recovered
# from. The balancer has two interfaces, eth0 to the router and eth1 to the backends.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults: {table_size: 251, check: {type: tcp, interval: 300ms, timeout: 300ms, rise: 1, fall: 2, hold_down: 0s}}
		pools:
		- name: web
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: web2, address: $(backend_v4 2)}]
		services:
		- {name: http, listen: "tcp://$vip4:80", pool: web}
	EOT
}

setup_file()
{
	lab_open
	network_add 2
	balancer_add balancer 1 two $vip4
	backend_up web1 1 $vip4
	backend_up web2 2 $vip4
	configuration | config
	lbload attach eth0 eth1 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	lbd_start
	wait_until 30 pools_settled
}

teardown_file() { lab_close; }

teardown()
{
	stop steady
	lab_diagnostics
}

# interface_is NAME FIELD VALUE: of `lbctl status`.
interface_is()
{
	[[ $(lbctl status -o json | jq -r --arg name "$1" \
		".interfaces[] | select(.interface == \$name) | .$2") == "$3" ]]
}

# event JQ-CONDITION: one that is kept fits.
event() { lbctl events -o json | jq -se "any(.[]; $1)"; }

told() { grep -qE "$1" "$LAB/log/lbd-balancer"; }

# What a network manager does again when eth1 comes up.
eth1_routes()
{
	on balancer ip route replace default via 10.0.0.1
}

mac_of() { on "$1" ip -j link show "$2" | jq -r '.[0].address'; }

serves() { (($(visit "$(client_v4 1)" $vip4 8 | wc -l) == 8)); }

@test "where packets come in: down and up, renamed, another MTU" {
	steady_start steady "$vip4:80" 20
	steady_rounds steady 2
	on balancer ip link set eth0 down
	wait_until 20 interface_is eth0 state down
	wait_until 20 told "warn: interface eth0: up -> down"
	event '.event == "interface" and .interface == "eth0" and .from == "up" and .to == "down"'
	on balancer ip link set eth0 up
	wait_until 20 interface_is eth0 state up
	wait_until 20 told "info: interface eth0: (down|no carrier) -> up"
	steady_rounds steady 2

	on balancer ip link set eth0 name front
	wait_until 20 interface_is front state up
	wait_until 20 told "interface eth0: it is called front now"
	run -0 lbload status
	[[ $output == *"front "*attached* ]]
	on balancer ip link set front mtu 1400
	wait_until 20 told "interface front: MTU 1500 -> 1400"
	event '.event == "interface" and .was == "eth0" and .interface == "front"'
	event '.event == "interface" and .interface == "front" and .mtu == 1400'
	interface_is front mtu 1400
	on balancer ip link set front mtu 1500
	steady_rounds steady 2
	on balancer ip link set front name eth0
	wait_until 20 interface_is eth0 state up
	steady_rounds steady 2
	steady_stop steady
	expect "$(steady steady '[.[] | select(.error or (.backends | length) != 1)] | length')" = 0 "broken flows"
}

@test "where packets leave: down and up" {
	serves
	on balancer ip link set eth1 down
	wait_until 20 backend_unresolved web/web1 "interface eth1 is down"
	wait_until 20 interface_is eth1 state down
	told "warn: backend web/web1: no next hop: interface eth1 is down"
	on balancer ip link set eth1 up
	eth1_routes
	wait_until 30 pools_settled
	told "info: backend web/web1: next hop .* on eth1, MTU 1600"
	wait_until 20 serves
}

@test "where packets leave: an MTU that becomes too small, and large again" {
	too_big()
	{
		curl -s --unix-socket "$LAB/balancer/lbd.sock" "http://lbd/v1/drops?all=1" |
			jq '[.drops[] | select(.verdict | endswith("too_big")) | .packets] | add'
	}
	big() { on client curl -sf --max-time 3 "http://$vip4/$(printf 'x%.0s' {1..3000})"; }
	big
	before=$(too_big)
	on balancer ip link set eth1 mtu 1500
	wait_until 20 backend_is web/web1 next_hop.mtu 1500
	wait_until 20 backend_is web/web2 next_hop.mtu 1500
	told "info: backend web/web1: next hop .*MTU 1500, not as before"
	event '.event == "next_hop" and .backend == "web1" and .mtu == 1500 and .interface == "eth1"'
	# The client is told, or its packets dropped, according to its kernel's idea of the path.
	big || true
	expect "$(too_big)" -gt "$before" "packets too big"
	serves
	on balancer ip link set eth1 mtu 1600
	wait_until 20 backend_is web/web1 next_hop.mtu 1600
	wait_until 20 backend_is web/web2 next_hop.mtu 1600
	big
}

@test "a route that says unreachable, and one that changes" {
	steady_start steady "$vip4:80" 20
	on balancer ip route add unreachable 10.0.0.11
	wait_until 20 backend_unresolved web/web1 "its route says unreachable"
	wait_until 20 backend_is web/web1 slots 0
	serves
	on balancer ip route del unreachable 10.0.0.11
	wait_until 30 pools_settled
	# By the router, to which nothing else leads.
	on balancer ip route add 10.0.0.12 via 10.0.0.1
	router=$(mac_of router br0)
	wait_until 20 backend_is web/web2 next_hop.mac "$router"
	steady_rounds steady 2
	serves
	on balancer ip route del 10.0.0.12 via 10.0.0.1
	wait_until 20 backend_is web/web2 next_hop.mac "$(mac_of web2 eth0)"
	steady_rounds steady 2
	steady_stop steady
	# Flows of web1 moved when it could not be reached; all others stayed.
	expect "$(steady steady '[.[] | select(.backends[0] == "web2")
		| select(.error or (.backends | length) != 1)] | length')" = 0 "broken flows of web2"
}

@test "a neighbour that fails, and comes back with another MAC" {
	backend_cut web2
	wait_until 30 backend_unresolved web/web2 "no answer to ARP on eth1"
	wait_until 20 backend_is web/web2 slots 0
	serves
	on web2 ip link set eth0 address 02:00:00:00:00:99
	backend_mend web2
	wait_until 30 backend_is web/web2 next_hop.mac 02:00:00:00:00:99
	wait_until 30 pools_settled
	serves
}

@test "an interface that is removed and comes back" {
	serves
	# Down first, and looked at since: of what is down the kernel tells nothing but that it goes.
	on balancer ip link set eth0 down
	wait_until 20 interface_is eth0 state down
	sleep 1.5
	on balancer ip link del eth0
	wait_until 20 told "err: interface eth0: down -> gone.*lbload attach eth0"
	event '.event == "interface" and .to == "gone" and .attached == false'
	interface_is eth0 state gone
	interface_is eth0 attached false
	run -0 lbload status
	[[ $output == *"eth0: the interface is gone"* ]]

	host_link balancer eth0 router balancer-front 1500
	far_end balancer-front
	address router balancer-front 10.0.101.1/24 2001:db8:f:1::1/64
	address balancer eth0 10.0.101.2/24 2001:db8:f:1::2/64
	on router ip route replace $vip4/32 via 10.0.101.2
	wait_until 20 interface_is eth0 state "back without the program"
	wait_until 20 told "err: interface eth0: gone -> back without the program.*lbload attach eth0"
	lbload attach eth0
	wait_until 20 serves
	wait_until 20 told "interface eth0: the data plane is attached"
	interface_is eth0 state up
	expect "$(lbctl status -o json | jq '.interfaces | length')" = 2 interfaces
	expect "$(lbload status -o json | jq '.attachments | length')" = 2 attachments
	# As lbload does it, only slower.
	on balancer ip link set dev eth0 xdpdrv off
	lbload detach eth0
	wait_until 20 told "interface eth0: the data plane is detached"
	expect "$(grep -c "program gone" "$LAB/log/lbd-balancer")" = 0 "alarms because of what lbload does"
	lbload attach eth0
	wait_until 20 serves
}

@test "a program that other hands take off is told of" {
	on balancer ip link set dev eth0 xdpdrv off
	wait_until 20 told "err: interface eth0: up -> program gone"
	interface_is eth0 attached false
	lbload detach eth0
	lbload attach eth0
	wait_until 20 interface_is eth0 state up
	wait_until 20 serves
}
