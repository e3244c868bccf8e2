/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * answer: what the balancer itself sends back to a client, in the client's own frame: the answer to
 * a ping, and ICMP errors for packets that end here. It speaks as the VIP, to which the packet was
 * sent, and through the interface and to the MAC it came from. Each is verified alone, and costs
 * the forwarded packet nothing.
 */
#ifndef LB_ANSWER_H
#define LB_ANSWER_H

#include "checksum.h"
#include "encap.h"
#include "env.h"
#include "icmp.h"
#include "parse.h"

enum {
	ANSWER_TTL = 64,
	/* How much an error quotes: that of IPv4 is of 576 bytes at most (RFC 1812, section
	 * 4.3.2.3), that of IPv6 of 1280 (RFC 4443, section 2.4). */
	ERROR_SIZE_V4 = sizeof(struct iphdr) + sizeof(struct icmp_header),
	ERROR_SIZE_V6 = sizeof(struct ipv6hdr) + sizeof(struct icmp_header),
	QUOTE_MAX_V4 = 576 - ERROR_SIZE_V4,
	QUOTE_MAX_V6 = 1280 - ERROR_SIZE_V6,
	/* No smaller MTU is told: hosts take none (RFC 8200, section 5), or go on without DF. */
	TOLD_MTU_MIN_V4 = 576,
	TOLD_MTU_MIN_V6 = 1280,
	ERROR_TOS_V4 = 0xc0, /* internetwork control (RFC 1812, section 4.3.2.5) */
	CSUM_DIFF_MAX = 512, /* bytes that the helper takes at a time */
	NS_PER_TOKEN = 1000000000 / LB_ERRORS_PER_SECOND,
};

/* Whether an answer could go to whom the packet came from: to one host, and not to all of them. */
static __always_inline bool answer_possible(void *data, void *end, const struct packet *packet)
{
	const struct ethhdr *ethernet = data;

	if (data + sizeof(*ethernet) > end || ethernet->h_dest[0] & 1)
		return false;
	if (packet->family == 4) {
		__u8 first = packet->flow.v4.source & 0xff;

		return first && first != 127 && first < 224 &&
		       packet->flow.v4.source != packet->flow.v4.destination;
	}
	return packet->flow.v6.source.bytes[0] != 0xff &&
	       (packet->flow.v6.source.v6[0] || packet->flow.v6.source.v6[1] ||
		packet->flow.v6.source.v6[2] || packet->flow.v6.source.v6[3]);
}

/* ---- ping ---- */

static __always_inline void swap_macs(struct ethhdr *ethernet)
{
	__u8 source[ETH_ALEN];

	__builtin_memcpy(source, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, source, ETH_ALEN);
}

/* The addresses change places, which no checksum minds. */
static __always_inline void echo_ipv4(struct iphdr *ip)
{
	__be32 client = ip->saddr;
	__u16 before = *(__u16 *)&ip->ttl;

	ip->saddr = ip->daddr;
	ip->daddr = client;
	ip->ttl = ANSWER_TTL;
	ip->check = checksum_update(ip->check, checksum_difference(before, *(__u16 *)&ip->ttl));
}

static __always_inline void echo_ipv6(struct ipv6hdr *ip)
{
	struct in6_addr client = ip->saddr;

	ip->saddr = ip->daddr;
	ip->daddr = client;
	ip->hop_limit = ANSWER_TTL;
}

/*
 * A checksum that is wrong stays wrong by as much, and the client sees it. One that comes out as
 * zero may be that of a message of zeros, which has to say all ones; any other may say either.
 */
static __always_inline void echo_turn(struct icmp_header *icmp, __u8 type)
{
	__u16 before = *(__u16 *)icmp;

	icmp->type = type;
	icmp->check = checksum_update(icmp->check, checksum_difference(before, *(__u16 *)icmp));
	if (!icmp->check)
		icmp->check = 0xffff;
}

/*
 * Turns a whole echo request round. Not those with IP options or extension headers: what they ask
 * of the way there is not asked of the way back.
 */
