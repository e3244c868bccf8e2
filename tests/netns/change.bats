#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Steady flows through every kind of change: of backends, of the controller, of the program, of the
# network. A flow may only end with the backend that it was on. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10, 2001:db8::10
#                          '----- web1 .. web4       web4 is in no file: tests add it

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10 vip6=2001:db8::10
flows=60

# configuration [MORE BACKENDS]
configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  forward: ipip
		  idle_timeout: {udp: 3s}
		  check: {type: tcp, interval: 300ms, timeout: 250ms, rise: 2, fall: 3}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: "$(backend_v6 2)"}
		  - {name: web3, address: $(backend_v4 3)}
		${1-}
		services:
		- {name: http, listen: ["tcp://$vip4:80", "tcp://[$vip6]:80"], pool: web}
		- {name: echo, listen: ["udp://$vip4:53", "udp://[$vip6]:53"], pool: web}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 8
	balancer_add balancer 1 one $vip4 $vip6
	for n in 1 2 3 4; do
		backend_up web$n $n $vip4 $vip6
		echo_start web$n 53 $vip4 $vip6
	done
	configuration | config
	lb_up
}

teardown_file() { lab_close; }

setup()
{
	steady_start tcp "$vip4:80" $flows --source "$(client_v4 1)" --source "$(client_v4 2)"
	steady_start tcp6 "[$vip6]:80" $flows
	steady_start udp "$vip4:53" $flows --udp
}

teardown()
{
	stop tcp
	stop tcp6
	stop udp
	lab_diagnostics
}

# Lets the flows meet what happened.
meet()
{
	local kind
	for kind in tcp tcp6 udp; do
		steady_rounds $kind 3
	done
}

