#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Packets are shown as they pass: `lbctl trace`, GET /v1/trace. Whose they are and what becomes of them,
# filtered; a file that tshark reads; and that nothing is left on when whoever asked is gone.
#
#   client -- router -- bridge -- balancer (eth0)    VIPs 192.0.2.10, 2001:db8::10
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vips=(192.0.2.10 2001:db8::10)

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  forward: l2
		  table_size: 1009
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: ["tcp://192.0.2.10:80", "tcp://[2001:db8::10]:80"], pool: web}
		- {name: closed, listen: "tcp://192.0.2.10:81", pool: web, deny: [$(client_v4 2)/32]}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 3
	balancer_add balancer 1 one "${vips[@]}"
	for n in 1 2; do
		backend_up web$n $n "${vips[@]}"
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown()
{
	stop trace
	stop trace2
	lab_diagnostics
}

# trace_start OPTION...: returns when it is on. Its lines are in $LAB/log/trace.
trace_start()
{
	rm -f "$LAB/log/trace"
	spawn trace balancer "$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" trace -o json "$@"
	wait_until 30 grep -q '"tracing"' "$LAB/log/trace"
}

trace_ended() { not running trace; }
shown() { jq -s '[.[] | select(.verdict)]' "$LAB/log/trace"; }
shown_any() { shown | jq -e "any(.[]; $1)"; }
shown_all() { shown | jq -e "length > 0 and all(.[]; $1)"; }

# refused SOURCE: a connection that the deny list drops.
refused() { on client curl -s --max-time 0.3 --interface "$1" http://192.0.2.10:81/ || true; }

# The program's variable: until when it shows packets; 0: off.
until_ns()
{
	bpftool -j map dump pinned "$LAB/bpf/$INSTANCE/data_trace" |
		jq '.[0].formatted.value[".data.trace"][0].trace.until_ns // (.[0].value[0:8] | map(tonumber) | add)'
}
trace_off() { [[ $(until_ns) == 0 ]]; }

@test "a connection: service, slot, backend, who decided, as flow lookup says" {
	local answer
	trace_start --rate 10000
	answer=$(visit "$(client_v4 1)" 192.0.2.10 1)
	wait_until 30 shown_any '.flags == ["fin"]'
	stop trace
	shown_all '.verdict == "forwarded" and .service == "http" and .pool == "web" and .decided_by == "slot"
		and .proto == "tcp" and .destination == "192.0.2.10:80" and .interface == "eth0"
		and (.slot | type) == "number" and .length >= 54 and (has("frame") | not)' ||
		shown_all '.destination != "192.0.2.10:80" or .verdict == "forwarded"'
	local first
	first=$(shown | jq -c '[.[] | select(.service == "http")][0]')
	expect "$(jq -r .flags[0] <<<"$first")" = syn
	[[ $answer == "$(jq -r .backend <<<"$first")"* ]]
	run -0 lbctl flow lookup tcp "$(jq -r .source <<<"$first")" 192.0.2.10:80 -o json
	expect "$(jq -c '[.slot, .backend, .address, .pool]' <<<"$output")" = \
		"$(jq -c '[.slot, .backend, .address, .pool]' <<<"$first")"
	# Of now, to the second, and in order.
	expect "$(jq -r .time <<<"$first" | cut -c 1-15)" = "$(date -u +%Y-%m-%dT%H:%M | cut -c 1-15)"
	shown | jq -e 'map(.time) | . == sort'
}

@test "filters: by address, port, protocol, service, backend and verdict" {
	local n
	for filter in "--address $(client_v4 3)" "--address $(client_v4 3)/32" "--verdict drop_denied" \
		"--verdict drop" "--service closed" "--port 81" "--backend web/web2" \
		"--address 2001:db8::/32 --proto tcp" "--service http --address $(client_v6 1)"; do
		# shellcheck disable=SC2086
		trace_start --rate 10000 $filter
		for n in 1 2 3 4; do
			visit "$(client_v4 1)" 192.0.2.10 2 >/dev/null
			visit "$(client_v6 1)" 2001:db8::10 2 >/dev/null
			visit "$(client_v4 3)" 192.0.2.10 2 >/dev/null
		done
		on client ping -c 1 -W 1 192.0.2.10 >/dev/null
		refused "$(client_v4 2)"
		wait_until 30 shown_all true
		sleep 0.2
		stop trace
		case $filter in
		*closed* | *drop* | *81*)
			shown_all '.verdict == "drop_denied" and .service == "closed" and .destination == "192.0.2.10:81"
				and .backend == null and .decided_by == "none"'
			;;
		*web2*) shown_all '.backend == "web2" and .address == "10.0.0.12"' ;;
		*2001:db8*) shown_all '(.source | startswith("[2001:db8:")) and .service == "http"' ;;
		*) shown_all "(.source | startswith(\"$(client_v4 3):\")) and .service == \"http\"" ;;
		esac
		wait_until 30 trace_off
	done
	trace_start --proto icmp
	on client ping -c 2 -i 0.2 -W 1 192.0.2.10 >/dev/null
	visit "$(client_v4 1)" 192.0.2.10 1 >/dev/null
	wait_until 30 shown_all '.verdict == "answered_echo" and .source == "198.51.100.11" and .service == null'
}

