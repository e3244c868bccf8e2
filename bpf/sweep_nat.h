/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep_nat: what a sweep does with the entries of NAT flows (nat_table.h says how they hang
 * together). A flow is judged by what both of its entries say, and dies as one; then, in a pass of
 * their own, returns are looked for whose flow went to another backend.
 */
#ifndef LB_SWEEP_NAT_H
#define LB_SWEEP_NAT_H

#include "nat_table.h"
#include "sweep.h"

static __always_inline const struct lb_backend *nat_flow_backend(const struct lb_nat_flow *flow)
{
	__u32 index = LB_NAT_BACKEND(flow->to);

	return bpf_map_lookup_elem(&backends, &index);
}

/* Ticks without a packet in either direction after which the flow is dead. A flow that one side
 * alone speaks of is not open: its other packets may have been forged. */
static __always_inline __u32 nat_idle_limit(const struct lb_nat_flow *flow,
					    const struct lb_nat_return *back,
					    const struct lb_pool *pool, __u8 proto)
{
	if (proto == IPPROTO_UDP)
		return pool->idle_udp;
	return flow->state == LB_FLOW_OPEN && back && back->state == LB_FLOW_OPEN
		       ? pool->idle_tcp
		       : pool->idle_closing;
}

static __always_inline bool nat_flow_dead(const struct packet *packet,
					  const struct lb_nat_flow *flow, __u32 now)
{
	__u32 pool_index = flow->pool;
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	const struct lb_backend *backend = nat_flow_backend(flow);
	const struct lb_nat_return *back;
	__s32 limit, age = entry_age(flow->seen, now);
	union nat_key key;
	__u64 status;

	if (!pool || !backend)
		return true;
	status = LOAD_ONCE(backend->status);
	if (!(status & LB_BACKEND_USABLE) || !nat_forwards(status) ||
	    LB_NAT_INCARNATION(flow->to) != LB_STATUS_INCARNATION(status))
		return true;
	nat_key_of(&key, packet, flow, backend);
	back = nat_return_find(flow->family, &key);
	limit = nat_idle_limit(flow, back, pool, packet->proto) + DEAD_TICKS;
	return age > limit && !(back && entry_age(back->seen, now) <= limit);
}

static __always_inline void tally_nat(const struct lb_nat_flow *flow)
{
	__u32 backend = LB_NAT_BACKEND(flow->to), pool = flow->pool;
	struct lb_tally *tally = bpf_map_lookup_elem(&backend_tallies, &backend);

	if (tally)
		tally->nat_flows++;
	tally = bpf_map_lookup_elem(&pool_tallies, &pool);
	if (tally)
		tally->nat_flows++;
}

static __always_inline void nat_flow_step(const struct packet *packet, struct lb_nat_flow *flow,
					  struct lb_sweep *sweep)
{
	__u32 before = LOAD_ONCE(flow->seen);
	const struct lb_backend *backend = nat_flow_backend(flow);
	enum sweep_fate fate = before & LB_DOOMED                        ? SWEEP_DELETE
			       : nat_flow_dead(packet, flow, sweep->now) ? SWEEP_DOOM
									 : SWEEP_KEEP;
	union nat_key key;

	if (fate == SWEEP_KEEP)
		tally_nat(flow);
	if (!sweep_carry_out(fate, &flow->seen, before, sweep))
		return;
	/* Its return first: who finds the flow gone makes both anew. */
	if (backend) {
		nat_key_of(&key, packet, flow, backend);
		nat_return_delete(flow->family, &key);
	}
	if (packet->family == 4 ? bpf_map_delete_elem(&nat_flows_v4, &packet->flow.v4)
				: bpf_map_delete_elem(&nat_flows_v6, &packet->flow.v6))
		return;
	usage_less(packet->proto == IPPROTO_UDP ? LB_QUOTA_NAT_UDP : LB_QUOTA_NAT_TCP);
}

