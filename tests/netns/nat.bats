#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# NAT to backends that nobody touched: no VIP, no tunnel, no setting, but where their packets go.
# The network is drawn in topology.bash:
#
#   client -- router -- "one" (eth0)                 hides the clients (snat): VIPs .10 and .11
#               |  '--- "two" (eth0 in, eth1 out)    does not: VIPs .22 and .23
#             bridge -- web1, web2                   default gateway: "two"
#
# The last digit of a VIP is the pool's: 0 and 2 have IPv4 backends, 1 and 3 IPv6 ones.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

pool() # NAME FORWARD ADDRESS1 ADDRESS2
{
	cat <<-EOT
		- {name: $1, forward: $2, table_size: 251,
		   check: {type: tcp, interval: 200ms, timeout: 150ms, port: 80},
		   backends: [{name: web1, address: "$3"}, {name: web2, address: "$4"}]}
	EOT
}

service() # NAME VIP...
{
	local name=$1 vip
	shift
	for vip; do
		[[ $vip != *:* ]] || vip=[$vip]
		printf -- '- {name: "%s-%s", pool: %s, listen: ["tcp://%s:80", "tcp://%s:9000", "udp://%s:53"]}\n' \
			"$name" "$((++n))" "$name" "$vip" "$vip" "$vip"
	done
}

configuration_one()
{
	local n=0
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000, nat_flows: 80000}}
		pools:
		- {name: alone, forward: nat, snat: true, table_size: 251,
		   backends: [{name: web1, address: "$(backend_v4 1)"}]}
		$(pool four "nat, snat: true" "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool six "nat, snat: true" "$(backend_v6 1)" "$(backend_v6 2)")
		services:
		- {name: many, listen: ["tcp://192.0.2.10:7000", "udp://192.0.2.10:54"], pool: alone}
		$(service four 192.0.2.10 2001:db8::10)
		$(service six 192.0.2.11 2001:db8::11)
	EOT
}

configuration_two()
{
	local n=0
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000, nat_flows: 20000}}
		pools:
		$(pool four nat "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool six nat "$(backend_v6 1)" "$(backend_v6 2)")
		services:
		$(service four 192.0.2.22)
		$(service six 2001:db8::23)
	EOT
}

