/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * traffic: what the benchmark's packet programs (bench.bpf.c) and lane.c agree on. Knows nothing
 * of the balancer.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <linux/types.h>

enum bench_size {
	BENCH_FRAME_V4 = 64,
	BENCH_FRAME_V6 = 80, /* the least that holds the headers in whole 64-bit words */
	BENCH_FRAME_MAX = BENCH_FRAME_V6,
	/* Less than the 33 tail calls that the kernel allows one run of a program. */
	BENCH_LOOP = 32,
};

/* What the generator sends; userspace writes it between runs. */
struct bench_traffic {
	__u8 frame[BENCH_FRAME_MAX]; /* of every flow, but for source address, port and checksum */
	__u32 family;
	__u32 flows;
	__u32 checksum; /* IPv4: sum of the header's 16-bit words, without source and checksum */
	__u32 in_order; /* 1: flow after flow, to meet each; 0: at random, as traffic comes */
	/* What becomes of a frame if all goes well. */
	__u32 action;
	__u32 length;
	__be16 ethertype;
	__u8 outer_proto; /* of the first IP header */
	__u8 unused[5];
};

/* How many frames came out as struct bench_traffic says, and how many did not. */
struct bench_seen {
	__u64 good;
	__u64 other;
};

_Static_assert(sizeof(struct bench_traffic) % 8 == 0, "64-bit words");

#endif
