/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pick_client: the pair of a client's record, where the pool knows clients, in place of its slot's.
 * Called by pick.h.
 */
#ifndef LB_PICK_CLIENT_H
#define LB_PICK_CLIENT_H

#include "choice.h"
#include "client_table.h"
#include "env.h"
#include "parse.h"
#include "slot.h"

/* Judges by the client's record from here on, unless nothing is left of what that names. */
static __always_inline bool pair_take(struct judgement *j, __u64 pair)
{
	__u32 owner = LB_SLOT_OWNER(LB_CLIENT_WORD(pair));
	__u32 fallback = LB_SLOT_FALLBACK(LB_CLIENT_WORD(pair));

	if (!client_backend_valid(backend_status(owner), LB_CLIENT_OWNER_INCARNATION(pair)))
		owner = 0;
	if (!client_backend_valid(backend_status(fallback), LB_CLIENT_FALLBACK_INCARNATION(pair)))
		fallback = 0;
	if (!owner && !fallback) {
		j->pair.changed = true; /* the slot's, but the client may have entries */
		return false;
	}
	j->pair.owner = owner;
	j->pair.fallback = fallback;
	j->pair.changed = LB_CLIENT_WORD(pair) & LB_SLOT_CHANGED;
	j->pair.client = true;
	return true;
}

/* The record of an unknown client. What this packet notes has to be noted there. */
static __always_inline bool pair_begin(const struct packet *packet, struct judgement *j,
				       const union client_key *key, struct lb_client *old,
				       __u32 slot_word)
{
	bool made = client_make(packet->family, key, old, slot_word, j->pair.times, j->now);
	/* Where another CPU was faster its record is the one. */
	struct lb_client *client = read_only ? NULL : client_find(packet->family, key);

	if (!made && !(client && client_live(client, j->pool, j->now))) {
		note(LB_NOTE_CLIENT_UNTRACKED);
		return false;
	}
	if (read_only) {
		/* What the record would say: of the slot's pair, that which can be used. */
		if (!(backend_status(j->pair.fallback) & LB_BACKEND_USABLE))
			j->pair.fallback = j->pair.owner;
		return true;
	}
	if (!client || !pair_take(j, LOAD_ONCE(client->pair)))
		return false;
	j->pair.times = &client->times;
	j->pair.client = false; /* a copy of the slot's pair: it was the slot that decided */
	return true;
}

/* The pair of the client's record, which a SYN or a datagram of an unknown client makes. False if
 * there is none: the client goes by its slot. */
static __always_inline bool pair_of_client(const struct packet *packet, struct judgement *j,
					   __u32 slot_word)
{
	bool opens = packet->syn || packet->proto == IPPROTO_UDP;
	union client_key key = {};
	struct lb_client *client;
	__u64 pair;

	client_key_fill(packet, j->pool_index, j->pool, &key);
	client = client_find(packet->family, &key);
	if (!client || !client_live(client, j->pool, j->now))
		return opens && pair_begin(packet, j, &key, client, slot_word);
	pair = client_follow(client, j->pool, slot_word, &j->pair, opens, j->now);
	client_refresh(client, packet, j->now);
	if (pair_take(j, pair))
		return true;
	if (opens)
		note(LB_NOTE_CLIENT_UNTRACKED);
	return false;
}

/*
 * The pair by which a packet of a pool that knows clients is judged: `choice` comes with slot and
 * word, and leaves with what pick_changed needs. False if the maps contradict each other. A
 * function of its own, because the verifier then walks its ways once, and not once for each way
 * that leads here.
 */
LB_VERIFIED_ALONE int pick_pair(const struct packet *packet, __u32 pool_index,
				struct choice *choice)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	struct judgement j = {.pool = pool, .pool_index = pool_index, .now = flow_tick()};
	struct lb_times *slot_times_of_it;
	__u32 word;

	if (!packet || !choice || !pool)
		return false;
	word = choice->word;
	j.always = pool->flags & LB_POOL_TRACK_ALWAYS;
	j.pair.owner = LB_SLOT_OWNER(word);
	j.pair.fallback = LB_SLOT_FALLBACK(word);
	j.pair.changed = word & LB_SLOT_CHANGED;
	slot_times_of_it = slot_times_of(pool, choice->slot);
	j.pair.times = slot_times_of_it;
	if (!j.pair.times)
		return false;
	if (pair_of_client(packet, &j, word))
		choice->word = LB_SLOT(j.pair.owner, j.pair.fallback, j.pair.changed);
	/* Its owner drains: how many flows it has left is to be known. */
	if (j.pair.client && !j.pair.changed && packet->proto == IPPROTO_TCP && !packet->syn)
		j.always = j.always || client_backend_drains(backend_status(j.pair.owner));
	choice->since = j.pair.since;
	choice->terms = (j.pair.changed || j.always ? PICK_BY_ENTRIES : 0) |
			(j.always ? PICK_ALWAYS : 0) | (j.pair.client ? PICK_OF_CLIENT : 0) |
			(j.pair.times != slot_times_of_it ? PICK_CLIENT_TIMES : 0);
	return true;
}

/* Where what a packet does to its pair is noted. A record that was deleted since pick_pair saw it
 * is no record. */
static __always_inline struct lb_times *times_of_choice(const struct packet *packet,
							__u32 pool_index,
							const struct lb_pool *pool,
							const struct choice *choice)
{
	union client_key key = {};
	struct lb_client *client;

	if (choice->terms & PICK_CLIENT_TIMES) {
		client_key_fill(packet, pool_index, pool, &key);
		client = client_find(packet->family, &key);
		if (client)
			return &client->times;
	}
	return slot_times_of(pool, choice->slot);
}

#endif
