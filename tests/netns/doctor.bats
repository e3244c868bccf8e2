#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lbctl doctor: what is broken on a living host is found, with the line to type; and where that line
# can be typed here, it helps. (What cannot be broken here, tests/unit/test_doctor_judge.c has.)
#
#   pools: web (ipip), near (l2, checked directly), natted (nat); backend v4, and v6 in web
bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

vip4=192.0.2.10

configuration()
{
	cat <<-EOT
		version: 1
		global: {hash_seed: 000102030405060708090a0b0c0d0e0f, limits: {flows: 10000, clients: 10000}}
		defaults: {table_size: 251, check: {type: tcp, interval: 500ms, timeout: 500ms, rise: 1, fall: 1, hold_down: 0s}}
		pools:
		- name: web
		  backends: [{name: v4, address: $(backend_v4 1)}, {name: v6, address: "$(backend_v6 1)"}]
		- name: near
		  forward: l2
		  backends: [{name: v4, address: $(backend_v4 1)}]
		- name: natted
		  forward: nat
		  backends: [{name: v4, address: $(backend_v4 1), port: 80}]
		services:
		- {name: natted, listen: "tcp://$vip4:8080", pool: natted}
		- {name: http, listen: "tcp://$vip4:80", pool: web}
		- {name: near, listen: "tcp://192.0.2.11:80", pool: near}
	EOT
}

setup_file()
{
	lab_open
	network_add 1
	balancer_add balancer 1 two $vip4 192.0.2.11
	backend_up web1 1 $vip4 192.0.2.11
	configuration | config
	lbload attach eth0 eth1 -c "$LAB/balancer/lbd.yaml" >>"$LAB/log/lbload-balancer"
	lbd_start
	wait_until 30 pools_settled
}

teardown_file() { lab_close; }

teardown() { lab_diagnostics; }

# found CODE OBJECT TYPE: a finding has these; parts of the last two.
found()
{
	lbctl doctor -o json | jq -e --arg code "$1" --arg object "$2" --arg type "$3" \
		'.findings[] | select(.code == $code and (.object | contains($object))
			and (.type | contains($type)))'
}

well()
{
	lbctl doctor -o json | jq -e '.findings | all(.severity == "note")'
}

finds()
{
	wait_until 10 found "$@" && return 0
	echo "no $1 of $2 with '$3':" >&2
	lbctl doctor >&2
	return 1
}

is_well()
{
	wait_until 10 well && return 0
	lbctl doctor >&2
	return 1
}

@test "where all is well there is no error, and the exit status is 0" {
	is_well
	run -0 lbctl doctor
	[[ $output == *"examined: 2 interfaces, 4 backends"* && $output == *"0 errors, 0 warnings"* ]]
	# Its peers are in the router's namespace.
	[[ $output == *"interface eth0: a veth whose peer is not seen"* ]]
	run -0 lbctl doctor -o json
	expect "$(jq -r '.schema, .running' <<<"$output" | xargs)" = "1 false"
	[[ $(jq -r .node.seed_fingerprint <<<"$output") =~ ^[0-9a-f]{16}$ ]]
	expect "$(jq -r '.node.tables[] | select(.pool == "web").table_digest' <<<"$output")" = \
		"$(lbctl pool show web -o json | jq -r .table_digest)"
}

@test "a tunnel that is dropped while the backend answers directly; exit status 1" {
	on web1 "$BUILD/lbdecap" detach eth0
	finds tunnel_dropped web/v4 "on it: lbdecap attach IF"
	finds tunnel_dropped web/v6 "lbdecap attach"
	run -1 lbctl doctor
	[[ $output == *"error"*"backend web/v4: it has the VIP $vip4, but drops what comes through the tunnel"* ]]
	run -1 lbctl doctor -o json
	expect "$(jq -s length <<<"$output")" = 1 "documents"
	backend_decap web1
	is_well
}

@test "a VIP that a backend has not, whatever brings it there" {
	on web1 ip address del $vip4/32 dev lo
	finds vip_missing web/v4 "on it: ip address add $vip4 dev lo"
	on web1 ip address add $vip4/32 dev lo
	on web1 ip address del 192.0.2.11/32 dev lo
	finds vip_missing near/v4 "on it: ip address add 192.0.2.11 dev lo"
	backend_is near/v4 health up
	on web1 ip address add 192.0.2.11/32 dev lo
	is_well
}

