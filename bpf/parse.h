/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: bytes to flow. No maps, no kernel: also built into unit tests and fuzzers.
 *
 * parse_common takes the packet that nearly all are: untagged, an IP header without options or
 * extensions, TCP or UDP, whole. All else leaves the road there, once, for parse_rare, which takes
 * every packet and says what is wrong with one.
 *
 * One cursor moves through the headers, with a bound check beside each advance. Lengths are those
 * the headers state, checked against the frame: what a frame carries behind the IP packet is
 * padding. A frame may go on behind what can be looked at, the first buffer of several
 * (`xdp.frags`: 3.5 KB of a page, or what the driver puts there); headers that do are as if they
 * were cut off.
 */
#ifndef LB_PARSE_H
#define LB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "env.h"

struct cursor {
	void *at;
	void *end;
};

enum packet_part {
	PACKET_WHOLE,
	PACKET_FIRST, /* fragment, with the transport header */
	PACKET_LATER, /* fragment: `flow` has no ports, and no `proto` that is known for sure */
};

struct packet {
	/* The flow, in the shape of its table's key; `family` says which. */
	union {
		struct lb_flow_key_v4 v4;
		struct lb_flow_key_v6 v6;
	} flow;
	__u32 sequence;     /* TCP, host order */
	__u32 fragment;     /* identification, as it stands, of what is not whole */
	__u32 tags[2];      /* VLAN tags as they stand, in front of what names the IP header */
	__u16 l3_offset;    /* of the IP header in the frame: 14, and 4 for each tag */
	__u16 l3_length;    /* of the IP packet */
	__u16 l4_offset;    /* of what is behind IP header, options and extensions */
	__u8 family;        /* 4 or 6; 0: no destination is known */
	__u8 proto;         /* of the transport header */
	__u8 traffic_class; /* DSCP and ECN */
	__u8 part;          /* enum packet_part */
	bool syn;           /* TCP: SYN without ACK */
	bool closing;       /* TCP: FIN or RST */
	bool reset;         /* TCP: RST */
	/* An ICMP error: `flow` is that of the packet it quotes, turned round; `l4_offset` is that
	 * of the ICMP header. */
	bool quoted;
	bool sequence_known; /* quoted, TCP: `sequence` is what the quoted one acknowledges */
	__u8 trace;          /* enum packet_trace, see bpf/trace.h */
};

enum {
	IPV4_PLAIN = 0x45, /* version 4, no options */
	IPV4_MORE = 0x2000,
	IPV4_OFFSET_MASK = 0x1fff,
	IPV4_FRAGMENT_MASK = IPV4_MORE | IPV4_OFFSET_MASK,
	TCP_FLAGS_OFFSET = 13,
	TCP_FIN_BIT = 0,
	TCP_SYN_BIT = 1,
	TCP_RST_BIT = 2,
	TCP_ACK_BIT = 4,
	IPV6_NEXT_HOP_BY_HOP = 0,
	IPV6_NEXT_ROUTING = 43,
	IPV6_NEXT_FRAGMENT = 44,
	IPV6_NEXT_AUTH = 51,
	IPV6_NEXT_ICMP = 58,
	IPV6_NEXT_OPTIONS = 60,
	IPV6_MORE = 1,
	VLAN_TAGS_MAX = 2,
	/* RFC 8200 names each header once, and destination options twice. */
	EXTENSIONS_MAX = 6,
	IP_LENGTH_MAX = 65535,
	/* No transport header begins behind these; and so does no mask cut an offset. */
	HEADERS_MASK = 0xfff,
	HEADERS_MAX = HEADERS_MASK,
};

struct vlan_tag {
	__be16 type; /* 802.1Q or 802.1ad */
	__be16 control;
};

struct extension_header {
	__u8 next;
	__u8 length;        /* in units of eight bytes behind the first, but for AH */
	__u8 type;          /* routing */
	__u8 segments_left; /* routing */
	__u8 rest[4];
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset_and_more;
	__be32 identification;
};

