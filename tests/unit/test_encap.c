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

/* ---- GUE ---- */

enum { DATA_MAX = 33, INNER_MAX = 40 + 20 + DATA_MAX };

/* The transport of an inner packet and its checksum, by RFC 1071 over every byte. */
static void inner_finish(uint8_t *l4, size_t size, uint8_t proto, const void *addresses,
			 size_t addresses_size)
{
	uint8_t *check = l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
	uint32_t sum = 0;
	uint16_t value;

	if (proto == IPPROTO_UDP) {
		l4[4] = (uint8_t)(size >> 8);
		l4[5] = (uint8_t)size;
	}
	memset(check, 0, 2);
	if (proto != IPPROTO_ICMP)
		sum = sum_of(addresses, addresses_size) + (uint32_t)size + proto;
	if (size % 2)
		sum += (uint32_t)l4[size - 1] << 8;
	sum += sum_of(l4, size & ~1UL);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	value = (uint16_t)~sum;
	if (proto == IPPROTO_UDP && !value)
		value = 0xffff;
	check[0] = (uint8_t)(value >> 8);
	check[1] = (uint8_t)value;
}

/* Any inner packet of the family with right checksums; returns its size. */
static size_t inner_make(uint8_t *bytes, int family)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	size_t header = family == 4 ? 20 + 4 * (any() % 2) : 40;
	uint8_t proto = protos[any() % 3];
	size_t l4 = 20 + any() % (DATA_MAX - 4), size = header + l4;

	for (size_t i = 0; i < INNER_MAX; i++)
		bytes[i] = (uint8_t)any_word();
	if (family == 4) {
		struct iphdr *ip = (struct iphdr *)bytes;

		ip->version = 4;
		ip->ihl = (header / 4) & 15;
		ip->tot_len = bpf_htons((uint16_t)size);
		ip->frag_off = any() % 2 ? bpf_htons(IPV4_DF) : 0;
		ip->protocol = proto;
		if (proto == IPPROTO_UDP)
			ip->ihl = 5, size -= header - 20, ip->tot_len = bpf_htons((uint16_t)size);
		ip->check = 0;
		ip->check = (uint16_t)~bpf_htons((uint16_t)sum_of(ip, ip->ihl * 4U));
		inner_finish(bytes + ip->ihl * 4, l4, proto, &ip->saddr, 8);
	} else {
		struct ipv6hdr *ip = (struct ipv6hdr *)bytes;

		ip->version = 6;
		ip->payload_len = bpf_htons((uint16_t)l4);
		ip->nexthdr = proto == IPPROTO_ICMP ? IPV6_PROTO_ICMP : proto;
		inner_finish(bytes + 40, l4, ip->nexthdr, &ip->saddr, 32);
	}
	return size;
}

/* The checksum that was made of the headers is that of all bytes. */
static void gue_checksum_holds(void **state)
{
	struct {
		struct ipv6hdr ip;
		struct udphdr udp;
		uint8_t inner[INNER_MAX + 1];
	} __attribute__((packed, aligned(4))) packet;

	(void)state;
	for (int i = 0; i < HEADERS; i++) {
		struct lb_backend backend = {.port = (uint16_t)any()};
		int family = any() % 2 ? 4 : 6;
		uint32_t aligned[INNER_MAX / 4 + 1], total;
		size_t size;
		__u64 sum = 0;

		memset(&packet, 0, sizeof(packet));
		for (int w = 0; w < 4; w++) {
			packet.ip.saddr.s6_addr32[w] = any_word();
			packet.ip.daddr.s6_addr32[w] = any_word();
		}
		size = inner_make((uint8_t *)aligned, family);
		if (!(family == 4 ? inner_sum_ipv4((void *)aligned, aligned + INNER_MAX / 4, &sum)
				  : inner_sum_ipv6((void *)aligned, aligned + INNER_MAX / 4, &sum)))
			fail_msg("packet %d: no sum", i);
		memcpy(packet.inner, aligned, size);
		encap_gue(&packet.udp, &backend, (uint16_t)size, any());
		encap_gue_check(&packet.udp, &packet.ip, sum);
		assert_int_not_equal(packet.udp.check, 0);
		assert_true(bpf_ntohs(packet.udp.source) >= 49152);
		total = sum_of(&packet.ip.saddr, 32) + 17 + 8 + (uint32_t)size +
			sum_of(&packet.udp, 8) + sum_of(packet.inner, (size + 1) & ~1UL);
		while (total >> 16)
			total = (total & 0xffff) + (total >> 16);
		if (total != 0xffff)
			fail_msg("packet %d: the checksum does not hold", i);
	}
}

/* Where no checksum covers all of the packet, none can be made of it. */
static void gue_sum_not_known(void **state)
{
	static const struct {
		uint16_t frag_off;
		uint8_t proto;
		uint16_t udp_length, udp_check;
		bool known;
	} rows[] = {
		{0, IPPROTO_UDP, 10, 1, true},      {0, IPPROTO_UDP, 10, 0, false},
		{0, IPPROTO_UDP, 9, 1, false},      {IPV4_DF, IPPROTO_TCP, 0, 0, true},
		{0x2000, IPPROTO_TCP, 0, 0, false}, {1, IPPROTO_ICMP, 0, 0, false},
		{0, IPPROTO_ICMP, 0, 0, true},      {0, 132, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct {
			struct iphdr ip;
			struct udphdr udp;
		} packet = {
			.ip = {.ihl = 5,
			       .tot_len = bpf_htons(30),
			       .frag_off = bpf_htons(rows[i].frag_off),
			       .protocol = rows[i].proto},
			.udp = {.len = bpf_htons(rows[i].udp_length), .check = rows[i].udp_check}};
		__u64 sum;

		assert_int_equal(inner_sum_ipv4(&packet.ip, &packet + 1, &sum), rows[i].known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_checksum_holds), cmocka_unit_test(source_varies_in_its_bits),
		cmocka_unit_test(ipv6_fields),         cmocka_unit_test(gue_checksum_holds),
		cmocka_unit_test(gue_sum_not_known),
	};
	return cmocka_run_group_tests_name("encap", tests, NULL, NULL);
}
