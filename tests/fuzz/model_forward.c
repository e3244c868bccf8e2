/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_forward: the bytes that leave.
 *
 * L2: new addresses in the Ethernet header, nothing else. IPIP: RFC 2003, RFC 2473 and RFC 4213.
 * The packet inside loses one from its TTL (RFC 2003, section 3.1), and its checksum follows by RFC
 * 1624; the outer header takes the traffic class (RFC 2983, RFC 6040), has TTL 64, and in IPv4 the
 * inner DF and identification; IPv6 inside IPv4 may not be fragmented, and has identification 0.
 * Fragments of one packet are packets of their own there, and their offset tells their
 * identifications apart. VLAN tags stay in front of the type. GUE: variant 1 of the draft, the
 * inner header behind the UDP header at once; over IPv6 with a checksum (RFC 8200, section 8.1), or
 * none where what is inside has none that covers it all (RFC 6935).
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum {
	OUTER_TTL = 64,
	DYNAMIC_PORTS = 0xc000, /* RFC 6335: 49152 and up */
	/* What the kernel leaves before a frame, less what it keeps for itself of that. */
	HEADROOM = 256 - 40,
};

struct outer {
	const struct model_backend *backend;
	const struct model_packet *packet;
	uint8_t *at;    /* the outer IP header */
	uint8_t *inner; /* the packet, behind all that is new */
	uint32_t size;  /* of what is new */
	uint32_t entropy;
	uint8_t proto; /* of what is behind the outer IP header */
};

/* One hop less. False if that was the last one. */
static bool hop_take(uint8_t *ip, uint8_t family)
{
	uint8_t *hops = ip + (family == 4 ? 8 : 7);
	uint32_t before = get16(ip + 8);

	if (*hops <= 1)
		return false;
	--*hops;
	if (family == 4)
		checksum_follow(ip + 10, before, get16(ip + 8));
	return true;
}

/* The low bits of the outer source, `at` its last four bytes, vary by flow. */
static void source_vary(const struct outer *outer, uint8_t *at)
{
	for (uint32_t bit = 0; bit < outer->backend->source_bits && bit < 32; bit++)
		if (outer->entropy >> bit & 1)
			at[3 - bit / 8] |= (uint8_t)(1 << bit % 8);
}

static void outer_ipv4(const struct outer *outer)
{
	bool four = outer->packet->family == 4;
	uint32_t word = get16(outer->inner + 6), number = get16(outer->inner + 4);
	uint8_t *at = outer->at;

	if (outer->packet->part != MODEL_WHOLE)
		number ^= word & 0x1fff;
	memset(at, 0, IPV4_LEAST);
	at[0] = 0x45;
	at[1] = outer->packet->traffic_class;
	put16(at + 2, outer->packet->l3_size + outer->size);
	put16(at + 4, four ? number : 0);
	put16(at + 6, four ? word & 0x4000 : 0x4000);
	at[8] = OUTER_TTL;
	at[9] = outer->proto;
	memcpy(at + 12, outer->backend->outer_source.bytes, 4);
	memcpy(at + 16, outer->backend->outer_destination.bytes, 4);
	source_vary(outer, at + 12);
	put16(at + 10, ~sum_of(at, IPV4_LEAST) & 0xffff);
}

static void outer_ipv6(const struct outer *outer)
{
	uint32_t entropy = outer->entropy;
	uint8_t *at = outer->at;

	put16(at, 0x6000U | (uint32_t)outer->packet->traffic_class << 4 | (entropy >> 16 & 15));
	put16(at + 2, entropy & 0xffff);
	put16(at + 4, outer->packet->l3_size + outer->size - IPV6_HEADER);
	at[6] = outer->proto;
	at[7] = OUTER_TTL;
	memcpy(at + 8, outer->backend->outer_source.bytes, 16);
	memcpy(at + 24, outer->backend->outer_destination.bytes, 16);
	source_vary(outer, at + 20);
}

/* ---- GUE ---- */

/* Where the transport header is, if its checksum covers all behind the IP header; or NULL. */
static const uint8_t *covered(const struct outer *outer, uint32_t *proto)
{
	const uint8_t *ip = outer->inner;
	bool four = outer->packet->family == 4;
	uint32_t header = four ? (ip[0] & 15) * 4U : IPV6_HEADER;
	uint32_t size = outer->packet->l3_size - header;
	const uint8_t *at = ip + header;

	*proto = four ? ip[9] : ip[6];
	if (four && get16(ip + 6) & 0x3fff)
		return NULL;
	if (*proto == PROTO_UDP)
		return (!four || header == IPV4_LEAST) && get16(at + 6) && get16(at + 4) == size
			       ? at
			       : NULL;
	return *proto == PROTO_TCP || *proto == (four ? PROTO_ICMP : PROTO_ICMPV6) ? at : NULL;
}

static uint32_t pseudo_of(const struct outer *outer, uint32_t proto, uint32_t size)
{
	bool four = outer->packet->family == 4;

	if (proto == PROTO_ICMP)
		return 0;
	return sum_pseudo(outer->inner + (four ? 12 : 8), four ? 8 : 32, proto, size);
}

