#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `lbctl top` on a real terminal (tmux): what it shows is what `lbctl backend list` says, under
# traffic; keys, windows that change their size, an lbd that goes and comes, and an end that leaves
# the terminal as it was.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10 (pool web), 192.0.2.11 (pool more)
#                          '----- web1 .. web3

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

setup_file()
{
	local n
	lab_open
	network_add 4
	balancer_add balancer 1 one 192.0.2.10 192.0.2.11
	for n in 1 2 3; do
		backend_up web$n $n 192.0.2.10 192.0.2.11
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults: {table_size: 1009, check: {type: tcp, interval: 200ms, timeout: 150ms}}
		pools:
		- name: web
		  affinity: {key: source-ip}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2), weight: 40}
		  - {name: web3, address: $(backend_v4 3), admin: drain}
		- name: more
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
		- {name: other, listen: "tcp://192.0.2.11:80", pool: more}
	EOT
	lb_up
	spawn traffic client sh -c 'while :; do
		curl -s -o /dev/null --max-time 5 http://192.0.2.10/ || exit
		sleep 0.02
	done'
	# The one backend that this client is with.
	busy=$(lbctl flow lookup tcp "$(client_v4 1):4000" 192.0.2.10:80 -o json | jq -r .backend)
	export busy
}

teardown_file() { lab_close; }
teardown()
{
	for ((; session > 0; session--)); do
		terminal kill-server 2>/dev/null || true
	done
	lab_diagnostics
}

session=0
terminal() { env -u TMUX tmux -S "$LAB/tmux-$session" -f /dev/null "$@"; }
keys() { terminal send-keys "$@"; }
screen() { terminal capture-pane -p "$@"; }
shows() { screen | grep -qE -- "$1"; }
# A pattern that comes to be on the screen, or what is there instead.
wait_shown()
{
	wait_until 10 shows "$1" && return 0
	echo "not shown: $1; but:" >&2
	screen >&2
	return 1
}
row() { screen | awk -v n="$1" '$1 == n'; }
rows() { screen | awk '$1 ~ /^[a-z]+\/web/ { print $1 }' | paste -sd' '; }
first_is() { [[ $(rows) == "$1 "* ]]; }
last_is() { [[ $(rows) == *" $1" ]]; }
rows_are() { [[ $(rows) == "$1" ]]; }
wait_rows()
{
	wait_until 10 rows_are "$1" && return 0
	echo "the rows are: $(rows); not: $1" >&2
	return 1
}

# top_start [WIDTHxHEIGHT] [ENVIRONMENT]: and a shell that says how it ended.
top_start()
{
	local size=${1:-140x20}
	((++session))
	terminal new-session -d -x "${size%x*}" -y "${size#*x}" \
		"${2-} $BUILD/lbctl --socket $LAB/$INSTANCE/lbd.sock top --interval 500ms
		echo ended \$?; stty -a | tr ' ' '\n' | grep -xE -- '-?(icanon|echo);?'; sleep 1000"
	wait_shown '^BACKEND'
}

@test "the screen says what backend list says, with rates" {
	top_start
	wait_shown "^web/$busy +ready +up .* [1-9][0-9]* +[0-9.]+k? +[1-9]"
	screen | awk '$1 ~ /^[a-z]+\/web/ { print $1, $2, $3, $4, $5 }' >"$LAB/screen"
	lbctl backend list -o json | jq -r '.backends[] | "\(.pool)/\(.name) \(.admin) \(.health) \(
		if .weight == .effective_weight then .weight else "\(.effective_weight)/\(.weight)" end
		) \(.slots)/\(.fair_slots)"' | diff - "$LAB/screen"
	[[ $(row more/web1) =~ 1009/1009\ +0\ +0\ +0 ]]
	[[ $(row web/web3) == *"0 fl 0 cl 0 sl"* ]]
	wait_shown "packets/s: [1-9].*new flows/s: [1-9].*dropped/s: 0"
	wait_shown "backends up: 4 of 4"
	# Of a packet whose TTL ran out, of 10 in a second or two.
	on client python3 -c '
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
out.settimeout(2)
try:
    out.connect(("192.0.2.10", 80))
except OSError:
    pass' &
	wait_shown "dropped/s: [1-9].*\(refused_ttl [1-9]"
	wait
}

@test "rates are those of the counters" {
	lbctl backend list web -o json >"$LAB/before"
	lbctl top --interval 2s -o json >"$LAB/top"
	lbctl backend list web -o json >"$LAB/after"
	# In its own two seconds there was less than in the time around them, and not much less.
	jq -e --slurpfile before "$LAB/before" --slurpfile after "$LAB/after" --arg b "$busy" '
		def of($list): [$list[0].backends[] | select(.name == $b)][0];
		(of($after).packets - of($before).packets) as $around
		| (of($after).new_flows - of($before).new_flows) as $flows
		| ([.backends[] | select(.pool == "web" and .name == $b)][0]) as $row
		| .over_s as $s | $row.packets_per_s * $s | . > $around * 0.6 and . <= $around + 0.5
			and ($row.new_flows_per_s * $s) > $flows * 0.6
			and ($row.bits_per_s / $row.packets_per_s * (of($after).packets - of($before).packets)
				/ (of($after).bytes - of($before).bytes) | . > 7.5 and . < 8.5)' "$LAB/top"
	# The sum was asked for a moment before.
	jq -e '(.totals.packets_per_s / .services[0].packets_per_s) | . > 0.7 and . < 1.4' "$LAB/top"
	jq -e '[.pools[] | select(.name == "web") | .bits_per_s] == [.services[] |
		select(.name == "http") | .bits_per_s] and .schema == 1' "$LAB/top"
}

