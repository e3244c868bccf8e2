#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The demo itself: it succeeds, tells what it should, and leaves nothing behind. Its network is drawn
# in topology.bash. What it shows is asserted in change.bats.

bats_require_minimum_version 1.5.0

demo=$BATS_TEST_DIRNAME/../../tools/demo

standing() { ip netns list | grep -c '^limpet-' || true; }

setup() { before=$(standing); }

@test "the demo shows that all went as it should, in plain text" {
	# Without the sandbox that this test runs in, the demo makes its own.
	run -0 env -u LIMPET_SANDBOX "$demo"
	echo "$output"
	[[ $output != *$'\e'* && $output != *NOT* ]]
	[[ $(grep -c '^   ok ' <<<"$output") -ge 9 ]]
	for backend in web1 web2 web3 web4; do
		[[ $output == *"$backend"* ]]
	done
	[[ $output == *"flow lookup"* && $output == *"leaves nothing behind"* ]]
	[[ $(standing) == "$before" ]]
}

@test "with --keep it stands until it is taken down" {
	local enter id
	run -0 "$demo" --keep
	echo "$output"
	[[ $output == *"tools/demo --down "* ]]
	LAB=$(sed -n 's/^ *tools\/demo --down //p' <<<"$output")
	id=limpet-${LAB##*.}
	[[ $(standing) -gt $before ]]
	enter=(nsenter "--net=/run/netns/$id-client")
	run -0 "${enter[@]}" curl -sf --max-time 5 http://192.0.2.10/
	[[ $output == web* ]]
	run -0 "${enter[@]}" curl -gsf --max-time 5 'http://[2001:db8::10]/'
	[[ $output == web* ]]
	run -0 "$demo" --down "$LAB"
	[[ $(standing) == "$before" && ! -e $LAB ]]
	run -4 "$demo" --down "$LAB"
}

@test "killed in its middle, it leaves nothing behind" {
	local count
	env -u LIMPET_SANDBOX "$demo" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	local pid=$!
	for _ in {1..600}; do
		grep -q 'clients send' "$BATS_TEST_TMPDIR/out" && break
		sleep 0.1
	done
	grep -q 'clients send' "$BATS_TEST_TMPDIR/out"
	kill -KILL $pid
	# The sandbox's processes end with it.
	for _ in {1..600}; do
		count=$(pgrep -c -f '/limpet\.[[:alnum:]]{6}/' || true)
		((count == 0)) && break
		sleep 0.1
	done
	((count == 0))
	[[ $(standing) == "$before" ]]
}

@test "usage and privilege" {
	run -2 "$demo" --kep
	# Where anybody may read, which the directory of the sources need not be.
	local open
	open=$(mktemp -d)
	chmod 755 "$open"
	install -D -t "$open/tools" "$demo"
	run -6 setpriv --reuid 65534 --regid 65534 --clear-groups "$open/tools/demo"
	[[ $output == *"needs root"* ]]
}
