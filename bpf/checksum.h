/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checksum: the Internet checksum (RFC 1071), and what becomes of one when a part of what it covers
 * is replaced (RFC 1624, equation 3). Arithmetic alone: no packet, no map.
 *
 * Sums are taken over 16 or 32 bits at a time in 64, in the order the bytes have in memory: neither
 * width nor order matters once the sum is folded. A difference is new minus old, as a sum; several
 * are added up before one is applied.
 */
#ifndef LB_CHECKSUM_H
#define LB_CHECKSUM_H

#include "env.h"

/* To 16 bits, carries added in. Any 64-bit sum. */
static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The difference that replacing what sums up to `old` by what sums up to `new` makes. */
static __always_inline __u64 checksum_difference(__u64 old, __u64 new)
{
	return (__u64)checksum_fold(new) + (__u16)~checksum_fold(old);
}

/* The checksum after a difference. */
static __always_inline __u16 checksum_update(__u16 check, __u64 difference)
{
	return ~checksum_fold((__u64)(__u16)~check + checksum_fold(difference));
}

static __always_inline __u64 checksum_sum_v6(const __be32 address[4])
{
	return (__u64)address[0] + address[1] + address[2] + address[3];
}

/* Of an address as the pseudo-header has it. */
static __always_inline __u64 checksum_sum_address(__u8 family, const union lb_addr *address)
{
	return family == 4 ? address->v4 : checksum_sum_v6(address->v6);
}

/*
 * UDP: a checksum that comes out as zero is sent as all ones, for zero says that there is none (RFC
 * 768), which stays so.
 */
static __always_inline __u16 checksum_update_udp(__u16 check, __u64 difference)
{
	__u16 updated;

	if (!check)
		return 0;
	updated = checksum_update(check, difference);
	return updated ? updated : 0xffff;
}

#endif
