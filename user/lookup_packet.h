/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lookup_packet: makes the packet that `flow lookup` asks the data plane about, and reads what it
 * has become. A leaf; pure.
 */
#ifndef LIMPET_LOOKUP_PACKET_H
#define LIMPET_LOOKUP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum {
	LOOKUP_PACKET_SIZE_MAX = 14 + 40 + 20,
	LOOKUP_SENT_SIZE = 256, /* room for what any way of forwarding makes of it */
};

struct lookup_flow {
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	bool syn;      /* TCP: the flow's first packet, rather than one of an established flow */
	struct addr source;
	struct addr destination; /* of the same family */
	uint16_t source_port;    /* host order */
	uint16_t destination_port;
};

/* Writes an Ethernet frame without payload, lengths and checksums as a host would send them, and
 * returns its size. */
size_t lookup_packet_build(const struct lookup_flow *flow, uint8_t out[LOOKUP_PACKET_SIZE_MAX]);

/* Reads protocol, addresses and ports of such a packet, whatever became of them. `out` is zeroed if
 * it is none. */
void lookup_packet_read(const uint8_t *frame, size_t size, struct lookup_flow *out);

#endif
