/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_translate_icmp: an ICMP error about a packet that its receiver sent (RFC 5508,
 * section 4.2). It quotes that packet as it was on the far side of NAT, and has to quote it as it
 * was sent: what NAT makes of a flow's packets is done to the quoted one the other way round, and
 * the message's checksum follows.
 *
 * Across families types, codes and MTUs are those of RFC 7915, sections 4.2, 4.3, 5.2 and 5.3; the
 * message has a new checksum, and, as errors are short, may not be fragmented. What NAT says of
 * itself in bpf/nat_icmp.h is taken for given: parameter problems that point into a header are not
 * translated, nor errors that quote extension headers; where an IPv4 router does not tell its MTU,
 * it is 1280, and no MTU of IPv6 is below that. Quoted lengths that the other family has no number
 * for are lies.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"
#include "model_translate.h"

enum { LONGEST = 65535, GROWTH = IPV6_HEADER - IPV4_LEAST, MTU_LEAST = 1280 };

struct quote {
	uint32_t at;        /* the quoted IP header in the frame */
	uint32_t transport; /* and its transport header */
	uint32_t end;       /* of the message */
	uint32_t check;     /* of the transport's checksum; 0: it is not quoted */
};

/* False if it cannot be translated. */
static bool quote_find(const struct model_packet *packet, const uint8_t *bytes, struct quote *quote)
{
	bool four = packet->family == 4, udp = packet->flow.proto == PROTO_UDP;
	const uint8_t *ip;

	quote->at = packet->l4_offset + ICMP_HEADER;
	ip = bytes + quote->at;
	if (!four && ip[6] != packet->flow.proto)
		return false;
	quote->transport = quote->at + (four ? (ip[0] & 15) * 4U : IPV6_HEADER);
	quote->end = packet->l3_offset + packet->l3_size;
	quote->check = quote->transport + (udp ? 6 : 16);
	if (quote->check + 2 > quote->end)
		quote->check = 0;
	return !quote->check || quote->check + 2 <= packet->linear;
}

/* Ports change places, for the quoted packet goes the other way. `bytes`: of the message, which
 * may be in its new place already. Returns what all that makes in the message's checksum. */
static uint32_t transport_change(const struct model_translation *to, bool udp, uint32_t addresses,
				 uint8_t *transport, uint8_t *check)
{
	uint32_t ports = model_ports_change(transport, to->destination_port, to->source_port);
	uint32_t sum = ports;

	if (!check)
		return sum;
	model_gone(&sum, check, 2);
	model_check_follow(check, fold(addresses + ports), udp);
	model_come(&sum, check, 2);
	return sum;
}

/* ---- in the same family ---- */

static void within(const struct model_translation *to, const struct model_packet *packet,
		   const struct quote *quote, uint8_t *bytes)
{
	bool four = packet->family == 4;
	uint32_t size = four ? 4 : 16, first = four ? 12 : 8, sum = 0, inner = 0, outer = 0;
	uint8_t *ip = bytes + packet->l3_offset, *quoted = bytes + quote->at;

	/* The packet's own header. */
	model_gone(&outer, ip + first, 2 * size);
	if (!to->keeps_source)
		memcpy(ip + first, to->source.bytes, size);
	memcpy(ip + first + size, to->destination.bytes, size);
	model_come(&outer, ip + first, 2 * size);
	if (four) {
		model_gone(&outer, ip + 8, 2);
		ip[8]--;
		model_come(&outer, ip + 8, 2);
		model_check_follow(ip + 10, outer, false);
	} else {
		ip[7]--;
		sum = outer; /* a pseudo-header is summed up there */
	}
	/* The quoted one. */
	model_gone(&inner, quoted + first, 2 * size);
	memcpy(quoted + first, to->destination.bytes, size);
	memcpy(quoted + first + size, to->source.bytes, size);
	model_come(&inner, quoted + first, 2 * size);
	sum = fold(sum + inner);
	if (four) {
		model_gone(&sum, quoted + 10, 2);
		model_check_follow(quoted + 10, inner, false);
		model_come(&sum, quoted + 10, 2);
	}
	sum = fold(sum + transport_change(to, packet->flow.proto == PROTO_UDP, inner,
					  bytes + quote->transport,
					  quote->check ? bytes + quote->check : NULL));
	model_check_follow(bytes + packet->l4_offset + 2, sum, false);
}

/* ---- in the other family ---- */

struct message {
	uint8_t type, code;
	uint32_t rest;
};

/* RFC 7915, section 4.2. */
static bool message_to_ipv6(const uint8_t *icmp, struct message *message)
{
	static const int8_t codes[16] = {0, 0, -1, 4, -1, 0, 0, 0, 0, 1, 1, 0, 0, 1, -1, 1};
	uint32_t mtu = get16(icmp + 6) + GROWTH;

	if (icmp[0] == 11) {
		*message = (struct message){3, icmp[1], 0};
		return true;
	}
	if (icmp[0] != 3 || icmp[1] > 15 || icmp[1] == 14)
		return false;
	if (icmp[1] == 2) /* protocol: points at the next header */
		*message = (struct message){4, 1, 6};
	else if (icmp[1] == 4)
		*message = (struct message){2, 0, mtu > MTU_LEAST ? mtu : MTU_LEAST};
	else
		*message = (struct message){1, (uint8_t)codes[icmp[1]], 0};
	return true;
}

