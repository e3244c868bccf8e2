/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pools, slots, flow tables, clients and pins: part of lb_abi.h. */
#ifndef LB_ABI_PICK_H
#define LB_ABI_PICK_H

#include "abi_base.h"

/* ---- pick: pool, slot, flow tables, clients ---- */

enum lb_pool_flag {
	LB_POOL_SOURCE = 1 << 0,       /* affinity by source address, not 5-tuple */
	LB_POOL_TRACK_ALWAYS = 1 << 1, /* an entry for each flow, settled slot or not */
	LB_POOL_UNSETTLED = 1 << 2,    /* some slot is changed: only sweeps read this */
	LB_POOL_PINS = 1 << 3,         /* `pins_v4` or `pins_v6` have some of it */
};

struct lb_pool {
	/*
	 * Low 32 bits: the first slot, a multiple of LB_SLOT_BLOCK; high 32 bits: table size, 0 for
	 * a pool without a table yet. One aligned store switches a pool to another table.
	 */
	__u64 table;
	__u32 flags;    /* enum lb_pool_flag */
	__be32 mask_v4; /* of the source address, where affinity is by source */
	union lb_addr mask_v6;
	__u32 idle_tcp; /* ticks without a packet after which an entry is dead */
	__u32 idle_udp;
	__u32 idle_closing;   /* the same for half-open and closed TCP flows */
	__u32 client_timeout; /* ticks; 0: clients are not remembered */
	/* Of the pool's run in `slot_times`: element times_base + slot, whichever table is in
	 * force, so that a use noted while tables are swapped is not forgotten. */
	__u32 times_base;
	__u32 idle_longest; /* the longest of the idle times */
	__u32 client_life;  /* the longer of client_timeout and idle_longest */
	__u32 unused;
};

#define LB_TABLE(base, size) ((__u64)(size) << 32 | (base))
#define LB_TABLE_BASE(table) ((__u32)(table))
#define LB_TABLE_SIZE(table) ((__u32)((table) >> 32))

/*
 * A slot is one aligned word: two backend indices and a bit, so that a reader always sees a pair
 * that belongs together. Only the controller writes slots. A client's record holds such a pair too.
 *   owner: the backend that Maglev gives the slot now
 *   fallback: where the slot's established flows without an entry belong
 *   changed: owner and fallback differ, or a live entry may name another backend than they do
 */
#define LB_SLOT_INDEX_MASK 0x7fffU
#define LB_SLOT_CHANGED    (1U << 30)
#define LB_SLOT(owner, fallback, changed)                                                          \
	((__u32)(owner) | (__u32)(fallback) << 15 | ((changed) ? LB_SLOT_CHANGED : 0U))
#define LB_SLOT_OWNER(slot)    ((slot)&LB_SLOT_INDEX_MASK)
#define LB_SLOT_FALLBACK(slot) ((slot) >> 15 & LB_SLOT_INDEX_MASK)

/* Array elements are rounded up to eight bytes: a cache line of slots keeps each at four. */
struct lb_slot_block {
	__u32 slot[LB_SLOT_BLOCK];
};

struct lb_flow_key_v4 {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 proto;
	__u8 zero[3];
};

struct lb_flow_key_v6 {
	union lb_addr source;
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 proto;
	__u8 zero[3];
};

/*
 * When things last happened to a pair that is changed; in ticks, 0: never. The packet program and
 * the controller store whole words; a lost race between two stores of the same tick loses nothing.
 */
struct lb_times {
	__u32 since; /* the owner left the fallback */
	__u32 used;  /* a flow went to the fallback and no entry says so */
	__u32 full;  /* a new flow could not be given an entry */
	__u32 kept;  /* the pair was written, or a sweep read an entry naming another backend */
};

/* Ticks between the last write of a pair and a sweep that may settle it: no packet is under way for
 * as long as that with a pair that it read before. */
enum { LB_SETTLED_TICKS = 2 };

enum lb_flow_state {
	LB_FLOW_OPENING, /* births: a SYN was seen, and nothing that belongs to it */
	LB_FLOW_OPEN,
	LB_FLOW_CLOSING, /* FIN was seen */
	LB_FLOW_RESET,   /* RST was seen, and nothing since: else it closed nothing */
};

enum lb_flow_flag {
	LB_FLOW_REBORN = 1 << 0,   /* `births` may know of a later life of the flow */
	LB_FLOW_RECORDED = 1 << 1, /* an old flow, met at its fallback: counts against that quota */
};

/*
 * In `seen`, by a sweep; ticks need 30 bits for 36 years. Doomed: the entry is dead, and the next
 * sweep deletes it; until then it is no entry to anybody, but a packet that needs one in its place
 * takes it over. Claimed: it is being deleted.
 */
#define LB_DOOMED  0x80000000U
#define LB_CLAIMED 0x40000000U

/*
 * An entry of `flows`. It is live if it is not doomed, pool and incarnation match, its backend is
 * usable and `seen` is recent.
 */
struct lb_flow {
	__u32 seen; /* tick of the last packet, written only when it changes */
	__u32 incarnation;
	__u16 backend;
	__u16 pool;
	__u8 state; /* enum lb_flow_state */
	__u8 flags; /* enum lb_flow_flag */
	__u8 zero[2];
};

/* An entry of `births`: made by a SYN, and confirmed by a packet that belongs to it, or made by the
 * first datagram of a UDP flow. */
