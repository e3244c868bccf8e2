/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * extent: who holds which run of a flat array (slots of tables, counters of services). Pure.
 *
 * First fit, lowest address first. A run that was released may still be in use by packets under
 * way: it is quarantined until extent_reclaim says that those are through.
 */
#ifndef LIMPET_EXTENT_H
#define LIMPET_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint32_t base;
	uint32_t count;
	uint32_t quarantined; /* the epoch in which it was released; 0: it is in use */
};

/* Zeroed but for `capacity` and `alignment` (a power of two): an empty array. */
struct extents {
	uint32_t capacity;
	uint32_t alignment;
	struct extent *items; /* ordered by base */
	size_t item_count;
	uint32_t sealed; /* epochs that are over */
};

/* A free run of `count` items, 0, or -ENOSPC or -ENOMEM. Where only quarantined room is left,
 * -EAGAIN: wait for a grace period, reclaim, and ask again. */
int extent_take(struct extents *extents, uint32_t count, uint32_t *base);

/* Notes a run that is in use already: 0, -EEXIST if it overlaps another, -ERANGE, or -ENOMEM. */
int extent_claim(struct extents *extents, uint32_t base, uint32_t count);

/* Releases the run that starts at `base` into quarantine; -ENOENT if there is none. */
int extent_release(struct extents *extents, uint32_t base);

/* Quarantined runs are free from now on. */
void extent_reclaim(struct extents *extents);

/* The same for a grace period that somebody else waits for: before it begins, what is in quarantine
 * is sealed, and when it is over, what was sealed is free. Returns whether there is anything. */
bool extent_seal(struct extents *extents);
void extent_reclaim_sealed(struct extents *extents);

void extent_destroy(struct extents *extents);

#endif
