/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pick_quoted: where an ICMP error goes that speaks of a flow, and is none of its packets. Called
 * by pick.h.
 */
#ifndef LB_PICK_QUOTED_H
#define LB_PICK_QUOTED_H

#include "choice.h"
#include "client_table.h"
#include "env.h"
#include "parse.h"
#include "pick_flow.h"
#include "pin_table.h"
#include "slot.h"

/* The pair of the client's record, as that would become with the next packet of an old flow. */
static __always_inline void pair_peek(const struct packet *packet, struct judgement *j)
{
	union client_key key = {};
	struct lb_client *client;
	bool owner_valid, fallback_valid;
	__u32 word;
	__u64 pair;

	client_key_fill(packet, j->pool_index, j->pool, &key);
	client = client_find(packet->family, &key);
	if (!client || !client_live(client, j->pool, j->now))
		return;
	pair = LOAD_ONCE(client->pair);
	word = LB_CLIENT_WORD(pair);
	owner_valid = client_backend_valid(backend_status(LB_SLOT_OWNER(word)),
					   LB_CLIENT_OWNER_INCARNATION(pair));
	fallback_valid = client_backend_valid(backend_status(LB_SLOT_FALLBACK(word)),
					      LB_CLIENT_FALLBACK_INCARNATION(pair));
	j->pair.changed = !owner_valid || word & LB_SLOT_CHANGED;
	if (!owner_valid && !fallback_valid)
		return;
	if (owner_valid) {
		j->pair.owner = LB_SLOT_OWNER(word);
		j->pair.client = true;
	}
	j->pair.fallback = fallback_valid ? LB_SLOT_FALLBACK(word) : 0;
	j->pair.times = &client->times;
}

/* And as the client's pin makes it, see pick_pinned. */
static __always_inline void pin_peek(const struct packet *packet, struct judgement *j)
{
	const struct lb_pin *pin = pin_find(packet, j->pool_index);
	__u32 word;

	if (!pin)
		return;
	j->pair.changed = true;
	word = pin_word(pin, LB_SLOT(j->pair.owner, j->pair.fallback, true), j->now);
	if (!word)
		return;
	j->pair.owner = LB_SLOT_OWNER(word);
	j->pair.fallback = LB_SLOT_FALLBACK(word);
	j->pair.since = pin_since(pin);
	j->pair.client = true;
}

/* The verdict of its flow's entries, or of its pair, for an ICMP error. */
static __always_inline enum lb_verdict pick_by_quote(const struct packet *packet,
						     struct judgement *j, struct choice *choice)
{
	bool udp = packet->proto == IPPROTO_UDP;
	__u32 since;

	recall(packet, j);
	if (j->birth_live &&
	    (udp || is_confirmed(j) || (packet->sequence_known && is_birth_of(packet, j->birth))))
		return choose_entry(choice, &j->birth->flow, j->now) ? LB_CONTINUE
								     : LB_DROP_NO_BACKEND;
	if (j->flow_live)
		return choose_entry(choice, j->flow, j->now) ? LB_CONTINUE : LB_DROP_NO_BACKEND;
	since = j->pair.since ? j->pair.since : j->pair.times->since;
	if (udp && !time_recent(since, j->now, j->pool->idle_udp) &&
	    !time_recent(j->pair.times->full, j->now, j->pool->idle_udp) && choose_owner(choice, j))
		return LB_CONTINUE;
	return choose_fallback(choice, j) || choose_owner(choice, j) ? LB_CONTINUE
								     : LB_DROP_NO_BACKEND;
}

/*
 * An ICMP error goes where a packet of the quoted flow that opens nothing would go. All is read
 * only: whoever forges errors keeps no entry alive, and makes none.
 */
LB_VERIFIED_ALONE int pick_quoted(const struct packet *packet, __u32 pool_index,
				  struct choice *choice)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	struct judgement j = {.pool = pool, .pool_index = pool_index, .now = flow_tick()};

	if (!packet || !pool || !choice)
		return LB_DROP_INTERNAL;
	j.pair.owner = LB_SLOT_OWNER(choice->word);
	j.pair.fallback = LB_SLOT_FALLBACK(choice->word);
	j.pair.changed = choice->word & LB_SLOT_CHANGED;
	j.pair.times = slot_times_of(pool, choice->slot);
	if (!j.pair.times)
		return LB_DROP_INTERNAL;
	if (pool->client_timeout)
		pair_peek(packet, &j);
	if (pool->flags & LB_POOL_PINS)
		pin_peek(packet, &j);
	if (j.pair.client)
		choice->word = LB_SLOT(j.pair.owner, j.pair.fallback, j.pair.changed);
	if (j.pair.changed || pool->flags & LB_POOL_TRACK_ALWAYS)
		return pick_by_quote(packet, &j, choice);
	return choose_owner(choice, &j) ? LB_CONTINUE : LB_DROP_NO_BACKEND;
}

#endif
