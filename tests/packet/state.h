/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state: what is remembered, as cases describe it: brought about before a packet or a sweep,
 * compared with what is there after it. Neighbours: run.c and run_sweep.c call it; case.h says what
 * the descriptions mean; maps.c reaches the tables.
 */
#ifndef PACKET_STATE_H
#define PACKET_STATE_H

#include "case.h"
#include "maps.h"

struct state {
	const struct maps *maps;
	const char *name; /* of the case */
	const struct subject *subject;
	const struct case_state *before;
	uint32_t tick;      /* when it was brought about */
	int stranger_count; /* entries that use up quotas */
};

/* Empties the tables and makes what `before` says, the times of all slots of the subject's pool,
 * and, for each FULL(quota) in `full`, entries of strangers until that is used up. Ends the process
 * with a message if that fails. */
void state_prepare(struct state *state, unsigned full);

/* Whether what is remembered is `expected` and nothing else but the strangers, and the usage is
 * counted right. `slot`: of the subject's flow. Prints what differs, as TAP comments; `what` names
 * the check. */
bool state_check(const struct state *state, const struct case_state *expected, uint32_t slot,
		 const char *what);

#endif
