/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes to flow (bpf/parse.h), on frames that end where the memory ends: a byte read too many stops
 * the test under the address sanitizer. What a whole program makes of bad headers is in
 * tests/packet/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/parse.h"

/* clang-format off */
#define ETHERNET(type)  2, 0, 0, 0, 0, 1,  2, 0, 0, 0, 0, 2,  (type) >> 8, (type) & 0xff
#define CLIENT4         198, 51, 100, 7
#define VIP4            192, 0, 2, 1
#define CLIENT6         0x20, 1, 0xd, 0xb8, 0, 0xc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7
#define VIP6            0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
/* ports 4000 and 80 */
#define TCP_OF(words, flags)  0x0f, 0xa0, 0, 80,  1, 2, 3, 4,  5, 6, 7, 8,  (words) << 4, flags, 0, 9,  0, 0, 0, 0
#define UDP_OF(length)        0x0f, 0xa0, 0, 80,  0, length, 0, 0
#define IPV4_OF(words, tos, length, fragment, proto)  \
	0x40 | (words), tos, 0, length,  0, 1, (fragment) >> 8, (fragment) & 0xff,  64, proto, 0, 0, CLIENT4, VIP4
#define IPV6_OF(tos, length, next)  0x60 | (tos) >> 4, ((tos) & 15) << 4, 0, 0,  0, length, next, 64, CLIENT6, VIP6
#define IPV4_OPTIONS    1, 1, 1, 1, 1, 1, 1, 1

