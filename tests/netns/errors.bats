#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Bad input to each program: what it says, and its exit status (0 done, 1 failed, 2 usage or
# configuration, 3 lbd cannot be reached, 4 no such object, 5 conflict, 6 not permitted).
#
#   client -- router -- bridge -- balancer (eth0)    VIP 192.0.2.10
#                          '----- web1

bats_require_minimum_version 1.5.0
# shellcheck source=tests/netns/topology.bash
source "$BATS_TEST_DIRNAME/topology.bash"

setup_file()
{
	lab_open
	network_add 2
	balancer_add balancer 1 one 192.0.2.10
	backend_up web1 1 192.0.2.10
	config <<-EOT
		version: 1
		global: {limits: {flows: 10000, clients: 10000}}
		pools:
		- name: web
		  check: {type: tcp}
		  backends:
		  - {name: web1, address: $(backend_v4 1)}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: web}
	EOT
	lb_up
	# Where anybody may read, which the directory of the sources need not be.
	install -D -t "$LAB/bin" "$BUILD"/{lbd,lbctl,lbload,lbdecap}
}

teardown_file() { lab_close; }
teardown() { lab_diagnostics; }

# says WORD...: each is in the output of `run`.
says()
{
	local word
	for word; do
		[[ $output == *"$word"* ]] || {
			echo "'$word' is not in: $output" >&2
			return 1
		}
	done
}

# A user without any capability.
unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all "$@"; }

# Stopped if it would run after all, which is a failure with status 124.
lbd() { on balancer timeout 10 "$BUILD/lbd" "$@"; }
lbdecap() { on "$1" "$BUILD/lbdecap" "${@:2}"; }

# ---- words ----

@test "every program: --help and --version are for stdout and succeed" {
	for program in lbd lbctl lbload lbdecap; do
		run -0 --separate-stderr "$BUILD/$program" --help
		[[ $output == *"$program"* ]]
		run -0 --separate-stderr "$BUILD/$program" --version
		grep -qE "^$program [0-9]+\.[0-9]+\.[0-9]+$" <<<"${lines[0]}"
		grep -qE '^revision [^ ]+, data plane layout [0-9]+$' <<<"${lines[1]}"
		grep -qE '^built with (gcc|clang) [0-9]' <<<"${lines[2]}"
		grep -qE 'packet programs with clang [0-9.]+, libbpf [0-9.]+, libxdp [0-9.]+$' <<<"${lines[2]}"
	done
}

@test "every program: an unknown option is named, exit status 2" {
	for program in lbd lbctl lbload lbdecap; do
		run -2 "$BUILD/$program" --no-such-option
		says "$program" no-such-option
	done
}

@test "every program: a typo in an option gets a suggestion" {
	run -2 "$BUILD/lbd" --conifg=x
	says "lbd:" "--conifg" "--config"
	run -2 "$BUILD/lbd" --config
	says --config value
	run -2 "$BUILD/lbd" -x
	says -x
	run -2 "$BUILD/lbctl" status --sockt x
	says sockt socket
	run -2 "$BUILD/lbload" --pin-dri x status
	says pin-dri pin-dir
	run -2 "$BUILD/lbdecap" --lokal ::1 attach eth0
	says lokal local
}

@test "lbctl: a typo in object or verb gets a suggestion" {
	run -2 lbctl bakend list
	says bakend backend
	run -2 lbctl backend lst
	says lst list
	run -2 lbctl stauts
	says stauts status
}

@test "lbload and lbdecap: a typo gets a suggestion" {
	run -2 lbload atach eth0
	says atach attach
	run -2 lbdecap web1 detatch eth0
	says detatch detach
}

@test "lbload and lbdecap: an option of the other is unknown, and suggested for no typo" {
	run -2 "$BUILD/lbdecap" --force
	says --force
	run -2 "$BUILD/lbdecap" --forse
	[[ $output != *"--force"* && $output != *"did you mean"* ]]
	run -2 "$BUILD/lbload" --local 10.0.0.1 status
	says --local
}

