/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_answer: ICMP errors that the balancer sends for packets that end with it: time exceeded,
 * and the MTU that would fit. RFC 792, RFC 1191, RFC 1812 (section 4.3.2), RFC 4443
 * (sections 2.4, 3.2 and 3.3). It speaks as the VIP.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum {
	TTL = 64,
	TOS = 0xc0,          /* RFC 1812, section 4.3.2.5 */
	ERROR_MAX_V4 = 576,  /* RFC 1812, section 4.3.2.3 */
	ERROR_MAX_V6 = 1280, /* RFC 4443, section 2.4 */
	HEADROOM_LEFT = 216,
};

/* Whether there may be one (RFC 1122, section 3.2.2; RFC 4443, section 2.4): not for an error, not
 * for a later fragment. No MTU is told below that which every path has, nor to who allows routers
 * to fragment. */
static bool may_be_told(const struct model_packet *packet, const uint8_t *frame, bool too_big)
{
	const uint8_t *ip = frame + packet->l3_offset;

	if (packet->quoted || packet->part == MODEL_LATER || !model_answerable(frame, packet))
		return false;
	if (!too_big)
		return true;
	if (packet->family == 6)
		return packet->l3_size > ERROR_MAX_V6;
	return get16(ip + 6) & 0x4000 && packet->l3_size > ERROR_MAX_V4;
}

/* The frame's link header, sent back to whom it came from. */
static void link_back(const struct model_frame *frame, uint32_t size, uint8_t *out)
{
	memcpy(out, frame->bytes, size);
	memcpy(out, frame->bytes + 6, 6);
	memcpy(out + 6, frame->bytes, 6);
}

static void error_ipv4(const uint8_t *quoted, uint32_t quote, uint32_t mtu, uint8_t *out)
{
	uint8_t *icmp = out + IPV4_LEAST;

	memset(out, 0, IPV4_LEAST + ICMP_HEADER);
	out[0] = 0x45;
	out[1] = TOS;
	put16(out + 2, IPV4_LEAST + ICMP_HEADER + quote);
	memcpy(out + 4, quoted + 4, 2);
	out[8] = TTL;
	out[9] = PROTO_ICMP;
	memcpy(out + 12, quoted + 16, 4);
	memcpy(out + 16, quoted + 12, 4);
	put16(out + 10, ~sum_of(out, IPV4_LEAST) & 0xffff);
	icmp[0] = mtu ? 3 : 11;
	icmp[1] = mtu ? 4 : 0;
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, quoted, quote);
	put16(icmp + 2, ~sum_of(icmp, ICMP_HEADER + quote) & 0xffff);
}

static void error_ipv6(const uint8_t *quoted, uint32_t quote, uint32_t mtu, uint8_t *out)
{
	uint8_t *icmp = out + IPV6_HEADER;
	uint32_t length = ICMP_HEADER + quote;

	memset(out, 0, IPV6_HEADER + ICMP_HEADER);
	out[0] = 0x60;
	put16(out + 4, length);
	out[6] = PROTO_ICMPV6;
	out[7] = TTL;
	memcpy(out + 8, quoted + 24, 16);
	memcpy(out + 24, quoted + 8, 16);
	icmp[0] = mtu ? 2 : 3;
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, quoted, quote);
	put16(icmp + 2,
	      ~sum_more(sum_pseudo(out + 8, 32, PROTO_ICMPV6, length), icmp, length) & 0xffff);
}

/* `fits`: the largest packet that would do. */
enum model_verdict model_refuse(const struct model_packet *packet, const struct model_frame *frame,
				enum model_verdict verdict, uint32_t fits,
				struct model_answer *answer)
{
	bool four = packet->family == 4, too_big = verdict == MODEL_drop_too_big;
	uint32_t header = (four ? IPV4_LEAST : IPV6_HEADER) + ICMP_HEADER;
	uint32_t most = four ? ERROR_MAX_V4 : ERROR_MAX_V6, quote = most - header, mtu = 0;
	const uint8_t *ip = frame->bytes + packet->l3_offset;

	if (!may_be_told(packet, frame->bytes, too_big))
		return verdict;
	if (frame->untold)
		return MODEL_drop_untold;
	if (header + frame->metadata > HEADROOM_LEFT)
		return MODEL_drop_no_room;
	if (too_big)
		mtu = fits > most ? fits : most;
	/* A whole number of words, of those that can be read. */
	if (quote > packet->l3_size)
		quote = packet->l3_size & ~3U;
	if (quote > packet->linear - packet->l3_offset)
		quote = (packet->linear - packet->l3_offset) & ~3U;
	link_back(frame, packet->l3_offset, answer->bytes);
	if (four)
		error_ipv4(ip, quote, mtu, answer->bytes + packet->l3_offset);
	else
		error_ipv6(ip, quote, mtu, answer->bytes + packet->l3_offset);
	answer->size = packet->l3_offset + header + quote;
	return too_big ? MODEL_refused_too_big : MODEL_refused_ttl;
}