LB_VERIFIED_ALONE int answer_echo(struct xdp_md *ctx, const struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *l3;
	struct icmp_header *icmp;

	if (!packet)
		return LB_DROP_INTERNAL;
	if (!answer_possible(data, end, packet))
		return LB_DROP_ECHO;
	l3 = data + (packet->l3_offset & 0x1f);
	if (packet->family == 4) {
		icmp = l3 + sizeof(struct iphdr);
		if ((void *)(icmp + 1) > end || ((struct iphdr *)l3)->ihl != 5)
			return LB_DROP_ECHO;
		echo_ipv4(l3);
		echo_turn(icmp, ICMP4_ECHO_REPLY);
	} else {
		icmp = l3 + sizeof(struct ipv6hdr);
		if ((void *)(icmp + 1) > end || ((struct ipv6hdr *)l3)->nexthdr != IPV6_NEXT_ICMP)
			return LB_DROP_ECHO;
		echo_ipv6(l3);
		echo_turn(icmp, ICMP6_ECHO_REPLY);
	}
	if (data + sizeof(struct ethhdr) > end)
		return LB_DROP_INTERNAL;
	swap_macs(data);
	return LB_ANSWERED_ECHO;
}

/* ---- errors ---- */

/* One token each, so that a flood does not become another one. */
static __always_inline bool error_allowed(void)
{
	__u32 zero = 0;
	struct lb_bucket *bucket = bpf_map_lookup_elem(&error_bucket, &zero);
	__u64 now = bpf_ktime_get_coarse_ns(), tokens;

	if (!bucket)
		return false;
	tokens = bucket->tokens;
	/* Signed: a test sets the time that is to come. */
	if ((__s64)(now - bucket->filled_ns) >= NS_PER_TOKEN) {
		tokens += (now - bucket->filled_ns) / NS_PER_TOKEN;
		if (tokens > LB_ERRORS_BURST)
			tokens = LB_ERRORS_BURST;
		if (!read_only)
			bucket->filled_ns = now;
	}
	if (!tokens)
		return false;
	if (!read_only)
		bucket->tokens = tokens - 1;
	return true;
}

/*
 * Whether the packet may have an error for an answer (RFC 1122, section 3.2.2; RFC 4443, section
 * 2.4): none for an error, nor for a later fragment; and no MTU where the sender lets routers
 * fragment, or where what it would be told is no less than what it sent.
 */
static __always_inline bool error_fit(void *data, void *end, const struct packet *packet,
				      __u32 verdict)
{
	const struct iphdr *ip = data + (packet->l3_offset & 0x1f);
	bool too_big = verdict == LB_DROP_TOO_BIG;

	if (packet->quoted || packet->part == PACKET_LATER || !answer_possible(data, end, packet))
		return false;
	if (packet->family == 6)
		return !too_big || packet->l3_length > TOLD_MTU_MIN_V6;
	return !too_big || ((void *)(ip + 1) <= end && ip->frag_off & bpf_htons(IPV4_DF) &&
			    packet->l3_length > TOLD_MTU_MIN_V4);
}

/* A part of the frame, a multiple of four bytes, and what it adds up to. */
struct quote {
	__u32 offset;
	__u32 size;
	__u32 sum;
};

/* Adds up by steps of sizes that the verifier knows. False if the frame ends before. */
LB_VERIFIED_ALONE int quote_add(struct xdp_md *ctx, struct quote *quote)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!quote)
		return false;
#pragma unroll
	for (__u32 step = CSUM_DIFF_MAX; step >= 4; step /= 2) {
		/* So many of the largest are in QUOTE_MAX_V6. */
		int most = step == CSUM_DIFF_MAX ? QUOTE_MAX_V6 / CSUM_DIFF_MAX : 1;

#pragma unroll
		for (int i = 0; i < most; i++) {
			void *at;

			READ_AGAIN();
			if (quote->size < step)
				continue;
			at = data + (quote->offset & HEADERS_MASK);
			if (at + step > end)
				return false;
			quote->sum = bpf_csum_diff(NULL, 0, at, step, quote->sum);
			quote->offset += step;
			quote->size -= step;
		}
	}
	return true;
}

