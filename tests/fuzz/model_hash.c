/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_hash: flow or client to a number, keyed with the site's seed.
 *
 * The keys are SipHash-2-4 (Aumasson and Bernstein, 2012) of "lb" and a number under the seed; the
 * hash is multilinear over pairs of 32-bit words (Lemire and Kaser, 2014), its upper half scattered
 * by a bijection. Words are numbers as a little-endian machine reads them from the packet, for that
 * is what all nodes of a site agree on.
 */
#include <string.h>

#include "model.h"

enum { KEYS = 12 };

static uint64_t rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d)
{
	*a += *b;
	*b = rotl(*b, 13) ^ *a;
	*a = rotl(*a, 32);
	*c += *d;
	*d = rotl(*d, 16) ^ *c;
	*a += *d;
	*d = rotl(*d, 21) ^ *a;
	*c += *b;
	*b = rotl(*b, 17) ^ *c;
	*c = rotl(*c, 32);
}

static uint64_t le64(const uint8_t *at)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | at[i];
	return x;
}

/* Of a message of fewer than eight bytes: one block, its length on top. */
static uint64_t sip_short(const uint8_t seed[MODEL_SEED], const uint8_t *message, uint8_t size)
{
	uint8_t block[8] = {[7] = size};
	uint64_t a = le64(seed) ^ 0x736f6d6570736575ULL;
	uint64_t b = le64(seed + 8) ^ 0x646f72616e646f6dULL;
	uint64_t c = le64(seed) ^ 0x6c7967656e657261ULL;
	uint64_t d = le64(seed + 8) ^ 0x7465646279746573ULL;

	memcpy(block, message, size);
	d ^= le64(block);
	for (int i = 0; i < 2; i++)
		sip_round(&a, &b, &c, &d);
	a ^= le64(block);
	c ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&a, &b, &c, &d);
	return a ^ b ^ c ^ d;
}

static const uint64_t *keys_of(const uint8_t seed[MODEL_SEED])
{
	static uint8_t last[MODEL_SEED];
	static uint64_t keys[KEYS];
	static bool filled;

	if (!filled || memcmp(last, seed, MODEL_SEED) != 0) {
		for (uint8_t i = 0; i < KEYS; i++)
			keys[i] = sip_short(seed, (const uint8_t[]){'l', 'b', i}, 3);
		memcpy(last, seed, MODEL_SEED);
		filled = true;
	}
	return keys;
}

/* `count` is even. */
static uint32_t multilinear(const uint8_t seed[MODEL_SEED], const uint32_t *words, int count)
{
	const uint64_t *keys = keys_of(seed);
	uint64_t sum = keys[0];
	uint32_t h;

	for (int i = 0; i < count; i += 2)
		sum += (keys[i + 1] + words[i]) * (keys[i + 2] + words[i + 1]);
	h = (uint32_t)(sum >> 32);
	h = (h ^ h >> 16) * 0x9e3779b1U;
	return h ^ h >> 15;
}

static uint32_t le32(const uint8_t *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static int address_words(const struct model_address *address, uint32_t *words)
{
	int count = address->family == 4 ? 1 : 4;

	for (int i = 0; i < count; i++)
		words[i] = le32(address->bytes + 4 * i);
	return count;
}

/* Source port above, destination port below, each with its bytes swapped. */
static uint32_t ports_word(const struct model_flow *flow)
{
	uint32_t ports = (uint32_t)flow->source_port << 16 | flow->destination_port;

	return (ports & 0x00ff00ff) << 8 | (ports >> 8 & 0x00ff00ff);
}

uint32_t model_hash_flow(const uint8_t seed[MODEL_SEED], const struct model_flow *flow)
{
	uint32_t words[10];
	int count = address_words(&flow->source, words);

	count += address_words(&flow->destination, words + count);
	words[count++] = ports_word(flow);
	words[count++] = flow->proto;
	return multilinear(seed, words, count);
}

uint32_t model_hash_client(const uint8_t seed[MODEL_SEED], const struct model_address *network)
{
	uint32_t words[4];
	int count = address_words(network, words);

	if (count == 1)
		words[count++] = 4;
	return multilinear(seed, words, count);
}

uint32_t model_entropy(const struct model_pool *pool, uint32_t hash, const struct model_flow *flow)
{
	return pool->by_source ? hash + ports_word(flow) * 0x9e3779b1U : hash;
}
