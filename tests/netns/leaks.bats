#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lbd through changes of every kind (see changes.py): no descriptor and no memory is left behind; and
# under AddressSanitizer nothing leaks. LEAKS=all makes 10,000 of them each (some minutes). lbctl's
# commands under the sanitizers, too.
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1 .. web3       without servers

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

setup_file()
{
	local n
	make --silent --no-print-directory -C "$ROOT" BUILD="$BUILD" "$BUILD"/asan/{lbd,lbctl}
	lab_open
	network_add 1
	balancer_add balancer 1 one 192.0.2.10
	for n in 1 2 3; do
		backend_add web$n $n 192.0.2.10
	done
	config <<-EOT
		version: 1
		global: {limits: {flows: 1000, clients: 1000}}
		pools:
		- name: web
		  forward: l2
		  table_size: 61
		  backends:
		  - {name: web1, address: $(backend_v4 1), weight: 100}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
	lbload attach eth0 -c "$LAB/$INSTANCE/lbd.yaml" >/dev/null
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# changes [OPTION...]: of lbd as it runs.
changes()
{
	timeout 1800 python3 "$BATS_TEST_DIRNAME/changes.py" --socket "$LAB/$INSTANCE/lbd.sock" \
		--pid "$(<"$LAB/pid/lbd-$INSTANCE")" --file "$LAB/$INSTANCE/lbd.yaml" \
		--changes "$([[ ${LEAKS-} == all ]] && echo 10000 || echo 1200)" "$@"
}

# Tables that are only supposed, and the maps on which a packet meets them.
questions() # COUNT
{
	local n
	for ((n = 0; n < $1; n++)); do
		lbctl what-if kill web/web1
		lbctl what-if add web/new
		lbctl flow lookup tcp 198.51.100.7:4000 192.0.2.10:80 --if-down web1
		lbctl flow lookup tcp 198.51.100.7:4000 192.0.2.10:80
	done >/dev/null
}

programs() { find "/proc/$(<"$LAB/pid/lbd-$INSTANCE")/fd" -lname anon_inode:bpf-prog | wc -l; }
programs_are() { (($(programs) == $1)); }
descriptors() { find "/proc/$(<"$LAB/pid/lbd-$INSTANCE")/fd" | wc -l; }
resident_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$(<"$LAB/pid/lbd-$INSTANCE")/status"; }

# The verifier would hold up the loop for a tenth of a second.
@test "what answers questions is loaded by a thread, before anybody asks, and once" {
	local before
	lbd_start
	before=$(programs)
	wait_until 20 programs_are $((before + 2))
	questions 2
	expect "$(programs)" -eq $((before + 2)) "programs"
	lbd_stop
}

@test "no descriptor and no memory is left behind by questions" {
	local before grown
	lbd_start
	wait_until 30 pools_settled
	questions 5
	before=$(descriptors) grown=$(resident_kb)
	questions 30
	expect "$(descriptors)" -le "$before" "descriptors"
	# Of each program that is loaded libbpf holds a megabyte.
	expect "$(($(resident_kb) - grown))" -lt 5000 "more kB"
	lbd_stop
}

# A page now and then is the allocator's, and what it holds for the next time.
@test "no descriptor and no memory is left behind by changes" {
	lbd_start
	wait_until 30 pools_settled
	# What answers them is loaded for the first one, or some seconds after the start.
	questions 1
	changes --grow 300000
	lbd_stop
}

@test "nothing leaks, and the sanitizers have nothing to say" {
	spawn "lbd-$INSTANCE" "$INSTANCE" env ASAN_OPTIONS=detect_leaks=1 \
		UBSAN_OPTIONS=print_stacktrace=1 "$BUILD/asan/lbd" -c "$LAB/$INSTANCE/lbd.yaml" \
		--pin-dir "$LAB/bpf/$INSTANCE" --socket "$LAB/$INSTANCE/lbd.sock" \
		--state-dir "$LAB/$INSTANCE/state"
	wait_until 60 lbctl status
	wait_until 30 pools_settled
	questions 3
	changes
	lbd_stop
	expect "$(grep -cE 'Sanitizer|runtime error' "$LAB/log/lbd-$INSTANCE")" = 0 "reports of sanitizers"
	grep -q "stopping on Terminated" "$LAB/log/lbd-$INSTANCE"
}

# careful ARGUMENT...: lbctl under the sanitizers, whatever its outcome.
careful()
{
	local said
	said=$(on "$INSTANCE" env ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 timeout -s INT 3 \
		"$BUILD/asan/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" "$@" 2>&1) || true
	[[ $said != *@(Sanitizer|runtime error)* ]] && return
	echo "lbctl $*: $said" >&2
	return 1
}

@test "lbctl: nothing leaks, and the sanitizers have nothing to say" {
	local each
	lbd_start
	wait_until 30 pools_settled
	while read -r -a each; do
		careful "${each[@]}"
		careful "${each[@]}" -o json
		careful "${each[@]}" -o wide
	done <<-EOT
		status
		service list
		service show http
		service add more tcp://192.0.2.10:81 --pool web -n
		pool list
		pool show web
		backend list
		backend show web/web1
		backend weight web/web1 50 -n
		backend drain web/none
		drops
		events
		node show
		doctor
		top
		flow list
		flow lookup tcp 198.51.100.7:4000 192.0.2.10:80
		client list web
		what-if kill web/web1
		config check $LAB/$INSTANCE/lbd.yaml
		config check $LAB/log/lbd-$INSTANCE
		config diff
		config export
		config apply $LAB/$INSTANCE/lbd.yaml -n
		reload -n
		trace
	EOT
	careful trace --pcap "$LAB/trace.pcapng"
	lbd_stop
}
