# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# topology: the network that the tests and the demo play in, and Limpet's programs in it. Stands on
# lib.bash.
#
#   client                  router                        backends (any number N from 1)
#   198.51.100.11, .12 ..   198.51.100.1      10.0.0.1    10.0.0.10+N       VIPs on lo
#   2001:db8:c::11, ..      2001:db8:c::1  2001:db8:b::1  2001:db8:b::10+N  lbdecap on eth0
#        |                     |    |           |            |
#        '------ MTU 1500 -----'    |          br0 ----------'
#                                   |           |    MTU 1600
#                          balancer with    balancer (number N from 1)
#                          two interfaces:      eth0: 10.0.0.1+N, 2001:db8:b::1+N
#                          eth0 here, eth1 on br0
#
# The router sends the VIPs to the balancer; backends answer past it, through the router to the
# client. The MTU has room for the outer header. Far ends of the balancer's interfaces carry a
# program that passes everything (see pass.bpf.c) and finish checksums in software, because XDP
# sends frames as they are.

TOPOLOGY_DIR=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/netns/lib.bash
source "$TOPOLOGY_DIR/lib.bash"

CABLE_MTU=${CABLE_MTU:-1500}   # of what clients send; behind the router 100 more
INSTANCE=${INSTANCE:-balancer} # whose lbload, lbd and lbctl the functions below mean

client_v4() { echo "198.51.100.$((10 + $1))"; }
client_v6() { echo "2001:db8:c::$((10 + $1))"; }
backend_v4() { echo "10.0.0.$((10 + $1))"; }
backend_v6() { echo "2001:db8:b::$((10 + $1))"; }

# network_add CLIENTS: the client with that many addresses of each family, and the router.
network_add()
{
	local n addresses=()

	host_add client
	host_add router
	host_link client eth0 router clients "$CABLE_MTU"
	for ((n = 1; n <= $1; n++)); do
		addresses+=("$(client_v4 $n)/24" "$(client_v6 $n)/64")
	done
	address client eth0 "${addresses[@]}"
	address router clients 198.51.100.1/24 2001:db8:c::1/64
	on client ip route add default via 198.51.100.1
	on client ip route add default via 2001:db8:c::1

	on router ip link add br0 mtu $((CABLE_MTU + 100)) type bridge forward_delay 0 mcast_snooping 0
	on router ip link set br0 up
	address router br0 10.0.0.1/24 2001:db8:b::1/64
	on router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
		echo 0 >/proc/sys/net/ipv4/conf/br0/send_redirects'
}

# For the router's end of a balancer's cable.
far_end()
{
	on router ethtool -K "$1" tx off >/dev/null
	on router ip link set dev "$1" xdpdrv obj "$BUILD/tests/pass.bpf.o" \
		sec "$( ((CABLE_MTU > 3000)) && echo xdp.frags || echo xdp)"
}

# balancer_add NAME NUMBER one|two VIP...: with one interface or two.
balancer_add()
{
	local name=$1 number=$2 interfaces=$3 inside=eth0 via4 via6 vip
	shift 3

	host_add "$name"
	mkdir -p "$LAB/$name"
	via4=10.0.0.$((1 + number)) via6=2001:db8:b::$((1 + number))
	if [[ $interfaces == two ]]; then
		inside=eth1
		host_link "$name" eth0 router "$name-front" "$CABLE_MTU"
		far_end "$name-front"
		address router "$name-front" "10.0.$((100 + number)).1/24" \
			"2001:db8:f:$number::1/64"
		via4=10.0.$((100 + number)).2 via6=2001:db8:f:$number::2
		address "$name" eth0 "$via4/24" "$via6/64"
	fi
	host_link "$name" "$inside" router "$name" $((CABLE_MTU + 100))
	on router ip link set "$name" master br0
	far_end "$name"
	address "$name" "$inside" "10.0.0.$((1 + number))/24" "2001:db8:b::$((1 + number))/64"
	on "$name" ip route add default via 10.0.0.1
	on "$name" ip route add default via 2001:db8:b::1
	for vip; do
		if [[ $vip == *:* ]]; then
			on router ip route add "$vip/128" via "$via6"
		else
			on router ip route add "$vip/32" via "$via4"
		fi
	done
}

