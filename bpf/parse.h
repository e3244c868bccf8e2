/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: bytes to flow. No maps, no kernel: also built into unit tests and fuzzers.
 *
 * One cursor moves through the headers, with a bound check beside each advance. Lengths are those
 * the headers state, checked against the frame: what a frame carries behind the IP packet is
 * padding.
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

struct packet {
	/* The flow, in the shape of its table's key; `family` says which. */
	union {
		struct lb_flow_key_v4 v4;
		struct lb_flow_key_v6 v6;
	} flow;
	__u16 l3_offset;    /* of the IP header in the frame */
	__u16 l3_length;    /* of the IP packet */
	__u32 sequence;     /* TCP, host order */
	__u8 family;        /* 4 or 6; 0: no destination is known */
	__u8 proto;         /* of the transport header */
	__u8 traffic_class; /* DSCP and ECN */
	bool syn;           /* TCP: SYN without ACK */
	bool closing;       /* TCP: FIN or RST */
	bool reset;         /* TCP: RST */
};

enum {
	IPV4_FRAGMENT_MASK = 0x3fff, /* more fragments, or an offset */
	IPV6_NEXT_FRAGMENT = 44,
	IPV6_NEXT_ICMP = 58,
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

	if (!tcp || length < sizeof(*tcp))
		return LB_DROP_TRUNCATED;
	if (tcp->doff < 5 || tcp->doff * 4U > length)
		return LB_DROP_BAD_HEADER;
	*source_port = tcp->source;
	*destination_port = tcp->dest;
	packet->sequence = bpf_ntohl(tcp->seq);
	packet->syn = tcp->syn && !tcp->ack;
	packet->closing = tcp->fin || tcp->rst;
	packet->reset = tcp->rst;
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict parse_udp(struct cursor *cursor, __u32 length,
						 __be16 *source_port, __be16 *destination_port)
{
	const struct udphdr *udp = cursor_take(cursor, sizeof(*udp));

	if (!udp || length < sizeof(*udp))
		return LB_DROP_TRUNCATED;
	if (bpf_ntohs(udp->len) < sizeof(*udp) || bpf_ntohs(udp->len) > length)
		return LB_DROP_BAD_HEADER;
	*source_port = udp->source;
	*destination_port = udp->dest;
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict parse_transport(struct cursor *cursor, struct packet *packet,
						       __u32 length, __be16 *source_port,
						       __be16 *destination_port)
{
	switch (packet->proto) {
	case IPPROTO_TCP:
		return parse_tcp(cursor, packet, length, source_port, destination_port);
	case IPPROTO_UDP:
		return parse_udp(cursor, length, source_port, destination_port);
	case IPPROTO_ICMP:
	case IPV6_NEXT_ICMP:
		return LB_PASS_ICMP;
	default:
		return LB_PASS_NO_SERVICE;
	}
}

static __always_inline enum lb_verdict parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	__u32 left = cursor->end - cursor->at;
	const struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header_length, length;

	if (!ip)
		return LB_DROP_TRUNCATED;
	packet->flow.v4.source = ip->saddr;
	packet->flow.v4.destination = ip->daddr;
	packet->family = 4;

	header_length = ip->ihl * 4U;
	length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header_length < sizeof(*ip) || length < header_length)
		return LB_DROP_BAD_HEADER;
	if (length > left)
		return LB_DROP_TRUNCATED;
	packet->l3_length = length;
	packet->traffic_class = ip->tos;
	packet->proto = ip->protocol;
	*(__u32 *)&packet->flow.v4.proto = ip->protocol;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT_MASK))
		return LB_DROP_FRAGMENT;
	if (header_length > sizeof(*ip) &&
	    !cursor_take(cursor, (header_length - sizeof(*ip)) & 0x3c))
		return LB_DROP_TRUNCATED;
	return parse_transport(cursor, packet, length - header_length, &packet->flow.v4.source_port,
			       &packet->flow.v4.destination_port);
}

static __always_inline enum lb_verdict parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	__u32 left = cursor->end - cursor->at;
	const struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 payload;

	if (!ip)
		return LB_DROP_TRUNCATED;
	__builtin_memcpy(&packet->flow.v6.source, &ip->saddr, 2 * sizeof(union lb_addr));
	packet->family = 6;

	payload = bpf_ntohs(ip->payload_len);
	if (ip->version != 6)
		return LB_DROP_BAD_HEADER;
	if (payload + sizeof(*ip) > left)
		return LB_DROP_TRUNCATED;
	packet->l3_length = payload + sizeof(*ip);
	packet->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->proto = ip->nexthdr;
	*(__u32 *)&packet->flow.v6.proto = ip->nexthdr;
	if (ip->nexthdr == IPV6_NEXT_FRAGMENT)
		return LB_DROP_FRAGMENT;
	return parse_transport(cursor, packet, payload, &packet->flow.v6.source_port,
			       &packet->flow.v6.destination_port);
}

/*
 * Any verdict but LB_CONTINUE speaks of a packet that can have no flow; where `family` is set its
 * destination is known, and the caller decides whether it was for us at all.
 */
static __always_inline enum lb_verdict parse(void *data, void *end, struct packet *packet)
{
	struct cursor cursor = {.at = data, .end = end};
	const struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));

	if (!ethernet)
		return LB_DROP_TRUNCATED;
	packet->l3_offset = sizeof(*ethernet);
	switch (ethernet->h_proto) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(&cursor, packet);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(&cursor, packet);
	default:
		return LB_PASS_NOT_IP;
	}
}

#endif