/* The flow that the return says it is of, in the shape of a packet of it. */
static __always_inline void nat_return_packet(const struct lb_nat_return *entry, __u8 proto,
					      struct packet *packet)
{
	packet->family = entry->family;
	packet->proto = proto;
	if (entry->family == 4) {
		packet->flow.v4.source = entry->client.v4;
		packet->flow.v4.destination = entry->vip.v4;
		packet->flow.v4.source_port = entry->client_port;
		packet->flow.v4.destination_port = entry->vip_port;
		packet->flow.v4.proto = proto;
	} else {
		packet->flow.v6.source = entry->client;
		packet->flow.v6.destination = entry->vip;
		packet->flow.v6.source_port = entry->client_port;
		packet->flow.v6.destination_port = entry->vip_port;
		packet->flow.v6.proto = proto;
	}
}

/* Whether the flow still sends under this tuple. */
static __always_inline bool nat_return_wanted(const struct lb_nat_return *entry, __u8 family,
					      const union nat_key *at, __u8 proto)
{
	struct packet packet = {};
	const struct lb_nat_flow *flow;
	const struct lb_backend *backend;
	union nat_key key;

	nat_return_packet(entry, proto, &packet);
	flow = nat_flow_find(&packet);
	backend = flow ? nat_flow_backend(flow) : NULL;
	if (!backend || flow->family != family)
		return false;
	nat_key_of(&key, &packet, flow, backend);
	return nat_key_same(&key, at);
}

static __always_inline void nat_return_step(__u8 family, const union nat_key *key, __u8 proto,
					    struct lb_nat_return *entry, struct lb_sweep *sweep)
{
	__u32 before = LOAD_ONCE(entry->seen);
	/* What was just made may be waiting for its flow's entry. */
	bool young = entry_age(before, sweep->now) <= DEAD_TICKS;
	enum sweep_fate fate = before & LB_DOOMED ? SWEEP_DELETE
			       : young || nat_return_wanted(entry, family, key, proto) ? SWEEP_KEEP
										       : SWEEP_DOOM;

	if (sweep_carry_out(fate, &entry->seen, before, sweep))
		nat_return_delete(family, key);
}

/* ---- for bpf_for_each_map_elem: 0 goes on ---- */

static long each_nat_flow_v4(void *map, const struct lb_flow_key_v4 *key, struct lb_nat_flow *flow,
			     struct lb_sweep *sweep)
{
	struct packet packet = {.family = 4, .proto = key->proto, .flow.v4 = *key};

	(void)map;
	nat_flow_step(&packet, flow, sweep);
	return 0;
}

static long each_nat_flow_v6(void *map, const struct lb_flow_key_v6 *key, struct lb_nat_flow *flow,
			     struct lb_sweep *sweep)
{
	struct packet packet = {.family = 6, .proto = key->proto, .flow.v6 = *key};

	(void)map;
	nat_flow_step(&packet, flow, sweep);
	return 0;
}

static long each_nat_return_v4(void *map, const struct lb_flow_key_v4 *key,
			       struct lb_nat_return *entry, struct lb_sweep *sweep)
{
	union nat_key copy = {};

	(void)map;
	copy.v4 = *key;
	nat_return_step(4, &copy, key->proto, entry, sweep);
	return 0;
}

static long each_nat_return_v6(void *map, const struct lb_flow_key_v6 *key,
			       struct lb_nat_return *entry, struct lb_sweep *sweep)
{
	union nat_key copy = {};

	(void)map;
	copy.v6 = *key;
	nat_return_step(6, &copy, key->proto, entry, sweep);
	return 0;
}

static __always_inline void sweep_nat_table(struct lb_sweep *sweep)
{
	switch (sweep->table) {
	case LB_SWEEP_NAT_FLOWS:
		bpf_for_each_map_elem(&nat_flows_v4, each_nat_flow_v4, sweep, 0);
		bpf_for_each_map_elem(&nat_flows_v6, each_nat_flow_v6, sweep, 0);
		SWEEP_APART(LB_SWEEP_NAT_FLOWS);
		break;
	case LB_SWEEP_NAT_RETURNS:
		bpf_for_each_map_elem(&nat_returns_v4, each_nat_return_v4, sweep, 0);
		bpf_for_each_map_elem(&nat_returns_v6, each_nat_return_v6, sweep, 0);
		SWEEP_APART(LB_SWEEP_NAT_RETURNS);
		break;
	}
}

#endif
