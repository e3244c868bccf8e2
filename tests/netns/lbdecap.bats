#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lbdecap: tunnel packets of every kind, good and bad, on their way to a real socket; the command's
# own good and bad ways. Cases are data: see tunnel.py.
#
#   sender eth0 10.1.0.1 ------- eth0 10.1.0.2 backend      lo: 192.0.2.10, 2001:db8::10
#          2001:db8:1::1         2001:db8:1::2              listens on port 9999

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/lib.bash
source "$BATS_TEST_DIRNAME/lib.bash"

setup_file()
{
	lab_open
	host_add sender
	host_add backend
	host_link sender eth0 backend eth0 1600
	address sender eth0 10.1.0.1/24 2001:db8:1::1/64
	address backend eth0 10.1.0.2/24 2001:db8:1::2/64
	address backend lo 192.0.2.10/32 2001:db8::10/128
	on backend ip route add default via 10.1.0.1
	on backend ip route add default via 2001:db8:1::1
	spawn listener backend python3 "$BATS_TEST_DIRNAME/tunnel.py" listen
	wait_until 30 grep -q ready "$LAB/log/listener"
	MAC=$(on backend ip -j link show eth0 | jq -r ".[0].address")
	export MAC
}

teardown_file() { lab_close; }

setup() { :>"$LAB/log/listener"; }
teardown() { lbdecap detach eth0 >/dev/null 2>&1 || true; }

lbdecap() { on backend "$BUILD/lbdecap" "$@"; }
tunnel() { on sender python3 "$BATS_TEST_DIRNAME/tunnel.py" "$@"; }
heard() { grep -q "^$1	" "$LAB/log/listener"; }

# Frames that are no tunnel packets come at any time (ARP, neighbour discovery) and count as "other".
counters() { lbdecap status eth0 -o json | jq -r '.counters[] | select(.name != "other") | "\(.name) \(.packets)"'; }
counters_are() { [[ $(counters) == "$1" ]]; }
count() { lbdecap status eth0 -o json | jq ".counters[] | select(.name == \"$1\").packets"; }
counted_beyond() { (($(count "$1") > $2)); }

says()
{
	local word
	for word; do
		[[ $output == *"$word"* ]] || {
			echo "'$word' is not in: $output" >&2
			return 1
		}
	done
}

# case_counted NAME COUNTER: sends one, which goes up by one, and no other counter.
case_counted()
{
	local expected other

	other=$(count other)
	expected=$(counters | awk -v name="$2" '{ print $1, $2 + ($1 == name) }')
	tunnel send eth0 "$MAC" "$1"
	if ! wait_until 30 counters_are "$expected" ||
		{ [[ $2 == other ]] && ! wait_until 30 counted_beyond other "$other"; }; then
		echo "$1: not counted as $2:" >&2
		diff <(echo "$expected") <(counters) >&2
		return 1
	fi
}

# All of them in one go; only if the sums are wrong each alone, to name those that are.
cases_all()
{
	local names expected name counter rest bad=0

	mapfile -t names < <(tunnel cases | cut -f1)
	expected=$(tunnel cases | cut -f2 | cat - <(counters | cut -d' ' -f1) | sort | uniq -c |
		awk '$2 != "other" { print $2, $1 - 1 }')
	tunnel send eth0 "$MAC" "${names[@]}"
	wait_until 30 heard end
	diff <(tunnel cases | awk -F'\t' '$3 != "-" { print $1 "\t" $3 }') \
		<(grep -v ready "$LAB/log/listener") || bad=1
	diff <(echo "$expected") <(counters | sort) && return "$bad"
	while IFS=$'\t' read -r name counter rest; do
		case_counted "$name" "$counter" || true
	done < <(tunnel cases)
	return 1
}

# ---- packets ----

@test "native: each case is counted as what it is, and delivered or not, with its mark" {
	lbdecap attach eth0
	cases_all
}

@test "generic: the same" {
	lbdecap attach eth0 --mode generic
	run -0 on backend ip link show eth0
	says xdpgeneric
	cases_all
}

@test "VLAN tags stay on" {
	lbdecap attach eth0
	spawn watcher backend python3 "$BATS_TEST_DIRNAME/tunnel.py" watch eth0
	wait_until 30 grep -q ready "$LAB/log/watcher"
	tunnel send eth0 "$MAC" "one tag" "two tags"
	wait_until 30 grep -q "7 8" "$LAB/log/watcher"
	stop watcher
	# The inner packets: headers of 28 and 48 bytes, and the names.
	expect "$(grep -v ready "$LAB/log/watcher" | paste -sd,)" = "7 86dd 55,7 8 0800 36"
}

