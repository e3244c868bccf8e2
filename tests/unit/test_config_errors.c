/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config, wrong files: each kind of error, where it is reported, and with which words. A '^' in a
 * text is not part of it: it stands before the character that the error must point to. Each text
 * has that one error and no other.
 */
#include "../../user/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define V          "version: 1\n"
#define GLOBAL(x)  V "global:\n  " x "\n"
#define POOL(x)    V "pools:\n- name: web\n  " x "\n"
#define BACKEND(x) POOL("backends: [{name: b1, address: 10.0.0.1, " x "}]")
#define CHECK(x)   POOL("check: {" x "}")
#define LISTEN(x)  V "services:\n- {name: web, listen: " x "}\n"
#define SERVICE(x) POOL("track: changed") "services:\n- {name: s1, " x "}\n"
#define SOURCES(x) SERVICE("pool: web, listen: tcp://192.0.2.1:80, " x)
#define PAIR(x, y)                                                                                 \
	V "services:\n- {name: s1, listen: \"" x "\"}\n- {name: s2, listen: ^\"" y "\"}\n"

/* As long as a name may be. */
#define NAME_9  "nnnnnnnnn"
#define NAME_63 NAME_9 NAME_9 NAME_9 NAME_9 NAME_9 NAME_9 NAME_9

struct error_case {
	const char *text;
	const char *what; /* a part of the message */
};

static const struct error_case syntax[] = {
	{"^", "the file is empty"},
	{"^# nothing but this\n", "the file is empty"},
	{"^---\n", "the file is empty"},
	{"version: 1\nglobal: {limits: {flows: 5}\n^",
	 "YAML syntax: did not find expected ',' or '}'"},
	{"version: 1\n^\tpools: []\n", "a tab (indent with spaces)"},
	{"version: 1\npools:\n^\t- name: web\n", "a tab (indent with spaces)"},
	{"version: 1\nglobal: a^: b\n", "YAML syntax: mapping values are not allowed"},
	{"version: 1\nglobal: \"open\n^", "(while scanning a quoted scalar in line 2)"},
	{"version: 1\npools: [^%]\n", "YAML syntax"},
	{"version: 1\nname: ^\xff\xfe\n", "not valid UTF-8"},
	{"version: 1\n# ok \xc3\xa9 ^\xc3(\n", "not valid UTF-8"},
	{"version: 1\nname: a^\x01\n", "a control character (byte 0x01)"},
	{"version: 1\nglobal: ^&here {limits: {flows: 5}}\n", "an anchor, 'here'"},
	{"version: 1\npools: ^*here\n", "an alias, 'here'"},
	{"version: ^!!int 1\n", "a tag, 'tag:yaml.org,2002:int'"},
	{"version: 1\nglobal: ^!mine {}\n", "a tag, '!mine'"},
	{"^%TAG ! tag:example.org,2000:\n---\nversion: 1\n", "a %TAG directive"},
	{"version: 1\n^---\nversion: 1\n", "a second document"},
	{"version: 1\n^version: 9\n", "key 'version' is given twice (first in line 1)"},
	{POOL("track: changed\n  forward: l2\n  ^track: always"), "'track' is given twice"},
	{"version: 1\n? ^[a, b]\n: 1\n", "a key must be a word"},
	{"version: 1\nglobal: {hash_seed: ^\"a\\0b\"}\n", "a NUL character"},
	{"version: 1\npools: [[[[[[[[[[[[[[[^[[]]]]]]]]]]]]]]]]\n", "nested deeper"},
};

