/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a change and a sweep make of a slot: a row for each clause (user/slots.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/slots.h"

enum { A = 1, B = 2, C = 3, LAST = LB_BACKENDS_MAX };
enum { SETTLED, CHANGED };

/* Backends as bits; the last index there can be is bit 0, for want of a bit of its own. */
#define USABLE(backend) (1U << ((backend) % LAST))

static bool is_usable(const void *context, uint32_t backend)
{
	const uint32_t *usable = context;

	assert_int_not_equal(backend, 0); /* "none" is not worth a question */
	return *usable & USABLE(backend);
}

static const uint32_t all = USABLE(A) | USABLE(B) | USABLE(C) | USABLE(LAST);

struct slot {
	uint32_t owner;
	uint32_t fallback;
	bool changed;
};

static const struct {
	const char *clause;
	struct slot old;
	uint32_t owner;
	uint32_t not_usable; /* bits */
	struct slot expected;
} cases[] = {
	{"nothing happens to a settled slot", {A, A, SETTLED}, A, 0, {A, A, SETTLED}},
	{"nothing happens to a changed slot", {A, B, CHANGED}, A, 0, {A, B, CHANGED}},
	{"nor if owner and fallback are the same", {A, A, CHANGED}, A, 0, {A, A, CHANGED}},

	{"settled: the old owner becomes fallback", {A, A, SETTLED}, B, 0, {B, A, CHANGED}},
	{"up to the last index", {LAST, LAST, SETTLED}, B, 0, {B, LAST, CHANGED}},
	{"up to the last index", {A, A, SETTLED}, LAST, 0, {LAST, A, CHANGED}},
	{"settled: unless it is not usable", {A, A, SETTLED}, B, USABLE(A), {B, B, SETTLED}},

	{"changed: the fallback stays, the owner is lost", {A, B, CHANGED}, C, 0, {C, B, CHANGED}},
	{"also where the owner is not usable", {A, B, CHANGED}, C, USABLE(A), {C, B, CHANGED}},
	{"back to the fallback: entries may name the other",
	 {A, B, CHANGED},
	 B,
	 0,
	 {B, B, CHANGED}},
	{"away from a changed pair of equals", {A, A, CHANGED}, B, 0, {B, A, CHANGED}},

	{"a fallback that went becomes the owner that there was",
	 {A, B, CHANGED},
	 C,
	 USABLE(B),
	 {C, A, CHANGED}},
	{"or, if that went too, the new one",
	 {A, B, CHANGED},
	 C,
	 USABLE(A) | USABLE(B),
	 {C, C, CHANGED}},
	{"even if the owner stays", {A, B, CHANGED}, A, USABLE(B), {A, A, CHANGED}},
	{"and the old owner does not take its place",
	 {A, A, CHANGED},
	 B,
	 USABLE(A),
	 {B, B, CHANGED}},
	{"indices are compared, not states: the new owner may be unusable",
	 {A, A, SETTLED},
	 B,
	 USABLE(B),
	 {B, A, CHANGED}},
	{"as may one that stays", {A, A, SETTLED}, A, USABLE(A), {A, A, SETTLED}},

	{"a pool's first backend", {0, 0, SETTLED}, A, 0, {A, A, SETTLED}},
	{"no owner left, but flows of the old one", {A, A, SETTLED}, 0, 0, {0, A, CHANGED}},
	{"no owner left and nobody usable", {A, A, SETTLED}, 0, USABLE(A), {0, 0, SETTLED}},
	{"the fallback goes too", {0, A, CHANGED}, 0, USABLE(A), {0, 0, CHANGED}},
	{"someone comes after that", {0, 0, CHANGED}, B, USABLE(A), {B, B, CHANGED}},
	{"the old owner comes back", {0, A, CHANGED}, A, 0, {A, A, CHANGED}},
};

enum { CASE_COUNT = sizeof(cases) / sizeof(*cases) };

static uint32_t word(const struct slot *slot)
{
	return LB_SLOT(slot->owner, slot->fallback, slot->changed);
}

enum { NOW = 5000, EARLIER = 7 };

/* When the owner left the fallback, if a change made it leave. */
static uint32_t expected_since(const struct slot *old, const struct slot *new)
{
	bool left = old->owner == old->fallback || old->fallback != new->fallback;

	return left && new->owner != new->fallback ? NOW : EARLIER;
}

static void test_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		uint32_t old = word(&cases[i].old), usable = all & ~cases[i].not_usable, got;
		struct lb_times times = {.since = EARLIER, .used = 1, .full = 2, .kept = EARLIER};

		slots_change(&old, &cases[i].owner, &got, &times, NOW, 1, is_usable, &usable);
		assert_int_equal(times.since, expected_since(&cases[i].old, &cases[i].expected));
		assert_int_equal(times.kept, got == old ? EARLIER : NOW);
		assert_int_equal(times.used, 1);
		assert_int_equal(times.full, 2);
		if (got != word(&cases[i].expected))
			fail_msg("%s: owner %u, fallback %u, changed %u", cases[i].clause,
				 LB_SLOT_OWNER(got), LB_SLOT_FALLBACK(got),
				 !!(got & LB_SLOT_CHANGED));
		assert_int_equal(old, word(&cases[i].old));
	}
}

