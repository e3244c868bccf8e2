#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is made of checks: mass failures, backups, panic, hold-down, slow start, restarts. Checks are
# made to fail on the balancer itself, for any number of backends at one moment, while the backends
# go on serving: so that flows tell what lbd did about it.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10
flows=60

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults:
		  check: {type: tcp, via: direct, port: 80, interval: 300ms, timeout: 250ms, rise: 2, fall: 3, hold_down: 4s}
		pools:
		- name: web
		  track: always
		  panic_threshold: 50%
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		  - {name: web3, address: $(backend_v4 3)}
		  - {name: web4, address: $(backend_v4 4)}
		- name: spare
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2), backup: true}
		- name: slow
		  slow_start: 4s
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: "tcp://$vip4:80", pool: web}
		- {name: spare, listen: "tcp://$vip4:81", pool: spare}
		- {name: slow, listen: "tcp://$vip4:82", pool: slow}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 4
	balancer_add balancer 1 one $vip4
	for n in 1 2 3 4; do
		backend_up web$n $n $vip4
	done
	on balancer nft -f - <<-EOT
		table ip lab {
			set sick { type ipv4_addr; }
			chain output {
				type filter hook output priority 0;
				ip daddr @sick tcp dport 80 reject with tcp reset
			}
		}
	EOT
	configuration | config
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	lbd_start
	wait_until 20 health_of web up 4
	wait_until 20 takes web/web4
}

teardown_file() { lab_close; }

setup()
{
	sick
	wait_until 60 health_of web up 4
	wait_until 10 takes web/web4
	wait_until 10 mode_is web normal
	steady_start tcp "$vip4:80" $flows
}

teardown()
{
	stop tcp
	lab_diagnostics
}

# sick N...: from now on these backends' checks fail; none: all are well.
sick()
{
	local n list=
	for n; do
		list+="${list:+, }$(backend_v4 "$n")"
	done
	on balancer nft -f - <<-EOT
		flush set ip lab sick
		${list:+add element ip lab sick { $list \}}
	EOT
}

# health_of POOL HEALTH COUNT: so many of its backends have it.
health_of()
{
	[[ $(lbctl backend list "$1" -o json |
		jq --arg health "$2" '[.backends[] | select(.health == $health)] | length') == "$3" ]]
}

takes() { (($(backend_field "$1" slots) > 0)); }

# mode_is POOL MODE
mode_is() { [[ $(lbctl pool show "$1" -o json | jq -r .mode) == "$2" ]]; }

# why POOL/NAME TEXT
why() { [[ $(backend_field "$1" why) == *"$2"* ]]; }

# Each flow went on, with one backend, but for those of backend $1.
all_went_on()
{
	local bad
	steady_rounds tcp 3
	steady_stop tcp
	bad=$(steady tcp '.[] | select(.backends[0] != "'"${1-}"'")
		| select(.error or (.backends | length) != 1) | tojson')
	[[ -z $bad ]] || {
		echo "$bad" >&2
		return 1
	}
	expect "$(steady tcp '[.[].backends[0]] | unique | length')" -ge 3 "backends that served"
}

@test "one backend fails: it is down alone, and its flows move" {
	sick 2
	wait_until 20 backend_is web/web2 health down
	expect "$(backend_field web/web2 slots)" = 0 slots
	expect "$(backend_field web/web2 effective_weight)" = 0 "effective weight"
	expect "$(backend_field web/web2 weight)" = 100 weight
	expect "$(backend_field web/web2 admin)" = ready "admin state"
	mode_is web normal
	all_went_on web2
	sick
	wait_until 30 health_of web up 4
	wait_until 10 takes web/web2
}

@test "all fail at once: panic comes before any flow moves" {
	sick 1 2 3 4
	wait_until 20 health_of web down 4
	wait_until 10 mode_is web panic
	for n in 1 2 3 4; do
		takes web/web$n
		expect "$(backend_field web/web$n effective_weight)" = 100 "effective weight"
		why web/web$n "panic"
	done
	expect "$(visit "$(client_v4 3)" $vip4 60 | wc -l)" = 60 answers
	all_went_on

	# A new controller finds them down and used, and leaves it at that.
	steady_start tcp "$vip4:80" $flows
	lbd_stop KILL
	lbd_start
	wait_until 10 mode_is web panic
	health_of web down 4
	takes web/web1
	sick
	wait_until 60 health_of web up 4
	wait_until 10 mode_is web normal
	all_went_on
}

@test "more fail than panic allows: the first ones are not lost either" {
	sick 1 2 3
	wait_until 20 health_of web down 3
	wait_until 10 mode_is web panic
	all_went_on
	sick
	wait_until 60 health_of web up 4
	wait_until 10 mode_is web normal
}

@test "lbd starts anew: nobody is down, whatever the first checks say" {
	lbd_stop
	sick 3
	lbd_start
	health_of web up 4
	wait_until 20 backend_is web/web3 health down
	all_went_on web3
	sick
	wait_until 60 health_of web up 4
	wait_until 10 takes web/web3
}

@test "a backup is used when no other is up, and keeps its slots no longer" {
	wait_until 30 backend_is spare/web1 health up
	wait_until 10 backend_is spare/web2 slots 0
	expect "$(backend_field spare/web2 health)" = up "health of the backup"
	why spare/web2 "a backup, not needed"
	sick 1
	wait_until 20 takes spare/web2
	mode_is spare backup
	expect "$(backend_field spare/web1 slots)" = 0 "slots of the failed one"
	sick
	wait_until 60 takes spare/web1
	wait_until 10 backend_is spare/web2 slots 0
	# The operator's word counts as much.
	lbctl backend maint spare/web1
	wait_until 10 takes spare/web2
	lbctl backend ready spare/web1
	wait_until 10 takes spare/web1
}

@test "slow start: the weight comes in steps" {
	wait_until 60 backend_is slow/web2 effective_weight 100
	lbctl backend maint slow/web2
	wait_until 10 backend_is slow/web2 slots 0
	lbctl backend ready slow/web2
	wait_until 10 takes slow/web2
	expect "$(backend_field slow/web2 effective_weight)" -lt 100 "effective weight"
	expect "$(backend_field slow/web2 slots)" -lt "$(backend_field slow/web1 slots)" slots
	why slow/web2 "slow start"
	wait_until 30 backend_is slow/web2 effective_weight 100
	why slow/web2 ""
}

flaps()
{
	sick 4
	wait_until 30 backend_is web/web4 health down
	sick
	wait_until 60 backend_is web/web4 health up
}

@test "a backend that flaps is held down, and one sees why and until when" {
	for _ in 1 2; do
		flaps
	done
	sick 4
	wait_until 30 backend_is web/web4 health down
	sick
	expect "$(backend_field web/web4 short_lives)" -ge 2 "short lives"
	expect "$(backend_field web/web4 held_until)" != null "hold-down"
	why web/web4 "held down after"
	run -0 lbctl backend list web -o wide
	[[ $output == *"held down after"* ]]
	run -0 lbctl backend show web/web4
	[[ $output == *"held down"*"until 20"* ]]
	wait_until 60 backend_is web/web4 health up
	expect "$(backend_field web/web4 held_until)" = null "hold-down"
}
