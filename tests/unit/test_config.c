/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config, right files: what each key becomes, defaults, order; example and manual. Files on disk
 * and how errors are printed are in test_config_print, the kinds of errors in test_config_errors,
 * bodies of the API in test_config_apply.
 */
#include "../../user/config_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- helpers ---- */

static struct model *parse(const char *text)
{
	struct config_errors errors = {};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("refused:\n%s", config_errors_format(&errors, "FILE", text, false));
	assert_int_equal(errors.count, 0);
	return model;
}

static void assert_addr(const struct addr *addr, const char *expected)
{
	char out[ADDR_TEXT_SIZE];

	assert_string_equal(addr_format(addr, out), expected);
}

static void assert_listen(const struct service *service, size_t at, const char *expected)
{
	char out[ENDPOINT_TEXT_SIZE];

	assert_true(at < service->listen_count);
	assert_string_equal(endpoint_format(&service->listen[at], out), expected);
}

/* ---- a whole file ---- */

static const char whole[] =
	"version: 1\n"
	"services:\n" /* before the pools they name, and before the defaults: order is free */
	"- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n"
	"- {name: https, listen: [\"tcp://192.0.2.10:443\", udp://192.0.2.10:443], pool: web}\n"
	"- name: dns\n"
	"  listen: udp://[2001:db8::10]:53\n"
	"  affinity: {key: 5-tuple}\n"
	"  forward: l2\n"
	"  check: {type: none}\n"
	"  backends: [{name: ns1, address: \"2001:db8:1::11\"}]\n"
	"- {name: wide, listen: [tcp://192.0.2.11:*, tcp://192.0.2.11:8000-8099], pool: dns}\n"
	"pools:\n"
	"- name: web\n"
	"  affinity: {key: source-ip, prefix_v4: 24, prefix_v6: 56, timeout: 0}\n"
	"  forward: ipip\n"
	"  table_size: 251\n"
	"  track: always\n"
	"  on_down: keep\n"
	"  panic_threshold: 0%\n"
	"  idle_timeout: {tcp: 1h30m, udp: 90s}\n"
	"  slow_start: 0s\n"
	"  drain_mode: flows\n"
	"  drain_deadline: 1m500ms\n"
	"  snat: false\n"
	"  check: {interval: 5s, port: 8080, via: direct}\n"
	"  backends:\n"
	"  - {name: web2, address: 10.0.0.12, weight: 50, admin: drain, port: 81, backup: false}\n"
	"  - {name: web1, address: 10.0.0.11}\n"
	"  - {name: web3, address: 2001:db8::3, weight: 0, admin: maint}\n"
	"global:\n"
	"  hash_seed: 000102030405060708090a0b0c0d0eFF\n"
	"  encap_source: {v4: 172.16.0.0/16, v6: \"0100::/64\"}\n"
	"  limits: {flows: 1000, clients: 2000, backends: 30, services: 40, slots: 160000, "
	"counters: "
	"500}\n"
	"defaults:\n"
	"  check: {type: tcp, timeout: 500ms, rise: 4}\n"
	"  idle_timeout: {udp: 30s}\n";

static void global_is_read(void **state)
{
	static const uint8_t seed[LB_SEED_SIZE] = {0, 1, 2,  3,  4,  5,  6,  7,
						   8, 9, 10, 11, 12, 13, 14, 255};
	struct model *model = parse(whole);
	const struct global *global = &model->global;

	(void)state;
	assert_true(global->hash_seed_set);
	assert_memory_equal(global->hash_seed, seed, sizeof(seed));
	assert_addr(&global->encap_v4.addr, "172.16.0.0");
	assert_int_equal(global->encap_v4.length, 16);
	assert_addr(&global->encap_v6.addr, "100::");
	assert_int_equal(global->encap_v6.length, 64);
	assert_int_equal(global->limits.flows, 1000);
	assert_int_equal(global->limits.clients, 2000);
	assert_int_equal(global->limits.backends, 30);
	assert_int_equal(global->limits.services, 40);
	assert_int_equal(global->limits.slots, 160000);
	assert_int_equal(global->limits.counters, 500);
	assert_null(global->metrics);
	model_free(model);
}

