#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The state file on a disk that is full or read-only, cut, or unreadable: a change that cannot be kept
# is not made, and lbd starts with what there is. Damage of every kind is
# tests/unit/test_overrides_damage.c's, kills are crash.bats's.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1, web2         without servers

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

setup_file()
{
	lab_open
	network_add 1
	balancer_add balancer 1 one 192.0.2.10
	backend_add web1 1 192.0.2.10
	backend_add web2 2 192.0.2.10
	mkdir "$LAB/$INSTANCE/state"
	mount -t tmpfs -o size=64k,mode=700 state "$LAB/$INSTANCE/state"
	config <<-EOT
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
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
	lb_up
}

teardown_file()
{
	stop "lbd-$INSTANCE"
	umount "$LAB/$INSTANCE/state"
	lab_close
}
teardown() { lab_diagnostics; }

setup()
{
	state=$LAB/$INSTANCE/state/state.json
	log=$LAB/log/lbd-$INSTANCE
	lbctl backend weight web/web1 100
	lbctl backend weight web/web2 100
	: >"$log"
}

weight() { backend_field "web/$1" weight; }

@test "a full disk: the change is refused and not made; with room, it is" {
	local before
	lbctl backend weight web/web1 70
	before=$(<"$state")
	# More than any state here: what is written is cut.
	dd if=/dev/zero of="$LAB/$INSTANCE/state/filler" bs=1k count=100 2>/dev/null || true
	run -1 lbctl backend weight web/web1 60
	[[ $output == *"state.json: writing it: No space left on device"*"the change was not made"* ]]
	expect "$(weight web1)" = 70
	expect "$(<"$state")" = "$before"
	expect "$(ls "$LAB/$INSTANCE/state")" = $'filler\nstate.json'
	run -1 lbctl config apply - <<<"$(lbctl config export | sed 's/weight: 70/weight: 50/')"
	expect "$(weight web1)" = 70
	# As full, it starts.
	lbd_stop KILL
	lbd_start
	expect "$(weight web1)" = 70
	rm "$LAB/$INSTANCE/state/filler"
	lbctl backend weight web/web1 60
	expect "$(weight web1)" = 60
}

@test "a disk that went read-only: refused, not made; it starts, and says so" {
	lbctl backend weight web/web1 70
	mount -o remount,ro "$LAB/$INSTANCE/state"
	run -1 lbctl backend weight web/web1 60
	[[ $output == *"Read-only file system"* ]]
	expect "$(weight web1)" = 70
	lbd_stop KILL
	: >"$log"
	lbd_start
	expect "$(weight web1)" = 70
	grep -q "warn: .*state.json: writing it: Read-only file system" "$log"
	mount -o remount,rw "$LAB/$INSTANCE/state"
	lbctl backend weight web/web1 60
	expect "$(weight web1)" = 60
}

# damaged CONTENT: lbd starts with the configuration, keeps what was there, and says so.
damaged()
{
	lbctl backend weight web/web1 70
	lbd_stop
	printf '%s' "$1" >"$state"
	lbd_start
	grep -q "err: state $state is damaged (.*): changes made at run time are lost, and the configuration is used; it is kept as $state.damaged" \
		"$log"
	expect "$(<"$state.damaged")" = "$1"
	expect "$(weight web1)" = 100
	rm "$state.damaged"
	lbctl backend weight web/web1 60
	lbd_stop KILL
	lbd_start
	expect "$(weight web1)" = 60
}

@test "damaged: cut in the middle" {
	lbctl backend weight web/web2 70
	damaged "$(head -c 60 "$state")"
}
@test "damaged: empty, as after a crash of the machine" { damaged ""; }
@test "damaged: no JSON" { damaged "what is this"; }

@test "damaged on a disk that is read-only: it cannot be set aside, and lbd starts" {
	lbctl backend weight web/web1 70
	lbd_stop
	echo x >"$state"
	mount -o remount,ro "$LAB/$INSTANCE/state"
	lbd_start
	grep -q "err: state $state is damaged (.*; it could not be renamed to .*: Read-only file system" "$log"
	expect "$(weight web1)" = 100
	mount -o remount,rw "$LAB/$INSTANCE/state"
}

@test "from a later version: refused, and left alone" {
	lbd_stop
	cp "$state" "$LAB/kept"
	echo '{"version": 99, "overrides": []}' >"$state"
	run -5 on balancer timeout 20 "$BUILD/lbd" -c "$LAB/$INSTANCE/lbd.yaml" --pin-dir "$LAB/bpf/$INSTANCE" \
		--socket "$LAB/$INSTANCE/lbd.sock" --state-dir "$LAB/$INSTANCE/state"
	[[ $output == *"its format is version 99"* ]]
	expect "$(<"$state")" = '{"version": 99, "overrides": []}'
	cp "$LAB/kept" "$state"
	lbd_start
}

@test "not a file, or not to be read: refused with the reason" {
	lbd_stop
	mv "$state" "$LAB/kept"
	mkdir "$state"
	run -1 on balancer timeout 20 "$BUILD/lbd" -c "$LAB/$INSTANCE/lbd.yaml" --pin-dir "$LAB/bpf/$INSTANCE" \
		--socket "$LAB/$INSTANCE/lbd.sock" --state-dir "$LAB/$INSTANCE/state"
	[[ $output == *"state.json: reading it: not a regular file"* ]]
	rmdir "$state"
	mv "$LAB/kept" "$state"
	lbd_start
}