@test "every program: whoever mistypes is told what to do" {
	while read -r line; do
		read -ra words <<<"$line"
		run -2 "$BUILD/${words[0]}" "${words[@]:1}"
		[[ $output == "${words[0]}: "*$'\nhint: '* ]] || expect "$line" = "" "what gets no hint"
	done <<-EOT
		lbd --log-level loud
		lbd word
		lbd -x
		lbd --config
		lbctl
		lbctl pool
		lbctl pool show
		lbctl status -x
		lbctl --socket
		lbctl backend weight web/web1
		lbload
		lbload attach
		lbload -x
		lbload --pin-dir
		lbload attach eth0 --mode fast
		lbdecap attach
		lbdecap status --port
	EOT
}

@test "missing and superfluous arguments: exit status 2" {
	run -2 lbctl backend add web/web9
	run -2 lbctl backend weight web/web1
	run -2 lbctl backend weight web/web1 1 2
	run -2 lbload attach
	run -2 lbdecap web1 attach
	run -2 "$BUILD/lbctl"
	run -2 "$BUILD/lbload"
	run -2 "$BUILD/lbdecap"
}

# ---- lbctl: values and objects ----

@test "lbctl: wrong values are named, exit status 2, and change nothing" {
	before=$(lbctl backend list -o json | jq 'del(.. | .packets?, .bytes?, .last_check?, .reason?)')
	run -2 lbctl backend weight web/web1 many
	says many
	run -2 lbctl backend weight web/web1 -1
	run -2 lbctl backend weight web/web1 65536
	says 65535
	run -2 lbctl backend add web/web9 10.0.0.256
	says 10.0.0.256
	run -2 lbctl backend add web/web9 web9.example
	run -2 lbctl backend add web9 10.0.0.19
	run -2 lbctl service add x tcp://192.0.2.11
	run -2 lbctl service add x sctp://192.0.2.11:80
	says sctp
	run -2 lbctl service add x tcp://192.0.2.11:99999
	run -2 lbctl service add x tcp://2001:db8::11:80
	run -2 lbctl service add x tcp://192.0.2.11:80 --forward ipp
	says ipp ipip
	run -2 lbctl service add x tcp://192.0.2.11:80 --affinity source
	run -2 lbctl flow lookup tcp 198.51.100.11 192.0.2.10:80
	run -2 lbctl flow lookup icmp 198.51.100.11:1 192.0.2.10:80
	run -2 lbctl backend list -o yaml
	after=$(lbctl backend list -o json | jq 'del(.. | .packets?, .bytes?, .last_check?, .reason?)')
	[[ $before == "$after" ]]
	[[ $(lbctl service list -o json | jq '.services | length') == 1 ]]
}

@test "lbctl: no such object is exit status 4" {
	run -4 lbctl service show htpp
	says htpp
	run -4 lbctl pool show wbe
	run -4 lbctl backend list wbe
	run -4 lbctl backend weight web/web9 1
	says web9
	run -4 lbctl backend del web/web9
	run -4 lbctl backend add wbe/web9 10.0.0.19
	run -4 lbctl service del htpp
}

@test "lbctl: what is there already is a conflict, exit status 5" {
	run -5 lbctl backend add web/web1 10.0.0.19
	run -5 lbctl service add http tcp://192.0.2.10:81
	run -5 lbctl service add other tcp://192.0.2.10:80
	says 192.0.2.10:80
}

@test "lbctl: errors in JSON where JSON is asked for" {
	run --separate-stderr -4 lbctl backend weight web/web9 1 -o json
	message=$output$stderr
	[[ $(jq -r .error.code <<<"$message") == not_found ]]
	[[ $(jq -r .error.message <<<"$message") == *web9* ]]
	jq -e '.error | has("hint")' <<<"$message"
}

@test "lbctl: a dry run says what would change, and changes nothing" {
	run -0 lbctl backend weight web/web1 7 --dry-run
	expect "$output" = "would change backend web/web1: weight 100 -> 7"
	[[ $(backend_field web/web1 weight) == 100 ]]
	run -4 lbctl backend weight web/web9 7 -n
}

