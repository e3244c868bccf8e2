/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pick: which backend a packet goes to. The only place where that is decided.
 *
 * The key (flow or client) hashes to a slot of the pool's table, and the slot names an owner, where
 * new flows go, and a fallback, where established flows without an entry belong:
 *
 *   1. A settled slot of a pool that does not track every flow: the owner. One word was read,
 * nothing written.
 *   2. A live entry of the flow: its backend. (A SYN after FIN or RST is a new flow with old
 * ports.)
 *   3. A new flow: the owner, with an entry. Where no entry can be made: the fallback, which needs
 *      none to be found again.
 *   4. An older flow: the fallback, else the owner, with an entry where there is room.
 *
 * "Else" and "live" ask whether a backend is usable, which the controller says in one word together
 * with the backend's incarnation: entries of a backend that went down are dead with that store.
 */
#ifndef LB_PICK_H
#define LB_PICK_H

#include "env.h"
#include "flow_table.h"
#include "hash.h"
#include "parse.h"
#include "slot.h"

struct choice {
	struct lb_backend *backend;
	__u64 status;  /* the backend's, as it was when it was chosen */
	__u32 index;   /* of the backend */
	__u32 entropy; /* varies by flow, for what shall spread by flow */
	__u32 slot;
	__u32 word;      /* of the slot */
	__u32 entry_age; /* ticks; ~0: no entry was used */
	enum lb_decided_by decided_by;
	bool new_udp_flow; /* which only a pool that tracks every flow can tell */
};

/* Points `choice` at the backend if that is usable. */
static __always_inline bool choose(struct choice *choice, __u32 index, enum lb_decided_by by)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&backends, &index);
	__u64 status;

	if (!index || !backend)
		return false;
	status = LOAD_ONCE(backend->status);
	if (!(status & LB_BACKEND_USABLE))
		return false;
	choice->backend = backend;
	choice->status = status;
	choice->index = index;
	choice->decided_by = by;
	return true;
}

/* The place of the packet's key in the table, and a number that varies by flow. */
static __always_inline __u32 pick_hash(const struct packet *packet, const struct lb_pool *pool,
				       __u32 *entropy)
{
	__be32 masked[4];
	__u32 hash;

	if (!(pool->flags & LB_POOL_SOURCE)) {
		hash = packet->family == 4 ? hash_flow_v4(&packet->flow.v4)
					   : hash_flow_v6(&packet->flow.v6);
		*entropy = hash;
		return hash;
	}
	if (packet->family == 4) {
		hash = hash_client_v4(packet->flow.v4.source & pool->mask_v4);
		*entropy = hash + hash_ports(&packet->flow.v4.source_port) * 0x9e3779b1U;
		return hash;
	}
	for (int i = 0; i < 4; i++)
		masked[i] = packet->flow.v6.source.v6[i] & pool->mask_v6.v6[i];
	hash = hash_client_v6(masked);
	*entropy = hash + hash_ports(&packet->flow.v6.source_port) * 0x9e3779b1U;
	return hash;
}

/* Rule 2. */
static __always_inline bool pick_entry(const struct packet *packet, __u32 pool_index,
				       const struct lb_pool *pool, __u32 now, struct choice *choice)
{
	struct lb_flow *flow = flow_find(packet);

	if (!flow || (packet->syn && flow->state == LB_FLOW_CLOSING))
		return false;
	if (!choose(choice, flow->backend, LB_BY_FLOW) ||
	    !flow_live(flow, pool_index, pool, packet->proto, choice->status, now))
		return false;
	choice->entry_age = now - flow->seen;
	if (!read_only)
		flow_refresh(flow, packet, now);
	return true;
}

/* Rules 2 to 4. */
static __always_inline enum lb_verdict pick_tracked(const struct packet *packet, __u32 pool_index,
						    const struct lb_pool *pool,
						    struct choice *choice)
{
	__u32 owner = LB_SLOT_OWNER(choice->word), fallback = LB_SLOT_FALLBACK(choice->word);
	__u32 now = flow_tick();
	/* UDP says nothing of a flow's age; where every flow has an entry, one without is new. */
	bool new_flow = packet->syn || packet->proto == IPPROTO_UDP;

	if (pick_entry(packet, pool_index, pool, now, choice))
		return LB_CONTINUE;
	choice->new_udp_flow = packet->proto == IPPROTO_UDP && pool->flags & LB_POOL_TRACK_ALWAYS;
	if (new_flow || !choose(choice, fallback, LB_BY_FALLBACK)) {
		if (!choose(choice, owner, LB_BY_SLOT) && !choose(choice, fallback, LB_BY_FALLBACK))
			return LB_DROP_NO_BACKEND;
	}
	if (read_only || flow_make(packet, pool_index, choice->index, choice->status, now))
		return LB_CONTINUE;
	choose(choice, fallback,
	       LB_BY_FALLBACK); /* rule 3: where it is not usable, the choice stays */
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict pick(const struct packet *packet, __u32 pool_index,
					    struct choice *choice)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	__u64 table;

	if (!pool)
		return LB_DROP_INTERNAL;
	table = LOAD_ONCE(pool->table);
	choice->slot = hash_reduce(pick_hash(packet, pool, &choice->entropy), LB_TABLE_SIZE(table));
	choice->entry_age = ~0U;
	if (!LB_TABLE_SIZE(table))
		return LB_DROP_NO_BACKEND;
	if (!slot_read(table, choice->slot, &choice->word))
		return LB_DROP_INTERNAL;
	if (!(pool->flags & LB_POOL_TRACK_ALWAYS) && !(choice->word & LB_SLOT_CHANGED))
		return choose(choice, LB_SLOT_OWNER(choice->word), LB_BY_SLOT) ? LB_CONTINUE
									       : LB_DROP_NO_BACKEND;
	return pick_tracked(packet, pool_index, pool, choice);
}

#endif
