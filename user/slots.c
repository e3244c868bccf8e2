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

	if (!is_usable(change, fallback))
		fallback = new_owner;
	if (owner != new_owner && !changed) {
		/* Nothing can belong to an owner that is gone, so that the slot stays settled. */
		changed = is_usable(change, owner);
		fallback = changed ? owner : new_owner;
	}
	return LB_SLOT(new_owner, fallback, changed);
}

void slots_change(const uint32_t *old, const uint32_t *owners, uint32_t *words, uint32_t count,
		  slots_usable usable, const void *context)
{
	struct change change = {usable, context};

	for (uint32_t i = 0; i < count; i++) {
		words[i] = old ? changed_word(&change, old[i], owners[i])
			       : LB_SLOT(owners[i], owners[i], false);
	}
}

uint32_t slots_unsettled(const uint32_t *words, uint32_t count)
{
	uint32_t unsettled = 0;

	for (uint32_t i = 0; i < count; i++)
		unsettled += words[i] & LB_SLOT_CHANGED ? 1 : 0;
	return unsettled;
}

uint32_t slots_settled_word(uint32_t word)
{
	return LB_SLOT(LB_SLOT_OWNER(word), LB_SLOT_OWNER(word), false);
}
