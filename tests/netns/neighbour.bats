#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Next hops on the kernel's own tables (user/neighbour.h), told by tests/netns/neighbour_watch.c:
#
#   self eth1 ---+--- eth0 a    10.0.0.11, fd00::11, MAC 02:00:00:00:00:0a
#   10.0.0.1     |
#   fd00::1    switch
#                '--- eth0 b    10.0.0.12, fd00::12, MAC 02:00:00:00:00:0b

bats_require_minimum_version 1.5.0
load lib.bash

setup_file()
{
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" "$BUILD/tests/neighbour_watch"
}

setup()
{
	local host

	lab_open
	for host in switch self a b; do
		host_add $host
	done
	on switch ip link add bridge0 up type bridge mcast_snooping 0
	host_link self eth1 switch port-self 1500
	host_link a eth0 switch port-a 1500
	host_link b eth0 switch port-b 1500
	for host in self a b; do
		on switch ip link set port-$host master bridge0
	done
	mac self eth1 02:00:00:00:00:01
	mac a eth0 02:00:00:00:00:0a
	mac b eth0 02:00:00:00:00:0b
	address self eth1 10.0.0.1/24 fd00::1/64
	address a eth0 10.0.0.11/24 fd00::11/64
	address b eth0 10.0.0.12/24 fd00::12/64
}

teardown()
{
	local status=0

	running watch || status=1
	grep -E 'runtime error|Sanitizer' "$LAB/log/watch" && status=1
	sed 's/^/told: /' "$LAB/log/watch"
	lab_close
	return "$status"
}

# mac HOST INTERFACE ADDRESS: Linux announces a change of it to nobody.
mac()
{
	on "$1" ip link set "$2" address "$3"
}

watch()
{
	spawn watch self "$BUILD/tests/neighbour_watch" "$@"
}

# The last thing told of this address begins with these words.
says()
{
	local last
	last=$(grep "^$1 " "$LAB/log/watch" | tail -n 1)
	[[ $last == "$1 $2"* ]]
}

becomes()
{
	wait_until 60 says "$1" "$2" && return 0
	echo "$1 does not become: $2"
	return 1
}

# How often this address was told of.
changes()
{
	expect "$(grep -c "^$1 " "$LAB/log/watch")" -eq "$2" "changes of $1"
}

@test "on the link: MACs, interface, source, MTU" {
	watch 10.0.0.11 fd00::12
	becomes 10.0.0.11 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:01 src 10.0.0.1 mtu 1500"
	becomes fd00::12 "to 02:00:00:00:00:0b dev eth1 from 02:00:00:00:00:01 src fd00::1 mtu 1500"
}

@test "a peer's MAC that changes unannounced is found, without a gap" {
	watch 10.0.0.11 fd00::11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	becomes fd00::11 "to 02:00:00:00:00:0a"
	mac a eth0 02:00:00:00:00:aa
	becomes 10.0.0.11 "to 02:00:00:00:00:aa"
	becomes fd00::11 "to 02:00:00:00:00:aa"
	changes 10.0.0.11 2
	changes fd00::11 2
}

@test "an address that moves to another host is found" {
	watch 10.0.0.20
	address a eth0 10.0.0.20/24
	becomes 10.0.0.20 "to 02:00:00:00:00:0a"
	on a ip address del 10.0.0.20/24 dev eth0
	address b eth0 10.0.0.20/24
	becomes 10.0.0.20 "to 02:00:00:00:00:0b"
}

@test "our own MAC and MTU change" {
	watch 10.0.0.11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:01 src 10.0.0.1 mtu 1500"
	mac self eth1 02:00:00:00:00:99
	becomes 10.0.0.11 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:99 src 10.0.0.1 mtu 1500"
	on self ip link set eth1 mtu 1400
	becomes 10.0.0.11 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:99 src 10.0.0.1 mtu 1400"
}

