/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frame: what packets look like that the benchmark sends, and how they are to come back. Pure.
 * Neighbours: lane.c, which sends them.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "../../user/addr.h"
#include "traffic.h"

enum frame_kind {
	FRAME_ACK, /* a TCP segment of an established flow */
	FRAME_SYN,
	FRAME_RST,
	FRAME_UDP,
	/* The rest come as they stand, all of one source. */
	FRAME_ICMP, /* neither an error nor an echo */
	FRAME_NOT_IP,
	FRAME_FIRST_FRAGMENT, /* IPv4 */
	FRAME_OPTIONS,        /* IPv4 */
	FRAME_LONE_FRAGMENT,  /* IPv6: a fragment header, and yet the whole packet */
};

enum frame_outcome {
	FRAME_SENT_BACK, /* as long as it came */
	FRAME_IPIP_V4,   /* sent back in an outer IPv4 header */
	FRAME_IPIP_V6,
	FRAME_GUE_V4,
	FRAME_PASSED, /* to the kernel; the loop only */
};

/* Packets from `flows` sources to one destination, or to `services` addresses from that one on. */
struct frame_traffic {
	enum frame_kind kind;
	struct addr destination;
	uint16_t port;
	uint32_t flows;
	uint32_t services; /* 0 is 1; IPv4 */
	bool in_order;     /* flow after flow from `first`, instead of at random */
	uint32_t first;
	enum frame_outcome outcome;
};

void frame_write(struct bench_traffic *out, const struct frame_traffic *traffic);

#endif
