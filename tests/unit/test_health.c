/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Results of checks in, states out (user/health.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/health.h"

/* Results: + good, - bad. States after each: ? unknown, U up, D down. */
static const struct {
	const char *what;
	uint32_t rise, fall;
	enum health_state from;
	const char *results;
	const char *states;
} cases[] = {
	{"the first good result is enough", 2, 3, HEALTH_UNKNOWN, "++", "UU"},
	{"whatever rise is", 10, 3, HEALTH_UNKNOWN, "+", "U"},
	{"after a failure it takes rise", 2, 3, HEALTH_UNKNOWN, "-++", "??U"},
	{"in a row", 3, 3, HEALTH_UNKNOWN, "-++-+++", "??????U"},
	{"unknown goes down like up", 2, 3, HEALTH_UNKNOWN, "---", "??D"},
	{"but only in a row", 3, 2, HEALTH_UNKNOWN, "-+-+--", "?????D"},

	{"up stays up short of fall", 2, 3, HEALTH_UP, "--+--+", "UUUUUU"},
	{"up turns down after fall", 2, 3, HEALTH_UP, "--+---", "UUUUUD"},
	{"at once with fall 1", 2, 1, HEALTH_UP, "-", "D"},

	{"down stays down short of rise", 3, 3, HEALTH_DOWN, "++-++-", "DDDDDD"},
	{"down turns up after rise", 3, 3, HEALTH_DOWN, "++-+++", "DDDDDU"},
	{"at once with rise 1", 1, 3, HEALTH_DOWN, "+", "U"},

	{"there and back", 2, 2, HEALTH_UNKNOWN, "+--++--++", "UUDDUUDDU"},
	{"counts begin anew with a state", 2, 3, HEALTH_UP, "-----++---", "UUDDDDUUUD"},
	{"alternating changes nothing", 2, 2, HEALTH_UP, "-+-+-+-+", "UUUUUUUU"},
	{"alternating changes nothing", 2, 2, HEALTH_DOWN, "+-+-+-+-", "DDDDDDDD"},
};

static void test_results_to_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct check check = {.rise = cases[i].rise, .fall = cases[i].fall};
		struct health health = {0};
		char states[16] = "";

		if (cases[i].from != HEALTH_UNKNOWN)
			health_adopt(&health, cases[i].from);
		for (size_t j = 0; cases[i].results[j]; j++) {
			bool good = cases[i].results[j] == '+';

			states[j] = "?UD"[health_judge(&health, &check, good)];
			assert_int_equal("?UD"[health.state], states[j]);
		}
		if (strcmp(states, cases[i].states) != 0)
			fail_msg("%s: %s gives %s", cases[i].what, cases[i].results, states);
	}
}

/* What was counted before does not count for the state that is taken over. */
static void test_adopt_forgets_counts(void **state)
{
	const struct check check = {.rise = 2, .fall = 2};
	struct health health = {0};

	(void)state;
	health_judge(&health, &check, false);
	health_adopt(&health, HEALTH_UP);
	assert_int_equal(health_judge(&health, &check, false), HEALTH_UP);
	health_adopt(&health, HEALTH_DOWN);
	health_judge(&health, &check, true);
	health_adopt(&health, HEALTH_DOWN);
	assert_int_equal(health_judge(&health, &check, true), HEALTH_DOWN);
	health_adopt(&health, HEALTH_UNKNOWN);
	assert_int_equal(health_judge(&health, &check, true), HEALTH_UP);
}

/* A reload may change the check while results are being counted. */
static void test_fall_made_smaller_meanwhile(void **state)
{
	const struct check patient = {.rise = 2, .fall = 10}, strict = {.rise = 2, .fall = 2};
	struct health health = {.state = HEALTH_UP};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(health_judge(&health, &patient, false), HEALTH_UP);
	assert_int_equal(health_judge(&health, &strict, false), HEALTH_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results_to_states),
		cmocka_unit_test(test_adopt_forgets_counts),
		cmocka_unit_test(test_fall_made_smaller_meanwhile),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