/* NULL if fewer than `size` bytes are left. */
static __always_inline void *cursor_take(struct cursor *cursor, __u32 size)
{
	void *header = cursor->at;

	if (header + size > cursor->end)
		return NULL;
	cursor->at = header + size;
	return header;
}

/* `length`: what the IP header says is left for the transport. */
static __always_inline enum lb_verdict parse_tcp(struct cursor *cursor, struct packet *packet,
						 __u32 length, __be16 *source_port,
						 __be16 *destination_port)
{
	const struct tcphdr *tcp = cursor_take(cursor, sizeof(*tcp));
	__u32 flags;

	if (!tcp || length < sizeof(*tcp))
		return LB_DROP_TRUNCATED;
	if (tcp->doff < 5 || tcp->doff * 4U > length)
		return LB_DROP_BAD_HEADER;
	*source_port = tcp->source;
	*destination_port = tcp->dest;
	packet->sequence = bpf_ntohl(tcp->seq);
	/* One load and no branches, which the bit fields would be. */
	flags = ((const __u8 *)tcp)[TCP_FLAGS_OFFSET];
	packet->syn = flags >> TCP_SYN_BIT & ~(flags >> TCP_ACK_BIT) & 1;
	packet->closing = (flags >> TCP_FIN_BIT | flags >> TCP_RST_BIT) & 1;
	packet->reset = flags >> TCP_RST_BIT & 1;
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict parse_udp(struct cursor *cursor, const struct packet *packet,
						 __u32 length, __be16 *source_port,
						 __be16 *destination_port)
{
	const struct udphdr *udp = cursor_take(cursor, sizeof(*udp));

	if (!udp || length < sizeof(*udp))
		return LB_DROP_TRUNCATED;
	if (bpf_ntohs(udp->len) < sizeof(*udp) ||
	    (bpf_ntohs(udp->len) > length && packet->part == PACKET_WHOLE))
		return LB_DROP_BAD_HEADER;
	*source_port = udp->source;
	*destination_port = udp->dest;
	return LB_CONTINUE;
}

/* ---- the common packet ---- */

static __always_inline bool parse_ports(struct cursor *cursor, struct packet *packet, __u32 length,
					__be16 *source_port, __be16 *destination_port)
{
	if (packet->proto == IPPROTO_TCP)
		return parse_tcp(cursor, packet, length, source_port, destination_port) ==
		       LB_CONTINUE;
	if (packet->proto == IPPROTO_UDP)
		return parse_udp(cursor, packet, length, source_port, destination_port) ==
		       LB_CONTINUE;
	return false;
}

static __always_inline bool parse_common_ipv4(struct cursor *cursor, struct packet *packet)
{
	__u32 left = cursor->end - cursor->at;
	const struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 length;

	if (!ip || *(const __u8 *)ip != IPV4_PLAIN || ip->frag_off & bpf_htons(IPV4_FRAGMENT_MASK))
		return false;
	length = bpf_ntohs(ip->tot_len);
	if (length > left || length < sizeof(*ip))
		return false;
	packet->family = 4;
	packet->flow.v4.source = ip->saddr;
	packet->flow.v4.destination = ip->daddr;
	packet->l3_length = length;
	packet->l4_offset = sizeof(struct ethhdr) + sizeof(*ip);
	packet->traffic_class = ip->tos;
	packet->proto = ip->protocol;
	*(__u32 *)&packet->flow.v4.proto = ip->protocol;
	return parse_ports(cursor, packet, length - sizeof(*ip), &packet->flow.v4.source_port,
			   &packet->flow.v4.destination_port);
}

static __always_inline bool parse_common_ipv6(struct cursor *cursor, struct packet *packet)
{
	__u32 left = cursor->end - cursor->at;
	const struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 payload;

	if (!ip || ip->version != 6)
		return false;
	payload = bpf_ntohs(ip->payload_len);
	if (payload + sizeof(*ip) > left)
		return false;
	packet->family = 6;
	__builtin_memcpy(&packet->flow.v6.source, &ip->saddr, 2 * sizeof(union lb_addr));
	packet->l3_length = payload + sizeof(*ip);
	packet->l4_offset = sizeof(struct ethhdr) + sizeof(*ip);
	packet->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->proto = ip->nexthdr;
	*(__u32 *)&packet->flow.v6.proto = ip->nexthdr;
	return parse_ports(cursor, packet, payload, &packet->flow.v6.source_port,
			   &packet->flow.v6.destination_port);
}

/* False: not a common packet, or one with something wrong; `packet` is then nothing. */
static __always_inline bool parse_common(void *data, void *end, struct packet *packet)
{
	struct cursor cursor = {.at = data, .end = end};
	const struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));
	__be16 type;

	if (!ethernet)
		return false;
	packet->l3_offset = sizeof(*ethernet);
	/* The struct is packed, by which the compiler takes it to be at any byte: it would read
	 * two. */
	type = ((const __be16 *)ethernet)[offsetof(struct ethhdr, h_proto) / sizeof(__be16)];
	if (type == bpf_htons(ETH_P_IP))
		return parse_common_ipv4(&cursor, packet);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_common_ipv6(&cursor, packet);
	return false;
}

