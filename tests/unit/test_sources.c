/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Allow and deny lists and limits of new flows: from the file to the model, its copies, and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/config.h"
#include "../../user/plan.h"
#include "model_text.h"

#define FILE_WITH(keys)                                                                            \
	"version: 1\npools: [{name: web}]\nservices:\n- {name: http, listen: "                     \
	"\"tcp://192.0.2.10:80\", pool: web" keys "}\n"

static struct model *parse(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("%s: %s", text, errors.count ? errors.items[0].what : "no error");
	config_errors_free(&errors);
	return model;
}

/* The rules in their order: "+" allows, "-" denies. */
static void assert_rules(const struct service *service, const char *expected)
{
	char told[512] = "", text[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < service->source_count; i++)
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%c%s", i ? " " : "",
			 service->sources[i].allow ? '+' : '-',
			 prefix_format(&service->sources[i].prefix, text));
	assert_string_equal(told, expected);
}

static const char both[] =
	FILE_WITH(", allow: [10.1.0.0/16, \"2001:db8:1::/48\"], deny: [192.0.2.7, 10.0.0.0/8, "
		  "\"2001:db8::/32\", 0.0.0.0/0], new_flow_limit: 100, new_flow_burst: 200, "
		  "new_flow_prefix: {v4: 24}");
#define BOTH_RULES                                                                                 \
	"-0.0.0.0/0 -10.0.0.0/8 +10.1.0.0/16 -192.0.2.7/32 -2001:db8::/32 +2001:db8:1::/48"

static void test_read(void **state)
{
	struct model *model = parse(both);
	const struct service *service = model->services[0];

	(void)state;
	assert_rules(service, BOTH_RULES);
	assert_int_equal(service_sources_count(service, true), 2);
	assert_int_equal(service_sources_count(service, false), 4);
	assert_int_equal(service->new_flow_limit, 100);
	assert_int_equal(service->new_flow_burst, 200);
	assert_int_equal(service->new_flow_prefix_v4, 24);
	assert_int_equal(service->new_flow_prefix_v6, 64);
	model_free(model);
}

static void test_default(void **state)
{
	struct model *model = parse(FILE_WITH(", deny: []"));

	(void)state;
	assert_int_equal(model->services[0]->source_count, 0);
	assert_int_equal(model->services[0]->new_flow_limit, 0);
	assert_int_equal(model->services[0]->new_flow_prefix_v4, 32);
	model_free(model);
}

/* A copy, and what is shown and read again, is the same, and no plan sees a difference. */
static void test_copies(void **state)
{
	struct model *model = parse(both), *copy = model_copy(model), *again;
	char *shown = model_text(model);
	struct plan plan;

	(void)state;
	again = parse(shown);
	assert_rules(copy->services[0], BOTH_RULES);
	assert_rules(again->services[0], BOTH_RULES);
	assert_int_equal(plan_make(&plan, model, copy), 0);
	assert_int_equal(plan.count, 0);
	plan_destroy(&plan);
	assert_int_equal(plan_make(&plan, model, again), 0);
	assert_int_equal(plan.count, 0);
	plan_destroy(&plan);
	free(shown);
	model_free(model);
	model_free(copy);
	model_free(again);
}

/* A change through the API replaces the list that it names. */
static void test_apply(void **state)
{
	static const struct {
		const char *body, *rules;
	} rows[] = {
		{"{\"deny\": [\"198.51.100.0/24\"]}",
		 "+10.1.0.0/16 -198.51.100.0/24 +2001:db8:1::/48"},
		{"{\"deny\": []}", "+10.1.0.0/16 +2001:db8:1::/48"},
		{"{\"allow\": [\"10.0.0.0/8\"], \"deny\": [\"10.1.0.0/16\"]}",
		 "+10.0.0.0/8 -10.1.0.0/16"},
		{"{\"new_flow_limit\": 5}", BOTH_RULES},
		/* In conflict with the list that stays. */
		{"{\"allow\": [\"10.0.0.0/8\"]}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *model = parse(both);
		struct config_errors errors = {0};
		int rc = config_apply_service(rows[i].body, strlen(rows[i].body), model, "http",
					      true, &errors);

		assert_int_equal(rc < 0, rows[i].rules == NULL);
		if (rows[i].rules)
			assert_rules(model->services[0], rows[i].rules);
		config_errors_free(&errors);
		model_free(model);
	}
}

/* 10,000 prefixes are read, one more is an error. */
static void test_many(void **state)
{
	enum { SIZE = 400000 };
	char *text = malloc(SIZE);

	(void)state;
	assert_non_null(text);
	for (int count = MODEL_SOURCES_MAX; count <= MODEL_SOURCES_MAX + 1; count++) {
		struct config_errors errors = {0};
		struct model *model;
		size_t used = (size_t)snprintf(text, SIZE,
					       "version: 1\nservices:\n- name: s\n"
					       "  listen: tcp://192.0.2.1:80\n"
					       "  deny:\n");

		for (int i = count; i > 0; i--)
			used += (size_t)snprintf(text + used, SIZE - used, "  - 10.%d.%d.%d\n",
						 i >> 16, i >> 8 & 255, i & 255);
		model = config_parse(text, used, NULL, &errors);
		if (count > MODEL_SOURCES_MAX) {
			assert_null(model);
			assert_string_equal(errors.items[0].what,
					    "deny: the list has 10001 prefixes, more than 10000");
		} else {
			assert_int_equal(model->services[0]->source_count, count);
		}
		config_errors_free(&errors);
		model_free(model);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),   cmocka_unit_test(test_default),
		cmocka_unit_test(test_copies), cmocka_unit_test(test_apply),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
