/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer_nft: the lane's packets through the kernel's own stack, where tests/bench/run has put a
 * table of nftables that sends them to backends by a hash (DNAT), as a peer of the balancer.
 */
#ifndef BENCH_PEER_NFT_H
#define BENCH_PEER_NFT_H

#include "measure.h"

enum { PEER_NFT_RESULTS = 4 };

/* The rows whose names `wanted` takes; says what is skipped, and why. Returns how many. */
int peer_nft_measure(const struct measure *measure, struct result *results,
		     bool (*wanted)(const char *name));

#endif