@test "a TCP handshake through the tunnel is answered" {
	lbdecap attach eth0
	for name in 4in4 6in4 4in6 6in6 "gue1 4 over 4" "gue1 6 over 6"; do
		run -0 tunnel syn eth0 "$MAC" "$name"
		expect "$output" = answered "$name"
	done
}

@test "--local: tunnel packets to other addresses are left alone" {
	lbdecap attach eth0 --local 10.1.0.2 --local 2001:db8:1::2
	for name in 4in4 "gue1 4 over 4" 6in6; do
		case_counted "$name" "$(tunnel cases | awk -F'\t' -v n="$name" '$1 == n { print $2 }')"
	done
	case_counted "other address" not_local
	lbdecap detach eth0
	lbdecap attach eth0 --local 10.1.0.99
	case_counted "other address" ipv4_in_ipv4
	case_counted 4in4 not_local
	case_counted "gue1 4 over 6" not_local
}

@test "--port: GUE on another port" {
	lbdecap attach eth0 --port 6081
	case_counted "gue elsewhere" ipv4_in_gue
	case_counted "gue1 4 over 4" other
}

@test "detached, nothing is decapsulated any more" {
	lbdecap attach eth0
	tunnel send eth0 "$MAC" 4in4
	wait_until 30 heard 4in4
	lbdecap detach eth0
	tunnel send eth0 "$MAC" 6in4 "not a tunnel"
	wait_until 30 heard "not a tunnel"
	run ! heard 6in4
}

# ---- the command ----

@test "status: a table, and JSON" {
	lbdecap attach eth0
	run -0 --separate-stderr lbdecap status eth0
	says "eth0: attached in native mode" ipv6_in_gue
	[[ $output != *drop_ecn* ]]
	run -0 --separate-stderr lbdecap status eth0 -o wide
	says drop_ecn "RFC 6040"
	run -0 --separate-stderr lbdecap status eth0 -o json
	expect "$(jq -r '[.schema, .interface, .mode] | join(" ")' <<<"$output")" = "1 eth0 native"
}

@test "attaching says when rp_filter would drop what comes" {
	run -0 lbdecap attach eth0
	[[ $output != *rp_filter* ]]
	lbdecap detach eth0
	on backend sysctl -q net.ipv4.conf.all.rp_filter=1
	run -0 lbdecap attach eth0
	says "rp_filter is 1"
	lbdecap detach eth0
	on backend sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=2
	run -0 lbdecap attach eth0 -o json
	says "rp_filter is 2"
	on backend sysctl -q net.ipv4.conf.eth0.rp_filter=0
}

@test "attached twice, by somebody else, not at all" {
	run -4 lbdecap detach eth0
	says eth0 "not attached"
	run -4 lbdecap status eth0
	lbdecap attach eth0
	run -5 lbdecap attach eth0
	says eth0 already "lbdecap detach eth0"
	run -5 lbdecap attach eth0 --mode generic
	lbdecap detach eth0
	on backend ip link set dev eth0 xdpdrv obj "$BUILD/tests/pass.bpf.o" sec xdp
	run -5 lbdecap attach eth0
	says eth0 busy pass
	run -4 lbdecap status eth0
	says pass
	run -4 lbdecap detach eth0
	run -0 on backend ip link show eth0
	says xdp
	on backend ip link set dev eth0 xdpdrv off
}

@test "no interface, no driver, no privilege, no sense" {
	run -4 lbdecap attach eth9
	says eth9
	run -4 lbdecap status eth9
	run -1 lbdecap attach lo
	says lo native "--mode generic"
	run -6 on backend setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-all \
		"$BUILD/lbdecap" attach eth0
	says CAP_BPF
	run -2 lbdecap attach
	run -2 lbdecap attach eth0 eth1
	run -2 lbdecap attach eth0 --local 10.1.0
	says 10.1.0
	run -2 lbdecap attach eth0 --port 65536
	says 65536
	run -2 lbdecap attach eth0 --config x
	says config
	run -2 lbdecap attach eth0 --loca ::1 --pot 3
	says pot port
	run -4 lbdecap -o json attach eth9
	expect "$(jq -r .error.code <<<"$output")" = not_found
	run -0 on backend ip link show eth0
	[[ $output != *xdp* ]]
}
