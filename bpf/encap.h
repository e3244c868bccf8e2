/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encap: writes outer headers. With forward, the only files that change a packet.
 *
 * Outer fields (RFC 2003, RFC 2473, RFC 4213; ECN by RFC 6040's normal mode, DSCP by RFC 2983's
 * uniform model): traffic class copied from the inner header, TTL and hop limit 64, and for IPv4
 * the inner packet's DF and identification, so that a packet that may be fragmented has a number of
 * its own and one that may not has none that matters (RFC 6864).
 */
#ifndef LB_ENCAP_H
#define LB_ENCAP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "env.h"

enum { OUTER_TTL = 64, IPV4_DF = 0x4000, IPV4_WORDS = sizeof(struct iphdr) / 4 };

/* What an outer header says of the packet inside. */
struct inner {
	__u16 length; /* bytes, its own header included */
	__u8 traffic_class;
	__u8 proto;       /* IPPROTO_IPIP or IPPROTO_IPV6 */
	__be32 id_and_df; /* second word of an outer IPv4 header */
};

/* The outer source: the backend's prefix with low bits that vary by flow. */
static __always_inline __be32 outer_source_bits(const struct lb_backend *backend, __u32 entropy)
{
	/* In 64 bits, because a shift by all 32 of a word is undefined. */
	return bpf_htonl(entropy & (__u32)((1ULL << (backend->source_bits & 63)) - 1));
}

/* `ip` has room for the header. */
static __always_inline void encap_ipv4(__u32 *ip, const struct lb_backend *backend,
				       const struct inner *inner, __u32 entropy)
{
	__u32 word[IPV4_WORDS] = {
		bpf_htonl(4U << 28 | 5U << 24 | (__u32)inner->traffic_class << 16 |
			  (inner->length + sizeof(struct iphdr))),
		inner->id_and_df,
		bpf_htonl(OUTER_TTL << 24 | (__u32)inner->proto << 16),
		backend->outer_source.v4 | outer_source_bits(backend, entropy),
		backend->outer_destination.v4,
	};
	/* RFC 1071: the sum does not mind the width it is taken in, nor the byte order. */
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[0] = word[0];
	ip[1] = word[1];
	/* The checksum is the last two bytes of its word. */
	ip[2] = word[2] | bpf_htonl(bpf_ntohs((__u16)~sum));
	ip[3] = word[3];
	ip[4] = word[4];
}

static __always_inline void encap_ipv6(__u32 *ip, const struct lb_backend *backend,
				       const struct inner *inner, __u32 entropy)
{
	/* The flow label lets routers spread tunnels by flow (RFC 6438). */
	ip[0] = bpf_htonl(6U << 28 | (__u32)inner->traffic_class << 20 | (entropy & 0xfffff));
	ip[1] = bpf_htonl((__u32)inner->length << 16 | (__u32)inner->proto << 8 | OUTER_TTL);
	ip[2] = backend->outer_source.v6[0];
	ip[3] = backend->outer_source.v6[1];
	ip[4] = backend->outer_source.v6[2];
	ip[5] = backend->outer_source.v6[3] | outer_source_bits(backend, entropy);
	ip[6] = backend->outer_destination.v6[0];
	ip[7] = backend->outer_destination.v6[1];
	ip[8] = backend->outer_destination.v6[2];
	ip[9] = backend->outer_destination.v6[3];
}

#endif
