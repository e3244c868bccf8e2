#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The Debian packages from their installation to their end, on a host with a real systemd. Each test goes
# on where the one before ended.
#
#   client -- router -- bridge -- balancer (eth0): the container    VIP 192.0.2.10
#                          '----- web1, web2

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/../netns/topology.bash"
# shellcheck source=tests/deb/container.bash
source "$BATS_TEST_DIRNAME/container.bash"

configuration()
{
	cat <<-EOT
		version: 1
		global:
		  hash_seed_file: /etc/lbd/hash_seed
		  limits: {flows: 10000, clients: 1000}
		defaults: {check: {type: tcp, port: 80, interval: 500ms, timeout: 400ms, hold_down: 0s}}
		pools:
		- name: web
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		  - {name: web2, address: $(backend_v4 2)}
		services:
		- {name: http, listen: ["tcp://192.0.2.10:80", "udp://192.0.2.10:7"], pool: web}
	EOT
}

setup_file()
{
	[[ -n ${LIMPET_SANDBOX-} ]] || skip "mounts, and boots a systemd: needs tests/netns/sandbox"
	lab_open
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	backend_up web1 1 192.0.2.10
	backend_up web2 2 192.0.2.10
	echo_start web1 7 192.0.2.10
	echo_start web2 7 192.0.2.10
	container_files
	VERSION=$(sed -nE 's/^#define LIMPET_VERSION "(.*)"/\1/p' "$ROOT/user/version.h")
	LATER=$("$BATS_TEST_DIRNAME/later")
	export VERSION LATER
	for version in "$VERSION" "$LATER"; do
		cp "$BUILD/deb/limpet_${version}_"*.deb "$CONTAINER/root/limpet-$version.deb"
	done
}

teardown_file()
{
	container_remove
	lab_close
}
teardown()
{
	lab_diagnostics
	if [[ -z ${BATS_TEST_COMPLETED-} && -e $LAB/pid/container ]]; then
		journal -u lbd -u 'lbload@*' -o short-monotonic | tail -n 12
	fi
}

quiet=(-qq -o Dpkg::Use-Pty=0 --no-install-recommends)
lbctl() { inside lbctl "$@"; }

@test "installed into a clean Debian: user, paths, what to do next, and nothing started" {
	mount -t proc proc "$CONTAINER/proc"
	run chroot "$CONTAINER" apt-get "${quiet[@]}" install "/root/limpet-$VERSION.deb"
	umount "$CONTAINER/proc"
	echo "$output"
	[[ $status == 0 && $output == *"1. write /etc/lbd/lbd.yaml, from "*"2. lbctl config check"* ]]
	grep -q '^lbd:' "$CONTAINER/etc/passwd"
	grep -q '^lbd:' "$CONTAINER/etc/group"
	[[ -e $CONTAINER/usr/share/doc/limpet/examples/lbd.yaml && -d $CONTAINER/etc/lbd ]]
	run -0 find "$CONTAINER/etc/systemd" -name 'lb*'
	expect "$output" = "" "units enabled"
}

@test "started before there is a configuration: fails once, and says what lacks" {
	container_boot balancer
	expect "$(unit lbd.service ActiveState)" = inactive
	run inside systemctl start lbd.service
	[[ $status != 0 ]]
	unit_is lbd.service ActiveState failed
	expect "$(unit lbd.service NRestarts)" = 0 "times that it was begun anew"
	run -0 journal --unit lbd.service
	[[ $output == *"/etc/lbd/lbd.yaml: cannot read the file: No such file"* ]]
	[[ $output == *"lbd.yaml(5) has an example to begin with"* ]]
}

@test "the example is a good configuration" {
	run -0 inside lbctl config check /usr/share/doc/limpet/examples/lbd.yaml
}

@test "enabled: at boot the data plane is put on the interface, then lbd starts, and traffic flows" {
	configuration >"$CONTAINER/etc/lbd/lbd.yaml"
	# As the example says.
	inside sh -c 'install -m 640 -g lbd /dev/null /etc/lbd/hash_seed
		echo 000102030405060708090a0b0c0d0e0f >/etc/lbd/hash_seed'
	inside systemctl enable --quiet lbload@eth0.service lbd.service
	container_halt
	container_boot balancer
	unit_is lbload@eth0.service ActiveState active
	unit_is lbd.service ActiveState active
	[[ $(unit lbload@eth0.service ExecMainExitTimestampMonotonic) -le \
		$(unit lbd.service ExecMainStartTimestampMonotonic) ]]
	wait_until 10 pools_settled
	expect "$(visit "$(client_v4 1)" 192.0.2.10 40 | cut -d' ' -f1 | sort -u | paste -sd' ')" = "web1 web2"
	expect "$(unit lbd.service StatusText)" = "1 services, 2 of 2 backends usable"
}

