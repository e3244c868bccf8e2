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
		  check: {type: tcp, via: direct, port: 80, interval: 300ms, timeout: 250ms, rise: 2, fall: 3, hold_down: 0s}
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
		- name: held
		  check: {hold_down: 4s}
		  backends:
		  - {name: web4, address: $(backend_v4 6)}
		  - {name: web1, address: $(backend_v4 1)}
		- name: stubborn
		  check: {hold_down: 1h}
		  backends:
		  - {name: web3, address: $(backend_v4 5)}
		  - {name: web1, address: $(backend_v4 1)}
		- name: fresh
		  check: {interval: 8s, fast_interval: 8s, rise: 5, fall: 1}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: fresh, listen: "tcp://$vip4:85", pool: fresh}
		- {name: http, listen: "tcp://$vip4:80", pool: web}
		- {name: spare, listen: "tcp://$vip4:81", pool: spare}
		- {name: slow, listen: "tcp://$vip4:82", pool: slow}
		- {name: held, listen: "tcp://$vip4:84", pool: held}
		- {name: stubborn, listen: "tcp://$vip4:83", pool: stubborn}
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
	# Other addresses of theirs, so that what fails in other tests is no flapping here.
	address web3 eth0 "$(backend_v4 5)/24"
	address web4 eth0 "$(backend_v4 6)/24"
	address web2 eth0 "$(backend_v4 7)/24"
	address web3 eth0 "$(backend_v4 8)/24"
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
	wait_until 20 backend_is web/web3 health down
	# It was taken for up, as it had been, until its checks had failed; and nobody else was down.
	expect "$(lbctl events -o json | jq -r 'select(.event == "health" and .pool == "web") |
		"\(.backend) \(.from) \(.to)"')" = "web3 up down" "what became of the pool's health"
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

@test "a new backend takes nothing before its first good check, and needs no second" {
	local began=$SECONDS
	sick 7
	lbctl backend add fresh/sick "$(backend_v4 7)"
	lbctl backend add fresh/well "$(backend_v4 8)"
	wait_until 20 takes fresh/well
	# The fifth one would come after half a minute.
	expect "$((SECONDS - began))" -lt 20 "seconds"
	wait_until 20 backend_is fresh/sick health down
	expect "$(backend_field fresh/sick slots)" = 0 slots
	expect "$(lbctl events | grep "fresh/sick" | grep -c -e "-> up")" = 0 "times that it was up"
	lbctl backend del fresh/sick
	lbctl backend del fresh/well
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
	sick 6
	wait_until 30 backend_is held/web4 health down
	sick
	wait_until 60 backend_is held/web4 health up
}

@test "a backend that flaps is held down, and one sees why and until when" {
	for _ in 1 2; do
		flaps
	done
	sick 6
	wait_until 30 backend_is held/web4 health down
	sick
	expect "$(backend_field held/web4 short_lives)" -ge 2 "short lives"
	expect "$(backend_field held/web4 held_until)" != null "hold-down"
	why held/web4 "held down after"
	# Every view says it.
	[[ $(lbctl pool show held) == *"ready "*"down "*"held down after"* ]]
	[[ $(lbctl backend list held) == *"ready "*"down "*"held down after"* ]]
	run -0 lbctl backend list held -o wide
	[[ $output == *"held down after"* ]]
	run -0 lbctl backend show held/web4
	[[ $output == *"held down"*"until 20"* ]]
	wait_until 60 backend_is held/web4 health up
	expect "$(backend_field held/web4 held_until)" = null "hold-down"
}

@test "a restart, or the death, of lbd forgives no flapping" {
	local until since how
	for _ in 1 2; do
		sick 5
		wait_until 30 backend_is stubborn/web3 health down
		sick
		wait_until 30 backend_is stubborn/web3 health up
	done
	sick 5
	wait_until 30 backend_is stubborn/web3 health down
	sick
	until=$(backend_field stubborn/web3 held_until)
	since=$(backend_field stubborn/web3 since)
	expect "$until" != null "hold-down"
	for how in TERM KILL; do
		lbd_stop "$how"
		lbd_start
		# It is checked again, and well.
		wait_until 30 not backend_is stubborn/web3 last_check null
		wait_until 30 health_of web up 4
		expect "$(backend_field stubborn/web3 health)" = down health
		expect "$(backend_field stubborn/web3 short_lives)" = 2 "short lives"
		expect "$(backend_field stubborn/web3 since)" = "$since" since
		# It is kept by another clock, so that a millisecond may be lost.
		expect "$(($(date -d "$(backend_field stubborn/web3 held_until)" +%s) -
			$(date -d "$until" +%s)))" -le 1 "seconds more of hold-down"
		expect "$(($(date -d "$(backend_field stubborn/web3 held_until)" +%s) -
			$(date -d "$until" +%s)))" -ge -1 "seconds more of hold-down"
	done
}