/* However an address is written, the model has one text for it. */
static void metrics_are_read(void **state)
{
	static const char *const texts[][2] = {
		{"127.0.0.1:9555", "127.0.0.1:9555"},
		{"0.0.0.0:1", "0.0.0.0:1"},
		{"\"[::]:65535\"", "[::]:65535"},
		{"\"[2001:DB8:0::0:1]:9555\"", "[2001:db8::1]:9555"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct model *model;
		char file[128];

		snprintf(file, sizeof(file), "version: 1\nglobal: {metrics: %s}\n", texts[i][0]);
		model = parse(file);
		assert_string_equal(model->global.metrics, texts[i][1]);
		model_free(model);
	}
}

static void pools_are_read_over_the_defaults(void **state)
{
	struct model *model = parse(whole);
	const struct pool *web = model_pool_find(model, "web");

	(void)state;
	assert_int_equal(model->pool_count, 2);
	assert_non_null(web);
	assert_int_equal(web->affinity, AFFINITY_SOURCE_IP);
	assert_int_equal(web->prefix_v4, 24);
	assert_int_equal(web->prefix_v6, 56);
	assert_int_equal(web->client_timeout_ms, 0);
	assert_int_equal(web->forward, FORWARD_MODE_IPIP);
	assert_int_equal(web->table_size, 251);
	assert_int_equal(web->track, TRACK_ALWAYS);
	assert_int_equal(web->on_down, ON_DOWN_KEEP);
	assert_int_equal(web->drain_mode, DRAIN_FLOWS);
	assert_int_equal(web->drain_deadline_ms, 60500);
	assert_int_equal(web->idle_tcp_ms, 5400000);
	assert_int_equal(web->idle_udp_ms, 90000);
	/* Key by key: some from the pool, some from the defaults, some from neither. */
	assert_int_equal(web->check.type, CHECK_TCP);
	assert_int_equal(web->check.interval_ms, 5000);
	assert_int_equal(web->check.timeout_ms, 500);
	assert_int_equal(web->check.rise, 4);
	assert_int_equal(web->check.fall, 3);
	assert_int_equal(web->check.port, 8080);
	assert_int_equal(web->check.via, CHECK_VIA_DIRECT);
	model_free(model);
}

static void backends_are_read(void **state)
{
	struct model *model = parse(whole);
	const struct pool *web = model_pool_find(model, "web");

	(void)state;
	assert_int_equal(web->backend_count, 3);
	assert_string_equal(web->backends[0]->name, "web1");
	assert_addr(&web->backends[0]->address, "10.0.0.11");
	assert_int_equal(web->backends[0]->weight, 100);
	assert_int_equal(web->backends[0]->port, 0);
	assert_int_equal(web->backends[0]->admin, ADMIN_READY);
	assert_string_equal(web->backends[1]->name, "web2");
	assert_int_equal(web->backends[1]->weight, 50);
	assert_int_equal(web->backends[1]->port, 81);
	assert_int_equal(web->backends[1]->admin, ADMIN_DRAIN);
	assert_false(web->backends[1]->backup);
	assert_addr(&web->backends[2]->address, "2001:db8::3");
	assert_int_equal(web->backends[2]->weight, 0);
	assert_int_equal(web->backends[2]->admin, ADMIN_MAINT);
	model_free(model);
}

static void services_are_read(void **state)
{
	struct model *model = parse(whole);
	const struct service *https = model_service_find(model, "https");
	const struct service *dns = model_service_find(model, "dns");
	const struct service *wide = model_service_find(model, "wide");
	const struct pool *own = model_pool_find(model, "dns");

	(void)state;
	assert_int_equal(model->service_count, 4);
	assert_int_equal(https->listen_count, 2);
	assert_listen(https, 0, "tcp://192.0.2.10:443");
	assert_listen(https, 1, "udp://192.0.2.10:443");
	assert_string_equal(https->pool, "web");
	assert_listen(dns, 0, "udp://[2001:db8::10]:53");
	assert_listen(wide, 0, "tcp://192.0.2.11:*");
	assert_listen(wide, 1, "tcp://192.0.2.11:8000-8099");
	/* A service's own pool has its name, starts from the defaults, and may be shared. */
	assert_string_equal(dns->pool, "dns");
	assert_string_equal(wide->pool, "dns");
	assert_int_equal(own->forward, FORWARD_MODE_L2);
	assert_int_equal(own->check.type, CHECK_NONE);
	assert_int_equal(own->check.rise, 4);
	assert_int_equal(own->idle_udp_ms, 30000);
	assert_addr(&own->backends[0]->address, "2001:db8:1::11");
	model_free(model);
}

static void the_port_of_gue(void **state)
{
	struct model *model = parse("version: 1\n"
				    "defaults: {gue_port: 7000}\n"
				    "pools:\n"
				    "- {name: own, forward: gue, gue_port: 65535}\n"
				    "- {name: inherited, forward: gue}\n"
				    "- {name: other, forward: l2}\n");
	char *shown = model_text(model);

	(void)state;
	assert_int_equal(model_pool_find(model, "own")->forward, FORWARD_MODE_GUE);
	assert_int_equal(model_pool_find(model, "own")->gue_port, 65535);
	assert_int_equal(model_pool_find(model, "inherited")->gue_port, 7000);
	/* What is exported is read again: no other mode names it. */
	assert_non_null(strstr(shown, "\"forward\": \"gue\", \"gue_port\": 7000, "));
	assert_non_null(strstr(shown, "\"forward\": \"l2\", \"table_size\": "));
	free(shown);
	model_free(model);
}

static void what_is_not_said_has_the_documented_value(void **state)
{
	struct model *model = parse("version: 1\npools: [{name: web}]\n");
	const struct pool *pool = model->pools[0];

	(void)state;
	assert_false(model->global.hash_seed_set);
	assert_int_equal(model->global.encap_v4.addr.family, 0);
	assert_int_equal(model->global.encap_v6.addr.family, 0);
	assert_int_equal(model->global.limits.flows, 1000000);
	assert_int_equal(model->global.limits.clients, 1000000);
	assert_int_equal(model->global.limits.backends, 4096);
	assert_int_equal(model->global.limits.services, 1024);
	assert_int_equal(model->global.limits.slots, 0);
	assert_int_equal(pool->affinity, AFFINITY_5_TUPLE);
	assert_int_equal(pool->prefix_v4, 32);
	assert_int_equal(pool->prefix_v6, 64);
	assert_int_equal(pool->forward, FORWARD_MODE_IPIP);
	assert_int_equal(pool->gue_port, 6080);
	assert_int_equal(pool->table_size, 65537);
	assert_int_equal(pool->track, TRACK_CHANGED);
	assert_int_equal(pool->on_down, ON_DOWN_MOVE);
	assert_int_equal(pool->drain_mode, DRAIN_FLOWS);
	assert_int_equal(pool->drain_deadline_ms, 300000);
	assert_int_equal(pool->idle_tcp_ms, 7800000);
	assert_int_equal(pool->idle_udp_ms, 60000);
	assert_int_equal(pool->check.type, CHECK_NONE);
	assert_int_equal(pool->check.interval_ms, 2000);
	assert_int_equal(pool->check.timeout_ms, 1000);
	assert_int_equal(pool->check.rise, 2);
	assert_int_equal(pool->check.fall, 3);
	assert_int_equal(pool->backend_count, 0);
	model_free(model);
}

/* Texts that a too strict reading would refuse. */
static const char *const accepted[] = {
	"version: 1\n",
	"---\nversion: 1\n...\n",
	"%YAML 1.1\n---\nversion: 1\n",
	"\xef\xbb\xbfversion: 1\n",
	"version: 1\r\npools: []\r\n",
	"{\"version\": 1, \"pools\": [{\"name\": \"web\", \"table_size\": 251}]}",
	"version: 1\npools: [{name: 80}, {name: a-b_c.d}, {name: \"null\"}]\n",
	"version: 1\npools: [{name: p, panic_threshold: \"0%\", drain_deadline: \"0s\"}]\n",
	/* A narrower listener within a wider one. */
	"version: 1\nservices:\n"
	"- {name: a, listen: tcp://192.0.2.1:*}\n"
	"- {name: b, listen: tcp://192.0.2.1:80-99}\n"
	"- {name: c, listen: tcp://192.0.2.1:85}\n"
	"- {name: d, listen: tcp://192.0.2.1:100-110}\n"
	"- {name: e, listen: [udp://192.0.2.1:85, tcp://192.0.2.2:85]}\n",
	/* One address twice: with two ports, and in two pools. */
	"version: 1\npools:\n"
	"- {name: p, backends: [{name: a, address: 10.0.0.1, port: 1}, "
	"{name: b, address: 10.0.0.1, port: 2}]}\n"
	"- {name: q, backends: [{name: a, address: 10.0.0.1, port: 1}]}\n",
	/* The port to check, told in each of the three ways. */
	"version: 1\npools:\n"
	"- {name: p, check: {type: tcp, port: 1}, backends: [{name: a, address: 10.0.0.1}]}\n"
	"- {name: q, check: {type: tcp}, backends: [{name: a, address: 10.0.0.1, port: 1}]}\n"
	"- {name: r, check: {type: tcp}, backends: [{name: a, address: 10.0.0.1}]}\n"
	"services: [{name: s, listen: tcp://192.0.2.1:80, pool: r}]\n",
	"version: 1\ndefaults: {check: {interval: 500ms, timeout: 500ms}}\n",
};

static void unusual_but_right_texts_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++)
		model_free(parse(accepted[i]));
}