# backend_add NAME NUMBER VIP...: with the VIPs on its loopback, and without servers.
backend_add()
{
	local name=$1 number=$2 vip addresses=()
	shift 2

	host_add "$name"
	mkdir -p "$LAB/$name"
	host_link "$name" eth0 router "$name" $((CABLE_MTU + 100))
	on router ip link set "$name" master br0
	address "$name" eth0 "$(backend_v4 "$number")/24" "$(backend_v6 "$number")/64"
	on "$name" ip route add default via 10.0.0.1
	on "$name" ip route add default via 2001:db8:b::1
	for vip; do
		if [[ $vip == *:* ]]; then
			addresses+=("$vip/128")
		else
			addresses+=("$vip/32")
		fi
	done
	address "$name" lo "${addresses[@]}"
}

# Lets a backend take encapsulated packets (backends of `forward: l2` need it not).
backend_decap()
{
	on "$1" "$BUILD/lbdecap" attach eth0 >>"$LAB/log/lbdecap-$1" 2>&1 && return 0
	cat "$LAB/log/lbdecap-$1" >&2
	return 1
}

# A web server that answers its backend's name and the address it sees the client at.
nginx_start()
{
	local name=$1 dir=$LAB/$1/nginx
	mkdir -p "$dir/www/up"
	chmod 777 "$dir/www/up" # files that are put below /up
	[[ -e $dir/www/big ]] || truncate -s 64M "$dir/www/big"
	cat >"$dir/conf" <<-EOF
		daemon off;
		worker_processes 1;
		pid $dir/pid;
		error_log stderr;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			keepalive_timeout 1h;
			keepalive_requests 1000000000;
			server {
				listen 80 backlog=4096;
				listen [::]:80 backlog=4096;
				root $dir/www;
				default_type text/plain;
				location / { return 200 "$name \$remote_addr\n"; }
				location /up/ {
					dav_methods PUT;
					client_max_body_size 0;
					add_header X-Backend $name always;
				}
				location = /big { add_header X-Backend $name; }
				location = /slow {
					alias $dir/www/big;
					add_header X-Backend $name;
					limit_rate 512k;
				}
			}
		}
	EOF
	# -e: until the configuration is read, messages would go to the host's log.
	spawn "nginx-$name" "$name" nginx -e stderr -c "$dir/conf"
	wait_until 30 on "$name" curl -sf http://127.0.0.1/ && return 0
	cat "$LAB/log/nginx-$name" >&2
	return 1
}

# echo_start NAME PORT VIP...: answers each datagram to a VIP with the backend's name.
echo_start()
{
	local name=$1
	spawn "echo-$name" "$name" python3 "$TOPOLOGY_DIR/echo.py" "$@"
	wait_until 30 grep -q ready "$LAB/log/echo-$name"
}

# A backend whole: backend_up NAME NUMBER VIP...
backend_up()
{
	backend_add "$@"
	backend_decap "$1"
	nginx_start "$1"
}

# A machine that is gone: nothing answers, not even with a reset.
backend_cut() { on router ip link set "$1" down; }
backend_mend() { on router ip link set "$1" up; }

# ---- Limpet's programs, for $INSTANCE ----

lbload() { on "$INSTANCE" "$BUILD/lbload" --pin-dir "$LAB/bpf/$INSTANCE" "$@"; }
lbctl() { "$BUILD/lbctl" --socket "$LAB/$INSTANCE/lbd.sock" "$@"; }

# Takes the YAML from standard input.
config() { cat >"$LAB/$INSTANCE/lbd.yaml"; }

# lbd_start [OPTION...]
# shellcheck disable=SC2120
lbd_start()
{
	spawn "lbd-$INSTANCE" "$INSTANCE" "$BUILD/lbd" -c "$LAB/$INSTANCE/lbd.yaml" \
		--pin-dir "$LAB/bpf/$INSTANCE" --socket "$LAB/$INSTANCE/lbd.sock" \
		--state-dir "$LAB/$INSTANCE/state" "$@"
	wait_until 30 lbd_publishes && return 0
	cat "$LAB/log/lbd-$INSTANCE" >&2
	return 1
}

