/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_icmp: errors about packets of NAT flows, the quoted packet included. The error is for whoever
 * sent that packet, and has to quote it as it was sent: so what NAT makes of the flow's packets is
 * done to the quoted one the other way round. Neighbours: nat.h calls, icmp.h found the flow.
 *
 * Across families types and codes are those of RFC 7915, sections 4.2 and 5.2, but that parameter
 * problems are not translated where they point into a header, nor are errors that quote extension
 * headers, in either family; and that of an IPv4 router that tells no MTU it is taken to be 1280.
 * The message may not be fragmented, and its checksum is made anew.
 */
#ifndef LB_NAT_ICMP_H
#define LB_NAT_ICMP_H

#include "checksum.h"
#include "env.h"
#include "icmp.h"
#include "nat_frame.h"
#include "nat_scratch.h"
#include "nat_table.h"
#include "parse.h"

enum {
	NAT_MTU_LEAST = 1280, /* that every path of IPv6 has, whatever an error says */
	/* What may be behind a quoted IPv6 header that becomes an IPv4 one. */
	NAT_PAYLOAD_MAX = IP_LENGTH_MAX - sizeof(struct iphdr),
};

/* ---- the quoted packet ---- */

/* Where the quoted packet's IP header begins. */
static __always_inline __u32 nat_quote(const struct packet *packet)
{
	return (packet->l4_offset + sizeof(struct icmp_header)) & HEADERS_MASK;
}

/* Replaces a checksum in the quoted packet; returns what that makes in the message's own. */
static __always_inline __u64 nat_quote_check(__u16 *check, __u8 proto, __u64 difference)
{
	__u16 before = *check;

	*check = proto == IPPROTO_UDP ? checksum_update_udp(before, difference)
				      : checksum_update(before, difference);
	return checksum_difference(before, *check);
}

/* The quoted transport header at `offset`. Its checksum may not be there; what lies behind the
 * packet is padding. False if the frame ends before, or goes on where nothing can be changed. */
static __always_inline bool nat_quote_transport(void *data, void *end, const struct packet *packet,
						const struct rewrite *to, __u32 offset,
						__u64 *difference)
{
	__u64 addresses = *difference, ports_differ;
	__be16 *ports = data + (offset & HEADERS_MASK);
	__u16 *check = (void *)ports + (packet->proto == IPPROTO_UDP ? 6 : 16);

	if ((void *)ports + QUOTED_TRANSPORT_MIN > end)
		return false;
	ports_differ = checksum_difference((__u64)ports[0] + ports[1],
					   (__u64)to->source_port + to->destination_port);
	ports[0] = to->destination_port;
	ports[1] = to->source_port;
	*difference = ports_differ;
	if ((offset & HEADERS_MASK) + (packet->proto == IPPROTO_UDP ? 8 : 18) >
	    (__u32)packet->l3_offset + packet->l3_length)
		return true;
	if ((void *)(check + 1) > end)
		return false;
	*difference += nat_quote_check(check, packet->proto, addresses + ports_differ);
	return true;
}

/* ---- in the same family ---- */

/* Changes the quoted packet and the message's checksum. */
static __always_inline bool nat_error_ipv4(void *data, void *end, const struct packet *packet,
					   const struct rewrite *to)
{
	struct icmp_header *icmp = data + (packet->l4_offset & HEADERS_MASK);
	struct iphdr *ip = data + nat_quote(packet);
	__u64 difference = nat_difference(packet, to);
	__u32 size;
	__u16 before;

	if ((void *)(icmp + 1) > end || (void *)(ip + 1) > end)
		return false;
	size = ip->ihl * 4U;
	/* Its own checksum makes up for the addresses in the message's. */
	before = ip->check;
	ip->check = checksum_update(before, difference);
	icmp->check =
		checksum_update(icmp->check, difference + checksum_difference(before, ip->check));
	ip->saddr = to->destination.v4;
	ip->daddr = to->source.v4;
	if (!nat_quote_transport(data, end, packet, to, nat_quote(packet) + size, &difference))
		return false;
	icmp->check = checksum_update(icmp->check, difference);
	return true;
}

