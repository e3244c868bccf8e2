/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pools, backends and services, their order and their copies (user/model.h). */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/model.h"

static const struct endpoint any_tcp = {.proto = IPPROTO_TCP, .port_first = 0, .port_last = 65535};

static struct model *make_model(void)
{
	struct model *model = model_create();

	assert_non_null(model);
	return model;
}

static void test_name_valid(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"web", true},
		{"a", true},
		{"Z9", true},
		{"0", true},
		{"web-1_a.b", true},
		{"", false},
		{"-a", false},
		{"_a", false},
		{".a", false},
		{"a b", false},
		{"a/b", false},
		{"a:", false},
		{"a\n", false},
		{"a\177", false},
		{"\303\274", false},
		{"a\303\274", false},
		{"012345678901234567890123456789012345678901234567890123456789012", true},
		{"0123456789012345678901234567890123456789012345678901234567890123", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (model_name_valid(cases[i].name) != cases[i].valid)
			fail_msg("\"%s\"", cases[i].name);
	}
}

/* The order is the same for all three kinds of objects, and so is its test. Backends are those of
 * the model's first pool. */
enum kind { POOL, SERVICE, BACKEND };

static void *add(enum kind kind, struct model *model, const char *name)
{
	return kind == POOL      ? (void *)model_pool_add(model, name)
	       : kind == SERVICE ? (void *)model_service_add(model, name)
				 : (void *)pool_backend_add(model->pools[0], name);
}

static void *find(enum kind kind, struct model *model, const char *name)
{
	return kind == POOL      ? (void *)model_pool_find(model, name)
	       : kind == SERVICE ? (void *)model_service_find(model, name)
				 : (void *)pool_backend_find(model->pools[0], name);
}

static int del(enum kind kind, struct model *model, const char *name)
{
	return kind == POOL      ? model_pool_del(model, name)
	       : kind == SERVICE ? model_service_del(model, name)
				 : pool_backend_del(model->pools[0], name);
}

static size_t count_of(enum kind kind, const struct model *model)
{
	return kind == POOL      ? model->pool_count
	       : kind == SERVICE ? model->service_count
				 : model->pools[0]->backend_count;
}

static const char *name_at(enum kind kind, const struct model *model, size_t at)
{
	return kind == POOL      ? model->pools[at]->name
	       : kind == SERVICE ? model->services[at]->name
				 : model->pools[0]->backends[at]->name;
}

static void check_names(enum kind kind, struct model *model, const char *names)
{
	assert_int_equal(count_of(kind, model), strlen(names));
	for (size_t i = 0; i < strlen(names); i++) {
		char name[2] = {names[i]};

		assert_string_equal(name_at(kind, model, i), name);
		assert_string_equal(find(kind, model, name), name);
	}
}

static void check_kind(enum kind kind, struct model *model)
{
	static const struct {
		char verb; /* + add, - delete */
		const char *name;
		int result; /* 0 or errno */
		const char *names;
	} steps[] = {
		{'-', "m", ENOENT, ""},       {'+', "m", 0, "m"},
		{'+', "c", 0, "cm"},          {'+', "x", 0, "cmx"},
		{'+', "d", 0, "cdmx"},        {'+', "m", EEXIST, "cdmx"},
		{'+', "c", EEXIST, "cdmx"},   {'+', "x", EEXIST, "cdmx"},
		{'+', "a b", EINVAL, "cdmx"}, {'+', "", EINVAL, "cdmx"},
		{'-', "e", ENOENT, "cdmx"},   {'-', "z", ENOENT, "cdmx"},
		{'-', "c", 0, "dmx"},         {'-', "x", 0, "dm"},
		{'+', "B", 0, "Bdm"},         {'-', "d", 0, "Bm"},
		{'-', "m", 0, "B"},           {'-', "B", 0, ""},
		{'+', "n", 0, "n"},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int result;

		if (steps[i].verb == '+') {
			errno = 0;
			result = add(kind, model, steps[i].name) ? 0 : errno;
		} else {
			result = -del(kind, model, steps[i].name);
		}
		assert_int_equal(result, steps[i].result);
		check_names(kind, model, steps[i].names);
	}
	assert_null(find(kind, model, "e"));
	assert_null(find(kind, model, "z"));
	assert_null(find(kind, model, "a"));
}

static void test_objects_are_ordered_by_name(void **state)
{
	struct model *model = make_model();

	(void)state;
	check_kind(POOL, model);
	check_kind(SERVICE, model);
	check_kind(BACKEND, model);
	model_free(model);
}

