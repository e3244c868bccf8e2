#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# /metrics, asked as Prometheus asks, over real traffic: what it says, that it agrees with lbctl,
# where it listens, and what it does about clients that mean no good.
#
#   client -- router -- bridge -- balancer (eth0)   VIP 192.0.2.10: TCP 80, UDP 53; metrics on 9555
#                          '----- other    (eth0)   VIP 192.0.2.20, the same metrics address
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

# configuration METRICS [WEIGHT]: METRICS "" is none.
configuration()
{
	local metrics=
	[[ -z $1 ]] || metrics="metrics: \"$1\""
	cat <<-EOT
		version: 1
		global:
		  $metrics
		  limits: {flows: 10000, clients: 10000}
		pools:
		- name: web
		  affinity: {key: source-ip}
		  table_size: 251
		  check: {type: tcp, port: 80, interval: 200ms, timeout: 200ms, rise: 1, fall: 2}
		  backends:
		  - {name: web1, address: $(backend_v4 1), weight: ${2:-100}}
		  - {name: web2, address: $(backend_v4 2)}
		- name: spare
		  table_size: 251
		  backends:
		  - {name: web1, address: $(backend_v4 1), weight: 7}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
		- {name: dns, listen: "udp://192.0.2.10:53", pool: web}
		- {name: udp-only, listen: "udp://192.0.2.10:54", pool: spare}
	EOT
}

