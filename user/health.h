/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health: judges probe results. Pure: time and results are arguments; probes act, health judges.
 */
#ifndef LIMPET_HEALTH_H
#define LIMPET_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

/* What is remembered of one backend's checks. Zeroed: never checked. */
struct health {
	enum health_state state;
	uint32_t good; /* successive good results that speak against the state */
	uint32_t bad;
};

/*
 * Takes one result and returns the state after it. The first good result of a backend that was
 * never judged brings it up; after a failure it takes `rise` in a row. Up turns down after `fall`
 * bad ones in a row, and so does unknown.
 */
enum health_state health_judge(struct health *health, const struct check *check, bool good);

/* Starts from a state known from elsewhere (the maps of an earlier controller). */
void health_adopt(struct health *health, enum health_state state);

#endif
