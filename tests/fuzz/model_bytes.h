/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* model_bytes: numbers as packets have them, and the Internet checksum, byte by byte. */
#ifndef FUZZ_MODEL_BYTES_H
#define FUZZ_MODEL_BYTES_H

#include <stdint.h>

enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AUTH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_OPTIONS = 60,
	IPV4_LEAST = 20,
	IPV6_HEADER = 40,
	TCP_LEAST = 20,
	UDP_HEADER = 8,
	ICMP_HEADER = 8,
};

static inline uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071: the sum of all words, an odd byte at the end being the upper half of one. */
static inline uint32_t sum_more(uint32_t sum, const uint8_t *at, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t sum_of(const uint8_t *at, uint32_t size)
{
	return sum_more(0, at, size);
}

/* RFC 8200, section 8.1, and RFC 793: addresses (of both, behind each other), protocol, length. */
static inline uint32_t sum_pseudo(const uint8_t *addresses, uint32_t size, uint32_t proto,
				  uint32_t length)
{
	const uint8_t rest[] = {(uint8_t)(length >> 24),
				(uint8_t)(length >> 16),
				(uint8_t)(length >> 8),
				(uint8_t)length,
				0,
				(uint8_t)proto};

	return sum_more(sum_of(addresses, size), rest, sizeof(rest));
}

/* RFC 1624, equation 3: the checksum at `check` after a word went from `before` to `after`. */
static inline void checksum_follow(uint8_t *check, uint32_t before, uint32_t after)
{
	uint32_t sum = (~get16(check) & 0xffff) + (~before & 0xffff) + after;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(check, ~sum & 0xffff);
}

#endif