/* ---- every packet ---- */

struct frame {
	void *data;
	void *end;    /* of what can be looked at */
	__u32 length; /* of all there is */
};

/* A cursor at a header. */
static __always_inline struct cursor frame_at(const struct frame *frame, __u16 offset)
{
	return (struct cursor){.at = frame->data + (offset & HEADERS_MASK), .end = frame->end};
}

/* Bytes of the packet from l4_offset on. */
static __always_inline __u32 packet_left(const struct packet *packet)
{
	return packet->l3_offset + packet->l3_length - packet->l4_offset;
}

/* What has to be in the first fragment (RFC 3128, RFC 7112). */
static __always_inline __u32 transport_size(__u8 proto)
{
	return proto == IPPROTO_TCP   ? sizeof(struct tcphdr)
	       : proto == IPPROTO_UDP ? sizeof(struct udphdr)
				      : 0;
}

static __always_inline enum lb_verdict parse_transport(const struct frame *frame,
						       struct packet *packet, __be16 *source_port,
						       __be16 *destination_port)
{
	struct cursor cursor;

	READ_AGAIN();
	cursor = frame_at(frame, packet->l4_offset);
	if (packet->part == PACKET_LATER)
		return LB_CONTINUE;
	if (packet->part == PACKET_FIRST && packet_left(packet) < transport_size(packet->proto))
		return LB_DROP_BAD_FRAGMENT;
	if (packet->l4_offset > HEADERS_MAX)
		return LB_DROP_EXTENSION;
	switch (packet->proto) {
	case IPPROTO_TCP:
		return parse_tcp(&cursor, packet, packet_left(packet), source_port,
				 destination_port);
	case IPPROTO_UDP:
		return parse_udp(&cursor, packet, packet_left(packet), source_port,
				 destination_port);
	case IPPROTO_ICMP:
	case IPV6_NEXT_ICMP:
		return LB_PASS_ICMP;
	default:
		return LB_PASS_NO_SERVICE;
	}
}

/*
 * `offset`: bytes of the whole packet before this fragment's; `length`: this fragment's; `header`:
 * what of IP_LENGTH_MAX is not theirs. A TCP fragment that begins inside the TCP header would
 * overwrite what was judged (RFC 3128).
 */
static __always_inline enum lb_verdict parse_fragment(struct packet *packet, __u32 offset,
						      __u32 length, __u32 header, bool more)
{
	packet->part = offset ? PACKET_LATER : PACKET_FIRST;
	if (!length || (more && length % 8) || offset + length + header > IP_LENGTH_MAX ||
	    (packet->proto == IPPROTO_TCP && offset && offset < sizeof(struct tcphdr)))
		return LB_DROP_BAD_FRAGMENT;
	return LB_CONTINUE;
}

