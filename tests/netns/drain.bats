#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Draining: established flows stay until they end or the deadline comes, new ones go elsewhere, and
# lbd says how many are left. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10 (pool web), 192.0.2.11 (sticky)
#                          '----- web1 .. web3

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip=192.0.2.10 sticky=192.0.2.11
flows=60

configuration()
{
	local pool
	echo "version: 1"
	echo "global: {limits: {flows: 10000, clients: 10000}}"
	echo "pools:"
	for pool in web sticky; do
		cat <<-EOT
			- name: $pool
			  table_size: 1009
			  check: {type: tcp, interval: 300ms, timeout: 250ms, rise: 2, fall: 3}
			  backends:
			  - {name: web1, address: $(backend_v4 1)}
			  - {name: web2, address: $(backend_v4 2)}
			  - {name: web3, address: $(backend_v4 3)}
		EOT
		[[ $pool != sticky ]] || echo "  affinity: {key: source-ip, timeout: 10m}"
	done
	cat <<-EOT
		services:
		- {name: http, listen: "tcp://$vip:80", pool: web}
		- {name: sticky, listen: "tcp://$sticky:80", pool: sticky}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 80
	balancer_add balancer 1 one $vip $sticky
	for n in 1 2 3; do
		backend_up web$n $n $vip $sticky
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }

teardown()
{
	local pool
	stop tcp
	for pool in web sticky; do
		lbctl backend ready $pool/web2
	done
	lab_diagnostics
}

takes_slots() { (($(backend_field "$1" slots) > 0)); }

# How many of the steady flows are with web2.
flows_of_web2()
{
	steady_look tcp
	steady tcp '[.[] | select(.backends[0] == "web2")] | length'
}

# Each flow but web2's had one backend and no error; with `all`, web2's had, too.
flows_went_on()
{
	local which='select(.backends[0] != "web2")' bad
	[[ ${1-} != all ]] || which=.
	steady_rounds tcp 3
	steady_stop tcp
	bad=$(steady tcp ".[] | $which | select(.error or (.backends | length) != 1) | tojson")
	[[ -z $bad ]] || {
		echo "$bad" >&2
		return 1
	}
}

drain_wait() # OPTION...
{
	spawn wait balancer "$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" \
		backend drain web/web2 --wait "$@"
}

# First, while all slots of pool sticky are settled.
@test "flows of known clients are counted, too, though no new one comes" {
	local n sources=()
	for ((n = 61; n <= 80; n++)); do
		sources+=(--source "$(client_v4 "$n")")
	done
	steady_start tcp "$sticky:80" $flows "${sources[@]}"
	here=$(flows_of_web2)
	expect "$here" -gt 0 "flows of web2"
	lbctl backend drain sticky/web2
	wait_until 40 backend_is sticky/web2 left.flows "$here"
	flows_went_on all
}

@test "drain: flows stay and are counted, new ones go elsewhere, ready brings the share back" {
	steady_start tcp "$vip:80" $flows
	lbctl backend drain web/web2
	expect "$(backend_field web/web2 drain.mode)" = flows
	wait_until 30 backend_is web/web2 slots 0
	run visit "$(client_v4 3)" $vip 60
	((status == 0))
	[[ $output != *web2* ]]
	here=$(flows_of_web2)
	expect "$here" -gt 0 "flows of web2"
	wait_until 40 backend_is web/web2 left.flows "$here"
	expect "$(backend_field web/web2 left.complete)" = true
	expect "$(backend_field web/web2 left.slots)" -gt 0 "slots that fall back on it"
	expect "$(backend_field web/web1 left)" = null
	flows_went_on all
	lbctl backend ready web/web2
	expect "$(backend_field web/web2 left)" = null
	wait_until 30 takes_slots web/web2
	expect "$(backend_field web/web2 slots)" = "$(backend_field web/web2 fair_slots)" slots
	expect "$(visit "$(client_v4 3)" $vip 60 | grep -c web2)" -gt 0 "answers of web2"
}

@test "drain --wait: goes on while a flow lives, and returns when the last one has ended" {
	steady_start tcp "$vip:80" $flows
	run -7 lbctl backend drain web/web2 --wait --timeout 1s
	[[ $output == *"flows"*"left"* ]]
	drain_wait
	wait_until 40 backend_is web/web2 left.flows "$(flows_of_web2)"
	running wait
	flows_went_on all
	wait_until 120 not running wait
	run cat "$LAB/log/wait"
	[[ $output == *"no flow is left"* ]]
	expect "$(backend_field web/web2 drain.deadline_passed)" = false
}

