/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* what is said of single packets: dry runs and traces. Part of lb_abi.h. */
#ifndef LB_ABI_TRACE_H
#define LB_ABI_TRACE_H

#include "abi_base.h"

/* ---- what a dry run of the program says of its packet, for `lbctl flow lookup` ---- */

struct lb_explanation {
	__u32 verdict;
	__u32 service;
	__u32 pool;
	__u32 slot;
	__u32 slot_word;
	__u32 backend;
	__u32 decided_by;
	__u32 entry_age; /* ticks since the flow's entry was seen; ~0: no entry */
};

/* ---- trace: single packets as they pass, see bpf/trace.h ---- */

enum {
	LB_TRACE_FRAME = 128,          /* bytes of a frame that are shown */
	LB_TRACE_RING_SIZE = 1 << 20,  /* bytes of events that nobody has fetched yet */
	LB_TRACE_BURST_NS = 125000000, /* what a CPU may show at once of what it may in a while */
	LB_TRACE_RATE_MAX = 10000,     /* events of a CPU in a second */
};

/* What has to be true of a packet that is shown. Zero: anything is. */
struct lb_trace_filter {
	union lb_addr address; /* source or destination, masked */
	union lb_addr mask;
	__u64 verdicts; /* bit v: those of verdict v */
	__u32 service;
	__u32 backend;
	__be16 port; /* source or destination */
	__u8 family; /* of the address */
	__u8 proto;  /* IPPROTO_TCP and so on */
	__u32 unused;
};

/* One of an installation. lbd writes the rest while until_ns is zero. */
struct lb_trace {
	__u64 until_ns; /* CLOCK_MONOTONIC; 0: off. lbd puts it off as long as somebody listens */
	__u64 interval_ns; /* between events of a CPU */
	__u32 id;          /* of this trace, in its events */
	__u32 unused;
	struct lb_trace_filter filter;
};

enum lb_trace_flag {
	LB_TRACE_SYN = 1 << 0,     /* SYN without ACK */
	LB_TRACE_CLOSING = 1 << 1, /* FIN or RST */
	LB_TRACE_RESET = 1 << 2,   /* RST */
	LB_TRACE_QUOTED = 1 << 3,  /* an ICMP error; the flow is that of the packet it quotes */
	LB_TRACE_FRAGMENT = 1 << 4,
};

struct lb_trace_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 trace;   /* lb_trace.id */
	__u32 ifindex; /* that it came in by */
	struct lb_explanation said;
	union lb_addr source; /* IPv4 with twelve zero bytes behind */
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 family; /* 0: none is known, and nothing of the flow */
	__u8 proto;
	__u8 flags; /* enum lb_trace_flag */
	__u8 unused;
	__u32 length;               /* of the frame */
	__u32 captured;             /* bytes of `frame` */
	__u8 frame[LB_TRACE_FRAME]; /* its beginning, as it came in */
};

/* Of each CPU. */
struct lb_trace_cpu {
	struct lb_trace_event event; /* the one that is being made */
	__u64 due_ns;                /* until when its events have used up its rate */
	__u64 limited; /* packets not shown for the rate; only grows, as do the next */
	__u64 lost;    /* events that found no room in the ring */
};

_Static_assert(LB_VERDICT_COUNT <= 64, "lb_trace_filter.verdicts has a bit for each");

LB_ASSERT_SIZE(struct lb_explanation, 32);
LB_ASSERT_SIZE(struct lb_trace_filter, 56);
LB_ASSERT_SIZE(struct lb_trace, 80);
LB_ASSERT_SIZE(struct lb_trace_event, 224);
LB_ASSERT_OFFSET(struct lb_trace_event, said, 16);
LB_ASSERT_OFFSET(struct lb_trace_event, frame, 96);
LB_ASSERT_SIZE(struct lb_trace_cpu, 248);

#endif
