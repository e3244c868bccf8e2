/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer_kernel: the lane's packets through the kernel's own stack, where tests/bench/run has put a
 * balancer of the kernel's, as a peer of ours: a table of nftables that sends flows to backends by
 * a hash (DNAT), or a service of IPVS that does by Maglev's (in IPIP).
 */
#ifndef BENCH_PEER_KERNEL_H
#define BENCH_PEER_KERNEL_H

#include "measure.h"

enum { PEER_KERNEL_RESULTS = 8 };

/* The rows whose names `wanted` takes; says what is skipped, and why. Returns how many. */
int peer_kernel_measure(const struct measure *measure, struct result *results,
			bool (*wanted)(const char *name));

#endif
