#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Configurations as a whole: diff, apply, export, dry runs that tell slots, and changes that are not
# lost to somebody else's (ETag, If-Match). Random configurations are tests/unit/test_overrides_whole.c's.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1 .. web3       without servers: nothing is checked

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

# configuration [BACKENDS] [KEYS OF THE POOL]
configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  forward: l2
		  table_size: 1009
		  ${2-}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		${1-}
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
	for n in 1 2 3; do
		backend_add web$n $n 192.0.2.10
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# The file again, and nothing but the file.
setup()
{
	configuration | config
	lbctl reload >/dev/null
	lbctl config apply "$LAB/$INSTANCE/lbd.yaml" --break-flows >/dev/null
}

api() { curl -s --unix-socket "$LAB/$INSTANCE/lbd.sock" "$@"; }
exported() { lbctl config export | grep -v '^#'; }
overrides() { lbctl status -o json | jq .overrides; }
digest() { lbctl pool show web -o json | jq -r .table_digest; }
slots() { lbctl backend list web -o json | jq -c '[.backends[] | {(.name): .slots}] | add'; }

# A file that differs from it in everything that can be changed at run time.
other()
{
	cat <<-EOT
		version: 1
		global: {metrics: "127.0.0.1:9555", limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  forward: l2
		  table_size: 1009
		  track: always
		  idle_timeout: {udp: 7s}
		  backends:
		  - {name: web2, address: $(backend_v4 2), weight: 50}
		  - {name: web3, address: $(backend_v4 3), admin: drain, drain_deadline: 1h}
		- name: more
		  forward: l2
		  backends: [{name: web1, address: $(backend_v4 1)}]
		services:
		- {name: http, listen: ["tcp://192.0.2.10:80", "tcp://192.0.2.10:81"], pool: web}
		- {name: dns, listen: "udp://192.0.2.10:53", pool: more}
	EOT
}

@test "diff: nothing differs, status 0; a change at run time, a file that was edited: status 1" {
	run -0 lbctl config diff
	expect "$output" = ""
	lbctl backend weight web/web1 50
	configuration "  - {name: web3, address: $(backend_v4 3)}" "on_down: keep" | config
	run -1 lbctl config diff
	[[ $output == *"backend web/web1 (changed at run time)"*"weight: file 100, running 50"* ]]
	[[ $output == *"backend web/web3: only in the file (the file was edited"* ]]
	[[ $output == *'pool web (the file was edited'*'on_down: file "keep", running "move"'* ]]
	[[ $output == *"table web, with the file alone: "*" of 1009 slots "* ]]
	expect "$(lbctl config diff -o json | jq -c '[.differences[] | [.object, .where, .origin]]')" = \
		'[["pool web","both","file"],["backend web/web1","both","run time"],["backend web/web3","file","file"]]'
}

@test "diff: a file that cannot be read, or no lbd: status 2" {
	echo 'version: 2' | config
	run -2 lbctl config diff
	[[ $output == *"lbd.yaml:1:10: error:"* ]]
	configuration | config
	run -2 "$BUILD/lbctl" --socket "$LAB/none.sock" config diff
}

@test "apply what runs: nothing changes, be it the file or with changes at run time" {
	local before
	run -0 lbctl config apply "$LAB/$INSTANCE/lbd.yaml"
	expect "$output" = "nothing to change"
	lbctl backend weight web/web1 50
	lbctl backend add web/web3 "$(backend_v4 3)"
	lbctl service add dns udp://192.0.2.10:53 --forward l2
	exported >"$LAB/export.yaml"
	before=$(digest) made=$(stat -c %i "$LAB/$INSTANCE/state/state.json")
	run -0 lbctl config diff "$LAB/export.yaml"
	run -0 lbctl config apply "$LAB/export.yaml"
	expect "$output" = "nothing to change"
	expect "$(digest)" = "$before"
	expect "$(stat -c %i "$LAB/$INSTANCE/state/state.json")" = "$made"
	expect "$(overrides)" = 3
}

@test "export and apply: there and back, over a restart, and the file alone again" {
	local here there
	here=$(exported)
	other >"$LAB/other.yaml"
	run -0 lbctl config apply "$LAB/other.yaml"
	run -0 lbctl config apply "$LAB/other.yaml"
	expect "$output" = "nothing to change"
	there=$(exported)
	[[ $there == *"name: more"* && $there == *"track: always"* && $there == *9555* ]]
	expect "$(backend_field web/web3 admin)" = drain
	lbd_stop KILL
	lbd_start
	expect "$(exported)" = "$there"
	lbctl reload # of a file that did not change: what was applied stays
	expect "$(exported)" = "$there"
	lbctl config apply - <<<"$here"
	expect "$(exported)" = "$here"
	expect "$(overrides)" = 0
	lbctl config apply - <<<"$there"
	expect "$(exported)" = "$there"
}

@test "the file's new word on one object takes that one back, and no other" {
	other >"$LAB/other.yaml"
	lbctl config apply "$LAB/other.yaml"
	configuration "" "track: changed
  on_down: keep" | config
	lbctl reload
	expect "$(lbctl config export -o json | jq -c '.pools[] | select(.name == "web")
		| [.on_down, .track, .idle_timeout.udp]')" = '["keep","changed","1m"]'
	expect "$(backend_field web/web2 weight)" = 50
	lbctl service show dns
	wait_until 30 grep -q "pool web: the file changed it" "$LAB/log/lbd-$INSTANCE"
}

@test "apply a bad file: every error, status 2, nothing changes" {
	local before
	before=$(exported)
	configuration "  - {name: web1, adress: x}" >"$LAB/bad.yaml"
	run -2 lbctl config apply "$LAB/bad.yaml"
	[[ $output == *"bad.yaml:11:"*"bad.yaml:11:"* ]]
	# Past lbctl, too.
	run -0 api -X PUT -d '{"version": 1, "pools": [{"name": "x", "weigth": 1}]}' http://lbd/v1/config
	expect "$(jq -r .error.code <<<"$output")" = usage
	[[ $(jq -r .error.details <<<"$output") == *weigth* ]]
	expect "$(exported)" = "$before"
}

@test "apply what moves most flows: refused, told by a dry run, done with --break-flows" {
	configuration | sed 's/table_size: 1009/table_size: 2003/' >"$LAB/resized.yaml"
	run -5 lbctl config apply "$LAB/resized.yaml"
	run -0 lbctl config apply "$LAB/resized.yaml" -n
	[[ $output == *"table_size 1009 -> 2003"*"of its flows, which break"* ]]
	run -1 lbctl config diff "$LAB/resized.yaml"
	run -0 lbctl config apply "$LAB/resized.yaml" --break-flows
	expect "$(lbctl pool show web -o json | jq .table_size)" = 2003
}

@test "apply a check that runs a program: not permitted, but as the file has it" {
	configuration "" "check: {type: exec, command: [/bin/true], interval: 10s}" >"$LAB/exec.yaml"
	run -6 lbctl config apply "$LAB/exec.yaml"
	config <"$LAB/exec.yaml"
	lbctl reload
	run -0 lbctl config apply "$LAB/exec.yaml"
	expect "$output" = "nothing to change"
}

# after_dry_run COMMAND...: nothing changes with -n, and without it the slots become those told.
after_dry_run()
{
	local before told
	before=$(slots)
	told=$(lbctl "$@" -n -o json | jq -c '.changes[] | select(.change == "change table")
		| [.backends[] | select(.slots > 0 or .slots_before > 0) | {(.name): .slots}] | add')
	expect "$(slots)" = "$before"
	lbctl "$@"
	expect "$(jq -c 'with_entries(select(.value > 0))' <<<"$(slots)")" = \
		"$(jq -c 'with_entries(select(.value > 0))' <<<"$told")" "the slots after: $*"
}

takes_slots() { (($(backend_field "$1" slots) > 0)); }

@test "dry run: tells slots and shares, which are those that follow" {
	run -0 lbctl backend weight web/web1 50 -n
	[[ $output == *"would change table web: "*" of 1009 slots (16."*"get another owner for new flows"* ]]
	after_dry_run backend weight web/web1 50
	after_dry_run backend drain web/web2
	after_dry_run backend ready web/web2
	run -0 lbctl backend maint web/web2 -n
	[[ $output == *"established flows of "*" move, too"* ]]
	after_dry_run backend maint web/web2
	after_dry_run backend ready web/web2
	after_dry_run backend del web/web1
	# A new one takes slots when its next hop is known.
	told=$(lbctl backend add web/web3 "$(backend_v4 3)" -n -o json |
		jq '.changes[] | select(.change == "change table") | .backends[] | select(.name == "web3") | .slots')
	lbctl backend add web/web3 "$(backend_v4 3)"
	wait_until 30 takes_slots web/web3
	expect "$(backend_field web/web3 slots)" = "$told"
}

@test "ETag: one that is old is refused, with 412 and with status 5" {
	local tag
	tag=$(api -D - -o "$LAB/config.json" http://lbd/v1/config | tr -d '\r' | sed -n 's/^ETag: //p')
	expect "$(api -o /dev/null -w '%{http_code}' -X PUT -H "If-Match: $tag" -d "@$LAB/config.json" \
		http://lbd/v1/config)" = 200
	lbctl config export >"$LAB/mine.yaml"
	[[ $(head -n 1 "$LAB/mine.yaml") == *"$tag" ]]
	lbctl backend weight web/web1 70 # somebody else
	run -0 api -w '\n%{http_code}' -X PUT -H "If-Match: $tag" -d "@$LAB/config.json" http://lbd/v1/config
	expect "$(tail -n 1 <<<"$output")" = 412
	expect "$(sed '$d' <<<"$output" | jq -r .error.code)" = conflict
	run -5 lbctl config apply "$LAB/mine.yaml" --if-match "$tag"
	expect "$(backend_field web/web1 weight)" = 70
	# A tag of one object says nothing of the others.
	tag=$(api -D - -o /dev/null http://lbd/v1/pools/web/backends/web2 | tr -d '\r' |
		sed -n 's/^ETag: //p')
	lbctl backend weight web/web1 60
	expect "$(api -o /dev/null -w '%{http_code}' -X PATCH -H "If-Match: \"x\", $tag" \
		-d '{"weight": 5}' http://lbd/v1/pools/web/backends/web2)" = 200
	expect "$(api -o /dev/null -w '%{http_code}' -X PATCH -H "If-Match: $tag" \
		-d '{"weight": 6}' http://lbd/v1/pools/web/backends/web2)" = 412
	expect "$(backend_field web/web2 weight)" = 5
	# lbctl shows tags, and takes them on every change.
	tag=$(lbctl backend show web/web2 -o json | jq -r .etag)
	[[ $(lbctl backend show web/web2) == *"etag "*"$tag"* ]]
	run -0 lbctl backend weight web/web2 9 --if-match "$tag"
	run -5 lbctl backend weight web/web2 10 --if-match "$tag"
	[[ $output == *"somebody changed it"* ]]
	run -5 lbctl --if-match "$tag" backend maint web/web2
	run -5 lbctl backend drain web/web2 --if-match "$tag"
	run -5 lbctl backend del web/web2 --if-match "$tag"
	run -5 lbctl reload --if-match "$tag"
	run -5 lbctl service del http --if-match "$tag"
	run -5 lbctl node drain --if-match "$tag"
	expect "$(backend_field web/web2 weight)" = 9
	run -2 lbctl backend show web/web2 --if-match "$tag"
	run -0 lbctl service add other tcp://192.0.2.10:8080 --pool web \
		--if-match "$(lbctl config export | sed -nE '1s/.*ETag: //p')"
	lbctl service del other --if-match "$(lbctl service show other -o json | jq -r .etag)"
}