struct lb_birth {
	struct lb_flow flow;
	__u32 sequence; /* initial sequence number, host order; UDP: 0 */
};

/*
 * How many entries there are, as the quotas count them. Half of limits.flows is for TCP and half
 * for UDP, so that a flood of one leaves the other its room; and of each half at most half for
 * births and, with TCP, at most half for old flows that were recorded, so that neither SYNs alone
 * nor ACKs alone of strangers take all of it. Both at once can: then births find no room for their
 * copies, and serve without. Of NAT flows either protocol leaves the other a quarter.
 */
enum lb_quota {
	LB_QUOTA_TCP,
	LB_QUOTA_TCP_BIRTHS,
	LB_QUOTA_TCP_RECORDED,
	LB_QUOTA_UDP,
	LB_QUOTA_UDP_BIRTHS,
	LB_QUOTA_CLIENTS,
	LB_QUOTA_CLIENTS_NEW, /* of which no packet but the first was seen: perhaps forged */
	LB_QUOTA_NAT_TCP,
	LB_QUOTA_NAT_UDP,
	LB_QUOTA_COUNT
};

#define LB_QUOTAS(limits)                                                                          \
	{                                                                                          \
		[LB_QUOTA_TCP] = (limits)->flows / 2, [LB_QUOTA_TCP_BIRTHS] = (limits)->flows / 4, \
		[LB_QUOTA_TCP_RECORDED] = (limits)->flows / 4,                                     \
		[LB_QUOTA_UDP] = (limits)->flows / 2, [LB_QUOTA_UDP_BIRTHS] = (limits)->flows / 4, \
		[LB_QUOTA_CLIENTS] = (limits)->clients,                                            \
		[LB_QUOTA_CLIENTS_NEW] = (limits)->clients / 8,                                    \
		[LB_QUOTA_NAT_TCP] = (limits)->nat_flows - (limits)->nat_flows / 4,                \
		[LB_QUOTA_NAT_UDP] = (limits)->nat_flows - (limits)->nat_flows / 4,                \
	}

struct lb_usage {
	__u32 count[LB_QUOTA_COUNT];
	__u32 unused;
};

struct lb_client_key_v4 {
	__u32 pool;
	__be32 address; /* masked */
};

struct lb_client_key_v6 {
	__u32 pool;
	union lb_addr address; /* masked */
};

/*
 * A client's record: to its client it is what a slot is. The pair and the two incarnations are one
 * word, so that they change together, by compare-and-set. A backend whose incarnation is another
 * one by now went down since, and is to this client as if it were not usable.
 */
struct lb_client {
	__u64 pair; /* LB_CLIENT_PAIR */
	struct lb_times times;
	__u32 seen;  /* tick of the last packet; LB_DOOMED as in struct lb_flow */
	__u32 known; /* 0: only the first packet was seen */
};

#define LB_CLIENT_PAIR(word, owner_incarnation, fallback_incarnation)                              \
	((__u64)(word) | (__u64)((owner_incarnation)&0xffff) << 32 |                               \
	 (__u64)((fallback_incarnation)&0xffff) << 48)
#define LB_CLIENT_WORD(pair)                 ((__u32)(pair))
#define LB_CLIENT_OWNER_INCARNATION(pair)    ((__u16)((pair) >> 32))
#define LB_CLIENT_FALLBACK_INCARNATION(pair) ((__u16)((pair) >> 48))

/*
 * A client address that an operator sends to one backend for a while: see bpf/pin_table.h. Its key
 * is that of a client (struct lb_client_key_v4), with the address whole. In ticks; lbd writes all
 * but `off` and `kept`.
 */
struct lb_pin {
	__u32 backend; /* 0: it has been deleted */
	__u32 until;
	__u32 since; /* it was made, or given another backend */
	__u32 off;   /* a packet of the client last came while it was not in force; 0: never */
	__u32 kept;  /* a sweep last read an entry that the client's usual pair does not tell; 0:
			never */
	__u32 flags; /* enum lb_pin_flag */
};

enum lb_pin_flag { LB_PIN_TOLD = 1 << 0 /* that it is over */ };

enum { LB_PINS_MAX = 1024 /* of each family */ };

LB_ASSERT_SIZE(struct lb_pool, 64);
LB_ASSERT_OFFSET(struct lb_pool, mask_v6, 16);
LB_ASSERT_OFFSET(struct lb_pool, idle_tcp, 32);
LB_ASSERT_SIZE(struct lb_slot_block, 64);
LB_ASSERT_SIZE(struct lb_flow_key_v4, 16);
LB_ASSERT_SIZE(struct lb_flow_key_v6, 40);
LB_ASSERT_SIZE(struct lb_times, 16);
LB_ASSERT_SIZE(struct lb_flow, 16);
LB_ASSERT_SIZE(struct lb_birth, 20);
LB_ASSERT_SIZE(struct lb_usage, 40);
LB_ASSERT_SIZE(struct lb_client_key_v4, 8);
LB_ASSERT_SIZE(struct lb_client_key_v6, 20);
LB_ASSERT_SIZE(struct lb_client, 32);
LB_ASSERT_OFFSET(struct lb_client, times, 8);
LB_ASSERT_OFFSET(struct lb_client, seen, 24);
LB_ASSERT_SIZE(struct lb_pin, 24);

#endif
