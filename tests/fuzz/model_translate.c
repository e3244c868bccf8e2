/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_translate: a packet under other addresses and ports, in its family (RFC 3022, RFC 6296's
 * arithmetic of checksums) or the other one (RFC 7915, sections 4.1 and 5.1).
 *
 * Either way it is a router that does it: one hop less, and what has none left ends here. Checksums
 * follow by RFC 1624, so that what came damaged leaves as damaged; a UDP checksum that is not there
 * stays so (RFC 768), but in IPv6 there has to be one (RFC 7915, section 4.5). Across families the
 * IP header is a new one, without options and extension headers, and the traffic class is kept.
 * An IPv4 packet of up to 1260 bytes may be fragmented (section 5.1) and has the transport's
 * checksum for a number; a longer one may not, and needs none (RFC 6864). Fragments cannot change
 * the family.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"
#include "model_translate.h"

enum { FRAGMENTABLE_MAX = 1260, HEADROOM = 256 - 40 };

void model_gone(uint32_t *sum, const uint8_t *at, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 2)
		*sum = fold(*sum + (~get16(at + i) & 0xffff));
}

void model_come(uint32_t *sum, const uint8_t *at, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 2)
		*sum = fold(*sum + get16(at + i));
}

void model_check_follow(uint8_t *check, uint32_t difference, bool udp)
{
	uint32_t now;

	if (udp && !get16(check))
		return;
	now = ~fold((~get16(check) & 0xffff) + difference) & 0xffff;
	put16(check, now || !udp ? now : 0xffff);
}

uint32_t model_address_size(const struct model_address *address)
{
	return address->family == 4 ? 4 : 16;
}

uint32_t model_addresses_change(const struct model_translation *to, uint8_t family,
				const uint8_t *before)
{
	uint32_t sum = 0;

	model_gone(&sum, before, family == 4 ? 8 : 32);
	model_come(&sum, to->source.bytes, model_address_size(&to->source));
	model_come(&sum, to->destination.bytes, model_address_size(&to->destination));
	return sum;
}

uint32_t model_ports_change(uint8_t *ports, uint32_t source, uint32_t destination)
{
	uint32_t sum = 0;

	model_gone(&sum, ports, 4);
	put16(ports, source);
	put16(ports + 2, destination);
	model_come(&sum, ports, 4);
	return sum;
}

void model_header_put(uint8_t *ip, const struct model_header *header)
{
	if (header->source->family == 6) {
		put16(ip, 0x6000U | (uint32_t)header->traffic_class << 4);
		put16(ip + 2, 0);
		put16(ip + 4, header->payload);
		ip[6] = header->proto;
		ip[7] = header->hops;
		memcpy(ip + 8, header->source->bytes, 16);
		memcpy(ip + 24, header->destination->bytes, 16);
		return;
	}
	ip[0] = 0x45;
	ip[1] = header->traffic_class;
	put16(ip + 2, header->payload + IPV4_LEAST);
	put16(ip + 4, header->number);
	put16(ip + 6, header->dont_fragment ? 0x4000 : 0);
	ip[8] = header->hops;
	ip[9] = header->proto;
	put16(ip + 10, 0);
	memcpy(ip + 12, header->source->bytes, 4);
	memcpy(ip + 16, header->destination->bytes, 4);
	put16(ip + 10, ~sum_of(ip, IPV4_LEAST) & 0xffff);
}

void model_link_put(const struct model_translation *to, uint32_t l3_offset, uint8_t *out)
{
	memcpy(out, to->next_hop, 6);
	memcpy(out + 6, to->egress_mac, 6);
	put16(out + l3_offset - 2, to->destination.family == 4 ? 0x0800 : 0x86dd);
}

bool model_room_left(const struct model_frame *frame, uint32_t before, uint32_t after)
{
	return after <= before || after - before + frame->metadata <= HEADROOM;
}

uint32_t model_header_size(uint8_t family)
{
	return family == 4 ? IPV4_LEAST : IPV6_HEADER;
}

/* ---- the transport header ---- */

