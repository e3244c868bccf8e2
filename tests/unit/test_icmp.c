/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose flow an ICMP message speaks of (bpf/icmp.h), on frames that end where the memory ends: a
 * byte read too many stops the test under the address sanitizer. What a whole program makes of
 * messages is in tests/packet/cases_icmp.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/icmp.h"

/* clang-format off */
#define ETHERNET(type)  2, 0, 0, 0, 0, 1,  2, 0, 0, 0, 0, 2,  (type) >> 8, (type) & 0xff
#define ROUTER4         203, 0, 113, 5
#define CLIENT4         198, 51, 100, 7
#define VIP4            192, 0, 2, 1
#define ROUTER6         0x20, 1, 0xd, 0xb8, 0, 0xf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5
#define CLIENT6         0x20, 1, 0xd, 0xb8, 0, 0xc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7
#define VIP6            0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define IPV4_OF(length, proto, from, to)  \
	0x45, 0, 0, length,  0, 1, 0x40, 0,  64, proto, 0, 0, from, to
#define IPV6_OF(length, next, from, to)  0x60, 0, 0, 0,  0, length, next, 64, from, to
#define ICMP_OF(type, code)  type, code, 0, 0, 0, 0, 5, 120
/* port 80 to 4000, acknowledging 0x05060708 */
#define TCP_OF(flags)   0, 80, 0x0f, 0xa0,  1, 2, 3, 4,  5, 6, 7, 8,  0x50, flags, 0, 9,  0, 0, 0, 0
#define UDP_OF(length)  0, 80, 0x0f, 0xa0,  0, length, 0, 0
#define OPTIONS(next)   next, 0, 1, 4, 0, 0, 0, 0
#define FRAGMENT(next, offset)  next, 0, (offset) >> 8, (offset) & 0xff, 0, 0, 0, 9

static const uint8_t tcp4[]   = {ETHERNET(0x0800), IPV4_OF(68, 1, ROUTER4, VIP4), ICMP_OF(3, 4), IPV4_OF(99, 6, VIP4, CLIENT4), TCP_OF(0x10)};
static const uint8_t eight4[] = {ETHERNET(0x0800), IPV4_OF(56, 1, ROUTER4, VIP4), ICMP_OF(11, 0), IPV4_OF(99, 6, VIP4, CLIENT4), 0, 80, 0x0f, 0xa0, 1, 2, 3, 4};
static const uint8_t udp4[]   = {ETHERNET(0x0800), IPV4_OF(56, 1, ROUTER4, VIP4), ICMP_OF(3, 3), IPV4_OF(28, 17, VIP4, CLIENT4), UDP_OF(8)};
static const uint8_t syn4[]   = {ETHERNET(0x0800), IPV4_OF(68, 1, ROUTER4, VIP4), ICMP_OF(3, 4), IPV4_OF(40, 6, VIP4, CLIENT4), TCP_OF(0x02)};
static const uint8_t echo4[]  = {ETHERNET(0x0800), IPV4_OF(28, 1, ROUTER4, VIP4), ICMP_OF(8, 0)};
static const uint8_t other4[] = {ETHERNET(0x0800), IPV4_OF(28, 1, ROUTER4, VIP4), ICMP_OF(13, 0)};
static const uint8_t away4[]  = {ETHERNET(0x0800), IPV4_OF(56, 1, ROUTER4, VIP4), ICMP_OF(3, 3), IPV4_OF(28, 17, CLIENT4, VIP4), UDP_OF(8)};
static const uint8_t tcp6[]   = {ETHERNET(0x86dd), IPV6_OF(68, 58, ROUTER6, VIP6), ICMP_OF(2, 0), IPV6_OF(99, 6, VIP6, CLIENT6), TCP_OF(0x10)};
static const uint8_t udp6[]   = {ETHERNET(0x86dd), IPV6_OF(56, 58, ROUTER6, VIP6), ICMP_OF(1, 4), IPV6_OF(8, 17, VIP6, CLIENT6), UDP_OF(8)};
static const uint8_t chain6[] = {ETHERNET(0x86dd), IPV6_OF(80, 58, ROUTER6, VIP6), ICMP_OF(2, 0), IPV6_OF(99, 0, VIP6, CLIENT6), OPTIONS(60), OPTIONS(44), FRAGMENT(17, 1), UDP_OF(99)};
static const uint8_t later6[] = {ETHERNET(0x86dd), IPV6_OF(64, 58, ROUTER6, VIP6), ICMP_OF(2, 0), IPV6_OF(99, 44, VIP6, CLIENT6), FRAGMENT(17, 8), UDP_OF(99)};
static const uint8_t echo6[]  = {ETHERNET(0x86dd), IPV6_OF(8, 58, ROUTER6, VIP6), ICMP_OF(128, 0)};
static const uint8_t near6[]  = {ETHERNET(0x86dd), IPV6_OF(8, 58, ROUTER6, VIP6), ICMP_OF(135, 0)};
/* clang-format on */

