/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pick: which backend a packet goes to. The only place where that is decided.
 *
 * What it keeps: a flow, once answered by a backend that stays usable, and while it is not idle
 * past its timeout, is never sent elsewhere; a client, once known, keeps its backend likewise. What
 * it pays: in a settled slot, one word.
 *
 * The key (flow or client) hashes to a slot of the pool's table, and the slot holds a pair: an
 * owner, where new flows go, and a fallback, where established flows belong that have no entry of
 * their own. The pair is that of the client's record where there is one.
 *
 *   Settled: the owner. Done. (`track: always` treats every slot as changed, and makes entries
 *   where none is needed.)
 *
 * In a changed one an entry decides where there is a live one (see flow_table.h), and where no
 * entry can be made the flow goes where flows without one go. That is why a full table breaks
 * nothing: it only delays a new backend's share.
 *
 * Entries are in two tables. `births` are flows that began while their slot was changed; nobody
 * knows yet whether they will live, or whether their SYN was forged. A birth is confirmed by a
 * packet whose sequence number belongs to its SYN, and copied to `flows`; the copy is what sweeps
 * keep. A flow entry that no birth may contradict (LB_FLOW_REBORN) answers by itself.
 *
 * A client that an operator has pinned to a backend (pin_table.h) has, on top of all that, that
 * backend for an owner, and a pair that is changed: its new flows go there, its old ones stay. That
 * is true of each of its pairs, whatever the pool's key; and when the pin ends, the same is true
 * the other way round.
 *
 * The rules of a changed slot are in pick_flow.h, those of clients in pick_client.h, and those of
 * ICMP errors in pick_quoted.h.
 */
#ifndef LB_PICK_H
#define LB_PICK_H

#include "choice.h"
#include "client_table.h"
#include "env.h"
#include "flow_table.h"
#include "hash.h"
#include "parse.h"
#include "pick_client.h"
#include "pick_flow.h"
#include "pick_quoted.h"
#include "pin_table.h"
#include "slot.h"

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

/* By the flow's entries, or as one without. Apart from pick_pair, which it follows, because both
 * need much of the stack. */
LB_VERIFIED_ALONE int pick_changed(const struct packet *packet, __u32 pool_index,
				   struct choice *choice)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	struct judgement j = {.pool = pool, .pool_index = pool_index, .now = flow_tick()};

	if (!packet || !pool || !choice)
		return LB_DROP_INTERNAL;
	j.pair.owner = LB_SLOT_OWNER(choice->word);
	j.pair.fallback = LB_SLOT_FALLBACK(choice->word);
	j.pair.since = choice->since;
	j.pair.client = choice->terms & PICK_OF_CLIENT;
	j.pair.times = times_of_choice(packet, pool_index, pool, choice);
	j.always = choice->terms & PICK_ALWAYS;
	if (!j.pair.times)
		return LB_DROP_INTERNAL;
	recall(packet, &j);
	if (packet->proto == IPPROTO_UDP)
		return pick_datagram(packet, &j, choice);
	return packet->syn ? pick_syn(packet, &j, choice) : pick_established(packet, &j, choice);
}

/*
 * What a pin makes of the pair that `choice` comes with. Whoever came while it was not in force is
 * noted: their flows are old ones when it is again.
 */
LB_VERIFIED_ALONE int pick_pinned(const struct packet *packet, __u32 pool_index,
				  struct choice *choice)
{
	__u32 now = flow_tick(), word;
	struct lb_pin *pin;

	if (!packet || !choice)
		return false;
	pin = pin_find(packet, pool_index);
	if (!pin)
		return false;
	choice->terms |= PICK_BY_ENTRIES;
	word = pin_word(pin, choice->word, now);
	if (!word) {
		time_note(&pin->off, now);
		return false;
	}
	choice->word = word;
	choice->since = pin_since(pin);
	/* Each of its flows gets an entry: when the pin ends its pair tells of none of them. */
	choice->terms |= PICK_OF_CLIENT | PICK_ALWAYS | PICK_PINNED;
	return true;
}

static __always_inline enum lb_verdict pick_remembered(const struct packet *packet,
						       __u32 pool_index, const struct lb_pool *pool,
						       struct choice *choice)
{
	if (packet->quoted)
		return pick_quoted(packet, pool_index, choice);
	if (pool->client_timeout) {
		if (!pick_pair(packet, pool_index, choice))
			return LB_DROP_INTERNAL;
	} else {
		choice->terms = choice->word & LB_SLOT_CHANGED ? PICK_BY_ENTRIES : 0;
		if (pool->flags & LB_POOL_TRACK_ALWAYS)
			choice->terms = PICK_ALWAYS | PICK_BY_ENTRIES;
	}
	if (pool->flags & LB_POOL_PINS)
		pick_pinned(packet, pool_index, choice);
	if (choice->terms & PICK_BY_ENTRIES)
		return pick_changed(packet, pool_index, choice);
	return choose(choice, LB_SLOT_OWNER(choice->word),
		      choice->terms & PICK_OF_CLIENT ? LB_BY_CLIENT : LB_BY_SLOT)
		       ? LB_CONTINUE
		       : LB_DROP_NO_BACKEND;
}

/* Field by field, as they were written: a wider load would wait until both stores of its halves are
 * in the cache. */
static __always_inline void choice_take(struct choice *choice, const struct choice *said)
{
	choice->status = said->status;
	choice->index = LOAD_ONCE(said->index);
	choice->word = LOAD_ONCE(said->word);
	choice->entry_age = LOAD_ONCE(said->entry_age);
	choice->decided_by = LOAD_ONCE(said->decided_by);
	choice->new_udp_flow = LOAD_ONCE(said->new_udp_flow);
}

static __always_inline enum lb_verdict
pick_with_memory(const struct packet *packet, __u32 pool_index, const struct lb_pool *pool,
		 struct choice *choice, struct lb_backend **backend)
{
	/* Apart, so that the common packet's choice may live in registers. */
	struct choice said = {};
	int verdict;

	said.slot = choice->slot;
	said.word = choice->word;
	said.entry_age = ~0U;
	verdict = pick_remembered(packet, pool_index, pool, &said);
	choice_take(choice, &said);
	if (verdict != LB_CONTINUE)
		return verdict == LB_DROP_NO_BACKEND ? LB_DROP_NO_BACKEND : LB_DROP_INTERNAL;
	*backend = bpf_map_lookup_elem(&backends, &said.index);
	return *backend ? LB_CONTINUE : LB_DROP_INTERNAL;
}

/* LB_CONTINUE: `choice` and `*backend` say where to. */
static __always_inline enum lb_verdict pick(const struct packet *packet, __u32 pool_index,
					    struct choice *choice, struct lb_backend **backend)
{
	const struct lb_pool *pool = bpf_map_lookup_elem(&pools, &pool_index);
	__u32 owner;
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
	if (choice->word & LB_SLOT_CHANGED || pool->client_timeout ||
	    pool->flags & (LB_POOL_TRACK_ALWAYS | LB_POOL_PINS))
		return pick_with_memory(packet, pool_index, pool, choice, backend);
	owner = LB_SLOT_OWNER(choice->word);
	*backend = bpf_map_lookup_elem(&backends, &owner);
	return *backend && choose_known(choice, owner, LOAD_ONCE((*backend)->status), LB_BY_SLOT)
		       ? LB_CONTINUE
		       : LB_DROP_NO_BACKEND;
}

#endif
