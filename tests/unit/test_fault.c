/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a user gets to read when something fails (user/fault.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/fault.h"
#include "capture.h"

static void test_set_gives_minus_one_and_clears_the_hint(void **state)
{
	struct fault fault = {.hint = "of an earlier fault"};

	(void)state;
	assert_int_equal(fault_set(&fault, FAULT_CONFLICT, "%s: attach: busy", "eth0"), -1);
	assert_int_equal(fault.code, FAULT_CONFLICT);
	assert_string_equal(fault.message, "eth0: attach: busy");
	assert_string_equal(fault.hint, "");
	assert_int_equal(fault_hint(&fault, "run: lbload detach %s", "eth0"), -1);
	assert_string_equal(fault.hint, "run: lbload detach eth0");
	assert_string_equal(fault.message, "eth0: attach: busy");
}

static void test_nobody_needs_to_ask(void **state)
{
	(void)state;
	assert_int_equal(fault_set(NULL, FAULT_FAILED, "unheard"), -1);
	assert_int_equal(fault_hint(NULL, "unheard"), -1);
}

static void test_a_fault_can_be_wrapped_in_its_own_words(void **state)
{
	struct fault fault;

	(void)state;
	fault_set(&fault, FAULT_TIMEOUT, "no answer");
	fault_hint(&fault, "is lbd running?");
	fault_hint(&fault, "%s (%s)", fault.hint, fault.message);
	assert_string_equal(fault.hint, "is lbd running? (no answer)");
	fault_set(&fault, fault.code, "lbd: status: %s", fault.message);
	assert_string_equal(fault.message, "lbd: status: no answer");
	assert_int_equal(fault.code, FAULT_TIMEOUT);
}

static void test_long_text_is_cut(void **state)
{
	char text[2000];
	struct fault fault;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fault_set(&fault, FAULT_FAILED, "%s", text);
	fault_hint(&fault, "%s", text);
	assert_int_equal(strlen(fault.message), sizeof(fault.message) - 1);
	assert_int_equal(strlen(fault.hint), sizeof(fault.hint) - 1);
}

static void test_code_names(void **state)
{
	/* The position is the exit status. */
	static const char *const names[] = {"none",      "failed",   "usage",      "unreachable",
					    "not_found", "conflict", "permission", "timeout"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(fault_code_name((enum fault_code)i), names[i]);
}

static void test_code_of_errno(void **state)
{
	(void)state;
	assert_int_equal(fault_code_of_errno(EPERM), FAULT_PERMISSION);
	assert_int_equal(fault_code_of_errno(EACCES), FAULT_PERMISSION);
	assert_int_equal(fault_code_of_errno(ENOENT), FAULT_FAILED);
	assert_int_equal(fault_code_of_errno(ENOSPC), FAULT_FAILED);
}

static void test_print(void **state)
{
	struct capture capture = capture_begin();
	struct fault fault;
	char text[256];
	int with, without;

	(void)state;
	fault_set(&fault, FAULT_NOT_FOUND, "service web: show: no such service");
	without = fault_print(&fault, "lbctl");
	fault_hint(&fault, "see: lbctl service list");
	with = fault_print(&fault, "lbctl");
	capture_end(&capture, text, sizeof(text));
	assert_int_equal(without, 4);
	assert_int_equal(with, 4);
	assert_string_equal(text, "lbctl: service web: show: no such service\n"
				  "lbctl: service web: show: no such service\n"
				  "hint: see: lbctl service list\n");
}

static void test_nearest(void **state)
{
	static const char *const words[] = {"service", "backend", "pool",         "drops",
					    "status",  "ls",      "idle_timeout", "c"};
	static const struct {
		const char *word;
		const char *nearest;
	} cases[] = {
		{"service", "service"},
		{"serivce", "service"}, /* neighbours swapped */
		{"servic", "service"},
		{"services", "service"},
		{"bakend", "backend"},
		{"bckend", "backend"},
		{"bend", NULL},
		{"pol", "pool"},
		{"opol", "pool"}, /* one slip, not two */
		{"poool", "pool"},
		{"loop", NULL}, /* near, but not as near as a slip */
		{"stats", "status"},
		{"ld", "ls"},
		{"x", NULL},
		{"xy", NULL}, /* all letters wrong */
		{"", NULL},
		{"idletimeout", "idle_timeout"},
		{"idle_time", "idle_timeout"},
		{"idle", NULL},
		{"0123456789012345678901234567890123456789012345678901234567890123", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *nearest = fault_nearest(cases[i].word, words, 8);

		if (!cases[i].nearest)
			assert_null(nearest);
		else
			assert_string_equal(nearest ? nearest : "(none)", cases[i].nearest);
	}
	assert_null(fault_nearest("service", words, 0));
}

static void test_the_first_of_equally_near_words_wins(void **state)
{
	static const char *const words[] = {"cart", "card"};

	(void)state;
	assert_string_equal(fault_nearest("care", words, 2), "cart");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_gives_minus_one_and_clears_the_hint),
		cmocka_unit_test(test_nobody_needs_to_ask),
		cmocka_unit_test(test_a_fault_can_be_wrapped_in_its_own_words),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_code_names),
		cmocka_unit_test(test_code_of_errno),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_the_first_of_equally_near_words_wins),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
