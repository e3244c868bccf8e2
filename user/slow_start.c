/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slow_start: see slow_start.h. A few steps, because each is a new table: 20, 40, 60 and 80 percent
 * of the weight for a quarter of the time each.
 */
#include "slow_start.h"

enum { STEPS = 4, PERCENT = 100, STEP_PERCENT = PERCENT / (STEPS + 1) };

static bool anyone_served(const struct pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		if (pool->backends[i]->serves && backend_takes_new(pool, pool->backends[i]))
			return true;
	}
	return false;
}

/* When the next step is due; 0: it has its whole weight. */
static uint64_t step(const struct pool *pool, struct backend *backend, uint64_t now_ms)
{
	uint64_t each_ms = pool->slow_start_ms / STEPS;
	uint64_t done = each_ms ? (now_ms - backend->serves_since_ms) / each_ms : STEPS;

	if (!backend->held_back)
		return 0;
	if (done >= STEPS) {
		backend->held_back = 0;
		return 0;
	}
	backend->held_back = (uint8_t)(PERCENT - (done + 1) * STEP_PERCENT);
	return backend->serves_since_ms + (done + 1) * each_ms;
}

uint64_t slow_start_apply(struct pool *pool, uint64_t now_ms, bool begins)
{
	bool slowly = begins && pool->slow_start_ms && anyone_served(pool);
	uint64_t due_ms = 0;

	for (size_t i = 0; i < pool->backend_count; i++) {
		struct backend *backend = pool->backends[i];
		bool serves = backend_takes_new(pool, backend);
		uint64_t next_ms;

		if (serves && !backend->serves) {
			backend->serves_since_ms = now_ms;
			backend->held_back = slowly ? PERCENT - STEP_PERCENT : 0;
		}
		backend->serves = serves;
		if (!serves)
			backend->held_back = 0;
		next_ms = step(pool, backend, now_ms);
		if (next_ms && (!due_ms || next_ms < due_ms))
			due_ms = next_ms;
	}
	return due_ms;
}
