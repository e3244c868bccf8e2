/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_whole: random pairs of configurations: what is exported reads back as the same, and the
 * set that makes one of the other does, before and after it went through the state file; and what
 * differs is told, object by object. A failure prints the seed of its pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/config.h"
#include "../../user/overrides.h"
#include "model_text.h"

enum { PAIRS = 100, POOLS = 5, BACKENDS = 4 };

/* ---- random configurations ---- */

static uint64_t random_state;

static unsigned below(unsigned limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random_state >> 33) % limit);
}

/* One of the words, which stand between '|'; an empty one: the line is left out. */
static void write_line(FILE *out, const char *indent, const char *words)
{
	unsigned count = 1, pick;

	for (const char *at = words; *at; at++)
		count += *at == '|';
	pick = below(count);
	while (pick--)
		words = strchr(words, '|') + 1;
	if (strcspn(words, "|"))
		fprintf(out, "%s%.*s\n", indent, (int)strcspn(words, "|"), words);
}

static void write_pool_keys(FILE *out, const char *in)
{
	write_line(out, in,
		   "|affinity: {key: source-ip}|affinity: {key: source-ip, prefix_v4: 24, timeout: "
		   "90s}|affinity: {key: 5-tuple}");
	write_line(out, in, "|forward: l2|forward: ipip");
	write_line(out, in, "|table_size: 4099|table_size: 1009");
	write_line(out, in, "|track: always");
	write_line(out, in, "|on_down: keep");
	write_line(out, in, "|panic_threshold: 30%");
	write_line(out, in, "|slow_start: 90s");
	write_line(out, in, "|drain_mode: clients");
	write_line(out, in, "|drain_deadline: 0s|drain_deadline: 1h1s");
	write_line(out, in, "|idle_timeout: {tcp: 1h}|idle_timeout: {udp: 1500ms, tcp: 3h}");
	write_line(
		out, in,
		"|check: {type: tcp, port: 80}|check: {type: icmp, interval: 5s, rise: 1}|check: "
		"{type: udp, send: \"a\\tb\\\"\", expect: 'x', port: 53}|check: {type: https, "
		"path: /a-b, host: h, expect: 200-204, sni: s, ca: /ca, port: 443, agent: "
		"99}|check: {type: none, agent: 7}");
}

static void write_backends(FILE *out, unsigned pool)
{
	fprintf(out, "  backends:\n");
	for (unsigned i = 0; i < BACKENDS; i++) {
		if (i && below(3) == 0)
			continue;
		fprintf(out, "  - name: b%u\n", i);
		fprintf(out,
			below(4) ? "    address: 10.%u.0.%u\n" : "    address: 2001:db8:%u::%u\n",
			pool, i + 1);
		write_line(out, "    ", "|weight: 0|weight: 50|weight: 65535");
		write_line(out, "    ", "||admin: maint|admin: drain");
		write_line(out, "    ", "||drain_deadline: 7s|drain_mode: clients");
		write_line(out, "    ", "||port: 8080");
		write_line(out, "    ", "||backup: true");
	}
}

static void write_services(FILE *out, const bool *pools)
{
	for (unsigned i = 0; i < POOLS; i++) {
		unsigned kind = below(3);

		if (kind == 0)
			continue;
		fprintf(out, "- name: s%u\n  listen: [\"tcp://192.0.2.%u:%u\"", i, below(4) + 1,
			80 + i);
		if (below(2))
			fprintf(out, ", \"udp://[2001:db8::%u]:%u-%u\"", below(3) + 1,
				5000 + 100 * i, 5000 + 100 * i + below(50));
		fprintf(out, "]\n");
		if (kind == 1 && pools[i]) {
			fprintf(out, "  pool: p%u\n", i);
		} else {
			write_pool_keys(out, "  ");
			write_backends(out, 100 + i);
		}
	}
}

