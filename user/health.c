/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health: see health.h. Neighbours: a probe hands in its results through the controller, which
 * hands the judgement to the model. Must not know how a check is made, nor when.
 */
#include "health.h"

static enum health_state turn(struct health *health, enum health_state state)
{
	health_adopt(health, state);
	return state;
}

/* Every result leaves a count behind, but for those that agree with a state: so that without any
 * count, unknown means that there was no result yet. */
static bool never_judged(const struct health *health)
{
	return health->state == HEALTH_UNKNOWN && !health->good && !health->bad;
}

enum health_state health_judge(struct health *health, const struct check *check, bool good)
{
	uint32_t wanted = never_judged(health) ? 1 : check->rise;

	if (good) {
		health->bad = 0;
		if (health->state == HEALTH_UP)
			return HEALTH_UP;
		health->good++;
		return health->good >= wanted ? turn(health, HEALTH_UP) : health->state;
	}
	health->good = 0;
	if (health->state == HEALTH_DOWN)
		return HEALTH_DOWN;
	health->bad++;
	return health->bad >= check->fall ? turn(health, HEALTH_DOWN) : health->state;
}

void health_adopt(struct health *health, enum health_state state)
{
	*health = (struct health){.state = state};
}
