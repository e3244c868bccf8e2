#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What ../promises.txt promises of output is in that of a running balancer: JSON fields, metrics with their
# labels, the API's paths. (Commands and options: tests/check_documents.py.)
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

PROMISES=$BATS_TEST_DIRNAME/../promises.txt

configuration()
{
	cat <<-EOT
		version: 1
		global: {limits: {flows: 1000, clients: 1000}, metrics: "127.0.0.1:9555"}
		defaults: {check: {type: tcp, port: 80, interval: 200ms, timeout: 100ms}}
		services:
		- name: web
		  listen: tcp://192.0.2.10:80
		  affinity: {key: source-ip, timeout: 10m}
		  backends: [{name: web1, address: $(backend_v4 1)}]
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
	# A packet that is dropped, so that there is a verdict to list.
	lbctl backend maint web/web1
	! visit "$(client_v4 1)" 192.0.2.10 1
	lbctl backend ready web/web1
	wait_until 10 pools_settled
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

@test "fields of JSON output" {
	local command path fields kept=0 output
	while IFS='|' read -r command path fields; do
		read -ra command <<<"${command#json }"
		output=$("${command[@]}" -o json || true)
		[[ $(jq ".schema // .error.code // empty" <<<"$output") ]] ||
			expect "$output" = "" "the schema of '${command[*]}' in"
		for field in $fields; do
			jq -e "[$path] | length > 0 and all(has(\"$field\"))" <<<"$output" >/dev/null ||
				expect "$output" = "" "'$path' of '${command[*]}' to have $field, and nothing else"
		done
		kept=$((kept + 1))
	done < <(grep '^json ' "$PROMISES")
	((kept >= 6))
}

@test "metrics and their labels" {
	local text name labels label kept=0
	text=$(on balancer curl -sSf http://127.0.0.1:9555/metrics)
	while read -r _ name labels; do
		grep -qE "^${name}[ {]" <<<"$text" || expect "$name" = "" "what /metrics lacks"
		for label in $labels; do
			grep -qE "^$name\{([a-z]+=\"[^\"]*\",)*$label=" <<<"$text" ||
				expect "$name $label" = "" "the label that /metrics lacks"
		done
		kept=$((kept + 1))
	done < <(grep '^metric ' "$PROMISES")
	((kept >= 25))
}

@test "paths of the API" {
	local method path status kept=0
	while read -r _ method path status; do
		expect "$(curl -s -o "$LAB/answer" -w '%{http_code}' -X "$method" \
			--unix-socket "$LAB/balancer/lbd.sock" "http://lbd$path")" = "$status" "$method $path"
		jq -e . "$LAB/answer" >/dev/null
		kept=$((kept + 1))
	done < <(grep '^api ' "$PROMISES")
	((kept >= 9))
}
