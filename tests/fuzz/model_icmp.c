/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_icmp: ICMP (RFC 792) and ICMPv6 (RFC 4443) to a VIP. An error speaks of a packet that was
 * sent from the VIP: the flow is that of the quoted packet, turned round. A ping is answered while
 * some service of the VIP has a usable backend. All else is the kernel's.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum {
	TTL = 64,
	QUOTED_LEAST = 8, /* bytes of the quoted packet's data (RFC 792) */
	TCP_TO_FLAGS = 14,
	CHAIN_MAX = 6,
	HEADERS_MAX = 0xfff,
};

static bool is_error(const struct model_packet *packet, uint8_t type)
{
	if (packet->family == 4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

static bool is_echo(const struct model_packet *packet, uint8_t type)
{
	return type == (packet->family == 4 ? 8 : 128);
}

/* `offset`, `left`: of the quoted transport header, of `proto`. */
static enum model_verdict parse_ports(const uint8_t *bytes, uint32_t offset, int32_t left,
				      uint32_t proto, struct model_packet *packet)
{
	const uint8_t *at = bytes + offset;

	if (left < QUOTED_LEAST || offset > HEADERS_MAX || offset + QUOTED_LEAST > packet->linear)
		return MODEL_drop_truncated;
	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return MODEL_drop_quote;
	packet->flow.proto = (uint8_t)proto;
	packet->flow.source_port = (uint16_t)get16(at + 2);
	packet->flow.destination_port = (uint16_t)get16(at);
	packet->quoted = true;
	/* What the backend acknowledges is where the client is. */
	if (proto == PROTO_TCP && left >= TCP_TO_FLAGS && offset + TCP_TO_FLAGS <= packet->linear &&
	    at[13] & 0x10) {
		packet->sequence = get32(at + 8);
		packet->sequence_known = true;
	}
	return MODEL_GOES_ON;
}

static enum model_verdict parse_quoted_ipv4(const uint8_t *bytes, uint32_t offset, int32_t left,
					    struct model_packet *packet)
{
	const uint8_t *ip = bytes + offset;
	enum model_verdict verdict;
	int32_t header;

	if (left < IPV4_LEAST || offset + IPV4_LEAST > packet->linear)
		return MODEL_drop_truncated;
	header = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < IPV4_LEAST ||
	    memcmp(ip + 12, packet->flow.destination.bytes, 4) != 0 || get16(ip + 6) & 0x1fff)
		return MODEL_drop_quote;
	verdict = parse_ports(bytes, offset + (uint32_t)header, left - header, ip[9], packet);
	if (verdict == MODEL_GOES_ON)
		memcpy(packet->flow.source.bytes, ip + 16, 4);
	return verdict;
}

static enum model_verdict parse_quoted_ipv6(const uint8_t *bytes, uint32_t offset, int32_t left,
					    struct model_packet *packet)
{
	const uint8_t *ip = bytes + offset;
	uint32_t at = offset + IPV6_HEADER, proto, size;
	int32_t rest = left - IPV6_HEADER;
	enum model_verdict verdict;

	if (left < IPV6_HEADER || at > packet->linear)
		return MODEL_drop_truncated;
	if (ip[0] >> 4 != 6 || memcmp(ip + 8, packet->flow.destination.bytes, 16) != 0)
		return MODEL_drop_quote;
	proto = ip[6];
	for (int i = 0; model_is_extension(proto); i++) {
		if (i == CHAIN_MAX || at > HEADERS_MAX)
			return MODEL_drop_quote;
		if (rest < 8 || at + 8 > packet->linear)
			return MODEL_drop_truncated;
		/* A later fragment has no ports. */
		if (proto == PROTO_FRAGMENT && get16(bytes + at + 2) & 0xfff8)
			return MODEL_drop_quote;
		size = model_extension_size(proto, bytes + at);
		proto = bytes[at];
		at += size;
		rest -= (int32_t)size;
	}
	verdict = parse_ports(bytes, at, rest, proto, packet);
	if (verdict == MODEL_GOES_ON)
		memcpy(packet->flow.source.bytes, ip + 24, 16);
	return verdict;
}

/* ---- ping ---- */

/* Whether it came from one host, that there can be, and to this one alone. */
bool model_answerable(const uint8_t *frame, const struct model_packet *packet)
{
	static const uint8_t zero[16];
	const uint8_t *source = packet->flow.source.bytes;

	if (frame[0] & 1)
		return false;
	if (packet->family == 6)
		return source[0] != 0xff && memcmp(source, zero, 16) != 0;
	return source[0] != 0 && source[0] != 127 && source[0] < 224 &&
	       memcmp(source, packet->flow.destination.bytes, 4) != 0;
}

static void swap(uint8_t *a, uint8_t *b, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		uint8_t kept = a[i];

		a[i] = b[i];
		b[i] = kept;
	}
}

