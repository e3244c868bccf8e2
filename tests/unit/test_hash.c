/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow or client to slot (bpf/hash.h): known answers, that inputs as networks produce them (ports
 * and addresses in sequence) fill the slots evenly, and that the seed alone decides which. All keys
 * are fixed, so that each run computes the same.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/hash.h"
#include "../../user/siphash.h"

static const uint8_t seed[LB_SEED_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t other_seed[LB_SEED_SIZE] = {2};

static void keys_from(const uint8_t from[LB_SEED_SIZE])
{
	siphash_expand(from, hash_keys);
}

static int setup(void **state)
{
	(void)state;
	keys_from(seed);
	return 0;
}

static struct lb_flow_key_v4 flow4(uint32_t source, uint16_t port)
{
	return (struct lb_flow_key_v4){.source = htonl(0xc6336407 + source),
				       .destination = htonl(0xc0000201),
				       .source_port = htons(port),
				       .destination_port = htons(80),
				       .proto = 6};
}

static struct lb_flow_key_v6 flow6(uint32_t network, uint32_t host, uint16_t port)
{
	struct lb_flow_key_v6 flow = {
		.source_port = htons(port), .destination_port = htons(80), .proto = 6};

	inet_pton(AF_INET6, "2001:db8:c::7", &flow.source);
	inet_pton(AF_INET6, "2001:db8::1", &flow.destination);
	flow.source.v6[1] = htonl(ntohl(flow.source.v6[1]) + network);
	flow.source.v6[3] = htonl(ntohl(flow.source.v6[3]) + host);
	return flow;
}

/* Computed by another implementation, of SipHash too. All nodes of a site must agree on these. */
static void known_answers(void **state)
{
	struct lb_flow_key_v4 tcp4 = flow4(0, 4000), udp4 = tcp4;
	struct lb_flow_key_v6 tcp6 = flow6(0, 0, 4000);

	(void)state;
	udp4.proto = 17;
	assert_int_equal(hash_flow_v4(&tcp4), 0x3dcb3e34);
	assert_int_equal(hash_flow_v4(&udp4), 0xa0066220);
	assert_int_equal(hash_flow_v6(&tcp6), 0xdb2cfe30);
	assert_int_equal(hash_client_v4(htonl(0xc6336400)), 0xc65b245f);
	tcp6.source.v6[3] = 0;
	assert_int_equal(hash_client_v6(tcp6.source.v6), 0x51551036);
}

/* ---- sequences, as clients and scanners make them: the hash of the i-th ---- */

static uint32_t ports_of_one_client(uint32_t i)
{
	struct lb_flow_key_v4 flow = flow4(0, (uint16_t)(1024 + i));

	return hash_flow_v4(&flow);
}

static uint32_t ports_of_one_client_v6(uint32_t i)
{
	struct lb_flow_key_v6 flow = flow6(0, 0, (uint16_t)(1024 + i));

	return hash_flow_v6(&flow);
}

/* As a NAT hands them out, to both of two services in turn. */
static uint32_t every_second_port(uint32_t i)
{
	struct lb_flow_key_v4 flow = flow4(0, (uint16_t)(1024 + i / 2 * 2));

	flow.destination_port = htons(i % 2 ? 80 : 443);
	return hash_flow_v4(&flow);
}

static uint32_t addresses_with_one_port(uint32_t i)
{
	struct lb_flow_key_v4 flow = flow4(i, 4000);

	return hash_flow_v4(&flow);
}

static uint32_t addresses_with_one_port_v6(uint32_t i)
{
	struct lb_flow_key_v6 flow = flow6(0, i, 4000);

	return hash_flow_v6(&flow);
}

static uint32_t clients(uint32_t i)
{
	return hash_client_v4(htonl(0x0a000000 + i));
}

static uint32_t clients_of_24_bits(uint32_t i)
{
	return hash_client_v4(htonl(0x0a000000 + (i << 8)));
}

static uint32_t clients_of_64_bits(uint32_t i)
{
	struct lb_flow_key_v6 flow = flow6(i, 0, 0);

	flow.source.v6[3] = 0;
	return hash_client_v6(flow.source.v6);
}

static const struct {
	const char *name;
	uint32_t (*hash)(uint32_t i);
} sequences[] = {
	{"ports of one client", ports_of_one_client},
	{"ports of one client, IPv6", ports_of_one_client_v6},
	{"every second port, to two services", every_second_port},
	{"addresses with one port", addresses_with_one_port},
	{"addresses with one port, IPv6", addresses_with_one_port_v6},
	{"clients by address", clients},
	{"clients by /24", clients_of_24_bits},
	{"clients by /64", clients_of_64_bits},
};

enum { SEQUENCES = sizeof(sequences) / sizeof(sequences[0]), INPUTS = 60000, BINS_MAX = 4096 };

static uint32_t by_slot(uint32_t hash, uint32_t bins)
{
	return hash_reduce(hash, bins);
}

/* As the varying bits of the outer source and the flow label are taken. */
static uint32_t by_low_bits(uint32_t hash, uint32_t bins)
{
	return hash % bins;
}

static const struct {
	const char *name;
	uint32_t (*bin)(uint32_t hash, uint32_t bins);
	uint32_t bins;
} uses[] = {
	{"few slots", by_slot, 7},          {"1021 slots", by_slot, 1021},
	{"4093 slots", by_slot, 4093},      {"8 low bits", by_low_bits, 256},
	{"12 low bits", by_low_bits, 4096},
};

/* Chi-square: how far the bins are from even. Chance gives about `bins`, with a variance of twice
 * that, and five standard deviations more once in millions. */
static double unevenness(uint32_t (*hash)(uint32_t), uint32_t (*bin)(uint32_t, uint32_t),
			 uint32_t bins)
{
	static uint32_t count[BINS_MAX];
	double expected = (double)INPUTS / bins, sum = 0;

	memset(count, 0, sizeof(count));
	for (uint32_t i = 0; i < INPUTS; i++) {
		uint32_t at = bin(hash(i), bins);

		assert_in_range(at, 0, bins - 1);
		count[at]++;
	}
	for (uint32_t i = 0; i < bins; i++)
		sum += (count[i] - expected) * (count[i] - expected) / expected;
	return sum;
}

static void sequences_spread(void **state)
{
	(void)state;
	for (size_t s = 0; s < SEQUENCES; s++) {
		for (size_t u = 0; u < sizeof(uses) / sizeof(uses[0]); u++) {
			double got = unevenness(sequences[s].hash, uses[u].bin, uses[u].bins);
			double over = got - uses[u].bins;

			if (over > 0 && over * over > 25 * 2.0 * uses[u].bins)
				fail_msg("%s over %s: chi-square %.0f", sequences[s].name,
					 uses[u].name, got);
		}
	}
}

/* Of two nodes with different seeds, one learns nothing about the other. */
static void seed_decides(void **state)
{
	enum { SLOTS = 100, EVEN = INPUTS / SLOTS };
	static uint32_t slot[INPUTS];

	(void)state;
	for (size_t s = 0; s < SEQUENCES; s++) {
		int same = 0;

		for (uint32_t i = 0; i < INPUTS; i++)
			slot[i] = hash_reduce(sequences[s].hash(i), SLOTS);
		keys_from(other_seed);
		for (uint32_t i = 0; i < INPUTS; i++)
			same += slot[i] == hash_reduce(sequences[s].hash(i), SLOTS);
		keys_from(seed);
		assert_in_range(same, EVEN - 5 * 25, EVEN + 5 * 25); /* 25: the square root */
	}
}

/* One bit anywhere in the key makes another hash. */
static void every_bit_counts(void **state)
{
	struct lb_flow_key_v4 four = flow4(0, 4000);
	struct lb_flow_key_v6 six = flow6(0, 0, 4000);
	const uint32_t hash4 = hash_flow_v4(&four), hash6 = hash_flow_v6(&six);
	const uint32_t client6 = hash_client_v6(six.source.v6);

	(void)state;
	for (size_t bit = 0; bit < 8 * offsetof(struct lb_flow_key_v4, zero); bit++) {
		((uint8_t *)&four)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hash_flow_v4(&four), hash4);
		((uint8_t *)&four)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * offsetof(struct lb_flow_key_v6, zero); bit++) {
		((uint8_t *)&six)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hash_flow_v6(&six), hash6);
		if (bit < 128)
			assert_int_not_equal(hash_client_v6(six.source.v6), client6);
		((uint8_t *)&six)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (uint32_t bit = 0; bit < 32; bit++)
		assert_int_not_equal(hash_client_v4(1U << bit), hash_client_v4(0));
}

static void reduce_covers_the_table(void **state)
{
	static const uint32_t sizes[] = {1, 2, 7, 65537, LB_TABLE_SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(hash_reduce(0, sizes[i]), 0);
		assert_int_equal(hash_reduce(UINT32_MAX, sizes[i]), sizes[i] - 1);
	}
	assert_int_equal(hash_reduce(12345, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(sequences_spread),
		cmocka_unit_test(seed_decides),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(reduce_covers_the_table),
	};
	return cmocka_run_group_tests_name("hash", tests, setup, NULL);
}
