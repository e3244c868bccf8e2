/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* churn_schedule: lists of changes to a pool of BACKENDS. Pure. */
#include <stdlib.h>

#include "churn.h"

static void append(struct schedule *schedule, uint32_t second, enum change_kind kind,
		   uint32_t backend)
{
	if (schedule->count == CHANGES_MAX)
		abort();
	schedule->changes[schedule->count++] = (struct change){
		.second = second, .backend = (uint16_t)backend, .kind = kind, .weight = WEIGHT};
}

void schedule_add(struct schedule *schedule)
{
	*schedule = (struct schedule){.name = "one added"};
	append(schedule, 0, CHANGE_ADD, BACKENDS + 1);
}

static int by_time(const void *a, const void *b)
{
	const struct change *left = a, *right = b;

	return left->second < right->second ? -1 : left->second > right->second;
}

void schedule_deploy(struct schedule *schedule, uint32_t backends)
{
	*schedule = (struct schedule){.name = "rolling deploy"};
	for (uint32_t i = 0; i < backends; i++) {
		append(schedule, 40 * i, CHANGE_DRAIN, i + 1);
		append(schedule, 40 * i + 300, CHANGE_DOWN, i + 1);
		append(schedule, 40 * i + 310, CHANGE_UP, i + 1);
		append(schedule, 40 * i + 325, CHANGE_READY, i + 1);
	}
	qsort(schedule->changes, schedule->count, sizeof(*schedule->changes), by_time);
}

/* ---- random ones ---- */

struct backends {
	uint64_t random;
	uint32_t made; /* indices are not given out again */
	uint32_t count, draining;
	bool exists[BACKENDS_MAX + 1], drains[BACKENDS_MAX + 1];
};

static uint32_t draw(struct backends *b, uint32_t below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (uint32_t)((b->random >> 32) * below >> 32);
}

/* Any one that exists and drains, or does not. */
static uint32_t draw_backend(struct backends *b, bool draining)
{
	for (;;) {
		uint32_t index = 1 + draw(b, b->made);

		if (b->exists[index] && b->drains[index] == draining)
			return index;
	}
}

/* Keeps the pool near its size, and most of it ready. */
static bool is_fit(const struct backends *b, enum change_kind kind)
{
	switch (kind) {
	case CHANGE_ADD:
		return b->count < BACKENDS + 10 && b->made < BACKENDS_MAX;
	case CHANGE_REMOVE:
		return b->count > BACKENDS - 10;
	case CHANGE_DRAIN:
		return b->draining < 10;
	case CHANGE_READY:
		return b->draining > 0;
	default:
		return true;
	}
}

static uint32_t carry_out(struct backends *b, enum change_kind kind)
{
	uint32_t index;

	if (kind == CHANGE_ADD) {
		b->exists[++b->made] = true;
		b->count++;
		return b->made;
	}
	index = draw_backend(b, kind == CHANGE_READY ||
					(kind == CHANGE_REMOVE && b->draining && draw(b, 2)));
	if (kind == CHANGE_REMOVE) {
		b->exists[index] = false;
		b->count--;
	}
	if (kind == CHANGE_DRAIN) {
		b->drains[index] = true;
		b->draining++;
	} else if (kind != CHANGE_WEIGHT && b->drains[index]) {
		b->drains[index] = false;
		b->draining--;
	}
	return index;
}

void schedule_random(struct schedule *schedule, const char *name, uint32_t count, uint32_t interval)
{
	static const uint8_t weights[] = {50, 100, 150, 200};
	struct backends b = {.random = 88172645463325252ULL, .made = BACKENDS, .count = BACKENDS};

	*schedule = (struct schedule){.name = name};
	for (uint32_t i = 1; i <= BACKENDS; i++)
		b.exists[i] = true;
	while (schedule->count < count) {
		enum change_kind kind = draw(&b, CHANGE_READY + 1);

		if (!is_fit(&b, kind))
			continue;
		append(schedule, interval * schedule->count, kind, carry_out(&b, kind));
		if (kind == CHANGE_WEIGHT)
			schedule->changes[schedule->count - 1].weight = weights[draw(&b, 4)];
	}
}