/* The caller frees it. */
static char *write_config(void)
{
	char *text;
	size_t size;
	bool pools[POOLS];
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "version: 1\nglobal:\n  limits: {flows: %u}\n", 1000 + below(2));
	write_line(out, "  ", "|metrics: 127.0.0.1:9555|metrics: \"[::1]:9556\"");
	write_line(out, "  ",
		   "|encap_source: {v4: 172.16.0.0/16}|encap_source: {v6: \"0100::/64\"}");
	/* Everyone has the program that the file alone may name. */
	fprintf(out, "pools:\n- name: runs\n  check: {type: exec, command: [/bin/true, x]}\n");
	write_line(out, "  ", "|on_down: keep|track: always");
	for (unsigned i = 0; i < POOLS; i++) {
		pools[i] = below(3) != 0;
		if (!pools[i])
			continue;
		fprintf(out, "- name: p%u\n", i);
		write_pool_keys(out, "  ");
		write_backends(out, i);
	}
	fprintf(out, "services:\n");
	write_services(out, pools);
	/* A list that holds nothing is an error. */
	fprintf(out, "- {name: last, listen: \"tcp://192.0.2.200:*\", pool: runs}\n");
	fclose(out);
	return text;
}

static struct model *parse(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("line %u: %s in:\n%s", errors.items[0].line, errors.items[0].what, text);
	return model;
}

static struct model *random_model(void)
{
	char *text = write_config();
	struct model *model = parse(text);

	free(text);
	return model;
}

static void assert_same(unsigned seed, const char *what, const struct model *is,
			const struct model *wanted)
{
	char *a = model_text(is), *b = model_text(wanted);

	if (strcmp(a, b) != 0)
		fail_msg("seed %u: %s:\n%s\nwanted\n%s", seed, what, a, b);
	free(a);
	free(b);
}

/* ---- properties ---- */

static void test_export_reads_back(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < PAIRS; seed++) {
		struct model *model, *again;
		json_t *json;
		char *text;

		random_state = seed;
		model = random_model();
		text = model_text(model);
		again = parse(text);
		assert_same(seed, "read back", again, model);
		model_free(again);
		/* So it does without the text. */
		json = json_loads(text, 0, NULL);
		again = config_parse_json(json, NULL);
		assert_non_null(again);
		assert_same(seed, "read back as JSON", again, model);
		model_free(again);
		json_decref(json);
		model_free(model);
		free(text);
	}
}

static void apply_and_compare(unsigned seed, const char *what, const struct overrides *set,
			      const struct model *base, const struct model *wanted)
{
	struct fault fault = {0};
	struct model *model = overrides_apply(set, base, &fault);

	if (!model)
		fail_msg("seed %u: %s: %s", seed, what, fault.message);
	assert_same(seed, what, model, wanted);
	model_free(model);
}

static void check_pair(unsigned seed, const char *path)
{
	struct fault fault = {0};
	struct overrides *none = overrides_create(), *set, *read;
	struct model *base, *wanted;
	json_t *differences;

	random_state = seed;
	base = random_model();
	wanted = random_model();
	set = overrides_whole(none, base, wanted, &fault);
	if (!set)
		fail_msg("seed %u: %s", seed, fault.message);
	apply_and_compare(seed, "made", set, base, wanted);
	assert_int_equal(overrides_save(set, path, &fault), 0);
	read = overrides_load(path, &fault);
	assert_non_null(read);
	apply_and_compare(seed, "after a restart", read, base, wanted);
	/* The same file again takes nothing back. */
	overrides_rebase(read, base, NULL, NULL);
	apply_and_compare(seed, "after a reload", read, base, wanted);
	/* Each object that differs has an override, but backends that go with their pool. */
	differences = overrides_differences(base, base, wanted);
	assert_true(overrides_count(set) <= json_array_size(differences));
	assert_true(!json_array_size(differences) == !overrides_count(set));
	json_decref(differences);
	overrides_free(none);
	overrides_free(set);
	overrides_free(read);
	model_free(base);
	model_free(wanted);
}

static void test_pairs(void **state)
{
	char directory[] = "/tmp/limpet-whole-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/state.json", directory);
	for (unsigned seed = 0; seed < PAIRS; seed++)
		check_pair(seed, path);
	unlink(path);
	rmdir(directory);
}

/* ---- told ---- */

#define POOL_OF(keys, backends)                                                                    \
	"version: 1\npools:\n- {name: web, " keys " backends: [" backends "]}\nservices:\n"        \
	"- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n"
#define A "{name: a, address: 10.0.0.1}"
#define B "{name: b, address: 10.0.0.2}"

