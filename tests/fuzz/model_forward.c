/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_forward: the bytes that leave.
 *
 * L2: new addresses in the Ethernet header, nothing else. IPIP: RFC 2003, RFC 2473 and RFC 4213.
 * The packet inside loses one from its TTL (RFC 2003, section 3.1), and its checksum follows by RFC
 * 1624; the outer header takes the traffic class (RFC 2983, RFC 6040), has TTL 64, and in IPv4 the
 * inner DF and identification; IPv6 inside IPv4 may not be fragmented, and has identification 0.
 */
#include <string.h>

#include "model.h"

enum {
	ETHERNET = 14,
	OUTER_TTL = 64,
	/* What the kernel leaves before a frame, and what of that it keeps for itself. */
	HEADROOM = 256,
	HEADROOM_KEPT = 40,
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* RFC 1071, over an even number of bytes. */
static uint32_t sum16(const uint8_t *at, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i += 2)
		sum += get16(at + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1624, equation 3: the checksum at `check` after a word went from `before` to `after`. */
static void checksum_follow(uint8_t *check, uint32_t before, uint32_t after)
{
	uint32_t sum = (~get16(check) & 0xffff) + (~before & 0xffff) + after;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(check, ~sum & 0xffff);
}

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

static void outer_ipv4(uint8_t *outer, const struct model_backend *backend,
		       const struct model_packet *packet, const uint8_t *inner)
{
	bool four = packet->family == 4;

	memset(outer, 0, 20);
	outer[0] = 0x45;
	outer[1] = packet->traffic_class;
	put16(outer + 2, packet->l3_size + 20);
	put16(outer + 4, four ? get16(inner + 4) : 0);
	put16(outer + 6, four ? get16(inner + 6) & 0x4000 : 0x4000);
	outer[8] = OUTER_TTL;
	outer[9] = four ? 4 : 41;
	memcpy(outer + 12, backend->outer_source.bytes, 4);
	memcpy(outer + 16, backend->outer_destination.bytes, 4);
}

static void outer_ipv6(uint8_t *outer, const struct model_backend *backend,
		       const struct model_packet *packet, uint32_t entropy)
{
	put16(outer, 0x6000U | (uint32_t)packet->traffic_class << 4 | (entropy >> 16 & 15));
	put16(outer + 2, entropy & 0xffff);
	put16(outer + 4, packet->l3_size);
	outer[6] = packet->family == 4 ? 4 : 41;
	outer[7] = OUTER_TTL;
	memcpy(outer + 8, backend->outer_source.bytes, 16);
	memcpy(outer + 24, backend->outer_destination.bytes, 16);
}

/* The low bits of the outer source, `at` its last four bytes, vary by flow. */
static void source_vary(uint8_t *at, uint32_t bits, uint32_t entropy)
{
	for (uint32_t bit = 0; bit < bits && bit < 32; bit++)
		if (entropy >> bit & 1)
			at[3 - bit / 8] |= (uint8_t)(1 << bit % 8);
}

static void ethernet_put(uint8_t *at, const struct model_backend *backend, uint8_t family)
{
	memcpy(at, backend->next_hop, 6);
	memcpy(at + 6, backend->egress_mac, 6);
	put16(at + 12, family == 4 ? 0x0800 : 0x86dd);
}

static enum model_verdict forward_ipip(const struct model_backend *backend,
				       const struct model_packet *packet,
				       const struct model_frame *frame, uint32_t entropy,
				       struct model_answer *answer)
{
	bool four = backend->way == MODEL_IPIP4;
	uint32_t header = four ? 20 : 40;
	uint8_t *outer = answer->bytes + ETHERNET, *inner = outer + header;

	if (backend->mtu && packet->l3_size + header > backend->mtu)
		return MODEL_drop_too_big;
	memcpy(inner, frame->bytes + packet->l3_offset, frame->size - packet->l3_offset);
	if (!hop_take(inner, packet->family))
		return MODEL_drop_ttl;
	if (header + frame->metadata > HEADROOM - HEADROOM_KEPT)
		return MODEL_drop_no_room;
	if (four) {
		outer_ipv4(outer, backend, packet, inner);
		source_vary(outer + 12, backend->source_bits, entropy);
		put16(outer + 10, ~sum16(outer, 20) & 0xffff);
	} else {
		outer_ipv6(outer, backend, packet, entropy);
		source_vary(outer + 20, backend->source_bits, entropy);
	}
	ethernet_put(answer->bytes, backend, four ? 4 : 6);
	answer->size = frame->size + header;
	return MODEL_forwarded;
}

enum model_verdict model_forward(const struct model_backend *backend,
				 const struct model_packet *packet, const struct model_frame *frame,
				 uint32_t entropy, struct model_answer *answer)
{
	switch (backend->way) {
	case MODEL_IPIP4:
	case MODEL_IPIP6:
		return forward_ipip(backend, packet, frame, entropy, answer);
	case MODEL_L2:
		ethernet_put(answer->bytes, backend, packet->family);
		return MODEL_forwarded;
	default:
		return MODEL_drop_internal;
	}
}
