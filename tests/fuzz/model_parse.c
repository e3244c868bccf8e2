/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_parse: bytes to flow. From IEEE 802.1Q, RFC 791 (section 3.1), RFC 8200 (sections 3 and 4),
 * RFC 4302 (section 2), RFC 9293 (section 3.1) and RFC 768; fragments by RFC 3128, RFC 6946 and
 * RFC 7112. Lengths are those that headers state; what a frame has behind the IP packet is padding.
 * Headers that lie behind the part of a frame that can be read are as if they were not there.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum {
	ETHERNET = 14,
	TAG = 4,
	TAGS_MAX = 2,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_TAG = 0x8100,
	TYPE_OUTER_TAG = 0x88a8,
	LONGEST = 65535,
	CHAIN_MAX = 6,       /* extension headers */
	HEADERS_MAX = 0xfff, /* no transport header is looked for behind these bytes of a frame */
};

static struct model_address address_of(uint8_t family, const uint8_t *at)
{
	struct model_address address = {.family = family};

	memcpy(address.bytes, at, family == 4 ? 4 : 16);
	return address;
}

/* Whether the `size` bytes at `at` of the frame can be read. */
static bool readable(const struct model_packet *packet, uint32_t at, uint32_t size)
{
	return at + size <= packet->linear;
}

/* What the packet has from the transport header, or whatever is next, on. */
static uint32_t room_of(const struct model_packet *packet)
{
	return packet->l3_offset + packet->l3_size - packet->l4_offset;
}

/* ---- transport ---- */

static enum model_verdict parse_tcp(const uint8_t *at, struct model_packet *packet)
{
	uint32_t room = room_of(packet), header;
	uint8_t flags;

	if (room < TCP_LEAST || !readable(packet, packet->l4_offset, TCP_LEAST))
		return MODEL_drop_truncated;
	header = (at[12] >> 4) * 4U;
	if (header < TCP_LEAST || header > room)
		return MODEL_drop_bad_header;
	flags = at[13];
	packet->sequence = get32(at + 4);
	packet->syn = (flags & 0x02) && !(flags & 0x10);
	packet->reset = flags & 0x04;
	packet->closing = packet->reset || (flags & 0x01);
	return MODEL_GOES_ON;
}

static enum model_verdict parse_udp(const uint8_t *at, const struct model_packet *packet)
{
	uint32_t room = room_of(packet), length;

	if (room < UDP_HEADER || !readable(packet, packet->l4_offset, UDP_HEADER))
		return MODEL_drop_truncated;
	length = get16(at + 4);
	/* That of a fragment is that of the whole. */
	if (length < UDP_HEADER || (length > room && packet->part == MODEL_WHOLE))
		return MODEL_drop_bad_header;
	return MODEL_GOES_ON;
}

static enum model_verdict parse_transport(const uint8_t *bytes, struct model_packet *packet)
{
	const uint8_t *at = bytes + packet->l4_offset;
	uint32_t proto = packet->flow.proto;
	enum model_verdict verdict;

	if (packet->part == MODEL_LATER)
		return MODEL_GOES_ON;
	/* RFC 7112, RFC 3128: the first fragment has the whole transport header. */
	if (packet->part == MODEL_FIRST && ((proto == PROTO_TCP && room_of(packet) < TCP_LEAST) ||
					    (proto == PROTO_UDP && room_of(packet) < UDP_HEADER)))
		return MODEL_drop_bad_fragment;
	if (packet->l4_offset > HEADERS_MAX)
		return MODEL_drop_extension;
	if (proto == PROTO_ICMP || proto == PROTO_ICMPV6)
		return MODEL_pass_icmp;
	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return MODEL_pass_no_service;
	verdict = proto == PROTO_TCP ? parse_tcp(at, packet) : parse_udp(at, packet);
	if (verdict == MODEL_GOES_ON) {
		packet->flow.source_port = (uint16_t)get16(at);
		packet->flow.destination_port = (uint16_t)get16(at + 2);
	}
	return verdict;
}

/*
 * `offset`, `size`: of the fragment in the whole packet, whose header counts with `header` bytes.
 * All but the last are of eights; none is empty, ends behind the longest packet, or begins inside
 * the TCP header.
 */
static enum model_verdict parse_fragment(struct model_packet *packet, uint32_t offset,
					 uint32_t size, uint32_t header, bool more)
{
	packet->part = offset ? MODEL_LATER : MODEL_FIRST;
	if (size == 0 || (more && size % 8) || header + offset + size > LONGEST)
		return MODEL_drop_bad_fragment;
	if (packet->flow.proto == PROTO_TCP && offset > 0 && offset < TCP_LEAST)
		return MODEL_drop_bad_fragment;
	return MODEL_GOES_ON;
}

/* ---- IPv4 ---- */

/* `left`: bytes of the frame from the IP header on. */
static enum model_verdict parse_ipv4(const uint8_t *bytes, uint32_t left,
				     struct model_packet *packet)
{
	const uint8_t *ip = bytes + packet->l3_offset;
	uint32_t header, total, word;
	enum model_verdict verdict = MODEL_GOES_ON;