static const struct told {
	const char *of, *read, *file, *running;
	const char *object, *where, *origin; /* NULL: nothing differs */
	const char *key;
} told[] = {
	{"the same", POOL_OF("", A), POOL_OF("", A), POOL_OF("", A), NULL, NULL, NULL, NULL},
	{"at run time", POOL_OF("", A), POOL_OF("", A), POOL_OF("", A "," B), "backend web/b",
	 "running", "run time", NULL},
	{"edited", POOL_OF("", A), POOL_OF("", A "," B), POOL_OF("", A), "backend web/b", "file",
	 "file", NULL},
	{"edited as it was changed", POOL_OF("", A), POOL_OF("", A "," B), POOL_OF("", A "," B),
	 NULL, NULL, NULL, NULL},
	{"a key", POOL_OF("", A), POOL_OF("track: always,", A), POOL_OF("on_down: keep,", A),
	 "pool web", "both", "both", "track"},
};

static void test_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct model *read = parse(told[i].read), *file = parse(told[i].file);
		struct model *running = parse(told[i].running);
		json_t *list = overrides_differences(read, file, running);
		const json_t *first = json_array_get(list, 0);
		const char *object = json_string_value(json_object_get(first, "object"));

		if (json_array_size(list) != !!told[i].object ||
		    (object &&
		     (strcmp(object, told[i].object) ||
		      strcmp(json_string_value(json_object_get(first, "where")), told[i].where) ||
		      strcmp(json_string_value(json_object_get(first, "origin")), told[i].origin) ||
		      (told[i].key &&
		       !json_object_get(json_object_get(first, "keys"), told[i].key)))))
			fail_msg("%s: %s", told[i].of, json_dumps(list, 0));
		json_decref(list);
		model_free(read);
		model_free(file);
		model_free(running);
	}
}

static void test_programs_only_from_the_file(void **state)
{
	static const char text[] =
		"version: 1\npools:\n- {name: web, check: {type: exec, command: [/bin/%s]}}\n";
	struct overrides *none = overrides_create(), *set;
	struct fault fault = {0};
	char file[256], other[256];
	struct model *base, *wanted;

	(void)state;
	snprintf(file, sizeof(file), text, "true");
	snprintf(other, sizeof(other), text, "false");
	base = parse(file);
	wanted = parse(other);
	set = overrides_whole(none, base, base, &fault);
	assert_non_null(set);
	assert_null(overrides_whole(none, base, wanted, &fault));
	assert_int_equal(fault.code, FAULT_PERMISSION);
	overrides_free(set);
	overrides_free(none);
	model_free(base);
	model_free(wanted);
}

/* ---- many at once, which are checked together ---- */

static void count_dropped(void *context, const char *object)
{
	char *text = context;

	snprintf(text + strlen(text), 64, "%s;", object);
}

/* Still the one that is in the way is found, and no other. */
static void test_many(void **state)
{
	enum { MANY = 60 };
	static const char pool[] = "version: 1\npools:\n- {name: web}\nservices:\n"
				   "- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n";
	struct overrides *none = overrides_create(), *set;
	struct model *base = parse(pool), *taken, *wanted, *model;
	char *text, dropped[4096] = "";
	struct fault fault = {0};
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fputs(pool, out);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(out, "- {name: s%u, listen: \"tcp://192.0.2.10:%u\", pool: web}\n", i,
			1000 + i);
	fclose(out);
	wanted = parse(text);
	free(text);
	set = overrides_whole(none, base, wanted, &fault);
	assert_non_null(set);
	assert_int_equal(overrides_count(set), MANY);
	apply_and_compare(0, "many", set, base, wanted);
	taken = parse("version: 1\npools:\n- {name: web}\nservices:\n"
		      "- {name: http, listen: \"tcp://192.0.2.10:1007\", pool: web}\n");
	overrides_rebase(set, taken, count_dropped, dropped);
	assert_string_equal(dropped, "service s7;");
	model = overrides_apply(set, taken, &fault);
	assert_non_null(model);
	assert_int_equal(model->service_count, MANY);
	model_free(model);
	model_free(taken);
	model_free(wanted);
	model_free(base);
	overrides_free(set);
	overrides_free(none);
}

/* ---- what it does to a table ---- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_export_reads_back),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_programs_only_from_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
