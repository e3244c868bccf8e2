/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep: what a pass over the tables does with each entry; the other half of the rules of pick.h.
 * Runs in the kernel (sweep.bpf.c), because only there can a compare-and-set tell an entry that is
 * dead from one that a packet just found alive.
 *
 * A sweep reads all births, then all flows, then all clients: a flow that is copied from births to
 * flows meanwhile is met in one of them at least. Of each entry:
 *   - doomed by an earlier sweep, and taken over by no packet since: claimed and deleted;
 *   - dead for a while, or a birth that its copy has made needless: doomed;
 *   - live, and naming another backend than the owner of its slot (or of its client's record): that
 *     pair is kept from settling until a later sweep finds nothing, and so is a pin of the client
 *     (pin_table.h), whether it is over or not;
 *   - live: counted.
 */
#ifndef LB_SWEEP_H
#define LB_SWEEP_H

#include "client_table.h"
#include "env.h"
#include "flow_table.h"
#include "hash.h"
#include "pick.h"
#include "slot.h"

enum {
	DEAD_TICKS = 2,         /* beyond its idle time, so that no packet still thinks it alive */
	BIRTH_QUIET_TICKS = 28, /* 30 s */
};

/* The fate of an entry, as the caller carries it out. */
enum sweep_fate { SWEEP_KEEP, SWEEP_DOOM, SWEEP_DELETE };

static __always_inline void tally_flow(const struct lb_flow *entry)
{
	__u32 backend = entry->backend, pool = entry->pool;
	struct lb_tally *tally;

	if (entry->state >= LB_FLOW_CLOSING)
		return;
	tally = bpf_map_lookup_elem(&backend_tallies, &backend);
	if (tally)
		tally->flows++;
	tally = bpf_map_lookup_elem(&pool_tallies, &pool);
	if (tally)
		tally->flows++;
}

static __always_inline void tally_client(__u32 pool, __u32 owner)
{
	struct lb_tally *tally = bpf_map_lookup_elem(&backend_tallies, &owner);

	if (tally)
		tally->clients++;
	tally = bpf_map_lookup_elem(&pool_tallies, &pool);
	if (tally)
		tally->clients++;
}

/* Keeps the pairs of a live entry's flow from settling where they do not name its backend, and its
 * client's pin. */
static __always_inline void pairs_keep(const struct packet *packet, const struct lb_flow *entry,
				       const struct lb_pool *pool, __u32 now)
{
	__u64 table = LOAD_ONCE(pool->table);
	union client_key key = {};
	struct lb_client *client;
	struct lb_times *times;
	struct lb_pin *pin;
	__u32 slot, word, entropy;
	bool needed = false;

	if (pool->flags & (LB_POOL_UNSETTLED | LB_POOL_PINS) && LB_TABLE_SIZE(table)) {
		slot = hash_reduce(pick_hash(packet, pool, &entropy), LB_TABLE_SIZE(table));
		times = slot_times_of(pool, slot);
		needed = times && slot_read(table, slot, &word) &&
			 LB_SLOT_OWNER(word) != entry->backend;
		if (needed)
			STORE_ONCE(times->kept, now);
	}
	if (pool->client_timeout) {
		client_key_fill(packet, entry->pool, pool, &key);
		client = client_find(packet->family, &key);
		if (client && LB_SLOT_OWNER(LB_CLIENT_WORD(client->pair)) != entry->backend) {
			STORE_ONCE(client->times.kept, now);
			needed = true;
		}
	}
	pin = needed && pool->flags & LB_POOL_PINS ? pin_find(packet, entry->pool) : NULL;
	if (pin)
		STORE_ONCE(pin->kept, now);
}

/* Judges by time, pool and backend: what entry_live does, with a margin. */
static __always_inline bool entry_dead(const struct lb_flow *entry, const struct lb_pool *pool,
				       __u8 proto, __u32 now)
{
	return entry_age(entry->seen, now) >
		       (__s32)(entry_idle_limit(entry, pool, proto) + DEAD_TICKS) ||
	       !entry_valid(entry, entry->pool);
}

/* Whether a birth's copy has been serving the flow for some time. */
static __always_inline bool birth_needless(const struct packet *packet,
					   const struct lb_birth *birth, const struct lb_pool *pool,
					   __u32 now, bool *copied)
{
	const struct lb_flow *flow = flow_find(packet);

	*copied = flow && entry_live(flow, birth->flow.pool, pool, packet->proto, now);
	return *copied && flow->backend == birth->flow.backend &&
	       birth->flow.state != LB_FLOW_OPENING &&
	       entry_age(birth->flow.seen, now) > BIRTH_QUIET_TICKS;
}

static __always_inline enum sweep_fate sweep_birth(const struct packet *packet,
						   const struct lb_birth *birth, __u32 now)
{
	__u32 pool_index = birth->flow.pool;
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	bool copied = false;

	if (birth->flow.seen & LB_DOOMED)
		return SWEEP_DELETE;
	if (!pool || entry_dead(&birth->flow, pool, packet->proto, now) ||
	    birth_needless(packet, birth, pool, now, &copied))
		return SWEEP_DOOM;
	if (!copied)
		tally_flow(&birth->flow);
	pairs_keep(packet, &birth->flow, pool, now);
	return SWEEP_KEEP;
}

static __always_inline enum sweep_fate sweep_flow(const struct packet *packet,
						  const struct lb_flow *flow, __u32 now)
{
	__u32 pool_index = flow->pool;
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);

	if (flow->seen & LB_DOOMED)
		return SWEEP_DELETE;
	if (!pool || entry_dead(flow, pool, packet->proto, now))
		return SWEEP_DOOM;
	tally_flow(flow);
	pairs_keep(packet, flow, pool, now);
	return SWEEP_KEEP;
}