/* The addresses of an IPv6 header, as words. */
static __always_inline void nat_put_addresses(__u32 *ip, const __be32 source[4],
					      const __be32 destination[4])
{
	for (int i = 0; i < 4; i++) {
		ip[2 + i] = source[i];
		ip[6 + i] = destination[i];
	}
}

/* `outer`: how the sums of the message's own addresses differ. */
static __always_inline bool nat_error_ipv6(void *data, void *end, const struct packet *packet,
					   const struct rewrite *to, __u64 outer)
{
	struct icmp_header *icmp = data + (packet->l4_offset & HEADERS_MASK);
	__u32 *ip = data + nat_quote(packet);
	__u64 difference = nat_difference(packet, to);

	if ((void *)(icmp + 1) > end || (void *)ip + sizeof(struct ipv6hdr) > end ||
	    ((struct ipv6hdr *)ip)->nexthdr != packet->proto)
		return false;
	icmp->check = checksum_update(icmp->check, difference + outer);
	nat_put_addresses(ip, to->destination.v6, to->source.v6);
	if (!nat_quote_transport(data, end, packet, to, nat_quote(packet) + sizeof(struct ipv6hdr),
				 &difference))
		return false;
	icmp->check = checksum_update(icmp->check, difference);
	return true;
}

static __always_inline bool nat_error_outer_ipv4(void *data, void *end, const struct packet *packet,
						 const struct rewrite *to)
{
	struct iphdr *ip = data + nat_l3(packet);
	__be32 source;
	__u64 old;

	if ((void *)(ip + 1) > end)
		return false;
	source = to->keeps_source ? ip->saddr : to->source.v4;
	old = (__u64)ip->saddr + ip->daddr + bpf_htons(0x0100);
	ip->check = checksum_update(ip->check,
				    checksum_difference(old, (__u64)source + to->destination.v4));
	ip->ttl--;
	ip->saddr = source;
	ip->daddr = to->destination.v4;
	return true;
}

/* `*difference`: how the sums of the addresses differ. */
static __always_inline bool nat_error_outer_ipv6(void *data, void *end, const struct packet *packet,
						 const struct rewrite *to, __u64 *difference)
{
	__u32 *ip = data + nat_l3(packet);
	__u64 old, new;

	if ((void *)ip + sizeof(struct ipv6hdr) > end)
		return false;
	old = checksum_sum_v6(ip + 2) + checksum_sum_v6(ip + 6);
	((struct ipv6hdr *)ip)->hop_limit--;
	if (!to->keeps_source) {
		for (int i = 0; i < 4; i++)
			ip[2 + i] = to->source.v6[i];
	}
	for (int i = 0; i < 4; i++)
		ip[6 + i] = to->destination.v6[i];
	new = checksum_sum_v6(ip + 2) + checksum_sum_v6(ip + 6);
	*difference = checksum_difference(old, new);
	return true;
}

LB_VERIFIED_ALONE int nat_error_within_ipv4(struct xdp_md *ctx, const struct packet *packet,
					    const struct rewrite *to)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!packet || !to)
		return LB_DROP_INTERNAL;
	return nat_error_ipv4(data, end, packet, to) && nat_error_outer_ipv4(data, end, packet, to)
		       ? LB_CONTINUE
		       : LB_DROP_QUOTE;
}

LB_VERIFIED_ALONE int nat_error_within_ipv6(struct xdp_md *ctx, const struct packet *packet,
					    const struct rewrite *to)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 difference = 0;

	if (!packet || !to)
		return LB_DROP_INTERNAL;
	return nat_error_outer_ipv6(data, end, packet, to, &difference) &&
			       nat_error_ipv6(data, end, packet, to, difference)
		       ? LB_CONTINUE
		       : LB_DROP_QUOTE;
}

/* ---- in the other family ---- */

