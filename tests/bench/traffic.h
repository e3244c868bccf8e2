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
	BENCH_FRAME_V6 = 88, /* the least that holds the headers in whole 64-bit words */
	BENCH_FRAME_MAX = BENCH_FRAME_V6,
	/* Less than the 33 tail calls that the kernel allows one run of a program. */
	BENCH_LOOP = 32,
	BENCH_CPUS = 64, /* generators at a time; a power of two */
};

/* What the generator sends; userspace writes it between runs. */
struct bench_traffic {
	__u8 frame[BENCH_FRAME_MAX]; /* of every flow, but for addresses, port and checksum */
	__u32 family;                /* of the frame's size */
	__u32 flows;                 /* 0: the frame as it stands */
	__u32 services; /* IPv4: addresses from the frame's on, flows spread over them */
	__u32 checksum; /* IPv4: sum of the header's 16-bit words, without addresses and checksum */
	__u32 in_order; /* 1: flow after flow, to meet each; 0: at random, as traffic comes */
	/* What becomes of a frame if all goes well. */
	__u32 action;
	__u32 length;
	__be16 ethertype;
	__u8 outer_proto; /* of the first IP header */
	__u8 unused;
};

/* Where a CPU's generator is. A cache line each. */
struct bench_state {
	__u64 random;
	__u32 position;
	__u32 unused[13];
};

/* How many frames came out as struct bench_traffic says, and how many did not. */
struct bench_seen {
	__u64 good;
	__u64 other;
};

_Static_assert(sizeof(struct bench_traffic) % 8 == 0, "64-bit words");
_Static_assert(sizeof(struct bench_state) == 64, "a cache line");

#endif
