/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_scratch: what NAT works on while it handles a packet: more than the stack has room for.
 */
#ifndef LB_NAT_SCRATCH_H
#define LB_NAT_SCRATCH_H

#include "env.h"
#include "nat_table.h"

/* What a flow that has no entries, or others, is to get. */
struct nat_request {
	__u32 backend;
	__u32 pool;
	__u64 status; /* of the backend */
	__u32 entropy;
	__u32 now;
	struct lb_nat_hop hop;
};

/* What a packet is to say instead. */
struct rewrite {
	union lb_addr source;
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u16 mtu; /* of the way out, L3 bytes; 0: not known */
	__u8 family;
	bool keeps_source; /* an error in the same family: who sent it stays */
	__u8 destination_mac[6];
	__u8 source_mac[6];
};

struct nat_search {
	union nat_key key; /* with the port that was found, or tried last */
	struct lb_nat_return value;
	__u32 entropy;
	__u16 hole_first, hole_count; /* ports that are not given out */
	__be16 own_port;              /* the client's, tried first */
	__u8 family;                  /* of the backend */
	bool own_fits;
	bool found;
	bool full; /* the table is */
};

/* A sum over the frame, a chunk at a time. */
enum { NAT_SUM_CHUNK = 32 };

struct nat_sum {
	__u64 sum;
	__u32 words[NAT_SUM_CHUNK / 4];
	__u32 offset; /* in the frame */
	__u32 left;   /* bytes */
};

/* What is read of an error before its headers are replaced. */
struct nat_old {
	__u64 message;       /* as nat_error_word has it */
	__u32 quote_size;    /* of the quoted IP header */
	__u32 quote_payload; /* that it speaks of */
	__u32 length;        /* of the message, as it is then */
	__u8 quote_hops;
	__u8 quote_class;
};

/*
 * What the search for a port and the rewriting work on: more than the stack has room for. One
 * packet at a time on each CPU. Never pinned.
 */
struct nat_scratch {
	struct nat_request request;
	struct nat_search search;
	struct lb_nat_flow flow;
	struct rewrite to;
	struct nat_sum sum;
	struct nat_old old;
	__u32 ifindex; /* where a backend's answer leaves */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_scratch);
} nat_scratches SEC(".maps");

static __always_inline struct nat_scratch *nat_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nat_scratches, &zero);
}

#endif
