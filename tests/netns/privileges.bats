#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What lbd may do, and who may do what to it. The user and the group lbd exist only here: /etc/passwd and
# /etc/group are others in the sandbox's mount namespace.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

# CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF
four=000000c000003000

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 1000, clients: 1000}, metrics: "127.0.0.1:9555", vip: interface}
		pools:
		- name: web
		  check: {type: icmp, interval: 200ms, timeout: 100ms} # through the tunnel
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		- name: told
		  check: {type: exec, command: [$LAB/told], interval: 200ms, timeout: 200ms}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
}

setup_file()
{
	[[ -n ${LIMPET_SANDBOX-} ]] || skip "changes /etc/passwd: needs tests/netns/sandbox"
	lab_open
	chmod 711 "$LAB/bpf"
	{ cat /etc/passwd && echo "lbd:x:961:961::/nonexistent:/usr/sbin/nologin"; } >"$LAB/passwd"
	{ cat /etc/group && echo "lbd:x:961:"; } >"$LAB/group"
	mount --bind "$LAB/passwd" /etc/passwd
	mount --bind "$LAB/group" /etc/group
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	# Answers to checks through the tunnel come from a VIP that it holds itself.
	on balancer sysctl -qw net.ipv4.conf.eth0.accept_local=1
	backend_up web1 1 192.0.2.10
	backend_up web2 2 192.0.2.10
	mkdir -m 777 "$LAB/says"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\ngrep Cap /proc/self/status >%s/says/$(id -u)\n' "$LAB" >"$LAB/told"
	chmod 755 "$LAB/told"
	configuration | config
	mkdir -m 750 "$LAB/balancer/run"
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
}

teardown_file()
{
	umount /etc/passwd /etc/group
	lab_close
}

teardown()
{
	lab_diagnostics
	lbd_stop
}

lbctl() { "$BUILD/lbctl" --socket "$LAB/balancer/run/lbd.sock" "$@"; }

# The command line, for whoever is to run it.
lbd_words()
{
	printf '%s\n' "$BUILD/lbd" -c "$LAB/balancer/lbd.yaml" --pin-dir "$LAB/bpf/balancer" \
		--socket "$LAB/balancer/run/lbd.sock" --state-dir "$LAB/balancer/state"
}

# lbd_as COMMAND...: COMMAND runs lbd.
lbd_as()
{
	local words
	mapfile -t words < <(lbd_words)
	spawn lbd-balancer balancer "$@" "${words[@]}"
	wait_until 30 lbctl status && return 0
	cat "$LAB/log/lbd-balancer" >&2
	return 1
}

status_of() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$(<"$LAB/pid/lbd-balancer")/status"; }

holds_four_alone()
{
	local set
	for set in CapEff CapPrm; do
		expect "$(status_of "$set")" = $four "$set"
	done
	expect "$(status_of CapAmb)" = 0000000000000000 CapAmb
	expect "$(status_of CapInh)" = 0000000000000000 CapInh
	expect "$(status_of NoNewPrivs)" = 1 NoNewPrivs
}

# This lbd has published tables: it waits for answers to its first checks.
published() { lbctl events -o json | jq -es 'any(.. | .event?; . == "publish")'; }

works()
{
	wait_until 30 published
	wait_until 30 pools_settled
	expect "$(visit "$(client_v4 1)" 192.0.2.10 10 | wc -l)" = 10 answers
	lbctl backend maint web/web2
	wait_until 30 backend_is web/web2 slots 0
	expect "$(visit "$(client_v4 1)" 192.0.2.10 10 | grep -c web1)" = 10 "answers of web1"
	lbctl backend ready web/web2
	wait_until 30 backend_is web/web2 health up
	lbctl flow lookup tcp 198.51.100.11:4000 192.0.2.10:80 >/dev/null
	lbctl reload
	on balancer curl -sf http://127.0.0.1:9555/metrics >"$LAB/metrics"
	grep -q 'lbd_xdp_attached{interface="eth0",mode="native"} 1' "$LAB/metrics"
	[[ -n $(on balancer ip -o address show dev eth0 to 192.0.2.10) ]]
	expect "$(grep -c "VIP .*: announcing" "$LAB/log/lbd-balancer")" = 0 "announcements that failed"
	expect "$(grep -c "sweeping them" "$LAB/log/lbd-balancer")" = 0 "complaints of sweeps"
}

# access PATH: mode, owner, group
access() { stat -c '%a %U %G' "$1"; }

