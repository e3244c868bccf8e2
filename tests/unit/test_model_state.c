/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a backend's states add up to, and what follows from a model (user/model.h, the half that is
 * in model_state.c). */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/log.h"
#include "../../user/model.h"
#include "capture.h"

static struct endpoint listener(uint8_t proto, uint16_t first, uint16_t last)
{
	return (struct endpoint){
		.proto = proto,
		.addr = {.family = 4},
		.port_first = first,
		.port_last = last,
	};
}

static struct model *make_model(void)
{
	struct model *model = model_create();

	assert_non_null(model);
	return model;
}

/* Rows in the order of what is asked for first; what a row does not say is as good as can be. */
static const struct {
	const char *what;
	enum admin_state admin;
	enum health_state health;
	enum check_type check;
	enum on_down on_down;
	uint32_t weight;
	bool unresolved;
	bool takes_new, usable;
} states[] = {
	{"as good as can be", ADMIN_READY, HEALTH_UP, CHECK_TCP, ON_DOWN_MOVE, 5, false, true,
	 true},
	{"draining", ADMIN_DRAIN, HEALTH_UP, CHECK_TCP, ON_DOWN_MOVE, 5, false, false, true},
	{"maint", ADMIN_MAINT, HEALTH_UP, CHECK_TCP, ON_DOWN_MOVE, 5, false, false, false},
	{"weight 0", ADMIN_READY, HEALTH_UP, CHECK_TCP, ON_DOWN_MOVE, 0, false, false, true},
	{"unresolved", ADMIN_READY, HEALTH_UP, CHECK_TCP, ON_DOWN_MOVE, 5, true, false, false},

	{"not judged", ADMIN_READY, HEALTH_UNKNOWN, CHECK_TCP, ON_DOWN_MOVE, 5, false, false, true},
	{"down", ADMIN_READY, HEALTH_DOWN, CHECK_TCP, ON_DOWN_MOVE, 5, false, false, false},
	{"down, kept", ADMIN_READY, HEALTH_DOWN, CHECK_TCP, ON_DOWN_KEEP, 5, false, false, true},
	{"drain, down", ADMIN_DRAIN, HEALTH_DOWN, CHECK_TCP, ON_DOWN_MOVE, 5, false, false, false},
	{"drain, kept", ADMIN_DRAIN, HEALTH_DOWN, CHECK_TCP, ON_DOWN_KEEP, 5, false, false, true},
	{"maint, kept", ADMIN_MAINT, HEALTH_DOWN, CHECK_TCP, ON_DOWN_KEEP, 5, false, false, false},
	{"kept, unresolved", ADMIN_READY, HEALTH_DOWN, CHECK_TCP, ON_DOWN_KEEP, 5, true, false,
	 false},
	{"weight 0, down", ADMIN_READY, HEALTH_DOWN, CHECK_TCP, ON_DOWN_MOVE, 0, false, false,
	 false},

	{"no check", ADMIN_READY, HEALTH_UNKNOWN, CHECK_NONE, ON_DOWN_MOVE, 5, false, true, true},
	{"no check now, was down", ADMIN_READY, HEALTH_DOWN, CHECK_NONE, ON_DOWN_MOVE, 5, false,
	 true, true},
	{"no check, drain", ADMIN_DRAIN, HEALTH_UNKNOWN, CHECK_NONE, ON_DOWN_MOVE, 5, false, false,
	 true},
	{"no check, maint", ADMIN_MAINT, HEALTH_UNKNOWN, CHECK_NONE, ON_DOWN_MOVE, 5, false, false,
	 false},
	{"no check, weight 0", ADMIN_READY, HEALTH_UNKNOWN, CHECK_NONE, ON_DOWN_MOVE, 0, false,
	 false, true},
	{"no check, unresolved", ADMIN_READY, HEALTH_UNKNOWN, CHECK_NONE, ON_DOWN_MOVE, 5, true,
	 false, false},
};

static void test_what_the_states_add_up_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		const struct pool pool = {
			.check.type = states[i].check,
			.on_down = states[i].on_down,
		};
		const struct backend backend = {
			.admin = states[i].admin,
			.health = states[i].health,
			.weight = states[i].weight,
			.hop.resolved = !states[i].unresolved,
		};

		if (backend_takes_new(&pool, &backend) != states[i].takes_new)
			fail_msg("%s: takes new", states[i].what);
		if (backend_usable(&pool, &backend) != states[i].usable)
			fail_msg("%s: usable", states[i].what);
		assert_int_equal(backend_effective_weight(&pool, &backend),
				 states[i].takes_new ? states[i].weight : 0);
	}
}

