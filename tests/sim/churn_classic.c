/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * churn_classic: the table that balancers keep which track every flow: when it is full, the entry
 * least lately used makes room. Exact, where the kernel's comes only near it, and with no timeout:
 * kinder than what runs. Entries are found through a hint that the caller keeps with the flow; an
 * entry that was given to another flow since does not have its number.
 */
#include <stdlib.h>

#include "churn.h"

struct entry {
	uint32_t flow, backend;
	uint32_t newer, older; /* 0: none */
};

static struct entry *entries; /* from 1 */
static uint32_t size, count, newest, oldest;

void classic_open(uint32_t wanted)
{
	size = wanted;
	count = newest = oldest = 0;
	free(entries);
	entries = calloc((size_t)size + 1, sizeof(*entries));
	if (!entries)
		abort();
}

static void leave(uint32_t at)
{
	struct entry *entry = &entries[at];

	*(entry->newer ? &entries[entry->newer].older : &newest) = entry->older;
	*(entry->older ? &entries[entry->older].newer : &oldest) = entry->newer;
}

static void lead(uint32_t at)
{
	entries[at].newer = 0;
	entries[at].older = newest;
	*(newest ? &entries[newest].newer : &oldest) = at;
	newest = at;
}

static bool is_of(uint32_t at, uint32_t flow)
{
	return at && at <= count && entries[at].flow == flow;
}

uint32_t classic_find(uint32_t flow, entry_hint hint)
{
	if (!is_of(hint, flow))
		return 0;
	leave(hint);
	lead(hint);
	return entries[hint].backend;
}

void classic_put(uint32_t flow, uint32_t backend, entry_hint *hint)
{
	uint32_t at = *hint;

	if (!size)
		return;
	if (is_of(at, flow) || count == size) {
		at = is_of(at, flow) ? at : oldest;
		leave(at);
	} else {
		at = ++count;
	}
	entries[at].flow = flow;
	entries[at].backend = backend;
	lead(at);
	*hint = at;
}

uint32_t classic_count(void)
{
	return count;
}
