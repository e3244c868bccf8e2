/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config, bodies of the API: one object's keys, as JSON, applied to an object that is there or new.
 */
#include "../../user/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* ---- backends ---- */

/* `wrong`: a part of the one error's message; NULL: the body is right. */
static void apply_backend(const char *body, struct backend *backend, const char *wrong)
{
	struct config_errors errors = {};
	int result = config_apply_backend(body, strlen(body), backend, &errors);

	assert_int_equal(result, wrong ? -EINVAL : 0);
	assert_int_equal(errors.count, wrong ? 1 : 0);
	if (wrong && !strstr(errors.items[0].what, wrong))
		fail_msg("%s: %s", body, errors.items[0].what);
	config_errors_free(&errors);
}

static void a_body_changes_the_keys_it_has(void **state)
{
	struct backend backend = {.name = "web3", .weight = 100};

	(void)state;
	apply_backend("{\"address\": \"10.0.0.13\", \"port\": 81}", &backend, NULL);
	assert_addr(&backend.address, "10.0.0.13");
	assert_int_equal(backend.port, 81);
	assert_int_equal(backend.weight, 100);
	apply_backend("{\"weight\": 0, \"admin\": \"drain\", \"name\": \"web3\"}", &backend, NULL);
	assert_addr(&backend.address, "10.0.0.13");
	assert_int_equal(backend.port, 81);
	assert_int_equal(backend.weight, 0);
	assert_int_equal(backend.admin, ADMIN_DRAIN);
	apply_backend("{}", &backend, NULL);
}

