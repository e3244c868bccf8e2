/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* generate_transport: see generate.h. What is behind the IP header: TCP, UDP, ICMP. */
#include <string.h>

#include "generate.h"
#include "model_bytes.h"

enum { SYN = 0x02, ACK = 0x10, FIN = 0x01, RST = 0x04 };

static uint32_t payload_size(struct random *r)
{
	static const uint32_t mtus[] = {68, 576, 1280, 1500, 1540, 1600};
	uint32_t at = random_below(r, 100);

	if (at < 80)
		return random_below(r, 64);
	if (at < 95)
		/* About what fits some path, whatever the headers. */
		return (RANDOM_OF(r, mtus) - random_below(r, 104)) & 0x7ff;
	/* Jumbo frames, too, some of which come in several buffers. */
	return random_below(r, random_percent(r, 70) ? 3400 : 9100);
}

static uint32_t tcp_flags(struct random *r)
{
	static const uint8_t usual[] = {SYN, SYN,     SYN, SYN,       ACK,       ACK,      ACK,
					ACK, ACK | 8, RST, RST | ACK, SYN | ACK, FIN | ACK};

	if (random_percent(r, 90))
		return RANDOM_OF(r, usual);
	return (uint32_t)random_next(r) & 0xff;
}

static void write_tcp(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	uint32_t words = random_percent(w->r, 70) ? 5 : 5 + random_below(w->r, 11);
	uint32_t said = random_percent(w->r, 96) ? words : random_below(w->r, 16);

	write16(w, flow->source_port);
	write16(w, flow->destination_port);
	write32(w, sequence);
	write32(w, (uint32_t)random_next(w->r));
	write8(w, said << 4);
	write8(w, tcp_flags(w->r));
	write_noise(w, 6 + (words - 5) * 4);
	write_noise(w, payload_size(w->r));
}

static void write_udp(struct writer *w, const struct model_flow *flow)
{
	uint32_t payload = payload_size(w->r), length = UDP_HEADER + payload;

	if (random_percent(w->r, 4))
		length += random_below(w->r, 20) - 10;
	write16(w, flow->source_port);
	write16(w, flow->destination_port);
	write16(w, length);
	write_noise(w, 2 + payload);
}

/* ---- ICMP ---- */

/* The flow as its backend sends: from the VIP to the client. */
static void write_quoted_ports(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	write16(w, flow->destination_port);
	write16(w, flow->source_port);
	if (flow->proto == PROTO_UDP) {
		write16(w, 100);
		write16(w, (uint32_t)random_next(w->r));
	} else {
		write32(w, (uint32_t)random_next(w->r));
		write32(w, sequence);
		write8(w, 0x50);
		write8(w, random_percent(w->r, 80) ? ACK : tcp_flags(w->r));
	}
}

static uint32_t proto_quoted(struct random *r, const struct model_flow *flow)
{
	return random_percent(r, 95) ? flow->proto : random_below(r, 64);
}

static void write_quoted_ipv4(struct writer *w, const struct model_flow *flow)
{
	uint32_t words = random_percent(w->r, 85) ? 5 : random_below(w->r, 16);

	write8(w, (random_percent(w->r, 97) ? 0x40 : random_below(w->r, 256)) | words);
	write_noise(w, 5);
	write16(w, random_percent(w->r, 90) ? 0x4000 : (uint32_t)random_next(w->r) & 0x3003);
	write8(w, 3);
	write8(w, proto_quoted(w->r, flow));
	write_noise(w, 2);
	write_bytes(w, flow->destination.bytes, 4);
	write_bytes(w, flow->source.bytes, 4);
	if (words > 5)
		write_noise(w, (words - 5) * 4);
}

static void write_quoted_ipv6(struct writer *w, const struct model_flow *flow)
{
	uint32_t chain = random_percent(w->r, 80) ? 0 : random_below(w->r, 8), at;

	write8(w, random_percent(w->r, 97) ? 0x60 : random_below(w->r, 256));
	write_noise(w, 5);
	at = w->at;
	write8(w, proto_quoted(w->r, flow));
	write8(w, 3);
	write_bytes(w, flow->destination.bytes, 16);
	write_bytes(w, flow->source.bytes, 16);
	generate_extensions(w, at, chain);
}

static uint8_t icmp_type(struct random *r, bool six, bool *error)
{
	static const uint8_t errors[2][4] = {{3, 11, 12, 3}, {1, 2, 3, 4}};
	uint32_t at = random_below(r, 100);

	*error = at < 60;
	if (*error)
		return errors[six][random_below(r, 4)];
	if (at < 90)
		return six ? 128 : 8;
	return (uint8_t)random_next(r);
}

static void write_icmp(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	static const uint32_t mtus[] = {0,    19,   68,   1260,  1279, 1280,
					1281, 1400, 1500, 65535, 65536};
	bool six = flow->source.family == 6, error;
	struct model_flow quoted = *flow;

	write8(w, icmp_type(w->r, six, &error));
	write8(w, random_below(w->r, random_percent(w->r, 70) ? 6 : 18));
	write_noise(w, 2);
	write32(w, random_percent(w->r, 60) ? RANDOM_OF(w->r, mtus) : (uint32_t)random_next(w->r));
	if (!error) {
		write_noise(w, payload_size(w->r));
		return;
	}
	if (random_percent(w->r, 5))
		quoted.destination.bytes[random_below(w->r, 4)] ^= 1;
	if (six)
		write_quoted_ipv6(w, &quoted);
	else
		write_quoted_ipv4(w, &quoted);
	write_quoted_ports(w, &quoted, sequence);
	write_noise(w, random_below(w->r, 40));
	/* Less than what was meant, now and then. */
	if (random_percent(w->r, 10))
		w->at -= random_below(w->r, w->at < 48 ? w->at : 48);
}

uint32_t generate_transport(struct writer *w, const struct model_flow *flow, uint32_t sequence)
{
	if (random_percent(w->r, 8)) {
		write_icmp(w, flow, sequence);
		return flow->source.family == 4 ? PROTO_ICMP : PROTO_ICMPV6;
	}
	if (flow->proto == PROTO_TCP)
		write_tcp(w, flow, sequence);
	else
		write_udp(w, flow);
	return flow->proto;
}

/* Of a whole packet at `ip`, whose transport begins at `at` and ends at `end`. */
void generate_checksum(struct random *r, uint8_t *ip, bool six, uint32_t proto, uint8_t *at,
		       uint32_t size)
{
	static const uint8_t places[64] = {
		[PROTO_TCP] = 16, [PROTO_UDP] = 6, [PROTO_ICMP] = 2, [PROTO_ICMPV6] = 2};
	uint32_t place = places[proto & 63], sum = 0;

	if (!place || size < place + 2 || random_percent(r, 15))
		return; /* what was there by chance */
	put16(at + place, 0);
	if (proto == PROTO_UDP && random_percent(r, 10))
		return;
	if (proto != PROTO_ICMP)
		sum = sum_pseudo(ip + (six ? 8 : 12), six ? 32 : 8, proto, size);
	/* Now and then it was left to hardware. */
	if (proto != PROTO_ICMP && proto != PROTO_ICMPV6 && random_percent(r, 10)) {
		put16(at + place, sum);
		return;
	}
	sum = ~sum_more(sum, at, size) & 0xffff;
	put16(at + place, sum || proto != PROTO_UDP ? sum : 0xffff);
}
