/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics: what is rendered for one model, the scope, escaping, and that the text is what a strict
 * reader takes: each family once, with HELP, TYPE and all its samples together, no series twice.
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
#include "../../user/metrics.h"
#include "../../user/metrics_text.h"
#include "../../user/version.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char file[] = "version: 1\n"
			   "pools:\n"
			   "- name: web\n"
			   "  check: {type: tcp}\n"
			   "  backends:\n"
			   "  - {name: web1, address: 10.0.0.11, weight: 3}\n"
			   "  - {name: web2, address: 10.0.0.12, admin: drain}\n"
			   "  - {name: web3, address: 10.0.0.13, admin: maint}\n"
			   "services:\n"
			   "- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n"
			   "- {name: dns, listen: \"udp://[2001:db8::10]:53\", forward: nat,\n"
			   "   backends: [{name: ns1, address: \"2001:db8:1::11\"}]}\n";

static struct model *make_model(void)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(file, strlen(file), NULL, &errors);
	struct pool *web;

	if (!model)
		fail_msg("the test's file is wrong: %s", errors.items[0].what);
	web = model_pool_find(model, "web");
	for (size_t i = 0; i < web->backend_count; i++) {
		web->backends[i]->hop.resolved = true;
		web->backends[i]->health = HEALTH_UP;
	}
	web->backends[0]->slots = 65537;
	web->backends[0]->checked_ms = 1700000000123;
	web->backends[0]->check_us = 402;
	web->backends[0]->check_failures = 4;
	web->backends[0]->transition_count = 2;
	model_pool_find(model, "dns")->backends[0]->nat_refused = 9;
	web->unsettled_slots = 5;
	web->tracked_flows = 17;
	web->clients = 9;
	web->pins = 2;
	return model;
}

static char *render(const struct model *model, enum metrics_scope scope)
{
	static const struct lb_counter services[] = {{10, 1000, 1}, {UINT64_MAX, 2000, 2}};
	static const struct lb_counter backends[] = {
		{1, 100, 11}, {2, 200, 12}, {3, 300, 13}, {4, 400, 14}};
	static const struct metrics_count drops[] = {{"drop_ttl", 7}, {"drop_too_big", 0}};
	static const struct metrics_count notes[] = {{"client_untracked", 6}};
	static const struct metrics_interface interfaces[] = {{"eth0", "native", true},
							      {"e\"t\\h\xe9", "generic", false}};
	const struct metrics_input input = {
		.model = model,
		.services = services,
		.backends = backends,
		.drops = drops,
		.drop_count = COUNT(drops),
		.notes = notes,
		.note_count = COUNT(notes),
		.interfaces = interfaces,
		.interface_count = COUNT(interfaces),
		.flow_entries = 17,
		.flow_limit = 1000000,
		.client_entries = 3,
		.client_limit = 2000,
		.nat_entries = 5,
		.nat_limit = 3000,
		.table_build_ns = 1500000,
		.publish_ns = 2000000001,
		.reload_good = true,
		.reload_ms = 1700000000007,
	};
	size_t size;
	char *bytes = metrics_render(&input, scope, &size), *text;

	assert_non_null(bytes);
	assert_null(memchr(bytes, 0, size));
	text = strndup(bytes, size);
	free(bytes);
	return text;
}

/* Whether the text has exactly this line. */
static bool has_line(const char *text, const char *line)
{
	size_t size = strlen(line);
	const char *at = text;

	while ((at = strstr(at, line))) {
		if ((at == text || at[-1] == '\n') && at[size] == '\n')
			return true;
		at++;
	}
	return false;
}