static const struct row {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	int family;
	enum lb_verdict verdict;
	uint8_t proto;
	uint32_t sequence; /* 0: not known */
} rows[] = {
#define ROW(name, ...)                                                                             \
	{                                                                                          \
#name, name, sizeof(name), __VA_ARGS__                                             \
	}
	ROW(tcp4, .family = 4, .verdict = LB_CONTINUE, .proto = IPPROTO_TCP,
	    .sequence = 0x05060708),
	ROW(eight4, .family = 4, .verdict = LB_CONTINUE, .proto = IPPROTO_TCP),
	ROW(udp4, .family = 4, .verdict = LB_CONTINUE, .proto = IPPROTO_UDP),
	ROW(syn4, .family = 4, .verdict = LB_CONTINUE, .proto = IPPROTO_TCP),
	ROW(echo4, .family = 4, .verdict = LB_ANSWERED_ECHO),
	ROW(other4, .family = 4, .verdict = LB_PASS_ICMP),
	ROW(away4, .family = 4, .verdict = LB_DROP_QUOTE),
	ROW(tcp6, .family = 6, .verdict = LB_CONTINUE, .proto = IPPROTO_TCP,
	    .sequence = 0x05060708),
	ROW(udp6, .family = 6, .verdict = LB_CONTINUE, .proto = IPPROTO_UDP),
	ROW(chain6, .family = 6, .verdict = LB_CONTINUE, .proto = IPPROTO_UDP),
	ROW(later6, .family = 6, .verdict = LB_DROP_QUOTE),
	ROW(echo6, .family = 6, .verdict = LB_ANSWERED_ECHO),
	ROW(near6, .family = 6, .verdict = LB_PASS_ICMP),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* The frame in memory that ends where it ends, and where the kernel puts it: an IP header behind
 * Ethernet is aligned. */
static enum lb_verdict icmp_exactly(const uint8_t *bytes, size_t size, struct packet *packet)
{
	uint8_t *memory = malloc(size + 2);
	struct frame frame = {
		.data = memory + 2, .end = memory + 2 + size, .length = (uint32_t)size};
	enum lb_verdict verdict;

	assert_non_null(memory);
	memcpy(frame.data, bytes, size);
	verdict = parse_rare(frame.data, frame.end, frame.length, packet);
	if (verdict == LB_PASS_ICMP)
		verdict = icmp_parse(&frame, packet);
	free(memory);
	return verdict;
}

static bool flow_is(const struct row *row, const struct packet *packet)
{
	static const uint8_t addresses4[] = {CLIENT4, VIP4}, addresses6[] = {CLIENT6, VIP6};
	const __be16 ports[] = {bpf_htons(4000), bpf_htons(80)};

	if (row->family == 4)
		return !memcmp(&packet->flow.v4.source, addresses4, 8) &&
		       !memcmp(&packet->flow.v4.source_port, ports, 4) &&
		       packet->flow.v4.proto == row->proto;
	return !memcmp(&packet->flow.v6.source, addresses6, 32) &&
	       !memcmp(&packet->flow.v6.source_port, ports, 4) &&
	       packet->flow.v6.proto == row->proto;
}

static void whole_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		struct packet packet;
		enum lb_verdict verdict = icmp_exactly(row->bytes, row->size, &packet);

		if (verdict != row->verdict)
			fail_msg("%s: verdict %d", row->name, verdict);
		if (packet.quoted != (verdict == LB_CONTINUE))
			fail_msg("%s: quoted: %d", row->name, packet.quoted);
		if (verdict != LB_CONTINUE)
			continue;
		if (packet.proto != row->proto || !flow_is(row, &packet))
			fail_msg("%s: another flow", row->name);
		if (packet.sequence_known != !!row->sequence || packet.sequence != row->sequence ||
		    packet.syn || packet.closing)
			fail_msg("%s: sequence number %x", row->name, packet.sequence);
	}
}

/* A message that states to be shorter, cut so: it has no flow until its ports are there, and the
 * destination stays known. */
static void every_truncation(void **state)
{
	uint8_t bytes[160];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		size_t l4 = row->family == 4 ? 34 : 54;

		for (size_t size = l4; size < row->size; size++) {
			struct packet packet;
			enum lb_verdict verdict;

			memcpy(bytes, row->bytes, size);
			bytes[row->family == 4 ? 17 : 19] =
				(uint8_t)(row->family == 4 ? size - 14 : size - 54);
			verdict = icmp_exactly(bytes, size, &packet);
			if (verdict == LB_CONTINUE)
				assert_true(row->proto == IPPROTO_TCP && row->size - size <= 12 &&
					    packet.sequence_known ==
						    (row->sequence && row->size - size <= 6));
			else if (verdict != row->verdict)
				assert_int_equal(verdict, LB_DROP_TRUNCATED);
			assert_int_equal(packet.family, row->family);
		}
	}
}

/* Every value of every byte: whatever comes out, nothing was read that is not there. */
static void any_byte_may_lie(void **state)
{
	uint8_t bytes[160];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t at = 14; at < rows[i].size; at++) {
			memcpy(bytes, rows[i].bytes, rows[i].size);
			for (int value = 0; value < 256; value++) {
				struct packet packet;
				enum lb_verdict verdict;

				bytes[at] = (uint8_t)value;
				verdict = icmp_exactly(bytes, rows[i].size, &packet);
				assert_true(verdict < LB_VERDICT_COUNT && verdict != LB_FORWARDED);
				if (packet.quoted)
					assert_int_equal(verdict, LB_CONTINUE);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_messages),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(any_byte_may_lie),
	};
	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
