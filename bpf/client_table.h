/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client_table: records of clients, in `clients_v4` and `clients_v6`; pools with a client timeout
 * have them. Called by pick and sweep.
 *
 * To its client a record is what a slot is: owner, fallback, changed. Where a slot follows the
 * table, a record keeps its owner for as long as that takes the client's new flows, and then takes
 * the slot's, as a slot takes Maglev's: its old owner becomes the fallback, so that the client's
 * established flows stay where they are.
 */
#ifndef LB_CLIENT_TABLE_H
#define LB_CLIENT_TABLE_H

#include "env.h"
#include "flow_table.h"
#include "parse.h"
#include "slot.h"

union client_key {
	struct lb_client_key_v4 v4;
	struct lb_client_key_v6 v6;
};

/* The pair that a packet is judged by, of a slot or of a client, and where its times are noted. */
struct pair {
	__u32 owner;
	__u32 fallback; /* 0: none that can be used */
	bool changed;
	bool client;
	struct lb_times *times;
	__u32 since; /* 0: that of `times`; else what it is now, also for the copy that writes
			nothing */
};

static __always_inline void client_key_fill(const struct packet *packet, __u32 pool_index,
					    const struct lb_pool *pool, union client_key *key)
{
	if (packet->family == 4) {
		key->v4.pool = pool_index;
		key->v4.address = packet->flow.v4.source & pool->mask_v4;
		return;
	}
	key->v6.pool = pool_index;
	for (int i = 0; i < 4; i++)
		key->v6.address.v6[i] = packet->flow.v6.source.v6[i] & pool->mask_v6.v6[i];
}

static __always_inline struct lb_client *client_find(__u8 family, const union client_key *key)
{
	return family == 4 ? bpf_map_lookup_elem(&clients_v4, &key->v4)
			   : bpf_map_lookup_elem(&clients_v6, &key->v6);
}

/* Ticks without a packet after which the record is dead: none of the client's flows may outlive it.
 * What only one packet was seen of may be forged, and goes as such a flow does. */
static __always_inline __u32 client_idle_limit(const struct lb_client *client,
					       const struct lb_pool *pool)
{
	if (client->known)
		return pool->client_life;
	return pool->idle_udp > pool->idle_closing ? pool->idle_udp : pool->idle_closing;
}

static __always_inline bool client_live(const struct lb_client *client, const struct lb_pool *pool,
					__u32 now)
{
	__u32 seen = LOAD_ONCE(client->seen);

	return !(seen & LB_DOOMED) &&
	       entry_age(seen, now) <= (__s32)client_idle_limit(client, pool);
}

/* Whether the backend can be used and has been since the record named it. */
static __always_inline bool client_backend_valid(__u64 status, __u16 incarnation)
{
	return status & LB_BACKEND_USABLE && (__u16)LB_STATUS_INCARNATION(status) == incarnation;
}

/* Whether the backend keeps its clients' flows and takes no new ones, so that it is to be known how
 * many it has left. */
static __always_inline bool client_backend_drains(__u64 status)
{
	return status & LB_BACKEND_USABLE && !(status & LB_BACKEND_TAKES_CLIENTS);
}

static __always_inline __u64 client_pair_make(__u32 owner, __u32 fallback, bool changed)
{
	return LB_CLIENT_PAIR(LB_SLOT(owner, fallback, changed),
			      LB_STATUS_INCARNATION(backend_status(owner)),
			      LB_STATUS_INCARNATION(backend_status(fallback)));
}

/*
 * Makes the record of an unknown client: a copy of the slot's pair and times. `old`: a dead record
 * in its place, or NULL. Returns false if there is no room.
 */
static __always_inline bool client_make(__u8 family, const union client_key *key,
					struct lb_client *old, __u32 word,
					const struct lb_times *times, __u32 now)
{
	__u64 how = old ? BPF_EXIST : BPF_NOEXIST;
	__u32 zero = 0;
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	bool was_new = old && !old->known;
	__u32 owner = LB_SLOT_OWNER(word), fallback = LB_SLOT_FALLBACK(word);
	struct lb_client client = {.times = *times, .seen = now};
	bool made;

	/* A backend that just went down, and is still in the table: its incarnation is a new one
	 * already, so that the record could not tell it from what comes up again. */
	if (!(backend_status(owner) & LB_BACKEND_USABLE))
		return false;
	if (!(backend_status(fallback) & LB_BACKEND_USABLE))
		fallback = owner;
	client.pair = client_pair_make(owner, fallback, word & LB_SLOT_CHANGED);
	if (!use || (old && old->seen & LB_CLAIMED) ||
	    (!old && !quota_left(use, LB_QUOTA_CLIENTS)) ||
	    (!was_new && !quota_left(use, LB_QUOTA_CLIENTS_NEW)))
		return false;
	if (read_only)
		return true;
	if (old && old->seen & LB_DOOMED) {
		old->pair = client.pair;
		old->times = client.times;
		old->known = 0;
		made = entry_take_over(&old->seen, now);
	} else if (family == 4) {
		made = !bpf_map_update_elem(&clients_v4, &key->v4, &client, how);
	} else {
		made = !bpf_map_update_elem(&clients_v6, &key->v6, &client, how);
	}
	if (!made)
		return false;
	if (!old)
		__sync_fetch_and_add(&use->count[LB_QUOTA_CLIENTS], 1);
	if (!was_new)
		__sync_fetch_and_add(&use->count[LB_QUOTA_CLIENTS_NEW], 1);
	return true;
}