static void a_wrong_backend_body_is_refused(void **state)
{
	static const char *const cases[][2] = {
		{"{\"weight\": 5}", "a backend needs the key 'address'"},
		{"{\"weight\": \"5\"}", "weight: expected a whole number"},
		{"{\"weight\": null}", "'weight' has no value"},
		{"{\"weigth\": 5}", "did you mean 'weight'?"},
		{"{\"name\": \"other\", \"address\": \"10.0.0.1\"}",
		 "is not the name of this object"},
		{"[]", "a backend: expected a map"},
		{"", "empty"},
		{"{", "YAML syntax"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct backend backend = {.name = "web3"};

		apply_backend(cases[i][0], &backend, cases[i][1]);
	}
}

/* ---- services ---- */

static const char base[] = "version: 1\n"
			   "global: {limits: {services: 3}}\n"
			   "pools:\n"
			   "- {name: web, backends: [{name: b, address: 10.0.0.1}]}\n"
			   "- {name: spare, check: {type: tcp}}\n"
			   "services: [{name: http, listen: tcp://192.0.2.1:80, pool: web}]\n";

static void apply_service(const char *body, struct model *model, const char *name,
			  const char *wrong)
{
	struct config_errors errors = {};
	int result = config_apply_service(body, strlen(body), model, name, true, &errors);

	if (errors.count > 0 && (!wrong || !strstr(errors.items[0].what, wrong)))
		fail_msg("%s: %s", body, errors.items[0].what);
	assert_int_equal(errors.count, wrong ? 1 : 0);
	assert_int_equal(result, wrong ? -EINVAL : 0);
	config_errors_free(&errors);
}

static void a_new_service_gets_a_pool_of_its_name(void **state)
{
	struct model *model = parse(base);
	const struct pool *pool;

	(void)state;
	apply_service("{\"listen\": \"udp://192.0.2.1:53\", \"forward\": \"l2\", "
		      "\"affinity\": {\"key\": \"source-ip\"}}",
		      model, "dns", NULL);
	pool = model_pool_find(model, "dns");
	assert_non_null(pool);
	assert_int_equal(pool->forward, FORWARD_MODE_L2);
	assert_int_equal(pool->affinity, AFFINITY_SOURCE_IP);
	assert_int_equal(pool->table_size, 65537);
	assert_string_equal(model_service_find(model, "dns")->pool, "dns");
	assert_listen(model_service_find(model, "dns"), 0, "udp://192.0.2.1:53");
	model_free(model);
}

static void a_new_service_may_use_a_pool_that_is_there(void **state)
{
	struct model *model = parse(base);

	(void)state;
	apply_service("{\"listen\": [\"tcp://192.0.2.1:443\"], \"pool\": \"web\"}", model, "https",
		      NULL);
	assert_string_equal(model_service_find(model, "https")->pool, "web");
	assert_int_equal(model->pool_count, 2);
	model_free(model);
}

static void a_service_keeps_what_a_body_does_not_say(void **state)
{
	struct model *model = parse(base);
	const struct service *http = model_service_find(model, "http");

	(void)state;
	apply_service("{\"listen\": [\"tcp://192.0.2.1:8080\", \"tcp://192.0.2.2:8080\"]}", model,
		      "http", NULL);
	assert_int_equal(http->listen_count, 2);
	assert_listen(http, 0, "tcp://192.0.2.1:8080");
	assert_string_equal(http->pool, "web");
	apply_service("{\"pool\": \"spare\"}", model, "http", NULL);
	assert_int_equal(http->listen_count, 2);
	assert_string_equal(http->pool, "spare");
	model_free(model);
}

static void a_wrong_service_body_is_refused(void **state)
{
	static const struct {
		const char *name, *body, *what;
	} cases[] = {
		{"dns", "{}", "a service needs the key 'listen'"},
		{"-dns", "{\"listen\": \"udp://192.0.2.1:53\"}", "name is not valid"},
		{"dns", "{\"listen\": \"udp://192.0.2.1:53\", \"name\": \"ns\"}",
		 "is not the name"},
		{"dns", "{\"listen\": \"tcp://192.0.2.1:80\"}",
		 "in conflict with tcp://192.0.2.1:80 of service 'http'"},
		{"dns", "{\"listen\": \"udp://192.0.2.1:53\", \"pool\": \"wbe\"}",
		 "no pool 'wbe' (did you mean 'web'?)"},
		{"dns",
		 "{\"listen\": \"udp://192.0.2.1:53\", \"pool\": \"web\", \"forward\": \"l2\"}",
		 "'forward' has no place in a service (it belongs in the pool that 'pool' names)"},
		{"http", "{\"forward\": \"l2\"}", "'forward' has no place in a service"},
		{"http", "{\"listen\": []}", "the list is empty"},
		{"dns", "{\"listen\": \"udp://192.0.2.1:53\", \"snat\": true}",
		 "'snat' needs 'forward: nat'"},
		{"dns",
		 "{\"listen\": \"udp://192.0.2.1:53\", \"check\": {\"type\": \"tcp\"}, "
		 "\"backends\": [{\"name\": \"a\", \"address\": \"10.0.0.1\"}]}",
		 "no port to check"},
		{"dns", "{\"listen\": \"udp://192.0.2.1:53\", \"check\": {\"type\": \"exec\"}}",
		 "type: a check of type exec is only taken from the file"},
		{"dns",
		 "{\"listen\": \"udp://192.0.2.1:53\", \"check\": {\"command\": [\"/bin/true\"], "
		 "\"type\": "
		 "\"tcp\"}}",
		 "command: a program to run is only taken from the file"},
		{"dns", "[]", "a service: expected a map"},
		{"dns", "null", "a service: expected a map"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *model = parse(base);

		apply_service(cases[i].body, model, cases[i].name, cases[i].what);
		model_free(model);
	}
}

static void services_of_the_api_count_for_the_limit(void **state)
{
	struct model *model = parse(base);

	(void)state;
	apply_service("{\"listen\": \"udp://192.0.2.1:1\", \"pool\": \"web\"}", model, "u1", NULL);
	apply_service("{\"listen\": \"udp://192.0.2.1:2\", \"pool\": \"web\"}", model, "u2", NULL);
	apply_service("{\"listen\": \"udp://192.0.2.1:3\", \"pool\": \"web\"}", model, "u3",
		      "4 services are more than global.limits.services allows, 3");
	model_free(model);
}

/* ---- whole configurations ---- */

#define POOL(keys) "{\"version\": 1, \"pools\": [{\"name\": \"p\"" keys "}]}"
#define DEEP       "[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]"

/* What is wrong is for the text to tell, and so is what YAML may read otherwise. */
static void json_that_is_not_plain_is_left_to_its_text(void **state)
{
	static const struct {
		const char *document;
		bool right;
	} cases[] = {
		{POOL(", \"track\": \"always\", \"snat\": false, \"gue_port\": 7, \"forward\": "
		      "\"gue\", \"backends\": []"),
		 true},
		{POOL(", \"check\": {\"type\": \"udp\", \"port\": 53, \"send\": \"\\u00e9\"}"),
		 false},
		{POOL(", \"check\": {\"type\": \"udp\", \"port\": 53, \"send\": \"\\u007f\"}"),
		 false},
		{POOL(", \"gue_port\": 7.0"), false},
		{POOL(", \"track\": null"), false},
		{POOL(", \"track\": true"), false},
		{POOL(", \"snat\": \"true\""), false},
		{POOL(", \"table_size\": \"4099\""), false},
		{POOL(", \"backends\": " DEEP), false},
		{POOL(", \"tr\\u00e9ck\": 1"), false},
		{"{\"version\": 2}", false},
		{"{}", false},
		{"[]", false},
		{"null", false},
		{"\"version: 1\"", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *json = json_loads(cases[i].document, JSON_DECODE_ANY, NULL);
		struct model *model;

		assert_non_null(json);
		model = config_parse_json(json, NULL);
		if (!model != !cases[i].right)
			fail_msg("%s: %s", cases[i].document, model ? "taken" : "refused");
		model_free(model);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_changes_the_keys_it_has),
		cmocka_unit_test(a_wrong_backend_body_is_refused),
		cmocka_unit_test(a_new_service_gets_a_pool_of_its_name),
		cmocka_unit_test(a_new_service_may_use_a_pool_that_is_there),
		cmocka_unit_test(a_service_keeps_what_a_body_does_not_say),
		cmocka_unit_test(a_wrong_service_body_is_refused),
		cmocka_unit_test(services_of_the_api_count_for_the_limit),
		cmocka_unit_test(json_that_is_not_plain_is_left_to_its_text),
	};

	return cmocka_run_group_tests_name("config apply", tests, NULL, NULL);
}
