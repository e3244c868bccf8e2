/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * generate_frame: see generate.h. A frame is written from its end to its beginning in what it says:
 * the transport first, then the header that says how long that is.
 */
#include <string.h>

#include "generate.h"
#include "machine.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17, SYN = 0x02, ACK = 0x10, FIN = 0x01, RST = 0x04 };

struct writer {
	struct random *r;
	uint8_t *bytes;
	uint32_t at;
};

static void put8(struct writer *w, uint32_t value)
{
	w->bytes[w->at++] = (uint8_t)value;
}

static void put16(struct writer *w, uint32_t value)
{
	put8(w, value >> 8);
	put8(w, value);
}

static void put32(struct writer *w, uint32_t value)
{
	put16(w, value >> 16);
	put16(w, value);
}

static void put_bytes(struct writer *w, const void *bytes, uint32_t size)
{
	memcpy(w->bytes + w->at, bytes, size);
	w->at += size;
}

/* What nobody is to look at. */
static void put_noise(struct writer *w, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 8) {
		uint64_t word = random_next(w->r);

		memcpy(w->bytes + w->at + i, &word, size - i < 8 ? size - i : 8);
	}
	w->at += size;
}

/* ---- whose packet it is ---- */

static uint32_t sequence_near(struct random *r, uint32_t of)
{
	static const uint32_t steps[] = {0, 0, 0, 1, 1, 1, 1000, 1 << 17, (1 << 17) + 1, ~0U};

	return of + RANDOM_OF(r, steps);
}

/* Of a flow that has an entry, or any of the crowd's. */
static struct model_flow flow_choose(struct random *r, const struct model_config *config,
				     const struct crowd *crowd, const struct model_memory *memory,
				     uint32_t *sequence)
{
	const struct model_entry *table = random_percent(r, 50) ? memory->births : memory->flows;
	const struct model_entry *entry = &table[random_below(r, 24)];

	if (entry->there && random_percent(r, 50)) {
		*sequence = sequence_near(r, entry->sequence);
		return entry->flow;
	}
	*sequence = random_percent(r, 80) ? sequence_near(r, RANDOM_OF(r, crowd->sequences))
					  : (uint32_t)random_next(r);
	return generate_flow(r, config, crowd);
}

/* Now and then a flow is nearly that. */
static void flow_miss(struct random *r, struct model_flow *flow)
{
	uint32_t last = flow->source.family == 4 ? 3 : 15;

	switch (random_below(r, 40)) {
	case 0:
		flow->destination.bytes[random_below(r, last + 1)] ^= 1 << random_below(r, 8);
		break;
	case 1:
		flow->source.bytes[random_below(r, last + 1)] ^= 1 << random_below(r, 8);
		break;
	case 2:
		flow->source_port = (uint16_t)random_next(r);
		break;
	case 3:
		flow->destination_port = (uint16_t)random_next(r);
		break;
	case 4:
		flow->proto = flow->proto == PROTO_TCP ? PROTO_UDP : PROTO_TCP;
		break;
	case 5:
		/* An IPv6 address that begins as an IPv4 one. */
		if (flow->destination.family == 6)
			flow->destination = (struct model_address){
				.family = 6,
				.bytes = {192, 0, 2, (uint8_t)(1 + random_below(r, 5))}};
		break;
	default:
		break;
	}
}

/* ---- headers ---- */

static uint32_t payload_size(struct random *r)
{
	static const uint32_t mtus[] = {68, 576, 1280, 1500, 1540, 1600};
	uint32_t at = random_below(r, 100);

	if (at < 80)
		return random_below(r, 64);
	if (at < 95)
		/* About what fits some path, whatever the headers. */
		return (RANDOM_OF(r, mtus) - random_below(r, 104)) & 0x7ff;
	return random_below(r, 3000);
}

static uint32_t tcp_flags(struct random *r)
{
	static const uint8_t usual[] = {SYN, SYN,     SYN,       SYN, ACK,       ACK,      ACK,
					ACK, ACK | 8, FIN | ACK, RST, RST | ACK, SYN | ACK};

	if (random_percent(r, 90))
		return RANDOM_OF(r, usual);
	return (uint32_t)random_next(r) & 0xff;
}

static void put_tcp(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	uint32_t words = random_percent(w->r, 70) ? 5 : 5 + random_below(w->r, 11);
	uint32_t said = random_percent(w->r, 96) ? words : random_below(w->r, 16);

	put16(w, flow->source_port);
	put16(w, flow->destination_port);
	put32(w, sequence);
	put32(w, (uint32_t)random_next(w->r));
	put8(w, said << 4);
	put8(w, tcp_flags(w->r));
	put_noise(w, 6 + (words - 5) * 4);
	put_noise(w, payload_size(w->r));
}

static void put_udp(struct writer *w, const struct model_flow *flow)
{
	uint32_t payload = payload_size(w->r), length = 8 + payload;

	if (random_percent(w->r, 4))
		length += random_below(w->r, 20) - 10;
	put16(w, flow->source_port);
	put16(w, flow->destination_port);
	put16(w, length);
	put_noise(w, 2 + payload);
}

