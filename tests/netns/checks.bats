#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Each type of check against real servers: what is well, and each way in which it is not.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10

# One pool for each check, so that each has a state of its own.
configuration()
{
	local tls=$LAB/tls port=1000 pool
	cat <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		defaults:
		  forward: l2
		  check: {interval: 200ms, timeout: 200ms, rise: 1, fall: 1}
		pools:
		- name: http
		  check: {type: http, port: 8080, path: /healthz, host: www.example.org, expect: 200-299}
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: six, address: "$(backend_v6 1)"}]
		- name: body
		  check: {type: http, port: 8080, path: /body, expect: [200, 204], body: all is well}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: https
		  check: {type: https, port: 8443, path: /healthz, sni: www.example.org, ca: $tls/ca.pem,
		          certificate: $tls/client.pem, key: $tls/client.key}
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: six, address: "$(backend_v6 1)"}]
		- name: stranger
		  check: {type: https, port: 8443, path: /healthz, sni: www.example.org, ca: $tls/ca.pem}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: misnamed
		  check: {type: https, port: 8443, path: /healthz, sni: other.example.org, ca: $tls/ca.pem,
		          certificate: $tls/client.pem, key: $tls/client.key}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: distrusted
		  check: {type: https, port: 8443, path: /healthz, sni: www.example.org, ca: $tls/client.pem,
		          certificate: $tls/client.pem, key: $tls/client.key}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: unverified
		  check: {type: https, port: 8443, path: /healthz, sni: www.example.org,
		          certificate: $tls/both.pem}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: udp
		  check: {type: udp, port: 5353, send: 'ping\x00\xff', expect: 'web1 ping\x00\xff'}
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: six, address: "$(backend_v6 1)"}]
		- name: mute
		  check: {type: udp, port: 5353, send: ping, expect: pong}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: icmp
		  check: {type: icmp}
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: six, address: "$(backend_v6 1)"}]
		- name: agent
		  check: {type: tcp, port: 8080, agent: 9000}
		  backends: [{name: web1, address: $(backend_v4 1)}, {name: six, address: "$(backend_v6 1)"}]
		- name: only
		  check: {type: none, agent: 9000}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: hurried
		  check: {type: tcp, port: 8080, interval: 6s, fast_interval: 100ms, rise: 3, fall: 4,
		          hold_down: 0s}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		- name: exec
		  check: {type: exec, command: [$LAB/check, two words]}
		  backends: [{name: web1, address: $(backend_v4 1)}]
		services:
		$(for pool in http body https stranger misnamed distrusted unverified udp mute icmp agent only hurried exec; do
			echo "- {name: $pool, listen: \"tcp://$vip4:$((++port))\", pool: $pool}"
		done)
	EOT
}

# In a shell of its own, because of where it works.
certificates()
(
	set -e
	mkdir "$LAB/tls"
	cd "$LAB/tls"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca
	for who in server client; do
		openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who
	done
	openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out client.pem -days 2
	openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -out server.pem -days 2 \
		-extfile <(echo subjectAltName=DNS:www.example.org)
	cat client.pem client.key >both.pem
)

# The server of web1: its answers are in files, so that a test changes them.
web_start()
{
	local dir=$LAB/web1/checked
	mkdir -p "$dir/www"
	echo well >"$dir/www/healthz"
	echo "yes, all is well" >"$dir/www/body"
	cat >"$dir/conf" <<-EOF
		daemon off;
		worker_processes 1;
		pid $dir/pid;
		error_log stderr;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			server {
				listen 8080 default_server;
				listen [::]:8080 default_server;
				root $dir/www;
				location = /healthz { return 421; }
			}
			server {
				listen 8080;
				listen [::]:8080;
				server_name www.example.org;
				root $dir/www;
			}
			server {
				listen 8443 ssl;
				listen [::]:8443 ssl;
				server_name www.example.org other.example.org;
				root $dir/www;
				ssl_certificate $LAB/tls/server.pem;
				ssl_certificate_key $LAB/tls/server.key;
				ssl_client_certificate $LAB/tls/ca.pem;
				ssl_verify_client on;
			}
		}
	EOF
	chmod -R a+rX "$LAB/web1"
	spawn nginx-checked web1 nginx -e stderr -c "$dir/conf"
	wait_until 10 on web1 curl -sf -H 'Host: www.example.org' http://127.0.0.1:8080/healthz
}

# says WORD...: what the agent of web1 says, from now on.
says() { echo "$*" >"$LAB/says"; }

agent_start()
{
	spawn agent web1 socat TCP6-LISTEN:9000,ipv6only=0,fork,reuseaddr SYSTEM:"cat $LAB/says"
	wait_until 10 on web1 socat -u TCP:127.0.0.1:9000 -
}

