/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * icmp: ICMP and ICMPv6 messages: what kind one is, and whose flow an error speaks of. No maps, no
 * kernel: also built into unit tests and fuzzers.
 *
 * An error to a VIP quotes a packet that a backend sent from there. Turned round, its addresses and
 * ports are the flow that the backend has with the client; so the error finds the backend that can
 * make something of it. Of the quoted transport header no more than eight bytes may be there (RFC
 * 792). Neighbours: arrive.h calls, answer.h answers.
 */
#ifndef LB_ICMP_H
#define LB_ICMP_H

#include "env.h"
#include "parse.h"

enum {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_FRAGMENTATION_NEEDED = 4, /* a code of it */
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,

	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,

	QUOTED_TRANSPORT_MIN = 8,
	QUOTED_FLAGS_END = 14, /* from the beginning of a TCP header */
	TCP_ACK = 0x10,        /* of the byte of flags */
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest; /* echo: identifier and sequence; too big: the MTU, of IPv4 in the low half */
};

/* What is read of a quoted transport header; TCP's, which has all that UDP's has. */
struct quoted_transport {
	__be16 source;
	__be16 destination;
	__be32 sequence;
	__be32 acknowledged;
	__u8 offset;
	__u8 flags;
};

enum icmp_kind { ICMP_OTHER, ICMP_ERROR, ICMP_ECHO };

static __always_inline enum icmp_kind icmp_kind(__u8 family, __u8 type)
{
	if (family == 4)
		return type == ICMP4_ECHO ? ICMP_ECHO
		       : type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED ||
				       type == ICMP4_PARAMETER_PROBLEM
			       ? ICMP_ERROR
			       : ICMP_OTHER;
	return type == ICMP6_ECHO                                             ? ICMP_ECHO
	       : type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER_PROBLEM ? ICMP_ERROR
									      : ICMP_OTHER;
}

/* Ports and sequence number of the client's side of the quoted flow. */
static __always_inline enum lb_verdict quoted_ports(const struct frame *frame,
						    struct packet *packet, __u32 offset, __u8 proto,
						    __be16 *source_port, __be16 *destination_port)
{
	const struct quoted_transport *transport;
	struct cursor cursor;
	__u32 left;

	READ_AGAIN();
	left = packet->l3_offset + packet->l3_length - offset;
	cursor = frame_at(frame, offset);
	transport = cursor.at;
	if ((__s32)left < QUOTED_TRANSPORT_MIN || offset > HEADERS_MAX ||
	    !cursor_take(&cursor, QUOTED_TRANSPORT_MIN))
		return LB_DROP_TRUNCATED;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return LB_DROP_QUOTE;
	*source_port = transport->destination;
	*destination_port = transport->source;
	packet->proto = proto;
	packet->quoted = true;
	/* The client's next number is what the backend acknowledged. */
	if (proto == IPPROTO_TCP && left >= QUOTED_FLAGS_END &&
	    cursor_take(&cursor, QUOTED_FLAGS_END - QUOTED_TRANSPORT_MIN) &&
	    transport->flags & TCP_ACK) {
		packet->sequence = bpf_ntohl(transport->acknowledged);
		packet->sequence_known = true;
	}
	return LB_CONTINUE;
}

/* `left`: bytes of the message from the quoted packet on, here and below. */
static __always_inline enum lb_verdict quoted_ipv4(const struct frame *frame, struct packet *packet,
						   __u32 left)
{
	__u32 offset = packet->l4_offset + sizeof(struct icmp_header);
	struct cursor cursor = frame_at(frame, offset);
	const struct iphdr *ip = cursor_take(&cursor, sizeof(*ip));
	enum lb_verdict verdict;
	__be16 source_port, destination_port;
	__be32 client;
	__u8 proto;

	if (!ip || left < sizeof(*ip))
		return LB_DROP_TRUNCATED;
	/* The sender of the quoted packet is whom the error is for; and a later fragment has no
	 * ports. */
	if (ip->version != 4 || ip->ihl < 5 || ip->saddr != packet->flow.v4.destination ||
	    ip->frag_off & bpf_htons(IPV4_OFFSET_MASK))
		return LB_DROP_QUOTE;
	client = ip->daddr;
	proto = ip->protocol;
	verdict = quoted_ports(frame, packet, offset + ip->ihl * 4U, proto, &source_port,
			       &destination_port);
	if (verdict != LB_CONTINUE)
		return verdict;
	packet->flow.v4.source = client;
	packet->flow.v4.source_port = source_port;
	packet->flow.v4.destination_port = destination_port;
	*(__u32 *)&packet->flow.v4.proto = proto;
	return LB_CONTINUE;
}