@test "lbctl: an lbd that is not there is exit status 3, with what to do" {
	run -3 "$BUILD/lbctl" --socket "$LAB/nowhere.sock" status
	says "$LAB/nowhere.sock"
	run -3 env LBD_SOCKET="$LAB/elsewhere.sock" "$BUILD/lbctl" status
	says "$LAB/elsewhere.sock"
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$LAB/stale.sock')"
	run -3 "$BUILD/lbctl" --socket "$LAB/stale.sock" status
}

@test "lbctl: a user who may not is told so, exit status 6" {
	run -6 unprivileged "$LAB/bin/lbctl" --socket "$LAB/balancer/lbd.sock" backend maint web/web1
	says lbd.sock
	# To look is another matter.
	run -0 unprivileged "$LAB/bin/lbctl" --socket "$LAB/balancer/lbd.sock" status
}

@test "tables on stdout carry no escapes, messages go to stderr" {
	run -0 --separate-stderr lbctl backend list
	[[ $output != *$'\e'* && -z $stderr ]]
	run -4 --separate-stderr lbctl service show nothing
	[[ -z $output && $stderr == *nothing* ]]
}

colourless() { sed "s/\x1b\[[0-9]*m//g"; }

# On a terminal of that many columns.
listed_on_terminal() # COLUMNS
{
	script -qec "stty columns $1; exec '$BUILD/lbctl' --socket '$LAB/balancer/lbd.sock' \
		backend list" /dev/null </dev/null | tr -d '\r'
}

@test "tables have colours and are cut to the width on a terminal, and only there" {
	local name=a-longer-name reason on_terminal
	lbctl backend add web/$name 10.0.0.77
	reason=$(backend_field web/web1 reason)
	reason=${reason%%[0-9]*} # the next check may take another time
	expect "${#reason}" -gt 8 "length of the reason"
	run -0 lbctl backend list
	says "$name" "$reason"
	on_terminal=$(listed_on_terminal 80)
	[[ $on_terminal == *$'\e[32mup\e[0m'* && $on_terminal == *web1*...* ]]
	expect "$(colourless <<<"$on_terminal" | wc -L)" -le 100 "the longest line"
	on_terminal=$(NO_COLOR=1 listed_on_terminal 300)
	[[ $on_terminal != *$'\e'* && $on_terminal == *"$reason"* ]]
	lbctl backend del web/$name
}

# ---- configuration ----

@test "config check: every error at once, with line, column and caret" {
	cat >"$LAB/bad.yaml" <<-EOT
		version: 1
		pools:
		- name: web
		  affinty: {key: 5-tuple}
		  table_size: 65536
		  backends:
		  - {name: web1, address: 10.0.0.300}
		  - {name: web1, address: 10.0.0.12}
		services:
		- {name: http, listen: "tcp://192.0.2.10:80", pool: wbe}
	EOT
	run -2 "$BUILD/lbctl" config check "$LAB/bad.yaml"
	says "bad.yaml:4:3: error:" affinty affinity "bad.yaml:5:" 65536 "bad.yaml:7:" 10.0.0.300 \
		"bad.yaml:8:" "bad.yaml:10:" wbe "^"
	[[ $(grep -c ' error: ' <<<"$output") == 5 ]]
	run -2 lbd -c "$LAB/bad.yaml" --pin-dir "$LAB/bpf/balancer" --socket "$LAB/x.sock" \
		--state-dir "$LAB/x"
	[[ $(grep -c ' error: ' <<<"$output") == 5 ]]
}

@test "config check: a good file is exit status 0, a missing one is named" {
	run -0 "$BUILD/lbctl" config check "$LAB/balancer/lbd.yaml"
	run -2 "$BUILD/lbctl" config check "$LAB/none.yaml"
	says none.yaml "No such file"
}

# ---- lbd ----

@test "lbd: a missing file, a missing data plane" {
	run lbd -c "$LAB/none.yaml" --pin-dir "$LAB/bpf/balancer" --socket "$LAB/x.sock" \
		--state-dir "$LAB/x"
	((status == 1 || status == 2))
	says none.yaml "No such file"
	run lbd -c "$LAB/balancer/lbd.yaml" --pin-dir "$LAB/bpf/none" --socket "$LAB/x.sock" \
		--state-dir "$LAB/x"
	((status != 0 && status != 124))
	says "$LAB/bpf/none" "lbload attach"
}