static void test_health_changes(void **state)
{
	static const struct {
		enum health_state health;
		const char *reason;
		uint64_t now_ms;
		bool differs;
		uint64_t since_ms;
		const char *log;
	} steps[] = {
		{HEALTH_UNKNOWN, "", 10, false, 0, ""},
		{HEALTH_UP, "connected", 20, true, 20,
		 "<6>backend web/web1: unknown -> up: connected\n"},
		{HEALTH_UP, "connected in 1 ms", 30, false, 20, ""},
		{HEALTH_DOWN, "refused", 40, true, 40,
		 "<6>backend web/web1: up -> down: refused\n"},
		{HEALTH_UNKNOWN, "", 50, true, 50,
		 "<6>backend web/web1: down -> unknown: no reason given\n"},
	};
	struct model *model = make_model();
	struct pool *pool = model_pool_add(model, "web");
	struct backend *backend = pool_backend_add(pool, "web1");

	(void)state;
	log_init(LOG_LEVEL_INFO, true);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct capture capture = capture_begin();
		bool differs = model_set_backend_health(pool, backend, steps[i].health,
							steps[i].reason, steps[i].now_ms);
		char log[256];

		capture_end(&capture, log, sizeof(log));
		assert_int_equal(differs, steps[i].differs);
		assert_int_equal(backend->health, steps[i].health);
		assert_string_equal(backend->reason, steps[i].reason);
		assert_int_equal(backend->since_ms, steps[i].since_ms);
		assert_string_equal(log, steps[i].log);
	}
	assert_int_equal(backend->transition_count, 3);
	model_free(model);
}

static void test_reason_is_cut_and_may_be_its_own(void **state)
{
	struct pool pool = {.name = "web"};
	struct backend backend = {.name = "web1"};
	char reason[300];

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	model_set_backend_health(&pool, &backend, HEALTH_UNKNOWN, reason, 1);
	assert_int_equal(strlen(backend.reason), sizeof(backend.reason) - 1);
	model_set_backend_health(&pool, &backend, HEALTH_UNKNOWN, backend.reason + 100, 2);
	assert_int_equal(strlen(backend.reason), sizeof(backend.reason) - 1 - 100);
}

static void test_flapping_does_not_fill_the_log(void **state)
{
	struct model *model = make_model();
	struct pool *pool = model_pool_add(model, "web");
	struct backend *backend = pool_backend_add(pool, "web1");
	struct capture capture = capture_begin();
	size_t lines = 0;
	char log[4096];

	(void)state;
	log_init(LOG_LEVEL_INFO, true);
	/* Ten changes per second for ten seconds, and one an hour later. */
	for (int i = 0; i < 100; i++)
		model_set_backend_health(pool, backend, i % 2 ? HEALTH_DOWN : HEALTH_UP, "flap",
					 (uint64_t)i * 100);
	model_set_backend_health(pool, backend, HEALTH_UP, "calm", 3600000);
	capture_end(&capture, log, sizeof(log));
	for (const char *line = log; (line = strchr(line, '\n')); line++)
		lines++;
	assert_int_equal(lines, 7);
	assert_non_null(strstr(log, "down -> up: calm (94 changes of it were not logged)\n"));
	model_free(model);
}

