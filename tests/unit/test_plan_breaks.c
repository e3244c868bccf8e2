/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which changes move most flows by nature, and how many (user/plan_breaks.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../user/config.h"
#include "../../user/plan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define W1  "{name: w1, address: 10.0.0.1}"
#define W2  "{name: w2, address: 10.0.0.2}"
#define W3  "{name: w3, address: 10.0.0.3}"
#define WEB "- {name: web, backends: [" W1 ", " W2 "]}\n"
#define API "- {name: api, backends: [{name: a1, address: 10.0.1.1}]}\n"
/* Other names for the servers of `web`. */
#define WEB_AGAIN                                                                                  \
	"- {name: web, backends: [{name: x1, address: 10.0.0.1}, {name: x2, address: "             \
	"10.0.0.2}]}\n"
#define SAME                                                                                       \
	"- {name: same, backends: [{name: s1, address: 10.0.0.1}, {name: s2, address: "            \
	"10.0.0.2}]}\n"
#define SOURCE(prefix)                                                                             \
	"- {name: web, affinity: {key: source-ip, prefix_v4: " prefix "}, backends: [" W1 ", " W2  \
	"]}\n"
#define SERVICES "services:\n"
#define ON(name, listen, pool)                                                                     \
	"- {name: " name ", listen: \"tcp://192.0.2.1:" listen "\", pool: " pool "}\n"

static const struct breaks_case {
	const char *what, *before, *after;
	const char *idle; /* a service that has no flows */
	const char *moved;
} cases[] = {
	{"nothing", WEB SERVICES ON("http", "80", "web"), WEB SERVICES ON("http", "80", "web"), "",
	 ""},
	{"a backend more", WEB, "- {name: web, backends: [" W1 ", " W2 ", " W3 "]}\n", "", ""},
	{"other names for the same servers", WEB, WEB_AGAIN, "", ""},
	{"another table size", WEB, "- {name: web, table_size: 1009, backends: [" W1 ", " W2 "]}\n",
	 "", "web 50"},
	{"another table size, unequal weights",
	 "- {name: web, backends: [{name: w1, address: 10.0.0.1, weight: 90}, {name: w2, address: "
	 "10.0.0.2, weight: 10}]}\n",
	 "- {name: web, table_size: 1009, backends: [{name: w1, address: 10.0.0.1, weight: 90},"
	 " {name: w2, address: 10.0.0.2, weight: 10}]}\n",
	 "", "web 18"},
	{"another table size with one backend", "- {name: web, backends: [" W1 "]}\n",
	 "- {name: web, table_size: 1009, backends: [" W1 "]}\n", "", ""},
	{"another table size with none", "- {name: web}\n", "- {name: web, table_size: 1009}\n", "",
	 ""},
	{"another key", WEB, SOURCE("32"), "", "web 50"},
	{"another prefix", SOURCE("32"), SOURCE("24"), "", "web 50"},
	{"the same prefix", SOURCE("24"), SOURCE("24"), "", ""},
	{"a service to another pool", WEB API SERVICES ON("http", "80", "web"),
	 WEB API SERVICES ON("http", "80", "api"), "", "http 100"},
	{"the same without flows", WEB API SERVICES ON("http", "80", "web"),
	 WEB API SERVICES ON("http", "80", "api"), "http", "http 100"},
	{"to another pool of the same servers", WEB SAME SERVICES ON("http", "80", "web"),
	 WEB SAME SERVICES ON("http", "80", "same"), "", "http 50"},
	{"a port to another service and pool", WEB API SERVICES ON("http", "80", "web"),
	 WEB API SERVICES ON("http2", "80", "api"), "", "http2 100"},
	{"a port to another service of the same pool", WEB API SERVICES ON("http", "80", "web"),
	 WEB API SERVICES ON("http2", "80", "web"), "", ""},
	{"an exact port over any port", WEB API SERVICES ON("all", "*", "web"),
	 WEB API SERVICES ON("all", "*", "web") ON("one", "80", "api"), "", "one 100"},
	{"the same without flows", WEB API SERVICES ON("all", "*", "web"),
	 WEB API SERVICES ON("all", "*", "web") ON("one", "80", "api"), "all", ""},
	{"an exact port of the same pool", WEB API SERVICES ON("all", "*", "web"),
	 WEB API SERVICES ON("all", "*", "web") ON("one", "80", "web"), "", ""},
	{"an exact port over a range", WEB API SERVICES ON("some", "8000-8099", "web"),
	 WEB API SERVICES ON("some", "8000-8099", "web") ON("one", "8050", "api"), "", "one 100"},
	{"beside a range", WEB API SERVICES ON("some", "8000-8099", "web"),
	 WEB API SERVICES ON("some", "8000-8099", "web") ON("one", "8100", "api"), "", ""},
	{"a range over any port, an exact port at its begin",
	 WEB API SERVICES ON("all", "*", "web") ON("one", "8000", "api"),
	 WEB API SERVICES ON("all", "*", "web") ON("one", "8000", "api")
		 ON("some", "8000-8099", "api"),
	 "", "some 100"},
	{"any port below an exact one", WEB API SERVICES ON("one", "80", "web"),
	 WEB API SERVICES ON("one", "80", "web") ON("all", "*", "api"), "", ""},
	{"an exact port goes, any port is below: who takes it away knows",
	 WEB API SERVICES ON("all", "*", "web") ON("one", "80", "api"),
	 WEB API SERVICES ON("all", "*", "web"), "", ""},
	{"a new service on a free port", WEB API SERVICES ON("http", "80", "web"),
	 WEB API SERVICES ON("http", "80", "web") ON("more", "81", "api"), "", ""},
};

static struct model *parse(const char *pools)
{
	struct config_errors errors = {0};
	char text[2048];
	struct model *model;

	snprintf(text, sizeof(text), "version: 1\npools:\n%s", pools);
	model = config_parse(text, strlen(text), NULL, &errors);
	if (!model)
		fail_msg("%s: %s", text, errors.items[0].what);
	return model;
}

static bool has_flows(void *context, const struct service *service)
{
	return strcmp(context, service->name) != 0;
}

static void test_case(void **state)
{
	const struct breaks_case *test = *state;
	struct model *before = parse(test->before), *after = parse(test->after);
	char moved[256] = "", idle[16];
	size_t used = 0;
	struct plan plan;
	bool breaks;

	snprintf(idle, sizeof(idle), "%s", test->idle);
	assert_int_equal(plan_make(&plan, before, after), 0);
	breaks = plan_judge(&plan, before, after, has_flows, idle);
	for (size_t i = 0; i < plan.count; i++)
		if (plan.steps[i].moved_percent)
			used += (size_t)snprintf(moved + used, sizeof(moved) - used, "%s%s %u",
						 used ? ", " : "", plan.steps[i].object,
						 plan.steps[i].moved_percent);
	assert_string_equal(moved, test->moved);
	assert_int_equal(breaks, test->moved[0] != '\0');
	plan_destroy(&plan);
	model_free(before);
	model_free(after);
}

static void another_seed_moves_what_chance_says(void **state)
{
	struct model *model = parse(WEB API);

	(void)state;
	assert_int_equal(plan_reseed_percent(model), 50);
	model_free(model);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases) + 1] = {
		cmocka_unit_test(another_seed_moves_what_chance_says)};

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i + 1] = (struct CMUnitTest){.name = cases[i].what,
						   .test_func = test_case,
						   .initial_state = (void *)&cases[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
