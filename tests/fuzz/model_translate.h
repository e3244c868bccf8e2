/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_translate: what packets and the packets that errors quote have in common, for
 * model_translate.c and model_translate_icmp.c.
 */
#ifndef FUZZ_MODEL_TRANSLATE_H
#define FUZZ_MODEL_TRANSLATE_H

#include "model.h"

static inline uint32_t fold(uint32_t sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

/* Words that a checksum covered no longer, and that it covers now: RFC 1624, equation 3. */
void model_gone(uint32_t *sum, const uint8_t *at, uint32_t size);
void model_come(uint32_t *sum, const uint8_t *at, uint32_t size);
/* The checksum after them; of UDP none stays none, and zero is all ones. */
void model_check_follow(uint8_t *check, uint32_t difference, bool udp);

uint32_t model_address_size(const struct model_address *address);
/* The two addresses at `before` of `family` become those of `to`. */
uint32_t model_addresses_change(const struct model_translation *to, uint8_t family,
				const uint8_t *before);
/* Writes the ports and returns what that makes in a checksum. */
uint32_t model_ports_change(uint8_t *ports, uint32_t source, uint32_t destination);

/* A header of the addresses' family. */
struct model_header {
	const struct model_address *source, *destination;
	uint32_t payload; /* bytes behind it */
	uint32_t number;  /* of IPv4 */
	bool dont_fragment;
	uint8_t traffic_class, hops, proto;
};

void model_header_put(uint8_t *ip, const struct model_header *header);
uint32_t model_header_size(uint8_t family);
void model_link_put(const struct model_translation *to, uint32_t l3_offset, uint8_t *out);
/* Whether the driver left room for headers of `after` bytes in place of such of `before`. */
bool model_room_left(const struct model_frame *frame, uint32_t before, uint32_t after);
/* After one is taken; 0: it ends here. */
uint8_t model_hops_left(const uint8_t *ip, uint8_t family);

#endif