static const struct error_case file[] = {
	{"^pools: []\n", "the file needs the key 'version'"},
	{"version: ^2\n", "version: '2' is none this lbd reads"},
	{"version: ^\"1\"\n", "version: '1' is none"},
	{"version: ^[1]\n", "version: expected 1, found a list"},
	{"^- version: 1\n", "the file: expected a map"},
	{"^just words\n", "expected a map (key: value), found 'just words'"},
	{V "^servces: []\n", "unknown key 'servces' in the file (did you mean 'services'?)"},
	{V "^xyzzy: []\n", "unknown key 'xyzzy' in the file (known: version, global, defaults, "
			   "pools, services)"},
	{V "^pools:\n", "'pools' has no value"},
	{V "^pools: ~\n", "'pools' has no value"},
	{V "pools: ^{}\n", "pools: expected a list, found a map"},
	{V "services: ^web\n", "services: expected a list, found 'web'"},
	{V "global: ^[]\n", "global: expected a map"},
	{V "defaults: {^name: web}\n", "'name' has no place in defaults (it belongs in each pool)"},
	{V "defaults: {^backends: []}\n", "'backends' has no place in defaults"},
	{V "defaults: {^chek: {}}\n", "unknown key 'chek' in defaults (did you mean 'check'?)"},
};

static const struct error_case global[] = {
	{GLOBAL("hash_seed: ^0123"), "hash_seed: not 32 hex digits"},
	{GLOBAL("hash_seed: ^\"0123456789abcdef0123456789abcdeg\""),
	 "hash_seed: not 32 hex digits"},
	{GLOBAL("hash_seed: ^\"00000000000000000000000000000000\""), "all zeros are no secret"},
	{GLOBAL("hash_seed_file: ^/does/not/exist"), "cannot read '/does/not/exist': No such file"},
	{GLOBAL("hash_seed_file: ^/dev/null"), "hash_seed_file: '/dev/null': not 32 hex digits"},
	{GLOBAL("encap_source: {v4: ^0100::/64}"), "v4: '0100::/64': it is not IPv4"},
	{GLOBAL("encap_source: {v6: ^172.16.0.0/16}"), "v6: '172.16.0.0/16': it is not IPv6"},
	{GLOBAL("encap_source: {v4: ^172.16.0.0/33}"), "the prefix length is not from 0 to 32"},
	{GLOBAL("encap_source: {v6: ^\"0100::/129\"}"), "the prefix length is not from 0 to 128"},
	{GLOBAL("encap_source: {v4: ^172.16.0.1/16}"), "bits behind the prefix length are set"},
	{GLOBAL("encap_source: {v4: ^224.0.0.0/8}"), "multicast"},
	{GLOBAL("encap_source: {v6: ^\"::/64\"}"), "unspecified"},
	{GLOBAL("encap_source: ^172.16.0.0/16"), "encap_source: expected a map"},
	{GLOBAL("limits: {backends: ^0}"), "backends: '0' is out of range (1 to"},
	{GLOBAL("limits: {backends: ^32767}"), "backends: '32767' is out of range (1 to 32766)"},
	{GLOBAL("limits: {services: ^65536}"), "services: '65536' is out of range (1 to 65535)"},
	{GLOBAL("limits: {clients: ^1e6}"), "clients: expected a whole number"},
	{GLOBAL("limits: {slots: ^2000001}"), "not a multiple of 16 (the next is 2000016)"},
	{GLOBAL("limits: {^slot: 16}"), "unknown key 'slot' in limits (did you mean 'slots'?)"},
	{GLOBAL("metrics: ^127.0.0.1"), "metrics: '127.0.0.1': the port is missing"},
	{GLOBAL("metrics: ^127.0.0.1:0"), "metrics: '127.0.0.1:0': the port is not a number"},
	{GLOBAL("metrics: ^\"::1:9555\""), "an IPv6 address with a port stands in brackets"},
	{GLOBAL("metrics: ^224.0.0.1:9555"), "metrics: '224.0.0.1:9555': it is a multicast"},
	{GLOBAL("metrics: ^localhost:9555"), "(such as 127.0.0.1:9555)"},
};