/* All rows that have the same set as one table; in place. */
static void test_change_of_a_whole_table_in_place(void **state)
{
	uint32_t words[CASE_COUNT], owners[CASE_COUNT], expected[CASE_COUNT], count = 0;
	struct lb_times times[CASE_COUNT] = {0};

	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		if (cases[i].not_usable)
			continue;
		words[count] = word(&cases[i].old);
		owners[count] = cases[i].owner;
		expected[count++] = word(&cases[i].expected);
	}
	slots_change(words, owners, words, times, NOW, count, is_usable, &all);
	assert_memory_equal(words, expected, count * sizeof(*words));
	assert_true(count > 5);
}

static void test_first_table_is_settled(void **state)
{
	static const uint32_t owners[] = {A, B, 0, LAST};
	uint32_t words[4];

	(void)state;
	slots_change(NULL, owners, words, NULL, NOW, 4, is_usable, &all);
	for (int i = 0; i < 4; i++)
		assert_int_equal(words[i], LB_SLOT(owners[i], owners[i], false));
	assert_int_equal(slots_unsettled(words, 4), 0);
}

/* A backend that flaps leaves a slot as it found it, but for the bit. */
static void test_there_and_back(void **state)
{
	uint32_t slot = LB_SLOT(A, A, false), without_a = all & ~USABLE(A);
	uint32_t to_b = B, to_a = A;
	struct lb_times times = {0};

	(void)state;
	slots_change(&slot, &to_b, &slot, &times, NOW, 1, is_usable, &without_a);
	assert_int_equal(slot, LB_SLOT(B, B, false));
	slots_change(&slot, &to_a, &slot, &times, NOW, 1, is_usable, &all);
	assert_int_equal(slot, LB_SLOT(A, B, true));
	slots_change(&slot, &to_b, &slot, &times, NOW, 1, is_usable, &without_a);
	assert_int_equal(slot, LB_SLOT(B, B, true));
}

static void test_unsettled(void **state)
{
	static const uint32_t words[] = {
		LB_SLOT(A, A, false),       LB_SLOT(A, B, true), LB_SLOT(A, A, true), 0,
		LB_SLOT(LAST, LAST, false),
	};
	static const uint32_t unsettled[] = {0, 0, 1, 2, 2, 2}; /* of the first n */

	(void)state;
	for (uint32_t count = 0; count < 6; count++)
		assert_int_equal(slots_unsettled(words, count), unsettled[count]);
}

/* What a sweep makes of a slot. Ages in ticks before the sweep began; NEVER: did not happen. */
enum { IDLE = 100, NEVER = NOW };

static const struct {
	const char *name;
	struct slot before;
	uint32_t since, used, kept;
	struct slot after;
} settling[] = {
	{"a settled slot is left alone", {A, A, SETTLED}, 500, 500, 500, {A, A, SETTLED}},
	{"old flows may still come to the fallback",
	 {B, A, CHANGED},
	 100,
	 NEVER,
	 100,
	 {B, A, CHANGED}},
	{"one did", {B, A, CHANGED}, 500, 100, 500, {B, A, CHANGED}},
	{"none can, and none did", {B, A, CHANGED}, 101, 101, 101, {B, B, CHANGED}},
	{"none was ever seen", {B, A, CHANGED}, 101, NEVER, 101, {B, B, CHANGED}},
	{"a recent word does not matter to that", {B, A, CHANGED}, 101, 101, 0, {B, B, CHANGED}},
	{"nobody leads to a fallback", {0, A, CHANGED}, 101, 101, 101, {0, 0, CHANGED}},
	{"the same, and nothing names another", {A, A, CHANGED}, 3, 3, 3, {A, A, SETTLED}},
	{"an entry names another", {A, A, CHANGED}, 500, 500, 0, {A, A, CHANGED}},
	{"written too shortly before the sweep", {A, A, CHANGED}, 500, 500, 2, {A, A, CHANGED}},
	{"written during the sweep", {A, A, CHANGED}, 500, 500, (uint32_t)-1, {A, A, CHANGED}},
};

static uint32_t time_of(uint32_t age)
{
	return age == NEVER ? 0 : NOW - age;
}

static void test_settle(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(settling) / sizeof(*settling); i++) {
		uint32_t slot = word(&settling[i].before), left;
		struct lb_times times = {.since = time_of(settling[i].since),
					 .used = time_of(settling[i].used),
					 .kept = time_of(settling[i].kept)};

		left = slots_settle(&slot, &times, 1, NOW, NOW + 1, IDLE);
		if (slot != word(&settling[i].after))
			fail_msg("%s: %x", settling[i].name, slot);
		assert_int_equal(left, settling[i].after.changed);
		assert_int_equal(times.kept, slot == word(&settling[i].before)
						     ? time_of(settling[i].kept)
						     : NOW + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_change_of_a_whole_table_in_place),
		cmocka_unit_test(test_first_table_is_settled),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_unsettled),
		cmocka_unit_test(test_settle),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