@test "a route moves from one gateway to the other, without a gap" {
	on self ip route add 10.9.0.0/16 via 10.0.0.11
	on self ip route add fd09::/64 via fd00::11
	watch 10.9.1.1 fd09::1
	becomes 10.9.1.1 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:01 src 10.0.0.1 mtu 1500"
	becomes fd09::1 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:01 src fd00::1 mtu 1500"
	on self ip route replace 10.9.0.0/16 via 10.0.0.12
	on self ip route replace fd09::/64 via fd00::12
	becomes 10.9.1.1 "to 02:00:00:00:00:0b"
	becomes fd09::1 "to 02:00:00:00:00:0b"
	changes 10.9.1.1 2
	changes fd09::1 2
}

@test "a narrower route, its MTU and its source win while they last" {
	address self eth1 10.0.0.2/24
	on self ip route add default via 10.0.0.11
	watch 10.9.1.1
	becomes 10.9.1.1 "to 02:00:00:00:00:0a"
	on self ip route add 10.9.1.0/24 via 10.0.0.12 mtu 1320 src 10.0.0.2
	becomes 10.9.1.1 "to 02:00:00:00:00:0b dev eth1 from 02:00:00:00:00:01 src 10.0.0.2 mtu 1320"
	on self ip route del 10.9.1.0/24
	becomes 10.9.1.1 "to 02:00:00:00:00:0a dev eth1 from 02:00:00:00:00:01 src 10.0.0.1 mtu 1500"
	on self ip route del default
	becomes 10.9.1.1 "unresolved: no route to host"
}

@test "routing rules and next-hop groups count" {
	on self ip route add 10.9.0.0/16 via 10.0.0.11
	watch 10.9.1.1
	becomes 10.9.1.1 "to 02:00:00:00:00:0a"
	on self ip route add 10.9.0.0/16 via 10.0.0.12 table 100
	on self ip rule add to 10.9.0.0/16 lookup 100
	becomes 10.9.1.1 "to 02:00:00:00:00:0b"
	on self ip rule del to 10.9.0.0/16 lookup 100
	becomes 10.9.1.1 "to 02:00:00:00:00:0a"
	# Else the kernel repeats a group's change for each of its routes.
	on self sysctl -qw net.ipv4.nexthop_compat_mode=0
	on self ip nexthop add id 1 via 10.0.0.11 dev eth1
	on self ip route replace 10.9.0.0/16 nhid 1
	on self ip nexthop replace id 1 via 10.0.0.12 dev eth1
	becomes 10.9.1.1 "to 02:00:00:00:00:0b"
}

@test "IPv4 through an IPv6 gateway" {
	on self ip route add 10.9.0.0/16 via inet6 fd00::12 dev eth1
	watch 10.9.1.1
	becomes 10.9.1.1 "to 02:00:00:00:00:0b dev eth1 from 02:00:00:00:00:01 src 10.0.0.1 mtu 1500"
	mac b eth0 02:00:00:00:00:bb
	becomes 10.9.1.1 "to 02:00:00:00:00:bb"
}

@test "who does not answer is named, and found when it appears" {
	on self ip route add 10.9.0.0/16 via 10.0.0.20
	watch 10.0.0.20 fd00::20 10.9.1.1
	becomes 10.0.0.20 "unresolved: 10.0.0.20: no answer to ARP on eth1"
	becomes fd00::20 "unresolved: fd00::20: no answer to NDP on eth1"
	becomes 10.9.1.1 "unresolved: gateway 10.0.0.20: no answer to ARP on eth1"
	address a eth0 10.0.0.20/24 fd00::20/64
	becomes 10.0.0.20 "to 02:00:00:00:00:0a"
	becomes fd00::20 "to 02:00:00:00:00:0a"
	becomes 10.9.1.1 "to 02:00:00:00:00:0a"
	on a ip link set eth0 down
	becomes 10.0.0.20 "unresolved: 10.0.0.20: no answer to ARP on eth1"
	becomes fd00::20 "unresolved: fd00::20: no answer to NDP on eth1"
	becomes 10.9.1.1 "unresolved: gateway 10.0.0.20: no answer to ARP on eth1"
}

