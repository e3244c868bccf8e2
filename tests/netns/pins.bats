#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One client address is sent to one backend for a while: `lbctl client pin`. Its new flows go there, those
# that it has stay, when it begins and when it ends, in pools of every affinity.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10, ports of four pools
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

pools=(flow source known always)

pool() # NAME AFFINITY KEYS...
{
	printf '%s\n' "- {name: $1, forward: l2, table_size: 251, affinity: {$2}, $3 backends: [{name: web1, address: $(
		backend_v4 1)}, {name: web2, address: $(backend_v4 2)}]}"
}

setup_file()
{
	local n
	lab_open
	network_add 4
	balancer_add balancer 1 one 192.0.2.10
	for n in 1 2; do
		backend_add web$n $n 192.0.2.10
		nginx_start web$n
	done
	{
		echo 'version: 1'
		echo 'global: {metrics: "127.0.0.1:9555", limits: {flows: 10000, clients: 10000}}'
		echo 'pools:'
		pool flow 'key: 5-tuple'
		pool source 'key: source-ip'
		pool known 'key: source-ip, prefix_v4: 24, timeout: 10m'
		pool always 'key: 5-tuple' 'track: always,'
		echo 'services:'
		echo '- {name: flow, listen: "tcp://192.0.2.10:80", pool: flow}'
		for n in 1 2 3; do
			echo "- {name: ${pools[n]}, listen: 'tcp://192.0.2.10:$((8080 + n))', pool: ${pools[n]}}"
		done
	} | config
	lb_up
	for n in 1 2; do
		for port in 8081 8082 8083; do
			spawn "forward-web$n-$port" web$n socat "TCP-LISTEN:$port,fork,reuseaddr" TCP:192.0.2.10:80
		done
	done
}

teardown_file() { lab_close; }
teardown()
{
	local n
	for n in "${pools[@]}"; do lbctl client unpin "$n" "$(client_v4 1)" >/dev/null 2>&1 || true; done
	lab_diagnostics
}

port_of() { case $1 in flow) echo 80 ;; source) echo 8081 ;; known) echo 8082 ;; always) echo 8083 ;; esac; }

# The backends that COUNT new connections of the client of that number reached, by name.
reached() # POOL CLIENT COUNT
{
	visit "$(client_v4 "$2")" 192.0.2.10 "$3" "$(port_of "$1")" | grep -oE 'web[12]' | sort -u | tr '\n' ' '
}

other() { [[ $1 == web1 ]] && echo web2 || echo web1; }

# Where the client goes by itself.
usual()
{
	lbctl flow lookup tcp "$(client_v4 1):40000" "192.0.2.10:$(port_of "$1")" -o json | jq -r .backend
}

@test "new flows go there, those of others do not, and it is seen everywhere" {
	local pool to
	for pool in "${pools[@]}"; do
		to=$(other "$(usual "$pool")")
		run -0 lbctl client pin "$pool" "$(client_v4 1)" "$to" --for 10m -n
		[[ $output == "would pin client $pool/$(client_v4 1): to $to for 10m"* ]]
		expect "$(lbctl pool show "$pool" -o json | jq '.pins | length')" = 0
		run -0 lbctl client pin "$pool" "$(client_v4 1)" "$to" --for 10m
		expect "$(reached "$pool" 1 20)" = "$to "
		# All say so.
		run -0 lbctl client list "$pool" -o json
		expect "$(jq -c '.pins | map([.client, .backend, .in_effect])' <<<"$output")" = \
			"[[\"$(client_v4 1)\",\"$to\",true]]"
		run -0 lbctl client list "$pool"
		[[ $output == *"PINNED CLIENT"*"$(client_v4 1)"*"$to"* ]]
		run -0 lbctl pool show "$pool" -o json
		expect "$(jq -s 'map(.pins[0].left_s > 590)' -c <<<"$output")" = "[true]"
		expect "$(lbctl status -o json | jq --arg pool "$pool" 'any(.pins[]; .pool == $pool)')" = true
		run -0 lbctl flow lookup tcp "$(client_v4 1):40000" "192.0.2.10:$(port_of "$pool")" -o json
		expect "$(jq -r '[.backend, .decided_by, .pin.backend] | join(" ")' <<<"$output")" = "$to client $to"
		[[ $output == *"the client is pinned to $to for another "* ]]
		lbctl client unpin "$pool" "$(client_v4 1)" >/dev/null
		expect "$(lbctl pool show "$pool" -o json | jq '.pins | length')" = 0
	done
	lbctl events -o json | jq -se '[.[] | select(.event == "pin")] | (map(.to) | unique) == ["over", "pinned"]
		and all(.[]; .client == "198.51.100.11" and .reason == "uid 0")'
	run -0 lbctl events
	[[ $output == *"/web"[12]"  client $(client_v4 1)  free -> pinned  (uid 0)"* ]]
	# Others were never sent anywhere else.
	lbctl client pin flow "$(client_v4 1)" web1 --for 10m >/dev/null
	expect "$(reached flow 2 40)" = "web1 web2 "
}

