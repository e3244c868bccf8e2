/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare_memory: what the program's maps remember, held against what the model does. Of compare.c,
 * for which each check says false, with the difference told, where the two are not the same.
 */
#ifndef FUZZ_COMPARE_MEMORY_H
#define FUZZ_COMPARE_MEMORY_H

#include "compare.h"

/* Returns false, as the checks do. */
bool differs(struct difference *difference, enum aspect aspect, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool entry_check(struct run *run, bool birth, const struct model_flow *flow,
		 struct model_memory *memory, enum aspect aspect, struct difference *difference);
bool client_check(struct run *run, uint32_t pool, const struct model_address *network,
		  const struct model_memory *memory, enum aspect aspect,
		  struct difference *difference);
bool times_check(struct run *run, uint32_t pool, uint32_t slot, const struct model_memory *memory,
		 enum aspect aspect, struct difference *difference);
/* What the packet before had to do with. */
bool nat_check(struct run *run, struct model_memory *memory, struct difference *difference);
bool usage_check(struct run *run, const struct model_memory *memory, struct difference *difference);

/* Every entry that one of the two has. */
bool memory_check(struct run *run, struct difference *difference);

/* As old as it was when it was found, so many ticks later. */
void memory_shift(struct model_memory *memory, uint32_t by);

#endif
