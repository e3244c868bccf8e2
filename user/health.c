/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health: see health.h. Neighbours: a probe hands in its results through the controller, which
 * hands the judgement to the model. Must not know how a check is made, nor when.
 */
#include "health.h"

enum {
	FAST_SHARE = 4,     /* of the interval, where fast_interval is not given */
	HOLD_INTERVALS = 5, /* where hold_down is not given */
	HOLD_DOUBLINGS = 5,
	SHORT_LIFE_INTERVALS = 30,
	INTERVAL_MIN_MS = 10,
};

uint32_t health_fast_interval_ms(const struct check *check)
{
	uint32_t derived = check->interval_ms / FAST_SHARE;

	if (check->fast_interval_ms)
		return check->fast_interval_ms;
	return derived > INTERVAL_MIN_MS ? derived : INTERVAL_MIN_MS;
}

uint32_t health_interval_ms(const struct health *health, const struct check *check)
{
	/* Held down, it has been decided for a while. */
	if (health->held_until_ms && !health->bad)
		return check->interval_ms;
	return health->state == HEALTH_UNKNOWN || health->good || health->bad
		       ? health_fast_interval_ms(check)
		       : check->interval_ms;
}

uint32_t health_hold_down_ms(const struct check *check)
{
	uint64_t derived = (uint64_t)check->interval_ms * HOLD_INTERVALS;

	if (check->hold_down_ms != CHECK_DERIVED)
		return check->hold_down_ms;
	return derived < CHECK_DERIVED ? (uint32_t)derived : CHECK_DERIVED;
}

/* The hold-down that so many short lives in a row earn. */
static uint64_t hold_ms(const struct check *check, uint32_t short_lives)
{
	uint32_t doublings = short_lives > HOLD_DOUBLINGS + 2 ? HOLD_DOUBLINGS : short_lives - 2;

	return short_lives < 2 ? 0 : (uint64_t)health_hold_down_ms(check) << doublings;
}

static enum health_state come_up(struct health *health, uint64_t now_ms)
{
	health->state = HEALTH_UP;
	health->good = health->bad = 0;
	health->up_since_ms = now_ms;
	health->held_until_ms = 0;
	return HEALTH_UP;
}

static enum health_state go_down(struct health *health, const struct check *check, uint64_t now_ms)
{
	uint64_t lifetime_ms = (uint64_t)check->interval_ms * SHORT_LIFE_INTERVALS;
	uint64_t hold = hold_ms(check, health->short_lives);

	/* Who was held for long has to prove itself for longer. */
	if (lifetime_ms < 2 * hold)
		lifetime_ms = 2 * hold;
	if (health->up_since_ms && now_ms - health->up_since_ms < lifetime_ms)
		health->short_lives++;
	else
		health->short_lives = 0;
	hold = hold_ms(check, health->short_lives);
	health->held_until_ms = hold ? now_ms + hold : 0;
	health->state = HEALTH_DOWN;
	health->good = health->bad = 0;
	health->up_since_ms = 0;
	return HEALTH_DOWN;
}

/* Every result leaves a count behind, but for those that agree with a state: so that without any
 * count, unknown means that there was no result yet. */
static bool never_judged(const struct health *health)
{
	return health->state == HEALTH_UNKNOWN && !health->good && !health->bad;
}

enum health_state health_judge(struct health *health, const struct check *check, bool good,
			       uint64_t now_ms)
{
	uint32_t wanted = never_judged(health) ? 1 : check->rise;

	if (good) {
		health->bad = 0;
		if (health->state == HEALTH_UP)
			return HEALTH_UP;
		health->good++;
		return health->good >= wanted && now_ms >= health->held_until_ms
			       ? come_up(health, now_ms)
			       : health->state;
	}
	health->good = 0;
	if (health->state == HEALTH_DOWN)
		return HEALTH_DOWN;
	health->bad++;
	return health->bad >= check->fall ? go_down(health, check, now_ms) : health->state;
}

void health_adopt(struct health *health, enum health_state state,
		  const struct health_history *history)
{
	*health = (struct health){.state = state, .short_lives = history->short_lives};
	if (state == HEALTH_UP)
		health->up_since_ms = history->up_since_ms;
	if (state == HEALTH_DOWN)
		health->held_until_ms = history->held_until_ms;
}

struct health_history health_history(const struct health *health)
{
	return (struct health_history){.up_since_ms = health->up_since_ms,
				       .held_until_ms = health->held_until_ms,
				       .short_lives = health->short_lives};
}
