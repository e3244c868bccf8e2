/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_table: entries of single flows, in `flows_v4` and `flows_v6`. Called by pick alone, which
 * decides; this looks up, makes and refreshes.
 */
#ifndef LB_FLOW_TABLE_H
#define LB_FLOW_TABLE_H

#include "env.h"
#include "parse.h"

static __always_inline __u32 flow_tick(void)
{
	return bpf_ktime_get_coarse_ns() >> 30;
}

static __always_inline struct lb_flow *flow_find(const struct packet *packet)
{
	if (packet->family == 4)
		return bpf_map_lookup_elem(&flows_v4, &packet->flow.v4);
	return bpf_map_lookup_elem(&flows_v6, &packet->flow.v6);
}

/* Ticks without a packet after which the entry is dead. */
static __always_inline __u32 flow_idle_limit(const struct lb_flow *flow, const struct lb_pool *pool,
					     __u8 proto)
{
	if (proto == IPPROTO_UDP)
		return pool->idle_udp;
	return flow->state == LB_FLOW_OPEN ? pool->idle_tcp : pool->idle_closing;
}

/* Whether the entry still speaks for its flow. `status` is its backend's, loaded once. */
static __always_inline bool flow_live(const struct lb_flow *flow, __u32 pool_index,
				      const struct lb_pool *pool, __u8 proto, __u64 status,
				      __u32 now)
{
	/* Signed: another CPU may have stored a later tick than this one's `now`. */
	return flow->pool == pool_index && status & LB_BACKEND_USABLE &&
	       flow->incarnation == LB_STATUS_INCARNATION(status) &&
	       (__s32)(now - flow->seen) <= (__s32)flow_idle_limit(flow, pool, proto);
}

/* Stores only what differs: the line stays shared between CPUs while a flow is busy. */
static __always_inline void flow_refresh(struct lb_flow *flow, const struct packet *packet,
					 __u32 now)
{
	if (packet->closing) {
		if (flow->state != LB_FLOW_CLOSING)
			flow->state = LB_FLOW_CLOSING;
	} else if (flow->state == LB_FLOW_OPENING && !packet->syn) {
		flow->state = LB_FLOW_OPEN;
	}
	if (flow->seen != now)
		flow->seen = now;
}

/* False if there is no room. Overwrites what an earlier life of the flow left. */
static __always_inline bool flow_make(const struct packet *packet, __u32 pool_index, __u32 backend,
				      __u64 status, __u32 now)
{
	struct lb_flow flow = {
		.seen = now,
		.incarnation = LB_STATUS_INCARNATION(status),
		.backend = backend,
		.pool = pool_index,
		.state = packet->closing ? LB_FLOW_CLOSING
			 : packet->syn   ? LB_FLOW_OPENING
					 : LB_FLOW_OPEN,
	};

	if (packet->family == 4)
		return bpf_map_update_elem(&flows_v4, &packet->flow.v4, &flow, BPF_ANY) == 0;
	return bpf_map_update_elem(&flows_v6, &packet->flow.v6, &flow, BPF_ANY) == 0;
}

#endif