static const struct error_case pools[] = {
	{V "pools: [^web]\n", "a pool: expected a map"},
	{V "pools: [^{track: changed}]\n", "a pool needs the key 'name'"},
	{V "pools: [{name: ^-web}]\n", "name: '-web' is no name"},
	{V "pools: [{name: ^\"web 1\"}]\n", "name: 'web 1' is no name"},
	{V "pools: [{name: ^[web]}]\n", "name: expected a word, found a list"},
	{V "pools: [{^name: }]\n", "'name' has no value"},
	{V "pools:\n- name: web\n- name: dns\n- name: ^web\n",
	 "there is a pool 'web' already (line 3)"},
	{POOL("^affinty: {}"), "unknown key 'affinty' in a pool (did you mean 'affinity'?)"},
	{POOL("affinity: ^source-ip"), "affinity: expected a map"},
	{POOL("affinity: {key: ^source_ip}"),
	 "unknown word 'source_ip' (did you mean 'source-ip'?)"},
	{POOL("affinity: {key: ^cookie}"), "unknown word 'cookie' (one of: 5-tuple, source-ip)"},
	{POOL("affinity: {key: source-ip, prefix_v4: ^33}"), "'33' is out of range (1 to 32)"},
	{POOL("affinity: {key: source-ip, prefix_v6: ^129}"), "'129' is out of range (1 to 128)"},
	{POOL("affinity: {^prefix_v4: 24}"), "'prefix_v4' needs an affinity by source"},
	{POOL("affinity: {^timeout: 0s, key: 5-tuple}"), "'timeout' needs an affinity by source"},
	{POOL("affinity: {key: source-ip, timeout: ^8761h}"), "timeout: '8761h' is out of range"},
	{POOL("forward: ^ip-ip"), "forward: unknown word 'ip-ip' (did you mean 'ipip'?)"},
	{POOL("^gue_port: 6080"), "'gue_port' needs 'forward: gue'"},
	{POOL("forward: gue\n  gue_port: ^0"), "'0' is out of range (1 to 65535)"},
	{POOL("forward: gue\n  gue_port: ^65536"), "'65536' is out of range (1 to 65535)"},
	{POOL("forward: ^[l2]"), "forward: expected a word, found a list"},
	{POOL("table_size: ^65536"), "65536 is not a prime (the nearest is 65537)"},
	{POOL("table_size: ^1"), "'1' is out of range (2 to 1048573)"},
	{POOL("table_size: ^9999999999999999999999"), "is out of range (2 to 1048573)"},
	{V "defaults:\n  table_size: ^10\n", "10 is not a prime (the nearest is 11)"},
	{POOL("table_size: ^2\n  backends: [{name: a, address: 10.0.0.1}, {name: b, address: "
	      "10.0.0.2}]"),
	 "2 is not above the number of backends, 2"},
	{V "defaults: {table_size: 2}\npools:\n- name: web\n  backends: ^[{name: a, address: "
	   "10.0.0.1}, {name: b, address: 10.0.0.2}]\n",
	 "2 is not above the number of backends, 2"},
	{POOL("track: ^never"), "track: unknown word 'never' (one of: changed, always)"},
	{POOL("on_down: ^drop"), "on_down: unknown word 'drop' (one of: move, keep)"},
	{POOL("drain_deadline: ^5"), "drain_deadline: expected a time such as 500ms, 10s or 2h10m, "
				     "found '5'"},
	{POOL("drain_deadline: ^1.5h"), "expected a time"},
	{POOL("drain_deadline: ^10m2h"), "expected a time"},
	{POOL("drain_deadline: ^5min"), "expected a time"},
	{POOL("drain_deadline: ^-5s"), "expected a time"},
	{POOL("drain_deadline: ^9000h"), "'9000h' is out of range (0s to 8760h)"},
	{POOL("idle_timeout: {tcp: ^0s}"), "tcp: '0s' is out of range (1s to 8760h)"},
	{POOL("idle_timeout: {^icmp: 1s}"), "unknown key 'icmp' in idle_timeout"},
	{POOL("slow_start: ^soon"), "slow_start: expected a time such as"},
	{POOL("panic_threshold: ^30"), "expected a percentage from 0% to 100%, found '30'"},
	{POOL("panic_threshold: ^101%"), "expected a percentage from 0% to 100%"},
	{POOL("^snat: true"), "'snat' needs 'forward: nat'"},
	{POOL("forward: nat\n  backends: ^[{name: a, address: \"fd00::1\"}]\nservices:\n"
	      "- {name: s, listen: \"tcp://192.0.2.1:80\", pool: web}"),
	 "pool 'web': backend 'a' is of another family than tcp://192.0.2.1:80 of service 's': "
	 "NAT between them needs 'snat: true'"},
	{POOL("snat: ^yes"), "snat: expected true or false, found 'yes'"},
};

