/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* left: see left.h. Reads the tallies of the sweep, the times of slots, and how often no port was
 * free; writes the model. */
#include "left.h"

static uint64_t ticks_ms(uint32_t ticks)
{
	return ((uint64_t)ticks << 30) / 1000000;
}

/* CLOCK_REALTIME when one of the backend's flows last found no room in the flow table; 0: not
 * within the longest idle time. `began_ms`: the same moment as tick `began`. */
static uint64_t missed_ms(struct dataplane *dp, const struct pool *pool,
			  const struct backend *backend, uint32_t began, uint64_t began_ms)
{
	const struct lb_pool *entry = &dataplane_pools(dp)[pool->index];
	const uint32_t *words = dataplane_slots(dp) + LB_TABLE_BASE(entry->table);
	const struct lb_times *times = dataplane_slot_times(dp) + entry->times_base;
	uint32_t age, youngest = UINT32_MAX;

	for (uint32_t i = 0; i < LB_TABLE_SIZE(entry->table); i++) {
		if (!times[i].used || LB_SLOT_FALLBACK(words[i]) != backend->index)
			continue;
		/* A use while the sweep ran is younger than it. */
		age = (int32_t)(began - times[i].used) < 0 ? 0 : began - times[i].used;
		if (age <= entry->idle_longest && age < youngest)
			youngest = age;
	}
	return youngest == UINT32_MAX ? 0 : began_ms - ticks_ms(youngest);
}

static void report_backend(struct dataplane *dp, const struct pool *pool, struct backend *backend,
			   uint32_t began, uint64_t began_ms)
{
	const struct lb_tally *tally = &dataplane_backend_tallies(dp)[backend->index];

	backend->left_flows = tally->flows;
	backend->left_clients = tally->clients;
	backend->nat_refused = dataplane_nat_pressures(dp)[backend->index].refused;
	backend->left_missed_ms = 0;
	if (backend->admin == ADMIN_DRAIN && backend->left_slots > 0)
		backend->left_missed_ms = missed_ms(dp, pool, backend, began, began_ms);
}

void left_report(struct dataplane *dp, struct model *model, uint32_t began, uint64_t now_ms)
{
	uint64_t began_ms = now_ms - ticks_ms(dataplane_tick() - began);

	for (size_t p = 0; p < model->pool_count; p++) {
		struct pool *pool = model->pools[p];
		const struct lb_tally *tally = &dataplane_pool_tallies(dp)[pool->index];

		pool->tracked_flows = tally->flows;
		pool->clients = tally->clients;
		pool->nat_flows = tally->nat_flows;
		pool->swept_ms = began_ms;
		for (size_t b = 0; b < pool->backend_count; b++)
			report_backend(dp, pool, pool->backends[b], began, began_ms);
	}
}
