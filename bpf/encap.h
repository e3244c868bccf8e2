/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encap: writes outer headers. With forward, the only files that change a packet.
 *
 * Outer fields (RFC 2003, RFC 2473, RFC 4213; ECN by RFC 6040's normal mode, DSCP by RFC 2983's
 * uniform model): traffic class copied from the inner header, TTL and hop limit 64, and for IPv4
 * the inner packet's DF and identification, so that a packet that may be fragmented has a number of
 * its own and one that may not has none that matters (RFC 6864).
 *
 * GUE is its variant 1 (draft-ietf-intarea-gue, section 4): the inner IP header follows the UDP
 * header at once, and its version field tells what it is.
 */
#ifndef LB_ENCAP_H
#define LB_ENCAP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "env.h"

enum {
	OUTER_TTL = 64,
	IPV4_DF = 0x4000,
	IPV4_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	IPV4_WORDS = sizeof(struct iphdr) / 4,
	IPV6_PROTO_ICMP = 58,
};

/* What an outer header says of what is inside. */
struct inner {
	__u16 length; /* bytes behind the outer IP header */
	__u8 traffic_class;
	__u8 proto;       /* IPPROTO_IPIP, IPPROTO_IPV6 or IPPROTO_UDP */
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

/* ---- GUE ---- */

/* The dynamic ports (RFC 6335, section 6), so that no filter takes it for a service's answer. */
enum { GUE_SOURCE_BASE = 0xc000, GUE_SOURCE_BITS = 14 };

/*
 * What the bytes of an inner packet add up to (RFC 1071), from its headers alone: a checksum makes
 * what it covers add up to nothing, so that what is left of a transport with a right checksum is
 * the complement of its pseudo-header. A wrong one makes the outer one wrong, too, and the packet
 * is dropped where it would have been dropped. The caller folds.
 *
 * False where no checksum of the packet covers all behind its IP header: fragments, UDP without
 * one, extension headers, other protocols.
 */
static __always_inline bool inner_sum_ipv4(const struct iphdr *ip, const void *end, __u64 *sum)
{
	__u32 length = bpf_ntohs(ip->tot_len) - ip->ihl * 4U;
	const struct udphdr *udp = (const void *)(ip + 1);
	__u64 pseudo;

	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return false;
	if (ip->protocol == IPPROTO_ICMP) {
		*sum = 0;
		return true;
	}
	if (ip->protocol == IPPROTO_UDP) {
		if (ip->ihl != 5 || (const void *)(udp + 1) > end || !udp->check ||
		    bpf_ntohs(udp->len) != length)
			return false;
	} else if (ip->protocol != IPPROTO_TCP) {
		return false;
	}
	pseudo = (__u64)ip->saddr + ip->daddr + bpf_htonl((__u32)ip->protocol << 16 | length);
	pseudo = (pseudo & 0xffffffff) + (pseudo >> 32);
	*sum = (__u32) ~((__u32)pseudo + (__u32)(pseudo >> 32));
	return true;
}

static __always_inline bool inner_sum_ipv6(const struct ipv6hdr *ip, const void *end, __u64 *sum)
{
	const struct udphdr *udp = (const void *)(ip + 1);

	if (ip->nexthdr == IPPROTO_UDP) {
		if ((const void *)(udp + 1) > end || !udp->check || udp->len != ip->payload_len)
			return false;
	} else if (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPV6_PROTO_ICMP) {
		return false;
	}
	/* Addresses and length are in the header and, negative, in the pseudo-header: what is left
	 * of both is the first word, the next header and hop limit, less the next header. */
	*sum = (__u64) * (const __u32 *)ip + bpf_htonl((__u32)ip->nexthdr << 8 | ip->hop_limit) +
	       (__u32)~bpf_htonl(ip->nexthdr);
	return true;
}

/*
 * The UDP header behind an outer IPv4 header: without a checksum, which IPv4 leaves to the sender
 * (RFC 768), for the inner packet has its own. `length`: of the inner packet.
 */
static __always_inline void encap_gue(struct udphdr *udp, const struct lb_backend *backend,
				      __u16 length, __u32 entropy)
{
	udp->source = bpf_htons(GUE_SOURCE_BASE | entropy >> (32 - GUE_SOURCE_BITS));
	udp->dest = backend->port;
	udp->len = bpf_htons(length + sizeof(*udp));
	udp->check = 0;
}

/*
 * Its checksum behind an outer IPv6 header, which has none of its own: by default UDP has to have
 * one there (RFC 8200, section 8.1). `sum`: of the inner packet, see above. Where that is not known
 * the header keeps the zero that RFC 6935 allows a tunnel, under the conditions of RFC 6936:
 * receivers of GUE take it.
 */
static __always_inline void encap_gue_check(struct udphdr *udp, const struct ipv6hdr *ip, __u64 sum)
{
	const __u32 *address = (const __u32 *)&ip->saddr;

	for (int i = 0; i < 8; i++)
		sum += address[i];
	sum += bpf_htonl(bpf_ntohs(udp->len)) + (__u64)bpf_htonl(IPPROTO_UDP);
	sum += *(const __u32 *)udp + (__u64)udp->len;
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	udp->check = (__u16)~sum;
	if (!udp->check)
		udp->check = 0xffff;
}

#endif
