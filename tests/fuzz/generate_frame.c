/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * generate_frame: see generate.h. A frame is put together from behind: the transport first, then
 * the headers that say how long that is.
 */
#include <string.h>

#include "generate.h"
#include "machine.h"
#include "model_bytes.h"

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

	struct model_flow nat;

	if (config->nat && random_percent(r, 50) && generate_nat_flow(r, memory, &nat)) {
		*sequence = (uint32_t)random_next(r);
		return nat;
	}
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
	static const uint8_t odd_sources[] = {0, 127, 224, 255, 10};
	uint32_t last = flow->source.family == 4 ? 3 : 15;

	switch (random_below(r, 45)) {
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
	case 6:
		flow->source.bytes[0] = RANDOM_OF(r, odd_sources);
		break;
	case 7:
		flow->source = flow->destination;
		break;
	case 8:
		memset(flow->source.bytes, 0, last + 1);
		break;
	default:
		break;
	}
}

/* ---- fragments ---- */

struct piece {
	bool part;
	bool more;
	uint32_t offset; /* in eights */
	uint32_t number;
};

static struct piece piece_choose(struct random *r, const struct crowd *crowd)
{
	static const uint32_t offsets[] = {0, 0, 0, 1, 2, 3, 185, 8000, 8189, 8191};
	struct piece piece = {.part = random_percent(r, 8),
			      .more = random_percent(r, 60),
			      .offset = RANDOM_OF(r, offsets),
			      .number = random_percent(r, 90) ? RANDOM_OF(r, crowd->numbers)
							      : (uint32_t)random_next(r)};

	if (!piece.part)
		piece = (struct piece){.number = (uint32_t)random_next(r)};
	return piece;
}

/* All but the last are of eights. */
static void piece_cut(struct random *r, const struct piece *piece, struct writer *w)
{
	if (piece->part && piece->more && random_percent(r, 90))
		w->at &= ~7U;
}

/* ---- headers ---- */

static uint8_t hops(struct random *r)
{
	static const uint8_t few[] = {0, 1, 2, 3, 255, 128};

	return random_percent(r, 85) ? 64 : RANDOM_OF(r, few);
}

static uint32_t proto_said(struct random *r, uint32_t proto)
{
	static const uint8_t others[] = {1, 58, 4, 41, 47, 44, 0, 43, 60, 51, 50, 59, 132, 255, 6};

	return random_percent(r, 97) ? proto : RANDOM_OF(r, others);
}

/* What the length says is mostly true. */
static uint32_t length_said(struct random *r, uint32_t length)
{
	return random_percent(r, 97) ? length : length + random_below(r, 40) - 20;
}

static uint32_t ipv4_fragment_word(struct random *r, const struct piece *piece)
{
	uint32_t word = piece->offset | (piece->more ? 0x2000U : 0);

	if (random_percent(r, piece->part ? 10 : 60))
		word |= 0x4000;
	return random_percent(r, 99) ? word : word ^ (0x8000U >> random_below(r, 16));
}

static void write_ipv4(struct writer *w, const struct model_flow *flow, uint32_t proto,
		       uint32_t transport, const struct piece *piece)
{
	static const uint16_t odd[] = {0, 0xffff, 0xfeff, 0xfffe, 0x0100, 0xff00, 0x00ff};
	uint32_t options = random_percent(w->r, 90) ? 0 : random_below(w->r, 11);
	uint32_t begin = w->at, header = 20 + 4 * options, check;

	write8(w, random_percent(w->r, 99) ? 0x40 | header / 4 : (uint32_t)random_next(w->r));
	write8(w, random_percent(w->r, 50) ? 0 : (uint32_t)random_next(w->r));
	write16(w, length_said(w->r, header + transport));
	write16(w, piece->number);
	write16(w, ipv4_fragment_word(w->r, piece));
	write8(w, hops(w->r));
	write8(w, proto_said(w->r, proto));
	write16(w, 0);
	write_bytes(w, flow->source.bytes, 4);
	write_bytes(w, flow->destination.bytes, 4);
	write_noise(w, 4 * options);
	check = ~sum_of(w->bytes + begin, header) & 0xffff;
	if (random_percent(w->r, 3))
		check = random_percent(w->r, 70) ? RANDOM_OF(w->r, odd)
						 : (uint32_t)random_next(w->r);
	put16(w->bytes + begin + 10, check);
}

/* `next_at`: where the number of the next header is to be. Returns where it is now. */
static uint32_t write_extension(struct writer *w, uint32_t next_at, uint8_t type)
{
	uint8_t words = random_percent(w->r, 80) ? (uint8_t)random_below(w->r, 3)
						 : (uint8_t)random_next(w->r);
	uint32_t begin = w->at;

	write8(w, w->bytes[next_at]);
	w->bytes[next_at] = type;
	if (type == PROTO_FRAGMENT) {
		write8(w, 0);
		write16(w, random_percent(w->r, 70) ? 0 : (uint32_t)random_next(w->r));
		write32(w, (uint32_t)random_next(w->r));
		return begin;
	}
	/* At times it says that it is longer than it is. */
	if (words > 2 && random_percent(w->r, 50)) {
		write8(w, words);
		words = 0;
	} else {
		write8(w, type == PROTO_AUTH ? (words + 1U) * 2 - 2 : words);
		words &= 15;
	}
	write8(w, 0);
	write8(w, random_percent(w->r, 90) ? 0 : 1);
	write_noise(w, 4 + 8U * words);
	return begin;
}