static void test_defaults(void **state)
{
	struct model *model = make_model();
	struct pool *pool = model_pool_add(model, "web");
	struct backend *backend = pool_backend_add(pool, "web1");

	(void)state;
	assert_int_equal(model->global.limits.flows, 1000000);
	assert_int_equal(model->global.limits.clients, 1000000);
	assert_int_equal(model->global.limits.backends, 4096);
	assert_int_equal(model->global.limits.services, 1024);
	assert_int_equal(pool->affinity, AFFINITY_5_TUPLE);
	assert_int_equal(pool->prefix_v4, 32);
	assert_int_equal(pool->prefix_v6, 64);
	assert_int_equal(pool->client_timeout_ms, 0);
	assert_int_equal(pool->forward, FORWARD_MODE_IPIP);
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
	assert_int_equal(backend->weight, 100);
	assert_int_equal(backend->admin, ADMIN_READY);
	assert_int_equal(backend->health, HEALTH_UNKNOWN);
	model_free(model);
}

/* `defaults` of a file are set on a pool that has its name and backends. */
static void test_defaults_leave_the_objects(void **state)
{
	struct model *model = make_model();
	struct pool *pool = model_pool_add(model, "web");

	(void)state;
	pool_backend_add(pool, "web1");
	pool->table_size = 7;
	pool_defaults(pool);
	assert_string_equal(pool->name, "web");
	assert_int_equal(pool->backend_count, 1);
	assert_int_equal(pool->table_size, 65537);
	model_free(model);
}

static void test_copy_is_deep_and_holds_the_state(void **state)
{
	struct model *model = make_model(), *copy;
	struct pool *pool = model_pool_add(model, "web");
	struct backend *backend = pool_backend_add(pool, "web1");
	struct service *service = model_service_add(model, "http");

	(void)state;
	pool_backend_add(pool, "web0");
	model_pool_add(model, "empty");
	model->global.metrics = strdup("127.0.0.1:9555");
	model->global.hash_seed_file = strdup("/etc/lbd/hash_seed");
	model->global.limits.flows = 5;
	pool->table_size = 7;
	pool->index = 3;
	pool->table_digest = 4;
	backend->health = HEALTH_DOWN;
	backend->hop.mtu = 1600;
	strcpy(backend->reason, "refused");
	strcpy(service->pool, "web");
	service->index = 9;
	assert_int_equal(service_listen_add(service, &any_tcp), 0);

	copy = model_copy(model);
	assert_non_null(copy);
	strcpy(backend->reason, "changed");
	model->global.metrics[0] = 'x';
	model->global.hash_seed_file[0] = 'x';
	service->listen[0].proto = IPPROTO_UDP;
	model_free(model);

	assert_string_equal(copy->global.metrics, "127.0.0.1:9555");
	assert_string_equal(copy->global.hash_seed_file, "/etc/lbd/hash_seed");
	assert_int_equal(copy->global.limits.flows, 5);
	assert_int_equal(copy->pool_count, 2);
	pool = model_pool_find(copy, "web");
	assert_int_equal(pool->table_size, 7);
	assert_int_equal(pool->index, 3);
	assert_int_equal(pool->table_digest, 4);
	assert_int_equal(pool->backend_count, 2);
	assert_string_equal(pool->backends[0]->name, "web0");
	backend = pool_backend_find(pool, "web1");
	assert_int_equal(backend->health, HEALTH_DOWN);
	assert_int_equal(backend->hop.mtu, 1600);
	assert_string_equal(backend->reason, "refused");
	assert_int_equal(model_pool_find(copy, "empty")->backend_count, 0);
	service = model_service_find(copy, "http");
	assert_string_equal(service->pool, "web");
	assert_int_equal(service->index, 9);
	assert_int_equal(service->listen_count, 1);
	assert_int_equal(service->listen[0].proto, IPPROTO_TCP);
	/* The copy's arrays are its own in every sense: they can grow. */
	assert_non_null(pool_backend_add(pool, "web2"));
	assert_non_null(model_pool_add(copy, "another"));
	assert_int_equal(service_listen_add(service, &any_tcp), 0);
	model_free(copy);
}

static void test_deleting_a_pool_leaves_services(void **state)
{
	struct model *model = make_model();

	(void)state;
	pool_backend_add(model_pool_add(model, "web"), "web1");
	strcpy(model_service_add(model, "http")->pool, "web");
	assert_int_equal(model_pool_del(model, "web"), 0);
	assert_string_equal(model_service_find(model, "http")->pool, "web");
	model_free(model);
	model_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_valid),
		cmocka_unit_test(test_objects_are_ordered_by_name),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_defaults_leave_the_objects),
		cmocka_unit_test(test_copy_is_deep_and_holds_the_state),
		cmocka_unit_test(test_deleting_a_pool_leaves_services),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