@test "lbload makes pins for root and group lbd" {
	local file
	expect "$(access "$LAB/bpf/balancer")" = "750 root lbd" "the directory"
	for file in "$LAB"/bpf/balancer/*; do
		expect "$(access "$file")" = "660 root lbd" "$file"
	done
}

@test "started as root with --user lbd: another user, four capabilities, and everything works" {
	lbd_as env # $BUILD/lbd is run by env, as root
	lbd_stop
	spawn lbd-balancer balancer "$BUILD/lbd" --user lbd -c "$LAB/balancer/lbd.yaml" \
		--pin-dir "$LAB/bpf/balancer" --socket "$LAB/balancer/run/lbd.sock" \
		--state-dir "$LAB/balancer/state"
	wait_until 30 lbctl status
	expect "$(status_of Uid)" = 961 Uid
	expect "$(status_of Gid)" = 961 Gid
	holds_four_alone
	expect "$(status_of CapBnd)" = $four CapBnd
	works
	expect "$(access "$LAB/balancer/run/lbd.sock")" = "660 lbd lbd" "the socket"
	expect "$(access "$LAB/balancer/state")" = "700 lbd lbd" "the state directory"
	expect "$(access "$LAB/balancer/state/state.json")" = "600 lbd lbd" "the state file"
}

# exec_has_none UID: an exec check ran as that user, and had no capability.
exec_has_none()
{
	wait_until 30 grep -q CapAmb "$LAB/says/$1"
	expect "$(grep -v CapBnd "$LAB/says/$1" | awk '{ print $2 }' | sort -u)" = \
		0000000000000000 "its capabilities"
	expect "$(awk '$1 == "CapBnd:" { print $2 }' "$LAB/says/$1")" = $four "its bounds"
}

@test "an exec check runs as lbd's user, without capabilities" {
	spawn lbd-balancer balancer "$BUILD/lbd" --user lbd -c "$LAB/balancer/lbd.yaml" \
		--pin-dir "$LAB/bpf/balancer" --socket "$LAB/balancer/run/lbd.sock" \
		--state-dir "$LAB/balancer/state"
	wait_until 30 lbctl status
	exec_has_none 961
}

@test "started as root without --user: root's files, but the same four capabilities" {
	chown -R root:root "$LAB/balancer/state" "$LAB/balancer/run"
	on balancer ip address del 192.0.2.10/32 dev eth0
	lbd_as env
	expect "$(status_of Uid)" = 0 Uid
	holds_four_alone
	exec_has_none 0
	works
	expect "$(access "$LAB/balancer/run/lbd.sock")" = "660 root lbd" "the socket"
}

@test "started as lbd by somebody who gives it the capabilities, as systemd does" {
	chown -R lbd:lbd "$LAB/balancer/state" "$LAB/balancer/run"
	lbd_as setpriv --reuid=lbd --regid=lbd --init-groups \
		--inh-caps=+bpf,+perfmon,+net_admin,+net_raw,+sys_ptrace \
		--ambient-caps=+bpf,+perfmon,+net_admin,+net_raw,+sys_ptrace
	expect "$(status_of Uid)" = 961 Uid
	holds_four_alone
	works
}

@test "started unprivileged, it says which capability is lacking, and what to do" {
	local words
	mapfile -t words < <(lbd_words)
	run on balancer setpriv --reuid=lbd --regid=lbd --init-groups "${words[@]}"
	echo "$output"
	expect "$status" = 6 "exit status"
	[[ $output == *"CAP_BPF is lacking"*"CAP_NET_ADMIN"* ]]
	run on balancer setpriv --reuid=lbd --regid=lbd --init-groups \
		--inh-caps=+bpf,+perfmon,+net_admin --ambient-caps=+bpf,+perfmon,+net_admin \
		"${words[@]}"
	expect "$status" = 6 "exit status"
	[[ $output == *"CAP_NET_RAW is lacking"* ]]
	run on balancer "${words[@]}" --user nobody-of-that-name
	expect "$status" = 2 "exit status"
	[[ $output == *"no user nobody-of-that-name"* ]]
}

# refuses PATH HINT: after that, lbd does not start, and names the path.
refuses()
{
	local words said code=0
	mapfile -t words < <(lbd_words)
	said=$(on balancer timeout 30 "${words[@]}" 2>&1) || code=$?
	echo "$said"
	expect "$code" = 6 "exit status"
	[[ $said == *"$1"* && $said == *"$2"* ]]
}

@test "lbd refuses pins and state that others can write, and names them" {
	local pins=$LAB/bpf/balancer state=$LAB/balancer/state
	chown -R root:root "$state" "$LAB/balancer/run"
	chmod 662 "$pins/slots"
	refuses "$pins/slots" "chmod o-w"
	chmod 660 "$pins/slots"
	chgrp daemon "$pins/slots"
	refuses "$pins/slots" "chmod go-w"
	chgrp lbd "$pins/slots"
	chown daemon "$pins/slots"
	refuses "$pins/slots" "belongs to uid"
	chown root "$pins/slots"
	chmod 770 "$pins"
	refuses "$pins" "chmod go-w"
	chmod 750 "$pins"
	chmod 702 "$state"
	refuses "$state" "chmod go-w"
	chmod 700 "$state"
	chmod 602 "$state/state.json"
	refuses "$state/state.json" "chmod 0600"
	chmod 600 "$state/state.json"
	echo '{"version": 1, "admin": "ready"}' >"$state/node.json"
	chmod 602 "$state/node.json"
	refuses "$state/node.json" "chmod go-w"
	rm "$state/node.json"
	lbd_as env
}

@test "the socket is for group lbd, and nobody else" {
	lbd_as env
	chgrp lbd "$LAB/balancer/run"
	run setpriv --reuid=nobody --regid=nogroup --groups=lbd "$BUILD/lbctl" \
		--socket "$LAB/balancer/run/lbd.sock" status
	expect "$status" = 0 "exit status of a member"
	run setpriv --reuid=nobody --regid=nogroup --clear-groups "$BUILD/lbctl" \
		--socket "$LAB/balancer/run/lbd.sock" status
	expect "$status" = 6 "exit status of another"
}

@test "where it may not pass the file system of the pins, it says so" {
	local words
	mapfile -t words < <(lbd_words)
	chown -R lbd:lbd "$LAB/balancer/state" "$LAB/balancer/run"
	chmod 700 "$LAB/bpf"
	run on balancer timeout 30 "${words[@]}" --user lbd
	chmod 711 "$LAB/bpf"
	echo "$output"
	expect "$status" = 6 "exit status"
	[[ $output == *"chmod o+x $LAB/bpf"* ]]
}
