/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hash: flow or client to a number, keyed with the site's secret. No maps.
 *
 * Multilinear-HM (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): with secret
 * random 64-bit keys the high half of
 *	k0 + (k1 + w1)(k2 + w2) + (k3 + w3)(k4 + w4) + ...   mod 2^64
 * over 32-bit words is strongly universal: two inputs chosen without knowing the keys collide as if
 *by chance. That is the promise needed against someone who aims at one backend, for half the price
 *of a cryptographic hash. A bijection on top scatters arithmetic progressions (consecutive ports).
 */
#ifndef LB_HASH_H
#define LB_HASH_H

#include "env.h"

static __always_inline __u32 hash_finish(__u64 sum)
{
	__u32 hash = sum >> 32;

	hash ^= hash >> 16;
	hash *= 0x9e3779b1U; /* odd: a bijection */
	hash ^= hash >> 15;
	return hash;
}

static __always_inline __u64 hash_pair(__u32 pair, __u32 first, __u32 second)
{
	return (hash_keys[2 * pair + 1] + first) * (hash_keys[2 * pair + 2] + second);
}

/* The two ports as one word; `ports` points to the source port, the destination port follows. */
static __always_inline __u32 hash_ports(const __be16 *ports)
{
	return (__u32)ports[0] << 16 | ports[1];
}

static __always_inline __u32 hash_flow_v4(const struct lb_flow_key_v4 *flow)
{
	return hash_finish(hash_keys[0] + hash_pair(0, flow->source, flow->destination) +
			   hash_pair(1, hash_ports(&flow->source_port), flow->proto));
}

static __always_inline __u32 hash_flow_v6(const struct lb_flow_key_v6 *flow)
{
	const __be32 *source = flow->source.v6, *destination = flow->destination.v6;

	return hash_finish(hash_keys[0] + hash_pair(0, source[0], source[1]) +
			   hash_pair(1, source[2], source[3]) +
			   hash_pair(2, destination[0], destination[1]) +
			   hash_pair(3, destination[2], destination[3]) +
			   hash_pair(4, hash_ports(&flow->source_port), flow->proto));
}

static __always_inline __u32 hash_client_v4(__be32 masked)
{
	return hash_finish(hash_keys[0] + hash_pair(0, masked, 4));
}

static __always_inline __u32 hash_client_v6(const __be32 masked[4])
{
	return hash_finish(hash_keys[0] + hash_pair(0, masked[0], masked[1]) +
			   hash_pair(1, masked[2], masked[3]));
}

/* Hash to an index below `size`, evenly, without a division. */
static __always_inline __u32 hash_reduce(__u32 hash, __u32 size)
{
	return (__u64)hash * size >> 32;
}

#endif