/* A checksum of zero is that of all ones, which is right for any message. */
static void reply_type(uint8_t *icmp, uint8_t type)
{
	uint32_t before = get16(icmp);

	icmp[0] = type;
	checksum_follow(icmp + 2, before, get16(icmp));
	if (!get16(icmp + 2))
		put16(icmp + 2, 0xffff);
}

/* The message goes back as it came, padding and all. */
static enum model_verdict answer_echo(const struct model_packet *packet,
				      struct model_answer *answer)
{
	uint8_t *ip = answer->bytes + packet->l3_offset;
	uint32_t header = packet->family == 4 ? IPV4_LEAST : IPV6_HEADER, before;

	/* Options and extension headers ask for things on the way there, not on the way back. */
	if (!model_answerable(answer->bytes, packet) ||
	    packet->l4_offset != packet->l3_offset + header)
		return MODEL_drop_echo;
	swap(answer->bytes, answer->bytes + 6, 6);
	if (packet->family == 4) {
		before = get16(ip + 8);
		swap(ip + 12, ip + 16, 4);
		ip[8] = TTL;
		checksum_follow(ip + 10, before, get16(ip + 8));
	} else {
		swap(ip + 8, ip + 24, 16);
		ip[7] = TTL;
	}
	reply_type(ip + header, packet->family == 4 ? 0 : 129);
	return MODEL_answered_echo;
}

static bool vip_usable(const struct model_config *config, const struct model_address *vip)
{
	for (int i = 0; i < MODEL_LISTENERS; i++) {
		const struct model_listener *listener = &config->listeners[i];

		if (!memcmp(&listener->vip, vip, sizeof(*vip)) &&
		    config->pools[config->service_pools[listener->service]].usable)
			return true;
	}
	return false;
}

bool model_vip_usable(const struct model_config *config, const struct model_address *vip)
{
	return vip_usable(config, vip);
}

enum model_verdict model_icmp(const struct model_config *config, struct model_packet *packet,
			      struct model_answer *answer)
{
	const uint8_t *icmp = answer->bytes + packet->l4_offset;
	int32_t left = (int32_t)(packet->l3_offset + packet->l3_size - packet->l4_offset);

	if (packet->flow.proto != (packet->family == 4 ? PROTO_ICMP : PROTO_ICMPV6))
		return MODEL_pass_no_service;
	if (packet->part != MODEL_WHOLE)
		return MODEL_drop_fragment;
	left -= ICMP_HEADER;
	if (left < 0 || packet->l4_offset + ICMP_HEADER > packet->linear)
		return MODEL_drop_truncated;
	if (is_echo(packet, icmp[0])) {
		if (!model_is_vip(config, &packet->flow.destination))
			return MODEL_pass_no_service;
		return vip_usable(config, &packet->flow.destination) ? answer_echo(packet, answer)
								     : MODEL_drop_echo;
	}
	if (!is_error(packet, icmp[0]))
		return MODEL_pass_icmp;
	if (packet->family == 4)
		return parse_quoted_ipv4(answer->bytes, packet->l4_offset + ICMP_HEADER, left,
					 packet);
	return parse_quoted_ipv6(answer->bytes, packet->l4_offset + ICMP_HEADER, left, packet);
}