setup_file()
{
	lab_open
	certificates >"$LAB/log/openssl" 2>&1
	network_add 1
	balancer_add balancer 1 one $vip4
	backend_add web1 1 $vip4
	web_start
	echo_start web1 5353 "$(backend_v4 1)" "$(backend_v6 1)"
	says up
	agent_start
	cat >"$LAB/check" <<-EOF
		#!/bin/sh
		[ "\$1" = "two words" ] && [ \$LBD_POOL/\$LBD_BACKEND = exec/web1 ] || exit 9
		cat $LAB/disease 2>/dev/null && exit 1
		echo well at \$LBD_ADDRESS
	EOF
	chmod 755 "$LAB/check"
	configuration | config
	lbload attach eth0 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	lbd_start
}

teardown_file() { lab_close; }

teardown() { lab_diagnostics; }

# has POOL/NAME HEALTH REASON: a part of the reason.
has()
{
	[[ $(backend_field "$1" health) == "$2" && $(backend_field "$1" reason) == *"$3"* ]]
}

becomes()
{
	wait_until 20 has "$@" && return 0
	echo "expected $1 to be $2 because of '$3'; it is $(backend_field "$1" health):" \
		"$(backend_field "$1" reason)" >&2
	return 1
}

@test "http: host and status" {
	becomes http/web1 up "status 200 in"
	becomes http/six up "status 200 in"
	mv "$LAB/web1/checked/www/healthz" "$LAB/web1/checked/www/away"
	becomes http/web1 down "status 404, expected 200-299"
	becomes http/six down "status 404, expected 200-299"
	mv "$LAB/web1/checked/www/away" "$LAB/web1/checked/www/healthz"
	becomes http/web1 up "status 200 in"
}

@test "http: the body" {
	becomes body/web1 up "status 200 in"
	echo "all is well, or is it" >"$LAB/web1/checked/www/body"
	becomes body/web1 up "status 200 in"
	echo "nothing is well" >"$LAB/web1/checked/www/body"
	becomes body/web1 down "status 200, but not the expected body"
	# What is looked for stands too far behind.
	{
		head -c 70000 /dev/zero
		echo all is well
	} >"$LAB/web1/checked/www/body"
	becomes body/web1 down "status 200, but not the expected body"
	{
		head -c 60000 /dev/zero
		echo all is well
		head -c 10000000 /dev/zero
	} >"$LAB/web1/checked/www/body"
	becomes body/web1 up "status 200 in"
}

@test "https: with a client's certificate, verified" {
	becomes https/web1 up "status 200 in"
	becomes https/six up "status 200 in"
	becomes unverified/web1 up "status 200 in"
}

@test "https: without a certificate, for another name, of an unknown authority" {
	becomes stranger/web1 down "status 400, expected 200-299"
	becomes misnamed/web1 down "other.example.org"
	becomes distrusted/web1 down "certificate"
}

@test "https: what the system trusts is not trusted, nor read" {
	[[ -n ${LIMPET_SANDBOX-} ]] || skip "changes /etc/ssl/certs: needs tests/netns/sandbox"
	mkdir "$LAB/system"
	cp "$LAB/tls/ca.pem" "$LAB/system"
	# Whoever opens it waits for ever.
	mkfifo "$LAB/system/ca-certificates.crt"
	mount --bind "$LAB/system" /etc/ssl/certs
	run lbctl check now unverified/web1
	expect "$status" = 0 "exit status: $output"
	run lbctl check now distrusted/web1
	expect "$status" = 1 "exit status: $output"
	[[ $output == *certificate* ]]
	umount /etc/ssl/certs
}

@test "http and https: nobody listens, nobody answers" {
	stop nginx-checked
	local began=$SECONDS
	becomes http/web1 down "connection refused"
	becomes https/web1 down "connection refused"
	# While undecided it is asked more often: not three times six seconds later.
	becomes hurried/web1 down "connection refused"
	expect "$((SECONDS - began))" -le 14 "seconds until four checks had failed"
	spawn silent web1 socat TCP-LISTEN:8080,fork,reuseaddr EXEC:"sleep 600"
	becomes http/web1 down "no answer within 200 ms"
	stop silent
	web_start
	began=$SECONDS
	becomes http/web1 up "status 200 in"
	becomes https/web1 up "status 200 in"
	becomes hurried/web1 up "connected in"
	expect "$((SECONDS - began))" -le 10 "seconds until three checks were good"
}

@test "udp: what is sent and what is expected, byte for byte" {
	becomes udp/web1 up "answered in"
	becomes udp/six up "answered in"
	becomes mute/web1 down "an answer without what is expected"
	stop echo-web1
	becomes udp/web1 down "connection refused"
	becomes udp/six down "connection refused"
	echo_start web1 5353 "$(backend_v4 1)" "$(backend_v6 1)"
	becomes udp/web1 up "answered in"
}