static void test_check_port(void **state)
{
	static const struct {
		const char *what;
		uint16_t check_port, backend_port, expected;
		struct endpoint listen[3]; /* of two services of the pool: one, then the others */
	} cases[] = {
#define TCP(first, last) {.proto = IPPROTO_TCP, .port_first = (first), .port_last = (last)}
#define UDP(first, last)                                                                           \
	{                                                                                          \
		.proto = IPPROTO_UDP, .port_first = (first), .port_last = (last)                   \
	}
		{"the check's own", 8080, 81, 8080, {TCP(80, 80)}},
		{"the backend's", 0, 81, 81, {TCP(80, 80)}},
		{"the service's", 0, 0, 80, {TCP(80, 80), TCP(443, 443)}},
		{"only TCP", 0, 0, 443, {UDP(53, 53), UDP(54, 54), TCP(443, 443)}},
		{"only exact ports", 0, 0, 22, {TCP(0, 65535), TCP(8000, 8099), TCP(22, 22)}},
		{"none can be told", 0, 0, 0, {TCP(0, 65535), UDP(53, 53)}},
		{"no listener", 0, 0, 0, {}},
#undef TCP
#undef UDP
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model *model = make_model();
		struct pool *pool = model_pool_add(model, "web");
		struct backend *backend = pool_backend_add(pool, "web1");
		const struct endpoint foreign = listener(IPPROTO_TCP, 7, 7);
		uint16_t port;

		pool->check.port = cases[i].check_port;
		backend->port = cases[i].backend_port;
		strcpy(model_service_add(model, "a")->pool, "another");
		service_listen_add(model_service_find(model, "a"), &foreign);
		for (int j = 0; j < 3 && cases[i].listen[j].proto; j++) {
			const char *name = j == 0 ? "b" : "c";

			model_service_add(model, name);
			strcpy(model_service_find(model, name)->pool, "web");
			service_listen_add(model_service_find(model, name), &cases[i].listen[j]);
		}
		port = model_check_port(model, pool, backend);
		if (port != cases[i].expected)
			fail_msg("%s: %u", cases[i].what, port);
		model_free(model);
	}
}

static void test_check_target(void **state)
{
	static const struct {
		const char *what;
		enum forward_mode forward;
		struct check check;
		const char *expected; /* the address; the backend's is 10.0.0.1 */
		bool tunnel;
	} cases[] = {
		{"ipip", FORWARD_MODE_IPIP, {.type = CHECK_TCP}, "192.0.2.2", true},
		{"gue", FORWARD_MODE_GUE, {.type = CHECK_HTTP}, "192.0.2.2", true},
		{"l2", FORWARD_MODE_L2, {.type = CHECK_TCP}, "10.0.0.1", false},
		{"nat", FORWARD_MODE_NAT, {.type = CHECK_TCP}, "10.0.0.1", false},
		{"a nat tunnel",
		 FORWARD_MODE_NAT,
		 {.type = CHECK_TCP, .via = CHECK_VIA_TUNNEL},
		 "10.0.0.1",
		 false},
		{"said to be direct",
		 FORWARD_MODE_IPIP,
		 {.type = CHECK_TCP, .via = CHECK_VIA_DIRECT},
		 "10.0.0.1",
		 false},
		{"said to be tunnelled",
		 FORWARD_MODE_L2,
		 {.type = CHECK_TCP, .via = CHECK_VIA_TUNNEL},
		 "192.0.2.2",
		 true},
		{"a program", FORWARD_MODE_IPIP, {.type = CHECK_EXEC}, "10.0.0.1", false},
		{"none", FORWARD_MODE_IPIP, {.type = CHECK_NONE}, "10.0.0.1", false},
		{"the protocol's", FORWARD_MODE_IPIP, {.type = CHECK_UDP}, "192.0.2.1", true},
		{"the port's",
		 FORWARD_MODE_IPIP,
		 {.type = CHECK_TCP, .port = 8042},
		 "192.0.2.3",
		 true},
		{"a port of no listener",
		 FORWARD_MODE_IPIP,
		 {.type = CHECK_TCP, .port = 22},
		 "192.0.2.1",
		 true},
		{"no port", FORWARD_MODE_IPIP, {.type = CHECK_ICMP}, "192.0.2.1", true},
	};
	static const char *const listeners[] = {"udp://192.0.2.1:53", "tcp://192.0.2.2:80",
						"tcp://192.0.2.3:8000-8099"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model *model = make_model();
		struct pool *pool = model_pool_add(model, "web");
		struct backend *backend = pool_backend_add(pool, "web1");
		struct service *service = model_service_add(model, "web");
		struct check_target target;
		char text[ADDR_TEXT_SIZE];

		addr_parse("10.0.0.1", &backend->address, NULL);
		pool->forward = cases[i].forward;
		pool->check = cases[i].check;
		target = model_check_target(model, pool, backend);
		assert_false(target.tunnel); /* no service yet */
		strcpy(service->pool, "web");
		for (int j = 0; j < 3; j++) {
			struct endpoint endpoint;

			assert_int_equal(endpoint_parse(listeners[j], &endpoint, NULL), 0);
			service_listen_add(service, &endpoint);
		}
		target = model_check_target(model, pool, backend);
		addr_format(&target.address, text);
		if (target.tunnel != cases[i].tunnel || strcmp(text, cases[i].expected))
			fail_msg("%s: %d %s", cases[i].what, target.tunnel, text);
		model_free(model);
	}
}