static const uint8_t tcp4[]      = {ETHERNET(0x0800), IPV4_OF(5, 0xb9, 43, 0x4000, 6), TCP_OF(5, 0x02), 'a', 'b', 'c'};
static const uint8_t tcp4_long[] = {ETHERNET(0x0800), IPV4_OF(7, 0, 52, 0, 6), IPV4_OPTIONS, TCP_OF(6, 0x11), 1, 1, 1, 1};
static const uint8_t tcp4_rst[]  = {ETHERNET(0x0800), IPV4_OF(5, 0, 40, 0, 6), TCP_OF(5, 0x04), 0, 0, 0, 0, 0, 0};
static const uint8_t udp4[]      = {ETHERNET(0x0800), IPV4_OF(5, 0, 30, 0, 17), UDP_OF(10), 'a', 'b'};
static const uint8_t icmp4[]     = {ETHERNET(0x0800), IPV4_OF(5, 0, 28, 0, 1), 8, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t tag4[]      = {ETHERNET(0x8100), 0, 7, 8, 0, IPV4_OF(5, 0, 30, 0, 17), UDP_OF(10), 'a', 'b'};
static const uint8_t tags6[]     = {ETHERNET(0x88a8), 0, 9, 0x81, 0, 0xe0, 7, 0x86, 0xdd, IPV6_OF(0, 23, 6), TCP_OF(5, 0x12), 'a', 'b', 'c'};
static const uint8_t tags3[]     = {ETHERNET(0x8100), 0, 7, 0x81, 0, 0, 8, 0x81, 0, 0, 9, 8, 0};
static const uint8_t tag_arp[]   = {ETHERNET(0x8100), 0, 7, 8, 6, 0, 1, 8, 0};
static const uint8_t frag4[]     = {ETHERNET(0x0800), IPV4_OF(5, 0, 28, 0x2000, 17), UDP_OF(99)};
static const uint8_t frag4_end[] = {ETHERNET(0x0800), IPV4_OF(5, 0, 27, 0x0007, 17), 1, 2, 3, 4, 5, 6, 7};
static const uint8_t frag4_odd[] = {ETHERNET(0x0800), IPV4_OF(5, 0, 27, 0x2007, 17), 1, 2, 3, 4, 5, 6, 7};
static const uint8_t frag4_no[]  = {ETHERNET(0x0800), IPV4_OF(5, 0, 20, 0x0007, 17)};
static const uint8_t frag4_far[] = {ETHERNET(0x0800), IPV4_OF(5, 0, 28, 0x1fff, 17), 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t frag4_tcp[] = {ETHERNET(0x0800), IPV4_OF(5, 0, 28, 0x0002, 6), 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t frag4_flag[] = {ETHERNET(0x0800), IPV4_OF(5, 0, 36, 0x2000, 6), 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t tcp6[]      = {ETHERNET(0x86dd), IPV6_OF(0xb9, 23, 6), TCP_OF(5, 0x12), 'a', 'b', 'c'};
static const uint8_t udp6[]      = {ETHERNET(0x86dd), IPV6_OF(0, 10, 17), UDP_OF(10), 'a', 'b'};
static const uint8_t icmp6[]     = {ETHERNET(0x86dd), IPV6_OF(0, 8, 58), 128, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t frag6[]     = {ETHERNET(0x86dd), IPV6_OF(0, 16, 44), 17, 0, 0, 1, 0, 0, 0, 9, UDP_OF(99)};
static const uint8_t frag6_end[] = {ETHERNET(0x86dd), IPV6_OF(0, 13, 44), 17, 0, 0, 0x38, 0, 0, 0, 9, 1, 2, 3, 4, 5};
static const uint8_t frag6_one[] = {ETHERNET(0x86dd), IPV6_OF(0, 18, 44), 17, 0, 0, 6, 0, 0, 0, 9, UDP_OF(10), 'a', 'b'};
static const uint8_t frag6_two[] = {ETHERNET(0x86dd), IPV6_OF(0, 24, 44), 44, 0, 0, 1, 0, 0, 0, 9, 17, 0, 0, 1, 0, 0, 0, 9, UDP_OF(99)};
#define HOPS(next)      next, 0, 1, 4, 0, 0, 0, 0
#define ROUTE(next, left)  next, 0, 4, left, 0, 0, 0, 0
#define LONG_OPTIONS(next) next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define AUTH(next)      next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2
static const uint8_t chain6[]    = {ETHERNET(0x86dd), IPV6_OF(0, 54, 0), HOPS(60), LONG_OPTIONS(43), ROUTE(51, 0), AUTH(17), UDP_OF(10), 'a', 'b'};
static const uint8_t chain6_six[] = {ETHERNET(0x86dd), IPV6_OF(0, 58, 0), HOPS(60), HOPS(60), HOPS(60), HOPS(60), HOPS(60), HOPS(17), UDP_OF(10), 'a', 'b'};
static const uint8_t chain6_seven[] = {ETHERNET(0x86dd), IPV6_OF(0, 66, 0), HOPS(60), HOPS(60), HOPS(60), HOPS(60), HOPS(60), HOPS(60), HOPS(17), UDP_OF(10), 'a', 'b'};
static const uint8_t chain6_none[] = {ETHERNET(0x86dd), IPV6_OF(0, 8, 60), HOPS(59)};
static const uint8_t route6[]    = {ETHERNET(0x86dd), IPV6_OF(0, 18, 43), ROUTE(17, 1), UDP_OF(10), 'a', 'b'};
static const uint8_t hops6_late[] = {ETHERNET(0x86dd), IPV6_OF(0, 26, 60), HOPS(0), HOPS(17), UDP_OF(10), 'a', 'b'};
static const uint8_t arp[]       = {ETHERNET(0x0806), 0, 1, 8, 0, 6, 4, 0, 1};
static const uint8_t length0[]   = {ETHERNET(0), 1, 2, 3};

struct row {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	enum lb_verdict verdict;
	/* Shorter frames: DROP_TRUNCATED up to `needs` bytes, and `verdict` from there on. */
	size_t needs;
	uint8_t family, proto, traffic_class;
	uint16_t l3_length;
	uint16_t l3, l4; /* left out: behind Ethernet, and an IP header without more */
	enum packet_part part;
	bool syn, closing;
};

#define ROW(of, ...) {.name = #of, .bytes = of, .size = sizeof(of), __VA_ARGS__}
#define CONTINUE .verdict = LB_CONTINUE

static const struct row rows[] = {
	ROW(tcp4,      CONTINUE, .needs = 57, .family = 4, .proto = 6, .traffic_class = 0xb9, .l3_length = 43, .syn = true),
	ROW(tcp4_long, CONTINUE, .needs = 66, .family = 4, .proto = 6, .l3_length = 52, .closing = true),
	ROW(tcp4_rst,  CONTINUE, .needs = 54, .family = 4, .proto = 6, .l3_length = 40, .closing = true),
	ROW(udp4,      CONTINUE, .needs = 44, .family = 4, .proto = 17, .l3_length = 30),
	ROW(icmp4,     .verdict = LB_PASS_ICMP, .needs = 42, .family = 4, .proto = 1, .l3_length = 28),
	ROW(tag4,      CONTINUE, .needs = 48, .family = 4, .proto = 17, .l3_length = 30, .l3 = 18, .l4 = 38),
	ROW(tags6,     CONTINUE, .needs = 85, .family = 6, .proto = 6, .l3_length = 63, .l3 = 22, .l4 = 62),
	ROW(tags3,     .verdict = LB_PASS_NOT_IP, .needs = 22, .l3 = 22),
	ROW(tag_arp,   .verdict = LB_PASS_NOT_IP, .needs = 18, .l3 = 18),
	ROW(frag4,     CONTINUE, .needs = 42, .family = 4, .proto = 17, .l3_length = 28, .part = PACKET_FIRST),
	ROW(frag4_end, CONTINUE, .needs = 41, .family = 4, .proto = 17, .l3_length = 27, .part = PACKET_LATER),
	ROW(frag4_odd, .verdict = LB_DROP_BAD_FRAGMENT, .needs = 41, .family = 4, .proto = 17, .l3_length = 27, .part = PACKET_LATER),
	ROW(frag4_no,  .verdict = LB_DROP_BAD_FRAGMENT, .needs = 34, .family = 4, .proto = 17, .l3_length = 20, .part = PACKET_LATER),
	ROW(frag4_far, .verdict = LB_DROP_BAD_FRAGMENT, .needs = 42, .family = 4, .proto = 17, .l3_length = 28, .part = PACKET_LATER),
	ROW(frag4_tcp, .verdict = LB_DROP_BAD_FRAGMENT, .needs = 42, .family = 4, .proto = 6, .l3_length = 28, .part = PACKET_LATER),
	ROW(frag4_flag, .verdict = LB_DROP_BAD_FRAGMENT, .needs = 50, .family = 4, .proto = 6, .l3_length = 36, .part = PACKET_FIRST),
	ROW(tcp6,      CONTINUE, .needs = 77, .family = 6, .proto = 6, .traffic_class = 0xb9, .l3_length = 63),
	ROW(udp6,      CONTINUE, .needs = 64, .family = 6, .proto = 17, .l3_length = 50),
	ROW(icmp6,     .verdict = LB_PASS_ICMP, .needs = 62, .family = 6, .proto = 58, .l3_length = 48),
	ROW(frag6,     CONTINUE, .needs = 70, .family = 6, .proto = 17, .l3_length = 56, .l4 = 62, .part = PACKET_FIRST),
	ROW(frag6_end, CONTINUE, .needs = 67, .family = 6, .proto = 17, .l3_length = 53, .l4 = 62, .part = PACKET_LATER),
	ROW(frag6_one, CONTINUE, .needs = 72, .family = 6, .proto = 17, .l3_length = 58, .l4 = 62),
	ROW(frag6_two, .verdict = LB_DROP_BAD_FRAGMENT, .needs = 78, .family = 6, .proto = 17, .l3_length = 64, .l4 = 70, .part = PACKET_FIRST),
	ROW(chain6,    CONTINUE, .needs = 108, .family = 6, .proto = 17, .l3_length = 94, .l4 = 98),
	ROW(chain6_six, CONTINUE, .needs = 112, .family = 6, .proto = 17, .l3_length = 98, .l4 = 102),
	ROW(chain6_seven, .verdict = LB_DROP_EXTENSION, .needs = 120, .family = 6, .proto = 60, .l3_length = 106, .l4 = 102),
	ROW(chain6_none, .verdict = LB_PASS_NO_SERVICE, .needs = 62, .family = 6, .proto = 59, .l3_length = 48, .l4 = 62),
	ROW(route6,    .verdict = LB_DROP_EXTENSION, .needs = 72, .family = 6, .proto = 43, .l3_length = 58),
	ROW(hops6_late, .verdict = LB_DROP_EXTENSION, .needs = 80, .family = 6, .proto = 0, .l3_length = 66, .l4 = 62),
	ROW(arp,       .verdict = LB_PASS_NOT_IP, .needs = 14),
	ROW(length0,   .verdict = LB_PASS_NOT_IP, .needs = 14),
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]), ALIGN = 2 /* the IP header comes to lie on 4 */ };

/* Parses a copy of the frame that ends with the memory it lies in. */
static enum lb_verdict parse_exactly(const uint8_t *bytes, size_t size, struct packet *packet)
{
	uint8_t *memory = malloc(size + ALIGN);
	enum lb_verdict verdict;
	struct packet first;
	bool common;

	assert_non_null(memory);
	memcpy(memory + ALIGN, bytes, size);
	memset(packet, 0, sizeof(*packet));
	common = parse_common(memory + ALIGN, memory + ALIGN + size, packet);
	first = *packet;
	verdict = parse_rare(memory + ALIGN, memory + ALIGN + size, (uint32_t)size, packet);
	/* Two ways to one answer, where the short one gives any. */
	if (common)
		assert_true(verdict == LB_CONTINUE && !memcmp(&first, packet, sizeof(first)));
	free(memory);
	return verdict;
}

/* The whole key, padding included: it is compared as bytes in the map. */
static bool flow_is(const struct row *row, const struct packet *packet)
{
	static const uint8_t source4[] = {CLIENT4}, destination4[] = {VIP4};
	static const uint8_t source6[] = {CLIENT6}, destination6[] = {VIP6};
	struct lb_flow_key_v4 key4 = {.source_port = bpf_htons(4000),
				      .destination_port = bpf_htons(80),
				      .proto = row->proto};
	struct lb_flow_key_v6 key6 = {.source_port = bpf_htons(4000),
				      .destination_port = bpf_htons(80),
				      .proto = row->proto};

	memcpy(&key4.source, source4, 4);
	memcpy(&key4.destination, destination4, 4);
	memcpy(&key6.source, source6, 16);
	memcpy(&key6.destination, destination6, 16);
	return row->family == 4 ? !memcmp(&packet->flow.v4, &key4, sizeof(key4))
				: !memcmp(&packet->flow.v6, &key6, sizeof(key6));
}

static void whole_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		uint16_t l3 = row->l3 ? row->l3 : 14;
		uint16_t l4 = row->l4            ? row->l4
			      : row->family == 4 ? l3 + 4 * (row->bytes[l3] & 15)
			      : row->family == 6 ? l3 + 40
						 : 0;
		struct packet packet;

		if (parse_exactly(row->bytes, row->size, &packet) != row->verdict)
			fail_msg("%s: wrong verdict", row->name);
		if (packet.family != row->family || packet.proto != row->proto)
			fail_msg("%s: wrong protocol", row->name);
		if (packet.l3_offset != l3 || packet.l3_length != row->l3_length ||
		    packet.l4_offset != l4)
			fail_msg("%s: wrong length or place", row->name);
		if (packet.part != row->part)
			fail_msg("%s: wrong part", row->name);
		if (packet.traffic_class != row->traffic_class)
			fail_msg("%s: wrong traffic class", row->name);
		if (packet.syn != row->syn || packet.closing != row->closing)
			fail_msg("%s: wrong flags", row->name);
		if (row->verdict == LB_CONTINUE && row->part != PACKET_LATER &&
		    !flow_is(row, &packet))
			fail_msg("%s: wrong flow", row->name);
	}
}

static void every_truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		for (size_t size = 0; size <= row->size; size++) {
			struct packet packet;
			enum lb_verdict expected =
				size < row->needs ? LB_DROP_TRUNCATED : row->verdict;
			size_t header = (row->l3 ? row->l3 : 14) + (row->family == 4 ? 20U : 40U);

			if (parse_exactly(row->bytes, size, &packet) != expected)
				fail_msg("%s cut to %zu bytes: verdict %d", row->name, size,
					 parse_exactly(row->bytes, size, &packet));
			/* Whoever can be told from the frame is told, and nobody else. */
			if (row->family && packet.family != (size < header ? 0 : row->family))
				fail_msg("%s cut to %zu bytes: family %d", row->name, size,
					 packet.family);
		}
	}
}

/* Every value of every byte, at every length: whatever comes out lies within the frame. */
static void any_byte_may_lie(void **state)
{
	uint8_t bytes[160];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t at = 12; at < rows[i].size; at++) {
			memcpy(bytes, rows[i].bytes, rows[i].size);
			for (int value = 0; value < 256; value++) {
				struct packet packet;
				enum lb_verdict verdict;

				bytes[at] = (uint8_t)value;
				verdict = parse_exactly(bytes, rows[i].size, &packet);
				assert_true(verdict < LB_VERDICT_COUNT && verdict != LB_FORWARDED);
				if (verdict == LB_CONTINUE)
					assert_true(packet.l3_offset + packet.l3_length <=
						    (int)rows[i].size);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_frames),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(any_byte_may_lie),
	};
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