static const char *const lines[] = {
	"lbd_build_info{version=\"" LIMPET_VERSION "\"} 1",
	"# TYPE lbd_service_packets_total counter",
	"lbd_service_packets_total{service=\"dns\"} 10",
	"lbd_service_packets_total{service=\"http\"} 18446744073709551615",
	"lbd_service_bytes_total{service=\"http\"} 2000",
	"lbd_service_new_flows_total{service=\"http\"} 2",
	"# TYPE lbd_pool_unsettled_slots gauge",
	"lbd_pool_unsettled_slots{pool=\"web\"} 5",
	"lbd_pool_tracked_flows{pool=\"web\"} 17",
	"lbd_pool_clients{pool=\"dns\"} 0",
	"lbd_pool_clients{pool=\"web\"} 9",
	"lbd_pool_pins{pool=\"dns\"} 0",
	"lbd_pool_pins{pool=\"web\"} 2",
	"lbd_drops_total{verdict=\"drop_ttl\"} 7",
	"lbd_drops_total{verdict=\"drop_too_big\"} 0",
	"lbd_notes_total{note=\"client_untracked\"} 6",
	"lbd_xdp_attached{interface=\"eth0\",mode=\"native\"} 1",
	"lbd_xdp_attached{interface=\"e\\\"t\\\\h\\\\xe9\",mode=\"generic\"} 0",
	"lbd_flow_table_entries 17",
	"lbd_flow_table_limit 1000000",
	"lbd_client_table_entries 3",
	"lbd_client_table_limit 2000",
	"lbd_nat_table_entries 5",
	"lbd_nat_table_limit 3000",
	"lbd_table_build_seconds 0.001500000",
	"lbd_publish_seconds 2.000000001",
	"lbd_config_last_reload_success 1",
	"lbd_config_last_reload_timestamp_seconds 1700000000.007",
};

static const char *const backend_lines[] = {
	"# TYPE lbd_backend_packets_total counter",
	"lbd_backend_packets_total{pool=\"dns\",backend=\"ns1\"} 1",
	"lbd_backend_packets_total{pool=\"web\",backend=\"web3\"} 4",
	"lbd_backend_bytes_total{pool=\"web\",backend=\"web1\"} 200",
	"lbd_backend_new_flows_total{pool=\"web\",backend=\"web1\"} 12",
	/* No next hop is known. */
	"lbd_backend_up{pool=\"dns\",backend=\"ns1\"} 0",
	"lbd_backend_up{pool=\"web\",backend=\"web1\"} 1",
	"lbd_backend_up{pool=\"web\",backend=\"web2\"} 1",
	"lbd_backend_up{pool=\"web\",backend=\"web3\"} 0",
	"lbd_backend_weight{pool=\"web\",backend=\"web1\"} 3",
	"lbd_backend_health{pool=\"web\",backend=\"web1\"} 1",
	"lbd_backend_effective_weight{pool=\"web\",backend=\"web1\"} 3",
	"lbd_backend_effective_weight{pool=\"web\",backend=\"web2\"} 0",
	"lbd_backend_slots{pool=\"web\",backend=\"web1\"} 65537",
	"lbd_backend_draining{pool=\"web\",backend=\"web1\"} 0",
	"lbd_backend_draining{pool=\"web\",backend=\"web2\"} 1",
	"lbd_backend_maintenance{pool=\"web\",backend=\"web3\"} 1",
	"lbd_backend_nat_refused_total{pool=\"dns\",backend=\"ns1\"} 9",
	"lbd_backend_check_failures_total{pool=\"web\",backend=\"web1\"} 4",
	"lbd_backend_transitions_total{pool=\"web\",backend=\"web1\"} 2",
	"lbd_backend_check_duration_seconds{pool=\"web\",backend=\"web1\"} 0.000402",
};

/* What would look like a fact and is none has no series. */
static const char *const absent[] = {
	"lbd_service_new_flows_total{service=\"dns\"}",
	"lbd_backend_new_flows_total{pool=\"dns\"",
	"lbd_backend_health{pool=\"dns\"",
	"lbd_backend_nat_refused_total{pool=\"web\"",
	"lbd_backend_check_duration_seconds{pool=\"web\",backend=\"web2\"}",
};

static void test_lines(void **state)
{
	struct model *model = make_model();
	char *all = render(model, METRICS_ALL), *some = render(model, METRICS_SERVICES);

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		if (!has_line(all, lines[i]) || !has_line(some, lines[i]))
			fail_msg("missing: %s\nin:\n%s\nor:\n%s", lines[i], all, some);
	}
	for (size_t i = 0; i < COUNT(backend_lines); i++) {
		if (!has_line(all, backend_lines[i]))
			fail_msg("missing: %s\nin:\n%s", backend_lines[i], all);
	}
	for (size_t i = 0; i < COUNT(absent); i++) {
		if (strstr(all, absent[i]))
			fail_msg("not to be there: %s", absent[i]);
	}
	assert_null(strstr(some, "backend=\""));
	assert_null(strstr(some, "lbd_backend_"));
	free(all);
	free(some);
	model_free(model);
}

