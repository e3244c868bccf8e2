/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* config: all errors of a text in their order, how they are printed, and files on disk. */
#include "../../user/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- all errors, in order ---- */

static void every_error_is_reported_in_the_order_of_the_file(void **state)
{
	static const char text[] =
		"services:\n"
		"- {name: a, listen: nowhere, pool: non-existent}\n"
		"- {name: b, listen: tcp://192.0.2.1:80, pool: web}\n"
		"- {name: c, listen: tcp://192.0.2.1:80, pool: web}\n"
		"pools:\n"
		"- name: web\n"
		"  track: sometimes\n"
		"  colour: red\n"
		"  backends: [{name: x, address: 10.0.0.1, weight: -1}, {name: x}]\n"
		"version: one\n";
	static const struct {
		unsigned line, column;
	} places[] = {{2, 21}, {2, 36}, {4, 21}, {7, 10}, {8, 3},
		      {9, 51}, {9, 56}, {9, 63}, {10, 10}};
	struct config_errors errors = {};

	(void)state;
	assert_null(config_parse(text, strlen(text), NULL, &errors));
	assert_int_equal(errors.count, COUNT(places));
	for (size_t i = 0; i < COUNT(places); i++) {
		assert_int_equal(errors.items[i].line, places[i].line);
		assert_int_equal(errors.items[i].column, places[i].column);
	}
	config_errors_free(&errors);
	assert_int_equal(errors.count, 0);
}

static void endless_errors_come_to_an_end(void **state)
{
	struct config_errors errors = {};
	char *text = calloc(1, 64000), *printed;

	(void)state;
	assert_non_null(text);
	strcpy(text, "version: 1\n");
	for (int i = 0; i < 2000; i++)
		sprintf(text + strlen(text), "key_number_%d: 0\n", i);
	assert_null(config_parse(text, strlen(text), NULL, &errors));
	assert_int_equal(errors.count, 1000);
	printed = config_errors_format(&errors, "FILE", text, false);
	assert_non_null(strstr(printed, "FILE: only the first 1000 errors found are shown\n"));
	free(printed);
	free(text);
	config_errors_free(&errors);
}

/* ---- printing ---- */

static const struct {
	const char *text;
	bool colour;
	const char *printed;
} prints[] = {
	{"version: 2\n", false,
	 "F:1:10: error: version: '2' is none this lbd reads (version: 1)\n"
	 "version: 2\n"
	 "         ^\n"},
	{"version: 2", true,
	 "\033[1mF:1:10:\033[0m \033[1;31merror:\033[0m version: '2' is none this lbd reads "
	 "(version: 1)\n"
	 "version: 2\n"
	 "         \033[1;32m^\033[0m\n"},
	/* Columns count characters, and a tab is as wide under the line as in it. */
	{"{version:\t\t2} # caf\xc3\xa9", false,
	 "F:1:12: error: version: '2' is none this lbd reads (version: 1)\n"
	 "{version:\t\t2} # caf\xc3\xa9\n"
	 "         \t\t^\n"},
	{"{\"\xc3\xa9\": 1, version: 1}", false,
	 "F:1:2: error: unknown key '\xc3\xa9' in the file (known: version, global, defaults, "
	 "pools, "
	 "services)\n"
	 "{\"\xc3\xa9\": 1, version: 1}\n"
	 " ^\n"},
	/* What would move the terminal's cursor is not passed on. */
	{"version: \"\\e[2J\\u009b\"\n", false,
	 "F:1:10: error: version: '?[2J?\?' is none this lbd reads (version: 1)\n"
	 "version: \"\\e[2J\\u009b\"\n"
	 "         ^\n"},
	{"version: 1\n\xff\x1b[2J\n", false,
	 "F:2:1: error: the text is not valid UTF-8: invalid leading UTF-8 octet (save the file as "
	 "UTF-8)\n"
	 "??[2J\n"
	 "^\n"},
	{"version: 1\n\n\nglobal: {limits: {flows: 1}\n", false,
	 "F:5:1: error: YAML syntax: did not find expected ',' or '}' (while parsing a flow "
	 "mapping "
	 "in line 4)\n"
	 "\n"
	 "^\n"},
};

static void errors_are_printed_with_line_and_caret(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prints); i++) {
		struct config_errors errors = {};
		char *printed;

		assert_null(config_parse(prints[i].text, strlen(prints[i].text), NULL, &errors));
		printed = config_errors_format(&errors, "F", prints[i].text, prints[i].colour);
		assert_string_equal(printed, prints[i].printed);
		free(printed);
		config_errors_free(&errors);
	}
}

static void a_long_line_is_shown_in_part(void **state)
{
	struct config_errors errors = {};
	char text[2000], *printed, *line, *caret;

	(void)state;
	snprintf(text, sizeof(text), "{version: 1, pools: [%*s{name: web, track: never}]} #%*s",
		 900, "", 500, "");
	assert_null(config_parse(text, strlen(text), NULL, &errors));
	assert_int_equal(errors.items[0].column, 941);
	printed = config_errors_format(&errors, "F", text, false);
	line = strchr(printed, '\n') + 1;
	caret = strchr(line, '\n') + 1;
	assert_true(caret - line < 180);
	assert_memory_equal(line, "...", 3);
	assert_memory_equal(line + (strchr(caret, '^') - caret), "never", 5);
	free(printed);
	config_errors_free(&errors);
}