# What of the pins of pool source is told where nobody asks for them.
told_of()
{
	lbctl status | sed -nE '/^pinned/,/^forwarded/s/^(pinned clients| {18}) *(.* of source to .*)/\2/p'
	lbctl backend list source -o json | jq -r '.backends[] | "\(.name) has \(.pins)"'
	lbctl backend list source -o wide | grep -o PINS
	lbctl backend show source/web1 | grep -o '^pinned clients .*' | tr -s ' '
	on balancer curl -s http://127.0.0.1:9555/metrics | grep '^lbd_pool_pins{pool="source"}'
	lbctl doctor -o json | jq -r '.findings[] | select(.code == "pinned_clients") | "\(.severity) \(.object): \(.type)"'
	lbctl top --once | grep -oE '^pinned clients: [0-9]+'
}

tells() { [[ $(told_of) =~ ^$1$ ]]; }

@test "it is told where nobody asks for it, and only while it lasts" {
	local none=$'web1 has 0\nweb2 has 0\nlbd_pool_pins\\{pool="source"\\} 0'
	wait_until 1 tells "$none"
	lbctl client pin source "$(client_v4 1)" web1 --for 10m >/dev/null
	wait_until 1 tells "$(client_v4 1) of source to web1, for another [56][0-9]{2} s
web1 has 1
web2 has 0
PINS
pinned clients 1 \\(\`lbctl client list source\`\\)
lbd_pool_pins\\{pool=\"source\"\\} 1
note pool source: lbctl client list source \\(which, and for how long\\); lbctl client unpin source ADDRESS
pinned clients: 1"
	lbctl backend maint source/web1 >/dev/null
	run -0 lbctl status
	[[ $output == *" (not in effect: it takes no new flows)"* ]]
	lbctl backend ready source/web1 >/dev/null
	for n in 2 3 4 5 6 7; do lbctl client pin always "$(client_v4 $n)" web2 --for 1m >/dev/null; done
	run -0 lbctl status
	[[ $output == *"and 2 more (\`lbctl client list POOL\`)"* ]]
	expect "$(lbctl backend list always -o json | jq -c '[.backends[].pins]')" = "[0,6]"
	for n in 2 3 4 5 6 7; do lbctl client unpin always "$(client_v4 $n)" >/dev/null; done
	# Its end by itself is seen at once, too: before what is over is cleared away.
	lbctl client pin source "$(client_v4 1)" web1 --for 1s >/dev/null
	none_listed() { lbctl pool show source -o json >"$LAB/source" && jq -e '.pins == []' "$LAB/source"; }
	wait_until 5 none_listed
	expect "$(jq -c '[.backends[].pins]' "$LAB/source")" = "[0,0]"
	wait_until 1 tells "$none"
}

@test "connections stay when it begins, when it ends, and when it is given another backend" {
	local pool to
	for pool in flow source known always; do
		to=$(other "$(usual "$pool")")
		steady_start "before-$pool" "192.0.2.10:$(port_of "$pool")" 8 --source "$(client_v4 1)"
		lbctl client pin "$pool" "$(client_v4 1)" "$to" --for 10m >/dev/null
		steady_start "during-$pool" "192.0.2.10:$(port_of "$pool")" 8 --source "$(client_v4 1)"
		expect "$(reached "$pool" 1 5)" = "$to "
		lbctl client unpin "$pool" "$(client_v4 1)" >/dev/null
		[[ $pool == flow || $pool == always ]] || expect "$(reached "$pool" 1 5)" = "$(other "$to") "
		# Long enough for sweeps to come by.
		lbctl client pin "$pool" "$(client_v4 1)" "$(other "$to")" --for 1s >/dev/null
	done
	sleep 24
	for pool in "${pools[@]}"; do
		for n in before during; do
			steady_stop "$n-$pool"
			expect "$(steady "$n-$pool" '[.[] | select(.error or (.backends | length) != 1)] | length')" \
				= 0 "connections of $n-$pool that were moved"
		done
	done
}

@test "it is gone by itself, with lbd and without" {
	local to
	to=$(other "$(usual source)")
	lbctl client pin source "$(client_v4 1)" "$to" --for 3s >/dev/null
	expect "$(reached source 1 5)" = "$to "
	usual_again() { [[ $(reached source 1 5) == "$(other "$to") " ]]; }
	wait_until 30 usual_again
	lbctl events -o json | jq -se 'any(.[]; .event == "pin" and .reason == "its time is up")'
	lbctl client pin source "$(client_v4 1)" "$to" --for 6s >/dev/null
	# A restart keeps it.
	lbd_stop
	lbd_start
	expect "$(lbctl status -o json | jq -r '.pins[0].backend')" = "$to"
	lbd_stop KILL
	wait_until 30 usual_again
	lbd_start
	# Once no flow needs it there is nothing left to pay for.
	pool_flags() { bpftool -j map dump pinned "$LAB/bpf/$INSTANCE/pins_v4" | jq length; }
	nothing_left() { [[ $(pool_flags) == 0 ]]; }
	wait_until 90 nothing_left
}

@test "a backend that takes nobody: as if there were no pin, which stays visible" {
	local to
	to=$(other "$(usual source)")
	lbctl client pin source "$(client_v4 1)" "$to" --for 10m >/dev/null
	for how in maint drain; do
		lbctl backend "$how" "source/$to" >/dev/null
		expect "$(reached source 1 5)" = "$(other "$to") "
		expect "$(lbctl status -o json | jq -c '.pins[0] | [.backend, .in_effect]')" = "[\"$to\",false]"
		run -0 lbctl client pin source "$(client_v4 1)" "$to" --for 10m
		[[ $output == *"which takes no new flows now"* ]]
		lbctl backend ready "source/$to" >/dev/null
		expect "$(reached source 1 5)" = "$to "
	done
	# Clients that it has keep coming: this is one.
	lbctl backend drain "source/$to" --mode clients >/dev/null
	expect "$(reached source 1 5)" = "$to "
	lbctl backend ready "source/$to" >/dev/null
	run -0 lbctl client forget source "$(client_v4 1)"
	expect "$(reached source 1 5)" = "$(other "$to") "
}

@test "what is wrong is named" {
	run -4 lbctl client pin sourc "$(client_v4 1)" web1 --for 1m
	[[ $output == *"did you mean source?"* ]]
	run -4 lbctl client pin source "$(client_v4 1)" web3 --for 1m
	[[ $output == *"did you mean source/web1?"* ]]
	run -2 lbctl client pin source 198.51.100.300 web1 --for 1m
	run -2 lbctl client pin source 224.0.0.1 web1 --for 1m
	[[ $output == *"client \"224.0.0.1\": pinning it: it is a multicast address"*"one address of pool source's"* ]]
	run -2 lbctl client unpin source 224.0.0.1
	[[ $output == *": unpinning it: it is a multicast address"* ]]
	for how in pin unpin; do
		[[ $how == pin ]] && rest=(web1 --for 1m) || rest=()
		run -2 lbctl client "$how" source 198.51.100.0/24 "${rest[@]}"
		[[ $output == *"${how}ning it: it is no single address"*"a pin is for one address"* ]]
	done
	run -0 lbctl client pin source "$(client_v4 1)/32" source/web1 --for 1m -n
	[[ $output == *"source/$(client_v4 1): to web1 for 1m" ]]
	run -2 lbctl client pin source "$(client_v4 1)" flow/web1 --for 1m
	[[ $output == *"it is none of that pool's"*"lbctl backend list source"* ]]
	run -2 lbctl client pin source "$(client_v4 1)" $'\xff' --for 1m
	[[ $output == *"no UTF-8 text"* ]]
	run -2 lbctl client pin source
	[[ $output == *"lbctl client pin POOL ADDRESS BACKEND (--help lists its options)"* ]]
	run -2 lbctl client pin source "$(client_v4 1)" web1 --form 1m
	[[ $output == *'unknown option "--form"'*"did you mean --for?"* ]]
	run -2 lbctl client pin source "$(client_v4 1)" web1
	[[ $output == *"it is not said for how long"*"--for 10m"* ]]
	run -2 lbctl client pin source "$(client_v4 1)" web1 --for 25h
	[[ $output == *'"25h" is not a time from 1s to 24h'* ]]
	run -4 lbctl client unpin source "$(client_v4 1)"
	[[ $output == *"pool source has no such pin"* ]]
	run -0 lbctl client pin known "$(client_v4 1)" web1 --for 1m -n
	[[ $output == *"it alone of the client 198.51.100.0/24"* ]]
}