/* As the controller settles a slot (user/slots.c): nothing belongs to the fallback any more, or
 * no entry is needed to tell. Loses against a packet that moves the record. */
static __always_inline void client_settle(struct lb_client *client, const struct lb_pool *pool,
					  __u32 now)
{
	__u64 pair = LOAD_ONCE(client->pair);
	__u32 word = LB_CLIENT_WORD(pair), owner = LB_SLOT_OWNER(word);
	__u16 incarnation = LB_CLIENT_OWNER_INCARNATION(pair);
	bool same = owner == LB_SLOT_FALLBACK(word) &&
		    incarnation == LB_CLIENT_FALLBACK_INCARNATION(pair);

	/* An owner that is gone is replaced by the client's next packet. */
	if (!(word & LB_SLOT_CHANGED) || !client_backend_valid(backend_status(owner), incarnation))
		return;
	if (same ? time_recent(client->times.kept, now, LB_SETTLED_TICKS)
		 : time_recent(client->times.since, now, pool->idle_longest) ||
			    time_recent(client->times.used, now, pool->idle_longest))
		return;
	STORE_ONCE(client->times.kept, now);
	__sync_val_compare_and_swap(
		&client->pair, pair,
		LB_CLIENT_PAIR(LB_SLOT(owner, owner, !same), incarnation, incarnation));
}

static __always_inline enum sweep_fate sweep_client(__u32 pool_index, struct lb_client *client,
						    __u32 now)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);

	if (client->seen & LB_DOOMED)
		return SWEEP_DELETE;
	if (!pool || !pool->client_timeout ||
	    entry_age(client->seen, now) > (__s32)(client_idle_limit(client, pool) + DEAD_TICKS))
		return SWEEP_DOOM;
	client_settle(client, pool, now);
	tally_client(pool_index, LB_SLOT_OWNER(LB_CLIENT_WORD(client->pair)));
	return SWEEP_KEEP;
}

/* ---- carrying it out ---- */

static __always_inline void usage_less(__u32 quota)
{
	__u32 zero = 0;
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);

	if (use && quota < LB_QUOTA_COUNT)
		__sync_fetch_and_add(&use->count[quota], -1);
}

/* `before`: `seen` as loaded before the entry was judged, so that a packet that has written it
 * since wins. True if the entry is to be deleted. */
static __always_inline bool sweep_carry_out(enum sweep_fate fate, __u32 *seen, __u32 before,
					    struct lb_sweep *sweep)
{
	sweep->read++;
	if (fate == SWEEP_DOOM &&
	    __sync_val_compare_and_swap(seen, before, before | LB_DOOMED) == before)
		sweep->doomed++;
	if (fate != SWEEP_DELETE ||
	    (!(before & LB_CLAIMED) &&
	     __sync_val_compare_and_swap(seen, before, before | LB_CLAIMED) != before))
		return false;
	sweep->deleted++;
	return true;
}

static __always_inline void birth_step(const struct packet *packet, struct lb_birth *birth,
				       struct lb_sweep *sweep)
{
	__u32 before = LOAD_ONCE(birth->flow.seen), quota = quota_of(packet->proto);

	if (!sweep_carry_out(sweep_birth(packet, birth, sweep->now), &birth->flow.seen, before,
			     sweep))
		return;
	if (packet->family == 4 ? bpf_map_delete_elem(&births_v4, &packet->flow.v4)
				: bpf_map_delete_elem(&births_v6, &packet->flow.v6))
		return;
	usage_less(quota);
	usage_less(quota + 1);
}