static const struct error_case checks[] = {
	{CHECK("type: http, expect: ^20x"), "expect: '20x': not statuses from 100 to 599"},
	{CHECK("type: http, expect: ^[200, 204-]"), "expect: '200,204-': not statuses"},
	{CHECK("expect: ^ok, type: https"), "expect: 'ok': not statuses"},
	{CHECK("type: http, expect: [^[200]]"), "expect: expected statuses, found a list"},
	{CHECK("type: http, path: ^healthz"), "path: 'healthz' does not begin with '/'"},
	{CHECK("type: http, path: ^\"/a b\""), "path: '/a b' is not a path (printable ASCII"},
	{CHECK("type: http, host: ^\"a\\r\\nb\""), "is not a Host header's value (printable"},
	{CHECK("type: http, host: ^\"\""), "host: '' is not a Host header's value"},
	{CHECK("type: http, body: ^{}"), "body: expected text, found a map"},
	{CHECK("type: http, ^sni: a.example"), "'sni' needs a check of type https (it is http)"},
	{CHECK("type: https, sni: ^a/b"), "sni: 'a/b' is not a server name"},
	{CHECK("type: https, ca: ^ca.pem"), "ca: 'ca.pem' is not a path from the root"},
	{CHECK("type: https, certificate: ^c"), "certificate: 'c' is not a path from the root"},
	{CHECK("type: https, key: ^k, certificate: /c"), "key: 'k' is not a path from the root"},
	{CHECK("type: https, ^key: /k"), "'key' is that of a certificate (add the key "
					 "'certificate')"},
	{CHECK("type: ^exec"), "a check of type exec needs the key 'command'"},
	{CHECK("type: exec, command: ^/bin/true"), "command: expected a list, found '/bin/true'"},
	{CHECK("type: exec, command: ^[]"), "command: the list is empty"},
	{CHECK("type: exec, command: [^true]"), "command: 'true' is not a path from the root"},
	{CHECK("type: exec, command: [/bin/true, ^\"\"]"), "command: an empty word, or more than"},
	{CHECK("type: exec, command: [/bin/true, ^[a]]"), "command: expected a word, found a list"},
	{CHECK("type: tcp, ^command: [/bin/true]"), "'command' needs a check of type exec"},
	{CHECK("type: ^udp"), "a check of type udp needs the key 'send'"},
	{CHECK("type: tcp, ^path: /healthz"), "'path' needs a check of type http or https (it is "
					      "tcp)"},
	{CHECK("type: icmp, ^send: x"), "'send' needs a check of type udp (it is icmp)"},
	{CHECK("type: tcp, ^expect: x"), "'expect' needs a check of type http, https or udp"},
	{CHECK("type: udp, send: ^'\\q'"), "send: a backslash stands before xHH, n, r, t or "
					   "another"},
	{CHECK("type: udp, send: ^'\\x1'"), "send: a backslash"},
	{CHECK("type: udp, send: ^[a]"), "send: expected text, found a list"},
	{CHECK("type: udp, send: x, expect: ^'\\x'"), "expect: '\\x': a backslash"},
	{CHECK("type: udp, send: ^" NAME_63 NAME_63 NAME_63 NAME_63 "12345"),
	 "send: it is longer than 255 bytes"},
	{V "defaults: {check: {type: tcp, ^send: x}}\n", "'send' needs a check of type udp"},
	{CHECK("type: ^tpc"), "type: unknown word 'tpc' (did you mean 'tcp'?)"},
	{POOL("check: ^tcp"), "check: expected a map (key: value), found 'tcp'"},
	{POOL("check: ^{interval: 5s}"), "check needs the key 'type'"},
	{CHECK("type: tcp, interval: ^1ms"), "'1ms' is out of range (10ms to 24h)"},
	{CHECK("type: tcp, interval: 2s, timeout: ^3s"), "timeout is longer than its interval"},
	{CHECK("type: tcp, interval: ^500ms"), "timeout is longer than its interval (1000 ms, 500"},
	{V "defaults: {check: {timeout: ^3s}}\npools: [{name: web, check: {type: tcp}}]\n",
	 "timeout is longer than its interval"},
	{CHECK("type: tcp, fast_interval: ^3s"), "fast_interval is longer than its interval"},
	{CHECK("type: tcp, fast_interval: ^1ms"), "'1ms' is out of range (10ms to 24h)"},
	{CHECK("type: tcp, hold_down: ^25h"), "'25h' is out of range (0s to 24h)"},
	{CHECK("type: tcp, hold_down: ^long"), "hold_down: expected a time"},
	{CHECK("type: tcp, rise: ^0"), "rise: '0' is out of range (1 to 1000)"},
	{CHECK("type: tcp, fall: ^two"), "fall: expected a whole number (1 to 1000), found 'two'"},
	{CHECK("type: tcp, port: ^0"), "port: '0' is out of range (1 to 65535)"},
	{CHECK("type: tcp, via: ^other"), "via: unknown word 'other' (one of: direct, tunnel)"},
	{CHECK("type: exec, command: [/bin/true], ^via: tunnel"),
	 "'via' needs a check of type tcp, http, https, udp or icmp (it is exec)"},
	{CHECK("type: tcp, agent: ^0"), "agent: '0' is out of range (1 to 65535)"},
	{CHECK("type: tcp, agent: ^[1]"), "agent: expected a whole number (1 to 65535)"},
	{V "pools: [{name: p, check: ^{type: udp, send: x}, backends: [{name: b, address: "
	   "10.0.0.1}]}]\n"
	   "services: [{name: s, listen: tcp://192.0.2.1:80, pool: p}]\n",
	 "no port to check (set check.port or the backend's port, or give the pool a service that "
	 "listens on one UDP port)"},
	{POOL("check: ^{type: tcp}\n  backends: [{name: b1, address: 10.0.0.1}]"),
	 "pool 'web', backend 'b1': no port to check"},
	{POOL("check: ^{type: tcp}\n  backends: [{name: b1, address: 10.0.0.1, port: 80}, {name: "
	      "b2, "
	      "address: 10.0.0.2}]"),
	 "pool 'web', backend 'b2': no port to check"},
	{V "defaults: {check: {type: tcp}}\npools:\n- ^name: web\n  backends: [{name: b1, address: "
	   "10.0.0.1}]\nservices: [{name: s, listen: tcp://192.0.2.1:80-81, pool: web}]\n",
	 "no port to check"},
};

