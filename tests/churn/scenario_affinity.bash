# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Clients that come again and clients that come for the first time, where affinity is by source and
# lasts for a while: who moves, how even the load is, and how soon a new backend has its share of new
# clients. An lbd that does not remember clients yet is measured all the same, as what it is:
# consistent hashing; judge.py then says nothing of moves.

# shellcheck source=tests/churn/churn.bash
source "$(dirname "${BASH_SOURCE[0]}")/churn.bash"

# affinity_config TIMEOUT: 0 for none.
affinity_config()
{
	local check_ms
	check_ms=$(by_size 1000ms 400ms)
	config <<-EOT
		version: 1
		global: {limits: {flows: 1000000, clients: 1000000}}
		pools:
		- name: web
		  affinity: {key: source-ip, prefix_v4: 32, prefix_v6: 64, timeout: $1}
		  idle_timeout: {tcp: 2h10m, udp: 10s}
		  check: {type: tcp, port: $check_port, interval: $check_ms, timeout: $check_ms, rise: 2, fall: 3}
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

# The same clients come by TCP (known4) and UDP (kin4), and hold connections (held4): an affinity
# group. `rare` ones are away for longer than the timeout at times.
affinity_clients()
{
	local v4="target=$vip4:$port" v6="target=[$vip6]:$port" known newcomers
	known=$(by_size 1000 250) newcomers=$(by_size 30 20)

	client_start \
		"name=known4,$v4,source=198.18.0.0,sources=$known,count=$known,asks=1,pause=1500" \
		"name=kin4,$v4,proto=udp,source=198.18.0.0,sources=$known,count=$known,asks=1,pause=1500" \
		"name=held4,$v4,source=198.18.0.0,sources=$known,count=$((known / 2)),pause=1500" \
		"name=known6,$v6,source=2001:db8:8000::1,sources=$known,count=$known,asks=1,pause=1500" \
		"name=rare4,$v4,source=198.18.32.0,sources=50,count=50,asks=1,pause=30000,alone=1" \
		"name=new4,$v4,source=198.19.0.0,sources=65000,fresh=1,count=$newcomers,asks=1,pause=150" \
		"name=new6,$v6,source=2001:db8:8010::1,sources=65000,fresh=1,count=$newcomers,asks=1,pause=150"
}

affinity_newcomers() { tell arrivals "$(by_size 4000 400)" >/dev/null; }

known_to_newcomers()
{
	"$@"
	affinity_newcomers
}

weight_doubled() { weight web/web1 200; }

draining()
{
	event drain web2
	lbctl backend drain web/web2 >/dev/null
	wait_until 20 backend_is web/web2 slots 0
}

# retiring POOL/NAME: known clients may come back, newcomers go elsewhere.
retiring()
{
	event retire web3
	lbctl backend drain web/web3 --mode clients >/dev/null
	wait_until 20 backend_is web/web3 slots 0
}

# ready NAME
ready()
{
	local since
	since=$(now_ms)
	lbctl backend ready "web/$1" >/dev/null
	wait_until 20 takes_slots "web/$1"
	event ready "$1" "" "$since"
}

affinity_flap()
{
	goes_down web/web4 server_kill web4
	round
	comes_up web/web4 server_start web4
}

affinity_restarts()
{
	lbd_stop
	lbd_start
	round
	lbd_stop KILL
	lbd_start
	lbload replace >/dev/null
}

scenario_affinity()
{
	local affinity=timeout
	churn_open affinity 1 5
	affinity_config 20s
	if ! lbctl config check "$LAB/$INSTANCE/lbd.yaml" >/dev/null 2>&1; then
		say "this lbd does not remember clients: measuring plain hashing"
		affinity=hashing
		affinity_config 0
	fi
	meta '{"idle_tcp_ms": 7800000, "idle_udp_ms": 10000, "client_timeout_ms": 20000,
		"check_ms": '"$(by_size 1000 null)"', "affinity": "'$affinity'",
		"backends": {"web1": 100, "web2": 100, "web3": 100, "web4": 100}}'
	lb_up
	sample_start web
	affinity_clients
	round
	phase "nothing happens" affinity_newcomers
	phase "a backend is added" known_to_newcomers add web/web5 "$(backend_v4 5)"
	phase "one gets twice the weight" known_to_newcomers weight_doubled
	phase "one is drained (flows)" known_to_newcomers draining
	phase "it is ready again" known_to_newcomers ready web2
	if lbctl -n backend drain web/web3 --mode clients >/dev/null 2>&1; then
		phase "one is drained (clients)" known_to_newcomers retiring
		phase "that is ready again" known_to_newcomers ready web3
	fi
	phase "a server is killed, and starts" known_to_newcomers affinity_flap
	phase "lbd stops, dies, starts; replace" known_to_newcomers affinity_restarts
	client_stop
}