# Ends them: none may have had an error or changed its backend, but for those of backend $1.
all_went_on()
{
	local kind bad
	meet
	for kind in tcp tcp6 udp; do
		steady_stop $kind
		bad=$(steady $kind '.[] | select(.backends[0] != "'"${1-}"'")
			| select(.error or (.backends | length) != 1) | tojson')
		[[ -z $bad ]] || {
			echo "$kind: $bad" >&2
			return 1
		}
		# A backend that has just come gets no new UDP flows while an old one, which looks
		# the same, may still turn up.
		expect "$(steady $kind '[.[].backends[0]] | unique | length')" \
			-ge "$([[ $kind == udp ]] && echo 2 || echo 3)" "backends that served $kind"
	done
}

# After all_went_on: not one datagram was lost, but by backend $1.
none_lost()
{
	expect "$(steady udp '[.[] | select(.backends[0] != "'"${1-}"'") | .lost] | add')" = 0 \
		"lost datagrams"
}

table_digest() { lbctl pool show web -o json | jq -r '.table_digest // .pool.table_digest'; }

same_table() { [[ $(table_digest) == "$1" ]]; }

takes_slots() { (($(backend_field "$1" slots) > 0)); }

@test "nothing happens: nobody moves" {
	all_went_on
	none_lost
}

@test "a backend is added: flows stay, and new ones reach it" {
	lbctl backend add web/web4 "$(backend_v4 4)"
	wait_until 30 takes_slots web/web4
	expect "$(visit "$(client_v4 3)" $vip4 60 | grep -c web4)" -gt 0 "answers of web4"
	all_went_on
	none_lost
	lbctl backend del web/web4
}

@test "a backend gets weight 0: its flows stay, new ones avoid it" {
	lbctl backend weight web/web2 0
	wait_until 30 backend_is web/web2 slots 0
	run visit "$(client_v4 3)" $vip4 60
	((status == 0))
	[[ $output != *web2* ]]
	all_went_on
	none_lost
	lbctl backend weight web/web2 100
	wait_until 30 takes_slots web/web2
}

@test "a backend is deleted: the others' flows stay" {
	lbctl backend add web/web4 "$(backend_v4 4)"
	wait_until 30 takes_slots web/web4
	lbctl backend del web/web3
	run visit "$(client_v4 3)" $vip4 60
	((status == 0))
	[[ $output != *web3* ]]
	run -4 lbctl backend del web/web3
	all_went_on web3
	none_lost web3
	lbctl backend add web/web3 "$(backend_v4 3)"
	lbctl backend del web/web4
	wait_until 30 takes_slots web/web3
}

@test "a backend dies: checks find out, others' flows stay, and it comes back" {
	backend_cut web1
	wait_until 30 backend_is web/web1 health down
	wait_until 30 backend_is web/web1 slots 0
	expect "$(visit "$(client_v4 3)" $vip4 60 | wc -l)" = 60 answers
	all_went_on web1
	none_lost web1
	backend_mend web1
	wait_until 30 takes_slots web/web1
	[[ $(backend_field web/web1 health) == up ]]
	expect "$(visit "$(client_v4 3)" $vip4 60 | grep -c web1)" -gt 0 "answers of web1"
}

@test "a port is used again, and the backend still has its last connection" {
	# A SYN into what the backend takes for an open connection is answered with an ACK, and the
	# client's RST to that has to find the same way (RFC 5961, section 4).
	steady_start old "$vip4:80" 100 --source "$(client_v4 4)" --ports-from 20000
	backend_cut web1
	wait_until 10 backend_is web/web1 slots 0
	steady_stop old
	backend_mend web1
	wait_until 10 takes_slots web/web1
	steady_start new "$vip4:80" 100 --source "$(client_v4 4)" --ports-from 20000
	steady_stop new
	expect "$(steady old '[.[] | select(.backends[0] == "web1")] | length')" -gt 0 \
		"connections that were with web1"
	expect "$(steady new '[.[] | select(.error)] | length')" = 0 "connections without an answer"
	all_went_on web1
}

@test "a server stops and starts: refused connections count as failed checks" {
	stop nginx-web3
	wait_until 30 backend_is web/web3 health down
	wait_until 30 backend_is web/web3 slots 0
	expect "$(visit "$(client_v4 3)" $vip4 60 | wc -l)" = 60 answers
	nginx_start web3
	wait_until 30 takes_slots web/web3
	all_went_on web3
	none_lost web3
}

@test "the controller stops: packets flow, and a new one changes nothing" {
	before=$(table_digest)
	lbd_stop
	run -3 lbctl status
	expect "$(visit "$(client_v4 3)" $vip4 30 | wc -l)" = 30 "answers without lbd"
	meet
	lbd_start
	wait_until 30 same_table "$before"
	all_went_on
	none_lost
	expect "$(lbctl events -o json | jq -s '[.[] | select(.event == "next_hop")] | length')" = 0 \
		"next hops that are told of though they are as they were"
}

@test "the controller is killed: packets flow, and a new one takes the socket over" {
	before=$(table_digest)
	lbd_stop KILL
	expect "$(visit "$(client_v4 3)" $vip4 30 | wc -l)" = 30 "answers without lbd"
	lbd_start
	wait_until 30 same_table "$before"
	all_went_on
	none_lost
}

@test "changes made with lbctl survive stop, kill and start" {
	lbctl backend add web/web4 "$(backend_v4 4)" --weight 300
	lbctl backend weight web/web1 200
	wait_until 30 takes_slots web/web4
	lbd_stop
	lbd_start
	[[ $(backend_field web/web4 weight) == 300 ]]
	[[ $(backend_field web/web1 weight) == 200 ]]
	takes_slots web/web4
	lbd_stop KILL
	lbd_start
	[[ $(backend_field web/web4 weight) == 300 ]]
	[[ $(backend_field web/web1 weight) == 200 ]]
	all_went_on
	none_lost
	lbctl backend del web/web4
	lbctl backend weight web/web1 100
}

# What the pool's table gives to whom.
shares() { lbctl pool show web -o json | jq -c '[.table_digest, [.backends[] | [.name, .slots]]]'; }

served() { lbctl service show http -o json | jq .packets; }

@test "a controller that has just started tells what the data plane holds" {
	# Its first round waits for news of this one, which take their time.
	lbctl service add lost tcp://$vip4:8081
	lbctl backend add lost/nowhere 10.0.0.77
	wait_until 30 backend_unresolved lost/nowhere "no answer"
	before=$(shares) served=$(served)
	expect "$served" -gt 0 "packets of the service"
	lbd_stop KILL
	lbd_start
	now=$(served)
	expect "$(shares)" = "$before" "digest and slots"
	expect "$now" -ge "$served" "packets of the service"
	lbctl service del lost
	all_went_on
	none_lost
}

@test "a backend that died while no controller ran is found out by the next" {
	lbd_stop
	backend_cut web3
	lbd_start
	wait_until 30 backend_is web/web3 health down
	all_went_on web3
	none_lost web3
	backend_mend web3
	wait_until 30 takes_slots web/web3
}

@test "the program is replaced under traffic" {
	before=$(lbload status -o json | jq '.attachments[0].program_id')
	for _ in 1 2 3; do
		lbload replace
		meet
	done
	after=$(lbload status -o json | jq '.attachments[0].program_id')
	expect "$after" != "$before" "program id"
	all_went_on
	none_lost
}

@test "reload: a new backend and a new weight in the file" {
	configuration "  - {name: web4, address: $(backend_v4 4), weight: 2}" | config
	lbctl reload
	wait_until 30 takes_slots web/web4
	[[ $(backend_field web/web4 weight) == 2 ]]
	all_went_on
	none_lost
	configuration | config
	lbctl reload
	[[ -z $(backend_field web/web4 weight) ]]
}

@test "SIGHUP reads the file again" {
	configuration "  - {name: web4, address: $(backend_v4 4)}" | config
	kill -HUP "$(<"$LAB/pid/lbd-balancer")"
	wait_until 30 takes_slots web/web4
	configuration | config
	kill -HUP "$(<"$LAB/pid/lbd-balancer")"
	wait_until 30 backend_is web/web4 weight ""
	all_went_on
	none_lost
}

@test "a bad file changes nothing: every error, exit status 2" {
	before=$(table_digest)
	configuration "  - {name: web4, adress: 10.0.0.14, weight: many}" | config
	run -2 lbctl reload
	[[ $output == *adress* && $output == *address* && $output == *many* ]]
	expect "$(table_digest)" = "$before" "digest of the table"
	kill -HUP "$(<"$LAB/pid/lbd-balancer")"
	wait_until 30 grep -q adress "$LAB/log/lbd-balancer"
	running lbd-balancer
	expect "$(table_digest)" = "$before" "digest of the table"
	all_went_on
	none_lost
	configuration | config
}

@test "an lbctl change outlives a reload of the same file" {
	lbctl backend weight web/web2 500
	lbctl reload
	[[ $(backend_field web/web2 weight) == 500 ]]
	lbctl backend weight web/web2 100
	all_went_on
	none_lost
}

@test "a backend gets another network card" {
	on web1 ip link set eth0 address 02:00:00:00:11:11
	wait_until 30 backend_is web/web1 next_hop.mac 02:00:00:00:11:11
	all_went_on
}

@test "a backend's route changes" {
	# The address is on web1 and web4; the balancer's route decides which of them has it.
	address web1 lo 10.9.0.1/32
	address web4 lo 10.9.0.1/32
	on balancer ip route add 10.9.0.1 via "$(backend_v4 1)"
	lbctl service add moving tcp://$vip4:8080
	lbctl backend add moving/it 10.9.0.1
	for n in 1 4; do
		spawn moving-web$n web$n socat TCP-LISTEN:8080,fork,reuseaddr SYSTEM:"echo web$n"
		wait_until 30 on web$n socat -u TCP:127.0.0.1:8080 -
	done
	answer() { on client socat -u TCP:$vip4:8080,connect-timeout=1 -; }
	answers() { [[ $(answer) == "$1" ]]; }
	wait_until 30 answers web1
	on balancer ip route replace 10.9.0.1 via "$(backend_v4 4)"
	wait_until 30 answers web4
	on balancer ip route del 10.9.0.1
	on balancer ip route add unreachable 10.9.0.1
	wait_until 30 backend_is moving/it next_hop.resolved false
	wait_until 30 backend_is moving/it slots 0
	on balancer ip route del unreachable 10.9.0.1
	on balancer ip route add 10.9.0.1 via "$(backend_v4 4)"
	wait_until 30 answers web4
	lbctl service del moving
	stop moving-web1
	stop moving-web4
	all_went_on
	none_lost
}

@test "a backend without a next hop takes no traffic, and is reported" {
	lbctl service add lost tcp://$vip4:8081
	lbctl backend add lost/here "$(backend_v4 1)"
	lbctl backend add lost/nowhere 10.0.0.77
	wait_until 30 backend_is lost/here next_hop.resolved true
	[[ $(backend_field lost/nowhere slots) == 0 ]]
	wait_until 30 backend_unresolved lost/nowhere "no answer"
	wait_until 30 takes_slots lost/here
	run -0 lbctl backend list lost
	[[ $output == *nowhere* ]]
	lbctl service del lost
	all_went_on
	none_lost
}