@test "what is wrong is named" {
	run -4 lbctl trace --service htp
	[[ $output == *'service htp: tracing it: there is no such service'*'did you mean http?'* ]]
	run -4 lbctl trace --verdict drop_denyed
	[[ $output == *'verdict "drop_denyed": there is no such verdict'*'did you mean drop_denied?'* ]]
	run -4 lbctl trace --backend web/web3
	[[ $output == *'backend web/web3'*'did you mean web/web1?'* ]]
	run -2 lbctl trace --address 192.0.2.300
	[[ $output == *'address "192.0.2.300"'* ]]
	run -2 lbctl trace --port 65536
	run -2 lbctl trace --rate 0
	run -2 lbctl trace --count x
	run -2 lbctl trace --proto sctp
	run -2 lbctl trace --pcap - -o json
	run -1 lbctl trace --pcap "$LAB/none/such" --count 1
	[[ $output == *"$LAB/none/such: writing it: No such file or directory"* ]]
	trace_off
}

@test "for people: a line each, a count, an end" {
	lbctl trace --count 3 --service http >"$LAB/out" 2>"$LAB/err" 3>&- &
	wait_until 30 not trace_off
	visit "$(client_v4 1)" 192.0.2.10 2 >/dev/null
	wait
	cat "$LAB/out"
	expect "$(wc -l <"$LAB/out")" = 4
	[[ $(sed -n 1p "$LAB/out") == "TIME (UTC)"*PROTO*SOURCE*DESTINATION*VERDICT*SERVICE*SLOT*BACKEND*BY ]]
	[[ $(sed -n 2p "$LAB/out") =~ ^[0-9:.]{15}\ tcp\ S\ +198.51.100.11:[0-9]+\ +192.0.2.10:80\ +74\ forwarded\ +http\ +[0-9]+\ web/web[12]\ +slot$ ]]
	expect "$(wc -L <"$LAB/out")" -le 120
	[[ $(<"$LAB/err") == *"at most 100 packets of each CPU in a second"* ]]
	trace_off
}

@test "a file for Wireshark, with what became of each packet as its comment" {
	local mac
	lbctl trace --count 40 --rate 10000 --pcap "$LAB/trace.pcapng" >/dev/null 2>&1 3>&- &
	wait_until 30 not trace_off
	refused "$(client_v4 2)"
	while [[ $(jobs -r) ]]; do visit "$(client_v4 1)" 192.0.2.10 5 >/dev/null; done
	wait
	expect "$(capinfos -Tmcr "$LAB/trace.pcapng" | cut -d , -f 2)" = 40
	capinfos "$LAB/trace.pcapng" | grep -q 'Interface #0 info:'
	capinfos "$LAB/trace.pcapng" | grep -q 'Name = eth0'
	fields() { tshark -r "$LAB/trace.pcapng" -Y "$1" -T fields "${@:2}" 2>/dev/null; }
	run -0 fields 'tcp.dstport == 81' -e frame.comment -e ip.src -e frame.len
	[[ ${lines[0]} == "drop_denied: the service's allow and deny lists do not take the source; service closed, pool web"*"$(client_v4 2)"*74 ]]
	run -0 fields 'tcp.dstport == 80 && tcp.flags.syn == 1' -e frame.comment -e ip.src
	[[ ${lines[0]} =~ ^"forwarded: sent to a backend; service http, pool web, slot "[0-9]+"; backend web/web"[12]" (10.0.0.1"[12]"), decided by slot" ]]
	# As they came in, and as long as they were.
	expect "$(fields 'frame.cap_len > 128 || frame.len < frame.cap_len' -e frame.number)" = ""
	mac=$(on balancer ip -j link show eth0 | jq -r '.[0].address')
	expect "$(fields "eth.dst != $mac && ip.dst == 192.0.2.10" -e frame.number)" = ""
	run -0 fields 'tcp.len > 0' -e tcp.payload
	[[ ${lines[0]} == "$(printf 'GET /' | od -An -tx1 | tr -d ' ')"* ]]
	# Time, to the second: of now.
	(($(fields frame -e frame.time_epoch | head -n 1 | cut -d . -f 1) >= $(date +%s) - 60))
	# And into a pipe.
	lbctl trace --count 1 --service http --pcap - 2>/dev/null 3>&- >"$LAB/pipe" &
	wait_until 30 not trace_off
	visit "$(client_v4 1)" 192.0.2.10 1 >/dev/null
	wait
	tshark -r "$LAB/pipe" -T fields -e frame.comment 2>/dev/null | grep -q '^forwarded: '
}

