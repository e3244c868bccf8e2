/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet_headers: frames that were written down by hand, whole and cut at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/packet_headers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { FRAME_MAX = 256, TEXT_MAX = 1024 };

#define MACS  "020000000002 020000000001 "
#define INNER "45000028 00004000 3f060000 c6336407 c000020a "
#define SYN   "9c40 01bb 00000001 00000000 5002 faf0 0000 0000"
#define OUTER_V6                                                                                   \
	"60000000 0038 11 40 20010db8000b00000000000000000002 20010db8000b0000000000000000000b "

static const struct frame_case {
	const char *name, *frame;
	uint16_t gue_port;
	const char *headers; /* name source>destination (more), one behind the other */
} cases[] = {
	{"TCP over IPv4", MACS "0800 " INNER SYN, 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "
	 "ipv4 198.51.100.7>192.0.2.10 (protocol 6, TTL 63, 40 bytes) tcp 40000>443 (SYN) "},
	{"an outer IPv4 header",
	 MACS "0800 4500003c 00004000 40040000 0a000002 0a00000b " INNER SYN, 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "
	 "ipv4 10.0.0.2>10.0.0.11 (protocol 4, TTL 64, 60 bytes) "
	 "ipv4 198.51.100.7>192.0.2.10 (protocol 6, TTL 63, 40 bytes) tcp 40000>443 (SYN) "},
	{"GUE over IPv6", MACS "86dd " OUTER_V6 "de14 17c0 0038 0000 " INNER SYN, 6080,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "
	 "ipv6 2001:db8:b::2>2001:db8:b::b (next header 17, hop limit 64, 96 bytes) "
	 "udp 56852>6080 (GUE) "
	 "ipv4 198.51.100.7>192.0.2.10 (protocol 6, TTL 63, 40 bytes) tcp 40000>443 (SYN) "},
	{"the same to a port that is no tunnel's",
	 MACS "86dd " OUTER_V6 "de14 17c0 0038 0000 " INNER, 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "
	 "ipv6 2001:db8:b::2>2001:db8:b::b (next header 17, hop limit 64, 96 bytes) "
	 "udp 56852>6080 () "},
	{"a VLAN tag, options, and flags",
	 MACS "8100 0007 0800 46000030 00000000 40060000 01020304 05060708 01010100 "
	      "0001 0002 00000001 00000000 5015 0000 0000 0000",
	 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () vlan > (VLAN 7) "
	 "ipv4 1.2.3.4>5.6.7.8 (protocol 6, TTL 64, 48 bytes) tcp 1>2 (ACK RST FIN) "},
	{"neither IPv4 nor IPv6", MACS "0806 0001", 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "},
	{"a header length that cannot be", MACS "0800 44000028 00004000 3f060000 c6336407 c000020a",
	 0, "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "},
	{"another protocol", MACS "0800 45000028 00004000 3f010000 c6336407 c000020a 0800", 0,
	 "ethernet 02:00:00:00:00:01>02:00:00:00:00:02 () "
	 "ipv4 198.51.100.7>192.0.2.10 (protocol 1, TTL 63, 40 bytes) "},
};

static size_t read_hex(const char *hex, uint8_t out[FRAME_MAX])
{
	size_t size = 0;
	unsigned byte;

	for (; *hex; hex += *hex == ' ' ? 1 : 2)
		if (*hex != ' ' && sscanf(hex, "%2x", &byte) == 1)
			out[size++] = (uint8_t)byte;
	return size;
}

static void tell(const uint8_t *frame, size_t size, uint16_t gue_port, char out[TEXT_MAX])
{
	struct packet_header headers[PACKET_HEADERS_MAX];
	/* Of its size to the byte, so that reading on is found. */
	uint8_t *copy = malloc(size ? size : 1);
	size_t count, used = 0;

	memcpy(copy, frame, size);
	count = packet_headers(copy, size, gue_port, headers);
	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, TEXT_MAX - used, "%s %s>%s (%s) ",
					 headers[i].name, headers[i].source, headers[i].destination,
					 headers[i].more);
	free(copy);
}

static void test_frame(void **state)
{
	const struct frame_case *c = *state;
	uint8_t frame[FRAME_MAX];
	size_t size = read_hex(c->frame, frame);
	char text[TEXT_MAX];

	tell(frame, size, c->gue_port, text);
	assert_string_equal(text, c->headers);
	/* Cut: what is whole of the same, and no more. */
	for (size_t cut = 0; cut < size; cut++) {
		tell(frame, cut, c->gue_port, text);
		assert_memory_equal(text, c->headers, strlen(text));
	}
}

/* As many headers as there is room for, each in the one before. */
static void test_deep(void **state)
{
	uint8_t frame[FRAME_MAX];
	char hex[1024] = MACS "0800 ", text[TEXT_MAX];

	(void)state;
	for (int i = 0; i < 9; i++)
		strcat(hex, "45000014 00000000 40040000 01010101 02020202 ");
	tell(frame, read_hex(hex, frame), 0, text);
	for (char *at = text; (at = strstr(at, "ipv4")); at++)
		frame[0]++;
	assert_int_equal(frame[0], 2 + PACKET_HEADERS_MAX - 1);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases) + 1];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){cases[i].name, test_frame, NULL, NULL,
					       (void *)&cases[i]};
	tests[COUNT(cases)] = (struct CMUnitTest)cmocka_unit_test(test_deep);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
