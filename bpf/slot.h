/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot: reads a pool's table, and the times of its slots. See LB_SLOT in lb_abi.h for what a slot
 * says.
 */
#ifndef LB_SLOT_H
#define LB_SLOT_H

#include "env.h"

/* `table`: lb_pool.table as loaded once, so that base and size belong together. False if the table
 * lies outside the map. */
static __always_inline bool slot_read(__u64 table, __u32 index, __u32 *word)
{
	__u32 at = LB_TABLE_BASE(table) + index;
	__u32 block = at / LB_SLOT_BLOCK;
	const struct lb_slot_block *line = bpf_map_lookup_elem(&slots, &block);

	if (!line)
		return false;
	*word = LOAD_ONCE(line->slot[at % LB_SLOT_BLOCK]);
	return true;
}

/* NULL if the pool's times lie outside the map. */
static __always_inline struct lb_times *slot_times_of(const struct lb_pool *pool, __u32 index)
{
	__u32 at = pool->times_base + index;

	return bpf_map_lookup_elem(&slot_times, &at);
}

/* Whether it happened within the last `limit` ticks. */
static __always_inline bool time_recent(__u32 time, __u32 now, __u32 limit)
{
	return time && (__s32)(now - time) <= (__s32)limit;
}

static __always_inline void time_note(__u32 *time, __u32 now)
{
	if (!read_only && LOAD_ONCE(*time) != now)
		STORE_ONCE(*time, now);
}

#endif
