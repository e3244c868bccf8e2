/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * admit: whether a service takes a packet from that source: its allow and deny lists, and the limit
 * of new flows. Reads `sources_v4`, `sources_v6` and `new_flow_limits`, and keeps `openers`.
 *
 * Packets of services that have none of them pay for a test of a word that is read anyway.
 */
#ifndef LB_ADMIT_H
#define LB_ADMIT_H

#include "env.h"
#include "flow_table.h"
#include "parse.h"

enum { ADMIT_TRIES = 4 };

/* The longest prefix that has the source, of both lists together, decides. */
static __always_inline bool source_denied(const struct packet *packet, __u32 service, __u32 flags)
{
	const __u32 *rule;

	if (packet->family == 4) {
		struct lb_source_key_v4 key = {.prefix_length = LB_SOURCE_LENGTH(32),
					       .service = service,
					       .address = packet->flow.v4.source};
		rule = bpf_map_lookup_elem(&sources_v4, &key);
	} else {
		struct lb_source_key_v6 key = {.prefix_length = LB_SOURCE_LENGTH(128),
					       .service = service,
					       .address = packet->flow.v6.source};
		rule = bpf_map_lookup_elem(&sources_v6, &key);
	}
	return rule ? *rule == LB_SOURCE_DENY : flags & LB_SERVICE_ALLOWED_ONLY;
}

/* A SYN; of UDP the first packet of a flow, where every flow has an entry. */
static __always_inline bool opens_flow(const struct packet *packet, __u32 pool_index)
{
	const struct lb_pool *pool;

	if (packet->proto != IPPROTO_UDP || packet->quoted)
		return packet->syn;
	pool = bpf_map_lookup_elem(&pools, &pool_index);
	return pool && pool->flags & LB_POOL_TRACK_ALWAYS && !birth_find(packet) &&
	       !flow_find(packet);
}

static __always_inline void opener_key_fill(const struct packet *packet, __u32 service,
					    const struct lb_new_flow_limit *limit,
					    struct lb_opener_key *key)
{
	key->service = service;
	key->family = packet->family;
	if (packet->family == 4) {
		key->source.v4 = packet->flow.v4.source & limit->mask_v4;
		return;
	}
	for (int i = 0; i < 4; i++)
		key->source.v6[i] = packet->flow.v6.source.v6[i] & limit->mask_v6.v6[i];
}

/*
 * A bucket of `burst` flows as one word: the time at which it is full again. A flow moves that by
 * the time in which one flow comes back, and has no room if it would then be further away than a
 * whole bucket takes. Where other CPUs are faster each time, there is a flood, and the flow is
 * refused.
 */
static __always_inline bool flow_over_limit(const struct packet *packet, __u32 service)
{
	const struct lb_new_flow_limit *limit = bpf_map_lookup_elem(&new_flow_limits, &service);
	struct lb_opener_key key = {};
	__u64 now = bpf_ktime_get_ns(), *full_at, was, from;

	if (!limit || !limit->flow_ns)
		return false;
	opener_key_fill(packet, service, limit, &key);
	full_at = bpf_map_lookup_elem(&openers, &key);
	if (!full_at) {
		from = now + limit->flow_ns;
		if (!read_only)
			bpf_map_update_elem(&openers, &key, &from, BPF_NOEXIST);
		return false;
	}
	for (int i = 0; i < ADMIT_TRIES; i++) {
		was = LOAD_ONCE(*full_at);
		from = was > now ? was : now;
		if (from + limit->flow_ns - now > limit->bucket_ns)
			return true;
		if (read_only ||
		    __sync_val_compare_and_swap(full_at, was, from + limit->flow_ns) == was)
			return false;
	}
	return true;
}

enum admission { ADMITTED, NOT_BY_LISTS, NOT_BY_LIMIT };

/* Returns enum admission. `flags`: the service's. */
LB_VERIFIED_ALONE int admission(const struct packet *packet, __u32 service, __u32 flags,
				__u32 pool_index)
{
	if (!packet || (flags & LB_SERVICE_LISTED && source_denied(packet, service, flags)))
		return NOT_BY_LISTS;
	if (flags & LB_SERVICE_LIMITED && opens_flow(packet, pool_index) &&
	    flow_over_limit(packet, service))
		return NOT_BY_LIMIT;
	return ADMITTED;
}

static __always_inline enum lb_verdict admit(const struct packet *packet,
					     const struct lb_service *service)
{
	if (!(service->flags & LB_SERVICE_GUARDED))
		return LB_CONTINUE;
	switch (admission(packet, service->index, service->flags, service->pool)) {
	case ADMITTED:
		return LB_CONTINUE;
	case NOT_BY_LIMIT:
		return LB_DROP_NEW_FLOW_LIMIT;
	default:
		return LB_DROP_DENIED;
	}
}

#endif
