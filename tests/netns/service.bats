#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What lbd tells a service manager. The manager here is a socket whose messages end up in a file.
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
		global: {limits: {flows: 1000, clients: 1000}}
		pools:
		- name: web
		  check: {type: icmp, interval: 100ms, timeout: 50ms, via: direct}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
}

setup_file()
{
	lab_open
	network_add 1
	balancer_add balancer 1 one 192.0.2.10
	backend_add web1 1 192.0.2.10
	backend_add web2 2 192.0.2.10
	configuration | config
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	spawn manager balancer python3 "$BATS_TEST_DIRNAME/notify.py" "$LAB/notify"
	wait_until 30 grep -q ready "$LAB/log/manager"
	NOTIFY_SOCKET=$LAB/notify WATCHDOG_USEC=1000000 lbd_start
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# heard TEXT [COUNT]: so many messages with it, or more.
heard() { (($(grep -c -- "$1" "$LAB/log/manager") >= ${2:-1})); }

@test "READY comes once, when the tables are written, with how many backends are usable" {
	wait_until 30 heard "READY=1 STATUS=1 services, "
	expect "$(grep -c READY=1 "$LAB/log/manager")" = 1 "times"
	lbctl flow lookup tcp 198.51.100.11:4000 192.0.2.10:80 >/dev/null
	wait_until 30 heard "STATUS=1 services, 2 of 2 backends usable"
}

@test "the watchdog is fed" {
	local before
	before=$(grep -c WATCHDOG=1 "$LAB/log/manager") || true
	wait_until 30 heard WATCHDOG=1 $((before + 3))
}

@test "a backend that fails changes the status, and one that comes back" {
	local before
	backend_cut web2
	wait_until 30 heard "STATUS=1 services, 1 of 2 backends usable"
	before=$(grep -c "2 of 2 backends usable" "$LAB/log/manager")
	backend_mend web2
	wait_until 60 heard "2 of 2 backends usable" $((before + 1))
}

@test "a reload is announced with its time, and ends with READY, though the file be bad" {
	kill -HUP "$(<"$LAB/pid/lbd-balancer")"
	wait_until 30 heard "READY=1" 2
	expect "$(grep -c "RELOADING=1 MONOTONIC_USEC=[0-9][0-9]*$" "$LAB/log/manager")" = 1 reloads
	echo "nonsense" | config
	kill -HUP "$(<"$LAB/pid/lbd-balancer")"
	wait_until 30 heard "READY=1" 3
	expect "$(grep -c "RELOADING=1" "$LAB/log/manager")" = 2 reloads
	configuration | config
}

@test "the end is announced" {
	lbd_stop
	wait_until 30 heard STOPPING=1
}