/* A model with pools of one table size, each with so many backends and services. */
static struct model *make_sized(uint32_t pools, uint32_t table_size, uint32_t backends,
				uint32_t services)
{
	struct model *model = make_model();
	char name[32];

	for (uint32_t i = 0; i < pools; i++) {
		struct pool *pool;

		snprintf(name, sizeof(name), "pool%u", i);
		pool = model_pool_add(model, name);
		pool->table_size = table_size;
		for (uint32_t j = 0; j < backends; j++) {
			snprintf(name, sizeof(name), "b%u", j);
			pool_backend_add(pool, name);
		}
		for (uint32_t j = 0; j < services; j++) {
			snprintf(name, sizeof(name), "service%u-%u", i, j);
			strcpy(model_service_add(model, name)->pool, pool->name);
		}
	}
	return model;
}

static void test_limits(void **state)
{
	static const struct {
		uint32_t pools, table_size, backends, services;
		uint32_t slots, counters;
	} cases[] = {
		{0, 0, 0, 0, 1 << 20, 1 << 16},
		{1, 65537, 3, 2, 1 << 20, 1 << 16},
		/* Eight tables of 65552 slots: seventeen of these are more than 2^20. */
		{8, 65537, 3, 2, 17 * 65552, 1 << 16},
		{3, 1048573, 1, 1, 7 * 1048576, 1 << 16},
		/* As many as 32 bits can name, in whole blocks. */
		{2, UINT32_MAX - 15, 1, 1, UINT32_MAX - 15, 1 << 16},
		/* 400 services with 101 counters each, doubled. */
		{4, 7, 100, 100, 1 << 20, 2 * 400 * 101},
		/* 2.3 million, which are not doubled whole ... */
		{1, 7, 999, 2300, 1 << 20, 1 << 22},
		/* ... and 4.5 million, which are not doubled, but not cut either. */
		{1, 7, 1999, 2250, 1 << 20, 4500000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model *model = make_sized(cases[i].pools, cases[i].table_size,
						 cases[i].backends, cases[i].services);
		struct lb_limits limits = model_limits(model);

		assert_int_equal(limits.slots, cases[i].slots);
		assert_int_equal(limits.slots % LB_SLOT_BLOCK, 0);
		assert_int_equal(limits.counters, cases[i].counters);
		assert_int_equal(limits.flows, 1000000);
		assert_int_equal(limits.backends, 4096);
		model_free(model);
	}
}

static void test_limits_that_are_set_stay(void **state)
{
	struct model *model = make_sized(8, 65537, 3, 2);

	(void)state;
	model->global.limits.slots = 160;
	model->global.limits.counters = 5;
	assert_int_equal(model_limits(model).slots, 160);
	assert_int_equal(model_limits(model).counters, 5);
	model_free(model);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(affinity_name(AFFINITY_5_TUPLE), "5-tuple");
	assert_string_equal(affinity_name(AFFINITY_SOURCE_IP), "source-ip");
	assert_string_equal(forward_name(FORWARD_MODE_IPIP), "ipip");
	assert_string_equal(forward_name(FORWARD_MODE_GUE), "gue");
	assert_string_equal(forward_name(FORWARD_MODE_L2), "l2");
	assert_string_equal(forward_name(FORWARD_MODE_NAT), "nat");
	assert_string_equal(admin_name(ADMIN_READY), "ready");
	assert_string_equal(admin_name(ADMIN_DRAIN), "drain");
	assert_string_equal(admin_name(ADMIN_MAINT), "maint");
	assert_string_equal(health_name(HEALTH_UNKNOWN), "unknown");
	assert_string_equal(health_name(HEALTH_UP), "up");
	assert_string_equal(health_name(HEALTH_DOWN), "down");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_states_add_up_to),
		cmocka_unit_test(test_health_changes),
		cmocka_unit_test(test_reason_is_cut_and_may_be_its_own),
		cmocka_unit_test(test_flapping_does_not_fill_the_log),
		cmocka_unit_test(test_check_port),
		cmocka_unit_test(test_check_target),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_that_are_set_stay),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("model_state", tests, NULL, NULL);
}