/* `at`: where it comes to lie. */
static void transport_change(const struct model_translation *to, const struct model_packet *packet,
			     const uint8_t *addresses, uint8_t *at)
{
	bool udp = packet->flow.proto == PROTO_UDP;
	uint32_t sum = model_addresses_change(to, packet->family, addresses);

	sum = fold(sum + model_ports_change(at, to->source_port, to->destination_port));
	model_check_follow(at + (udp ? 6 : 16), sum, udp);
}

/* The checksum that IPv4 did not want. What the datagram says of its length counts. */
static void udp_complete(const uint8_t *ip, uint8_t *udp)
{
	uint32_t length = get16(udp + 4), check;

	check = ~sum_more(sum_pseudo(ip + 8, 32, PROTO_UDP, length), udp, length) & 0xffff;
	put16(udp + 6, check ? check : 0xffff);
}

/* ---- the IP header ---- */

static void header_change(const struct model_translation *to, uint8_t family, uint8_t *ip)
{
	uint32_t sum;

	if (family == 6) {
		ip[7]--;
		memcpy(ip + 8, to->source.bytes, 16);
		memcpy(ip + 24, to->destination.bytes, 16);
		return;
	}
	sum = model_addresses_change(to, 4, ip + 12);
	model_gone(&sum, ip + 8, 2);
	ip[8]--;
	model_come(&sum, ip + 8, 2);
	memcpy(ip + 12, to->source.bytes, 4);
	memcpy(ip + 16, to->destination.bytes, 4);
	model_check_follow(ip + 10, sum, false);
}

static void header_replace(const struct model_translation *to, const struct model_packet *packet,
			   uint8_t hops, uint8_t *ip)
{
	bool four = to->destination.family == 4;
	struct model_header header = {
		.source = &to->source,
		.destination = &to->destination,
		.payload = packet->l3_offset + packet->l3_size - packet->l4_offset,
		.traffic_class = packet->traffic_class,
		.hops = hops,
		.proto = packet->flow.proto,
	};
	uint8_t *transport = ip + model_header_size(to->destination.family);

	header.dont_fragment = header.payload + IPV4_LEAST > FRAGMENTABLE_MAX;
	if (!header.dont_fragment)
		header.number = get16(transport + (header.proto == PROTO_UDP ? 6 : 16));
	model_header_put(ip, &header);
	if (!four && header.proto == PROTO_UDP && !get16(transport + 6))
		udp_complete(ip, transport);
}

uint8_t model_hops_left(const uint8_t *ip, uint8_t family)
{
	uint8_t hops = ip[family == 4 ? 8 : 7];

	return hops ? hops - 1 : 0;
}

enum model_verdict model_translate(const struct model_translation *to,
				   const struct model_packet *packet,
				   const struct model_frame *frame, struct model_answer *answer)
{
	const uint8_t *was = frame->bytes + packet->l3_offset;
	uint8_t *ip = answer->bytes + packet->l3_offset, hops;
	bool across = packet->family != to->destination.family;
	uint32_t before = packet->l4_offset - packet->l3_offset;
	uint32_t after = across ? model_header_size(to->destination.family) : before;

	if (to->mtu && packet->l3_size - before + after > to->mtu)
		return MODEL_drop_too_big;
	hops = model_hops_left(was, packet->family);
	if (!hops)
		return MODEL_drop_ttl;
	if (across && packet->part != MODEL_WHOLE)
		return MODEL_drop_fragment;
	if (!model_room_left(frame, before, after))
		return MODEL_drop_no_room;
	memcpy(ip + after, frame->bytes + packet->l4_offset, frame->size - packet->l4_offset);
	answer->size = frame->size - before + after;
	if (packet->part != MODEL_LATER)
		transport_change(to, packet, was + (packet->family == 4 ? 12 : 8), ip + after);
	if (across)
		header_replace(to, packet, hops, ip);
	else
		header_change(to, packet->family, ip);
	model_link_put(to, packet->l3_offset, answer->bytes);
	return MODEL_GOES_ON;
}
