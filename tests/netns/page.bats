#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The status page, in a real browser (headless Chromium): what it shows is what lbctl says, before
# and after a backend is killed. PICTURES=DIRECTORY keeps pictures of it.
#
#   client -- router -- bridge -- balancer (eth0)   VIP 192.0.2.10: TCP 80, UDP 53
#                          '----- web1, web2, web3  the browser runs on the balancer

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

PAGE=http://127.0.0.1:9555/

setup_file()
{
	local n
	lab_open
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	for n in 1 2 3; do
		backend_up web$n $n 192.0.2.10
		echo_start web$n 53 192.0.2.10
	done
	config <<-EOT
		version: 1
		global: {metrics: "127.0.0.1:9555", limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  affinity: {key: source-ip, timeout: 10m}
		  table_size: 251
		  check: {type: tcp, port: 80, via: direct, interval: 200ms, timeout: 200ms, rise: 1, fall: 2}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2), weight: 50}
		  - {name: web3, address: $(backend_v4 3), admin: drain}
		- name: spare
		  table_size: 251
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
		- {name: dns, listen: "udp://192.0.2.10:53", pool: web}
	EOT
	lb_up
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# browse FILE [OPTION...]: the page as the browser has it after some of the page's own seconds
browse()
{
	local out=$1
	shift
	command -v chromium-headless-shell >/dev/null || {
		echo "chromium-headless-shell is not installed: tools/install-deps does that" >&2
		return 1
	}
	on balancer timeout 20 chromium-headless-shell --no-sandbox --disable-gpu --hide-scrollbars \
		--disable-dev-shm-usage --user-data-dir="$LAB/browser" --virtual-time-budget=4000 \
		--enable-logging=stderr --v=0 "$@" "$PAGE" >"$out" 2>"$LAB/log/browser"
}

# said FILE: what the page's elements say, as lines of JSON that sort as lbctl's below
said()
{
	python3 "$BATS_TEST_DIRNAME/page.py" "$1"
}

lbctl_says()
{
	lbctl -o json backend list | jq -cS '.backends[] | {pool, name, address, admin, health,
		slots: "\(.slots) of \(.fair_slots)",
		weight: (if .weight == .effective_weight then "\(.weight)"
			else "\(.effective_weight) of \(.weight)" end)}'
	lbctl -o json service list | jq -cS '.services[] | {service: .name, pool,
		listen: (.listen | if type == "array" then join(", ") else . end),
		backends_up: "\(.backends_up) of \(.backends)", packets: "\(.packets)"}'
	lbctl -o json pool list | jq -cS '.pools[] | {pool: .name, clients: "\(.clients)",
		tracked_flows: "\(.tracked_flows)", unsettled_slots: "\(.unsettled_slots)"}'
	lbctl -o json status | jq -cS '.pins[] | {pinned: .client, pool, backend,
		in_effect: (if .in_effect then "yes" else "no: it takes no new flows" end),
		left: (if .left_s < 120 then "\(.left_s) s" else "\(.left_s / 60 | floor) min" end)}'
	lbctl -o json drops | jq -cS '.drops[] | select(.packets > 0)
		| {verdict, packets: "\(.packets)"}'
	lbctl events | tail -n 100 | tr -s ' ' | jq -RcS 'split(" ") | {event: .[1], told: .[2:] | join(" ")}'
}

page_agrees()
{
	browse "$LAB/page.html" --dump-dom && said "$LAB/page.html" | sort >"$LAB/page.said" &&
		lbctl_says | sort >"$LAB/lbctl.said" && diff "$LAB/lbctl.said" "$LAB/page.said"
}

picture()
{
	[[ ${PICTURES-} ]] || return 0
	mkdir -p "$PICTURES"
	browse /dev/null --screenshot="$PICTURES/$1.png" "${@:2}"
}

traffic()
{
	local n
	for ((n = 1; n <= 20; n++)); do
		on client curl -s -o /dev/null --max-time 5 --interface "$(client_v4 $((n % 2 + 1)))" \
			http://192.0.2.10/
	done
	on client python3 -c '
import socket
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
for _ in range(3):
    out.sendto(b"x", ("192.0.2.10", 53))'
}

@test "the page says what lbctl says" {
	traffic
	wait_until 2 page_agrees
	# 4 backends, 2 services, 2 pools, 1 verdict, and what lbd told since its start
	[[ $(grep -vc '"told"' "$LAB/page.said") == 9 ]]
	grep -q '"event":"health","told":"web/web2 unknown -> up' "$LAB/page.said"
	picture light --window-size=1280,1500
}

@test "the page asks for nothing outside, and has no error of its own" {
	browse "$LAB/page.html" --dump-dom
	run -1 grep -E 'CONSOLE|Uncaught|Refused' "$LAB/log/browser"
	run -1 grep -oE '(src|href)="(https?:)?//[^"]*"' "$ROOT/user/status_page.html"
}

pins_hidden() { grep -q '<section id="pins-card"[^>]* hidden' "$LAB/page.html"; }

@test "pinned clients are on the page while there are any" {
	wait_until 2 page_agrees
	pins_hidden
	lbctl client pin web "$(client_v4 1)" web1 --for 10m30s >/dev/null
	lbctl client pin web "$(client_v4 2)" web3 --for 20m30s >/dev/null
	lbctl client pin spare 2001:db8:c::11 web1 --for 30m30s >/dev/null
	wait_until 2 page_agrees
	not pins_hidden
	expect "$(jq -r 'select(.pinned) | "\(.pool) \(.backend) \(.left) \(.in_effect)"' "$LAB/page.said" | sort)" = \
		"spare web1 30 min yes"$'\n'"web web1 10 min yes"$'\n'"web web3 20 min no: it takes no new flows"
	picture pins-light --window-size=1280,900
	picture pins-dark --window-size=1280,900 --blink-settings=preferredColorScheme=0
	picture pins-phone --window-size=390,1200
	for pin in web/"$(client_v4 1)" web/"$(client_v4 2)" spare/2001:db8:c::11; do
		lbctl client unpin "${pin%%/*}" "${pin#*/}" >/dev/null
	done
	wait_until 2 page_agrees
	pins_hidden
}

@test "a backend that is killed is down on the page, and its slots are the others'" {
	backend_cut web1
	wait_until 30 backend_is web/web1 health down
	wait_until 2 page_agrees
	[[ $(jq -r 'select(.pool == "web" and .name == "web1") | "\(.health) \(.slots)"' "$LAB/page.said") == \
		"down 0 of 0" ]]
	grep -q '"event":"health","told":"web/web1 up -> down' "$LAB/page.said"
	picture dark --window-size=1280,1500 --blink-settings=preferredColorScheme=0
	picture phone --window-size=390,4200
}

@test "other methods and paths are refused" {
	run -0 on balancer curl -sS -o /dev/null -w '%{http_code}' -X POST "$PAGE"
	[[ $output == 405 ]]
	run -0 on balancer curl -sS -o /dev/null -w '%{http_code}' "${PAGE}status"
	[[ $output == 404 ]]
	run -0 on balancer curl -sSI "$PAGE"
	[[ $output == *"Content-Security-Policy: default-src 'none'"* ]]
}