/* Type and code in the high half, the rest in the low one, in host order; 0: none is like it. */
static __always_inline __u64 nat_error_word(__u8 type, __u8 code, __u32 rest)
{
	return (__u64)((__u32)type << 24 | (__u32)code << 16) << 32 | rest;
}

static __always_inline __u64 nat_error_to_ipv6(__u8 type, __u8 code, __u32 rest)
{
	__u32 mtu = (rest & 0xffff) + sizeof(struct ipv6hdr) - sizeof(struct iphdr);

	if (type == ICMP4_TIME_EXCEEDED)
		return nat_error_word(ICMP6_TIME_EXCEEDED, code, 0);
	if (type != ICMP4_UNREACHABLE)
		return 0;
	switch (code) {
	case 2: /* protocol: the next header of the quoted packet */
		return nat_error_word(ICMP6_PARAMETER_PROBLEM, 1, 6);
	case 3: /* port */
		return nat_error_word(ICMP6_UNREACHABLE, 4, 0);
	case ICMP4_FRAGMENTATION_NEEDED:
		return nat_error_word(ICMP6_TOO_BIG, 0, mtu < NAT_MTU_LEAST ? NAT_MTU_LEAST : mtu);
	case 9: /* prohibited */
	case 10:
	case 13:
	case 15:
		return nat_error_word(ICMP6_UNREACHABLE, 1, 0);
	case 0:
	case 1:
	case 5: /* of routes, networks and hosts that are not known there */
	case 6:
	case 7:
	case 8:
	case 11:
	case 12:
		return nat_error_word(ICMP6_UNREACHABLE, 0, 0);
	default:
		return 0;
	}
}

static __always_inline __u64 nat_error_to_ipv4(__u8 type, __u8 code, __u32 rest)
{
	__u32 mtu = rest < NAT_MTU_LEAST   ? NAT_MTU_LEAST
		    : rest < IP_LENGTH_MAX ? rest
					   : IP_LENGTH_MAX;

	switch (type) {
	case ICMP6_TIME_EXCEEDED:
		return nat_error_word(ICMP4_TIME_EXCEEDED, code, 0);
	case ICMP6_TOO_BIG:
		return nat_error_word(ICMP4_UNREACHABLE, ICMP4_FRAGMENTATION_NEEDED,
				      mtu - sizeof(struct ipv6hdr) + sizeof(struct iphdr));
	case ICMP6_PARAMETER_PROBLEM: /* code 1: a next header that is not known */
		return code == 1 ? nat_error_word(ICMP4_UNREACHABLE, 2, 0) : 0;
	case ICMP6_UNREACHABLE:
		return code > 4 ? 0
				: nat_error_word(ICMP4_UNREACHABLE,
						 code == 1   ? 10
						 : code == 4 ? 3
							     : 1,
						 0);
	default:
		return 0;
	}
}

/* False if nothing of the other family is like it, or what it quotes cannot be. */
static __always_inline bool nat_old_read(void *data, void *end, const struct packet *packet,
					 struct nat_old *old)
{
	struct icmp_header *icmp = data + nat_l4(packet);
	struct iphdr *ipv4 = data + nat_quote(packet);
	struct ipv6hdr *ipv6 = (void *)ipv4;
	__u32 rest;

	if ((void *)(icmp + 1) > end || (void *)(ipv4 + 1) > end)
		return false;
	rest = bpf_ntohl(icmp->rest);
	if (packet->family == 4) {
		old->quote_size = ipv4->ihl * 4U;
		if (bpf_ntohs(ipv4->tot_len) < old->quote_size)
			return false;
		old->quote_payload = bpf_ntohs(ipv4->tot_len) - old->quote_size;
		old->quote_hops = ipv4->ttl;
		old->quote_class = ipv4->tos;
		old->message = nat_error_to_ipv6(icmp->type, icmp->code, rest);
		return old->message;
	}
	if ((void *)(ipv6 + 1) > end || ipv6->nexthdr != packet->proto ||
	    bpf_ntohs(ipv6->payload_len) > NAT_PAYLOAD_MAX)
		return false;
	old->quote_size = sizeof(*ipv6);
	old->quote_payload = bpf_ntohs(ipv6->payload_len);
	old->quote_hops = ipv6->hop_limit;
	old->quote_class = ipv6->priority << 4 | ipv6->flow_lbl[0] >> 4;
	old->message = nat_error_to_ipv4(icmp->type, icmp->code, rest);
	return old->message;
}