/*
 * The record's pair once its owner is the slot's: what slots_change (user/slots.c) does to a slot.
 * One of owner and fallback is alive: see client_renew.
 */
static __always_inline __u64 client_pair_moved(__u32 word, __u32 new_owner, bool fallback_alive)
{
	bool keeps = word & LB_SLOT_CHANGED && fallback_alive;

	return client_pair_make(new_owner, keeps ? LB_SLOT_FALLBACK(word) : LB_SLOT_OWNER(word),
				true);
}

/*
 * Nothing is left of what the record names: it becomes what that of a new client would be, a copy
 * of the slot's pair and times; but changed, for the client may have entries. Where the slot's
 * owner cannot be used either the client goes by its slot until it can.
 */
static __always_inline __u64 client_renew(struct lb_client *client, __u64 pair, __u32 slot_word,
					  struct pair *out, __u32 now)
{
	__u32 owner = LB_SLOT_OWNER(slot_word), fallback = LB_SLOT_FALLBACK(slot_word);
	__u64 fresh, found;

	if (!(backend_status(owner) & LB_BACKEND_USABLE))
		return pair;
	if (!(backend_status(fallback) & LB_BACKEND_USABLE))
		fallback = owner;
	fresh = client_pair_make(owner, fallback, true);
	if (read_only)
		return fresh;
	client->times = *out->times;
	out->times = &client->times;
	STORE_ONCE(client->times.kept, now);
	found = __sync_val_compare_and_swap(&client->pair, pair, fresh);
	return found == pair ? fresh : found;
}

/*
 * Moves the record to the slot's owner: at once if its own died; at a new flow if its own takes
 * none, or the client was silent for longer than the affinity lasts. Returns the pair in force,
 * which is another CPU's if that was faster. `out`: in with the slot's times, out with those that
 * the packet is judged by.
 */
static __always_inline __u64 client_follow(struct lb_client *client, const struct lb_pool *pool,
					   __u32 slot_word, struct pair *out, bool new_flow,
					   __u32 now)
{
	__u64 pair = LOAD_ONCE(client->pair), moved, found;
	__u32 word = LB_CLIENT_WORD(pair),
	      seen = LOAD_ONCE(client->seen) & ~(LB_DOOMED | LB_CLAIMED);
	__u64 owner = backend_status(LB_SLOT_OWNER(word));
	bool owner_alive = client_backend_valid(owner, LB_CLIENT_OWNER_INCARNATION(pair));
	bool fallback_alive = client_backend_valid(backend_status(LB_SLOT_FALLBACK(word)),
						   LB_CLIENT_FALLBACK_INCARNATION(pair));
	bool leaves = new_flow && (!(owner & LB_BACKEND_TAKES_CLIENTS) ||
				   entry_age(seen, now) > (__s32)pool->client_timeout);
	__u32 new_owner = LB_SLOT_OWNER(slot_word);

	if (!owner_alive && !fallback_alive)
		return client_renew(client, pair, slot_word, out, now);
	out->times = &client->times;
	if (owner_alive && (!leaves || new_owner == LB_SLOT_OWNER(word)))
		return pair;
	if (!(backend_status(new_owner) & LB_BACKEND_USABLE))
		return pair;
	moved = client_pair_moved(word, new_owner, fallback_alive);
	/* Nothing of the client was seen since `seen`: that long its old flows are with the owner
	 * that it leaves. Noted first, for whoever reads the new pair. */
	if (LB_SLOT_OWNER(word) == LB_SLOT_FALLBACK(word) || !fallback_alive) {
		out->since = seen;
		if (!read_only)
			STORE_ONCE(client->times.since, seen);
	}
	if (read_only)
		return moved;
	STORE_ONCE(client->times.kept, now);
	found = __sync_val_compare_and_swap(&client->pair, pair, moved);
	return found == pair ? moved : found;
}

static __always_inline void client_refresh(struct lb_client *client, const struct packet *packet,
					   __u32 now)
{
	__u32 zero = 0;
	struct lb_usage *use;

	if (read_only)
		return;
	if (!client->known && !packet->syn &&
	    __sync_val_compare_and_swap(&client->known, 0, 1) == 0) {
		use = bpf_map_lookup_elem(&usage, &zero);
		if (use)
			__sync_fetch_and_add(&use->count[LB_QUOTA_CLIENTS_NEW], -1);
	}
	if (client->seen != now)
		STORE_ONCE(client->seen, now);
}

#endif
