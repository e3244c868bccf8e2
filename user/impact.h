/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * impact: what a change would do to a pool's table, before it is made: the table that would be
 * published, against the one in force. Pure.
 */
#ifndef LIMPET_IMPACT_H
#define LIMPET_IMPACT_H

#include "model.h"

/* What the data plane holds for a pool: slot words of backends' indices, and when what happened to
 * them. */
struct impact_table {
	const uint32_t *words; /* NULL: it holds none, and one as built from the model counts */
	const struct lb_times *times;
	uint32_t size;
	uint32_t now; /* in ticks */
};

/* Of one backend, now or then. */
struct impact_share {
	uint32_t owned;    /* slots: new flows go there */
	uint32_t belonged; /* slots whose established flows go there, if they have no entry */
};

struct impact {
	uint32_t table_size; /* of the new table */
	bool resized;        /* from another size: slots cannot be compared */
	uint32_t moved;      /* slots that get another owner: their new flows go there */
	uint32_t lost;       /* slots whose established flows without an entry lose their backend */
	uint32_t unsettled;  /* of the new table */
	uint64_t digest;     /* likewise */
	/* [table_size] of the new table: slot words that name backends by their place in the list
	 * below, counted from 1; and their times. */
	uint32_t *words;
	struct lb_times *times;
	struct impact_backend {
		const struct backend *before, *after; /* borrowed from the pools; NULL: not there */
		struct impact_share now, then;
	} * backends; /* those of `from`, then those that are new in `to` */
	size_t backend_count;
};

/* True if nothing differs that a table, or who may keep flows, is made of: then no slot moves, and
 * no table has to be built to know it. `to` as of impact_expect. */
bool impact_none(const struct pool *from, const struct pool *to);

/*
 * `from` is what runs, with its state, and `held` its table; `to` what would run, with the state it
 * would have. A backend whose address, port or mode of forwarding is another one is another
 * backend. 0, or -ENOMEM or -EINVAL. To be released with impact_destroy in any case.
 */
int impact_pool(struct impact *impact, const uint8_t seed[LB_SEED_SIZE], const struct pool *from,
		const struct pool *to, const struct impact_table *held);
void impact_destroy(struct impact *impact);

/* Gives the backends that `to` has anew the state that is to be expected: reachable, and up. */
void impact_expect(struct pool *to);

#endif
