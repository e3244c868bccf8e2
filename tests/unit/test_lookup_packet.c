/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lookup_packet: each flow's frame against the same frame written down by hand, header by header,
 * but for checksums, which must come out even.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../../user/lookup_packet.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ETHERNET(type) "020000000002 020000000001 " type " "

/* x: a digit of a checksum. */
static const struct packet_case {
	const char *name;
	uint8_t proto;
	bool syn;
	const char *source, *destination;
	const char *frame;
} cases[] = {
	{"IPv4 TCP SYN", IPPROTO_TCP, true, "198.51.100.7:40000", "192.0.2.10:443",
	 ETHERNET("0800") "4500 0028 0000 4000 4006 xxxx c6336407 c000020a "
			  "9c40 01bb 00000001 00000000 5002 faf0 xxxx 0000"},
	{"IPv4 TCP established", IPPROTO_TCP, false, "198.51.100.7:40000", "192.0.2.10:443",
	 ETHERNET("0800") "4500 0028 0000 4000 4006 xxxx c6336407 c000020a "
			  "9c40 01bb 00000001 00000001 5010 faf0 xxxx 0000"},
	{"IPv4 UDP", IPPROTO_UDP, true, "198.51.100.7:53", "192.0.2.10:65535",
	 ETHERNET("0800") "4500 001c 0000 4000 4011 xxxx c6336407 c000020a 0035 ffff 0008 xxxx"},
	{"IPv6 TCP SYN", IPPROTO_TCP, true, "[2001:db8:9::1]:1", "[2001:db8::10]:80",
	 ETHERNET("86dd") "60000000 0014 06 40 20010db8000900000000000000000001 "
			  "20010db8000000000000000000000010 "
			  "0001 0050 00000001 00000000 5002 faf0 xxxx 0000"},
	{"IPv6 UDP", IPPROTO_UDP, false, "[2001:db8:9::1]:1", "[2001:db8::10]:80",
	 ETHERNET("86dd") "60000000 0008 11 40 20010db8000900000000000000000001 "
			  "20010db8000000000000000000000010 0001 0050 0008 xxxx"},
	/* All but the source port sums up to 0x010c, so that this port makes the sum 0xffff, whose
	 * complement says "no checksum" in UDP. */
	{"IPv4 UDP whose checksum would be zero", IPPROTO_UDP, true, "0.1.0.2:65267", "0.3.0.4:225",
	 ETHERNET("0800") "4500 001c 0000 4000 4011 xxxx 00010002 00030004 fef3 00e1 0008 ffff"},
};

static struct lookup_flow flow_of(const struct packet_case *c)
{
	struct lookup_flow flow = {.proto = c->proto, .syn = c->syn};

	assert_int_equal(addr_port_parse(c->source, &flow.source, &flow.source_port, NULL), 0);
	assert_int_equal(
		addr_port_parse(c->destination, &flow.destination, &flow.destination_port, NULL),
		0);
	return flow;
}

static void to_text(const uint8_t *frame, size_t size, const char *like, char *out)
{
	size_t digit = 0;

	for (; *like && digit < 2 * size; like++) {
		unsigned nibble = digit % 2 ? frame[digit / 2] & 15 : frame[digit / 2] >> 4;

		if (*like == ' ') {
			*out++ = ' ';
			continue;
		}
		*out++ = *like == 'x' ? 'x' : "0123456789abcdef"[nibble];
		digit++;
	}
	sprintf(out, "%s", digit < 2 * size ? " and more" : "");
}

static uint32_t sum(const uint8_t *bytes, size_t size)
{
	uint32_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	return total;
}

static uint32_t fold(uint32_t total)
{
	total = (total & 0xffff) + (total >> 16);
	return (total & 0xffff) + (total >> 16);
}

/* Data and its checksum add up to all ones (RFC 1071). */
static void assert_checksums(const struct packet_case *c, const uint8_t *frame, size_t size)
{
	const uint8_t *ip = frame + 14;
	size_t header = ip[0] >> 4 == 4 ? 20 : 40, addresses = header == 20 ? 12 : 8;
	size_t payload = size - 14 - header;

	if (header == 20)
		assert_int_equal(fold(sum(ip, header)), 0xffff);
	assert_int_equal(fold(sum(ip + addresses, header - addresses) + c->proto +
			      (uint32_t)payload + sum(ip + header, payload)),
			 0xffff);
}

static void test_packet(void **state)
{
	const struct packet_case *c = *state;
	struct lookup_flow flow = flow_of(c), read;
	uint8_t frame[LOOKUP_PACKET_SIZE_MAX];
	char text[4 * LOOKUP_PACKET_SIZE_MAX];
	size_t size = lookup_packet_build(&flow, frame);

	to_text(frame, size, c->frame, text);
	assert_string_equal(text, c->frame);
	assert_checksums(c, frame, size);

	/* What is read of it is what was written. */
	lookup_packet_read(frame, size, &read);
	read.syn = flow.syn;
	assert_memory_equal(&read.source, &flow.source, sizeof(flow.source));
	assert_memory_equal(&read.destination, &flow.destination, sizeof(flow.destination));
	assert_int_equal(read.proto, flow.proto);
	assert_int_equal(read.source_port, flow.source_port);
	assert_int_equal(read.destination_port, flow.destination_port);
	for (size_t cut = 0; cut < 14 + 20; cut++) {
		lookup_packet_read(frame, cut, &read);
		assert_int_equal(read.source.family, 0);
	}
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){cases[i].name, test_packet, NULL, NULL,
					       (void *)&cases[i]};
	return _cmocka_run_group_tests("lookup_packet", tests, COUNT(cases), NULL, NULL);
}
