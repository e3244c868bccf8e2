/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * choice: which backend was chosen for a packet, and what it is judged by on the way there. Shared
 * by pick.h and the files it is made of.
 */
#ifndef LB_CHOICE_H
#define LB_CHOICE_H

#include "client_table.h"
#include "env.h"
#include "flow_table.h"
#include "parse.h"
#include "slot.h"

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

#endif
