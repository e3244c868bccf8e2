/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* extent: see extent.h. A sorted array; there are at most some thousand runs. */
#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number of items from `base` that are really occupied: runs start at aligned places. */
static uint64_t extent_end(const struct extents *extents, const struct extent *item)
{
	uint64_t mask = extents->alignment ? extents->alignment - 1 : 0;

	return ((uint64_t)item->base + item->count + mask) & ~mask;
}

static int extent_insert(struct extents *extents, size_t at, uint32_t base, uint32_t count)
{
	struct extent *items = realloc(extents->items, (extents->item_count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	extents->items = items;
	memmove(&items[at + 1], &items[at], (extents->item_count - at) * sizeof(*items));
	items[at] = (struct extent){.base = base, .count = count};
	extents->item_count++;
	return 0;
}

int extent_take(struct extents *extents, uint32_t count, uint32_t *base)
{
	uint64_t free_from = 0, free_without_quarantine = 0;
	bool quarantine_would_do = false;
	size_t at;

	for (at = 0; at <= extents->item_count; at++) {
		const struct extent *next = at < extents->item_count ? &extents->items[at] : NULL;
		uint64_t limit = next ? next->base : extents->capacity;

		if (free_from + count <= limit) {
			*base = free_from;
			return extent_insert(extents, at, free_from, count);
		}
		if (free_without_quarantine + count <= limit)
			quarantine_would_do = true;
		if (!next)
			break;
		free_from = extent_end(extents, next);
		if (!next->quarantined)
			free_without_quarantine = free_from;
	}
	return quarantine_would_do ? -EAGAIN : -ENOSPC;
}

int extent_claim(struct extents *extents, uint32_t base, uint32_t count)
{
	size_t at = 0;

	if ((uint64_t)base + count > extents->capacity)
		return -ERANGE;
	while (at < extents->item_count && extents->items[at].base < base)
		at++;
	if (at > 0 && extent_end(extents, &extents->items[at - 1]) > base)
		return -EEXIST;
	if (at < extents->item_count && extents->items[at].base < (uint64_t)base + count)
		return -EEXIST;
	return extent_insert(extents, at, base, count);
}

int extent_release(struct extents *extents, uint32_t base)
{
	for (size_t i = 0; i < extents->item_count; i++) {
		if (extents->items[i].base == base && !extents->items[i].quarantined) {
			extents->items[i].quarantined = extents->sealed + 1;
			return 0;
		}
	}
	return -ENOENT;
}

static void reclaim_until(struct extents *extents, uint32_t epoch)
{
	size_t kept = 0;

	for (size_t i = 0; i < extents->item_count; i++) {
		const struct extent *item = &extents->items[i];

		if (!item->quarantined || item->quarantined > epoch)
			extents->items[kept++] = *item;
	}
	extents->item_count = kept;
}

void extent_reclaim(struct extents *extents)
{
	reclaim_until(extents, UINT32_MAX);
}

bool extent_seal(struct extents *extents)
{
	bool any = false;

	for (size_t i = 0; i < extents->item_count && !any; i++)
		any = extents->items[i].quarantined != 0;
	extents->sealed += any;
	return any;
}

void extent_reclaim_sealed(struct extents *extents)
{
	reclaim_until(extents, extents->sealed);
}

void extent_destroy(struct extents *extents)
{
	free(extents->items);
	extents->items = NULL;
	extents->item_count = 0;
}
