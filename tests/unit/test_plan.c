/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What differs between two models, and in which order it is told (user/plan.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/plan.h"

/* Pool "web" with backends w1 and w2, and service "http" on it. */
static struct model *make_model(void)
{
	struct model *model = model_create();
	struct pool *pool = model_pool_add(model, "web");
	struct service *service = model_service_add(model, "http");
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse("tcp://192.0.2.10:80", &endpoint, NULL), 0);
	assert_int_equal(addr_parse("10.0.0.1", &pool_backend_add(pool, "w1")->address, NULL), 0);
	assert_int_equal(addr_parse("10.0.0.2", &pool_backend_add(pool, "w2")->address, NULL), 0);
	strcpy(service->pool, "web");
	assert_int_equal(service_listen_add(service, &endpoint), 0);
	return model;
}

static void change_nothing(struct model *model)
{
	model->pools[0]->backends[0]->health = HEALTH_DOWN; /* state is no configuration */
}

static void change_weight(struct model *model)
{
	model->pools[0]->backends[1]->weight = 7;
	model->pools[0]->backends[1]->admin = ADMIN_DRAIN;
}

static void change_pool(struct model *model)
{
	model->pools[0]->table_size = 4099;
	model->pools[0]->check.type = CHECK_TCP;
}

static void change_listener(struct model *model)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse("udp://192.0.2.10:53", &endpoint, NULL), 0);
	model->services[0]->listen[0] = endpoint;
}

static void change_sources(struct model *model)
{
	struct source_rule rules[2] = {{.allow = false}, {.allow = false}};

	assert_int_equal(prefix_parse("10.0.0.0/8", &rules[0].prefix, NULL), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &rules[1].prefix, NULL), 0);
	assert_int_equal(service_sources_set(model->services[0], false, rules, 2), 0);
	model->services[0]->new_flow_limit = 10;
}

static void remove_all(struct model *model)
{
	assert_int_equal(model_service_del(model, "http"), 0);
	assert_int_equal(model_pool_del(model, "web"), 0);
}

static void add_service_with_pool(struct model *model)
{
	struct service *service = model_service_add(model, "dns");
	struct pool *pool = model_pool_add(model, "dns");

	strcpy(service->pool, "dns");
	assert_int_equal(addr_parse("10.0.0.9", &pool_backend_add(pool, "ns")->address, NULL), 0);
}

static void add_metrics(struct model *model)
{
	model->global.metrics = strdup("127.0.0.1:9555");
}

static const struct {
	const char *name;
	void (*change)(struct model *model);
	const char *steps; /* one a line */
} cases[] = {
	{"equal configuration", change_nothing, ""},
	{"a backend's weight and admin state", change_weight,
	 "change backend web/w2: weight 100 -> 7, admin ready -> drain\n"},
	{"a pool's properties", change_pool, "change pool web: table_size 65537 -> 4099, check\n"},
	{"a listener", change_listener,
	 "change service http: -tcp://192.0.2.10:80, +udp://192.0.2.10:53\n"},
	{"lists and the limit", change_sources,
	 "change service http: deny +2, new_flow_limit 0 -> 10\n"},
	{"removal: what refers goes before what is referred to", remove_all,
	 "remove service http: \nremove backend web/w1: \nremove backend web/w2: \n"
	 "remove pool web: \n"},
	{"addition: the other way round", add_service_with_pool,
	 "add pool dns: \nadd backend dns/ns: \nadd service dns: \n"},
	{"a setting", add_metrics, "add setting global.metrics: 127.0.0.1:9555\n"},
};

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model *from = make_model(), *to = make_model();
		char told[1024] = "";
		struct plan plan;

		cases[i].change(to);
		assert_int_equal(plan_make(&plan, from, to), 0);
		for (size_t s = 0; s < plan.count; s++)
			snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s %s: %s\n",
				 plan_step_text(&plan.steps[s]), plan.steps[s].object,
				 plan.steps[s].detail);
		if (strcmp(told, cases[i].steps) != 0)
			fail_msg("%s:\n%sexpected:\n%s", cases[i].name, told, cases[i].steps);
		plan_destroy(&plan);
		model_free(from);
		model_free(to);
	}
}

static void test_setting(void **state)
{
	struct model *from = make_model(), *to = make_model();
	struct plan plan;

	(void)state;
	add_metrics(from);
	add_metrics(to);
	assert_int_equal(plan_make(&plan, from, to), 0);
	assert_int_equal(plan.count, 0);
	plan_destroy(&plan);
	to->global.metrics[0] = '2';
	assert_int_equal(plan_make(&plan, from, to), 0);
	assert_int_equal(plan.count, 1);
	assert_string_equal(plan_step_text(plan.steps), "change setting");
	assert_string_equal(plan.steps->detail, "metrics 127.0.0.1:9555 -> 227.0.0.1:9555");
	plan_destroy(&plan);
	model_free(to);
	to = make_model();
	assert_int_equal(plan_make(&plan, from, to), 0);
	assert_int_equal(plan.count, 1);
	assert_string_equal(plan_step_text(plan.steps), "remove setting");
	plan_destroy(&plan);
	model_free(from);
	model_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps),
					   cmocka_unit_test(test_setting)};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
