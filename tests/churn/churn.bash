# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# churn: what the scenarios here have in common: the network of tests/netns/topology.bash with
# thousands of client addresses and a server of its own on each backend, clients that are told what to
# do, and a record of what was done to backends. Each scenario is a scenario_*.bash with one
# function; `run` calls them; judge.py makes rows of the results.
#
# A scenario leaves in $RUN:
#   client.json     what became of the flows (see client_record.c)
#   events.jsonl    what was done to backends, and when
#   samples.jsonl   what lbd said of its tables, and entries.jsonl what was in them
#   facts.jsonl     what a scenario found out by itself, by phase
#   meta.json       what judge.py has to know of the configuration

CHURN_DIR=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/netns/topology.bash
source "$CHURN_DIR/../netns/topology.bash"

vip4=192.0.2.10 vip6=2001:db8::10 port=7000 check_port=7001
# Client addresses: nobody configures them, the client's host takes the whole prefixes for its own.
clients_v4=198.18.0.0/15 clients_v6=2001:db8:8000::/33
flood_prefix=100.64.0.0/10

# by_size FULL SHORT
by_size()
{
	if [[ $SIZE == full ]]; then
		echo "$1"
	else
		echo "$2"
	fi
}

# Milliseconds since the machine started, as in all logs here.
now_ms()
{
	local uptime
	read -r uptime _ </proc/uptime
	echo "$((10#${uptime/./}))0"
}

# ---- the laboratory ----

# churn_open NAME BALANCERS BACKENDS
churn_open()
{
	local n
	lab_open
	RUN=$LAB/$1
	mkdir -p "$RUN"
	: >"$RUN/events.jsonl"
	network_add 2
	client_addresses
	balancer_add balancer 1 one $vip4 $vip6
	for ((n = 2; n <= $2; n++)); do
		balancer_add "balancer$n" "$n" one
	done
	for ((n = 1; n <= $3; n++)); do
		backend_add "web$n" "$n" $vip4 $vip6
		backend_decap "web$n"
		server_start "web$n"
	done
}

client_addresses()
{
	on client ip route add local $clients_v4 dev lo
	on client ip route add local $clients_v6 dev lo
	on client sh -c 'echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
		echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range'
	on router ip route add $clients_v4 via "$(client_v4 1)"
	on router ip route add $clients_v6 via "$(client_v6 1)"
	# Answers to a flood's addresses end here.
	on router ip route add blackhole $flood_prefix
}

# Keeps what a scenario left, and takes its laboratory down. $KEPT is where.
churn_close()
{
	[[ -n ${LAB-} && -d $LAB ]] || return 0
	if [[ -n ${RUN-} && -d $RUN ]]; then
		cp "$LAB"/log/lbd-* "$LAB"/log/client* "$RUN/" 2>/dev/null || true
		rm -rf "${KEPT:?}/${RUN##*/}"
		mkdir -p "$KEPT"
		cp -r "$RUN" "$KEPT/"
	fi
	lab_close
}

server_start()
{
	spawn "server-$1" "$1" "$BUILD/tests/churn_server" "$1" $port $check_port $vip4 $vip6
	wait_until 10 grep -q ready "$LAB/log/server-$1"
}

# server_kill NAME: as the kernel does it to a process that asked for too much memory.
server_kill()
{
	stop "server-$1" KILL
	rm -f "$LAB/log/server-$1"
}

check_fails() { kill -USR1 "$(<"$LAB/pid/server-$1")"; }
check_works() { kill -USR2 "$(<"$LAB/pid/server-$1")"; }

# meta JSON: what judge.py has to know.
meta() { jq -c . <<<"$1" >"$RUN/meta.json"; }

# ---- clients ----

# client_start GROUP...
client_start()
{
	rm -f "$RUN/client.sock"
	spawn client client "$BUILD/tests/churn_client" run "$RUN/client.sock" "$RUN/client.json" "$@"
	wait_until 10 test -S "$RUN/client.sock"
}

# tell COMMAND...: see client_control.c.
tell() { "$BUILD/tests/churn_client" ask "$RUN/client.sock" "$@"; }

# Each flow is asked and answers, or breaks.
round() { tell round >/dev/null; }

client_stop()
{
	tell mark end >/dev/null
	tell quit >/dev/null
	wait_until 20 not running client
	rm -f "$LAB/pid/client"
	[[ -s $RUN/client.json ]]
}

sample_start()
{
	spawn "sample-$INSTANCE" client python3 "$CHURN_DIR/sample.py" \
		"$LAB/$INSTANCE/lbd.sock" "$1" "$RUN/samples.jsonl"
	spawn "entries-$INSTANCE" "$INSTANCE" "$BUILD/tests/churn_entries" \
		"$LAB/bpf/$INSTANCE" "$RUN/entries.jsonl"
}

# ---- what happens ----

# event WHAT BACKEND [WEIGHT [SINCE]]: add, del, weight; drain, retire (drained of newcomers only),
# ready; down (it is killed, or fails its checks) and up. What takes something from a backend is
# written before it happens, what gives it something after it was seen. SINCE: when it was ordered.
event()
{
	printf '{"t": %s, "what": "%s", "backend": "%s"%s%s}\n' "$(now_ms)" "$1" "$2" \
		"${3:+, \"weight\": $3}" "${4:+, \"since\": $4}" >>"$RUN/events.jsonl"
}

# fact PHASE JSON: goes into that phase's row. `fact_good` false: its goal is missed.
fact() { jq -c --arg phase "$1" '{phase: $phase} + .' <<<"$2" >>"$RUN/facts.jsonl"; }

# phase NAME COMMAND...: a row of the result. Ends when each flow has met what happened.
phase()
{
	local name=$1
	shift
	say "$name"
	tell mark "$name" >/dev/null
	"$@" # not in a condition, where bash would go on after an error
	round
}

# Only the time that it takes to ask everybody.
nothing_at_all() { round; }

say() { [[ ${QUIET-} ]] || printf '  %s\n' "$*" >&2; }

takes_slots() { (($(backend_field "$1" slots) > 0)); }

# add POOL/NAME ADDRESS [WEIGHT]
add()
{
	local since
	since=$(now_ms)
	lbctl backend add "$1" "$2" --weight "${3:-100}" >/dev/null
	wait_until 20 takes_slots "$1"
	event add "${1#*/}" "${3:-100}" "$since"
}

weight()
{
	event weight "${1#*/}" "$2"
	lbctl backend weight "$1" "$2" >/dev/null
}

# remove POOL/NAME: as an operator does it; its users finish what they have to do.
remove()
{
	event drain "${1#*/}"
	lbctl backend drain "$1" >/dev/null
	wait_until 10 backend_is "$1" slots 0
	wait_until 30 nobody_at "${1#*/}" || {
		echo "$1: flows do not end" >&2
		return 1
	}
	event del "${1#*/}"
	lbctl backend del "$1" >/dev/null
}

# Tells all flows of that backend to finish; whether there are none any more.
nobody_at() { (($(tell finish "$1" | jq .finishing) == 0)); }

# goes_down POOL/NAME COMMAND...: something ends a backend.
goes_down()
{
	local backend=$1
	shift
	event down "${backend#*/}"
	"$@"
	wait_until 30 backend_is "$backend" health down
}

# comes_up POOL/NAME COMMAND...
comes_up()
{
	local backend=$1
	shift
	"$@"
	wait_until 30 backend_is "$backend" health up
	wait_until 30 takes_slots "$backend"
	event up "${backend#*/}"
}