static const struct error_case backends[] = {
	{POOL("backends: ^b1"), "backends: expected a list"},
	{POOL("backends: [^10.0.0.1]"), "a backend: expected a map"},
	{POOL("backends: [^{address: 10.0.0.1}]"), "a backend needs the key 'name'"},
	{POOL("backends: [^{name: b1}]"), "a backend needs the key 'address'"},
	{POOL("backends: [{name: b1, address: ^10.0.0.300}]"),
	 "neither an IPv4 nor an IPv6 address"},
	{POOL("backends: [{name: b1, address: ^0.0.0.0}]"), "it is the unspecified address"},
	{POOL("backends: [{name: b1, address: ^\"ff02::1\"}]"), "it is a multicast address"},
	{POOL("backends: [{name: b1, address: ^[10.0.0.1]}]"), "address: expected an IPv4 or IPv6"},
	{POOL("backends:\n  - {name: b1, address: 10.0.0.1}\n  - {name: ^b1, address: 10.0.0.2}"),
	 "this pool has a backend 'b1' already (line 5)"},
	{POOL("backends:\n  - {name: b1, address: 10.0.0.1}\n  - {name: b2, address: ^10.0.0.1}"),
	 "backend 'b1' of this pool has it already (line 5)"},
	{POOL("backends: [{name: b1, address: \"2001:db8::1\", port: 80}, {name: b2, address: "
	      "^\"2001:db8:0::1\", port: 80}]"),
	 "backend 'b1' of this pool has it already"},
	{BACKEND("weight: ^abc"), "weight: expected a whole number (0 to 65535), found 'abc'"},
	{BACKEND("weight: ^1e3"), "weight: expected a whole number"},
	{BACKEND("weight: ^0x10"), "weight: expected a whole number"},
	{BACKEND("weight: ^010"), "weight: expected a whole number"},
	{BACKEND("weight: ^1.0"), "weight: expected a whole number"},
	{BACKEND("weight: ^\"100\""), "found '100' in quotes"},
	{BACKEND("weight: ^-1"), "weight: '-1' is out of range (0 to 65535)"},
	{BACKEND("weight: ^65536"), "weight: '65536' is out of range (0 to 65535)"},
	{BACKEND("weight: ^99999999999999999999"), "is out of range (0 to 65535)"},
	{BACKEND("^weight: "), "'weight' has no value"},
	{BACKEND("^wieght: 5"), "unknown key 'wieght' in a backend (did you mean 'weight'?)"},
	{BACKEND("port: ^65536"), "port: '65536' is out of range (1 to 65535)"},
	{BACKEND("admin: ^draining"), "admin: unknown word 'draining'"},
	{BACKEND("backup: ^yes"), "backup: expected true or false, found 'yes'"},
};