@test "the running process has four capabilities and no way to more, and is exposed 3.0 at most" {
	local process
	process=$(unit lbd.service MainPID)
	run -0 inside cat "/proc/$process/status"
	for line in "CapEff:	000000c000003000" "CapBnd:	000000c000003000" "NoNewPrivs:	1" "Seccomp:	2" \
		"Uid:	$(inside id -u lbd)	"; do
		[[ $output == *"$line"* ]] || expect "$output" = "$line"
	done
	inside systemd-analyze security --threshold=30 --no-pager lbd.service >"$LAB/exposure" || {
		grep -v '✓' "$LAB/exposure"
		false
	}
}

@test "members of group lbd may change, others look, and both are told so" {
	inside useradd --groups lbd member
	inside useradd stranger
	inside setpriv --reuid member --regid member --init-groups lbctl backend weight web/web1 90
	inside setpriv --reuid member --regid member --init-groups lbctl backend weight web/web1 100
	run inside setpriv --reuid stranger --regid stranger --init-groups lbctl backend weight web/web1 1
	echo "$output"
	[[ $status == 6 ]]
	run -0 journal --unit lbd.service --grep "uid $(inside id -u member)"
}

@test "the journal has messages with their priority" {
	run -0 journal --unit lbd.service --priority info --grep 'data plane /sys/fs/bpf/lbd'
	backend_cut web2
	wait_until 30 journal --unit lbd.service --priority info --grep 'backend web/web2: up -> down'
	wait_until 30 journal --unit lbd.service --priority warning --grep 'backend web/web2: no next hop'
	backend_mend web2
	wait_until 30 pools_settled
}

# answers_whole NAME...: no flow broke, and no datagram was lost.
answers_whole()
{
	local name
	for name; do
		steady_stop "$name"
		expect "$(steady "$name" '[.[] | select(.error)] | length')" = 0 "broken flows"
		expect "$(steady "$name" '[.[].lost // 0] | add')" = 0 "lost datagrams"
		expect "$(steady "$name" '[.[] | select(.backends | length != 1)] | length')" = 0 \
			"flows that moved"
	done
}

traffic_start()
{
	steady_start tcp 192.0.2.10:80 40
	steady_start udp 192.0.2.10:7 40 --udp
}

traffic_rounds()
{
	steady_rounds tcp "$1"
	steady_rounds udp "$1"
}

@test "reload: a bad file changes nothing, and systemd says so; a good one is taken when it returns" {
	cp "$CONTAINER/etc/lbd/lbd.yaml" "$LAB/good.yaml"
	sed -i 's/forward/forwart/; s/web1/web_1/; s/listen:/listens:/' "$CONTAINER/etc/lbd/lbd.yaml"
	run inside systemctl reload lbd.service
	[[ $status != 0 ]]
	run -0 journal --unit lbd.service --grep "unknown key 'listens'"
	expect "$(unit lbd.service ActiveState)" = active
	expect "$(lbctl backend list -o json | jq '.backends | length')" = 2 backends
	sed 's/web1, /web1, weight: 50, /' "$LAB/good.yaml" >"$CONTAINER/etc/lbd/lbd.yaml"
	inside systemctl reload lbd.service
	backend_is web/web1 weight 50
	cp "$LAB/good.yaml" "$CONTAINER/etc/lbd/lbd.yaml"
	inside systemctl reload lbd.service
	backend_is web/web1 weight 100
}

@test "the unit of the interface, stopped and started: the program stays what it was" {
	local before
	before=$(inside lbload status -o json | jq '.attachments[0].program_id')
	inside systemctl restart lbload@eth0.service
	expect "$(inside lbload status -o json | jq '.attachments[0].program_id')" = "$before" "the program"
}

@test "restart, stop and start: packets pass all the while" {
	local before
	traffic_start
	before=$(unit lbd.service MainPID)
	inside systemctl restart lbd.service
	[[ $(unit lbd.service MainPID) != "$before" ]]
	traffic_rounds 5
	inside systemctl stop lbd.service
	unit_is lbd.service ActiveState inactive
	traffic_rounds 5
	inside systemctl start lbd.service
	traffic_rounds 5
	answers_whole tcp udp
}

