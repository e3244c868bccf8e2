/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What gets into the log, and how often (user/log.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/log.h"
#include "capture.h"

static void test_levels_for_the_journal(void **state)
{
	static const struct {
		enum log_level level;
		const char *text;
	} cases[] = {
		{LOG_LEVEL_ERR, "<3>a\n"},
		{LOG_LEVEL_WARN, "<3>a\n<4>b\n"},
		{LOG_LEVEL_INFO, "<3>a\n<4>b\n<6>c\n"},
		{LOG_LEVEL_DEBUG, "<3>a\n<4>b\n<6>c\n<7>d 1\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture capture = capture_begin();
		char text[256];

		log_init(cases[i].level, true);
		log_err("a");
		log_warn("b");
		log_info("c");
		log_debug("d %d", 1);
		capture_end(&capture, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_time_and_level_for_people(void **state)
{
	struct capture capture = capture_begin();
	char text[256], *rest = text;

	(void)state;
	log_init(LOG_LEVEL_INFO, false);
	log_warn("backend web/web1: no route");
	capture_end(&capture, text, sizeof(text));
	for (const char *shape = "0000-00-00T00:00:00.000Z"; *shape; shape++, rest++) {
		if (*shape == '0')
			assert_in_range(*rest, '0', '9');
		else
			assert_int_equal(*rest, *shape);
	}
	assert_string_equal(rest, " warn: backend web/web1: no route\n");
}

static void test_a_message_cannot_pass_for_another_line(void **state)
{
	static const struct {
		const char *message;
		const char *text;
	} cases[] = {
		{"name 'a\n<3>forged'", "<6>name 'a\n<6>  <3>forged'\n"},
		{"carriage\rreturn", "<6>carriage?return\n"},
		{"escape \033[2J", "<6>escape ?[2J\n"},
		{"\177\t.", "<6>?\t.\n"},
		{"ends with one\n", "<6>ends with one\n"},
		{"one\n\ntwo", "<6>one\n<6>  \n<6>  two\n"},
		{"\303\274 stays", "<6>\303\274 stays\n"},
		{"", "<6>\n"},
	};

	(void)state;
	log_init(LOG_LEVEL_INFO, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture capture = capture_begin();
		char text[256];

		log_info("%s", cases[i].message);
		capture_end(&capture, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_long_messages_are_whole(void **state)
{
	enum { SIZE = 100000 };
	struct capture capture = capture_begin();
	static char message[SIZE], text[SIZE + 10];

	(void)state;
	log_init(LOG_LEVEL_INFO, true);
	memset(message, 'x', SIZE - 1);
	log_info("%s", message);
	capture_end(&capture, text, sizeof(text));
	assert_int_equal(strlen(text), SIZE - 1 + strlen("<6>\n"));
}

static void test_limit(void **state)
{
	/* A burst of two, one more per second. */
	static const struct {
		uint64_t at_ms;
		bool allowed;
		uint32_t suppressed;
	} cases[] = {
		{5000, true, 0},  {5000, true, 0},  {5000, false, 0},
		{5999, false, 0}, {6000, true, 2},  {6100, false, 0},
		{6999, false, 0}, {7500, true, 2},  {7999, false, 0},
		{8000, true, 1}, /* from 5 s on: what is left of an interval counts */
		{60000, true, 0}, {60000, true, 0}, {60000, false, 0},
		{3000, false, 0}, /* the clock was set back ... */
		{4000, true, 2},  /* ... which costs one interval, not 57 s */
		{4000, false, 0},
	};
	struct log_limit limit = {.burst = 2, .interval_ms = 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t suppressed = 99;

		assert_int_equal(log_allowed(&limit, cases[i].at_ms, &suppressed),
				 cases[i].allowed);
		assert_int_equal(suppressed, cases[i].suppressed);
	}
}

static void test_no_interval_is_no_limit(void **state)
{
	struct log_limit limit = {.burst = 1};
	uint32_t suppressed;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_allowed(&limit, 1, &suppressed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_for_the_journal),
		cmocka_unit_test(test_time_and_level_for_people),
		cmocka_unit_test(test_a_message_cannot_pass_for_another_line),
		cmocka_unit_test(test_long_messages_are_whole),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_no_interval_is_no_limit),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
