/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json_text: what it writes is read by jansson as what was meant, and looks as if that had written
 * it; as columns every value is in its own, whatever is in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/json_text.h"

static const char awkward[] = "a\tb\nc\rd\\e\"f\001g\x1fh\x7f caf\xc3\xa9 {[,:]}";

static void put_object(struct json_text *text, const char *key)
{
	json_text_begin(text, key, '{');
	json_text_string(text, "text", awkward);
	json_text_integer(text, "zero", 0);
	json_text_integer(text, "big", INT64_MAX);
	json_text_boolean(text, "yes", true);
	json_text_boolean(text, "no", false);
	json_text_null(text, "none");
	json_text_begin(text, "empty", '{');
	json_text_end(text, '}');
	json_text_begin(text, "list", '[');
	json_text_integer(text, NULL, 1);
	json_text_string(text, NULL, "");
	json_text_begin(text, NULL, '[');
	json_text_end(text, ']');
	json_text_begin(text, NULL, '{');
	json_text_null(text, "deep");
	json_text_end(text, '}');
	json_text_end(text, ']');
	json_text_end(text, '}');
}

static json_t *make_object(void)
{
	return json_pack("{s:s, s:i, s:I, s:b, s:b, s:n, s:{}, s:[i, s, [], {s:n}]}", "text",
			 awkward, "zero", 0, "big", (json_int_t)INT64_MAX, "yes", 1, "no", 0,
			 "none", "empty", "list", 1, "", "deep");
}

/* Ends the text, as a string; it is freed with the bytes. */
static const char *finish(struct json_text *text)
{
	json_text_newline(text);
	assert_false(text->failed);
	text->bytes[text->size - 1] = '\0';
	return text->bytes;
}

static void test_reads_back(void **state)
{
	json_t *wanted = make_object(), *is;
	struct json_text text = {0};

	(void)state;
	put_object(&text, NULL);
	is = json_loads(finish(&text), 0, NULL);
	assert_non_null(is);
	assert_true(json_equal(is, wanted));
	json_decref(is);
	json_decref(wanted);
	free(text.bytes);
}

static void test_indented_as_by_the_library(void **state)
{
	struct json_text text = {.style = JSON_TEXT_INDENTED};
	json_t *wanted = make_object();
	char *dump;

	(void)state;
	put_object(&text, NULL);
	dump = json_dumps(wanted, JSON_INDENT(2));
	assert_string_equal(finish(&text), dump);
	free(dump);
	json_decref(wanted);
	free(text.bytes);
}

static void test_columns(void **state)
{
	struct json_text text = {.style = JSON_TEXT_COLUMNS};

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_text_begin(&text, NULL, '{');
		json_text_null(&text, "none");
		json_text_string(&text, "text", "a\tb\nc\\d \"e\"");
		json_text_integer(&text, "number", 7);
		json_text_string(&text, "empty", "");
		json_text_begin(&text, "nested", '{');
		json_text_null(&text, "n");
		json_text_string(&text, "s", "x\ty\"");
		json_text_end(&text, '}');
		json_text_boolean(&text, "last", true);
		json_text_end(&text, '}');
	}
	finish(&text);
#define LINE "\ta\\tb\\nc\\\\d \"e\"\t7\t\t{\"n\": null, \"s\": \"x\\ty\\\"\"}\ttrue\n"
	assert_string_equal(text.bytes, LINE LINE);
	free(text.bytes);
}

static void test_no_utf8(void **state)
{
	struct json_text text = {0};

	(void)state;
	json_text_begin(&text, NULL, '[');
	json_text_string(&text, NULL, "caf\xe9 \xc3\xa9");
	json_text_end(&text, ']');
	assert_string_equal(finish(&text), "[\"caf? ??\"]");
	free(text.bytes);
}

static void test_trees(void **state)
{
	json_t *tree = json_pack("{s:[i, n]}", "a", 1);
	struct json_text text = {0};

	(void)state;
	json_text_begin(&text, NULL, '{');
	json_text_tree(&text, "tree", tree);
	json_text_raw(&text, "raw", "[2]");
	json_text_end(&text, '}');
	assert_string_equal(finish(&text), "{\"tree\": {\"a\":[1,null]}, \"raw\": [2]}");
	free(text.bytes);
	text = (struct json_text){0};
	json_text_tree(&text, NULL, NULL);
	assert_true(text.failed);
	json_text_string(&text, NULL, "goes nowhere");
	assert_int_equal(text.size, 0);
	json_decref(tree);
}

/* Strings that take the short way, and each byte that does not. */
static void test_every_byte_reads_back(void **state)
{
	(void)state;
	for (int byte = 1; byte < 0x80; byte++) {
		const char value[] = {'a', (char)byte, '~', '\0'};
		struct json_text text = {0};
		json_t *list;

		json_text_begin(&text, NULL, '[');
		json_text_string(&text, NULL, value);
		json_text_end(&text, ']');
		list = json_text_parse(&text);
		assert_string_equal(json_string_value(json_array_get(list, 0)), value);
		json_decref(list);
		assert_null(text.bytes);
	}
}

static void test_what_failed_is_no_tree(void **state)
{
	struct json_text text = {0};

	(void)state;
	json_text_begin(&text, NULL, '[');
	text.failed = true;
	assert_null(json_text_parse(&text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_indented_as_by_the_library),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_no_utf8),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_every_byte_reads_back),
		cmocka_unit_test(test_what_failed_is_no_tree),
	};

	return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