/* Section 5.2. */
static bool message_to_ipv4(const uint8_t *icmp, struct message *message)
{
	static const uint8_t codes[5] = {1, 10, 1, 1, 3};
	uint32_t mtu = get32(icmp + 4);

	mtu = mtu < MTU_LEAST ? MTU_LEAST : mtu > LONGEST ? LONGEST : mtu;
	switch (icmp[0]) {
	case 1:
		if (icmp[1] > 4)
			return false;
		*message = (struct message){3, codes[icmp[1]], 0};
		return true;
	case 2:
		*message = (struct message){3, 4, mtu - GROWTH};
		return true;
	case 3:
		*message = (struct message){11, icmp[1], 0};
		return true;
	default:
		*message = (struct message){3, 2, 0};
		return icmp[0] == 4 && icmp[1] == 1;
	}
}

/* What the quoted header says, for one of the other family. */
static bool quoted_header(const struct model_translation *to, const uint8_t *ip,
			  struct model_header *header)
{
	bool four = to->destination.family == 6; /* it was */
	uint32_t size = four ? (ip[0] & 15) * 4U : IPV6_HEADER;
	uint32_t total = four ? get16(ip + 2) : get16(ip + 4) + IPV6_HEADER;

	*header = (struct model_header){
		.source = &to->destination,
		.destination = &to->source,
		.payload = total - size,
		.dont_fragment = true,
		.traffic_class = four ? ip[1] : (uint8_t)(get16(ip) >> 4),
		.hops = four ? ip[8] : ip[7],
		.proto = four ? ip[9] : ip[6],
	};
	return total >= size && (four || header->payload + IPV4_LEAST <= LONGEST);
}

static void checksum_make(const uint8_t *ip, bool four, uint8_t *icmp, uint32_t size)
{
	uint32_t pseudo = four ? 0 : sum_pseudo(ip + 8, 32, PROTO_ICMPV6, size), check;

	put16(icmp + 2, 0);
	check = ~sum_more(pseudo, icmp, size) & 0xffff;
	put16(icmp + 2, check ? check : 0xffff);
}

static enum model_verdict across(const struct model_translation *to,
				 const struct model_packet *packet, const struct quote *quote,
				 const struct model_frame *frame, struct model_answer *answer)
{
	const uint8_t *icmp_was = frame->bytes + packet->l4_offset;
	const uint8_t *quoted_was = frame->bytes + quote->at;
	bool four = to->destination.family == 4;
	uint32_t header = model_header_size(to->destination.family);
	uint32_t size = ICMP_HEADER + header + quote->end - quote->transport;
	uint8_t *ip = answer->bytes + packet->l3_offset, *icmp = ip + header;
	uint8_t *transport = icmp + ICMP_HEADER + header;
	struct model_header outer = {
		.source = &to->source,
		.destination = &to->destination,
		.payload = size,
		.dont_fragment = true,
		.traffic_class = packet->traffic_class,
		.hops = model_hops_left(frame->bytes + packet->l3_offset, packet->family),
		.proto = four ? PROTO_ICMP : PROTO_ICMPV6,
	};
	struct model_header inner;
	struct message message;

	if (!(four ? message_to_ipv4(icmp_was, &message) : message_to_ipv6(icmp_was, &message)) ||
	    !quoted_header(to, quoted_was, &inner))
		return MODEL_drop_quote;
	if (!model_room_left(frame, quote->transport - packet->l3_offset, 2 * header + ICMP_HEADER))
		return MODEL_drop_no_room;
	memcpy(transport, frame->bytes + quote->transport, frame->size - quote->transport);
	transport_change(to, packet->flow.proto == PROTO_UDP,
			 model_addresses_change(to, packet->family, quoted_was + (four ? 8 : 12)),
			 transport,
			 quote->check ? transport + (quote->check - quote->transport) : NULL);
	model_header_put(ip, &outer);
	model_header_put(icmp + ICMP_HEADER, &inner);
	icmp[0] = message.type;
	icmp[1] = message.code;
	put16(icmp + 4, message.rest >> 16);
	put16(icmp + 6, message.rest & 0xffff);
	checksum_make(ip, four, icmp, size);
	answer->size = packet->l3_offset + header + size + frame->size - quote->end;
	return MODEL_GOES_ON;
}

enum model_verdict model_translate_error(const struct model_translation *to,
					 const struct model_packet *packet,
					 const struct model_frame *frame,
					 struct model_answer *answer)
{
	enum model_verdict verdict = MODEL_GOES_ON;
	struct quote quote;

	if (!model_hops_left(frame->bytes + packet->l3_offset, packet->family))
		return MODEL_drop_ttl;
	if (!quote_find(packet, frame->bytes, &quote))
		return MODEL_drop_quote;
	if (packet->family == to->destination.family)
		within(to, packet, &quote, answer->bytes);
	else
		verdict = across(to, packet, &quote, frame, answer);
	if (verdict == MODEL_GOES_ON)
		model_link_put(to, packet->l3_offset, answer->bytes);
	return verdict;
}
