#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# ICMP and path MTU: ping, traceroute and tracepath to a VIP; data across a narrow hop on either side
# of the balancer, through every tunnel. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)     VIPs 192.0.2.10 to .13, 2001:db8::10 to ::13
#                          '----- web1, web2
#
# The last digit of a VIP is the pool's: 0 IPIP to IPv4 backends, 1 IPIP to IPv6 backends, 2 and 3 the
# same with GUE. Narrow hops: the router's link to the client (what the backends send meets it), and
# the balancer's routes to the backends (what the clients send does).

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

pools=(0 1 2 3)

vips() { printf '192.0.2.1%s\n2001:db8::1%s\n' 0 0 1 1 2 2 3 3; }

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

service() # DIGIT
{
	cat <<-EOT
		- name: service$1
		  listen: ["tcp://192.0.2.1$1:80", "tcp://[2001:db8::1$1]:80",
		           "udp://192.0.2.1$1:*", "udp://[2001:db8::1$1]:*"]
		  pool: pool$1
	EOT
}

setup_file()
{
	local vips n
	lab_open
	network_add 20
	mapfile -t vips < <(vips)
	balancer_add balancer 1 one "${vips[@]}"
	for n in 1 2; do
		backend_up web$n $n "${vips[@]}"
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		$(pool 0 ipip "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool 1 ipip "$(backend_v6 1)" "$(backend_v6 2)")
		$(pool 2 gue "$(backend_v4 1)" "$(backend_v4 2)")
		$(pool 3 gue "$(backend_v6 1)" "$(backend_v6 2)")
		services:
		$(for n in "${pools[@]}"; do service "$n"; done)
	EOT
	lb_up
	head -c 6000000 /dev/urandom >"$LAB/upload"
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# balancer_mtu BYTES: of the routes to the backends, and lbd has it; the client has forgotten others.
balancer_mtu()
{
	on balancer ip route replace 10.0.0.8/29 dev eth0 mtu "$1"
	on balancer ip -6 route replace 2001:db8:b::10/124 dev eth0 mtu "$1"
	wait_until 30 mtu_known "$1"
	on client ip -4 route flush cache
	on client ip -6 route flush cache
}

mtu_known() { lbctl backend list -o json | jq -e "all(.backends[]; .next_hop.mtu == $1)"; }

# Downloads of 4 MB each, over connections that meet both backends; prints which.
download() # SOURCE HOST
{
	on client curl -sSf --max-time 30 --interface "$1" -H 'Connection: close' -r 0-4194303 \
		-o /dev/null -w '%{size_download} %header{x-backend}\n' "http://$2/big?[1-4]"
}

# upload SOURCE HOST NAME: of $LAB/upload; what a backend has then is the same.
upload()
{
	local backend
	backend=$(on client curl -sSf --max-time 30 --interface "$1" -T "$LAB/upload" -o /dev/null \
		-w '%header{x-backend}' "http://$2/up/$3")
	cmp "$LAB/upload" "$LAB/$backend/nginx/www/up/$3"
}

each_pair() # COMMAND: with a client's address that no pair used before, a VIP, and a name
{
	local digit
	for digit in "${pools[@]}"; do
		echo "pool $digit"
		"$1" "$(client_v4 $(($2 + digit)))" "192.0.2.1$digit" "v4-$digit"
		"$1" "$(client_v6 $(($2 + digit)))" "[2001:db8::1$digit]" "v6-$digit"
	done
}

@test "ping: a VIP answers, small and large, IPv4 and IPv6" {
	run -0 on client ping -nq -c 3 -i 0.05 -W 10 192.0.2.10
	[[ $output == *" 3 received"* ]]
	run -0 on client ping -nq -c 3 -i 0.05 -W 10 -s 1452 2001:db8::10
	[[ $output == *" 3 received"* ]]
	run -0 on client ping -nq -c 3 -i 0.05 -W 10 -M "do" -s 1472 -p ff 192.0.2.13
	[[ $output == *" 3 received"* ]]
	expect "$(lbctl drops -o json | jq '[.drops[] | select(.verdict | startswith("drop_echo")) | .packets] | add')" = 0 drops
}

@test "ping: a VIP is silent while no backend of it can be used, and says why" {
	local before
	lbctl backend maint pool1/web1
	run -0 on client ping -nq -c 1 -W 10 192.0.2.11
	lbctl backend maint pool1/web2
	before=$(drop_count drop_echo)
	run on client ping -nq -c 2 -i 0.05 -W 1 192.0.2.11
	[[ $output == *" 0 received"* ]]
	run on client ping -nq -c 2 -i 0.05 -W 1 2001:db8::11
	[[ $output == *" 0 received"* ]]
	expect "$(drop_count drop_echo)" = $((before + 4)) "pings dropped"
	run -0 on client ping -nq -c 1 -W 10 192.0.2.10
	lbctl backend ready pool1/web2
	run -0 on client ping -nq -c 1 -W 10 2001:db8::11
	lbctl backend ready pool1/web1
	wait_until 30 backend_is pool1/web1 slots 126
}

@test "traceroute: by ICMP and by TCP it ends at the VIP" {
	run -0 on client traceroute -n -q 1 -w 5 -I 192.0.2.10
	echo "$output"
	expect "$(awk 'END { print $1, $2 }' <<<"$output")" = "2 192.0.2.10" "last hop"
	run -0 on client traceroute -n -q 1 -w 5 -I 2001:db8::12
	expect "$(awk 'END { print $1, $2 }' <<<"$output")" = "2 2001:db8::12" "last hop"
	# The balancer is a hop of its own for what goes through it, and speaks as the VIP.
	before=$(drop_count refused_ttl)
	run -0 on client traceroute -n -q 1 -N 1 -w 5 -m 6 -T -p 80 192.0.2.10
	echo "$output"
	[[ $output == *" 192.0.2.10 "* ]]
	expect "$(grep -c '\*' <<<"$output")" = 0 "silent hops"
	run -0 on client traceroute -n -q 1 -N 1 -w 5 -m 6 -T -p 80 2001:db8::12
	[[ $output == *" 2001:db8::12 "* ]]
	expect "$(drop_count refused_ttl)" -ge $((before + 2)) "TTLs that ran out"
}

@test "tracepath: it reaches the VIP, and tells the path's MTU" {
	balancer_mtu 1400
	run -0 on client tracepath -n -p 5300 192.0.2.10
	echo "$output"
	[[ $output == *"pmtu 1380"*reached*"Resume: pmtu 1380"* ]]
	run -0 on client tracepath -n -p 5300 2001:db8::13
	echo "$output"
	[[ $output == *"pmtu 1352"*reached*"Resume: pmtu 1352"* ]]
	balancer_mtu 1600
}

@test "path MTU: what backends send finds a narrow hop, through every tunnel" {
	download_told()
	{
		local backends
		backends=$(download "$1" "$2")
		echo "$backends"
		expect "$(grep -c '^4194304 web[12]$' <<<"$backends")" = 4 "whole downloads"
		# Each backend that served has learnt of it, by an ICMP error to the VIP.
		while read -r backend; do
			[[ $(on "$backend" ip route get "$1") == *"mtu 1300"* ]]
		done < <(cut -d' ' -f2 <<<"$backends" | sort -u)
	}
	on router ip link set clients mtu 1300
	each_pair download_told 1
	on router ip link set clients mtu 1500
}

@test "path MTU: what clients send finds a narrow tunnel, through every one" {
	local before
	upload_told()
	{
		before=$(drop_count refused_too_big)
		upload "$1" "$2" "$3"
		expect "$(drop_count refused_too_big)" -gt "$before" "packets refused"
	}
	balancer_mtu 1400
	each_pair upload_told 9
	expect "$(drop_count drop_too_big)" = 0 "packets that nobody was told of"
	balancer_mtu 1600
}

@test "GUE: 64 MB each way, each family pair" {
	local digit host
	head -c 64000000 /dev/urandom >"$LAB/upload"
	for digit in 2 3; do
		for host in "192.0.2.1$digit" "[2001:db8::1$digit]"; do
			run -0 on client curl -sSf --max-time 100 -o /dev/null -w '%{size_download}' "http://$host/big"
			expect "$output" = 67108864 bytes
			run -0 on client curl -sSf --max-time 100 -T "$LAB/upload" -o /dev/null \
				-w '%header{x-backend}' "http://$host/up/large"
			run -0 cmp "$LAB/upload" "$LAB/$output/nginx/www/up/large"
		done
	done
}