static const struct error_case services[] = {
	{V "services: [^{listen: tcp://192.0.2.1:80}]\n", "a service needs the key 'name'"},
	{V "services: [^{name: web}]\n", "a service needs the key 'listen'"},
	{V "services:\n- {name: s, listen: tcp://192.0.2.1:80}\n- {name: ^s, listen: "
	   "tcp://192.0.2.1:81}\n",
	 "there is a service 's' already (line 3)"},
	{LISTEN("^192.0.2.1:80"), "it begins with neither tcp:// nor udp://"},
	{LISTEN("^tcp://192.0.2.1"), "the port is missing"},
	{LISTEN("^tcp://192.0.2.1:99999"), "the port is not a number from 1 to 65535"},
	{LISTEN("^tcp://239.0.0.1:80"), "it is a multicast address"},
	/* No port to check either, but that follows from the first. */
	{V "services:\n- {name: s, check: {type: tcp}, backends: [{name: b, address: 10.0.0.1}], "
	   "listen: ^tcp://192.0.2.1:O}\n",
	 "the port is not a number"},
	{LISTEN("^[]"), "listen: the list is empty"},
	{LISTEN("^{tcp: 80}"), "listen: expected an endpoint, found a map"},
	{LISTEN("[tcp://192.0.2.1:80, ^tcp://192.0.2.1:0]"), "the port is not a number"},
	{LISTEN("[tcp://192.0.2.1:80, ^tcp://192.0.2.1:80]"), "of service 'web' (line 3)"},
	{PAIR("tcp://192.0.2.1:80", "tcp://192.0.2.1:80"),
	 "tcp://192.0.2.1:80 is in conflict with tcp://192.0.2.1:80 of service 's1' (line 3)"},
	{PAIR("udp://192.0.2.1:*", "udp://192.0.2.1:*"), "of service 's1' (line 3)"},
	{PAIR("tcp://192.0.2.1:80-90", "tcp://192.0.2.1:85-99"), "of service 's1' (line 3)"},
	{PAIR("tcp://192.0.2.1:85-99", "tcp://192.0.2.1:80-90"), "of service 's1' (line 3)"},
	{LISTEN("[tcp://192.0.2.1:80-90, tcp://192.0.2.1:85, ^tcp://192.0.2.1:88-99]"),
	 "tcp://192.0.2.1:88-99 is in conflict with tcp://192.0.2.1:80-90"},
	{PAIR("tcp://[2001:db8::1]:80", "tcp://[2001:DB8:0::1]:80"), "of service 's1' (line 3)"},
	{SERVICE("listen: tcp://192.0.2.1:80, pool: ^wbe"), "no pool 'wbe' (did you mean 'web'?)"},
	{SERVICE("listen: tcp://192.0.2.1:80, pool: ^database"), "there is no pool 'database'"},
	{SERVICE("listen: tcp://192.0.2.1:80, pool: ^\"a b\""), "there is no pool 'a b'"},
	{V "pools: [{name: " NAME_63 "}]\nservices: [{name: s, listen: tcp://192.0.2.1:80, pool: "
	   "^" NAME_63 "x}]\n",
	 "there is no pool 'nnnnnnnn"},
	{SERVICE("listen: tcp://192.0.2.1:80, pool: web, ^track: always"),
	 "'track' has no place in a service (it belongs in the pool that 'pool' names)"},
	{SERVICE("listen: tcp://192.0.2.1:80, ^backends: [], pool: web"),
	 "'backends' has no place in a service"},
	{POOL("track: changed") "services:\n- ^{name: web, listen: tcp://192.0.2.1:80}\n",
	 "service 'web' would hold a pool of its name, but there is one (line 3; to use that, "
	 "write pool: web)"},
	{SOURCES("allow: ^10.0.0.0/8"), "allow: expected a list, found '10.0.0.0/8'"},
	{SOURCES("allow: ^[]"), "allow: the list is empty (to take everyone, leave it out; to take "
				"nobody, deny 0.0.0.0/0 and ::/0)"},
	{SOURCES("allow: [10.0.0.0/8, ^10.1.2.3/16]"),
	 "allow: '10.1.2.3/16': bits behind the prefix length are set"},
	{SOURCES("deny: [^\"2001:db8::1/32\"]"), "bits behind the prefix length are set"},
	{SOURCES("deny: [^10.0.0.0/33]"), "the prefix length is not from 0 to 32"},
	{SOURCES("deny: [^10.0.0.256]"), "deny: '10.0.0.256': it is neither an IPv4 nor an IPv6"},
	{SOURCES("deny: [^{a: b}]"), "deny: expected a prefix, found a map"},
	{SOURCES("deny: [10.0.0.0/8, 10.0.0.0/9, ^10.0.0.0/8]"),
	 "deny: 10.0.0.0/8 is in the list already (line 6)"},
	{SOURCES("deny: [192.0.2.7, ^192.0.2.7/32]"), "192.0.2.7/32 is in the list already"},
	{SOURCES("allow: [10.0.0.0/8, 192.0.2.0/24], deny: [10.0.0.0/9, ^192.0.2.0/24]"),
	 "deny: 192.0.2.0/24 is in the list 'allow', too"},
	{SOURCES("new_flow_limit: ^-1"), "new_flow_limit: '-1'"},
	{SOURCES("new_flow_limit: ^1000001"), "out of range (0 to 1000000)"},
	{SOURCES("new_flow_limit: ^10/s"), "new_flow_limit: "},
	{SOURCES("^new_flow_burst: 5"), "'new_flow_burst' needs a 'new_flow_limit'"},
	{SOURCES("^new_flow_prefix: {v4: 24}"), "'new_flow_prefix' needs a 'new_flow_limit'"},
	{SOURCES("new_flow_limit: 5, new_flow_prefix: {v4: ^0}"), "out of range (1 to 32)"},
	{SERVICE("^lissen: x, listen: tcp://192.0.2.1:80"), "(did you mean 'listen'?)"},
};

