/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * addr: what parses to what, how it is written back, what is refused and with which words, which
 * endpoints are in conflict, and how port ranges split into blocks.
 */
#include "../../user/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Good input has `canonical`, bad input has `why`: a part of the reason. */
struct text_case {
	const char *text;
	const char *canonical;
	const char *why;
};

static void check_text(const struct text_case *c, int result, const char *why,
		       const char *formatted)
{
	if (c->canonical) {
		if (result != 0)
			fail_msg("%s: refused: %s", c->text, why);
		assert_string_equal(formatted, c->canonical);
		return;
	}
	if (result != -EINVAL)
		fail_msg("%s: was taken as %s", c->text, formatted);
	if (!strstr(why, c->why))
		fail_msg("%s: '%s' does not say '%s'", c->text, why, c->why);
}

static const struct text_case addresses[] = {
	{"192.0.2.10", "192.0.2.10", NULL},
	{"0.0.0.0", "0.0.0.0", NULL},
	{"255.255.255.255", "255.255.255.255", NULL},
	{"2001:db8::10", "2001:db8::10", NULL},
	{"2001:0DB8:0000:0000:0000:0000:0000:0010", "2001:db8::10", NULL},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", NULL},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", NULL},
	{"::", "::", NULL},
	{"::ffff:192.0.2.1", "::ffff:192.0.2.1", NULL},
	{"", NULL, "empty"},
	{"192.0.2", NULL, "neither"},
	{"192.0.2.256", NULL, "neither"},
	{"192.0.2.010", NULL, "neither"},
	{"0x7f.0.0.1", NULL, "neither"},
	{" 192.0.2.1", NULL, "neither"},
	{"192.0.2.1 ", NULL, "neither"},
	{"localhost", NULL, "neither"},
	{"2001:db8::1::2", NULL, "neither"},
	{"fe80::1%eth0", NULL, "interface"},
	{"192.0.2.0/24", NULL, "prefix length"},
	{"[2001:db8::1]", NULL, "brackets"},
	{"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", NULL, "longer"},
};

static void addresses_parse_and_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct addr addr = {};
		char out[ADDR_TEXT_SIZE];
		const char *why = "";
		int result = addr_parse(addresses[i].text, &addr, &why);

		check_text(&addresses[i], result, why, addr_format(&addr, out));
	}
}

static void ipv4_fills_four_bytes_and_zeroes_the_rest(void **state)
{
	static const uint8_t expected[16] = {192, 0, 2, 10};
	struct addr addr;

	(void)state;
	memset(&addr, 0xff, sizeof(addr));
	assert_int_equal(addr_parse("192.0.2.10", &addr, NULL), 0);
	assert_int_equal(addr.family, 4);
	assert_memory_equal(addr.ip.bytes, expected, 16);
	memset(&addr, 0xff, sizeof(addr));
	assert_int_equal(addr_parse("nonsense", &addr, NULL), -EINVAL);
	assert_int_equal(addr.family, 0xff); /* untouched */
}

static void each_byte_of_ipv4_has_its_digits(void **state)
{
	char text[ADDR_TEXT_SIZE], out[ADDR_TEXT_SIZE];
	struct addr addr;

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		snprintf(text, sizeof(text), "%u.%u.0.%u", byte, 255 - byte, byte);
		assert_int_equal(addr_parse(text, &addr, NULL), 0);
		assert_string_equal(addr_format(&addr, out), text);
	}
}

static void no_address_has_a_text_too(void **state)
{
	struct addr none = {};
	char out[ADDR_TEXT_SIZE];

	(void)state;
	assert_string_equal(addr_format(&none, out), "none");
}