/* ---- documentation; these run at the top of the tree, as tests/run does ---- */

static void the_example_is_right(void **state)
{
	struct config_errors errors = {};
	struct model *model = config_load("tools/examples/lbd.yaml", NULL, &errors);

	(void)state;
	if (!model)
		fail_msg("%s", config_errors_format(&errors, "example", NULL, false));
	assert_int_equal(model->service_count, 3);
	assert_int_equal(model->pool_count, 2);
	model_free(model);
}

/* A key as the manual marks it up: ".Cm name", ", Cm name" or ".Cm global.name". */
static void assert_documented(const char *manual, const struct key *keys)
{
	for (; keys && keys->name; keys++) {
		size_t length = strlen(keys->name);
		bool found = false;

		for (const char *at = manual; !found && (at = strstr(at, keys->name)); at++)
			found = strchr(" .", at[-1]) && strchr(" \n", at[length]);
		if (!found)
			fail_msg("lbd.yaml(5) does not tell of '%s'", keys->name);
		assert_documented(manual, keys->keys);
	}
}

static void every_key_is_in_the_manual(void **state)
{
	FILE *file = fopen("tools/man/lbd.yaml.5", "r");
	char manual[65536];
	size_t size;

	(void)state;
	assert_non_null(file);
	size = fread(manual, 1, sizeof(manual) - 1, file);
	fclose(file);
	manual[size] = '\0';
	assert_documented(manual, schema_global_keys);
	assert_documented(manual, schema_pool_keys);
	assert_documented(manual, schema_pool_own_keys);
	assert_documented(manual, schema_backend_keys);
	assert_documented(manual, schema_service_keys);
}