static const struct error_case limits[] = {
	{GLOBAL("limits: {backends: ^1}") "pools:\n- name: web\n  backends: [{name: a, address: "
					  "10.0.0.1}, {name: b, address: 10.0.0.2}]\n",
	 "2 backends are more than global.limits.backends allows, 1 (raise it)"},
	{GLOBAL("limits: {services: ^1}") "services: [{name: a, listen: tcp://192.0.2.1:80, pool: "
					  "p}, {name: b, listen: tcp://192.0.2.1:81, pool: p}]\n"
					  "pools: [{name: p}]\n",
	 "2 services are more than global.limits.services allows, 1"},
	{GLOBAL("limits: {services: ^1}") "pools: [{name: p}, {name: q}]\n",
	 "2 pools are more than global.limits.services allows, 1"},
	{GLOBAL("limits: {slots: ^65552}") "pools: [{name: p}]\n",
	 "131104 slots for the pools' tables are more than global.limits.slots allows"},
	{GLOBAL("limits: {counters: ^1}") "services: [{name: a, listen: tcp://192.0.2.1:80, "
					  "backends: [{name: b, address: 10.0.0.1}]}]\n",
	 "2 counters for services and their backends are more than"},
};

/* The text without its mark; where the mark stood, in `*line` and `*column`. */
static char *unmark(const char *marked, unsigned *line, unsigned *column)
{
	const char *mark = strchr(marked, '^');
	char *text = strdup(marked);

	assert_non_null(mark);
	assert_non_null(text);
	memmove(text + (mark - marked), mark + 1, strlen(mark));
	*line = *column = 1;
	for (const char *at = marked; at < mark; at++) {
		if (*at == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)*at & 0xc0) != 0x80) {
			++*column;
		}
	}
	return text;
}