static const struct text_case prefixes[] = {
	{"172.16.0.0/16", "172.16.0.0/16", NULL},
	{"0.0.0.0/0", "0.0.0.0/0", NULL},
	{"192.0.2.128/25", "192.0.2.128/25", NULL},
	{"192.0.2.1", "192.0.2.1/32", NULL},
	{"192.0.2.1/32", "192.0.2.1/32", NULL},
	{"0100::/64", "100::/64", NULL},
	{"2001:db8::1", "2001:db8::1/128", NULL},
	{"2001:db8:8000::/33", "2001:db8:8000::/33", NULL},
	{"192.0.2.0/33", NULL, "0 to 32"},
	{"2001:db8::/129", NULL, "0 to 128"},
	{"192.0.2.0/", NULL, "0 to 32"},
	{"192.0.2.0/024", NULL, "0 to 32"},
	{"192.0.2.0/-1", NULL, "0 to 32"},
	{"192.0.2.0/24/24", NULL, "0 to 32"},
	{"192.0.2.1/24", NULL, "bits behind"},
	{"192.0.2.128/24", NULL, "bits behind"},
	{"2001:db8:8000::/32", NULL, "bits behind"},
	{"/24", NULL, "empty"},
	{"here/24", NULL, "neither"},
};

static void prefixes_parse_and_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct prefix prefix = {};
		char out[PREFIX_TEXT_SIZE];
		const char *why = "";
		int result = prefix_parse(prefixes[i].text, &prefix, &why);

		check_text(&prefixes[i], result, why, prefix_format(&prefix, out));
	}
}

static const struct text_case endpoints[] = {
	{"tcp://192.0.2.10:443", "tcp://192.0.2.10:443", NULL},
	{"udp://[2001:db8::10]:443", "udp://[2001:db8::10]:443", NULL},
	{"tcp://192.0.2.10:8000-8099", "tcp://192.0.2.10:8000-8099", NULL},
	{"tcp://192.0.2.10:80-80", "tcp://192.0.2.10:80", NULL},
	{"udp://192.0.2.10:*", "udp://192.0.2.10:*", NULL},
	{"udp://[2001:DB8::0010]:*", "udp://[2001:db8::10]:*", NULL},
	{"tcp://192.0.2.10:1-65535", "tcp://192.0.2.10:1-65535", NULL},
	{"tcp://192.0.2.10:65535", "tcp://192.0.2.10:65535", NULL},
	{"192.0.2.10:443", NULL, "neither tcp:// nor udp://"},
	{"http://192.0.2.10:80", NULL, "neither tcp:// nor udp://"},
	{"TCP://192.0.2.10:80", NULL, "neither tcp:// nor udp://"},
	{"tcp://192.0.2.10", NULL, "port is missing"},
	{"tcp://[2001:db8::10]", NULL, "port is missing"},
	{"tcp://[2001:db8::10]443", NULL, "port is missing"},
	{"tcp://2001:db8::10:443", NULL, "stands in brackets"},
	{"tcp://[2001:db8::10:443", NULL, "closing bracket"},
	{"tcp://[192.0.2.10]:443", NULL, "only around an IPv6"},
	{"tcp://:443", NULL, "empty"},
	{"tcp://example.org:443", NULL, "neither an IPv4"},
	{"tcp://192.0.2.10:", NULL, "not a number"},
	{"tcp://192.0.2.10:0", NULL, "not a number"},
	{"tcp://192.0.2.10:65536", NULL, "not a number"},
	{"tcp://192.0.2.10:http", NULL, "not a number"},
	{"tcp://192.0.2.10:+80", NULL, "not a number"},
	{"tcp://192.0.2.10:080", NULL, "not a number"},
	{"tcp://192.0.2.10:80 ", NULL, "not a number"},
	{"tcp://192.0.2.10:**", NULL, "not a number"},
	{"tcp://192.0.2.10:80-", NULL, "two ports"},
	{"tcp://192.0.2.10:-80", NULL, "two ports"},
	{"tcp://192.0.2.10:0-80", NULL, "two ports"},
	{"tcp://192.0.2.10:80-65536", NULL, "two ports"},
	{"tcp://192.0.2.10:90-80", NULL, "ends before"},
	{"tcp://0.0.0.0:80", NULL, "unspecified"},
	{"tcp://[::]:80", NULL, "unspecified"},
	{"udp://224.0.0.1:80", NULL, "multicast"},
	{"udp://239.255.255.255:80", NULL, "multicast"},
	{"udp://[ff02::1]:80", NULL, "multicast"},
	{"udp://255.255.255.255:80", NULL, "broadcast"},
	{"tcp://[::ffff:192.0.2.1]:80", NULL, "write it as IPv4"},
};

