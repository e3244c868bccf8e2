# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Floods of packets of a million different flows, from addresses that are nobody's, beside real flows.
# In a settled pool they leave nothing behind; in an unsettled one with little room for entries no real
# flow is lost, and it settles when they are over.

# shellcheck source=tests/churn/churn.bash
source "$(dirname "${BASH_SOURCE[0]}")/churn.bash"

flood_limit=10000 # limits.flows

floods_config()
{
	config <<-EOT
		version: 1
		global: {limits: {flows: $flood_limit, clients: 1000}}
		pools:
		- name: web
		  idle_timeout: {tcp: 30s, udp: 10s}
		  # The servers are flooded, too: they may take long to answer.
		  check: {type: tcp, port: $check_port, interval: 5s, timeout: 5s, rise: 1, fall: 10}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		  - {name: web3, address: $(backend_v4 3)}
		services:
		- {name: tcp, listen: ["tcp://$vip4:$port", "tcp://[$vip6]:$port"], pool: web}
		- {name: udp, listen: ["udp://$vip4:$port", "udp://[$vip6]:$port"], pool: web}
	EOT
}

floods_clients()
{
	local v4="target=$vip4:$port,sources=500" v6="target=[$vip6]:$port,sources=500" busy udp
	busy=$(by_size 500 150) udp=$(by_size 100 50)

	client_start \
		"name=busy4,$v4,source=198.18.0.0,count=$busy,pause=1000" \
		"name=busy6,$v6,source=2001:db8:8000::1,count=$busy,pause=1000" \
		"name=quiet4,$v4,source=198.18.8.0,count=$busy,pause=10000" \
		"name=ending4,$v4,source=198.18.16.0,count=100,pause=400,asks=8" \
		"name=udp4,$v4,proto=udp,source=198.18.24.0,count=$udp,pause=1000" \
		"name=new,target=$vip4:$port,source=198.19.0.0,sources=60000,fresh=1,count=10,asks=1,pause=200"
}

entries() { "$BUILD/tests/churn_entries" "$LAB/bpf/$INSTANCE" | jq .entries; }

packets() { lbctl service list -o json | jq '[.services[].packets] | add'; }

# flood KIND: from addresses that no earlier one had. Leaves what it sent in $sent.
flood_number=0
flood()
{
	local mac
	mac=$(on router ip -j link show clients | jq -r '.[].address')
	sent=$(on client "$BUILD/tests/churn_flood" "$1" eth0 "$mac" \
		"100.$((64 + flood_number++)).0.0" $vip4 $port "$(by_size 1000000 30000)" \
		"$(by_size 100000 50000)")
}

# flood_fact PHASE BEFORE LEFT: a few packets may be lost on the way, where the machine has other things
# to do.
flood_fact()
{
	fact "$1" "$(jq -c --argjson came $(($(packets) - $2)) --argjson left "$3" \
		'{flood_flows: .flows, flood_packets: .packets, flood_seconds: .seconds,
		  flood_arrived: $came, entries_left: $left, fact_good: ($came >= .packets * 0.9)} |
		  if $left then .fact_good = (.fact_good and $left == 0) else . end |
		  .remark = "\(.flood_packets) packets in \(.flood_seconds) s" +
			if $left then ", \($left) entries left" else "" end' <<<"$sent")"
}

# settled_flood KIND PHASE
settled_flood()
{
	local before
	before=$(packets)
	flood "$1"
	flood_fact "$2" "$before" "$(entries)"
}

unsettled_flood()
{
	local before
	before=$(packets)
	flood "$1"
	flood_fact "$2" "$before" null
}

flood_phase()
{
	local name="$2, $3 pool"
	phase "$name" "$3_flood" "$1" "$name"
}

is_settled() { [[ $(lbctl pool show web -o json | jq .unsettled_slots) == 0 ]]; }

unsettle()
{
	add web/web4 "$(backend_v4 4)"
	weight web/web1 30
}

# A flow that began while there was no room for entries is where the old ones are, and its slot unsettled
# as long as it lives: real flows end, and begin again, every 20 s.
settling()
{
	local n since rounds
	since=$(now_ms)
	for ((rounds = 0; rounds < 15; rounds++)); do
		for n in 1 2 3 4; do
			tell finish web$n >/dev/null
		done
		! wait_until 20 is_settled || break
	done
	is_settled
	fact "the pool settles" "{\"settled_after_ms\": $(($(now_ms) - since)), \"entries_left\": $(entries),
		\"remark\": \"settled $((($(now_ms) - since) / 1000)) s after the last flood\"}"
}

scenario_floods()
{
	local kinds
	churn_open floods 1 4
	floods_config
	meta '{"idle_tcp_ms": 30000, "idle_udp_ms": 10000,
		"backends": {"web1": 100, "web2": 100, "web3": 100}}'
	lb_up
	sample_start web
	floods_clients
	round
	for kinds in settled unsettled; do
		[[ $kinds == settled ]] || phase "a backend is added" unsettle
		flood_phase syn SYN $kinds
		flood_phase ack ACK $kinds
		flood_phase handshake "SYN, then ACK" $kinds
		flood_phase udp UDP $kinds
	done
	[[ $SIZE != full ]] || phase "the pool settles" settling
	client_stop
}