/* ---- files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_seed_file_is_sought_beside_the_config(void **state)
{
	char dir[] = "/tmp/limpet-config-XXXXXX", path[256], *text;
	struct config_errors errors = {};
	struct model *model;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "seed", "ffeeddccbbaa99887766554433221100\n\n");
	write_file(dir, "lbd.yaml", "version: 1\nglobal: {hash_seed_file: seed}\n");
	snprintf(path, sizeof(path), "%s/lbd.yaml", dir);
	model = config_load(path, NULL, &errors);
	assert_non_null(model);
	assert_true(model->global.hash_seed_set);
	assert_int_equal(model->global.hash_seed[0], 0xff);
	assert_int_equal(model->global.hash_seed[15], 0);
	model_free(model);

	write_file(dir, "lbd.yaml",
		   "version: 1\nglobal:\n  hash_seed_file: seed\n"
		   "  hash_seed: ffeeddccbbaa99887766554433221100\n");
	assert_null(config_load(path, &text, &errors));
	assert_int_equal(errors.count, 1);
	assert_int_equal(errors.items[0].line, 4);
	assert_non_null(strstr(errors.items[0].what, "both given"));
	assert_memory_equal(text, "version: 1\n", 11);
	free(text);
	config_errors_free(&errors);
	unlink(path);
	snprintf(path, sizeof(path), "%s/seed", dir);
	unlink(path);
	rmdir(dir);
}

/* What is made of the file, read again where `known` was made of `known_text`. */
static struct model *load_again(const char *path, const char *known_text, const struct model *known,
				char **text)
{
	struct config_errors errors = {};
	struct model *model = config_load_again(path, known_text, known, text, &errors);

	config_errors_free(&errors);
	return model;
}

static void a_file_that_did_not_change_is_not_read_again(void **state)
{
	char dir[] = "/tmp/limpet-config-XXXXXX", path[256], seed[256], *text, *again;
	struct model *known, *model;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lbd.yaml", dir);
	snprintf(seed, sizeof(seed), "%s/seed", dir);
	write_file(dir, "seed", "ffeeddccbbaa99887766554433221100\n");
	write_file(dir, "lbd.yaml",
		   "version: 1\nglobal: {hash_seed_file: seed}\npools: [{name: a}]\n");
	known = load_again(path, NULL, NULL, &text);
	assert_non_null(known);

	/* Told by what only the known one has. */
	known->pools[0]->table_size = 7;
	model = load_again(path, text, known, &again);
	assert_int_equal(model->pools[0]->table_size, 7);
	assert_string_equal(again, text);
	free(again);
	model_free(model);
	/* The seed's file may say something else. */
	write_file(dir, "seed", "00112233445566778899aabbccddeeff\n");
	model = load_again(path, text, known, &again);
	assert_int_equal(model->pools[0]->table_size, 7);
	assert_int_equal(model->global.hash_seed[1], 0x11);
	free(again);
	model_free(model);
	unlink(seed);
	assert_null(load_again(path, text, known, &again));
	free(again);
	/* One that changed is read. */
	write_file(dir, "lbd.yaml", "version: 1\npools: [{name: b}]\n");
	model = load_again(path, text, known, &again);
	assert_string_equal(model->pools[0]->name, "b");
	free(again);
	model_free(model);
	model_free(known);
	free(text);
	unlink(path);
	rmdir(dir);
}

static void a_file_that_cannot_be_read_is_one_error(void **state)
{
	static const struct {
		const char *path, *printed;
	} cases[] = {
		{"/does/not/exist.yaml", "/does/not/exist.yaml: error: cannot read the file: No "
					 "such file or directory\n"},
		{"/tmp", "/tmp: error: cannot read the file: Is a directory\n"},
		{"/dev/zero", "/dev/zero: error: larger than any configuration is (16 MiB)\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config_errors errors = {};
		char *text, *printed;

		assert_null(config_load(cases[i].path, &text, &errors));
		assert_int_equal(errors.items[0].line, 0);
		printed = config_errors_format(&errors, cases[i].path, text, false);
		assert_string_equal(printed, cases[i].printed);
		free(printed);
		free(text);
		config_errors_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_is_reported_in_the_order_of_the_file),
		cmocka_unit_test(endless_errors_come_to_an_end),
		cmocka_unit_test(errors_are_printed_with_line_and_caret),
		cmocka_unit_test(a_long_line_is_shown_in_part),
		cmocka_unit_test(a_seed_file_is_sought_beside_the_config),
		cmocka_unit_test(a_file_that_did_not_change_is_not_read_again),
		cmocka_unit_test(a_file_that_cannot_be_read_is_one_error),
	};

	return cmocka_run_group_tests_name("config, as told", tests, NULL, NULL);
}
