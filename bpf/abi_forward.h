/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* backends, probes and NAT: part of lb_abi.h. */
#ifndef LB_ABI_FORWARD_H
#define LB_ABI_FORWARD_H

#include "abi_base.h"

/* ---- forward: backend ---- */

enum lb_forward {
	LB_FORWARD_NONE,
	LB_FORWARD_L2,
	LB_FORWARD_IPIP_V4, /* in an IPv4 header */
	LB_FORWARD_IPIP_V6,
	LB_FORWARD_GUE_V4, /* in UDP over IPv4 */
	LB_FORWARD_GUE_V6,
	LB_FORWARD_NAT_V4, /* the backend's address is an IPv4 one, whatever the client's */
	LB_FORWARD_NAT_V6,
};

/* The low half of lb_backend.status. */
enum lb_backend_flag {
	/* May be given packets: ready, draining, or down under `keep`. */
	LB_BACKEND_USABLE = 1 << 0,
	/* May be given new flows of clients that it has: ready, or draining for `clients`. */
	LB_BACKEND_TAKES_CLIENTS = 1 << 1,
	/* NAT: is to see outer_source as its client. */
	LB_BACKEND_SNAT = 1 << 2,
	/* NAT: outer_source is an address of the host, which hands out ports of it, too. */
	LB_BACKEND_HOST_SOURCE = 1 << 3,
};

#define LB_STATUS(incarnation, forward, flags)                                                     \
	((__u64)(incarnation) << 32 | (__u64)(forward) << 8 | (flags))
#define LB_STATUS_INCARNATION(status) ((__u32)((status) >> 32))
#define LB_STATUS_FORWARD(status)     ((__u32)((status) >> 8 & 0xff))

/*
 * All that forwarding a packet needs, in one cache line. The controller stores each 64-bit word
 * whole. Next hop fields of two words may be seen from before and after a change of route; the
 * packet is then lost with the old route, as it would have been anyway.
 */
struct lb_backend {
	/* Incarnation, enum lb_forward, enum lb_backend_flag: one store, so that a backend that
	 * goes down takes its entries with it. The incarnation grows with each step to "not
	 * usable". */
	__u64 status;
	__u8 destination_mac[6]; /* next hop */
	__u16 counter;      /* offset in each of its pool's services' runs of counters, from 1 */
	__u8 source_mac[6]; /* of the egress interface */
	__u16 mtu;          /* of the route, for the outer packet; L3 bytes */
	__u32 ifindex;      /* egress */
	__u16 source_bits;  /* low bits of outer_source that vary by flow, 0 to 32 */
	/* gue: destination port of the outer UDP header. NAT: of the backend; 0: the one that the
	 * client sent to. */
	__be16 port;
	union lb_addr outer_destination;
	union lb_addr outer_source; /* the varying bits are zero */
};

/* ---- probes: checks through the tunnel, see bpf/probe.bpf.c ---- */

/*
 * What lbd marks a probe's socket with, and by what the program knows what to do: eight bits that
 * say it is ours, eight that tell instances of one host apart (LB_PROBE_MARK of a hash of theirs),
 * one for a packet that is to have no outer header, and the backend's index. Taken off before the
 * packet leaves.
 */
#define LB_PROBE_MARK_OURS  0x4c000000U /* 'L' */
#define LB_PROBE_MARK(hash) (LB_PROBE_MARK_OURS | ((hash)&0xff) << 16)
#define LB_PROBE_MARK_MASK  0xffff0000U
#define LB_PROBE_PLAIN      0x8000U
#define LB_PROBE_INDEX_MASK 0x7fffU

/* What became of a probe's packet. X(name, text): the text goes on from "the probe's packets ". */
#define LB_PROBE_ENDS(X)                                                                           \
	X(SENT, "went into the tunnel")                                                            \
	X(NO_BACKEND, "were dropped: the data plane has no such backend")                          \
	X(NO_HOP, "were dropped: the backend has no next hop")                                     \
	X(TOO_BIG, "were dropped: they do not fit the path to the backend once encapsulated")      \
	X(INTERNAL, "were dropped: the program could not make the outer header")

enum lb_probe_end {
#define LB_PROBE_END_ENUM(name, text) LB_PROBE_##name,
	LB_PROBE_ENDS(LB_PROBE_END_ENUM)
#undef LB_PROBE_END_ENUM
		LB_PROBE_END_COUNT
};

/* Packets of probes of one backend, by what became of them. */
struct lb_probe {
	__u64 ends[LB_PROBE_END_COUNT];
};

/* ---- forward: NAT ---- */

/*
 * A NAT flow has two entries. The one under the client's tuple (lb_flow_key of packets from the
 * client) says what is made of them; the one under the backend's tuple (lb_flow_key of packets from
 * the backend, in the backend's family) says whose they are, and claims the port that tells flows
 * apart. The flow's entry is the one that is counted and judged; the return goes with it.
 */

/* Where a client's packets came from, and its answers go: no route is looked up for them. */
struct lb_nat_hop {
	__u32 ifindex;
	__u8 peer_mac[6]; /* of the client, or of the router before it */
	__u8 own_mac[6];
};

/* Backend and port belong together: one store. */
#define LB_NAT_TO(backend, port, incarnation)                                                      \
	((__u64)(incarnation) << 32 | (__u64)(__u16)(port) << 16 | (__u16)(backend))
#define LB_NAT_BACKEND(to)     ((__u32)(to)&0xffff)
#define LB_NAT_PORT(to)        ((__be16)((to) >> 16))
#define LB_NAT_INCARNATION(to) ((__u32)((to) >> 32))

struct lb_nat_flow {
	__u64 to;   /* LB_NAT_TO; the port is the source port that the backend sees */
	__u32 seen; /* tick of the client's last packet; LB_DOOMED as in struct lb_flow */
	__u16 pool;
	__u8 state;           /* enum lb_flow_state, by the client's packets */
	__u8 family;          /* of the backend, and of `source` */
	union lb_addr source; /* that the backend sees */
	struct lb_nat_hop hop;
};

struct lb_nat_return {
	__u32 seen;  /* tick of the backend's last packet; LB_DOOMED likewise */
	__u8 state;  /* enum lb_flow_state, by the backend's packets */
	__u8 family; /* of the client, and of the VIP */
	__be16 client_port;
	__be16 vip_port;
	__u16 unused;
	union lb_addr client;
	union lb_addr vip;
	struct lb_nat_hop hop;
};

/* By backend: new flows that were refused because every port was taken. */
struct lb_nat_pressure {
	__u64 refused;
	__u64 last_ns; /* CLOCK_MONOTONIC, when a search for a port last failed */
};

LB_ASSERT_SIZE(struct lb_backend, 64);
LB_ASSERT_OFFSET(struct lb_backend, destination_mac, 8);
LB_ASSERT_OFFSET(struct lb_backend, source_mac, 16);
LB_ASSERT_OFFSET(struct lb_backend, ifindex, 24);
LB_ASSERT_OFFSET(struct lb_backend, port, 30);
LB_ASSERT_OFFSET(struct lb_backend, outer_destination, 32);
LB_ASSERT_OFFSET(struct lb_backend, outer_source, 48);
LB_ASSERT_SIZE(struct lb_probe, 40);
LB_ASSERT_SIZE(struct lb_nat_flow, 48);
LB_ASSERT_OFFSET(struct lb_nat_flow, source, 16);
LB_ASSERT_SIZE(struct lb_nat_return, 60);
LB_ASSERT_SIZE(struct lb_nat_pressure, 16);

#endif
