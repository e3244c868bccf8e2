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
 * words, and their times.
 *  - a fallback that is not usable becomes the old owner, if that is usable, else the new one;
 *  - if the owner changes, a settled slot takes the old owner as fallback if that is usable, and is
 *    changed from now on; otherwise the new owner;
 *  - `since` is set when the owner leaves the fallback, or another fallback comes, and not at later
 *    changes;
 *  - then the owner is set, and `kept` if the word is another one.
 * Indices are compared, never states. `now`: in ticks. `old` NULL: a first table, all settled.
 * `owners` and `words` may be the same array.
 */
void slots_change(const uint32_t *old, const uint32_t *owners, uint32_t *words,
		  struct lb_times *times, uint32_t now, uint32_t count, slots_usable usable,
		  const void *context);

/*
 * At tick `now`, after a complete sweep that began at tick `began` and set `kept` of the slots of
 * which an entry names another backend than the owner:
 *  - where the owner left the fallback, and where an unrecorded flow was last seen there, longer
 *    than `idle_longest` ago: the owner becomes the fallback;
 *  - where they are the same, and neither the word was written nor such an entry read since before
 *    the sweep: settled.
 * Words are stored one by one, each whole. Returns how many slots are not settled.
 */
uint32_t slots_settle(uint32_t *words, struct lb_times *times, uint32_t count, uint32_t began,
		      uint32_t now, uint32_t idle_longest);

/* The number of slots that are not settled. */
uint32_t slots_unsettled(const uint32_t *words, uint32_t count);

#endif
