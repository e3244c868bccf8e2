#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Each way of forwarding, with real TCP and UDP, through a balancer with one interface and one with
# two, to the same backends. The network is drawn in topology.bash:
#
#   client -- router -- "one" (eth0)                 VIPs 192.0.2.10 to .16, 2001:db8::10 to ::16
#               |  '--- "two" (eth0 in, eth1 out)    VIPs 192.0.2.20 to .26, 2001:db8::20 to ::26
#             bridge -- web1, web2
#
# The last digit of a VIP is the pool's: 0 IPIP to IPv4 backends, 1 IPIP to IPv6 backends, 2 L2 to
# IPv4 neighbours, 3 L2 to IPv6 neighbours, 4 a pool without a usable backend, 5 GUE to IPv4 backends,
# 6 GUE to IPv6 backends.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

balancers=(one two)
pools=(0 1 2 3 5 6)

vips() # TENS
{
	local digit
	for digit in 0 1 2 3 4 5 6; do
		echo "192.0.2.$1$digit 2001:db8::$1$digit"
	done
}

pool() # TENS DIGIT FORWARD ADDRESS1 ADDRESS2
{
	cat <<-EOT
		- name: pool$2
		  forward: $3
		  table_size: 251
		  backends:
		  - {name: web1, address: "$4"}
		  - {name: web2, address: "$5"}
	EOT
}

service() # TENS DIGIT
{
	cat <<-EOT
		- name: service$2
		  listen: ["tcp://192.0.2.$1$2:80", "tcp://[2001:db8::$1$2]:80",
		           "udp://192.0.2.$1$2:53", "udp://[2001:db8::$1$2]:53",
		           "tcp://192.0.2.$1$2:8000-8099", "udp://192.0.2.$1$2:*"]
		  pool: pool$2
	EOT
}

