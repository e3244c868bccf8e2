#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What happens is told as it happens: `lbctl events`, GET /v1/events; who changed what; and the socket
# for who may look but change nothing. Slow and many readers are tests/unit/test_api_stream.c's.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  forward: l2
		  table_size: 1009
		  check: {type: tcp, interval: 200ms, timeout: 150ms, fall: 2}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2), weight: ${1:-100}}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 1
	balancer_add balancer 1 one 192.0.2.10
	for n in 1 2; do
		backend_add web$n $n 192.0.2.10
		nginx_start web$n
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown()
{
	stop watch
	lab_diagnostics
}

# Starts to listen, and returns when what was before is told.
watch_start()
{
	rm -f "$LAB/log/watch"
	spawn watch balancer "$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" events -w -o json
	wait_until 30 test -s "$LAB/log/watch"
}

# told FILTER: a line for which the filter is true was told.
told() { jq -se "any(.[]; $1)" "$LAB/log/watch" >/dev/null; }

# wait_told FILTER
wait_told()
{
	wait_until 30 told "$1" && return 0
	echo "not told: $1; but:" >&2
	cat "$LAB/log/watch" >&2
	return 1
}

@test "health: from, to and reason, as it happens" {
	watch_start
	stop nginx-web2
	wait_told '.event == "health" and .pool == "web" and .backend == "web2" and .from == "up"
		and .to == "down" and (.reason | contains("refused"))'
	nginx_start web2
	wait_told '.event == "health" and .backend == "web2" and .from == "down" and .to == "up"'
	wait_told '.event == "publish" and .good and .took_us > 0'
	# Numbered without a gap.
	jq -se '[.[].seq] | . == [range(.[0]; .[0] + length)]' "$LAB/log/watch"
}

@test "changes: what, by whom, in the log too" {
	watch_start
	lbctl backend drain web/web1
	wait_told '.event == "change" and .who == "uid 0" and .change == "change backend"
		and .object == "web/web1" and (.detail | contains("admin ready -> drain"))'
	wait_told '.event == "admin" and .backend == "web1" and .from == "ready" and .to == "drain"
		and .reason == "uid 0"'
	lbctl backend ready web/web1
	wait_until 30 grep -q "uid 0: change backend web/web1: admin drain -> ready" "$LAB/log/lbd-$INSTANCE"
	# Another user, who may use the socket.
	install -D -t "$LAB/bin" "$BUILD/lbctl"
	chmod 666 "$LAB/$INSTANCE/lbd.sock"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$LAB/bin/lbctl" \
		--socket "$LAB/$INSTANCE/lbd.sock" backend weight web/web1 90
	chmod 660 "$LAB/$INSTANCE/lbd.sock"
	wait_told '.event == "change" and .who == "uid 65534"'
	grep -q "uid 65534: change backend web/web1: weight 100 -> 90" "$LAB/log/lbd-$INSTANCE"
}

@test "reloads, good and bad" {
	watch_start
	configuration 60 | config
	lbctl reload
	wait_told '.event == "reload" and .good and .who == "uid 0"'
	echo 'version: 2' | config
	run -2 lbctl reload
	wait_told '.event == "reload" and (.good | not) and (.reason | contains("version"))'
	configuration | config
	lbctl reload
}

@test "an interface that is attached, and detached" {
	watch_start
	wait_told '.event == "attach" and .interface == "eth0" and .mode == "native"'
	on balancer ip link add extra type veth peer name extra2
	on balancer ip link set extra up
	lbload attach extra --mode generic >/dev/null
	wait_told '.event == "attach" and .interface == "extra" and .mode == "generic"'
	lbload detach extra
	wait_told '.event == "detach" and .interface == "extra"'
}

@test "lbctl events: for people, and to an end" {
	run -0 lbctl events
	[[ $output == *"attach     eth0  native"* ]]
	[[ $output == *"web/web2  up -> down  (connection refused"* || $output == *"web/web2  up -> down  ("*refused* ]]
	local pid status=0
	lbctl events -w >"$LAB/watched" 2>&1 3>&- &
	pid=$!
	wait_until 30 test -s "$LAB/watched"
	lbd_stop
	wait $pid || status=$?
	expect $status = 3
	[[ $(tail -n 2 "$LAB/watched") == *"it ended the connection"* ]]
	lbd_start
}

@test "the socket for reading: anybody may look, and change nothing" {
	local ro="$LAB/$INSTANCE/lbd.ro.sock"
	expect "$(stat -c %a "$ro")" = 666
	install -D -t "$LAB/bin" "$BUILD/lbctl"
	nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	run -0 nobody curl -s --unix-socket "$ro" http://lbd/v1/backends
	expect "$(jq '.backends | length' <<<"$output")" = 2
	run -0 nobody curl -s -w '\n%{http_code}' -X PATCH -d '{"weight": 1}' --unix-socket "$ro" \
		http://lbd/v1/pools/web/backends/web1
	expect "$(tail -n 1 <<<"$output")" = 403
	# lbctl finds it by itself, for what only reads.
	run -0 nobody "$LAB/bin/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" backend list
	run -6 nobody "$LAB/bin/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" backend weight web/web1 1
	run -0 nobody "$LAB/bin/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" config export
	expect "$(backend_field web/web1 weight)" -ge 90
	lbd_stop
	lbd_start --read-only-socket none
	expect "$(ls "$LAB/$INSTANCE"/*.sock)" = "$LAB/$INSTANCE/lbd.sock"
}
