# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Two balancers with one configuration behind a router that spreads flows over both (ECMP, by ports
# too). One dies under load, and comes back as after a reboot, knowing nothing. In a settled pool
# nobody notices; what it costs while slots are unsettled is measured, and not judged.

# shellcheck source=tests/churn/churn.bash
source "$(dirname "${BASH_SOURCE[0]}")/churn.bash"

ecmp_config()
{
	config <<-EOT
		version: 1
		global:
		  hash_seed: "000102030405060708090a0b0c0d0e0f"
		  limits: {flows: 100000, clients: 1000}
		pools:
		- name: web
		  check: {type: tcp, port: $check_port, interval: 500ms, timeout: 500ms, rise: 2, fall: 3}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: "$(backend_v6 2)"}
		  - {name: web3, address: $(backend_v4 3)}
		  - {name: web4, address: $(backend_v4 4)}
		services:
		- {name: tcp, listen: ["tcp://$vip4:$port", "tcp://[$vip6]:$port"], pool: web}
		- {name: udp, listen: ["udp://$vip4:$port", "udp://[$vip6]:$port"], pool: web}
	EOT
}

# routes NUMBER...: the router sends flows to these balancers.
routes()
{
	local n hops4=() hops6=()
	for n; do
		hops4+=(nexthop via "10.0.0.$((1 + n))")
		hops6+=(nexthop via "2001:db8:b::$((1 + n))")
	done
	on router ip route replace $vip4/32 "${hops4[@]}"
	# Without an old route: for IPv6, replace adds to what is there.
	on router ip -6 route del $vip6/128
	on router ip -6 route add $vip6/128 "${hops6[@]}"
}

ecmp_clients()
{
	local v4="target=$vip4:$port,sources=500" v6="target=[$vip6]:$port,sources=500" busy udp
	busy=$(by_size 1500 300) udp=$(by_size 200 75)

	client_start \
		"name=busy4,$v4,source=198.18.0.0,count=$busy,pause=500" \
		"name=busy6,$v6,source=2001:db8:8000::1,count=$busy,pause=500" \
		"name=quiet4,$v4,source=198.18.8.0,count=$busy,pause=30000" \
		"name=quiet6,$v6,source=2001:db8:8001::1,count=$busy,pause=30000" \
		"name=udp4,$v4,proto=udp,source=198.18.24.0,count=$udp,pause=500" \
		"name=udp6,$v6,proto=udp,source=2001:db8:8002::1,count=$udp,pause=500" \
		"name=new,target=$vip4:$port,source=198.19.0.0,sources=60000,fresh=1,count=20,asks=1,pause=200"
}

forwarded() { INSTANCE=$1 lbctl service list -o json | jq '[.services[].packets] | add'; }

# balancer_dies NAME NUMBER: the other one has that number. The machine is gone at once.
balancer_dies()
{
	on router ip link set "$1" down
	INSTANCE=$1 lbd_stop KILL
	routes "$2"
	tell arrivals 100 >/dev/null
}

# balancer_boots NAME: it knows what the file says, and has the other's table.
balancer_boots()
{
	local digest
	on router ip link set "$1" up
	INSTANCE=$1 lbload detach eth0 >/dev/null 2>&1
	INSTANCE=$1 lbload clean >/dev/null
	rm -rf "$LAB/$1/state"
	INSTANCE=$1 lb_up
	digest=$(for INSTANCE in balancer balancer2; do
		lbctl pool show web -o json | jq .table_digest
	done | sort -u | wc -l)
	expect "$digest" = 1 "different tables"
	routes 1 2
	tell arrivals 100 >/dev/null
}

# With slots changed in both.
unsettled_death()
{
	local INSTANCE
	event weight web1 20
	for INSTANCE in balancer balancer2; do
		lbctl backend weight web/web1 20 >/dev/null
	done
	# Flows that begin now are known to the balancer that they come through alone.
	tell finish web2 >/dev/null
	round
	balancer_dies balancer2 1
}

# Whether the router used both.
both_forwarded()
{
	local one two
	one=$(forwarded balancer) two=$(forwarded balancer2)
	fact "nothing happens" "{\"remark\": \"$one and $two packets\",
		\"fact_good\": $( ((one > two / 3 && two > one / 3)) && echo true || echo false)}"
}

scenario_ecmp()
{
	local INSTANCE=balancer
	churn_open ecmp 2 4
	on router sh -c 'echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy
		echo 1 >/proc/sys/net/ipv6/fib_multipath_hash_policy'
	for INSTANCE in balancer2 balancer; do
		ecmp_config
		lb_up
	done
	meta '{"idle_tcp_ms": 7800000, "idle_udp_ms": 60000,
		"backends": {"web1": 100, "web2": 100, "web3": 100, "web4": 100}}'
	routes 1 2
	for INSTANCE in balancer2 balancer; do
		sample_start web
	done
	ecmp_clients
	round
	phase "nothing happens" nothing_at_all
	both_forwarded
	phase "one of two balancers dies" balancer_dies balancer2 1
	phase "it returns from a reboot" balancer_boots balancer2
	phase "the other one dies" balancer_dies balancer 2
	phase "it returns from a reboot, too" balancer_boots balancer
	phase "one dies in an unsettled pool" unsettled_death
	fact "one dies in an unsettled pool" '{"judged": false, "remark": "not judged"}'
	client_stop
}