configuration() # TENS ENCAP-SOURCE
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}$2}
		pools:
		$(pool "$1" 0 ipip "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool "$1" 1 ipip "$(backend_v6 1)" "$(backend_v6 2)")
		$(pool "$1" 2 l2 "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool "$1" 3 l2 "$(backend_v6 1)" "$(backend_v6 2)")
		$(pool "$1" 4 ipip 10.0.0.98 10.0.0.99)
		$(pool "$1" 5 gue "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool "$1" 6 gue "$(backend_v6 1)" "$(backend_v6 2)")
		services:
		$(for digit in 0 1 2 3 4 5 6; do service "$1" $digit; done)
	EOT
}

setup_file()
{
	local vips n
	lab_open
	network_add 4
	mapfile -t vips < <({ vips 1; vips 2; } | tr ' ' '\n')
	# shellcheck disable=SC2046
	balancer_add one 1 one $(vips 1)
	# shellcheck disable=SC2046
	balancer_add two 2 two $(vips 2)
	for n in 1 2; do
		backend_up web$n $n "${vips[@]}"
		echo_start web$n 53 "${vips[@]}"
	done
	INSTANCE=one
	configuration 1 "" | config
	lbload attach eth0 -c "$LAB/one/lbd.yaml"
	lbd_start
	INSTANCE=two
	configuration 2 ', encap_source: {v4: 172.16.0.0/16, v6: "0100::/64"}' | config
	lbload attach eth0 -c "$LAB/two/lbd.yaml"
	lbd_start
	for INSTANCE in one two; do
		wait_until 30 serving 12
	done
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# Whether that many backends take traffic.
serving() { lbctl backend list -o json | jq -e "[.backends[] | select(.slots > 0)] | length == $1"; }

vip4() { [[ $1 == one ]] && echo "192.0.2.1$2" || echo "192.0.2.2$2"; }
vip6() { [[ $1 == one ]] && echo "2001:db8::1$2" || echo "2001:db8::2$2"; }

# Requests until both backends were seen, or 60.
both_answer() # SOURCE VIP [PORT]
{
	local answers
	answers=$(visit "$1" "$2" 30 "${3:-80}")
	expect "$(wc -l <<<"$answers")" = 30 "answers"
	expect "$(cut -d' ' -f1 <<<"$answers" | sort -u | tr '\n' ' ')" = "web1 web2 " "backends"
	expect "$(cut -d' ' -f2 <<<"$answers" | sort -u)" = "$1" "the address that backends see"
}

both_answer_udp() # VIP PORT
{
	local name=udp-$RANDOM host=$1
	[[ $host != *:* ]] || host=[$host]
	steady_start $name "$host:$2" 30 --udp
	steady_rounds $name 3
	steady_stop $name
	expect "$(steady $name '[.[] | select(.error)] | length')" = 0 "flows with an error"
	expect "$(steady $name '[.[].backends[]] | unique | join(" ")')" = "web1 web2" backends
}

@test "TCP over IPv4: every forwarding mode, one interface and two" {
	for balancer in "${balancers[@]}"; do
		for pool in "${pools[@]}"; do
			echo "balancer $balancer, pool $pool"
			both_answer "$(client_v4 1)" "$(vip4 "$balancer" "$pool")"
		done
	done
}

@test "TCP over IPv6: every forwarding mode, one interface and two" {
	for balancer in "${balancers[@]}"; do
		for pool in "${pools[@]}"; do
			echo "balancer $balancer, pool $pool"
			both_answer "$(client_v6 1)" "$(vip6 "$balancer" "$pool")"
		done
	done
}

@test "UDP over IPv4: every forwarding mode, one interface and two" {
	for balancer in "${balancers[@]}"; do
		for pool in "${pools[@]}"; do
			echo "balancer $balancer, pool $pool"
			both_answer_udp "$(vip4 "$balancer" "$pool")" 53
		done
	done
}

@test "UDP over IPv6: every forwarding mode, one interface and two" {
	for balancer in "${balancers[@]}"; do
		for pool in "${pools[@]}"; do
			echo "balancer $balancer, pool $pool"
			both_answer_udp "$(vip6 "$balancer" "$pool")" 53
		done
	done
}

@test "a whole segment fits the tunnel, in each family pair" {
	for balancer in "${balancers[@]}"; do
		for pool in 0 1 5 6; do
			for vip in "$(vip4 "$balancer" "$pool")" "[$(vip6 "$balancer" "$pool")]"; do
				# A request line of several full segments.
				path=$(printf 'x%.0s' {1..7000})
				run -0 on client curl -sf --max-time 20 "http://$vip/$path"
				[[ $output == web* ]]
			done
		done
	done
}

@test "port ranges and any-port services take what the exact ones leave" {
	INSTANCE=one
	spawn range-web1 web1 socat TCP-LISTEN:8042,fork,reuseaddr SYSTEM:'echo web1'
	spawn range-web2 web2 socat TCP-LISTEN:8042,fork,reuseaddr SYSTEM:'echo web2'
	wait_until 30 on web1 socat -u TCP:127.0.0.1:8042 -
	wait_until 30 on web2 socat -u TCP:127.0.0.1:8042 -
	run -0 on client socat -u TCP:192.0.2.10:8042 -
	[[ $output == web[12] ]]
	echo_start_again() { spawn "any-$1" "$1" python3 "$TOPOLOGY_DIR/echo.py" "$1" 4711 192.0.2.10; }
	echo_start_again web1
	echo_start_again web2
	wait_until 30 grep -q ready "$LAB/log/any-web1"
	wait_until 30 grep -q ready "$LAB/log/any-web2"
	both_answer_udp 192.0.2.10 4711
	stop range-web1
	stop range-web2
	stop any-web1
	stop any-web2
}

captured_sources()
{
	awk -v vip="$1.80:" '$5 == "10.0.0.11:" && $9 == vip { print $3 }' "$LAB/log/capture" | sort -u
}

enough_sources() { (($(captured_sources "$1" | wc -l) >= $2)); }

# capture_start OPTION...: of tcpdump, at web1. What an earlier one said is not this one's word.
capture_start()
{
	rm -f "$LAB/log/capture"
	spawn capture router tcpdump --immediate-mode -nl -i web1 "$@"
	wait_until 30 grep -q listening "$LAB/log/capture"
}

# outer_sources VIP COUNT: of the encapsulated packets to that VIP while requests go to it.
outer_sources()
{
	capture_start 'ip proto 4 and dst 10.0.0.11'
	visit "$(client_v4 1)" "$1" 60 >/dev/null
	# What captures may be behind.
	wait_until 10 enough_sources "$1" "$2" || true
	stop capture
	captured_sources "$1"
}

good_sums() { grep -c '2001:db8:b::11.6080: \[udp sum ok\]' "$LAB/log/capture"; }
enough_sums() { (($(good_sums) > 100)); }

# Captured at a backend, where the kernel of the capture checks what it shows (-v).
@test "GUE: source ports vary by flow, and UDP over IPv6 has a checksum that holds" {
	capture_start -v 'udp dst port 6080'
	visit "$(client_v4 1)" "$(vip4 one 5)" 60 >/dev/null
	visit "$(client_v4 1)" "$(vip4 one 6)" 30 >/dev/null
	visit "$(client_v6 1)" "$(vip6 one 6)" 30 >/dev/null
	wait_until 10 enough_sums || true
	stop capture
	ports() { sed -nE "s/.*$1\.([0-9]+) > $2\.6080: .*/\1/p" "$LAB/log/capture" | sort -un; }
	head -20 "$LAB/log/capture"
	expect "$(ports 10.0.0.2 10.0.0.11 | wc -l)" -gt 5 "source ports over IPv4"
	expect "$(ports 2001:db8:b::2 2001:db8:b::11 | wc -l)" -gt 5 "source ports over IPv6"
	expect "$(ports '' '[^ ]*' | wc -l)" -gt 10 "source ports"
	expect "$(ports '' '[^ ]*' | awk '$1 < 49152' | wc -l)" = 0 "ports that are not dynamic"
	expect "$(good_sums)" -gt 100 "good sums"
	expect "$(grep -c 'bad udp cksum' "$LAB/log/capture")" = 0 "bad sums"
}

@test "the outer source varies by flow under encap_source" {
	run -0 outer_sources "$(vip4 two 0)" 6
	echo "$output"
	expect "$(grep -c '^172\.16\.' <<<"$output")" -gt 5 "varied sources"
	expect "$(grep -vc '^172\.16\.' <<<"$output")" = 0 "other sources"
}

@test "without encap_source the outer source is the interface's address" {
	run -0 outer_sources "$(vip4 one 0)" 1
	[[ $output == 10.0.0.2 ]]
}

@test "what is for no service reaches the balancer's own kernel" {
	INSTANCE=one
	# 81 is no port of a service: the kernel, which has not that address, is silent or refuses.
	run on client curl -s --max-time 1 http://192.0.2.10:81/
	((status != 0))
	spawn own one socat TCP-LISTEN:7777,fork,reuseaddr SYSTEM:'echo the balancer itself'
	wait_until 30 on client socat -u TCP:10.0.0.2:7777 -
	run -0 on client socat -u TCP:10.0.0.2:7777 -
	[[ $output == "the balancer itself" ]]
	stop own
}

@test "a pool of which no backend has a next hop drops, and says why" {
	INSTANCE=one
	before=$(drop_count drop_no_backend)
	run on client curl -s --max-time 1 http://192.0.2.14/
	((status != 0))
	expect "$(drop_count drop_no_backend)" -gt "$before" "drops for want of a backend"
	# What dropped most comes first.
	expect "$(lbctl drops | awk 'NR > 1 { print $2 }' | head -n 3)" = \
		"$(lbctl drops -o json | jq '[.drops[].packets] | sort | reverse | .[:3][]')"
	[[ $(backend_field pool4/web1 slots) == 0 ]]
	wait_until 30 backend_unresolved pool4/web1 10.0.0.98
}

@test "services and backends count each packet once" {
	INSTANCE=one
	count_service() { lbctl service show service2 -o json | jq '.. | .packets? // empty' | head -1; }
	count_backends() { lbctl backend list pool2 -o json | jq '[.backends[].packets] | add'; }
	count_flows() { lbctl backend list pool2 -o json | jq '[.backends[].new_flows] | add'; }
	# Of earlier tests' connections, last acknowledgements may still come.
	counts_agree() { [[ $(count_service) == "$(count_backends)" ]]; }
	wait_until 30 counts_agree
	packets=$(count_backends) flows=$(count_flows)
	visit "$(client_v4 2)" 192.0.2.12 20 >/dev/null
	expect "$(count_flows)" = $((flows + 20)) "new flows"
	# SYN, ACK, request, FIN and its ACK at the least.
	expect "$(count_backends)" -ge $((packets + 80)) "packets"
	wait_until 30 counts_agree
}

@test "flow lookup names the backend that a real connection gets" {
	INSTANCE=one
	for port in 40001 40002 40003 40004 40005 40006 40007 40008; do
		got=$(on client curl -sf --max-time 20 --interface "$(client_v4 3)" \
			--local-port $port http://192.0.2.10/ | cut -d' ' -f1)
		said=$(lbctl flow lookup tcp "$(client_v4 3):$port" 192.0.2.10:80 -o json |
			jq -r .backend)
		expect "$said" = "$got" "the backend named for port $port"
	done
}

# lookup_bytes CLIENT VIP PORT: what `flow lookup` says is sent is what comes in at the backend.
lookup_bytes()
{
	local told backend
	told=$(lbctl flow lookup udp "$1:$3" "$2:53" -o json)
	backend=$(jq -r .backend <<<"$told")
	rm -f "$LAB/log/arrived"
	# On its cable: behind its interface the outer header is gone.
	spawn arrived router python3 "$BATS_TEST_DIRNAME/arrived.py" "$backend" "$3"
	wait_until 30 grep -q ready "$LAB/log/arrived"
	on client python3 -c '
import socket, sys
source, port, vip = sys.argv[1].strip("[]"), int(sys.argv[2]), sys.argv[3].strip("[]")
out = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM)
out.bind((source, port))
out.sendto(b"", (vip, 53))' "$1" "$3" "$2"
	wait_until 30 grep -q '^[0-9a-f]' "$LAB/log/arrived"
	stop arrived
	expect "$(tail -n 1 "$LAB/log/arrived")" = \
		"$(python3 "$BATS_TEST_DIRNAME/arrived.py" "$(jq -r .sent.bytes <<<"$told")")" "to $2"
	expect "$(jq .sent.size <<<"$told")" = "$(($(tail -n 1 "$LAB/log/arrived" | wc -c) / 2))"
	expect "$(jq -r '.sent.headers[0].destination' <<<"$told")" = \
		"$(on "$backend" ip -j link show eth0 | jq -r '.[0].address')" "its MAC"
}

@test "flow lookup gives the bytes that arrive at the backend" {
	local digit
	for digit in "${pools[@]}"; do
		INSTANCE=one
		lookup_bytes "$(client_v4 3)" "192.0.2.1$digit" "4100$digit"
		lookup_bytes "[$(client_v6 3)]" "[2001:db8::1$digit]" "4100$digit"
		INSTANCE=two
		lookup_bytes "$(client_v4 3)" "192.0.2.2$digit" "4100$digit"
		lookup_bytes "[$(client_v6 3)]" "[2001:db8::2$digit]" "4100$digit"
	done
}

@test "an exact port wins over a range that begins or ends with it" {
	INSTANCE=one
	service_at() # PORT
	{
		lbctl flow lookup tcp "$(client_v4 1):4000" "192.0.2.10:$1" -o json | jq -r .service
	}
	services_are() # THAT OF 9001 THAT OF 9010
	{
		expect "$(service_at 9001) $(service_at 9002) $(service_at 9010)" = "$1 range $2" \
			services
	}
	lbctl service add first tcp://192.0.2.10:9001 --pool pool1
	lbctl service add range tcp://192.0.2.10:9001-9010 --pool pool0
	lbctl service add last tcp://192.0.2.10:9010 --pool pool1
	services_are first last
	lbctl backend weight pool0/web1 90 # any change
	services_are first last
	lbctl service del first
	services_are range last
	lbctl service del last
	services_are range range
	lbctl service del range
	lbctl backend weight pool0/web1 100
}