static __always_inline bool nat_put(void *at, void *end, __u8 family,
				    const struct nat_header *header)
{
	if (family == 4) {
		if (at + sizeof(struct iphdr) > end)
			return false;
		nat_put_ipv4(at, header);
	} else {
		if (at + sizeof(struct ipv6hdr) > end)
			return false;
		nat_put_ipv6(at, header);
	}
	return true;
}

/* All three headers, into the room that was made; but for the checksum. `length`: of the message.
 */
static __always_inline bool nat_error_put(struct xdp_md *ctx, const struct packet *packet,
					  const struct rewrite *to, const struct nat_old *old,
					  __u8 hops, __u32 length)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 size = to->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct nat_header header = {
		.source = &to->source,
		.destination = &to->destination,
		.payload = length,
		.traffic_class = packet->traffic_class,
		.hops = hops,
		.proto = to->family == 4 ? IPPROTO_ICMP : IPV6_NEXT_ICMP,
		.id_and_df = IPV4_DF,
	};
	void *l3 = data + nat_l3(packet);
	struct icmp_header *icmp = l3 + size;

	if ((void *)(icmp + 1) > end || !nat_put(l3, end, to->family, &header))
		return false;
	*(__be32 *)icmp = bpf_htonl(old->message >> 32);
	icmp->rest = bpf_htonl(old->message);
	header.source = &to->destination;
	header.destination = &to->source;
	header.payload = old->quote_payload;
	header.traffic_class = old->quote_class;
	header.hops = old->quote_hops;
	header.proto = packet->proto;
	return nat_put(icmp + 1, end, to->family, &header);
}

LB_VERIFIED_ALONE int nat_error_across(struct xdp_md *ctx, const struct packet *packet,
				       const struct rewrite *to, __u32 hops)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 size, length, before, after;
	struct nat_scratch *scratch = nat_scratch();
	struct nat_old *old;
	__u64 difference;

	if (!packet || !to || !scratch)
		return LB_DROP_INTERNAL;
	old = &scratch->old;
	if (!nat_old_read(data, end, packet, old))
		return LB_DROP_QUOTE;
	size = to->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	difference = nat_difference(packet, to);
	if (!nat_quote_transport(data, end, packet, to, nat_quote(packet) + old->quote_size,
				 &difference))
		return LB_DROP_QUOTE;
	before = nat_quote(packet) + old->quote_size;
	after = nat_l3(packet) + size + sizeof(struct icmp_header) + size;
	length = packet->l3_length - (nat_l4(packet) - nat_l3(packet)) - old->quote_size + size;
	if (!nat_resize(ctx, (int)before - (int)after, packet))
		return LB_DROP_NO_ROOM;
	if (!nat_error_put(ctx, packet, to, old, hops, length))
		return LB_DROP_INTERNAL;
	scratch->old.length = length;
	return LB_CONTINUE;
}

/* The checksum of what nat_error_across has made. */
static __always_inline enum lb_verdict nat_error_seal(struct xdp_md *ctx,
						      const struct packet *packet,
						      const struct rewrite *to, __u32 length)
{
	__u32 at =
		nat_l3(packet) + (to->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	__u16 check = nat_checksum(ctx, at, length, to, to->family == 4 ? 0 : IPV6_NEXT_ICMP);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct icmp_header *icmp = data + (at & HEADERS_MASK);

	if ((void *)(icmp + 1) > end)
		return LB_DROP_INTERNAL;
	icmp->check = check;
	return LB_CONTINUE;
}

#endif
