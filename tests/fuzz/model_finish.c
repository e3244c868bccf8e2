/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_finish: checksums that a sender on the same machine left to hardware that is not there.
 * What stands in their place is the sum of the pseudo-header (RFC 9293, section 3.1; RFC 768), over
 * all that the packet has of the transport, and is taken for nothing else: of finished ones the few
 * that look so come out as they were.
 */
#include "model.h"
#include "model_bytes.h"

void model_finish(const struct model_packet *packet, uint8_t *bytes)
{
	bool four = packet->family == 4, udp = packet->flow.proto == PROTO_UDP;
	uint32_t size = packet->l3_offset + packet->l3_size - packet->l4_offset, pseudo, sum;
	uint8_t *ip = bytes + packet->l3_offset, *at = bytes + packet->l4_offset;
	uint8_t *check = at + (udp ? 6 : 16);

	if (packet->part != MODEL_WHOLE || packet->quoted ||
	    (!udp && packet->flow.proto != PROTO_TCP) || check + 2 > bytes + packet->linear)
		return;
	pseudo = sum_pseudo(ip + (four ? 12 : 8), four ? 8 : 32, packet->flow.proto, size);
	if (get16(check) != pseudo)
		return;
	/* The pseudo-header is in the sum as what stood there. */
	sum = ~sum_of(at, size) & 0xffff;
	put16(check, sum ? sum : 0xffff);
}