static void put_transport(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	if (flow->proto == PROTO_TCP)
		put_tcp(w, flow, sequence);
	else
		put_udp(w, flow);
}

static uint8_t hops(struct random *r)
{
	static const uint8_t few[] = {0, 1, 2, 3, 255, 128};

	return random_percent(r, 85) ? 64 : RANDOM_OF(r, few);
}

static uint32_t proto_said(struct random *r, uint32_t proto)
{
	static const uint8_t others[] = {1, 58, 4, 41, 47, 44, 0, 43, 60, 51, 50, 132, 255};

	return random_percent(r, 97) ? proto : RANDOM_OF(r, others);
}

/* RFC 1071 */
static uint32_t checksum(const uint8_t *at, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Fragments are rare, "don't fragment" is not. */
static uint32_t fragment_word(struct random *r)
{
	if (random_percent(r, 94))
		return random_percent(r, 60) ? 0x4000 : 0;
	return (uint32_t)random_next(r) & (random_percent(r, 50) ? 0x2007 : 0xffff);
}

/* `transport`: what comes behind the header; it is there already, at `w->at` + the header's size.
 */
static void put_ipv4(struct writer *w, const struct model_flow *flow, uint32_t transport,
		     uint32_t options)
{
	uint32_t begin = w->at, header = 20 + 4 * options, length = header + transport, check;

	if (random_percent(w->r, 3))
		length += random_below(w->r, 40) - 20;
	put8(w, random_percent(w->r, 99) ? 0x40 | header / 4 : (uint32_t)random_next(w->r));
	put8(w, random_percent(w->r, 50) ? 0 : (uint32_t)random_next(w->r));
	put16(w, length);
	put16(w, (uint32_t)random_next(w->r));
	put16(w, fragment_word(w->r));
	put8(w, hops(w->r));
	put8(w, proto_said(w->r, flow->proto));
	put16(w, 0);
	put_bytes(w, flow->source.bytes, 4);
	put_bytes(w, flow->destination.bytes, 4);
	put_noise(w, 4 * options);
	check = checksum(w->bytes + begin, header);
	if (random_percent(w->r, 3)) {
		static const uint16_t odd[] = {0, 0xffff, 0xfeff, 0xfffe, 0x0100, 0xff00, 0x00ff};

		check = random_percent(w->r, 70) ? RANDOM_OF(w->r, odd)
						 : (uint32_t)random_next(w->r);
	}
	w->bytes[begin + 10] = (uint8_t)(check >> 8);
	w->bytes[begin + 11] = (uint8_t)check;
}

static void put_ipv6(struct writer *w, const struct model_flow *flow, uint32_t transport)
{
	uint32_t length = transport;

	if (random_percent(w->r, 3))
		length += random_below(w->r, 40) - 20;
	put32(w, 0x60000000U | ((uint32_t)random_next(w->r) & 0xfffffff));
	if (random_percent(w->r, 1))
		w->bytes[w->at - 4] = (uint8_t)random_next(w->r);
	put16(w, length);
	put8(w, proto_said(w->r, flow->proto));
	put8(w, hops(w->r));
	put_bytes(w, flow->source.bytes, 16);
	put_bytes(w, flow->destination.bytes, 16);
}

static void put_ethernet(struct writer *w, bool six)
{
	static const uint16_t others[] = {0x0806, 0x8100, 0x88a8, 0x0800, 0x86dd, 0x8847, 0x05dc};

	put_noise(w, 12);
	if (random_percent(w->r, 97))
		put16(w, six ? 0x86dd : 0x0800);
	else
		put16(w, random_percent(w->r, 80) ? RANDOM_OF(w->r, others)
						  : (uint32_t)random_next(w->r));
}

void generate_frame(struct random *r, const struct model_config *config, const struct crowd *crowd,
		    const struct model_memory *memory, struct model_frame *frame)
{
	static const uint32_t room[] = {4, 176, 180, 196, 200, 212};
	uint8_t transport[MODEL_FRAME];
	struct writer inner = {r, transport, 0}, w = {r, frame->bytes, 0};
	uint32_t sequence, options = random_percent(r, 94) ? 0 : random_below(r, 11);
	struct model_flow flow = flow_choose(r, config, crowd, memory, &sequence);

	flow_miss(r, &flow);
	put_transport(&inner, &flow, sequence);
	put_ethernet(&w, flow.destination.family == 6);
	if (flow.destination.family == 6)
		put_ipv6(&w, &flow, inner.at);
	else
		put_ipv4(&w, &flow, inner.at, options);
	put_bytes(&w, transport, inner.at);
	if (random_percent(r, 10))
		put_noise(&w, random_below(r, 48));
	frame->size = w.at;
	frame->ifindex = MACHINE_NEAR;
	frame->metadata = random_percent(r, 98) ? 0 : RANDOM_OF(r, room);
	if (random_percent(r, 15))
		mutate(r, frame);
}