@test "icmp, of both families" {
	becomes icmp/web1 up "echo reply in"
	becomes icmp/six up "echo reply in"
	on web1 sh -c 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all
		echo 1 >/proc/sys/net/ipv6/icmp/echo_ignore_all'
	becomes icmp/web1 down "no answer within 200 ms"
	becomes icmp/six down "no answer within 200 ms"
	on web1 sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all
		echo 0 >/proc/sys/net/ipv6/icmp/echo_ignore_all'
	becomes icmp/web1 up "echo reply in"
	becomes icmp/six up "echo reply in"
}

@test "agent: up, down, drain, maint, ready, and a weight" {
	becomes agent/web1 up "connected in"
	wait_until 20 backend_is agent/six agent.said up
	wait_until 20 backend_is only/web1 health up
	says "down # the disk is full"
	becomes agent/web1 down "the agent: down # the disk is full"
	becomes only/web1 down "the agent: down"
	wait_until 10 backend_is agent/web1 effective_weight 0
	says up
	becomes agent/web1 up "connected in"
	becomes only/web1 up "the agent: up"

	says drain
	wait_until 20 backend_is agent/web1 agent.admin drain
	wait_until 10 backend_is agent/web1 effective_weight 0
	expect "$(backend_field agent/web1 admin)" = ready "the operator's state"
	expect "$(backend_field agent/web1 health)" = up health
	[[ $(backend_field agent/web1 why) == "drain, says its agent" ]]
	says maint
	wait_until 20 backend_is agent/web1 agent.admin maint
	says ready, weight:50%
	wait_until 20 backend_is agent/web1 effective_weight 50
	expect "$(backend_field agent/web1 weight)" = 100 weight

	# What it said stands while it says nothing.
	stop agent
	wait_until 20 backend_is agent/web1 agent.said "connection refused"
	expect "$(backend_field agent/web1 effective_weight)" = 50 "effective weight"
	says 100%
	agent_start
	wait_until 20 backend_is agent/web1 effective_weight 100
	lbctl backend list agent -o wide
}

@test "exec: the exit status and what it says; never through the API" {
	becomes exec/web1 up "exit status 0: well at $(backend_v4 1) in"
	echo "not well" >"$LAB/disease"
	becomes exec/web1 down "exit status 1: not well"
	rm "$LAB/disease"
	becomes exec/web1 up "exit status 0"
	run curl -s --unix-socket "$LAB/balancer/lbd.sock" -X POST http://lbd/v1/services/evil \
		-d '{"listen": "tcp://192.0.2.10:99", "check": {"type": "exec", "command": ["/bin/id"]}}'
	[[ $output == *"only taken from the file"* ]]
	run -4 lbctl service show evil
}

@test "check now: each step, and the outcome; health is not touched" {
	run -0 lbctl check now https/web1
	[[ $output == *"GET https://www.example.org:8443/healthz"* ]]
	[[ $output == *"TLS was set up"* && $output == *"status is 200"* ]]
	[[ $output == *"https/web1: good: status 200 in"* ]]
	run -0 lbctl check now udp/six -o json
	[[ $(jq -r '.good, .running' <<<"$output" | xargs) == "true false" ]]
	(($(jq '.steps | length' <<<"$output") >= 2))
	run -1 lbctl check now stranger/web1
	[[ $output == *"stranger/web1: failed: status 400, expected 200-299"* ]]
	for each in icmp/web1 exec/web1 agent/six; do
		run -0 lbctl check now $each
		[[ $output == *"$each: good:"* ]]
	done
	run -4 lbctl check now udp/nobody
	run -5 lbctl check now only/web1
	[[ $output == *"no check"* ]]
}

# Pools whose checks ask for more of lbd than it has time for: each reads hundreds of certificates.
many_pools()
{
	local n
	configuration | sed '/^services:/,$d'
	for n in {1..100}; do
		echo "- name: many$n"
		echo "  table_size: 251"
		echo "  check: {type: https, port: 8443, path: /, ca: $LAB/tls/many.pem}"
		echo "  backends: [{name: web1, address: $(backend_v4 1)}]"
	done
	configuration | sed -n '/^services:/,$p'
	for n in {1..100}; do
		echo "- {name: many$n, listen: \"tcp://$vip4:$((2000 + n))\", pool: many$n}"
	done
}

@test "more checks than lbd has time for do not keep it from publishing" {
	for _ in {1..500}; do cat "$LAB/tls/ca.pem"; done >"$LAB/tls/many.pem"
	many_pools | config
	lbctl reload
	says drain
	wait_until 60 backend_is agent/web1 agent.admin drain
	wait_until 20 backend_is agent/web1 slots 0
	configuration | config
	lbctl reload
}