# Has the peer lose two requests of three, for ARP and neighbour discovery alike: a probe, and the first
# question to all.
lose_two_of_three()
{
	on "$1" nft -f - <<-EOT
		table arp loss {
			chain in {
				type filter hook input priority 0
				arp operation request numgen inc mod 3 < 2 counter drop
			}
		}
		table ip6 loss {
			chain in {
				type filter hook input priority 0
				icmpv6 type nd-neighbor-solicit numgen inc mod 3 < 2 counter drop
			}
		}
	EOT
}

# lost_at_least HOST FAMILY COUNT
lost_at_least()
{
	local count
	count=$(on "$1" nft list table "$2" loss | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')
	((count >= $3))
}

@test "a few lost probes are no news" {
	watch 10.0.0.11 fd00::11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	becomes fd00::11 "to 02:00:00:00:00:0a"
	lose_two_of_three a
	wait_until 60 lost_at_least a arp 6
	wait_until 60 lost_at_least a ip6 6
	changes 10.0.0.11 1
	changes fd00::11 1
}

@test "the interface goes down and comes back" {
	watch 10.0.0.11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	on self ip link set eth1 down
	becomes 10.0.0.11 "unresolved: interface eth1 is down"
	on self ip link set eth1 up
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	on switch ip link set port-self down
	becomes 10.0.0.11 "unresolved: interface eth1 has no carrier"
	on switch ip link set port-self up
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	on self ip link del eth1
	becomes 10.0.0.11 "unresolved: interface eth1 is gone"
}

@test "a second way is taken when the first interface goes down" {
	host_link self eth2 b eth2 1500
	mac b eth2 02:00:00:00:00:b2
	address self eth2 10.2.0.1/24
	address b eth2 10.2.0.12/24
	on self ip route add 10.9.0.0/16 via 10.0.0.11 metric 1
	on self ip route add 10.9.0.0/16 via 10.2.0.12 metric 2
	watch 10.9.1.1
	becomes 10.9.1.1 "to 02:00:00:00:00:0a dev eth1"
	on self ip link set eth1 down
	becomes 10.9.1.1 "to 02:00:00:00:00:b2 dev eth2"
	changes 10.9.1.1 2
}

@test "addresses that cannot be backends say why" {
	on self ip route add unreachable 10.9.1.0/24
	on self ip route add prohibit 10.9.2.0/24
	on self ip route add blackhole 10.9.3.0/24
	on self ip route add unreachable fd09:1::/64
	on self ip route add prohibit fd09:2::/64
	on self ip route add blackhole fd09:3::/64
	on self ip tuntap add tun0 mode tun
	on self ip link set tun0 up
	on self ip route add 10.9.4.0/24 dev lo
	host_link self eth2 b eth2 1500
	on self ip link set eth2 arp off
	address self eth2 10.2.0.1/24

	local cases=(
		"10.0.0.1|10.0.0.1 is this host itself"
		"127.0.0.1|127.0.0.1 is this host itself"
		"fd00::1|fd00::1 is this host itself"
		"::1|::1 is this host itself"
		"10.8.0.1|no route to host"
		"fd08::1|no route to host"
		"10.9.1.1|its route says unreachable"
		"10.9.2.1|its route says prohibit"
		"10.9.3.1|its route says blackhole"
		"fd09:1::1|its route says unreachable"
		"fd09:2::1|its route says prohibit"
		"fd09:3::1|its route says blackhole"
		"10.9.4.1|interface lo has no MAC address: not an Ethernet"
		"10.2.0.12|interface eth2: ARP is off"
		"10.0.0.255|10.0.0.255 is not the address of one host"
	)
	watch "${cases[@]%%|*}"
	local each
	for each in "${cases[@]}"; do
		becomes "${each%%|*}" "unresolved: ${each#*|}"
	done
}

entry_of()
{
	on self ip neighbour show "$1" nud all
}

# entry_is ADDRESS TEXT, for wait_until.
entry_is() { [[ $(entry_of "$1") == *"$2"* ]]; }

@test "the operator's own entries are used, and not touched" {
	on self ip neighbour add 10.0.0.30 lladdr 02:00:00:00:00:30 dev eth1 nud permanent
	on self ip neighbour add 10.0.0.31 lladdr 02:00:00:00:00:31 dev eth1 nud noarp
	on self ip neighbour add 10.0.0.32 lladdr 02:00:00:00:00:32 dev eth1 extern_learn
	watch 10.0.0.30 10.0.0.31 10.0.0.32 10.0.0.33
	becomes 10.0.0.30 "to 02:00:00:00:00:30"
	becomes 10.0.0.31 "to 02:00:00:00:00:31"
	becomes 10.0.0.32 "to 02:00:00:00:00:32"
	# A whole round of checks has passed when this one is known to be silent.
	becomes 10.0.0.33 "unresolved: 10.0.0.33: no answer to ARP on eth1"
	[[ $(entry_of 10.0.0.30) == *PERMANENT* ]]
	[[ $(entry_of 10.0.0.31) == *NOARP* ]]
	[[ $(entry_of 10.0.0.32) == *extern_learn* ]]
	on self ip neighbour replace 10.0.0.30 lladdr 02:00:00:00:00:3f dev eth1 nud permanent
	becomes 10.0.0.30 "to 02:00:00:00:00:3f"
	on self ip neighbour del 10.0.0.30 dev eth1
	becomes 10.0.0.30 "unresolved: 10.0.0.30: no answer to ARP on eth1"
}

@test "an entry that the kernel manages for somebody stays managed" {
	on self ip neighbour add 10.0.0.11 dev eth1 managed
	watch 10.0.0.11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	mac a eth0 02:00:00:00:00:aa
	becomes 10.0.0.11 "to 02:00:00:00:00:aa"
	[[ $(entry_of 10.0.0.11) == *managed* ]]
}

@test "a flushed table is filled again, without a gap" {
	watch 10.0.0.11
	becomes 10.0.0.11 "to 02:00:00:00:00:0a"
	on self ip neighbour flush dev eth1
	wait_until 60 entry_is 10.0.0.11 REACHABLE
	changes 10.0.0.11 1
}

@test "hundreds of next hops, and all of them change" {
	local n addresses=()

	for n in {0..249}; do
		addresses+=("10.1.0.$n")
	done
	address self eth1 10.1.255.1/16
	address a eth0 "${addresses[@]/%//16}"
	watch "${addresses[@]}"
	wait_until 60 all_say "to 02:00:00:00:00:0a"
	mac a eth0 02:00:00:00:00:aa
	wait_until 60 all_say "to 02:00:00:00:00:aa"
	run ! grep unresolved "$LAB/log/watch"
}

# Of all 250 addresses.
all_say()
{
	expect "$(grep -c " $1 " "$LAB/log/watch")" -eq 250
}

@test "what was missed while notifications overflowed is made good" {
	local n

	on self ip route add 10.9.0.0/16 via 10.0.0.11
	watch 10.9.1.1 10.0.0.12
	becomes 10.9.1.1 "to 02:00:00:00:00:0a"
	becomes 10.0.0.12 "to 02:00:00:00:00:0b"
	kill -STOP "$(<"$LAB/pid/watch")"
	for n in {1..8000}; do
		echo "route add 10.100.$((n / 250)).$((n % 250)) dev eth1"
	done | on self ip -batch -
	on self ip route replace 10.9.0.0/16 via 10.0.0.12
	on self ip neighbour replace 10.0.0.12 lladdr 02:00:00:00:00:77 dev eth1 nud permanent
	kill -CONT "$(<"$LAB/pid/watch")"
	becomes 10.9.1.1 "to 02:00:00:00:00:77"
	becomes 10.0.0.12 "to 02:00:00:00:00:77"
	# Known to be fixed before it was time to check it.
	[[ $(entry_of 10.0.0.12) == *PERMANENT* ]]
	grep -q "reading routes and neighbours afresh" "$LAB/log/watch"
}
