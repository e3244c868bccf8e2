# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# lib: a laboratory of network namespaces for the tests and the demo: namespaces, links between
# them, processes in them, and waiting. Knows nothing of Limpet: that is topology.bash.
#
# State lives in files below $LAB, because bats runs each test in a process of its own.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD

# Makes an empty laboratory. Without the sandbox, whoever calls this has to call lab_close.
lab_open()
{
	LAB=$(mktemp -d "${TMPDIR:-/tmp}/limpet.XXXXXX")
	LAB_ID=limpet-${LAB##*.}
	export LAB LAB_ID
	chmod 755 "$LAB"
	mkdir "$LAB"/{bpf,log,pid}
	mount -t bpf -o mode=700 bpf "$LAB/bpf"
}

# Takes down all that lab_open and everything after it made. Safe to call twice.
lab_close()
{
	local file name

	[[ -n ${LAB-} && -d $LAB ]] || return 0
	for file in "$LAB"/pid/*; do
		[[ -e $file ]] && stop "${file##*/}" KILL
	done
	for name in $(ip netns list | awk -v id="$LAB_ID-" 'index($1, id) == 1 { print $1 }'); do
		ip netns delete "$name"
	done
	mountpoint -q "$LAB/bpf" && umount "$LAB/bpf"
	rm -rf "$LAB"
}

# on NAMESPACE COMMAND...: `ip netns exec` would hide the bpffs below /sys.
on()
{
	local namespace=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$namespace" "$@"
}

# A host with loopback up, forwarding off, and no doubts about addresses or return paths.
host_add()
{
	ip netns add "$LAB_ID-$1"
	# shellcheck disable=SC2016 # for the inner shell
	on "$1" sh -c '
		ip link set lo up
		cd /proc/sys/net
		for scope in all default; do
			echo 0 >ipv4/conf/$scope/rp_filter
			echo 0 >ipv6/conf/$scope/accept_dad
			echo 0 >ipv6/conf/$scope/accept_ra
		done
		echo 1 >ipv4/conf/all/arp_ignore
		echo 2 >ipv4/conf/all/arp_announce
		echo 0 >ipv4/icmp_ratelimit'
}

host_del()
{
	ip netns delete "$LAB_ID-$1"
}

# host_link HOST INTERFACE HOST INTERFACE MTU: a cable between two hosts, both ends up.
host_link()
{
	ip link add "$2" mtu "$5" netns "$LAB_ID-$1" type veth \
		peer name "$4" mtu "$5" netns "$LAB_ID-$3"
	on "$1" ip link set "$2" up
	on "$3" ip link set "$4" up
}

# address HOST INTERFACE ADDRESS/LENGTH...
address()
{
	local host=$1 interface=$2 each
	shift 2
	for each; do
		if [[ $each == *:* ]]; then
			echo "address add $each dev $interface nodad"
		else
			echo "address add $each dev $interface"
		fi
	done | on "$host" ip -batch -
}

# spawn NAME HOST COMMAND...: in the background, output to $LAB/log/NAME, to be ended by `stop NAME`.
spawn()
{
	local name=$1 host=$2
	shift 2
	stop "$name"
	(
		close_inherited
		exec setsid nsenter --net="/run/netns/$LAB_ID-$host" "$@" \
			</dev/null >>"$LAB/log/$name" 2>&1
	) &
	echo $! >"$LAB/pid/$name"
	disown
}

# bats would wait for whoever holds its descriptors.
close_inherited()
{
	local file descriptor
	for file in "/proc/$BASHPID/fd"/*; do
		descriptor=${file##*/}
		((descriptor <= 2)) || exec {descriptor}>&-
	done
}

running()
{
	local state

	[[ -e $LAB/pid/$1 ]] || return 1
	state=$(ps -o stat= -p "$(<"$LAB/pid/$1")") && [[ $state != Z* ]]
}

not()
{
	! "$@"
}

# stop NAME [SIGNAL]: ends what `spawn` started, and returns when it is gone.
stop()
{
	[[ -e $LAB/pid/$1 ]] || return 0
	kill "-${2:-TERM}" "$(<"$LAB/pid/$1")" 2>/dev/null || true
	if ! wait_until 30 not running "$1"; then
		echo "$1 does not end on SIG${2:-TERM}" >&2
		kill -KILL "$(<"$LAB/pid/$1")" 2>/dev/null || true
		rm -f "$LAB/pid/$1"
		return 1
	fi
	rm -f "$LAB/pid/$1"
}

# wait_until SECONDS COMMAND...: false if the command never succeeded. The time is only a bound.
wait_until()
{
	local tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		((--tries > 0)) || return 1
		sleep 0.05
	done
}

# expect ACTUAL OPERATOR EXPECTED [WHAT]: an operator of test(1); a failure says what was found.
expect()
{
	test "$1" "$2" "$3" && return 0
	echo "expected ${4:-it} to be $2 '$3', found '$1'" >&2
	return 1
}

# What the programs said last, for a test that failed.
lab_diagnostics()
{
	local file
	for file in "$LAB"/log/{lbd,lbload}-*; do
		[[ -s $file ]] || continue
		echo "--- ${file##*/}"
		tail -n 15 "$file"
	done
}
