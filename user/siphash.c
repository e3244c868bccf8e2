/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * siphash: see siphash.h. Written from the paper, section 2: two rounds per word of input, four at
 * the end. Pure; knows nothing of what is hashed.
 */
#include "siphash.h"

static uint64_t rotate(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void sip_rounds(uint64_t v[4], int count)
{
	while (count--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void take_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

uint64_t siphash(const uint8_t key[LB_SEED_SIZE], const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	size_t left = size;

	for (; left >= 8; left -= 8, bytes += 8)
		take_word(v, little_endian(bytes, 8));
	take_word(v, (uint64_t)size << 56 | little_endian(bytes, left));
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void siphash_expand(const uint8_t seed[LB_SEED_SIZE], uint64_t keys[LB_HASH_KEYS])
{
	for (int i = 0; i < LB_HASH_KEYS; i++) {
		uint8_t label[3] = {'l', 'b', (uint8_t)i};

		keys[i] = siphash(seed, label, sizeof(label));
	}
}