@test "a loop that hangs is ended by the watchdog and begun anew; packets pass" {
	local process
	mkdir -p "$CONTAINER/run/systemd/system/lbd.service.d"
	inside sh -c 'mkdir -p /run/systemd/system/lbd.service.d
		printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/lbd.service.d/soon.conf
		systemctl daemon-reload
		systemctl restart lbd.service'
	process=$(unit lbd.service MainPID)
	sleep 3 # longer than it may be silent
	expect "$(unit lbd.service MainPID)" = "$process" "the process that the watchdog hears of"
	traffic_start
	inside systemctl kill --kill-whom=main --signal=STOP lbd.service
	wait_until 20 unit_is lbd.service NRestarts 1
	wait_until 20 unit_is lbd.service ActiveState active
	run -0 journal --unit lbd.service --grep 'Watchdog timeout'
	answers_whole tcp udp
	inside sh -c 'rm -r /run/systemd/system/lbd.service.d; systemctl daemon-reload'
	inside systemctl restart lbd.service
}

@test "upgraded while packets pass: none is lost, no flow moves, and both program and lbd are the new ones" {
	local before
	before=$(inside lbload status -o json | jq '.attachments[0].program_id')
	traffic_start
	traffic_rounds 3
	run inside apt-get "${quiet[@]}" install "/root/limpet-$LATER.deb"
	echo "$output"
	[[ $status == 0 ]]
	traffic_rounds 10
	answers_whole tcp udp
	expect "$(lbctl status -o json | jq -r .version)" = "$LATER" "lbd's version"
	expect "$(inside lbload status -o json | jq -r .version)" = "$LATER" "the program's version"
	expect "$(inside lbload status -o json | jq '.attachments[0].program_id')" != "$before" "the program"
	unit_is lbd.service ActiveState active
}

@test "upgraded to what cannot use the maps that are there: forwarding goes on, lbd stays, and it is said" {
	local process
	# As the package's scripts see it: `lbload replace` ends with 5.
	process=$(unit lbd.service MainPID)
	inside sh -c 'mv /usr/sbin/lbload /usr/sbin/lbload.real
		printf "#!/bin/sh\nexit 5\n" >/usr/sbin/lbload
		chmod 755 /usr/sbin/lbload'
	run inside /var/lib/dpkg/info/limpet.postinst configure "$VERSION"
	echo "$output"
	[[ $status == 0 && $output == *"cannot use"* ]]
	expect "$(unit lbd.service MainPID)" = "$process"
	inside mv /usr/sbin/lbload.real /usr/sbin/lbload
}

@test "removed: nothing is attached or pinned any more, configuration and state are kept" {
	lbctl backend weight web/web2 70
	run inside apt-get "${quiet[@]}" remove limpet
	echo "$output"
	[[ $status == 0 ]]
	run inside find /sys/fs/bpf -mindepth 1 -not -name '*.debug' # the kernel's own
	expect "$output" = "" pins
	[[ ! -e $CONTAINER/run/lbd/lbd.sock ]]
	run -0 on balancer ip link show eth0
	[[ $output != *xdp* ]]
	[[ -s $CONTAINER/etc/lbd/lbd.yaml && -n $(ls "$CONTAINER/var/lib/lbd") ]]
	[[ ! -e $CONTAINER/usr/sbin/lbd ]]
}

@test "installed again: after a boot all is as it was" {
	inside apt-get "${quiet[@]}" install "/root/limpet-$LATER.deb"
	container_halt
	container_boot balancer
	unit_is lbd.service ActiveState active
	wait_until 10 pools_settled
	expect "$(backend_field web/web2 weight)" = 70 "the weight that was given before"
	visit "$(client_v4 1)" 192.0.2.10 5
}

@test "purged: nothing is left but the user" {
	run inside apt-get "${quiet[@]}" purge limpet
	echo "$output"
	[[ $status == 0 ]]
	run inside find /etc /var/lib /run /usr /lib /sys/fs/bpf \( -name '*lbd*' -o -name '*lbload*' \
		-o -name '*limpet*' \) -not -path '/etc/.pwd*'
	expect "$output" = "" "what is left"
	grep -q '^lbd:' "$CONTAINER/etc/passwd"
}
