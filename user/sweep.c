/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sweep: see sweep.h. The judgement is that of flow_live in bpf/flow_table.h. */
#include "sweep.h"

#include <netinet/in.h>
#include <string.h>

struct sweep_state {
	const struct lb_pool *pools;
	const struct lb_backend *backends;
	const struct lb_limits *limits;
	uint64_t *tracked;
	uint32_t now;
};

static uint32_t idle_limit(const struct lb_pool *pool, const struct dataplane_flow *flow)
{
	if (flow->proto == IPPROTO_UDP)
		return pool->idle_udp;
	return flow->entry.state == LB_FLOW_OPEN ? pool->idle_tcp : pool->idle_closing;
}

static bool is_dead(void *context, const struct dataplane_flow *flow)
{
	const struct sweep_state *state = context;
	const struct lb_flow *entry = &flow->entry;
	uint64_t status;

	if (entry->pool > state->limits->services || entry->backend > state->limits->backends)
		return true;
	status = __atomic_load_n(&state->backends[entry->backend].status, __ATOMIC_RELAXED);
	/* A packet may have been seen after `now` was taken: the difference is signed. */
	if (!(status & LB_BACKEND_USABLE) || entry->incarnation != LB_STATUS_INCARNATION(status) ||
	    (int32_t)(state->now - entry->seen) >
		    (int32_t)idle_limit(&state->pools[entry->pool], flow))
		return true;
	state->tracked[entry->pool]++;
	return false;
}

int64_t sweep_run(struct dataplane *dp, uint64_t *tracked)
{
	const struct lb_limits *limits = &dataplane_settings(dp)->limits;
	struct sweep_state state = {
		.pools = dataplane_pools(dp),
		.backends = dataplane_backends(dp),
		.limits = limits,
		.tracked = tracked,
		.now = dataplane_tick(),
	};

	memset(tracked, 0, (limits->services + 1UL) * sizeof(*tracked));
	return dataplane_flows_sweep(dp, is_dead, &state);
}