static void check_case(const struct error_case *c)
{
	struct config_errors errors = {};
	unsigned line, column;
	char *text = unmark(c->text, &line, &column), *printed;
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	printed = config_errors_format(&errors, "FILE", text, false);
	if (model)
		fail_msg("taken without an error:\n%s", text);
	if (errors.count != 1)
		fail_msg("%zu errors:\n%s", errors.count, printed);
	if (errors.items[0].line != line || errors.items[0].column != column)
		fail_msg("not at %u:%u:\n%s", line, column, printed);
	if (!strstr(errors.items[0].what, c->what))
		fail_msg("does not say '%s':\n%s", c->what, printed);
	free(printed);
	free(text);
	config_errors_free(&errors);
}

#define CASES_TEST(table)                                                                          \
	static void table##_errors(void **state)                                                   \
	{                                                                                          \
		(void)state;                                                                       \
		for (size_t i = 0; i < COUNT(table); i++)                                          \
			check_case(&(table)[i]);                                                   \
	}

CASES_TEST(syntax)
CASES_TEST(file)
CASES_TEST(global)
CASES_TEST(pools)
CASES_TEST(checks)
CASES_TEST(backends)
CASES_TEST(services)
CASES_TEST(limits)

/* The first range is in the way of both others, which are not in each other's. */
static void a_wide_range_is_in_conflict_with_each_in_it(void **state)
{
	static const char text[] = LISTEN("[tcp://192.0.2.1:80-99, tcp://192.0.2.1:82-84,\n"
					  "tcp://192.0.2.1:90-95]");
	struct config_errors errors = {};

	(void)state;
	assert_null(config_parse(text, strlen(text), NULL, &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(
		strstr(errors.items[0].what, ":82-84 is in conflict with tcp://192.0.2.1:80-99"));
	assert_non_null(
		strstr(errors.items[1].what, ":90-95 is in conflict with tcp://192.0.2.1:80-99"));
	config_errors_free(&errors);
}

/* Which libyaml would read, but columns and the lines shown would be wrong. */
static void utf16_is_refused(void **state)
{
	static const char text[] = "\xff\xfe{\0v\0e\0r\0s\0i\0o\0n\0:\0 \0001\0}\0";
	struct config_errors errors = {};

	(void)state;
	assert_null(config_parse(text, sizeof(text) - 1, NULL, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.items[0].what, "not valid UTF-8"));
	config_errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax_errors),
		cmocka_unit_test(file_errors),
		cmocka_unit_test(global_errors),
		cmocka_unit_test(pools_errors),
		cmocka_unit_test(checks_errors),
		cmocka_unit_test(backends_errors),
		cmocka_unit_test(services_errors),
		cmocka_unit_test(limits_errors),
		cmocka_unit_test(a_wide_range_is_in_conflict_with_each_in_it),
		cmocka_unit_test(utf16_is_refused),
	};

	return cmocka_run_group_tests_name("config errors", tests, NULL, NULL);
}
