/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * impact: what a change would do to a pool's table, before it is made: how many slots get another
 * owner, and how many of those lose the one that their flows are on. Pure.
 */
#ifndef LIMPET_IMPACT_H
#define LIMPET_IMPACT_H

#include "model.h"

/* `from` is what runs, with its state; `to` what would, with the state it would have. */
struct impact {
	uint32_t table_size; /* of `to` */
	bool resized;        /* another size: slots cannot be compared */
	uint32_t moved;      /* slots that get another owner: their new flows go there */
	uint32_t lost;       /* of these, those whose owner is not usable then: all flows go */
	struct impact_backend {
		const char *name; /* borrowed from the pools */
		uint32_t before, after;
	} * backends; /* those of `from`, then those that are new in `to` */
	size_t backend_count;
};

/* 0, or -ENOMEM or -EINVAL. To be released with impact_destroy in any case. */
int impact_pool(struct impact *impact, const uint8_t seed[LB_SEED_SIZE], const struct pool *from,
		const struct pool *to);
void impact_destroy(struct impact *impact);

/* Gives the backends that `to` has anew the state that is to be expected: reachable, and up. */
void impact_expect(struct pool *to);

#endif
