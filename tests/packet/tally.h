/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tally: what the program has counted, and whether that is what a packet case says. Reads counters
 * and nothing else.
 */
#ifndef PACKET_TALLY_H
#define PACKET_TALLY_H

#include "case.h"
#include "world.h"

/* All that is counted. */
struct tally {
	struct lb_counter services[WORLD_SERVICES * WORLD_BACKENDS];
	struct lb_verdict_counter verdicts[LB_VERDICT_COUNT];
	uint64_t notes[LB_NOTE_COUNT];
};

/* Ends the process where they cannot be read. */
void tally_read(struct dataplane *dp, struct tally *out);

/* Whether the packet `in` of the case was counted between the two as the case says, and nothing
 * else was; what differs is printed. */
bool tally_check(const struct packet_case *row, const struct packet *in, const struct tally *before,
		 const struct tally *after);

#endif
