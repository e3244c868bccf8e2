#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Much data: 1 GB over one TCP connection, UDP with iperf3. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10, 2001:db8::10
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10 vip6=2001:db8::10

setup_file()
{
	local n
	lab_open
	network_add 16
	balancer_add balancer 1 one $vip4 $vip6
	for n in 1 2; do
		backend_add web$n $n $vip4 $vip6
		backend_decap web$n
		spawn bulk4-web$n web$n python3 "$TOPOLOGY_DIR/bulk.py" serve $vip4 9000
		spawn bulk6-web$n web$n python3 "$TOPOLOGY_DIR/bulk.py" serve $vip6 9000
		spawn iperf4-web$n web$n iperf3 --forceflush -s -B $vip4 -p 5201
		wait_until 30 grep -q ready "$LAB/log/bulk4-web$n"
		wait_until 30 grep -q ready "$LAB/log/bulk6-web$n"
		wait_until 30 grep -q listening "$LAB/log/iperf4-web$n"
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: all
		  affinity: {key: source-ip}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: "$(backend_v6 2)"}
		services:
		- {name: bulk, listen: ["tcp://$vip4:9000", "tcp://[$vip6]:9000"], pool: all}
		- {name: iperf, listen: ["tcp://$vip4:5201", "udp://$vip4:5201"], pool: all}
	EOT
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

packets() { lbctl backend list all -o json | jq '[.backends[].packets] | add'; }

@test "1 GB over one TCP connection arrives as it was sent" {
	before=$(packets)
	run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send $vip4 9000 1024
	echo "$output"
	# 1 GB does not fit in fewer packets of 1,460 bytes.
	expect $(($(packets) - before)) -ge 735439 "packets through the balancer"
}

@test "100 MB over one IPv6 TCP connection arrive as they were sent" {
	before=$(packets)
	run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send $vip6 9000 100
	expect $(($(packets) - before)) -ge 72817 "packets through the balancer"
}

# Datagrams that arrived at a backend and found its socket's buffer full: iperf3 was not run in time.
overruns()
{
	local n
	for n in 1 2; do
		on web$n cat /proc/net/snmp
	done | awk '$1 == "Udp:" { sum += $6 } END { print sum + 0 }'
}

@test "iperf3 over UDP: control and data meet the same backend, and nearly all arrives" {
	# Control is TCP and data UDP: affinity by source keeps them together.
	local n sent lost before late
	for n in 1 2 3 4; do
		before=$(packets) late=$(overruns)
		run -0 on client iperf3 -c $vip4 -B "$(client_v4 $n)" -u -b 20M -l 1400 -k 2000 --json
		sent=$(jq .end.sum.packets <<<"$output")
		lost=$(jq .end.sum.lost_packets <<<"$output")
		expect "$sent" -ge 2000 "datagrams sent"
		expect $(($(packets) - before)) -ge $((sent * 19 / 20)) "packets through the balancer"
		expect $((lost - $(overruns) + late)) -le $((sent / 20)) "lost of $sent datagrams"
	done
}