/* From the quoted packet's extension headers on, which begin at `*offset` with that of `*next`. */
static __always_inline enum lb_verdict
quoted_extensions(const struct frame *frame, const struct packet *packet, __u32 *offset, __u8 *next)
{
	LOOP_AS_IT_IS
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		const struct extension_header *header;
		struct cursor cursor;
		__u8 proto;

		READ_AGAIN();
		proto = *next;
		if (!is_extension(proto))
			return LB_CONTINUE;
		if (*offset > HEADERS_MAX)
			return LB_DROP_QUOTE;
		cursor = frame_at(frame, *offset);
		header = cursor_take(&cursor, sizeof(*header));
		if (!header || *offset + sizeof(*header) > packet->l3_offset + packet->l3_length)
			return LB_DROP_TRUNCATED;
		if (proto == IPV6_NEXT_FRAGMENT &&
		    ((const struct fragment_header *)header)->offset_and_more & bpf_htons(0xfff8))
			return LB_DROP_QUOTE;
		*next = header->next;
		*offset += extension_size(proto, header);
	}
	return is_extension(*next) ? LB_DROP_QUOTE : LB_CONTINUE;
}

static __always_inline enum lb_verdict quoted_ipv6(const struct frame *frame, struct packet *packet,
						   __u32 left)
{
	__u32 offset = packet->l4_offset + sizeof(struct icmp_header);
	struct cursor cursor = frame_at(frame, offset);
	const struct ipv6hdr *ip = cursor_take(&cursor, sizeof(*ip));
	const union lb_addr *vip = &packet->flow.v6.destination;
	enum lb_verdict verdict;
	__be16 source_port, destination_port;
	union lb_addr client;
	__u8 proto;

	if (!ip || left < sizeof(*ip))
		return LB_DROP_TRUNCATED;
	if (ip->version != 6 || ip->saddr.s6_addr32[0] != vip->v6[0] ||
	    ip->saddr.s6_addr32[1] != vip->v6[1] || ip->saddr.s6_addr32[2] != vip->v6[2] ||
	    ip->saddr.s6_addr32[3] != vip->v6[3])
		return LB_DROP_QUOTE;
	__builtin_memcpy(&client, &ip->daddr, sizeof(client));
	proto = ip->nexthdr;
	offset += sizeof(*ip);
	verdict = quoted_extensions(frame, packet, &offset, &proto);
	if (verdict == LB_CONTINUE)
		verdict =
			quoted_ports(frame, packet, offset, proto, &source_port, &destination_port);
	if (verdict != LB_CONTINUE)
		return verdict;
	packet->flow.v6.source = client;
	packet->flow.v6.source_port = source_port;
	packet->flow.v6.destination_port = destination_port;
	*(__u32 *)&packet->flow.v6.proto = proto;
	return LB_CONTINUE;
}

/*
 * Of a packet with `l4_offset` at an ICMP header. LB_CONTINUE: an error, and `flow` is the one that
 * it speaks of. LB_ANSWERED_ECHO: a request that asks for an answer. Any other verdict is of a
 * packet without a flow.
 */
static __always_inline enum lb_verdict icmp_parse(const struct frame *frame, struct packet *packet)
{
	struct cursor cursor = frame_at(frame, packet->l4_offset);
	const struct icmp_header *icmp = cursor_take(&cursor, sizeof(*icmp));
	__u32 left = packet_left(packet) - sizeof(*icmp);

	if (packet->proto != (packet->family == 4 ? IPPROTO_ICMP : IPV6_NEXT_ICMP))
		return LB_PASS_NO_SERVICE;
	if (packet->part != PACKET_WHOLE)
		return LB_DROP_FRAGMENT;
	if (!icmp || packet->l4_offset > HEADERS_MAX || (__s32)left < 0)
		return LB_DROP_TRUNCATED;
	switch (icmp_kind(packet->family, icmp->type)) {
	case ICMP_ECHO:
		return LB_ANSWERED_ECHO;
	case ICMP_ERROR:
		return packet->family == 4 ? quoted_ipv4(frame, packet, left)
					   : quoted_ipv6(frame, packet, left);
	default:
		return LB_PASS_ICMP;
	}
}

#endif
