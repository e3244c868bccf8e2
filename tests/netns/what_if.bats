#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `lbctl what-if`: what it says is what happens. Each change is supposed, then made, and the maps are
# read before and after: slots, digests, and the entries that still speak for their flows.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10 (pool web), 192.0.2.11 (sticky)
#                          '----- web1 .. web4       web4 is in no file: tests add it

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip=192.0.2.10 sticky=192.0.2.11

setup_file()
{
	local n
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" "$BUILD/tests/table"
	lab_open
	network_add 40
	balancer_add balancer 1 one $vip $sticky
	for n in 1 2 3 4; do
		backend_up web$n $n $vip $sticky
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 1000}}
		defaults: {table_size: 4099, check: {type: tcp, interval: 200ms, timeout: 150ms, fall: 2}}
		pools:
		- name: web
		  track: always
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2), weight: 150}
		  - {name: web3, address: $(backend_v4 3)}
		- name: sticky
		  affinity: {key: source-ip, timeout: 10m}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		  - {name: web3, address: $(backend_v4 3)}
		services:
		- {name: http, listen: "tcp://$vip:80", pool: web}
		- {name: sticky, listen: "tcp://$sticky:80", pool: sticky}
	EOT
	lb_up
}

teardown_file() { lab_close; }

teardown()
{
	stop tcp
	lab_diagnostics
}

table() { "$BUILD/tests/table" "$LAB/bpf/$INSTANCE" "$1"; }
digest() { lbctl pool show "$1" -o json | jq -r .table_digest; }
unsettled() { lbctl pool show "$1" -o json | jq .unsettled_slots; }
now_is() { [[ $(digest "$1") == "$2" ]]; }
told() { jq -r "$1" "$LAB/told"; }

# suppose POOL CHANGE...: asks, and keeps the answer and the table as it is. Nothing is changed.
suppose()
{
	local before
	table "$1" >"$LAB/before"
	before=$(digest "$1")
	lbctl what-if "${@:2}" -o json >"$LAB/told"
	expect "$(told .table_digest.now)" = "$before" "the digest now"
	expect "$(digest "$1")" = "$before" "the digest after the question"
	table "$1" | diff "$LAB/before" -
}

# happened POOL: what was supposed was done. The maps say what was told, slot by slot.
happened()
{
	wait_until 30 now_is "$1" "$(told .table_digest.then)" ||
		expect "$(digest "$1")" = "$(told .table_digest.then)" "the digest then"
	table "$1" >"$LAB/after"
	expect "$(paste -d' ' "$LAB/before" "$LAB/after" | awk '$1 != $3' | wc -l)" = \
		"$(told .slots_moved)" "slots moved"
	expect "$(paste -d' ' "$LAB/before" "$LAB/after" | awk '$2 != "-" && $2 != $4' | wc -l)" = \
		"$(told .slots_lost)" "slots that lose their established flows"
	# A sweep may have settled some since.
	expect "$(unsettled "$1")" -le "$(told .unsettled_slots.then)" "unsettled slots"
	count_names "$LAB/after" 1 >"$LAB/owned"
	told '.backends[] | select(.then) | "\(.name) \(.then.slots)"' | grep -v ' 0$' |
		diff - "$LAB/owned"
	count_names "$LAB/after" 2 >"$LAB/belonging"
	told '.backends[] | select(.then) | "\(.name) \(.then.established_slots)"' |
		grep -v ' 0$' | diff - "$LAB/belonging"
	told '.backends[] | select(.then) | [.name, .then.effective_weight] | tojson' >"$LAB/weights"
	lbctl backend list "$1" -o json |
		jq -r '.backends[] | [.name, .effective_weight] | tojson' | diff "$LAB/weights" -
}

# count_names FILE COLUMN
count_names()
{
	awk -v c="$2" '$c != "-" { n[$c]++ } END { for (b in n) print b, n[b] }' "$1" | sort
}

# Entries that speak for their flow, of a backend if one is named.
live() { lbctl flow list -o json --pool web | jq "[.flows[] | select(.live and .kind == \"flow\"${1:+ and .backend == \"$1\"})] | length"; }
swept() { (($(lbctl pool show web -o json | jq .tracked_flows) == $1)); }
clients_swept() { (($(lbctl pool show sticky -o json | jq .clients) == $1)); }

@test "add, in a settled table: every slot that moves becomes unsettled, and no flow loses its backend" {
	suppose web add web/web4 --weight 70
	expect "$(told .slots_moved)" -gt 500
	expect "$(told .slots_lost)" = 0
	expect "$(told .unsettled_slots.then)" = "$(told .slots_moved)"
	lbctl backend add web/web4 "$(backend_v4 4)" --weight 70
	happened web
	expect "$(unsettled web)" = "$(told .slots_moved)"
}

@test "weight, del, drain, ready, maint: slot by slot, in a table that is not settled" {
	suppose web weight web/web1 30
	lbctl backend weight web/web1 30
	happened web
	suppose web drain web/web2
	expect "$(told .slots_lost)" = 0
	expect "$(told .drain_deadline)" = 5m
	lbctl backend drain web/web2
	happened web
	suppose web del web/web4
	lbctl backend del web/web4
	happened web
	# Slots that web2 drains out of belong to it, whoever owns them.
	suppose web maint web/web2
	expect "$(told .slots_lost)" -gt 500
	lbctl backend maint web/web2
	happened web
	suppose web ready web/web2
	lbctl backend ready web/web2
	happened web
}