@test "a backend that is away: no next hop, and a pool without backends" {
	backend_cut web1
	finds no_next_hop near/v4 "ip route get $(backend_v4 1)"
	finds no_backend "pool near" "lbctl backend list near"
	backend_mend web1
	is_well
}

@test "a backend that answers neither way" {
	stop nginx-web1
	finds no_answer web/v4 "lbctl check now web/v4"
	nginx_start web1
	is_well
}

@test "an MTU that leaves no room for the outer header" {
	on balancer ip link set eth1 mtu 1500
	finds mtu web/v4 "ip link set dev eth1 mtu 1520"
	finds mtu web/v6 "ip link set dev eth1 mtu 1540"
	on balancer ip link set eth1 mtu 1600
	is_well
}

@test "an interface by which redirected packets do not leave" {
	on router ip link set dev balancer xdpdrv off
	finds redirect_target web/v4 "lbload probe eth1"
	far_end balancer
	is_well
}

@test "no route to the VIP; answers that rp_filter and martian checks drop" {
	on balancer ip route del default via 10.0.0.1
	finds no_route_to_vip "VIP $vip4" "ip route add $vip4 dev lo"
	on balancer ip route add $vip4 dev lo src 10.0.0.2
	on balancer ip route add 192.0.2.11 dev lo src 10.0.0.2
	is_well
	on balancer sysctl -qw net.ipv4.conf.eth1.rp_filter=1
	finds rp_filter "VIP $vip4" "sysctl -w net.ipv4.conf.eth1.rp_filter=2"
	on balancer sysctl -qw net.ipv4.conf.eth1.rp_filter=0
	on balancer ip address add $vip4/32 dev lo
	finds accept_local "VIP $vip4" "sysctl -w net.ipv4.conf.eth1.accept_local=1"
	on balancer sysctl -qw net.ipv4.conf.eth1.accept_local=1
	is_well
	on balancer sysctl -qw net.ipv4.conf.eth1.accept_local=0
	on balancer ip address del $vip4/32 dev lo
	on balancer ip route del $vip4 dev lo
	on balancer ip route del 192.0.2.11 dev lo
	on balancer ip route add default via 10.0.0.1
	is_well
}

@test "programs that are missing: of probes, of the data plane" {
	on balancer tc filter del dev eth1 egress
	finds no_probe_program "interface eth1" "lbload replace eth1"
	finds no_probe_program "VIP $vip4" "lbload attach or replace"
	lbload replace eth1
	is_well
	on balancer ip link set dev eth0 xdpdrv off
	finds program_gone "interface eth0" "lbload detach eth0; lbload attach eth0"
	lbload detach eth0
	lbload attach eth0
	is_well
}

@test "answers to NAT that come in where nobody translates them" {
	lbload detach eth1
	finds nat_return natted/v4 "lbload attach eth1"
	lbload attach eth1
	is_well
}

@test "an interface that is down, in generic mode, gone and back" {
	on balancer ip link set eth0 down
	finds interface_down "interface eth0" "ip link set eth0 up"
	on balancer ip link set eth0 up
	is_well
	lbload detach eth0
	lbload attach eth0 --mode generic
	finds generic_mode "interface eth0" "lbload attach eth0 --mode native"
	lbload detach eth0
	# A veth whose both ends are here.
	on balancer ip link add spare type veth peer name spared
	on balancer ip link set spare up
	on balancer ip link set spared up
	lbload attach spare
	finds checksum_offload "interface spare" "ethtool -K spared tx off"
	finds veth_no_xdp "interface spare" "spared"
	on balancer ethtool -K spared tx off >/dev/null
	on balancer ip link set dev spared xdpdrv obj "$BUILD/tests/pass.bpf.o" sec xdp
	is_well
	on balancer ip link del spare
	finds interface_gone "interface spare" "lbload attach spare"
	on balancer ip link add spare type veth peer name spared
	finds interface_back "interface spare" "lbload attach spare"
	lbload detach spare
	on balancer ip link del spare
	is_well
}

@test "another seed than the data plane's" {
	sed -i 's/hash_seed: 00/hash_seed: ff/' "$LAB/balancer/lbd.yaml"
	lbctl reload --break-flows
	finds seed_differs "hash seed" "lbload clean"
	configuration | config
	lbctl reload
	is_well
}
