#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Completion in bash, fish and zsh knows what the running lbd has: services, pools, backends, clients. What
# there is to type beside names is checked in tests/check-completions.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"
# shellcheck source=tests/completion/shells.bash
source "$BATS_TEST_DIRNAME/../completion/shells.bash"

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 1000, clients: 1000}}
		pools:
		- name: web
		  affinity: {key: source-ip, timeout: 10m}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: spare, address: $(backend_v4 2), admin: maint}
		- name: words
		  backends: [{name: ns1, address: $(backend_v4 1)}]
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
		- {name: dns, listen: "udp://192.0.2.10:53", pool: words}
	EOT
}

setup_file()
{
	lab_open
	network_add 1
	balancer_add balancer 1 one 192.0.2.10
	backend_up web1 1 192.0.2.10
	configuration | config
	lb_up
	visit "$(client_v4 1)" 192.0.2.10 1
	export INSTALLED=$LAB/installed
	make -C "$ROOT" --silent --no-print-directory BUILD="$BUILD" DESTDIR="$INSTALLED" PREFIX=/usr install
	export PATH=$INSTALLED/usr/sbin:$PATH LBD_SOCKET=$LAB/balancer/lbd.sock
	unset -f lbctl lbload
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

completes() # LINE WORD...: in each shell
{
	local shell
	for shell in "${SHELLS[@]}"; do
		expect "$(offered "$shell" "$1")" = "${*:2}" "what $shell makes of '$1'"
	done
}

@test "names of services, pools and backends" {
	completes "lbctl service show " dns http
	completes "lbctl pool show w" web words
	completes "lbctl backend list " web words
	completes "lbctl backend drain web/" web/spare web/web1
	completes "lbctl backend weight web/s" web/spare
	completes "lbctl flow list --backend " web/spare web/web1 words/ns1
	completes "lbctl service add new tcp://192.0.2.10:81 --pool we" web
}

@test "what is supposed, and what top begins with" {
	completes "lbctl what-if k" kill
	completes "lbctl what-if weight web/s" web/spare
	completes "lbctl flow lookup tcp 1.2.3.4:5 192.0.2.10:80 --if-down wo" words/ns1
	completes "lbctl top --view " backends pools services
}

@test "clients that a pool remembers" {
	completes "lbctl client forget web " "$(client_v4 1)"
}

@test "names of the lbd that the line is for, and none of one that is not there" {
	unset LBD_SOCKET
	completes "lbctl --socket $LAB/balancer/lbd.sock pool show w" web words
	completes "lbctl --socket $LAB/none.sock pool show w"
}