# The API answers before that.
lbd_publishes() { lbctl status -o json | jq -e .published >/dev/null; }

lbd_stop() { stop "lbd-$INSTANCE" "$@"; }

# lb_up [INTERFACE...]: attaches, starts lbd, and waits until backends with a check were judged.
lb_up()
{
	lbload attach "${@:-eth0}" -c "$LAB/$INSTANCE/lbd.yaml" >>"$LAB/log/lbload-$INSTANCE"
	# shellcheck disable=SC2119
	lbd_start
	wait_until 30 pools_settled || {
		lbctl backend list >&2
		return 1
	}
}

# Whether each ready backend with a weight is up (or has no check) and takes traffic.
pools_settled()
{
	lbctl backend list -o json |
		jq -e '.backends | length > 0 and all(.[]; .admin != "ready" or .weight == 0
			or (.health != "down" and .slots > 0))'
}

# backend_field POOL/NAME FIELD: of `lbctl backend list`.
backend_field()
{
	lbctl backend list "${1%/*}" -o json |
		jq -r --arg name "${1#*/}" ".backends[] | select(.name == \$name) | .$2"
}

# backend_is POOL/NAME FIELD VALUE, for wait_until.
backend_is() { [[ $(backend_field "$1" "$2") == "$3" ]]; }

# backend_unresolved POOL/NAME TEXT: no next hop, and that in the reason.
backend_unresolved()
{
	[[ $(backend_field "$1" next_hop.resolved) == false &&
		$(backend_field "$1" next_hop.why) == *"$2"* ]]
}

# drop_count VERDICT: how many packets `lbctl drops` has for it.
drop_count()
{
	lbctl drops -o json | jq --arg verdict "$1" \
		'[.drops[] | select(.verdict == $verdict) | .packets] | add // 0'
}

# ---- traffic ----

# visit SOURCE VIP COUNT [PORT]: that many requests over new connections; prints the answers.
visit()
{
	local host=$2
	[[ $host != *:* ]] || host=[$host]
	on client curl -sf --max-time 20 --interface "$1" -H 'Connection: close' \
		"http://$host:${4:-80}/[1-$3]"
}

# steady_start NAME VIP:PORT CONNECTIONS [OPTION...]: see steady.py. Returns when all are open.
steady_start()
{
	local name=$1 target=$2 connections=$3
	shift 3
	rm -f "$LAB/$name.ready" "$LAB/$name.json"
	spawn "$name" client python3 "$TOPOLOGY_DIR/steady.py" --target "$target" \
		--connections "$connections" --ready "$LAB/$name.ready" \
		--report "$LAB/$name.json" "$@"
	wait_until 60 test -s "$LAB/$name.ready" && return 0
	cat "$LAB/log/$name" >&2
	return 1
}

# Ends it; its report is in $LAB/NAME.json.
steady_stop()
{
	stop "$1"
	[[ -s $LAB/$1.json ]] && return 0
	cat "$LAB/log/$1" >&2
	return 1
}

# The report so far, while the flows go on.
steady_look()
{
	rm -f "$LAB/$1.json"
	kill -USR1 "$(<"$LAB/pid/$1")"
	wait_until 30 test -e "$LAB/$1.json"
}

# steady NAME FILTER: of the report, by jq.
steady() { jq -r "$2" "$LAB/$1.json"; }

# Waits until each connection has had COUNT more answers: the traffic met what came before.
steady_rounds()
{
	local before
	before=$(steady_progress "$1")
	wait_until 60 steady_passed "$1" $((before + $2)) && return 0
	echo "$1: no $2 further rounds; stuck at $(steady_progress "$1")" >&2
	return 1
}

steady_progress() { tail -n 1 "$LAB/$1.ready"; }
steady_passed() { (($(steady_progress "$1") >= $2)); }
