/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a change makes of a slot: a row for each clause (user/slots.h). */
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

	{"a fallback that went becomes the new owner",
	 {A, B, CHANGED},
	 C,
	 USABLE(B),
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

static void test_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		uint32_t old = word(&cases[i].old), usable = all & ~cases[i].not_usable, got;

		slots_change(&old, &cases[i].owner, &got, 1, is_usable, &usable);
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

	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		if (cases[i].not_usable)
			continue;
		words[count] = word(&cases[i].old);
		owners[count] = cases[i].owner;
		expected[count++] = word(&cases[i].expected);
	}
	slots_change(words, owners, words, count, is_usable, &all);
	assert_memory_equal(words, expected, count * sizeof(*words));
	assert_true(count > 5);
}

static void test_first_table_is_settled(void **state)
{
	static const uint32_t owners[] = {A, B, 0, LAST};
	uint32_t words[4];

	(void)state;
	slots_change(NULL, owners, words, 4, is_usable, &all);
	for (int i = 0; i < 4; i++)
		assert_int_equal(words[i], LB_SLOT(owners[i], owners[i], false));
	assert_int_equal(slots_unsettled(words, 4), 0);
}

/* A backend that flaps leaves a slot as it found it, but for the bit. */
static void test_there_and_back(void **state)
{
	uint32_t slot = LB_SLOT(A, A, false), without_a = all & ~USABLE(A);
	uint32_t to_b = B, to_a = A;

	(void)state;
	slots_change(&slot, &to_b, &slot, 1, is_usable, &without_a);
	assert_int_equal(slot, LB_SLOT(B, B, false));
	slots_change(&slot, &to_a, &slot, 1, is_usable, &all);
	assert_int_equal(slot, LB_SLOT(A, B, true));
	slots_change(&slot, &to_b, &slot, 1, is_usable, &without_a);
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

static void test_settled_word(void **state)
{
	static const struct {
		uint32_t word, settled;
	} rows[] = {
		{LB_SLOT(A, B, true), LB_SLOT(A, A, false)},
		{LB_SLOT(A, A, true), LB_SLOT(A, A, false)},
		{LB_SLOT(A, A, false), LB_SLOT(A, A, false)},
		{LB_SLOT(0, A, true), LB_SLOT(0, 0, false)},
		{LB_SLOT(LAST, A, true), LB_SLOT(LAST, LAST, false)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(slots_settled_word(rows[i].word), rows[i].settled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_change_of_a_whole_table_in_place),
		cmocka_unit_test(test_first_table_is_settled),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_unsettled),
		cmocka_unit_test(test_settled_word),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