setup_file()
{
	local n
	lab_open
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	balancer_add other 2 one 192.0.2.20
	for n in 1 2; do
		backend_up web$n $n 192.0.2.10 192.0.2.20
		echo_start web$n 53 192.0.2.10
	done
	configuration 127.0.0.1:9555 | config
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# scrape [PARAMETERS]: into $LAB/scrape
scrape()
{
	on "$INSTANCE" curl -sS --fail-with-body --max-time 10 \
		"http://${METRICS:-127.0.0.1:9555}/metrics${1-}" >"$LAB/scrape"
}

# value SERIES: of the last scrape
value() { awk -v series="$1" '$1 == series { print $2 }' "$LAB/scrape"; }

# is SERIES VALUE: for wait_until
is() { scrape && [[ $(value "$1") == "$2" ]]; }

status_of() { on balancer curl -s -o "$LAB/answer" -w '%{http_code}' --max-time 10 "$@"; }

# datagrams COUNT SIZE [PORT [TTL]]: sends that many with that much data. Where they are answered it stays
# for the answers: a client that is gone has its kernel send the VIP an ICMP error for each, which
# counts as a packet of the service.
datagrams()
{
	on client python3 -c '
import socket, sys
count, size, port, ttl = map(int, sys.argv[1:])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
for _ in range(count):
    out.sendto(bytes(size), ("192.0.2.10", port))
out.settimeout(20)
for _ in range(count if port == 53 and ttl > 2 else 0):
    out.recv(2048)' "$1" "$2" "${3:-53}" "${4:-64}"
}

# reload_as METRICS [WEIGHT]
reload_as()
{
	configuration "$@" | config
	lbctl reload
}

names=(lbd_build_info
	lbd_service_{packets,bytes,new_flows}_total
	lbd_backend_{packets,bytes,new_flows}_total
	lbd_backend_{up,weight,slots,draining,check_failures_total,transitions_total}
	lbd_backend_check_duration_seconds
	lbd_drops_total lbd_pool_unsettled_slots lbd_pool_clients lbd_pool_pins
	lbd_flow_table_entries lbd_flow_table_limit lbd_client_table_entries
	lbd_table_build_seconds lbd_publish_seconds lbd_xdp_attached
	lbd_config_last_reload_success lbd_config_last_reload_timestamp_seconds)

# ---- what it says ----

@test "every promised name is there, and promtool has nothing to say about any" {
	local name
	command -v promtool >/dev/null || skip "promtool (Debian: prometheus) is not installed"
	scrape
	for name in "${names[@]}"; do
		grep -q "^${name}[{ ]" "$LAB/scrape" || {
			echo "no series $name" >&2
			return 1
		}
	done
	run -0 promtool check metrics <"$LAB/scrape"
	[[ -z $output ]]
	scrape '?scope=service'
	run -0 promtool check metrics <"$LAB/scrape"
	[[ -z $output ]]
}

@test "the type of content is Prometheus', version 0.0.4" {
	run -0 on balancer curl -sI http://127.0.0.1:9555/metrics
	[[ ${output,,} == *"content-type: text/plain; version=0.0.4; charset=utf-8"* ]]
}

@test "UDP: packets and bytes of a service move by what was sent, and by nothing else" {
	local packets bytes forwarded other
	forwarded() { awk '/^lbd_backend_packets_total{pool="web"/ { n += $2 } END { print n }' "$LAB/scrape"; }
	scrape
	packets=$(value 'lbd_service_packets_total{service="dns"}')
	bytes=$(value 'lbd_service_bytes_total{service="dns"}')
	other=$(value 'lbd_service_packets_total{service="http"}')
	forwarded=$(forwarded)
	datagrams 37 100
	wait_until 10 is 'lbd_service_packets_total{service="dns"}' $((packets + 37))
	expect "$(value 'lbd_service_bytes_total{service="dns"}')" = $((bytes + 37 * 128)) bytes
	expect "$(value 'lbd_service_packets_total{service="http"}')" = "$other" "http packets"
	expect "$(forwarded)" = $((forwarded + 37)) "packets of the pool's backends"
}

@test "TCP: a new flow for each connection, on the backend that answered" {
	local before flows backend
	scrape
	flows=$(value 'lbd_service_new_flows_total{service="http"}')
	cp "$LAB/scrape" "$LAB/before"
	visit "$(client_v4 1)" 192.0.2.10 13 >"$LAB/answers"
	backend=$(cut -d' ' -f1 "$LAB/answers" | sort -u)
	before=$(awk -v s="lbd_backend_new_flows_total{pool=\"web\",backend=\"$backend\"}" \
		'$1 == s { print $2 }' "$LAB/before")
	wait_until 10 is 'lbd_service_new_flows_total{service="http"}' $((flows + 13))
	expect "$(value "lbd_backend_new_flows_total{pool=\"web\",backend=\"$backend\"}")" \
		= $((before + 13)) "new flows of $backend"
}

@test "drops: counted under their verdict, not under a backend" {
	local drops service
	scrape
	drops=$(value 'lbd_drops_total{verdict="refused_ttl"}')
	service=$(value 'lbd_service_packets_total{service="dns"}')
	# The router takes one hop, and the balancer has none left.
	datagrams 9 10 53 2
	wait_until 10 is 'lbd_drops_total{verdict="refused_ttl"}' $((drops + 9))
	expect "$(value 'lbd_service_packets_total{service="dns"}')" = $((service + 9)) packets
}

# expect_lines FAMILY: the scrape's series of a family are those on standard input, no more, no less.
expect_lines()
{
	diff <(sort) <(grep "^$1[{ ]" "$LAB/scrape" | sort)
}

# pools_agree KEY
pools_agree()
{
	scrape
	lbctl pool list -o json | jq -r --arg key "$1" \
		'.pools[] | "lbd_pool_\($key){pool=\"\(.name)\"} \(.[$key])"' |
		expect_lines "lbd_pool_$1"
}

@test "all values agree with lbctl -o json" {
	local key
	datagrams 1 1 54
	wait_until 10 is 'lbd_service_packets_total{service="udp-only"}' 1
	lbctl backend weight web/web2 40
	wait_until 10 pools_settled
	scrape
	lbctl backend list -o json >"$LAB/backends.json"
	for key in packets bytes new_flows weight slots; do
		# shellcheck disable=SC2016 # for jq
		jq -r --arg key $key --arg name "lbd_backend_$key$([[ $key == @(weight|slots) ]] || echo _total)" '
			.backends[] | select(.[$key] != null) |
			"\($name){pool=\"\(.pool)\",backend=\"\(.name)\"} \(.[$key])"' \
			"$LAB/backends.json" |
			expect_lines "lbd_backend_$key$([[ $key == @(weight|slots) ]] || echo _total)"
	done
	lbctl service list -o json >"$LAB/services.json"
	for key in packets bytes new_flows; do
		jq -r --arg key $key '.services[] | select(.[$key] != null) |
			"lbd_service_\($key)_total{service=\"\(.name)\"} \(.[$key])"' \
			"$LAB/services.json" | expect_lines "lbd_service_${key}_total"
	done
	lbctl drops -o json | jq -r '.drops[] |
		"lbd_drops_total{verdict=\"\(.verdict)\"} \(.packets)"' | expect_lines lbd_drops_total
	# A sweep in between changes them.
	for key in unsettled_slots tracked_flows clients; do wait_until 10 pools_agree $key; done
	lbctl status -o json >"$LAB/status.json"
	jq -r '.interfaces[] |
		"lbd_xdp_attached{interface=\"\(.interface)\",mode=\"\(.mode)\"} 1"' \
		"$LAB/status.json" | expect_lines lbd_xdp_attached
	jq -r '"lbd_build_info{version=\"\(.version)\"} 1"' "$LAB/status.json" |
		expect_lines lbd_build_info
	expect "$(awk '/^lbd_backend_up{/ { n += $2 } END { print n }' "$LAB/scrape")" \
		= "$(jq .backends_up "$LAB/status.json")" "backends up"
	expect "$(value lbd_flow_table_limit)" = 10000 "the limit"
}

@test "scope=service leaves backends out, and nothing else" {
	scrape
	grep -v '^lbd_backend_\|^# [A-Z]* lbd_backend_' "$LAB/scrape" | cut -d' ' -f1-3 >"$LAB/wanted"
	scrape '?scope=service'
	# Of samples the series alone: traffic goes on between two scrapes.
	diff <(sed '/^#/!s/ .*//' "$LAB/wanted") \
		<(cut -d' ' -f1-3 "$LAB/scrape" | sed '/^#/!s/ .*//')
	run grep -c backend= "$LAB/scrape"
	[[ $output == 0 ]]
}

@test "a backend that fails, and comes back" {
	local series='{pool="web",backend="web2"}' transitions failures
	scrape
	expect "$(value "lbd_backend_up$series")" = 1 up
	transitions=$(value "lbd_backend_transitions_total$series")
	failures=$(value "lbd_backend_check_failures_total$series")
	awk -v t="$(value "lbd_backend_check_duration_seconds$series")" \
		'BEGIN { exit !(t > 0 && t < 0.2) }'
	stop nginx-web2
	wait_until 10 is "lbd_backend_up$series" 0
	expect "$(value "lbd_backend_health$series")" = 0 health
	wait_until 10 is "lbd_backend_effective_weight$series" 0
	expect "$(value "lbd_backend_transitions_total$series")" = $((transitions + 1)) transitions
	expect "$(value "lbd_backend_check_failures_total$series")" -ge $((failures + 2)) failures
	nginx_start web2
	wait_until 10 is "lbd_backend_up$series" 1
	expect "$(value "lbd_backend_transitions_total$series")" = $((transitions + 2)) transitions
	failures=$(value "lbd_backend_check_failures_total$series")
	# Counters outlive a reload.
	lbctl reload
	scrape
	expect "$(value "lbd_backend_check_failures_total$series")" = "$failures" failures
}

@test "drain and maintenance" {
	local series='{pool="web",backend="web2"}'
	lbctl backend drain web/web2
	scrape
	expect "$(value "lbd_backend_draining$series")" = 1 draining
	expect "$(value "lbd_backend_up$series")" = 1 up
	lbctl backend maint web/web2
	scrape
	expect "$(value "lbd_backend_draining$series")" = 0 draining
	expect "$(value "lbd_backend_maintenance$series")" = 1 maintenance
	expect "$(value "lbd_backend_health$series")" = 1 "health, which is another thing"
	expect "$(value "lbd_backend_up$series")" = 0 up
	lbctl backend ready web/web2
}

@test "the program taken off by hand is not attached" {
	scrape
	expect "$(value 'lbd_xdp_attached{interface="eth0",mode="native"}')" = 1 attached
	on balancer ip link set dev eth0 xdpdrv off
	scrape
	expect "$(value 'lbd_xdp_attached{interface="eth0",mode="native"}')" = 0 attached
	lbload detach eth0 || true
	lbload attach eth0 >>"$LAB/log/lbload-balancer"
	scrape
	expect "$(value 'lbd_xdp_attached{interface="eth0",mode="native"}')" = 1 attached
}

@test "other paths, parameters and methods" {
	expect "$(status_of http://127.0.0.1:9555/)" = 200 status
	grep -q /metrics "$LAB/answer"
	expect "$(status_of http://127.0.0.1:9555/v1/status)" = 404 status
	expect "$(status_of 'http://127.0.0.1:9555/metrics?scope=services')" = 400 status
	grep -q '"services".*scope=service' "$LAB/answer"
	expect "$(status_of 'http://127.0.0.1:9555/metrics?scop=service')" = 400 status
	grep -q scop "$LAB/answer"
	expect "$(status_of -X POST -d x http://127.0.0.1:9555/metrics)" = 405 status
	expect "$(status_of -X DELETE http://127.0.0.1:9555/metrics)" = 405 status
	expect "$(status_of -X GET -d x http://127.0.0.1:9555/metrics)" = 400 status
	# One connection serves several requests.
	run -0 on balancer curl -sS -o /dev/null -o /dev/null -w '%{num_connects} ' \
		http://127.0.0.1:9555/metrics http://127.0.0.1:9555/metrics
	expect "$output" = "1 0 " "connections made"
}

# ---- clients that mean no good ----

@test "silent, slow and deaf clients keep nobody from a scrape, or lbctl from an answer" {
	local kind before
	scrape
	before=$(value 'lbd_service_packets_total{service="dns"}')
	for kind in silent slow deaf; do
		spawn "hold-$kind" balancer python3 "$TOPOLOGY_DIR/hold.py" 127.0.0.1 9555 40 $kind
		wait_until 20 grep -q ready "$LAB/log/hold-$kind"
		scrape
		run -0 timeout 10 "$BUILD/lbctl" --socket "$LAB/balancer/lbd.sock" status
	done
	datagrams 1 1
	wait_until 10 is 'lbd_service_packets_total{service="dns"}' $((before + 1))
	for kind in silent slow deaf; do stop "hold-$kind"; done
	scrape
}

# ---- where it listens ----

@test "a reload moves the listener: another port, every address, IPv6, none, and back" {
	scrape
	reload_as 127.0.0.1:9600
	METRICS=127.0.0.1:9600 scrape
	run ! scrape
	# Its own listener is not in the way of the new one.
	reload_as 0.0.0.0:9600
	METRICS=127.0.0.1:9600 scrape
	METRICS=10.0.0.2:9600 scrape
	reload_as 127.0.0.1:9600
	METRICS=127.0.0.1:9600 scrape
	METRICS=10.0.0.2:9600 run ! scrape
	reload_as "[::]:9600"
	METRICS='[::1]:9600' scrape
	METRICS=127.0.0.1:9600 scrape
	reload_as ""
	METRICS=127.0.0.1:9600 run ! scrape
	reload_as 127.0.0.1:9555
	scrape
	expect "$(value lbd_config_last_reload_success)" = 1 success
}

@test "an address in use: the reload is refused, changes nothing, and says so" {
	local at
	spawn taken balancer socat TCP-LISTEN:9700,bind=127.0.0.1,fork,reuseaddr,reuseport /dev/null
	wait_until 10 on balancer bash -c ': </dev/tcp/127.0.0.1/9700'
	reload_as 127.0.0.1:9555 100
	scrape
	at=$(value lbd_config_last_reload_timestamp_seconds)
	configuration 0.0.0.0:9700 55 | config
	run -5 lbctl reload -n
	run -5 lbctl reload
	[[ $output == *"metrics 0.0.0.0:9700: listening: Address already in use"* ]]
	[[ $output == *"ss -ltnp"* && $output == *global.metrics* ]]
	scrape
	expect "$(value 'lbd_backend_weight{pool="web",backend="web1"}')" = 100 weight
	expect "$(value lbd_config_last_reload_success)" = 0 success
	awk -v a="$at" -v b="$(value lbd_config_last_reload_timestamp_seconds)" \
		'BEGIN { exit !(b > a) }'
	stop taken
	run -0 lbctl reload -n -o json
	[[ $output == *"global.metrics"*"127.0.0.1:9555 -> 0.0.0.0:9700"* ]]
	scrape
	METRICS=127.0.0.1:9700 run ! scrape
	reload_as 127.0.0.1:9555
	scrape
	expect "$(value lbd_config_last_reload_success)" = 1 success
}

@test "an address that is not there, and a wrong file: refused" {
	configuration 10.9.9.9:9555 | config
	run -1 lbctl reload
	[[ $output == *"metrics 10.9.9.9:9555: listening: Cannot assign requested address"* ]]
	[[ $output == *"ip address"* ]]
	scrape
	expect "$(value lbd_config_last_reload_success)" = 0 success
	configuration 127.0.0.1 | config
	run -2 lbctl reload
	[[ $output == *"the port is missing"* ]]
	reload_as 127.0.0.1:9555
}

@test "lbd does not start on an address in use, or on a port it may not have" {
	lbd_stop
	spawn taken balancer socat TCP-LISTEN:9555,bind=127.0.0.1,fork,reuseaddr /dev/null
	wait_until 10 on balancer bash -c ': </dev/tcp/127.0.0.1/9555'
	lbd=("$BUILD/lbd" -c "$LAB/balancer/lbd.yaml" --pin-dir "$LAB/bpf/balancer"
		--socket "$LAB/balancer/lbd.sock" --state-dir "$LAB/balancer/state")
	run -5 on balancer timeout 10 "${lbd[@]}"
	[[ $output == *"metrics 127.0.0.1:9555: listening: Address already in use"* ]]
	stop taken
	configuration 127.0.0.1:80 | config
	run -6 on balancer setpriv --bounding-set=-net_bind_service timeout 10 "${lbd[@]}"
	[[ $output == *"metrics 127.0.0.1:80: listening: Permission denied"* ]]
	[[ $output == *CAP_NET_BIND_SERVICE* ]]
	configuration 127.0.0.1:9555 | config
	lbd_start
	wait_until 10 pools_settled
	scrape
}

@test "counters of traffic outlive lbd" {
	local before
	scrape
	before=$(value 'lbd_service_packets_total{service="dns"}')
	expect "$before" -gt 0 packets
	lbd_stop
	datagrams 5 1
	lbd_start
	wait_until 10 is 'lbd_service_packets_total{service="dns"}' $((before + 5))
}

@test "two instances in their own namespaces share an address, and nothing else" {
	INSTANCE=other
	config <<-EOT
		version: 1
		global: {metrics: "127.0.0.1:9555", limits: {flows: 10000, clients: 10000}}
		services:
		- name: elsewhere
		  listen: tcp://192.0.2.20:80
		  backends: [{name: web, address: $(backend_v4 1)}]
	EOT
	lb_up
	scrape
	expect "$(value 'lbd_service_packets_total{service="elsewhere"}')" = 0 packets
	run ! grep -q 'service="http"' "$LAB/scrape"
	INSTANCE=balancer
	scrape
	run ! grep -q 'service="elsewhere"' "$LAB/scrape"
}
