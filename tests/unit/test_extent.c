/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs in a flat array: sequences of operations as data (user/extent.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/extent.h"

enum operation { END, TAKE, CLAIM, RELEASE, RECLAIM, SEAL, RECLAIM_SEALED };

struct step {
	enum operation operation;
	uint32_t base; /* of TAKE: the expected one */
	uint32_t count;
	int result;
};

static const struct {
	const char *name;
	uint32_t capacity;
	uint32_t alignment;
	struct step steps[13];
} cases[] = {
	{"runs follow each other",
	 100,
	 1,
	 {{TAKE, 0, 10, 0}, {TAKE, 10, 10, 0}, {TAKE, 20, 80, 0}}},
	{"a run starts at an aligned place",
	 64,
	 16,
	 {{TAKE, 0, 17, 0}, {TAKE, 32, 5, 0}, {TAKE, 48, 16, 0}, {TAKE, 0, 1, -ENOSPC}}},
	{"too large is refused", 100, 1, {{TAKE, 0, 101, -ENOSPC}}},
	{"all of it is not", 100, 1, {{TAKE, 0, 100, 0}}},
	{"a released run is not given again before it is reclaimed",
	 30,
	 1,
	 {{TAKE, 0, 10, 0},
	  {TAKE, 10, 10, 0},
	  {RELEASE, 0, 0, 0},
	  {TAKE, 20, 10, 0},
	  {TAKE, 0, 10, -EAGAIN},
	  {RECLAIM, 0, 0, 0},
	  {TAKE, 0, 10, 0}}},
	{"neighbours in quarantine count as one hole",
	 30,
	 1,
	 {{TAKE, 0, 10, 0},
	  {TAKE, 10, 10, 0},
	  {TAKE, 20, 10, 0},
	  {RELEASE, 0, 0, 0},
	  {RELEASE, 10, 0, 0},
	  {TAKE, 0, 20, -EAGAIN},
	  {TAKE, 0, 21, -ENOSPC},
	  {RECLAIM, 0, 0, 0},
	  {TAKE, 0, 20, 0}}},
	{"only what was sealed is free when its grace period is over",
	 20,
	 1,
	 {{SEAL, 0, 0, 0},
	  {TAKE, 0, 10, 0},
	  {TAKE, 10, 10, 0},
	  {RELEASE, 0, 0, 0},
	  {SEAL, 0, 0, 1},
	  {RELEASE, 10, 0, 0},
	  {RECLAIM_SEALED, 0, 0, 0},
	  {TAKE, 0, 10, 0},
	  {TAKE, 0, 10, -EAGAIN},
	  {SEAL, 0, 0, 1},
	  {RECLAIM_SEALED, 0, 0, 0},
	  {TAKE, 10, 10, 0}}},
	{"the lowest hole that fits",
	 100,
	 1,
	 {{CLAIM, 10, 10, 0}, {CLAIM, 40, 10, 0}, {TAKE, 20, 15, 0}, {TAKE, 0, 10, 0}}},
	{"claims do not overlap",
	 100,
	 1,
	 {{CLAIM, 10, 10, 0},
	  {CLAIM, 19, 5, -EEXIST},
	  {CLAIM, 5, 6, -EEXIST},
	  {CLAIM, 10, 1, -EEXIST},
	  {CLAIM, 20, 5, 0},
	  {CLAIM, 5, 5, 0}}},
	{"claims stay inside", 100, 1, {{CLAIM, 95, 6, -ERANGE}, {CLAIM, UINT32_MAX, 2, -ERANGE}}},
	{"only what is held can be released",
	 100,
	 1,
	 {{RELEASE, 0, 0, -ENOENT},
	  {TAKE, 0, 10, 0},
	  {RELEASE, 0, 0, 0},
	  {RELEASE, 0, 0, -ENOENT}}},
};

static int run(struct extents *extents, const struct step *step)
{
	uint32_t base = UINT32_MAX;
	int result = 0;

	switch (step->operation) {
	case TAKE:
		result = extent_take(extents, step->count, &base);
		if (!result)
			assert_int_equal(base, step->base);
		break;
	case CLAIM:
		result = extent_claim(extents, step->base, step->count);
		break;
	case RELEASE:
		result = extent_release(extents, step->base);
		break;
	case SEAL:
		result = extent_seal(extents);
		break;
	case RECLAIM_SEALED:
		extent_reclaim_sealed(extents);
		break;
	default:
		extent_reclaim(extents);
	}
	return result;
}

static void test_sequences(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct extents extents = {.capacity = cases[i].capacity,
					  .alignment = cases[i].alignment};

		for (const struct step *step = cases[i].steps; step->operation; step++) {
			int result = run(&extents, step);

			if (result != step->result)
				fail_msg("%s: step %td: %d, expected %d", cases[i].name,
					 step - cases[i].steps, result, step->result);
		}
		extent_destroy(&extents);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences)};

	return cmocka_run_group_tests_name("extent", tests, NULL, NULL);
}