static void endpoints_parse_and_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(endpoints); i++) {
		struct endpoint endpoint = {};
		char out[ENDPOINT_TEXT_SIZE];
		const char *why = "";
		int result = endpoint_parse(endpoints[i].text, &endpoint, &why);

		check_text(&endpoints[i], result, why, endpoint_format(&endpoint, out));
	}
}

static const struct {
	const char *text;
	const char *address;
	uint16_t port;
	const char *why;
} hosts[] = {
	{"192.0.2.10:443", "192.0.2.10", 443, NULL},
	{"[2001:db8::10]:1", "2001:db8::10", 1, NULL},
	{"0.0.0.0:9555", "0.0.0.0", 9555, NULL},
	{"192.0.2.10", NULL, 0, "port is missing"},
	{"192.0.2.10:0", NULL, 0, "1 to 65535"},
	{"192.0.2.10:1-2", NULL, 0, "1 to 65535"},
	{"192.0.2.10:*", NULL, 0, "1 to 65535"},
	{"2001:db8::10:443", NULL, 0, "brackets"},
	{":443", NULL, 0, "empty"},
	{"", NULL, 0, "empty"},
};

static void addresses_with_a_port_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct addr addr = {};
		char out[ADDR_TEXT_SIZE];
		const char *why = "";
		uint16_t port = 0;
		struct text_case c = {hosts[i].text, hosts[i].address, hosts[i].why};

		int result = addr_port_parse(hosts[i].text, &addr, &port, &why);

		check_text(&c, result, why, addr_format(&addr, out));
		if (hosts[i].address)
			assert_int_equal(port, hosts[i].port);
	}
}

/* Ascending in the order of addr_compare. */
static const char *const ordered[] = {"0.0.0.0", "10.0.0.2", "10.0.1.1", "192.0.2.1",
				      "::",      "::1",      "2001::",   "ff02::1"};

static void addresses_have_a_total_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ordered); i++) {
		for (size_t j = 0; j < COUNT(ordered); j++) {
			struct addr a, b;
			int order;

			assert_int_equal(addr_parse(ordered[i], &a, NULL), 0);
			assert_int_equal(addr_parse(ordered[j], &b, NULL), 0);
			order = addr_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	}
}

static const struct {
	const char *address;
	uint8_t length;
	const char *masked;
} masks[] = {
	{"192.0.2.255", 32, "192.0.2.255"},
	{"192.0.2.255", 31, "192.0.2.254"},
	{"192.0.2.255", 25, "192.0.2.128"},
	{"192.0.2.255", 24, "192.0.2.0"},
	{"192.0.2.255", 1, "128.0.0.0"},
	{"192.0.2.255", 0, "0.0.0.0"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 128, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 64, "2001:db8:ffff:ffff::"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 33, "2001:db8:8000::"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 0, "::"},
};

static void masks_clear_what_is_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		struct addr addr, masked;
		char out[ADDR_TEXT_SIZE];

		assert_int_equal(addr_parse(masks[i].address, &addr, NULL), 0);
		masked = addr_mask(&addr, masks[i].length);
		assert_string_equal(addr_format(&masked, out), masks[i].masked);
	}
}