/* `length`: of the fragment, or of all there is, without the header. */
static __always_inline enum lb_verdict
parse_ipv4_part(struct packet *packet, const struct iphdr *ip, __u32 length, __u32 header_length)
{
	__u32 word = bpf_ntohs(ip->frag_off);

	if (!(word & IPV4_FRAGMENT_MASK))
		return LB_CONTINUE;
	packet->fragment = ip->id;
	return parse_fragment(packet, (word & IPV4_OFFSET_MASK) * 8, length, header_length,
			      word & IPV4_MORE);
}

static __always_inline enum lb_verdict parse_ipv4(struct frame *frame, struct packet *packet)
{
	struct cursor cursor;
	const struct iphdr *ip;
	__u32 header_length, length;
	enum lb_verdict verdict;

	READ_AGAIN();
	cursor = frame_at(frame, packet->l3_offset);
	ip = cursor_take(&cursor, sizeof(*ip));
	if (!ip)
		return LB_DROP_TRUNCATED;
	packet->flow.v4.source = ip->saddr;
	packet->flow.v4.destination = ip->daddr;
	packet->family = 4;

	header_length = ip->ihl * 4U;
	length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header_length < sizeof(*ip) || length < header_length)
		return LB_DROP_BAD_HEADER;
	if (packet->l3_offset + length > frame->length)
		return LB_DROP_TRUNCATED;
	packet->l3_length = length;
	packet->l4_offset = packet->l3_offset + header_length;
	packet->traffic_class = ip->tos;
	packet->proto = ip->protocol;
	*(__u32 *)&packet->flow.v4.proto = ip->protocol;
	verdict = parse_ipv4_part(packet, ip, length - header_length, header_length);
	if (verdict != LB_CONTINUE)
		return verdict;
	return parse_transport(frame, packet, &packet->flow.v4.source_port,
			       &packet->flow.v4.destination_port);
}

/* RFC 6946: one that is the whole packet belongs to no other. */
static __always_inline enum lb_verdict parse_fragment_header(const void *at, struct packet *packet,
							     __u32 length)
{
	const struct fragment_header *header = at;
	__u32 word = bpf_ntohs(header->offset_and_more);

	packet->proto = header->next;
	if (!(word & ~6U))
		return LB_CONTINUE;
	packet->fragment = header->identification;
	return parse_fragment(packet, word & 0xfff8, length, 0, word & IPV6_MORE);
}

/* Bytes of the extension header that `proto` names, 0: it names none. */
static __always_inline __u32 extension_size(__u8 proto, const struct extension_header *header)
{
	switch (proto) {
	case IPV6_NEXT_HOP_BY_HOP:
	case IPV6_NEXT_ROUTING:
	case IPV6_NEXT_OPTIONS:
		return 8 + header->length * 8U;
	case IPV6_NEXT_FRAGMENT:
		return sizeof(struct fragment_header);
	case IPV6_NEXT_AUTH:
		return 8 + header->length * 4U;
	default:
		return 0;
	}
}

static __always_inline bool is_extension(__u8 proto)
{
	return proto == IPV6_NEXT_HOP_BY_HOP || proto == IPV6_NEXT_ROUTING ||
	       proto == IPV6_NEXT_OPTIONS || proto == IPV6_NEXT_FRAGMENT || proto == IPV6_NEXT_AUTH;
}

/* Follows the header at `l4_offset`, the `number`th of the chain. */
static __always_inline enum lb_verdict parse_extension(const struct frame *frame,
						       struct packet *packet, int number)
{
	struct cursor cursor = frame_at(frame, packet->l4_offset);
	const struct extension_header *header = cursor_take(&cursor, sizeof(*header));
	__u32 length = packet_left(packet), size;
	__u8 proto = packet->proto;

	if (!header || length < sizeof(*header))
		return LB_DROP_TRUNCATED;
	size = extension_size(proto, header);
	if (size > length)
		return LB_DROP_TRUNCATED;
	/* Where the route goes on from here, that is not to the VIP. */
	if ((proto == IPV6_NEXT_HOP_BY_HOP && number) ||
	    (proto == IPV6_NEXT_ROUTING && header->segments_left))
		return LB_DROP_EXTENSION;
	packet->l4_offset += size;
	packet->proto = header->next;
	if (proto != IPV6_NEXT_FRAGMENT)
		return LB_CONTINUE;
	return packet->part == PACKET_WHOLE ? parse_fragment_header(header, packet, length - size)
					    : LB_DROP_BAD_FRAGMENT;
}