@test "lbd: a data plane that another lbd manages is a conflict" {
	run -5 lbd -c "$LAB/balancer/lbd.yaml" --pin-dir "$LAB/bpf/balancer" \
		--socket "$LAB/x.sock" --state-dir "$LAB/x"
	says "$LAB/bpf/balancer"
	run -0 lbctl status
}

@test "lbd: a socket that another lbd answers on is a conflict" {
	host_add second
	host_link second eth0 router second 1500
	INSTANCE=second
	lbload attach eth0
	run -5 on second timeout 10 "$BUILD/lbd" -c "$LAB/balancer/lbd.yaml" \
		--pin-dir "$LAB/bpf/second" --socket "$LAB/balancer/lbd.sock" --state-dir "$LAB/x"
	says "$LAB/balancer/lbd.sock"
	lbload detach eth0
	lbload clean
	host_del second
	INSTANCE=balancer
	run -0 lbctl status
}

@test "lbd: without privilege exit status 6, and what it needs" {
	chmod 755 "$LAB/bpf"
	run -6 unprivileged timeout 10 "$LAB/bin/lbd" -c "$LAB/balancer/lbd.yaml" \
		--pin-dir "$LAB/bpf/balancer" --socket "$LAB/x.sock" --state-dir "$LAB/x"
	chmod 700 "$LAB/bpf"
	says CAP_
}

# ---- lbload ----

@test "lbload: no such interface is exit status 4" {
	run -4 lbload attach eth9
	says eth9
	run -4 lbload probe eth9
	run -4 lbload detach lo
	says lo
}

@test "lbload: attaching twice is a conflict that names what is there" {
	run -5 lbload attach eth0
	says eth0
}

@test "lbload attach --keep: what is attached stays as it is, what is not is attached" {
	local before
	before=$(lbload status -o json | jq -c '[.attachments[] | {interface, program_id}]')
	run -0 lbload attach --keep eth0
	[[ $output == "eth0: attached already, program id "* ]]
	run -0 lbload attach --keep eth0 -o json
	[[ $(jq -c '.attachments' <<<"$output") == "[]" ]]
	[[ $(lbload status -o json | jq -c '[.attachments[] | {interface, program_id}]') == "$before" ]]
}

@test "lbload: an interface with somebody else's program is left alone" {
	host_add stranger
	host_link stranger eth0 router stranger 1500
	on stranger ip link set dev eth0 xdpdrv obj "$BUILD/tests/pass.bpf.o" sec xdp
	INSTANCE=stranger
	run -5 lbload attach eth0
	says eth0
	run -0 on stranger ip -d link show eth0
	says pass
	host_del stranger
}

@test "lbload: without privilege exit status 6" {
	run -6 unprivileged "$LAB/bin/lbload" --pin-dir "$LAB/bpf/none" attach lo
	says CAP_
}

@test "lbload: a wrong configuration is exit status 2 and attaches nothing" {
	host_add fresh
	host_link fresh eth0 router fresh 1500
	echo 'version: 7' >"$LAB/seven.yaml"
	INSTANCE=fresh
	run -2 lbload attach eth0 -c "$LAB/seven.yaml"
	says seven.yaml:1
	run on fresh ip link show eth0
	[[ $output != *xdp* ]]
	run -2 lbload attach eth0 --mode nativ
	says nativ native
	host_del fresh
}

# ---- lbdecap ----

@test "lbdecap: no such interface, twice, not there, no privilege" {
	run -4 lbdecap web1 attach eth9
	says eth9
	run -5 lbdecap web1 attach eth0
	run -4 lbdecap web1 detach lo
	run -6 unprivileged "$LAB/bin/lbdecap" attach lo
	run -0 lbdecap web1 status eth0
}

@test "after all this traffic still flows" {
	expect "$(visit "$(client_v4 1)" 192.0.2.10 10 | wc -l)" = 10 answers
}