@test "kill: the tracked flows that it names are those that lose their backend" {
	local there all
	steady_start tcp "$vip:80" 60 --source "$(client_v4 1)" --source "$(client_v4 2)"
	steady_rounds tcp 3
	wait_until 30 swept 60
	there=$(live web3) all=$(live)
	expect "$all" = 60
	expect "$there" -gt 5
	suppose web kill web/web3
	expect "$(told .tracked_flows.all)" = 60
	expect "$(told .tracked_flows.moving)" = "$there"
	expect "$(told '.tracked_flows.percent * 60 / 100 | round')" = "$there"
	expect "$(told '.backends[] | select(.name == "web3") | .then.effective_weight')" = 0
	stop tcp
	backend_cut web3
	wait_until 30 backend_is web/web3 health down
	happened web
	expect "$(live web3)" = 0
	backend_mend web3
	wait_until 30 backend_is web/web3 health up
}

# lookups FILE [OPTION...]: where packets of flows that are there and of new ones would go.
lookups()
{
	local n source
	for source in $(jq -r '[.flows[] | select(.kind == "flow") | .source][:12][]' "$LAB/flows"); do
		lbctl flow lookup tcp "$source" "$vip:80" --established -o json "${@:2}"
	done >"$1.json"
	for ((n = 1; n <= 12; n++)); do
		lbctl flow lookup tcp "$(client_v4 3):$((5000 + n))" "$vip:80" -o json "${@:2}"
		lbctl flow lookup tcp "$(client_v4 $n):4000" "$sticky:80" -o json "${@:2}"
	done >>"$1.json"
	jq -c '[.key, .verdict, .backend, .decided_by, .slot, .slot_owner, .slot_fallback, .owner,
		.fallback, [.entries[] | select(.live) | [.kind, .backend]]]' "$1.json" >"$1"
}

@test "flow lookup --if-down: what each flow gets once the backend is down" {
	steady_start tcp "$vip:80" 60 --source "$(client_v4 1)" --source "$(client_v4 2)"
	steady_rounds tcp 3
	for ((n = 1; n <= 6; n++)); do
		on client curl -s -o /dev/null --max-time 5 --interface "$(client_v4 $n)" "http://$sticky/"
	done
	lbctl flow list --pool web --younger 10s -o json >"$LAB/flows"
	lookups "$LAB/now"
	lookups "$LAB/told" --if-down web3
	expect "$(jq -s '[.[] | select(.now.backend == "web3")] | length' "$LAB/told.json")" -gt 3
	expect "$(jq -s '[.[] | select(.backend == "web3")] | length' "$LAB/told.json")" = 0
	jq -c '[.key, .now.backend, .now.decided_by]' "$LAB/told.json" |
		diff <(jq -c '[.key, .backend, .decided_by]' "$LAB/now.json") -
	stop tcp
	backend_cut web3
	wait_until 30 backend_is web/web3 health down
	wait_until 30 backend_is sticky/web3 health down
	lookups "$LAB/then"
	diff "$LAB/told" "$LAB/then"
	backend_mend web3
	wait_until 30 backend_is web/web3 health up
	wait_until 30 backend_is sticky/web3 health up
}

@test "clients that are known: at once where their backend is gone, with their next flow where it drains" {
	local n there
	for ((n = 1; n <= 40; n++)); do
		on client curl -s -o /dev/null --max-time 5 --interface "$(client_v4 $n)" "http://$sticky/"
	done
	wait_until 30 clients_swept 40
	there=$(lbctl client list sticky -o json | jq '[.clients[] | select(.owner == "web2")] | length')
	expect "$there" -gt 3
	suppose sticky maint sticky/web2
	expect "$(told '[.clients.all, .clients.moving, .clients.moving_later] | join(" ")')" = "40 $there 0"
	suppose sticky drain sticky/web2 --mode clients
	expect "$(told '[.clients.all, .clients.moving, .clients.moving_later] | join(" ")')" = "40 0 0"
	suppose sticky drain sticky/web2
	expect "$(told '[.clients.all, .clients.moving, .clients.moving_later] | join(" ")')" = "40 0 $there"
	lbctl backend drain sticky/web2
	happened sticky
	# Who comes back is elsewhere now, and nobody else moved.
	lbctl client list sticky -o json | jq -r '.clients[] | "\(.address) \(.owner)"' | sort >"$LAB/before"
	for ((n = 1; n <= 40; n++)); do
		on client curl -s -o /dev/null --max-time 5 --interface "$(client_v4 $n)" "http://$sticky/"
	done
	lbctl client list sticky -o json | jq -r '.clients[] | "\(.address) \(.owner)"' | sort >"$LAB/after"
	expect "$(diff "$LAB/before" "$LAB/after" | grep -c '^<')" = "$there" "clients that moved"
	expect "$(diff "$LAB/before" "$LAB/after" | grep -c '^< .* web2')" = "$there" "of web2"
}

@test "in words, and what is wrong" {
	run -0 lbctl what-if kill web/web1
	[[ $output == *"what if"*"kill web/web1 (nothing is changed)"*"slots"*"of 4099 get another owner"* ]]
	[[ $output == *"BACKEND"*"web1"*"0.0%"* ]]
	run -4 lbctl what-if kill web/web9
	run -4 lbctl what-if kill wbe/web1
	[[ $output == *"did you mean web?"* ]]
	run -5 lbctl what-if add web/web1
	run -2 lbctl what-if add web/-
	run -2 lbctl what-if weight web/web1 70000
	run -2 lbctl what-if drain web/web1 --mode some
	run -2 lbctl what-if kill web1
	run -2 lbctl what-if kil web/web1
	[[ $output == *"did you mean kill?"* ]]
}

@test "who may only read may ask" {
	chmod 755 "$LAB" "$LAB/$INSTANCE"
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" what-if kill web/web1
}
