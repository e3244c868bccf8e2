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
 */
#ifndef LB_PICK_H
#define LB_PICK_H

#include "client_table.h"
#include "env.h"
#include "flow_table.h"
#include "hash.h"
#include "parse.h"
#include "pin_table.h"
#include "slot.h"

/* How far after a SYN's sequence number a packet may lie that belongs to it: more than what a first
 * flight carries, and one in 32,768 for a number that was guessed. */
enum { SEQUENCE_WINDOW = 1 << 17 };

/* How a pair is to be judged. */
enum pick_term {
	PICK_BY_ENTRIES = 1 << 0,   /* entries decide where there are some */
	PICK_ALWAYS = 1 << 1,       /* and are made though the pair would do */
	PICK_OF_CLIENT = 1 << 2,    /* its owner is a client's, not a slot's */
	PICK_CLIENT_TIMES = 1 << 3, /* its times are those of a record, which may be a new one */
	PICK_PINNED = 1 << 4,       /* its owner is a pin's: its times tell of another owner */
};

/* Numbers alone, because functions that are verified alone read and fill it. */
struct choice {
	__u64 status;  /* the backend's, as it was when it was chosen */
	__u32 index;   /* of the backend */
	__u32 entropy; /* varies by flow, for what shall spread by flow */
	__u32 slot;
	__u32 word;         /* of the slot or the client: the pair the packet was judged by */
	__u32 entry_age;    /* ticks; ~0: no entry was used */
	__u32 decided_by;   /* enum lb_decided_by */
	__u32 new_udp_flow; /* which only a pool that tracks every flow can tell */
	/* From pick_pair to pick_changed. */
	__u32 terms; /* enum pick_term */
	__u32 since; /* struct pair's */
};

/* What a packet is judged by in a changed slot. */
struct judgement {
	const struct lb_pool *pool;
	__u32 pool_index;
	__u32 now;
	struct pair pair;
	/* Entries of the flow, live or not, and whether they are live. */
	struct lb_birth *birth;
	struct lb_flow *flow;
	bool birth_live;
	bool flow_live;
	bool always;
};

/* The status in `choice` is what is known of the backend; a pointer to it would make the verifier
 * tell apart which of many look-ups it came from. */
static __always_inline bool choose_known(struct choice *choice, __u32 index, __u64 status,
					 enum lb_decided_by by)
{
	if (!index || !(status & LB_BACKEND_USABLE))
		return false;
	choice->status = status;
	choice->index = index;
	choice->entry_age = ~0U;
	choice->decided_by = by;
	return true;
}

/* Chooses the backend if that is usable. */
LB_VERIFIED_ALONE int choose(struct choice *choice, __u32 index, enum lb_decided_by by)
{
	return choice && choose_known(choice, index, backend_status(index), by);
}

static __always_inline bool choose_owner(struct choice *choice, const struct judgement *j)
{
	return choose(choice, j->pair.owner, j->pair.client ? LB_BY_CLIENT : LB_BY_SLOT);
}

static __always_inline bool choose_fallback(struct choice *choice, const struct judgement *j)
{
	return choose(choice, j->pair.fallback, LB_BY_FALLBACK);
}

static __always_inline bool choose_entry(struct choice *choice, const struct lb_flow *entry,
					 __u32 now)
{
	__s32 age;

	if (!choose(choice, entry->backend, LB_BY_FLOW))
		return false;
	age = entry_age(entry->seen, now);
	/* Another CPU may have seen the flow a tick later. */
	choice->entry_age = age < 0 ? 0 : age;
	return true;
}

