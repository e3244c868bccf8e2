/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot: reads a pool's table. See LB_SLOT in lb_abi.h for what a slot says.
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

#endif
