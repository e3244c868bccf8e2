/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health_round: whether to tell what checks say now, or to hear the pool's other checks first.
 * Pure: arrays in, arrays out.
 *
 * A backend that is told to be down kills its flow entries, while a pool that meets backups or
 * panic keeps what it has. When all fail together, their checks find out one after the other; told
 * one by one, most entries would be dead before panic began. So those that failed first wait for
 * the others' news: but only while that news can change what becomes of the pool, and never for
 * long. The way back is the same: when panic ends, those that are still told to be down lose their
 * entries, so that it does not end while some of them are about to come up.
 *
 * And a pool begins with all that answer, not with the first: that one's table would last for a
 * moment, but datagrams cannot tell that their flow is new, and what began in it stays with it for
 * an idle timeout. So where nobody serves, the first good news waits for those that were never
 * heard of; but not where a backend that was down comes back.
 */
#ifndef LIMPET_HEALTH_ROUND_H
#define LIMPET_HEALTH_ROUND_H

#include "model.h"

/* One backend of the pool, as what is told of it stands. */
struct round_member {
	bool wanted; /* ready, with a weight */
	bool backup;
	bool up;       /* told to be, and reachable */
	bool pending;  /* its checks say the opposite, but that is not told yet */
	bool doubtful; /* not pending, but its last check spoke against what is told */
	bool unheard;  /* no check of it ended since those of the pending ones turned */
	bool fresh;    /* what it is was never told */
	bool expected; /* fresh, and its first news, of check or next hop, is yet to come */
};

/*
 * True: wait. The members for which `hasten` is set then (there are `count` of each) had better be
 * checked at once. False: tell of all that are pending, now.
 */
bool health_round_waits(const struct round_member *members, size_t count, uint32_t panic_threshold,
			bool *hasten);

/* So long one waits at most, from the first verdict on. `fresh`: that one's. */
uint32_t health_round_patience_ms(const struct check *check, bool fresh);

#endif