/* The name of the series: up to the last blank. */
static size_t series_size(const char *line)
{
	const char *blank = strrchr(line, ' ');

	if (!blank || blank[1 + strspn(blank + 1, "0123456789.")])
		fail_msg("a sample without a number: %s", line);
	return (size_t)(blank - line);
}

static void test_form(void **state)
{
	struct model *model = make_model();
	char *text = render(model, METRICS_ALL), *seen[256] = {0}, *rest = text, *line;
	char family[128] = "", other[128];
	size_t count = 0;

	(void)state;
	assert_int_equal(text[strlen(text) - 1], '\n');
	while ((line = strsep(&rest, "\n")) && *line) {
		if (sscanf(line, "# HELP %127s ", other) == 1) {
			strcpy(family, other);
			line = strsep(&rest, "\n");
			assert_int_equal(sscanf(line, "# TYPE %127s ", other), 1);
			assert_string_equal(other, family);
			assert_true(strstr(line, " counter") ? !!strstr(family, "_total")
							     : !strstr(family, "_total"));
			continue;
		}
		assert_int_equal(strcspn(line, "{ "), strlen(family));
		assert_memory_equal(line, family, strlen(family));
		line[series_size(line)] = '\0';
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(line, seen[i]);
		assert_true(count < COUNT(seen));
		seen[count++] = line;
	}
	assert_true(count > 40);
	free(text);
	model_free(model);
}

static void assert_text(struct metrics_text *text, const char *expected)
{
	char *copy = strndup(text->bytes, text->size);

	assert_false(text->failed);
	assert_string_equal(copy, expected);
	free(copy);
	free(text->bytes);
	*text = (struct metrics_text){0};
}

static void test_escaping(void **state)
{
	struct metrics_labels labels;
	struct metrics_text text = {0};

	(void)state;
	metrics_family(&text, "a", METRICS_COUNTER, "a \"b\"\\\nc");
	metrics_labels(&labels, "k", "\\ \"\n\t\x7f\xc3\xa4", "l", "");
	metrics_sample(&text, &labels, 0);
	metrics_labels(&labels, NULL, NULL, NULL, NULL);
	metrics_sample(&text, &labels, 1);
	assert_text(&text, "# HELP a a \"b\"\\\\\\nc\n# TYPE a counter\n"
			   "a{k=\"\\\\ \\\"\\n\\\\x09\\\\x7f\\\\xc3\\\\xa4\",l=\"\"} 0\n"
			   "a 1\n");
}

/* However long, the labels are whole: nothing overflows, and no escape is cut in two. */
static void test_long_labels(void **state)
{
	char value[300];
	struct metrics_labels labels;

	(void)state;
	memset(value, 0xff, sizeof(value));
	value[sizeof(value) - 1] = '\0';
	metrics_labels(&labels, "k", value, "l", value);
	assert_true(labels.size <= sizeof(labels.text));
	assert_memory_equal(labels.text + labels.size - 7, "\\\\xff\"}", 7);
	assert_int_equal(labels.size, 2 * (3 + 100 + 1) + 3);
}

static void test_fractions(void **state)
{
	static const struct {
		uint64_t value;
		unsigned digits;
		const char *text;
	} cases[] = {
		{0, 0, "f 0\n"},
		{0, 3, "f 0.000\n"},
		{7, 3, "f 0.007\n"},
		{1000, 3, "f 1.000\n"},
		{123456, 3, "f 123.456\n"},
		{999999999, 9, "f 0.999999999\n"},
		{UINT64_MAX, 9, "f 18446744073.709551615\n"},
		{UINT64_MAX, 0, "f 18446744073709551615\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct metrics_text text = {.family = "f"};

		metrics_sample_fraction(&text, NULL, cases[i].value, cases[i].digits);
		assert_text(&text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),     cmocka_unit_test(test_form),
		cmocka_unit_test(test_escaping),  cmocka_unit_test(test_long_labels),
		cmocka_unit_test(test_fractions),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