/* The link header, which lies `room` bytes further on, to the front, and back to the sender. */
static __always_inline bool error_link(void *data, void *end, __u32 l3_offset, __u32 room)
{
	__u8 *to = data, *from = data + room;

	if (data + room + sizeof(struct ethhdr) + VLAN_TAGS_MAX * sizeof(struct vlan_tag) > end)
		return false;
	__builtin_memcpy(to, from + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(to + ETH_ALEN, from, ETH_ALEN);
	__builtin_memcpy(to + 12, from + 12, 2);
	if (l3_offset > 14)
		__builtin_memcpy(to + 14, from + 14, 4);
	if (l3_offset > 18)
		__builtin_memcpy(to + 18, from + 18, 4);
	return true;
}

/* `ip` has room for the header, an ICMP header and the quoted one behind it. */
static __always_inline void error_ipv4(__u32 *ip, __u32 quote, __u64 sum, __u32 told)
{
	const struct iphdr *quoted = (void *)ip + ERROR_SIZE_V4;
	__u32 what = bpf_htonl(told ? ICMP4_UNREACHABLE << 24 | ICMP4_FRAGMENTATION_NEEDED << 16
				    : ICMP4_TIME_EXCEEDED << 24);
	__u32 word[] = {
		bpf_htonl(4U << 28 | 5U << 24 | ERROR_TOS_V4 << 16 | (quote + ERROR_SIZE_V4)),
		/* Its number is free again: no other packet of this pair has it. */
		((const __be32 *)quoted)[1] & bpf_htonl(0xffff0000),
		bpf_htonl(ANSWER_TTL << 24 | IPPROTO_ICMP << 16),
		quoted->daddr,
		quoted->saddr,
	};

	ip[0] = word[0];
	ip[1] = word[1];
	ip[2] = word[2] | bpf_htonl(bpf_ntohs(~checksum_fold((__u64)word[0] + word[1] + word[2] +
							     word[3] + word[4])));
	ip[3] = word[3];
	ip[4] = word[4];
	ip[6] = bpf_htonl(told);
	ip[5] = what | bpf_htonl(bpf_ntohs(~checksum_fold(sum + what + ip[6])));
}

static __always_inline void error_ipv6(__u32 *ip, __u32 quote, __u64 sum, __u32 told)
{
	const __u32 *quoted = (void *)ip + ERROR_SIZE_V6;
	__u32 length = quote + sizeof(struct icmp_header);
	__u32 what = bpf_htonl((told ? ICMP6_TOO_BIG : ICMP6_TIME_EXCEEDED) << 24);

	ip[0] = bpf_htonl(6U << 28);
	ip[1] = bpf_htonl(length << 16 | IPV6_NEXT_ICMP << 8 | ANSWER_TTL);
	for (int i = 0; i < 4; i++) {
		ip[2 + i] = quoted[6 + i];
		ip[6 + i] = quoted[2 + i];
		sum += (__u64)quoted[2 + i] + quoted[6 + i];
	}
	sum += (__u64)bpf_htonl(length) + bpf_htonl(IPV6_NEXT_ICMP);
	ip[11] = bpf_htonl(told);
	ip[10] = what | bpf_htonl(bpf_ntohs(~checksum_fold(sum + what + ip[11])));
}

/*
 * The packet becomes an error that quotes it, for its sender: LB_DROP_TTL time exceeded,
 * LB_DROP_TOO_BIG the MTU that would fit. Returns the verdict that becomes of `verdict`, which it
 * is itself where nobody may be told.
 */
LB_VERIFIED_ALONE int answer_error(struct xdp_md *ctx, const struct packet *packet, __u32 verdict,
				   __u32 mtu)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 room, size, told = 0, l3_offset, least;
	__u64 linear;
	struct quote quote;
	bool four;

	if (!packet)
		return LB_DROP_INTERNAL;
	if (!error_fit(data, end, packet, verdict))
		return verdict;
	if (!error_allowed())
		return LB_DROP_UNTOLD;
	four = packet->family == 4;
	l3_offset = packet->l3_offset & 0x1f;
	room = four ? ERROR_SIZE_V4 : ERROR_SIZE_V6;
	size = four ? QUOTE_MAX_V4 : QUOTE_MAX_V6;
	if (size > packet->l3_length)
		size = packet->l3_length & ~3U;
	/* What is not in the first buffer cannot be added up here. */
	linear = end - data;
	__asm__ volatile("" : "+r"(linear)); /* pointers are subtracted in all of their bits */
	linear -= l3_offset;
	if (size > linear)
		size = (__u32)linear & ~3U;
	if (verdict == LB_DROP_TOO_BIG) {
		least = four ? TOLD_MTU_MIN_V4 : TOLD_MTU_MIN_V6;
		told = mtu > least ? mtu : least;
	}
	if (bpf_xdp_adjust_tail(ctx, (int)(l3_offset + size - bpf_xdp_get_buff_len(ctx))))
		return LB_DROP_INTERNAL;
	if (bpf_xdp_adjust_head(ctx, -(int)room))
		return LB_DROP_NO_ROOM;
	quote = (struct quote){.offset = l3_offset + room, .size = size};
	if (!quote_add(ctx, &quote))
		return LB_DROP_INTERNAL;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (!error_link(data, end, l3_offset, room))
		return LB_DROP_INTERNAL;
	data += l3_offset;
	if (data + room + (four ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > end)
		return LB_DROP_INTERNAL;
	if (four)
		error_ipv4(data, size, quote.sum, told);
	else
		error_ipv6(data, size, quote.sum, told);
	return told ? LB_REFUSED_TOO_BIG : LB_REFUSED_TTL;
}

#endif