told_in_all() { jq -s '[.[] | .not_shown // (if .verdict then 1 else 0 end)] | add' "$LAB/log/trace"; }

told_all() { (($(told_in_all) == $1)); }
fins_shown() { (($(shown | jq '[.[] | select(.flags == ["fin"])] | length') >= $1)); }
log_count() { grep -c "trace for uid 0: $1" "$LAB/log/lbd-$INSTANCE"; }
all_ended() { (($(log_count begun) == $(log_count ended))); }

@test "at the rate, and what is not shown is counted" {
	local all
	trace_start --rate 20 --service http
	before=$(lbctl service list -o json | jq '.services[] | select(.name == "http") | .packets')
	visit "$(client_v4 1)" 192.0.2.10 300 >/dev/null
	all=$(($(lbctl service list -o json | jq '.services[] | select(.name == "http") | .packets') - before))
	wait_until 30 told_all $all
	stop trace
	shown_all '.service == "http"'
	expect "$(shown | jq length)" -lt $((all / 2)) "packets shown"
	expect "$(told_in_all)" = $all "packets shown and not shown"
	expect "$(jq -s '[.[] | .for_ring // 0, .for_reader // 0] | add' "$LAB/log/trace")" = 0
}

@test "one at a time: a second is told of the first, and takes nothing from it" {
	local n
	trace_start --service http --rate 10000
	run -5 lbctl trace --count 1
	[[ $output == *"one goes on already, for uid 0, since "*" s"* ]]
	visit "$(client_v4 1)" 192.0.2.10 5 >/dev/null
	wait_until 30 fins_shown 5
	run -5 lbctl trace --count 1
	running trace
	# Where the first was killed the next one need not wait.
	stop trace KILL
	for ((n = 0; n < 3; n++)); do
		trace_start --service http
		stop trace KILL
	done
}

@test "it ends with lbctl, however that ends" {
	trace_start
	not trace_off
	stop trace KILL
	wait_until 30 trace_off
	# Also where nothing passes that would be written to it.
	trace_start --address 203.0.113.77
	stop trace KILL
	wait_until 30 trace_off
	wait_until 30 all_ended
}

@test "it ends with lbd: stopped at once, killed by itself" {
	trace_start
	lbd_stop
	trace_off
	wait_until 30 trace_ended
	grep -q "it ended the connection" "$LAB/log/trace"
	lbd_start
	trace_start
	lbd_stop KILL
	not trace_off
	# Nobody is there; the program finds out with a packet.
	passes_off() { visit "$(client_v4 1)" 192.0.2.10 1 && trace_off; }
	wait_until 30 passes_off
	lbd_start
	trace_start --service http
	visit "$(client_v4 1)" 192.0.2.10 1 >/dev/null
	wait_until 30 shown_all '.service == "http"'
}

@test "a reader that does not read loses packets, and lbd goes on" {
	local n
	mkfifo "$LAB/slow"
	exec 7<>"$LAB/slow"
	"$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" trace --rate 10000 -o json >"$LAB/slow" \
		2>/dev/null 3>&- &
	local reader=$!
	wait_until 30 not trace_off
	for n in 1 2 3 4 5 6; do visit "$(client_v4 1)" 192.0.2.10 300 >/dev/null; done
	# Enough to fill pipe, socket and buffer: lbd answers, and forwards.
	run -0 timeout 2 "$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" status
	cat <&7 >"$LAB/read" 3>&- &
	local cat=$!
	wait_until 30 grep -q '"for_reader":[1-9]' "$LAB/read"
	kill $reader $cat
	exec 7>&-
	wait_until 30 trace_off
}

@test "not on the socket for reading, where anybody could look into packets" {
	run -0 curl -s -w '\n%{http_code}' --unix-socket "$LAB/$INSTANCE/lbd.ro.sock" http://lbd/v1/trace
	expect "$(tail -n 1 <<<"$output")" = 403
	[[ $output == *"packets are their owners'"* ]]
	trace_off
}

@test "a data plane of a version without it: said, and lbload replace adds it while packets pass" {
	lbd_stop
	rm "$LAB/bpf/$INSTANCE"/{data_trace,trace_events,trace_cpus}
	lbd_start
	run -5 lbctl trace --count 1
	[[ $output == *"the program attached is one of version "*", which cannot"*"lbload replace"* ]]
	visit "$(client_v4 1)" 192.0.2.10 2 >/dev/null
	lbload replace
	# The same lbd.
	trace_start --service http
	visit "$(client_v4 1)" 192.0.2.10 1 >/dev/null
	wait_until 30 shown_all '.service == "http"'
	stop trace
	wait_until 30 trace_off
}
