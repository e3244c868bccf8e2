#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# DNS over UDP and TCP: dig, and two servers that answer with their own names, so that the answers show
# where each question went. The network is drawn in topology.bash:
#
#   client -- router -- bridge -- balancer (eth0)    VIPs 192.0.2.10, 2001:db8::10: each flow for itself
#                          '----- web1, web2         192.0.2.11, 2001:db8::11: affinity by client
#
# web1 is reached at its IPv4 address, web2 at its IPv6 one: each family goes through a tunnel of each.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

# The question for name.test, and how the server's answer with one record begins.
check="type: udp, port: 53, send: '\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04name\x04test\x00\x00\x10\x00\x01',
  expect: '\x00\x07\x85\x80\x00\x01\x00\x01', interval: 200ms, timeout: 200ms, hold_down: 0s"

vips=(192.0.2.10 2001:db8::10 192.0.2.11 2001:db8::11)

# dns_start NAME: has a TXT record with that, and one that no datagram of 512 bytes holds.
dns_start()
{
	local filler
	printf -v filler ',%0200d' 0 0 0 0 0
	spawn "dns-$1" "$1" dnsmasq --keep-in-foreground --log-facility=- --log-queries --conf-file=/dev/null \
		--pid-file= --user=root --no-resolv --no-hosts --bind-interfaces \
		"${vips[@]/#/--listen-address=}" --txt-record="name.test,$1" --txt-record="large.test,$1$filler"
	wait_until 30 answers_itself "$1"
}

answers_itself() { [[ $(on "$1" dig "@${vips[0]}" +short +tries=1 +time=1 TXT name.test) == "\"$1\"" ]]; }

pool() # NAME AFFINITY VIP4 VIP6
{
	pools+="- {name: $1, affinity: {$2}, table_size: 251, check: {$check}, backends: [{name: web1, address: '$(
		backend_v4 1)'}, {name: web2, address: '$(backend_v6 2)'}]}"$'\n'
	services+="- {name: dns-$1, pool: $1, listen: ['udp://$3:53', 'udp://[$4]:53', 'tcp://$3:53', 'tcp://[$4]:53']}"$'\n'
}

setup_file()
{
	local n pools="" services=""
	lab_open
	network_add 8
	balancer_add balancer 1 one "${vips[@]}"
	for n in 1 2; do
		backend_add web$n $n "${vips[@]}"
		backend_decap web$n
		dns_start web$n
	done
	pool flow 'key: 5-tuple' "${vips[@]:0:2}"
	pool client 'key: source-ip, prefix_v6: 128' "${vips[@]:2:2}"
	printf '%s\n' "version: 1" "global: {limits: {flows: 10000, clients: 10000}}" \
		"pools:" "$pools" "services:" "$services" | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# ask SOURCE[#PORT] VIP COUNT [OPTION...]: that many questions, one after another; prints the answers' names.
ask()
{
	local n questions=()
	for ((n = 0; n < $3; n++)); do
		questions+=(name.test TXT)
	done
	on client dig "@$2" -b "$1" +short +tries=1 +time=20 "${@:4}" "${questions[@]}" | tr -d '"'
}

# names_of SOURCE VIP COUNT [OPTION...]: each question was answered; prints by whom, in one line.
names_of()
{
	local answers
	answers=$(ask "$@")
	expect "$(grep -cx 'web[12]' <<<"$answers")" = "$3" "answers to questions from $1: '$answers'" || return
	sort -u <<<"$answers" | tr '\n' ' '
}

# answered_by NAMES OPTION...: of dig; questions over many flows of each family and protocol.
answered_by()
{
	local way
	for way in "${@:2}"; do
		expect "$(names_of "$(client_v4 1)" "${vips[0]}" 24 "$way")" = "$1 " "servers ($way)"
		expect "$(names_of "$(client_v6 1)" "${vips[1]}" 24 "$way")" = "$1 " "servers ($way)"
	done
}

@test "UDP and TCP: questions over many flows meet both servers" {
	answered_by "web1 web2" +notcp +tcp
}

@test "UDP: what comes from one port meets one server" {
	local n name
	for n in 1 2 3 4; do
		name=$(names_of "$(client_v4 $n)#4053" "${vips[0]}" 6 +notcp)
		[[ $name == web[12]" " ]]
		name=$(names_of "$(client_v6 $n)#4053" "${vips[1]}" 6 +notcp)
		[[ $name == web[12]" " ]]
	done
}

@test "TCP: many questions over one connection meet one server" {
	local n name
	for n in 1 2 3 4; do
		name=$(names_of "$(client_v4 $n)" "${vips[0]}" 6 +tcp +keepopen)
		[[ $name == web[12]" " ]]
		name=$(names_of "$(client_v6 $n)" "${vips[1]}" 6 +tcp +keepopen)
		[[ $name == web[12]" " ]]
	done
}

@test "affinity by client: one server for all of a client's questions, over UDP and TCP" {
	local n family vip name seen=""
	for family in v4 v6; do
		vip=${vips[2]}
		[[ $family == v4 ]] || vip=${vips[3]}
		for n in {1..8}; do
			name=$(names_of "$(client_$family "$n")" "$vip" 4 +notcp)
			expect "$(names_of "$(client_$family "$n")" "$vip" 4 +tcp)" = "$name" "server over TCP"
			[[ $name == web[12]" " ]]
			seen+="$family $name"$'\n'
		done
	done
	expect "$(sort -u <<<"$seen" | grep -c web)" = 4 "servers of each family's clients together"
}

@test "an answer that was cut short over UDP is asked for again over TCP, of the same server" {
	local source vip pair
	for pair in "$(client_v4 1) ${vips[2]}" "$(client_v6 1) ${vips[3]}"; do
		read -r source vip <<<"$pair"
		run -0 on client dig "@$vip" -b "$source" +tries=1 +time=20 +bufsize=512 large.test TXT
		echo "$output"
		[[ $output == *"retrying in TCP mode"* ]]
		expect "$(grep -o '"web[12]"' <<<"$output" | tr -d '"') " = "$(names_of "$source" "$vip" 1)" server
		expect "$(wc -c <<<"$output")" -gt 1000 "bytes of the answer"
	done
}

@test "a server that answers no more gets no questions, until it is back" {
	stop dns-web2
	wait_until 30 backend_is flow/web2 health down
	wait_until 30 backend_is flow/web2 slots 0
	answered_by web1 +notcp +tcp
	dns_start web2
	wait_until 30 backend_is flow/web2 health up
	wait_until 30 not backend_is flow/web2 slots 0
	# New flows of UDP cannot be told from old ones, which stay for the idle timeout.
	answered_by "web1 web2" +tcp
}
