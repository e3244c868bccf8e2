/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * drain: when a drain is over, and whether anything is left of it. Pure: the time is an argument.
 */
#ifndef LIMPET_DRAIN_H
#define LIMPET_DRAIN_H

#include "model.h"

enum {
	/* A flow that sends nothing is not known to be there: so long a drain listens before it
	 * says that no flow is left. */
	DRAIN_LISTEN_MS = 30 * 1000,
};

/*
 * Ends the drains whose deadline has passed, and logs it: their backends are not usable any more.
 * Returns true if there was one, so that it is to be published. `*next_ms` becomes the nearest
 * deadline to come; 0: none. All CLOCK_REALTIME.
 */
bool drain_judge(struct model *model, uint64_t now_ms, uint64_t *next_ms);

/*
 * True if no flow (and, where clients may come back, no client) is left: nothing belongs to the
 * backend any more, or a sweep that began long enough after the drain did found none. False for one
 * that does not drain. `swept_ms`: CLOCK_REALTIME when the last sweep began; 0: none yet.
 */
bool drain_done(const struct pool *pool, const struct backend *backend, uint64_t swept_ms);

#endif