@test "keys: sort, the other way round, views, filter" {
	top_start
	wait_rows "more/web1 web/web1 web/web2 web/web3"
	keys P
	wait_shown 'PACKETS/Sv'
	wait_until 10 first_is "web/$busy"
	keys r
	wait_shown 'PACKETS/S\^'
	wait_until 10 last_is "web/$busy"
	keys W
	wait_rows "more/web1 web/web1 web/web2 web/web3"
	keys W
	wait_rows "web/web3 web/web2 more/web1 web/web1"
	keys N Right
	wait_shown 'ADMIN\^'
	wait_rows "web/web3 more/web1 web/web1 web/web2"
	keys Left
	wait_shown 'BACKEND\^'
	# A service's name finds its pool's backends, in any case of letters.
	keys / O T H E R
	wait_shown 'filter .*: OTHER_'
	wait_rows "more/web1"
	keys Enter
	wait_shown '^backends, those with OTHER'
	keys p
	wait_shown '^more +1/1 +normal'
	run ! shows '^web '
	keys Escape
	wait_shown '^web +3/3 +normal .*http'
	keys s
	wait_shown '^other +more +1/1 .*tcp://192.0.2.11:80'
	keys '?'
	wait_shown 'sort by the column before'
	keys x b
	wait_rows "more/web1 web/web1 web/web2 web/web3"
	keys +
	wait_shown 'every 0.25 s'
}

@test "the window changes its size: columns come and go, and rows that do not fit scroll" {
	top_start
	wait_shown 'REASON'
	terminal resize-window -x 58 -y 9
	wait_shown '^BACKEND.*PACKETS/S'
	expect "$(screen | wc -L)" -le 58
	run ! shows REASON
	# Whole columns, in the titles as below.
	[[ $(screen | awk '/^BACKEND/ { print $NF }') =~ ^(PACKETS/S|BIT/S|NEW/S|LEFT)$ ]]
	expect "$(row more/web1 | wc -w)" = "$(screen | awk '/^BACKEND/ { print NF }')" "cells of a row"
	# Three lines, a fourth, titles, the last one: three rows are left.
	wait_rows "more/web1 web/web1 web/web2"
	wait_shown '1 to 3 of 4'
	keys Down
	wait_rows "web/web1 web/web2 web/web3"
	terminal resize-window -x 160 -y 30
	wait_shown 'REASON'
	wait_rows "more/web1 web/web1 web/web2 web/web3"
	terminal resize-window -x 10 -y 3
	sleep 1
	terminal resize-window -x 140 -y 20
	wait_rows "more/web1 web/web1 web/web2 web/web3"
}

@test "lbd goes: that is said, with what was known; it comes back: rates go on" {
	top_start
	lbd_stop
	wait_shown '^lbd cannot be reached'
	wait_rows "more/web1 web/web1 web/web2 web/web3"
	lbd_start
	wait_shown "^web/$busy +ready +up .* [1-9][0-9]* +[0-9.]+k? +[1-9]"
	run ! shows 'cannot be reached'
	lbctl backend maint web/web2
	wait_shown '^web/web2 +maint .* 0/40 '
	lbctl backend ready web/web2
}

# As the shell behind it finds it.
terminal_is_sane()
{
	wait_shown '^icanon'
	wait_shown '^echo'
}

@test "it ends, and leaves the terminal as it was" {
	local signal
	top_start
	keys q
	wait_shown '^ended 0'
	terminal_is_sane
	run ! shows '^BACKEND'
	for signal in INT TERM; do
		top_start
		kill "-$signal" "$(pgrep -f "lbctl --socket $LAB/$INSTANCE/lbd.sock top" -n)"
		wait_shown "^ended $([[ $signal == INT ]] && echo 130 || echo 143)"
		terminal_is_sane
	done
}

@test "colours, and none with NO_COLOR" {
	top_start
	wait_shown '^web/web1 +ready +up'
	[[ $(screen -e) == *$'\e[32m'up* ]]
	top_start 140x20 NO_COLOR=1
	wait_shown '^web/web1 +ready +up'
	[[ ! $(screen -e) =~ $'\e['[0-9\;]*3[1-7]m ]]
}

@test "without a terminal: one plain screen; who may only read may look; what is wrong" {
	run -0 lbctl top
	[[ $output == "lbd "*"packets/s: "*"BACKEND"*"web/web1"* ]]
	[[ $output != *$'\e'* ]]
	run -0 lbctl top --once --view pools --sort unsettled
	[[ $output == *"POOL"*$'\n'"more"* && $output == *$'\n'"web"* ]]
	run -0 lbctl top --filter http
	[[ $output != *more/web1* && $output == *web/web1* ]]
	chmod 755 "$LAB" "$LAB/$INSTANCE"
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" top --once
	run -2 lbctl top --view clients
	run -2 lbctl top --sort colour
	run -2 lbctl top --interval 1ms
	[[ $output == *'--interval "1ms": not a time from 100ms to 1h'* ]]
	run -3 "$BUILD/lbctl" --socket "$LAB/none.sock" top
	((++session))
	terminal new-session -d -x 80 -y 20 \
		"TERM=none $BUILD/lbctl --socket $LAB/$INSTANCE/lbd.sock top; echo ended \$?; sleep 1000"
	wait_shown 'this terminal \(TERM=none\) is not known'
	wait_shown '^ended 2'
}
