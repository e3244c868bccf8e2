/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health: judges probe results. Pure: time and results are arguments; probes act, health judges.
 */
#ifndef LIMPET_HEALTH_H
#define LIMPET_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

/* What is remembered of one backend's checks. Zeroed: never checked. Times are of any clock that
 * does not jump; 0 in them: none. */
struct health {
	enum health_state state;
	uint32_t good; /* successive good results that speak against the state */
	uint32_t bad;
	uint64_t up_since_ms;
	uint64_t held_until_ms; /* it stays down until then */
	uint32_t short_lives;   /* successive times that it went down soon after it came up */
};

/*
 * Takes one result and returns the state after it. The first good result of a backend that was
 * never judged brings it up; after a failure it takes `rise` in a row. Up turns down after `fall`
 * bad ones in a row, and so does unknown.
 *
 * A backend that flaps is held down: from its second short life in a row on, it comes up no sooner
 * than after the check's hold_down, and that is doubled each time.
 */
enum health_state health_judge(struct health *health, const struct check *check, bool good,
			       uint64_t now_ms);

/* Starts from a state known from elsewhere (the maps of an earlier controller), and from what was
 * before it, whose times are of the same clock as health_judge's. */
void health_adopt(struct health *health, enum health_state state,
		  const struct health_history *history);
struct health_history health_history(const struct health *health);

/* From one check's start to the next one's: shorter while results speak against the state. */
uint32_t health_interval_ms(const struct health *health, const struct check *check);
uint32_t health_fast_interval_ms(const struct check *check);

/* The first hold-down; 0: there is none. */
uint32_t health_hold_down_ms(const struct check *check);

#endif