	if (left < IPV4_LEAST || !readable(packet, packet->l3_offset, IPV4_LEAST))
		return MODEL_drop_truncated;
	packet->family = 4;
	packet->flow.source = address_of(4, ip + 12);
	packet->flow.destination = address_of(4, ip + 16);
	header = (ip[0] & 15) * 4U;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_LEAST || total < header)
		return MODEL_drop_bad_header;
	if (total > left)
		return MODEL_drop_truncated;
	packet->l3_size = total;
	packet->l4_offset = packet->l3_offset + header;
	packet->traffic_class = ip[1];
	packet->flow.proto = ip[9];
	word = get16(ip + 6);
	/* "More fragments", or an offset. */
	if (word & 0x3fff) {
		packet->identification = get16(ip + 4);
		verdict = parse_fragment(packet, (word & 0x1fff) * 8, total - header, header,
					 word & 0x2000);
	}
	return verdict == MODEL_GOES_ON ? parse_transport(bytes, packet) : verdict;
}

/* ---- IPv6 ---- */

static bool is_extension(uint32_t proto)
{
	return proto == 0 || proto == PROTO_ROUTING || proto == PROTO_OPTIONS ||
	       proto == PROTO_FRAGMENT || proto == PROTO_AUTH;
}

uint32_t model_extension_size(uint32_t proto, const uint8_t *at)
{
	if (proto == PROTO_FRAGMENT)
		return 8;
	return proto == PROTO_AUTH ? (at[1] + 2U) * 4 : (at[1] + 1U) * 8;
}

bool model_is_extension(uint32_t proto)
{
	return is_extension(proto);
}

static enum model_verdict parse_fragment_header(const uint8_t *at, struct model_packet *packet)
{
	uint32_t word = get16(at + 2);

	/* RFC 6946: one that is the whole packet has nothing to do with any other. */
	if (!(word & 0xfff8) && !(word & 1))
		return MODEL_GOES_ON;
	packet->identification = get32(at + 4);
	return parse_fragment(packet, word & 0xfff8, room_of(packet), 0, word & 1);
}

/* The `number`th of the chain. */
static enum model_verdict parse_extension(const uint8_t *bytes, struct model_packet *packet,
					  int number)
{
	const uint8_t *at = bytes + packet->l4_offset;
	uint32_t proto = packet->flow.proto, size;

	if (packet->l4_offset > HEADERS_MAX)
		return MODEL_drop_extension;
	if (room_of(packet) < 8 || !readable(packet, packet->l4_offset, 8))
		return MODEL_drop_truncated;
	size = model_extension_size(proto, at);
	if (size > room_of(packet))
		return MODEL_drop_truncated;
	/* Hop-by-hop options are the first or nowhere (RFC 8200, section 4.1); a route with
	 * segments left goes on from here to somebody else. */
	if ((proto == 0 && number > 0) || (proto == PROTO_ROUTING && at[3]))
		return MODEL_drop_extension;
	packet->flow.proto = at[0];
	packet->l4_offset += size;
	if (proto != PROTO_FRAGMENT)
		return MODEL_GOES_ON;
	return packet->part == MODEL_WHOLE ? parse_fragment_header(at, packet)
					   : MODEL_drop_bad_fragment;
}

static enum model_verdict parse_chain(const uint8_t *bytes, struct model_packet *packet)
{
	enum model_verdict verdict = MODEL_GOES_ON;

	for (int i = 0; is_extension(packet->flow.proto) && packet->part != MODEL_LATER; i++) {
		verdict = i < CHAIN_MAX ? parse_extension(bytes, packet, i) : MODEL_drop_extension;
		if (verdict != MODEL_GOES_ON)
			break;
	}
	return verdict;
}

static enum model_verdict parse_ipv6(const uint8_t *bytes, uint32_t left,
				     struct model_packet *packet)
{
	const uint8_t *ip = bytes + packet->l3_offset;
	enum model_verdict verdict;
	uint32_t payload;

	if (left < IPV6_HEADER || !readable(packet, packet->l3_offset, IPV6_HEADER))
		return MODEL_drop_truncated;
	packet->family = 6;
	packet->flow.source = address_of(6, ip + 8);
	packet->flow.destination = address_of(6, ip + 24);
	payload = get16(ip + 4);
	if (ip[0] >> 4 != 6)
		return MODEL_drop_bad_header;
	if (payload > left - IPV6_HEADER)
		return MODEL_drop_truncated;
	packet->l3_size = IPV6_HEADER + payload;
	packet->l4_offset = packet->l3_offset + IPV6_HEADER;
	packet->traffic_class = (uint8_t)(get16(ip) >> 4);
	packet->flow.proto = ip[6];
	verdict = parse_chain(bytes, packet);
	return verdict == MODEL_GOES_ON ? parse_transport(bytes, packet) : verdict;
}

/* ---- link ---- */

enum model_verdict model_parse(const uint8_t *bytes, uint32_t size, uint32_t linear,
			       struct model_packet *packet)
{
	uint32_t at = 12, type;

	memset(packet, 0, sizeof(*packet));
	packet->linear = linear;
	if (linear < ETHERNET)
		return MODEL_drop_truncated;
	type = get16(bytes + at);
	for (int i = 0; i < TAGS_MAX && (type == TYPE_TAG || type == TYPE_OUTER_TAG); i++) {
		at += TAG;
		if (at + 2 > linear)
			return MODEL_drop_truncated;
		type = get16(bytes + at);
	}
	packet->l3_offset = at + 2;
	switch (type) {
	case TYPE_IPV4:
		return parse_ipv4(bytes, size - packet->l3_offset, packet);
	case TYPE_IPV6:
		return parse_ipv6(bytes, size - packet->l3_offset, packet);
	default:
		return MODEL_pass_not_ip;
	}
}
