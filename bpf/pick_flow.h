/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pick_flow: what a packet does in a changed slot, where its flow's entries decide: rules numbered
 * for SYNs, for other TCP packets and for datagrams. Called by pick.h.
 */
#ifndef LB_PICK_FLOW_H
#define LB_PICK_FLOW_H

#include "choice.h"
#include "env.h"
#include "flow_table.h"
#include "parse.h"
#include "slot.h"

/* How far after a SYN's sequence number a packet may lie that belongs to it: more than what a first
 * flight carries, and one in 32,768 for a number that was guessed. */
enum { SEQUENCE_WINDOW = 1 << 17 };

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

#endif
