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
static const struct health_history no_history;

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
			health_adopt(&health, cases[i].from, &no_history);
		for (size_t j = 0; cases[i].results[j]; j++) {
			bool good = cases[i].results[j] == '+';

			states[j] = "?UD"[health_judge(&health, &check, good, 0)];
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
	health_judge(&health, &check, false, 0);
	health_adopt(&health, HEALTH_UP, &no_history);
	assert_int_equal(health_judge(&health, &check, false, 0), HEALTH_UP);
	health_adopt(&health, HEALTH_DOWN, &no_history);
	health_judge(&health, &check, true, 0);
	health_adopt(&health, HEALTH_DOWN, &no_history);
	assert_int_equal(health_judge(&health, &check, true, 0), HEALTH_DOWN);
	health_adopt(&health, HEALTH_UNKNOWN, &no_history);
	assert_int_equal(health_judge(&health, &check, true, 0), HEALTH_UP);
}

/* A reload may change the check while results are being counted. */
static void test_fall_made_smaller_meanwhile(void **state)
{
	const struct check patient = {.rise = 2, .fall = 10}, strict = {.rise = 2, .fall = 2};
	struct health health = {.state = HEALTH_UP};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(health_judge(&health, &patient, false, 0), HEALTH_UP);
	assert_int_equal(health_judge(&health, &strict, false, 0), HEALTH_DOWN);
}

/* One step: at that time, a good or a bad result; the state and the hold-down then. */
static const struct {
	uint64_t at_ms;
	bool good;
	char state;
	uint64_t held_until_ms;
	uint32_t short_lives;
} flapping[] = {
	/* interval 1 s: lives below 30 s are short; hold_down 4 s; rise and fall 1 */
	{1000, true, 'U', 0, 0},
	{5000, false, 'D', 0, 1}, /* once is no flapping */
	{6000, true, 'U', 0, 1},
	{8000, false, 'D', 12000, 2},
	{10000, true, 'D', 12000, 2},
	{11999, true, 'D', 12000, 2},
	{12000, true, 'U', 0, 2},
	{13000, false, 'D', 21000, 3},
	{21000, true, 'U', 0, 3},
	{22000, false, 'D', 38000, 4},
	{37000, false, 'D', 38000, 4}, /* whoever fails meanwhile */
	{38000, true, 'U', 0, 4},
	/* 30 s would do after no hold-down; 16 s of it want 32 */
	{69000, false, 'D', 101000, 5},
	{101000, true, 'U', 0, 5},
	{165000, false, 'D', 0, 0}, /* a life of 64 s */
	{166000, true, 'U', 0, 0},
	{167000, false, 'D', 0, 1},
};

static void test_hold_down(void **state)
{
	const struct check check = {
		.interval_ms = 1000, .rise = 1, .fall = 1, .hold_down_ms = 4000};
	struct health health = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(flapping) / sizeof(*flapping); i++) {
		char now =
			"?UD"[health_judge(&health, &check, flapping[i].good, flapping[i].at_ms)];

		if (now != flapping[i].state || health.held_until_ms != flapping[i].held_until_ms ||
		    health.short_lives != flapping[i].short_lives)
			fail_msg("at %u ms: %c, held until %u, %u short lives",
				 (unsigned)flapping[i].at_ms, now, (unsigned)health.held_until_ms,
				 health.short_lives);
	}
}

static void test_hold_down_has_an_end(void **state)
{
	struct check check = {.interval_ms = 1000, .rise = 1, .fall = 1, .hold_down_ms = 4000};
	struct health health = {0};
	uint64_t now_ms = 1000, hold_ms = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(health_judge(&health, &check, true, now_ms), HEALTH_UP);
		assert_int_equal(health_judge(&health, &check, false, ++now_ms), HEALTH_DOWN);
		hold_ms = health.held_until_ms ? health.held_until_ms - now_ms : 0;
		now_ms += hold_ms;
	}
	assert_int_equal(hold_ms, 32 * 4000);
	/* Without one, flapping is counted, and nothing else. */
	check.hold_down_ms = 0;
	health_judge(&health, &check, true, now_ms);
	health_judge(&health, &check, false, now_ms);
	assert_int_equal(health.held_until_ms, 0);
	check.hold_down_ms = CHECK_DERIVED;
	assert_int_equal(health_hold_down_ms(&check), 5000);
}

/* A controller goes on where the one before it was. */
static void test_history_is_adopted(void **state)
{
	const struct check check = {
		.interval_ms = 1000, .rise = 1, .fall = 1, .hold_down_ms = 4000};
	struct health_history history = {.up_since_ms = 1000, .short_lives = 1}, after;
	struct health health;

	(void)state;
	health_adopt(&health, HEALTH_UP, &history);
	assert_int_equal(health_judge(&health, &check, false, 2000), HEALTH_DOWN);
	after = health_history(&health);
	assert_int_equal(after.short_lives, 2);
	assert_int_equal(after.held_until_ms, 6000);
	assert_int_equal(after.up_since_ms, 0);
	health_adopt(&health, HEALTH_DOWN, &after);
	assert_int_equal(health_judge(&health, &check, true, 5999), HEALTH_DOWN);
	assert_int_equal(health_judge(&health, &check, true, 6000), HEALTH_UP);
	assert_int_equal(health_history(&health).up_since_ms, 6000);
}

/* A state that was taken over without one. */
static void test_an_adopted_life_is_not_short(void **state)
{
	const struct check check = {
		.interval_ms = 1000, .rise = 1, .fall = 1, .hold_down_ms = 4000};
	struct health health = {.short_lives = 7};

	(void)state;
	health_adopt(&health, HEALTH_UP, &no_history);
	health_judge(&health, &check, false, 5);
	assert_int_equal(health.short_lives, 0);
}

static void test_intervals(void **state)
{
	struct check check = {.interval_ms = 2000, .rise = 2, .fall = 2};
	struct health health = {0};

	(void)state;
	assert_int_equal(health_interval_ms(&health, &check), 500); /* unknown */
	health_judge(&health, &check, true, 1);
	assert_int_equal(health_interval_ms(&health, &check), 2000); /* up */
	health_judge(&health, &check, false, 2);
	assert_int_equal(health_interval_ms(&health, &check), 500); /* about to go down */
	health_judge(&health, &check, false, 3);
	assert_int_equal(health_interval_ms(&health, &check), 2000); /* down */
	health_judge(&health, &check, true, 4);
	assert_int_equal(health_interval_ms(&health, &check), 500); /* about to come up */
	health.held_until_ms = 10;
	assert_int_equal(health_interval_ms(&health, &check), 2000); /* but held down */
	check.fast_interval_ms = 700;
	assert_int_equal(health_fast_interval_ms(&check), 700);
	check = (struct check){.interval_ms = 20};
	assert_int_equal(health_fast_interval_ms(&check), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold_down),
		cmocka_unit_test(test_hold_down_has_an_end),
		cmocka_unit_test(test_history_is_adopted),
		cmocka_unit_test(test_an_adopted_life_is_not_short),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_results_to_states),
		cmocka_unit_test(test_adopt_forgets_counts),
		cmocka_unit_test(test_fall_made_smaller_meanwhile),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
