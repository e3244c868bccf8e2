/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet_headers: the headers of a frame, from the outermost to the innermost, in words. A leaf;
 * pure.
 */
#ifndef LIMPET_PACKET_HEADERS_H
#define LIMPET_PACKET_HEADERS_H

#include <stddef.h>
#include <stdint.h>

enum { PACKET_HEADERS_MAX = 8, PACKET_END_SIZE = 48, PACKET_MORE_SIZE = 64 };

struct packet_header {
	const char *name;             /* "ethernet", "vlan", "ipv4", "ipv6", "udp", "tcp" */
	char source[PACKET_END_SIZE]; /* MAC, address or port; empty: it has none */
	char destination[PACKET_END_SIZE];
	char more[PACKET_MORE_SIZE]; /* "protocol 4, TTL 64, 60 bytes"; empty: nothing */
};

/* Returns how many there are, up to the first that is not known or is cut. `gue_port`: UDP port to
 * which an IP packet goes without another header (0: none). */
size_t packet_headers(const uint8_t *frame, size_t size, uint16_t gue_port,
		      struct packet_header out[PACKET_HEADERS_MAX]);

#endif
