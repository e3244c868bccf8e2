/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the texts of a check mean (user/check.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void statuses(void **state)
{
	static const struct {
		const char *text;
		const char *have, *lack; /* three digits each */
	} cases[] = {
		{"", "200 204 299", "100 199 300 500"},
		{"200", "200", "201 199"},
		{"200-299", "200 250 299", "199 300"},
		{"200,301-303", "200 301 302 303", "201 300 304"},
		{"599,100", "100 599", "101 598"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(check_statuses_problem(cases[i].text));
		for (const char *at = cases[i].have; *at; at += at[3] ? 4 : 3)
			assert_true(check_statuses_have(cases[i].text, (unsigned)atoi(at)));
		for (const char *at = cases[i].lack; *at; at += at[3] ? 4 : 3)
			assert_false(check_statuses_have(cases[i].text, (unsigned)atoi(at)));
	}
}

static void wrong_statuses(void **state)
{
	static const char *const texts[] = {"ok",   "20",   "2000", "99",     "600",      "299-200",
					    "200-", "-200", "200,", ",200",   "200 -299", "200;201",
					    "2xx",  "-",    "+200", "200-30", "200,,201", " 200"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!check_statuses_problem(texts[i]))
			fail_msg("%s", texts[i]);
	}
}

static void bytes(void **state)
{
	static const struct {
		const char *text;
		const char *bytes; /* as many as the text has pairs of hex digits */
	} cases[] = {
		{"", ""},
		{"ab", "6162"},
		{"a\\n\\r\\t\\\\z", "610a0d095c7a"},
		{"\\x00\\xfF\\x0ag", "00ff0a67"},
	};
	uint8_t out[CHECK_TEXT_SIZE];
	char hex[64], *end;
	size_t size;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(check_bytes(cases[i].text, out, &size));
		end = hex;
		*end = '\0';
		for (size_t j = 0; j < size; j++)
			end += sprintf(end, "%02x", out[j]);
		assert_string_equal(hex, cases[i].bytes);
	}
}

static void wrong_bytes(void **state)
{
	static const char *const texts[] = {"\\", "a\\", "\\x", "\\x1", "\\xg0", "\\x0g", "\\q"};
	uint8_t out[CHECK_TEXT_SIZE];
	size_t size;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_non_null(check_bytes(texts[i], out, &size));
}

static void commands(void **state)
{
	struct check check = {0};
	char word[CHECK_COMMAND_SIZE];
	const char *at;

	(void)state;
	assert_null(check_command_next(&check, NULL));
	assert_false(check_command_add(&check, ""));
	assert_true(check_command_add(&check, "/bin/true"));
	assert_true(check_command_add(&check, "-x"));
	at = check_command_next(&check, NULL);
	assert_string_equal(at, "/bin/true");
	at = check_command_next(&check, at);
	assert_string_equal(at, "-x");
	assert_null(check_command_next(&check, at));

	/* "/bin/true" and "-x" take 13 bytes, the end one. */
	memset(word, 'w', sizeof(word));
	word[CHECK_COMMAND_SIZE - 14] = '\0';
	assert_false(check_command_add(&check, word));
	word[CHECK_COMMAND_SIZE - 15] = '\0';
	assert_true(check_command_add(&check, word));
	assert_false(check_command_add(&check, "w"));
	assert_string_equal(check_command_next(&check, at), word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses), cmocka_unit_test(wrong_statuses),
		cmocka_unit_test(bytes),    cmocka_unit_test(wrong_bytes),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