/*
 * What the inner packet adds up to. Where its checksums are right, that is a matter of fact. Where
 * they are wrong the outer one is to be wrong, too, by as much: it is what it would be had they
 * been right.
 */
static uint32_t inner_sum(const struct outer *outer, const uint8_t *transport, uint32_t proto)
{
	uint32_t header = (uint32_t)(transport - outer->inner);
	uint32_t size = outer->packet->l3_size - header;
	uint32_t pseudo = pseudo_of(outer, proto, size);
	uint32_t sum = outer->packet->family == 4 ? 0xffff : sum_of(outer->inner, header);

	if ((outer->packet->family == 6 || sum_of(outer->inner, header) == 0xffff) &&
	    sum_more(pseudo, transport, size) == 0xffff)
		return sum_of(outer->inner, outer->packet->l3_size);
	sum += ~pseudo & 0xffff;
	return (sum & 0xffff) + (sum >> 16);
}

static void gue_put(const struct outer *outer, bool four)
{
	uint8_t *udp = outer->inner - UDP_HEADER;
	uint32_t length = UDP_HEADER + outer->packet->l3_size, sum, proto;
	const uint8_t *transport = covered(outer, &proto);

	put16(udp, DYNAMIC_PORTS | outer->entropy >> 18);
	put16(udp + 2, outer->backend->gue_port);
	put16(udp + 4, length);
	put16(udp + 6, 0);
	if (four || !transport)
		return;
	sum = sum_more(sum_pseudo(outer->at + 8, 32, PROTO_UDP, length), udp, UDP_HEADER) +
	      inner_sum(outer, transport, proto);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	put16(udp + 6, sum ? sum : 0xffff);
}

/* ---- the whole ---- */

static bool over_ipv4(const struct model_backend *backend)
{
	return backend->way == MODEL_IPIP4 || backend->way == MODEL_GUE4;
}

/* Bytes that a way of forwarding puts in front of a packet. */
static uint32_t outer_size(const struct model_backend *backend)
{
	switch (backend->way) {
	case MODEL_IPIP4:
		return IPV4_LEAST;
	case MODEL_IPIP6:
		return IPV6_HEADER;
	case MODEL_GUE4:
		return IPV4_LEAST + UDP_HEADER;
	case MODEL_GUE6:
		return IPV6_HEADER + UDP_HEADER;
	default:
		return 0;
	}
}

uint32_t model_fits(const struct model_backend *backend, uint8_t family)
{
	uint32_t outer = outer_size(backend);

	/* NAT puts another header in place of the packet's. */
	if (backend->way == MODEL_NAT4 && family == 6)
		return backend->mtu + (uint32_t)(IPV6_HEADER - IPV4_LEAST);
	if (backend->way == MODEL_NAT6 && family == 4)
		outer = IPV6_HEADER - IPV4_LEAST;
	return backend->mtu > outer ? backend->mtu - outer : 0;
}

static void macs_put(uint8_t *at, const struct model_backend *backend)
{
	memcpy(at, backend->next_hop, 6);
	memcpy(at + 6, backend->egress_mac, 6);
}

static enum model_verdict forward_tunnel(const struct model_backend *backend,
					 const struct model_packet *packet,
					 const struct model_frame *frame, uint32_t entropy,
					 struct model_answer *answer)
{
	struct outer outer = {.backend = backend,
			      .packet = packet,
			      .at = answer->bytes + packet->l3_offset,
			      .size = outer_size(backend),
			      .entropy = entropy};
	bool four = over_ipv4(backend), gue = outer.size % 20 != 0;

	outer.inner = outer.at + outer.size;
	outer.proto = gue ? PROTO_UDP : packet->family == 4 ? 4 : 41;
	if (backend->mtu && packet->l3_size + outer.size > backend->mtu)
		return MODEL_drop_too_big;
	memcpy(outer.inner, frame->bytes + packet->l3_offset, frame->size - packet->l3_offset);
	if (!hop_take(outer.inner, packet->family))
		return MODEL_drop_ttl;
	if (outer.size + frame->metadata > HEADROOM)
		return MODEL_drop_no_room;
	if (four)
		outer_ipv4(&outer);
	else
		outer_ipv6(&outer);
	if (gue)
		gue_put(&outer, four);
	macs_put(answer->bytes, backend);
	/* The type is the last thing before the IP header, tags or not. */
	put16(outer.at - 2, four ? 0x0800 : 0x86dd);
	answer->size = frame->size + outer.size;
	return MODEL_forwarded;
}

enum model_verdict model_forward(const struct model_backend *backend,
				 const struct model_packet *packet, const struct model_frame *frame,
				 uint32_t entropy, struct model_answer *answer)
{
	if (outer_size(backend))
		return forward_tunnel(backend, packet, frame, entropy, answer);
	if (backend->way != MODEL_L2)
		return MODEL_drop_internal;
	macs_put(answer->bytes, backend);
	return MODEL_forwarded;
}