static const struct {
	const char *a;
	const char *b;
	bool conflict;
} pairs[] = {
	{"tcp://192.0.2.1:80", "tcp://192.0.2.1:80", true},
	{"tcp://192.0.2.1:80", "udp://192.0.2.1:80", false},
	{"tcp://192.0.2.1:80", "tcp://192.0.2.2:80", false},
	{"tcp://192.0.2.1:80", "tcp://192.0.2.1:81", false},
	{"tcp://192.0.2.1:*", "tcp://192.0.2.1:*", true},
	{"tcp://192.0.2.1:*", "tcp://192.0.2.1:80", false},
	{"tcp://192.0.2.1:*", "tcp://192.0.2.1:80-90", false},
	{"tcp://192.0.2.1:*", "tcp://192.0.2.1:1-65535", false},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:80", false},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:85", false},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:80-90", true},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:90-99", true},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:91-99", false},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.1:82-84", true},
	{"tcp://192.0.2.1:80-90", "tcp://192.0.2.2:80-90", false},
	{"tcp://[2001:db8::1]:80", "tcp://[2001:db8::1]:80", true},
};

static void conflicts_are_what_cannot_be_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct endpoint a, b;
		bool same;

		assert_int_equal(endpoint_parse(pairs[i].a, &a, NULL), 0);
		assert_int_equal(endpoint_parse(pairs[i].b, &b, NULL), 0);
		same = strcmp(pairs[i].a, pairs[i].b) == 0;
		if (endpoint_conflict(&a, &b) != pairs[i].conflict ||
		    endpoint_conflict(&b, &a) != pairs[i].conflict)
			fail_msg("%s, %s", pairs[i].a, pairs[i].b);
		assert_int_equal(endpoint_equal(&a, &b), same);
	}
}

static const struct {
	const char *endpoint;
	const char *blocks; /* port/bits */
} splits[] = {
	{"tcp://192.0.2.1:80", "80/0"},
	{"tcp://192.0.2.1:*", "0/16"},
	{"tcp://192.0.2.1:8000-8007", "8000/3"},
	{"tcp://192.0.2.1:8000-8099", "8000/6 8064/5 8096/2"},
	{"tcp://192.0.2.1:7-9", "7/0 8/1"},
	{"tcp://192.0.2.1:65534-65535", "65534/1"},
	{"tcp://192.0.2.1:32768-65535", "32768/15"},
	{"tcp://192.0.2.1:1-3", "1/0 2/1"},
};

static void ranges_split_into_few_aligned_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(splits); i++) {
		struct port_block blocks[PORT_BLOCKS_MAX];
		struct endpoint endpoint;
		char text[256] = "";
		int count;

		assert_int_equal(endpoint_parse(splits[i].endpoint, &endpoint, NULL), 0);
		count = endpoint_blocks(&endpoint, blocks);
		for (int j = 0; j < count; j++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u/%u",
				 j ? " " : "", blocks[j].port, blocks[j].bits);
		assert_string_equal(text, splits[i].blocks);
	}
}

static void the_worst_range_fills_the_array_of_blocks(void **state)
{
	struct endpoint endpoint = {.port_first = 1, .port_last = 65534};
	struct port_block blocks[PORT_BLOCKS_MAX];
	uint32_t next = 1;

	(void)state;
	assert_int_equal(endpoint_blocks(&endpoint, blocks), PORT_BLOCKS_MAX);
	for (int i = 0; i < PORT_BLOCKS_MAX; i++) {
		assert_int_equal(blocks[i].port, next);
		assert_int_equal(blocks[i].port % (1U << blocks[i].bits), 0);
		next += 1U << blocks[i].bits;
	}
	assert_int_equal(next, 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_parse_and_format),
		cmocka_unit_test(ipv4_fills_four_bytes_and_zeroes_the_rest),
		cmocka_unit_test(each_byte_of_ipv4_has_its_digits),
		cmocka_unit_test(no_address_has_a_text_too),
		cmocka_unit_test(prefixes_parse_and_format),
		cmocka_unit_test(endpoints_parse_and_format),
		cmocka_unit_test(addresses_with_a_port_parse),
		cmocka_unit_test(addresses_have_a_total_order),
		cmocka_unit_test(masks_clear_what_is_behind),
		cmocka_unit_test(conflicts_are_what_cannot_be_told_apart),
		cmocka_unit_test(ranges_split_into_few_aligned_blocks),
		cmocka_unit_test(the_worst_range_fills_the_array_of_blocks),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
