#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# $TRANSFER_MB megabytes over one TCP connection in each mode and each pair of families (`make transfers`
# says 1000): all arrives as it was sent, through the balancer, and that drops nothing. The network is
# drawn in topology.bash:
#
#   client -- router -- "one" (eth0)                 every mode but plain NAT: VIPs .10 to .16
#               |  '--- "two" (eth0 in, eth1 out)    NAT that keeps the client's address: .22 and .23
#             bridge -- web                          VIPs on lo, lbdecap
#                  '--- untouched                    default gateway: "two"
#
# The last digit of a VIP is the pool's.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

megabytes=${TRANSFER_MB:-8}

pool() # LAST-DIGITS-OF-VIP FORWARD ADDRESS
{
	pools+="- {name: pool$1, forward: $2, table_size: 251, backends: [{name: server, address: '$3'}]}"$'\n'
	services+="- {name: bulk$1, pool: pool$1,"
	services+=" listen: ['tcp://192.0.2.$1:9000', 'tcp://[2001:db8::$1]:9000']}"$'\n'
	vips+=("192.0.2.$1" "2001:db8::$1")
}

# instance_up NAME NUMBER one|two INTERFACE...: with the pools named so far.
instance_up()
{
	local INSTANCE=$1
	balancer_add "$1" "$2" "$3" "${vips[@]}"
	printf '%s\n' "version: 1" "global: {limits: {flows: 10000, clients: 10000, nat_flows: 10000}}" \
		"pools:" "$pools" "services:" "$services" | config
	lb_up "${@:4}"
}

setup_file()
{
	local host pools="" services="" vips=()
	lab_open
	network_add 1
	pool 10 ipip "$(backend_v4 1)"
	pool 11 ipip "$(backend_v6 1)"
	pool 12 gue "$(backend_v4 1)"
	pool 13 gue "$(backend_v6 1)"
	pool 14 l2 "$(backend_v4 1)"
	pool 15 "nat, snat: true" "$(backend_v4 1)"
	pool 16 "nat, snat: true" "$(backend_v6 1)"
	backend_add web 1 "${vips[@]}"
	backend_decap web
	backend_add untouched 2
	on untouched ip route replace default via 10.0.0.3
	on untouched ip route replace default via 2001:db8:b::3
	for host in web untouched; do
		spawn bulk4-$host $host python3 "$TOPOLOGY_DIR/bulk.py" serve 0.0.0.0 9000
		spawn bulk6-$host $host python3 "$TOPOLOGY_DIR/bulk.py" serve :: 9000
		wait_until 30 grep -q ready "$LAB/log/bulk4-$host"
		wait_until 30 grep -q ready "$LAB/log/bulk6-$host"
	done
	instance_up one 1 one eth0

	pools="" services="" vips=()
	pool 22 nat "$(backend_v4 2)"
	pool 23 nat "$(backend_v6 2)"
	# Without `snat`, the families of clients and backends are the same.
	services="- {name: bulk22, pool: pool22, listen: 'tcp://192.0.2.22:9000'}
- {name: bulk23, pool: pool23, listen: 'tcp://[2001:db8::23]:9000'}"
	vips=(192.0.2.22 2001:db8::23)
	instance_up two 2 two eth0 eth1
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

packets() { lbctl backend list "$1" -o json | jq '[.backends[].packets] | add'; } # POOL

nothing_dropped()
{
	run -0 lbctl drops -o json
	expect "$(jq -c '[.drops[] | select(.packets > 0) | {verdict, packets}]' <<<"$output")" = "[]" \
		"packets dropped or refused"
}

# transfer VIP WHAT: the data passes $INSTANCE once, in packets of at most 1,460 bytes of it.
transfer()
{
	local pool=pool${1##*[.:]} before started
	before=$(packets "$pool") started=$EPOCHREALTIME
	run -0 on client python3 "$TOPOLOGY_DIR/bulk.py" send "$1" 9000 "$megabytes"
	echo "$output"
	expect $(($(packets "$pool") - before)) -ge $((megabytes * 1048576 / 1460)) "packets through the balancer"
	awk -v from="$started" -v to="$EPOCHREALTIME" -v size="$megabytes" -v what="$2" \
		'BEGIN { printf "# %5.1f s: %d MB, %s\n", to - from, size, what }' >&3
}

@test "ipip: IPv4 and IPv6 in IPv4 and in IPv6" {
	INSTANCE=one
	transfer 192.0.2.10 "ipip, IPv4 in IPv4"
	transfer 192.0.2.11 "ipip, IPv4 in IPv6"
	transfer 2001:db8::10 "ipip, IPv6 in IPv4"
	transfer 2001:db8::11 "ipip, IPv6 in IPv6"
	nothing_dropped
}

@test "gue: IPv4 and IPv6 in IPv4 and in IPv6" {
	INSTANCE=one
	transfer 192.0.2.12 "gue, IPv4 in IPv4"
	transfer 192.0.2.13 "gue, IPv4 in IPv6"
	transfer 2001:db8::12 "gue, IPv6 in IPv4"
	transfer 2001:db8::13 "gue, IPv6 in IPv6"
	nothing_dropped
}

@test "l2: IPv4 and IPv6" {
	INSTANCE=one
	transfer 192.0.2.14 "l2, IPv4"
	transfer 2001:db8::14 "l2, IPv6"
	nothing_dropped
}

@test "nat: IPv4 and IPv6" {
	INSTANCE=two
	transfer 192.0.2.22 "nat, IPv4"
	transfer 2001:db8::23 "nat, IPv6"
	nothing_dropped
}

@test "nat with snat: each pair of families" {
	INSTANCE=one
	transfer 192.0.2.15 "snat, IPv4 to IPv4"
	transfer 192.0.2.16 "snat, IPv4 to IPv6"
	transfer 2001:db8::15 "snat, IPv6 to IPv4"
	transfer 2001:db8::16 "snat, IPv6 to IPv6"
	nothing_dropped
}
