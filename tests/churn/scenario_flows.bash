# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Thousands of TCP connections and UDP flows, while everything happens to a pool that can: backends
# come, go, flap and die, weights move, the controller stops, is killed and starts, the program is
# replaced, the file is read again.

# shellcheck source=tests/churn/churn.bash
source "$(dirname "${BASH_SOURCE[0]}")/churn.bash"

# flows_config [LINE]: with another backend.
flows_config()
{
	config <<-EOT
		version: 1
		global: {limits: {flows: 100000, clients: 1000}}
		pools:
		- name: web
		  idle_timeout: {tcp: 2h10m, udp: 5s}
		  check: {type: tcp, port: $check_port, interval: 500ms, timeout: 500ms, rise: 2, fall: 3}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: "$(backend_v6 2)"}
		  - {name: web3, address: $(backend_v4 3)}
		  - {name: web4, address: $(backend_v4 4)}
		${1-}
		services:
		- {name: tcp, listen: ["tcp://$vip4:$port", "tcp://[$vip6]:$port"], pool: web}
		- {name: udp, listen: ["udp://$vip4:$port", "udp://[$vip6]:$port"], pool: web}
	EOT
}

flows_clients()
{
	local v4="target=$vip4:$port,sources=1000" v6="target=[$vip6]:$port,sources=1000"
	local busy quiet ending udp
	busy=$(by_size 1600 300) quiet=$(by_size 1200 200) ending=$(by_size 200 50)
	udp=$(by_size 300 75)

	# Quiet ones are as WebSockets are; sleepers are silent for longer than UDP flows last.
	client_start \
		"name=busy4,$v4,source=198.18.0.0,count=$busy,pause=1000" \
		"name=busy6,$v6,source=2001:db8:8000::1,count=$busy,pause=1000" \
		"name=quiet4,$v4,source=198.18.8.0,count=$quiet,pause=30000" \
		"name=quiet6,$v6,source=2001:db8:8001::1,count=$quiet,pause=30000" \
		"name=ending4,$v4,source=198.18.16.0,count=$ending,pause=400,asks=8" \
		"name=udp4,$v4,proto=udp,source=198.18.24.0,count=$udp,pause=1000" \
		"name=udp6,$v6,proto=udp,source=2001:db8:8002::1,count=$udp,pause=1000" \
		"name=sleepers,$v4,proto=udp,source=198.18.32.0,count=20,pause=8000" \
		"name=new,target=$vip4:$port,source=198.19.0.0,sources=60000,fresh=1,count=20,asks=1,pause=100"
}

# Time enough for newcomers to show who gets them.
newcomers() { tell arrivals "$(by_size 1000 200)" >/dev/null; }

adding()
{
	add web/web5 "$(backend_v4 5)"
	newcomers
}

removing()
{
	remove web/web2
	newcomers
}

returning()
{
	add web/web2 "$(backend_v6 2)"
	newcomers
}

weights()
{
	local n
	for n in 10 300 0 100; do
		weight web/web1 $n
		weight web/web4 $((n / 2))
		round
	done
	weight web/web4 100
}

controller_stops()
{
	local i
	for ((i = 0; i < $(by_size 10 3); i++)); do
		lbd_stop
		lbd_start
	done
}

# With nobody to control for a while, and just before a change.
controller_dies()
{
	local i
	lbd_stop KILL
	round
	lbd_start
	for ((i = 0; i < $(by_size 10 3); i++)); do
		weight web/web1 $((100 + i % 2 * 100))
		lbd_stop KILL
		lbd_start
	done
	weight web/web1 100
}

replacing()
{
	local i
	for ((i = 0; i < $(by_size 20 5); i++)); do
		lbload replace >/dev/null
	done
}

reloading()
{
	local i
	for ((i = 0; i < $(by_size 10 3); i++)); do
		flows_config "  - {name: web6, address: $(backend_v4 6), weight: $((50 + i))}"
		lbctl reload >/dev/null
	done
	wait_until 20 takes_slots web/web6
	event add web6 $((49 + i))
	round
	# What the file no longer has is gone, with what it served: its users finish first.
	event drain web6
	lbctl backend drain web/web6 >/dev/null
	wait_until 30 nobody_at web6
	flows_config
	event del web6
	lbctl reload >/dev/null
}

hundred_changes()
{
	local i n
	for ((i = 0; i < 100; i++)); do
		n=$((1 + i % 5))
		weight web/web$n $((50 + i * 37 % 100))
	done
	for n in 1 2 3 4 5; do
		weight web/web$n 100
	done
}

flapping()
{
	local i
	for ((i = 0; i < $(by_size 3 1); i++)); do
		goes_down web/web3 check_fails web3
		comes_up web/web3 check_works web3
	done
}

dying()
{
	goes_down web/web4 server_kill web4
	round
	comes_up web/web4 server_start web4
}

vanishing()
{
	goes_down web/web1 backend_cut web1
	round
	comes_up web/web1 backend_mend web1
}

scenario_flows()
{
	churn_open flows 1 6
	flows_config
	meta '{"idle_tcp_ms": 7800000, "idle_udp_ms": 5000, "check_ms": 500,
		"backends": {"web1": 100, "web2": 100, "web3": 100, "web4": 100}}'
	lb_up
	sample_start web
	flows_clients
	round
	phase "nothing happens" nothing_at_all
	phase "a backend is added" adding
	phase "one is drained and removed" removing
	phase "it returns, as in a rolling deploy" returning
	phase "weights change" weights
	phase "lbd is stopped and started" controller_stops
	phase "lbd is killed and started" controller_dies
	phase "lbload replace" replacing
	phase "reload" reloading
	phase "100 changes in a row" hundred_changes
	phase "a backend flaps" flapping
	phase "a server is killed" dying
	phase "a machine vanishes" vanishing
	client_stop
}