static __always_inline void flow_step(const struct packet *packet, struct lb_flow *flow,
				      struct lb_sweep *sweep)
{
	__u32 before = LOAD_ONCE(flow->seen);
	bool recorded = flow->flags & LB_FLOW_RECORDED;

	if (!sweep_carry_out(sweep_flow(packet, flow, sweep->now), &flow->seen, before, sweep))
		return;
	if (packet->family == 4 ? bpf_map_delete_elem(&flows_v4, &packet->flow.v4)
				: bpf_map_delete_elem(&flows_v6, &packet->flow.v6))
		return;
	usage_less(quota_of(packet->proto));
	if (recorded)
		usage_less(LB_QUOTA_TCP_RECORDED);
}

static __always_inline void client_step(__u8 family, const union client_key *key,
					struct lb_client *client, struct lb_sweep *sweep)
{
	__u32 before = LOAD_ONCE(client->seen);
	bool is_new = !client->known;

	if (!sweep_carry_out(sweep_client(key->v4.pool, client, sweep->now), &client->seen, before,
			     sweep))
		return;
	if (family == 4 ? bpf_map_delete_elem(&clients_v4, &key->v4)
			: bpf_map_delete_elem(&clients_v6, &key->v6))
		return;
	usage_less(LB_QUOTA_CLIENTS);
	if (is_new)
		usage_less(LB_QUOTA_CLIENTS_NEW);
}

/* ---- for bpf_for_each_map_elem: 0 goes on ---- */

static long each_birth_v4(void *map, const struct lb_flow_key_v4 *key, struct lb_birth *birth,
			  struct lb_sweep *sweep)
{
	struct packet packet = {.family = 4, .proto = key->proto, .flow.v4 = *key};

	(void)map;
	birth_step(&packet, birth, sweep);
	return 0;
}

static long each_birth_v6(void *map, const struct lb_flow_key_v6 *key, struct lb_birth *birth,
			  struct lb_sweep *sweep)
{
	struct packet packet = {.family = 6, .proto = key->proto, .flow.v6 = *key};

	(void)map;
	birth_step(&packet, birth, sweep);
	return 0;
}

static long each_flow_v4(void *map, const struct lb_flow_key_v4 *key, struct lb_flow *flow,
			 struct lb_sweep *sweep)
{
	struct packet packet = {.family = 4, .proto = key->proto, .flow.v4 = *key};

	(void)map;
	flow_step(&packet, flow, sweep);
	return 0;
}

static long each_flow_v6(void *map, const struct lb_flow_key_v6 *key, struct lb_flow *flow,
			 struct lb_sweep *sweep)
{
	struct packet packet = {.family = 6, .proto = key->proto, .flow.v6 = *key};

	(void)map;
	flow_step(&packet, flow, sweep);
	return 0;
}

static long each_client_v4(void *map, const struct lb_client_key_v4 *key, struct lb_client *client,
			   struct lb_sweep *sweep)
{
	union client_key copy = {.v4 = *key};

	(void)map;
	client_step(4, &copy, client, sweep);
	return 0;
}

static long each_client_v6(void *map, const struct lb_client_key_v6 *key, struct lb_client *client,
			   struct lb_sweep *sweep)
{
	union client_key copy = {.v6 = *key};

	(void)map;
	client_step(6, &copy, client, sweep);
	return 0;
}

/*
 * Before Linux 6.2 a call that walks a table must always walk the same one. Of calls that end
 * several ways alike the compiler makes one; not where something different follows each.
 */
#define SWEEP_APART(table) __asm__ volatile("" : : "i"(table))

/* One table, of both families. */
static __always_inline void sweep_table(struct lb_sweep *sweep)
{
	switch (sweep->table) {
	case LB_SWEEP_BIRTHS:
		bpf_for_each_map_elem(&births_v4, each_birth_v4, sweep, 0);
		bpf_for_each_map_elem(&births_v6, each_birth_v6, sweep, 0);
		SWEEP_APART(LB_SWEEP_BIRTHS);
		break;
	case LB_SWEEP_FLOWS:
		bpf_for_each_map_elem(&flows_v4, each_flow_v4, sweep, 0);
		bpf_for_each_map_elem(&flows_v6, each_flow_v6, sweep, 0);
		SWEEP_APART(LB_SWEEP_FLOWS);
		break;
	case LB_SWEEP_CLIENTS:
		bpf_for_each_map_elem(&clients_v4, each_client_v4, sweep, 0);
		bpf_for_each_map_elem(&clients_v6, each_client_v6, sweep, 0);
		SWEEP_APART(LB_SWEEP_CLIENTS);
		break;
	}
}

#endif
