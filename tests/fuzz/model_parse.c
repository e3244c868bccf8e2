/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_parse: bytes to flow. From IEEE 802.3, RFC 791 (section 3.1), RFC 8200 (section 3), RFC
 * 9293 (section 3.1) and RFC 768. Lengths are those that headers state; what a frame has behind the
 * IP packet is padding.
 */
#include <string.h>

#include "model.h"

enum {
	ETHERNET = 14,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	IPV4_LEAST = 20,
	IPV6_HEADER = 40,
	TCP_LEAST = 20,
	UDP_HEADER = 8,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_FRAGMENT = 44,
	PROTO_ICMPV6 = 58,
};

static uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

static struct model_address address_of(uint8_t family, const uint8_t *at)
{
	struct model_address address = {.family = family};

	memcpy(address.bytes, at, family == 4 ? 4 : 16);
	return address;
}

/* `room`: what the IP header leaves for the transport, all of it in the frame. */
static enum model_verdict parse_tcp(const uint8_t *at, uint32_t room, struct model_packet *packet)
{
	uint32_t header;
	uint8_t flags;

	if (room < TCP_LEAST)
		return MODEL_drop_truncated;
	header = (at[12] >> 4) * 4U;
	if (header < TCP_LEAST || header > room)
		return MODEL_drop_bad_header;
	flags = at[13];
	packet->sequence = be32(at + 4);
	packet->syn = (flags & 0x02) && !(flags & 0x10);
	packet->reset = flags & 0x04;
	packet->closing = packet->reset || (flags & 0x01);
	return MODEL_GOES_ON;
}

static enum model_verdict parse_udp(const uint8_t *at, uint32_t room)
{
	if (room < UDP_HEADER)
		return MODEL_drop_truncated;
	if (be16(at + 4) < UDP_HEADER || be16(at + 4) > room)
		return MODEL_drop_bad_header;
	return MODEL_GOES_ON;
}

static enum model_verdict parse_transport(const uint8_t *at, uint32_t room,
					  struct model_packet *packet)
{
	enum model_verdict verdict;

	switch (packet->flow.proto) {
	case PROTO_TCP:
		verdict = parse_tcp(at, room, packet);
		break;
	case PROTO_UDP:
		verdict = parse_udp(at, room);
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return MODEL_pass_icmp;
	default:
		return MODEL_pass_no_service;
	}
	if (verdict == MODEL_GOES_ON) {
		packet->flow.source_port = (uint16_t)be16(at);
		packet->flow.destination_port = (uint16_t)be16(at + 2);
	}
	return verdict;
}

/* `left`: bytes of the frame from the IP header on. */
static enum model_verdict parse_ipv4(const uint8_t *ip, uint32_t left, struct model_packet *packet)
{
	uint32_t header, total;

	if (left < IPV4_LEAST)
		return MODEL_drop_truncated;
	packet->family = 4;
	packet->flow.source = address_of(4, ip + 12);
	packet->flow.destination = address_of(4, ip + 16);
	header = (ip[0] & 15) * 4U;
	total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_LEAST || total < header)
		return MODEL_drop_bad_header;
	if (total > left)
		return MODEL_drop_truncated;
	packet->l3_size = total;
	packet->traffic_class = ip[1];
	packet->flow.proto = ip[9];
	/* "More fragments", or an offset. */
	if (be16(ip + 6) & 0x3fff)
		return MODEL_drop_fragment;
	return parse_transport(ip + header, total - header, packet);
}

static enum model_verdict parse_ipv6(const uint8_t *ip, uint32_t left, struct model_packet *packet)
{
	uint32_t payload;

	if (left < IPV6_HEADER)
		return MODEL_drop_truncated;
	packet->family = 6;
	packet->flow.source = address_of(6, ip + 8);
	packet->flow.destination = address_of(6, ip + 24);
	payload = be16(ip + 4);
	if (ip[0] >> 4 != 6)
		return MODEL_drop_bad_header;
	if (payload > left - IPV6_HEADER)
		return MODEL_drop_truncated;
	packet->l3_size = IPV6_HEADER + payload;
	packet->traffic_class = (uint8_t)(be16(ip) >> 4);
	packet->flow.proto = ip[6];
	if (packet->flow.proto == PROTO_FRAGMENT)
		return MODEL_drop_fragment;
	return parse_transport(ip + IPV6_HEADER, payload, packet);
}

enum model_verdict model_parse(const uint8_t *bytes, uint32_t size, struct model_packet *packet)
{
	memset(packet, 0, sizeof(*packet));
	if (size < ETHERNET)
		return MODEL_drop_truncated;
	packet->l3_offset = ETHERNET;
	switch (be16(bytes + 12)) {
	case TYPE_IPV4:
		return parse_ipv4(bytes + ETHERNET, size - ETHERNET, packet);
	case TYPE_IPV6:
		return parse_ipv6(bytes + ETHERNET, size - ETHERNET, packet);
	default:
		return MODEL_pass_not_ip;
	}
}
