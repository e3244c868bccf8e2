/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Outer headers (bpf/encap.h) for any inner packet and backend there can be: the checksum holds and
 * the fields are those given. Single headers, byte by byte and on the real program, are in
 * tests/packet/cases_forward.c; here it is the carries of the checksum that need many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/encap.h"

enum { HEADERS = 200000 };

/* Xorshift (Marsaglia, 2003), so that each run makes the same headers. */
static uint32_t any(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* All ones in half of the cases where that makes a sum carry. */
static uint32_t any_word(void)
{
	return any() % 2 ? UINT32_MAX : any();
}

/* RFC 1071, two bytes at a time; 0xffff for a header whose checksum holds. */
static uint32_t sum_of(const void *header, size_t size)
{
	const uint8_t *bytes = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void ipv4_checksum_holds(void **state)
{
	(void)state;
	for (int i = 0; i < HEADERS; i++) {
		struct lb_backend backend = {.source_bits = any() % 33,
					     .outer_source.v4 = any_word(),
					     .outer_destination.v4 = any_word()};
		struct inner inner = {.length = (uint16_t)(any_word() % 65516),
				      .traffic_class = (uint8_t)any_word(),
				      .proto = any() % 2 ? 4 : 41,
				      .id_and_df = any_word() & bpf_htonl(0xffff4000)};
		uint32_t words[5];
		const struct iphdr *ip = (const struct iphdr *)words;

		encap_ipv4(words, &backend, &inner, any_word());
		if (sum_of(words, sizeof(words)) != 0xffff)
			fail_msg("header %d: the checksum does not hold", i);
		assert_int_equal(ip->version << 4 | ip->ihl, 0x45);
		assert_int_equal(ip->tos, inner.traffic_class);
		assert_int_equal(bpf_ntohs(ip->tot_len), inner.length + 20);
		assert_int_equal(words[1], inner.id_and_df);
		assert_int_equal(ip->ttl, 64);
		assert_int_equal(ip->protocol, inner.proto);
		assert_int_equal(ip->daddr, backend.outer_destination.v4);
	}
}

/* `bits` low bits of the source vary, no more and no fewer. */
static void source_varies_in_its_bits(void **state)
{
	(void)state;
	for (uint32_t bits = 0; bits <= 32; bits++) {
		struct lb_backend backend = {.source_bits = bits};
		uint32_t mask = bits == 32 ? UINT32_MAX : (1U << bits) - 1;

		assert_int_equal(outer_source_bits(&backend, UINT32_MAX), bpf_htonl(mask));
		assert_int_equal(outer_source_bits(&backend, 0x12345678),
				 bpf_htonl(0x12345678 & mask));
	}
}

static void ipv6_fields(void **state)
{
	(void)state;
	for (int i = 0; i < HEADERS / 100; i++) {
		struct lb_backend backend = {.source_bits = 0,
					     .outer_source.v6 = {any(), any(), any(), any()},
					     .outer_destination.v6 = {any(), any(), any(), any()}};
		struct inner inner = {.length = (uint16_t)any(),
				      .traffic_class = (uint8_t)any(),
				      .proto = any() % 2 ? 4 : 41};
		uint32_t words[10], entropy = any();
		const struct ipv6hdr *ip = (const struct ipv6hdr *)words;

		encap_ipv6(words, &backend, &inner, entropy);
		assert_int_equal(words[0], bpf_htonl(6U << 28 | inner.traffic_class << 20 |
						     (entropy & 0xfffff)));
		assert_int_equal(bpf_ntohs(ip->payload_len), inner.length);
		assert_int_equal(ip->nexthdr, inner.proto);
		assert_int_equal(ip->hop_limit, 64);
		assert_memory_equal(&ip->saddr, &backend.outer_source, 16);
		assert_memory_equal(&ip->daddr, &backend.outer_destination, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_checksum_holds),
		cmocka_unit_test(source_varies_in_its_bits),
		cmocka_unit_test(ipv6_fields),
	};
	return cmocka_run_group_tests_name("encap", tests, NULL, NULL);
}
