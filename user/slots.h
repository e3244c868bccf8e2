/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots: how a table's slots follow a change. Pure.
 *
 * A slot (struct lb_slot_block) names an owner, where new flows go, and a fallback, where
 * established flows without an entry of their own belong. The point of the pair: a flow that a
 * backend answered keeps going there although the slot has a new owner, without an entry.
 */
#ifndef LIMPET_SLOTS_H
#define LIMPET_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"

/* True if the backend with that index may be given packets now. Index 0 is never usable. */
typedef bool (*slots_usable)(const void *context, uint32_t backend);

/*
 * From the slot words in force and Maglev's new owners (backend indices, 0: none) to new slot
 * words.
 *  - a fallback that is not usable becomes the new owner;
 *  - if the owner changes, a settled slot takes the old owner as fallback if that is usable, and is
 *    changed from now on; otherwise the new owner;
 *  - then the owner is set.
 * Indices are compared, never states. `old` NULL: a first table, all settled. `old` and `words` may
 * be the same array.
 */
void slots_change(const uint32_t *old, const uint32_t *owners, uint32_t *words, uint32_t count,
		  slots_usable usable, const void *context);

/* The number of slots that are not settled. */
uint32_t slots_unsettled(const uint32_t *words, uint32_t count);

/* The word of the same slot once everything that its fallback was kept for is over. */
uint32_t slots_settled_word(uint32_t word);

#endif