setup_file()
{
	local n
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" "$BUILD/tests/many"
	lab_open
	network_add 4
	balancer_add one 1 one 192.0.2.10 192.0.2.11 2001:db8::10 2001:db8::11
	balancer_add two 2 two 192.0.2.22 2001:db8::23
	for n in 1 2; do
		backend_add web$n $n
		on web$n ip route replace default via 10.0.0.3
		on web$n ip route replace default via 2001:db8:b::3
		nginx_start web$n
		echo_start web$n 53 "$(backend_v4 $n)" "$(backend_v6 $n)"
		spawn bulk4-web$n web$n python3 "$TOPOLOGY_DIR/bulk.py" serve "$(backend_v4 $n)" 9000
		spawn bulk6-web$n web$n python3 "$TOPOLOGY_DIR/bulk.py" serve "$(backend_v6 $n)" 9000
	done
	spawn many web1 "$BUILD/tests/many" serve "$(backend_v4 1)" 7000
	INSTANCE=one
	# Leaves NAT 60,000 ports of the host's address.
	on one sysctl -qw net.ipv4.ip_local_port_range="61024 65535"
	configuration_one | config
	lb_up eth0
	INSTANCE=two
	configuration_two | config
	lb_up eth0 eth1
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# Requests until both backends were seen, or 30; and who they think asks.
both_answer() # SOURCE VIP SEEN
{
	local answers
	answers=$(visit "$1" "$2" 30)
	expect "$(wc -l <<<"$answers")" = 30 "answers"
	expect "$(cut -d' ' -f1 <<<"$answers" | sort -u | tr '\n' ' ')" = "web1 web2 " "backends"
	expect "$(cut -d' ' -f2 <<<"$answers" | sort -u)" = "$3" "the address that backends see"
}

@test "TCP, destination NAT: backends see the clients" {
	both_answer "$(client_v4 1)" 192.0.2.22 "$(client_v4 1)"
	both_answer "$(client_v6 1)" 2001:db8::23 "$(client_v6 1)"
}

@test "TCP, source NAT, each pair of families: backends see the balancer" {
	both_answer "$(client_v4 1)" 192.0.2.10 10.0.0.2
	both_answer "$(client_v6 1)" 2001:db8::10 10.0.0.2
	both_answer "$(client_v4 1)" 192.0.2.11 2001:db8:b::2
	both_answer "$(client_v6 1)" 2001:db8::11 2001:db8:b::2
}

@test "flow lookup says what NAT makes of a packet, and pool show that it does" {
	INSTANCE=one
	run -0 lbctl flow lookup tcp 198.51.100.99:4000 192.0.2.11:80 -o json
	expect "$(jq -r .rewritten.source <<<"$output")" = "[2001:db8:b::2]:4000" source
	[[ $(jq -r .rewritten.destination <<<"$output") == "[2001:db8:b::1"[12]"]:80" ]]
	run -0 lbctl flow lookup tcp 198.51.100.99:4000 192.0.2.11:80
	[[ $output == *"NAT makes it a packet from [2001:db8:b::2]:4000 to [2001:db8:b::1"* ]]
	run -0 lbctl pool show six
	[[ $output == *"nat, snat"* ]]
	# It left no entry.
	run -0 lbctl status -o json
	expect "$(jq .nat_table.limit <<<"$output")" = 80000 "room for NAT flows"
}

@test "UDP, each way" {
	for target in 192.0.2.22 "[2001:db8::23]" 192.0.2.10 "[2001:db8::10]" 192.0.2.11 "[2001:db8::11]"; do
		echo "$target"
		steady_start udp "$target:53" 20 --udp
		steady_rounds udp 3
		steady_stop udp
		expect "$(steady udp '[.[] | select(.error)] | length')" = 0 "flows with an error"
		expect "$(steady udp '[.[].backends[]] | unique | join(" ")')" = "web1 web2" backends
	done
}

@test "32 MB over one TCP connection, each way" {
	for target in 192.0.2.22 2001:db8::23 192.0.2.10 2001:db8::10 192.0.2.11 2001:db8::11; do
		run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send $target 9000 32
		echo "$output"
	done
}

@test "50,000 connections at a time to one backend from one source address" {
	INSTANCE=one
	run on client "$BUILD/tests/many" open 192.0.2.10 7000 12500 \
		"$(client_v4 1)" "$(client_v4 2)" "$(client_v4 3)" "$(client_v4 4)"
	echo "$output"
	expect "$status" = 0 "exit status"
	expect "$(drop_count drop_nat_ports)" = 0 "flows without a port"
	expect "$(drop_count drop_nat_full)" = 0 "flows without an entry"
}

@test "lbd is stopped, killed and started, and the program replaced: no flow notices" {
	local name target
	for name in one two; do
		[[ $name == one ]] && target=192.0.2.11:80 || target=192.0.2.22:80
		steady_start $name "$target" 20
	done
	for INSTANCE in one two; do
		lbd_stop KILL
		steady_rounds $INSTANCE 3
		lbload replace
		steady_rounds $INSTANCE 3
		lbd_start
		steady_rounds $INSTANCE 3
		lbd_stop
		lbd_start
		steady_rounds $INSTANCE 3
		steady_stop $INSTANCE
		expect "$(steady $INSTANCE '[.[] | select(.error)] | length')" = 0 "flows with an error"
		expect "$(steady $INSTANCE '[.[] | select(.backends | length > 1)] | length')" = 0 moved
	done
}

@test "a backend is gone: its flows end, all others go on, new ones go elsewhere" {
	local on_it
	INSTANCE=two
	steady_start flows 192.0.2.22:80 30
	steady_look flows
	on_it=$(steady flows '[.[] | select(.backends == ["web2"])] | length')
	expect "$on_it" -gt 0 "flows on web2"
	backend_cut web2
	wait_until 30 backend_is four/web2 health down
	expect "$(visit "$(client_v4 2)" 192.0.2.22 10 | cut -d' ' -f1 | sort -u)" = web1 "who answers"
	steady_rounds flows 3
	wait_until 60 flows_ended "$on_it"
	steady_stop flows
	expect "$(steady flows '[.[] | select(.error and .backends != ["web2"])] | length')" = 0 \
		"flows of web1 with an error"
	backend_mend web2
	wait_until 30 backend_is four/web2 health up
}

flows_ended() # COUNT
{
	steady_look flows
	[[ $(steady flows '[.[] | select(.error)] | length') == "$1" ]]
}

# From COUNT ports a datagram each; says how many were answered.
datagrams() # COUNT
{
	on client python3 - "$1" <<-EOT
		import select, socket, sys
		sockets = []
		for port in range(int(sys.argv[1])):
		    each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    each.connect(("192.0.2.10", 54))
		    each.send(b"x")
		    sockets.append(each)
		answered, left = 0, sockets
		while left:
		    ready, _, _ = select.select(left, [], [], 3)
		    if not ready:
		        break
		    answered += len(ready)
		    left = [each for each in left if each not in ready]
		print(answered)
	EOT
}

@test "no port is left: counted, said in the status, and no flow suffers" {
	local answered
	INSTANCE=one
	echo_start web1 54 "$(backend_v4 1)"
	# Of the address's ports NAT has 1024 to 1099.
	on one sysctl -qw net.ipv4.ip_local_port_range="1100 65535"
	lbd_stop
	lbd_start
	answered=$(datagrams 200)
	expect "$answered" = 76 "flows that got a port"
	expect "$(drop_count drop_nat_ports)" = 124 "flows that got none"
	run -0 lbctl status
	[[ $output == *"no source port toward the NAT backend was free"* ]]
	# Of each backend as of a sweep.
	wait_until 20 backend_is alone/web1 nat_refused 124
	expect "$(backend_field four/web1 nat_refused)" = 0 "flows of another backend that got none"
	run -0 lbctl backend list alone -o wide
	[[ ${lines[0]} == *"NO PORT"* && ${lines[1]} == *" 124 "* ]]
	run -0 lbctl backend show alone/web1
	[[ $output == *"124 new flows were refused"* ]]
	run lbctl doctor
	[[ $output == *"124 new flows found no source port toward it"* ]]
	on one sysctl -qw net.ipv4.ip_local_port_range="61024 65535"
	lbd_stop
	lbd_start
	expect "$(datagrams 200)" = 200 "flows that got a port"
}