static __always_inline void note(enum lb_note what)
{
	__u32 index = what;
	__u64 *count = bpf_map_lookup_elem(&notes, &index);

	if (count && !read_only)
		++*count;
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

/* ---- entries ---- */

/* Looks for the flow's entries. A flow entry without the flag speaks alone for all but a SYN. */
static __always_inline void recall(const struct packet *packet, struct judgement *j)
{
	j->flow = flow_find(packet);
	j->flow_live =
		j->flow && entry_live(j->flow, j->pool_index, j->pool, packet->proto, j->now);
	if (j->flow_live && !(j->flow->flags & LB_FLOW_REBORN) && !packet->syn)
		return;
	j->birth = birth_find(packet);
	j->birth_live = j->birth &&
			entry_live(&j->birth->flow, j->pool_index, j->pool, packet->proto, j->now);
}

static __always_inline bool is_confirmed(const struct judgement *j)
{
	return j->birth_live && j->birth->flow.state != LB_FLOW_OPENING;
}

/* After a FIN acknowledgements still follow, after a reset nothing does: a flow that goes on was
 * not closed by it. The reset was forged, or meant an earlier life of the flow. */
static __always_inline __u8 state_after(const struct packet *packet, __u8 state)
{
	if (state == LB_FLOW_CLOSING)
		return state;
	if (packet->closing)
		return packet->reset ? LB_FLOW_RESET : LB_FLOW_CLOSING;
	return LB_FLOW_OPEN;
}

/* A birth that names the chosen backend. False if none can be written. */
static __always_inline bool bear(const struct packet *packet, const struct judgement *j,
				 const struct choice *choice)
{
	struct lb_birth birth = {
		.flow = {.seen = j->now,
			 .incarnation = LB_STATUS_INCARNATION(choice->status),
			 .backend = choice->index,
			 .pool = j->pool_index,
			 .state = packet->syn ? LB_FLOW_OPENING : LB_FLOW_OPEN},
		.sequence = packet->syn ? packet->sequence : 0,
	};

	if (!birth_put(packet, j->birth, &birth))
		return false;
	if (j->flow_live && !read_only)
		j->flow->flags |= LB_FLOW_REBORN;
	return true;
}

/* A flow entry that names the chosen backend. False if none can be written. */
static __always_inline bool record(const struct packet *packet, const struct judgement *j,
				   const struct choice *choice, __u8 state, __u8 flags)
{
	struct lb_flow flow = {
		.seen = j->now,
		.incarnation = LB_STATUS_INCARNATION(choice->status),
		.backend = choice->index,
		.pool = j->pool_index,
		.state = state_after(packet, state),
		.flags = flags,
	};

	return flow_put(packet, j->flow, &flow);
}

/* The flow goes on with its live birth, which is copied. Where that finds no room it serves on. */
static __always_inline enum lb_verdict pick_birth(const struct packet *packet, struct judgement *j,
						  struct choice *choice)
{
	__u8 state = state_after(packet, j->birth->flow.state);

	if (!choose_entry(choice, &j->birth->flow, j->now))
		return LB_DROP_NO_BACKEND;
	entry_refresh(&j->birth->flow, state, j->now);
	record(packet, j, choice, state, 0);
	return LB_CONTINUE;
}

/* The flow goes on with its live flow entry. */
static __always_inline enum lb_verdict pick_flow(const struct packet *packet, struct judgement *j,
						 struct choice *choice)
{
	if (!choose_entry(choice, j->flow, j->now))
		return LB_DROP_NO_BACKEND;
	entry_refresh(j->flow, state_after(packet, j->flow->state), j->now);
	return LB_CONTINUE;
}

/* ---- TCP, SYN without ACK ---- */

/* Where the flow goes if nothing can be written, and where its later packets go anyway. */
static __always_inline bool choose_default(struct choice *choice, const struct judgement *j)
{
	if (j->flow_live && choose_entry(choice, j->flow, j->now))
		return true;
	return choose_fallback(choice, j) || choose_owner(choice, j);
}

/* The flow gets no birth: its later packets have to find the default as this one does. */
static __always_inline void stay_default(struct judgement *j, const struct choice *choice)
{
	if (j->flow_live)
		/* A new life with old ports is not closing, whatever the last one was. */
		entry_refresh(j->flow, LB_FLOW_OPEN, j->now);
	else if ((j->pair.owner != j->pair.fallback || choice->terms & PICK_PINNED) &&
		 choice->decided_by == LB_BY_FALLBACK)
		time_note(&j->pair.times->used, j->now);
}

static __always_inline enum lb_verdict pick_syn(const struct packet *packet, struct judgement *j,
						struct choice *choice)
{
	bool unconfirmed = j->birth_live && !is_confirmed(j);
	__u32 fixed;

	/* 1. A live confirmed birth and no live flow entry: its backend. */
	if (is_confirmed(j) && !j->flow_live) {
		if (!choose_entry(choice, &j->birth->flow, j->now))
			return LB_DROP_NO_BACKEND;
		entry_refresh(&j->birth->flow, LB_FLOW_OPEN, j->now);
		return LB_CONTINUE;
	}
	/* 2. The default, and the choice: a repeated SYN goes where the first one went. */
	if (!choose_default(choice, j))
		return LB_DROP_NO_BACKEND;
	fixed = choice->index;
	if (!(j->birth_live && j->birth->sequence == packet->sequence &&
	      choose_entry(choice, &j->birth->flow, j->now)))
		choose_owner(choice, j);
	/* 3. The same: nothing needs to be written. */
	if (choice->index == fixed && !unconfirmed &&
	    (!j->always || j->flow_live || j->birth_live)) {
		stay_default(j, choice);
		return LB_CONTINUE;
	}
	/* 4. Else a birth; where none can be written, the live birth's backend or the default. */
	if (bear(packet, j, choice))
		return LB_CONTINUE;
	if (!j->birth_live || !choose_entry(choice, &j->birth->flow, j->now)) {
		choose_default(choice, j);
		stay_default(j, choice);
	}
	time_note(&j->pair.times->full, j->now);
	note(LB_NOTE_NEW_FLOW_UNTRACKED);
	return LB_CONTINUE;
}

/* ---- TCP, everything else ---- */

static __always_inline bool is_birth_of(const struct packet *packet, const struct lb_birth *birth)
{
	return packet->sequence - birth->sequence <= SEQUENCE_WINDOW;
}

static __always_inline enum lb_verdict pick_established(const struct packet *packet,
							struct judgement *j, struct choice *choice)
{
	/* 1. A live birth that is confirmed, or becomes so. */
	if (is_confirmed(j) || (j->birth_live && is_birth_of(packet, j->birth)))
		return pick_birth(packet, j, choice);
	/* A reset after the SYN: a backend that takes the SYN for part of a connection it still
	 * has asks the client, whose reset, with numbers of that connection, clears the way (RFC
	 * 5961, section 4.2). Nothing is learnt from it. */
	if (j->birth_live && packet->reset)
		return choose_entry(choice, &j->birth->flow, j->now) ? LB_CONTINUE
								     : LB_DROP_NO_BACKEND;
	/* 2. A live flow entry. */
	if (j->flow_live)
		return pick_flow(packet, j, choice);
	/* 3. The fallback, recorded where that tells more than the slot; else the owner. */
	if (!choose_fallback(choice, j))
		return choose_owner(choice, j) ? LB_CONTINUE : LB_DROP_NO_BACKEND;
	if (j->pair.owner == j->pair.fallback && !j->always)
		return LB_CONTINUE;
	if (!record(packet, j, choice, LB_FLOW_OPEN,
		    LB_FLOW_RECORDED | (j->birth_live ? LB_FLOW_REBORN : 0))) {
		time_note(&j->pair.times->used, j->now);
		note(LB_NOTE_OLD_FLOW_UNTRACKED);
	}
	return LB_CONTINUE;
}

/* ---- UDP: nothing in a datagram says whether its flow is new ---- */

static __always_inline enum lb_verdict pick_datagram(const struct packet *packet,
						     struct judgement *j, struct choice *choice)
{
	__u32 idle = j->pool->idle_udp, since;

	/* 1. A live birth or flow entry. */
	if (j->birth_live)
		return pick_birth(packet, j, choice);
	if (j->flow_live)
		return pick_flow(packet, j, choice);
	choice->new_udp_flow = j->always;
	/* 2. Owner and fallback the same. */
	if (j->pair.owner == j->pair.fallback && !j->always)
		return choose_owner(choice, j) ? LB_CONTINUE : LB_DROP_NO_BACKEND;
	since = j->pair.since ? j->pair.since : j->pair.times->since;
	/* 3. The fallback while old flows without an entry may live; then the owner. */
	if (!((time_recent(since, j->now, idle) ||
	       time_recent(j->pair.times->full, j->now, idle)) &&
	      choose_fallback(choice, j)) &&
	    !choose_owner(choice, j) && !choose_fallback(choice, j))
		return LB_DROP_NO_BACKEND;
	if (bear(packet, j, choice))
		return LB_CONTINUE;
	if (choose_fallback(choice, j))
		time_note(&j->pair.times->used, j->now);
	time_note(&j->pair.times->full, j->now);
	note(LB_NOTE_NEW_FLOW_UNTRACKED);
	return LB_CONTINUE;
}

/* ---- the way to them ---- */

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

/* ---- what speaks of a flow, and is none of its packets ---- */

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