/* What is shown of a check is taken back, and makes the same one. */
static void check_of_each_type(void **state)
{
	static const char *const checks[] = {
		"{type: http, host: www.example.org, path: \"/healthz?a=b\", expect: 200-299, "
		"body: \"all \\\\ is \\\"well\\\"\", port: 1}",
		"{expect: [200-299, 304], type: http, port: 1}",
		"{type: https, sni: a.example, ca: /ca, certificate: /cert, key: /key, port: 1}",
		"{send: '\\x00\\xffver', type: udp, expect: 'ok\\n', port: 1}",
		"{type: icmp, interval: 3s}",
		"{type: exec, command: [/bin/check, -v, \"two words\"], timeout: 100ms}",
		"{type: none}",
		"{type: none, agent: 8081, interval: 3s}",
		"{type: tcp, port: 1, agent: 8081, fast_interval: 100ms, hold_down: 0s}",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(checks); i++) {
		struct model *model, *again;
		char *shown;

		snprintf(text, sizeof(text),
			 "version: 1\npools: [{name: p, check: %s, backends: [{name: b, address: "
			 "10.0.0.1}]}]\n",
			 checks[i]);
		model = parse(text);
		shown = model_text(model);
		again = parse(shown);
		assert_memory_equal(&model->pools[0]->check, &again->pools[0]->check,
				    sizeof(struct check));
		model_free(model);
		model_free(again);
		free(shown);
	}
}

static void check_texts(void **state)
{
	struct model *model = parse("version: 1\ndefaults: {check: {type: http, path: /a, expect: "
				    "[200, 204], rise: 5}}\n"
				    "pools:\n- {name: own, check: {path: /b}}\n- {name: same}\n"
				    "- {name: udp, check: {type: udp, send: x}}\n"
				    "- {name: exec, check: {type: exec, command: [/bin/x, y]}}\n");
	const struct check *own = &model_pool_find(model, "own")->check;
	const struct check *same = &model_pool_find(model, "same")->check;
	const struct check *udp = &model_pool_find(model, "udp")->check;
	const struct check *exec = &model_pool_find(model, "exec")->check;

	(void)state;
	assert_string_equal(own->path, "/b");
	assert_string_equal(own->statuses, "200,204");
	assert_string_equal(same->path, "/a");
	assert_int_equal(udp->type, CHECK_UDP);
	assert_int_equal(udp->rise, 5);
	assert_string_equal(udp->answer, ""); /* statuses are not what a datagram holds */
	assert_memory_equal(exec->command, "/bin/x\0y\0", 10);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_of_each_type),
		cmocka_unit_test(check_texts),
		cmocka_unit_test(global_is_read),
		cmocka_unit_test(metrics_are_read),
		cmocka_unit_test(pools_are_read_over_the_defaults),
		cmocka_unit_test(backends_are_read),
		cmocka_unit_test(services_are_read),
		cmocka_unit_test(the_port_of_gue),
		cmocka_unit_test(what_is_not_said_has_the_documented_value),
		cmocka_unit_test(unusual_but_right_texts_are_accepted),
		cmocka_unit_test(the_example_is_right),
		cmocka_unit_test(every_key_is_in_the_manual),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