void generate_extensions(struct writer *w, uint32_t next_at, uint32_t count)
{
	static const uint8_t types[] = {0, 60, 60, 43, 51, 44};

	for (uint32_t i = 0; i < count; i++) {
		uint8_t type = i ? RANDOM_OF(w->r, types) : 0;

		if ((i && !type && random_percent(w->r, 90)) || (!i && random_percent(w->r, 50)))
			type = PROTO_OPTIONS;
		next_at = write_extension(w, next_at, type);
	}
}

static void write_fragment_header(struct writer *w, uint32_t next_at, const struct piece *piece)
{
	write8(w, w->bytes[next_at]);
	w->bytes[next_at] = PROTO_FRAGMENT;
	write8(w, 0);
	write16(w, piece->offset << 3 | piece->more);
	write32(w, piece->number);
}

/* `transport`: to follow, of `size`. */
static void write_ipv6(struct writer *w, const struct model_flow *flow, uint32_t proto,
		       uint32_t size, const struct piece *piece)
{
	uint32_t begin = w->at, chain = random_percent(w->r, 90) ? 0 : random_below(w->r, 8);
	uint32_t next_at = begin + 6;

	write32(w, 0x60000000U | ((uint32_t)random_next(w->r) & 0xfffffff));
	if (random_percent(w->r, 1))
		w->bytes[begin] = (uint8_t)random_next(w->r);
	write16(w, 0);
	write8(w, proto_said(w->r, proto));
	write8(w, hops(w->r));
	write_bytes(w, flow->source.bytes, 16);
	write_bytes(w, flow->destination.bytes, 16);
	/* Of a chain each new header is put in front of the transport, behind the others. */
	for (uint32_t i = 0; i < chain; i++) {
		uint32_t at = w->at;

		generate_extensions(w, next_at, 1);
		next_at = at;
	}
	if (piece->part)
		write_fragment_header(w, next_at, piece);
	put16(w->bytes + begin + 4, length_said(w->r, w->at - begin - IPV6_HEADER + size));
}

static void write_link(struct writer *w, bool six)
{
	static const uint16_t others[] = {0x0806, 0x8100, 0x88a8, 0x0800, 0x86dd, 0x8847, 0x05dc};
	static const uint8_t counts[] = {1, 1, 1, 2, 2, 3};
	uint32_t tags = random_percent(w->r, 92) ? 0 : RANDOM_OF(w->r, counts);

	write_noise(w, 12);
	/* Of the same host as others, which NAT sends answers to. */
	if (random_percent(w->r, 60))
		memset(w->bytes + w->at - 12, 2 + 2 * (uint8_t)random_below(w->r, 2), 12);
	if (random_percent(w->r, 95))
		w->bytes[w->at - 12] &= 0xfe; /* to one host */
	while (tags--) {
		write16(w, random_percent(w->r, 70) ? 0x8100 : 0x88a8);
		write16(w, (uint32_t)random_next(w->r));
	}
	if (random_percent(w->r, 97))
		write16(w, six ? 0x86dd : 0x0800);
	else
		write16(w, random_percent(w->r, 80) ? RANDOM_OF(w->r, others)
						    : (uint32_t)random_next(w->r));
}

void generate_frame(struct random *r, const struct model_config *config, const struct crowd *crowd,
		    const struct model_memory *memory, struct model_frame *frame)
{
	static const uint32_t room[] = {4, 168, 172, 176, 180, 188, 196, 200, 212};
	static const uint32_t buffers[] = {128, 200, 256, 512, 1024, 1280, 2048, 3000};
	uint8_t transport[MODEL_FRAME];
	struct writer inner = {r, transport, 0}, w = {r, frame->bytes, 0};
	struct piece piece = piece_choose(r, crowd);
	uint32_t sequence, proto, ip;
	struct model_flow flow = flow_choose(r, config, crowd, memory, &sequence);
	bool six = flow.destination.family == 6;

	flow_miss(r, &flow);
	proto = generate_transport(&inner, &flow, sequence);
	piece_cut(r, &piece, &inner);
	/* Errors come from routers. */
	if ((proto == PROTO_ICMP || proto == PROTO_ICMPV6) && random_percent(r, 50))
		flow.source.bytes[1] ^= 0x55;
	write_link(&w, six);
	ip = w.at;
	if (six)
		write_ipv6(&w, &flow, proto, inner.at, &piece);
	else
		write_ipv4(&w, &flow, proto, inner.at, &piece);
	write_bytes(&w, transport, inner.at);
	generate_checksum(r, w.bytes + ip, six, proto, w.bytes + w.at - inner.at, inner.at);
	if (random_percent(r, 10))
		write_noise(&w, random_below(r, 48));
	frame->size = w.at < MACHINE_FRAME_MAX ? w.at : MACHINE_FRAME_MAX;
	frame->ifindex = MACHINE_NEAR;
	frame->metadata = random_percent(r, 98) ? 0 : RANDOM_OF(r, room);
	frame->untold = random_percent(r, 3);
	frame->linear = random_percent(r, 90) ? 0 : RANDOM_OF(r, buffers);
	if (random_percent(r, 15))
		mutate(r, frame);
	if (frame->linear >= frame->size)
		frame->linear = 0;
}
