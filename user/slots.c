/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots: see slots.h. Neighbours: maglev says who the owners are, publish writes the words, the
 * packet program (bpf/pick.h) reads them. Pure: knows backends as numbers only.
 */
#include "slots.h"

#include <stddef.h>

struct change {
	slots_usable usable;
	const void *context;
};

static bool is_usable(const struct change *change, uint32_t backend)
{
	return backend != 0 && change->usable(change->context, backend);
}

static uint32_t changed_word(const struct change *change, uint32_t word, uint32_t new_owner)
{
	uint32_t owner = LB_SLOT_OWNER(word), fallback = LB_SLOT_FALLBACK(word);
	bool changed = word & LB_SLOT_CHANGED;

	/* Until this table is in force, flows without an entry go to the owner that there was. */
	if (!is_usable(change, fallback))
		fallback = is_usable(change, owner) ? owner : new_owner;
	if (owner != new_owner && !changed) {
		/* Nothing can belong to an owner that is gone, so that the slot stays settled. */
		changed = is_usable(change, owner);
		fallback = changed ? owner : new_owner;
	}
	return LB_SLOT(new_owner, fallback, changed);
}

static void note_change(uint32_t old, uint32_t word, struct lb_times *times, uint32_t now)
{
	if (word == old)
		return;
	times->kept = now;
	if (LB_SLOT_OWNER(word) != LB_SLOT_FALLBACK(word) &&
	    (LB_SLOT_OWNER(old) == LB_SLOT_FALLBACK(old) ||
	     LB_SLOT_FALLBACK(old) != LB_SLOT_FALLBACK(word)))
		times->since = now;
}

void slots_change(const uint32_t *old, const uint32_t *owners, uint32_t *words,
		  struct lb_times *times, uint32_t now, uint32_t count, slots_usable usable,
		  const void *context)
{
	struct change change = {usable, context};

	for (uint32_t i = 0; i < count; i++) {
		words[i] = old ? changed_word(&change, old[i], owners[i])
			       : LB_SLOT(owners[i], owners[i], false);
		if (old)
			note_change(old[i], words[i], &times[i], now);
	}
}

static bool recent(uint32_t time, uint32_t now, uint32_t limit)
{
	return time && (int32_t)(now - time) <= (int32_t)limit;
}

uint32_t slots_settle(uint32_t *words, struct lb_times *times, uint32_t count, uint32_t began,
		      uint32_t now, uint32_t idle_longest)
{
	uint32_t unsettled = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t word = words[i], owner = LB_SLOT_OWNER(word);
		bool same = owner == LB_SLOT_FALLBACK(word);

		if (!(word & LB_SLOT_CHANGED))
			continue;
		unsettled++;
		if (same ? recent(times[i].kept, began, LB_SETTLED_TICKS)
			 : recent(times[i].since, began, idle_longest) ||
				    recent(times[i].used, began, idle_longest))
			continue;
		times[i].kept = now;
		__atomic_store_n(&words[i], LB_SLOT(owner, owner, !same), __ATOMIC_RELAXED);
		unsettled -= same;
	}
	return unsettled;
}

uint32_t slots_unsettled(const uint32_t *words, uint32_t count)
{
	uint32_t unsettled = 0;

	for (uint32_t i = 0; i < count; i++)
		unsettled += words[i] & LB_SLOT_CHANGED ? 1 : 0;
	return unsettled;
}