@test "at the deadline the rest is moved, and the backend stays drained" {
	steady_start tcp "$vip:80" $flows
	here=$(flows_of_web2)
	lbctl backend drain web/web2
	wait_until 40 backend_is web/web2 left.flows "$here"
	run -0 lbctl backend drain web/web2 --deadline 1s --wait
	[[ $output == *"deadline has passed: $here flows"* ]]
	expect "$(backend_field web/web2 admin)" = drain
	expect "$(backend_field web/web2 drain.deadline_passed)" = true
	expect "$(backend_field web/web2 left.slots)" = 0 "slots left"
	expect "$(backend_field web/web2 drain.moved.flows)" = "$here"
	run visit "$(client_v4 3)" $vip 60
	[[ $output != *web2* ]]
	flows_went_on
	# Those of web2 met a backend that does not know them.
	expect "$(steady tcp '[.[] | select(.backends[0] == "web2" and (.error | not))] | length')" \
		= 0 "flows of web2 that went on"
	lbctl backend ready web/web2
	wait_until 30 takes_slots web/web2
	expect "$(visit "$(client_v4 3)" $vip 60 | grep -c web2)" -gt 0 "answers of web2"
}

@test "a deadline survives lbd" {
	lbctl backend drain web/web2 --deadline 12s
	deadline=$(backend_field web/web2 drain.deadline)
	lbd_stop KILL
	lbd_start
	expect "$(backend_field web/web2 drain.deadline)" = "$deadline"
	wait_until 60 backend_is web/web2 drain.deadline_passed true
	lbd_stop
	lbd_start
	expect "$(backend_field web/web2 drain.deadline_passed)" = true
	expect "$(backend_field web/web2 drain.deadline)" = "$deadline"
	run visit "$(client_v4 3)" $vip 30
	[[ $output != *web2* ]]
}

# client_of_web2 FROM TO: the first client of these numbers that pool sticky sends to web2. Those
# asked for are known from then on.
client_of_web2()
{
	local n
	for ((n = $1; n <= $2; n++)); do
		[[ $(visit "$(client_v4 "$n")" $sticky 1) != web2* ]] || {
			echo "$n"
			return 0
		}
	done
	return 1
}

@test "drain --mode clients: those it has come back, newcomers do not, until the deadline" {
	known=$(client_of_web2 1 20)
	lbctl backend drain sticky/web2 --mode clients
	expect "$(backend_field sticky/web2 drain.mode)" = clients
	wait_until 30 backend_is sticky/web2 slots 0
	expect "$(visit "$(client_v4 "$known")" $sticky 10 | grep -c web2)" = 10 "answers of web2"
	run client_of_web2 21 40
	((status == 1))
	clients=$(lbctl client list sticky -o json |
		jq '[.clients[] | select(.owner == "web2")] | length')
	wait_until 40 backend_is sticky/web2 left.clients "$clients"
	run -0 lbctl backend drain sticky/web2 --deadline 1s --wait
	[[ $output == *"deadline has passed"*"$clients clients"* ]]
	run visit "$(client_v4 "$known")" $sticky 10
	((status == 0))
	[[ $output != *web2* ]]
}

@test "drain --mode flows: a known client's next connection goes elsewhere, and it stays there" {
	known=$(client_of_web2 41 60)
	lbctl backend drain sticky/web2 --mode flows
	wait_until 30 backend_is sticky/web2 slots 0
	run visit "$(client_v4 "$known")" $sticky 10
	((status == 0))
	[[ $output != *web2* ]]
	lbctl backend ready sticky/web2
	wait_until 30 takes_slots sticky/web2
	expect "$(visit "$(client_v4 "$known")" $sticky 10)" = "$output"
}

@test "what is wrong with a drain is said" {
	run -2 lbctl backend drain web/web2 --mode both
	[[ $output == *flows*clients* ]]
	run -2 lbctl backend drain web/web2 --deadline soon
	run -2 lbctl backend drain web/web2 --timeout 5s
	run -4 lbctl backend drain web/web9 --wait
	run -0 lbctl backend drain web/web2 --deadline 5m --wait -n
	expect "$(backend_field web/web2 admin)" = ready
}