/* Up to the transport header, or the end of what a fragment has of the chain. */
static __always_inline enum lb_verdict parse_extensions(const struct frame *frame,
							struct packet *packet)
{
	LOOP_AS_IT_IS
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		enum lb_verdict verdict;

		READ_AGAIN();
		if (!is_extension(packet->proto) || packet->part == PACKET_LATER)
			return LB_CONTINUE;
		if (packet->l4_offset > HEADERS_MAX)
			return LB_DROP_EXTENSION;
		verdict = parse_extension(frame, packet, i);
		if (verdict != LB_CONTINUE)
			return verdict;
	}
	return is_extension(packet->proto) && packet->part != PACKET_LATER ? LB_DROP_EXTENSION
									   : LB_CONTINUE;
}

static __always_inline enum lb_verdict parse_ipv6(struct frame *frame, struct packet *packet)
{
	struct cursor cursor;
	const struct ipv6hdr *ip;
	enum lb_verdict verdict;
	__u32 length;

	READ_AGAIN();
	cursor = frame_at(frame, packet->l3_offset);
	ip = cursor_take(&cursor, sizeof(*ip));
	if (!ip)
		return LB_DROP_TRUNCATED;
	__builtin_memcpy(&packet->flow.v6.source, &ip->saddr, 2 * sizeof(union lb_addr));
	packet->family = 6;

	length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (ip->version != 6)
		return LB_DROP_BAD_HEADER;
	/* The longest one is of 65,575 bytes, which l3_length has no room for. */
	if (packet->l3_offset + length > frame->length || length > IP_LENGTH_MAX)
		return LB_DROP_TRUNCATED;
	packet->l3_length = length;
	packet->l4_offset = packet->l3_offset + sizeof(*ip);
	packet->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->proto = ip->nexthdr;
	verdict = parse_extensions(frame, packet);
	*(__u32 *)&packet->flow.v6.proto = packet->proto;
	if (verdict != LB_CONTINUE)
		return verdict;
	return parse_transport(frame, packet, &packet->flow.v6.source_port,
			       &packet->flow.v6.destination_port);
}

static __always_inline bool is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* `type`: of what follows the Ethernet header and up to two tags. False if the frame ends there. */
static __always_inline bool parse_link(const struct frame *frame, struct packet *packet,
				       __be16 *type)
{
	struct cursor cursor = frame_at(frame, 0);
	const struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));

	if (!ethernet)
		return false;
	packet->l3_offset = sizeof(*ethernet);
	*type = ethernet->h_proto;
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		/* The tag begins with the type that names it: two bytes back. */
		const struct vlan_tag *tag = cursor.at - sizeof(*type);

		if (!is_tag(*type))
			break;
		if (!cursor_take(&cursor, sizeof(*tag)))
			return false;
		__builtin_memcpy(&packet->tags[i], tag, sizeof(*tag));
		packet->l3_offset += sizeof(*tag);
		*type = *(const __be16 *)(tag + 1);
	}
	return true;
}

/*
 * Any verdict but LB_CONTINUE speaks of a packet that can have no flow; where `family` is set its
 * destination is known, and the caller decides whether it was for us at all. `frame_length`: bytes
 * of the frame, which may be more than lie between `data` and `end`.
 */
static __always_inline enum lb_verdict parse_rare(void *data, void *end, __u32 frame_length,
						  struct packet *packet)
{
	struct frame frame = {.data = data, .end = end, .length = frame_length};
	__be16 type = 0;

	*packet = (struct packet){};
	if (!parse_link(&frame, packet, &type))
		return LB_DROP_TRUNCATED;
	switch (type) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(&frame, packet);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(&frame, packet);
	default:
		return LB_PASS_NOT_IP;
	}
}

#endif
