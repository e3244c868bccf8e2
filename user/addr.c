/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * addr: addresses, prefixes and endpoints as text and as values.
 *
 * A leaf: everyone may use it, it uses only the C library. It does not know what an endpoint is
 * for, and resolves no names: every address is numeric.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535, PORT_BITS = 16 };

static int refuse(const char **why, const char *reason)
{
	if (why)
		*why = reason;
	return -EINVAL;
}

static uint8_t family_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

/* ---- numbers ---- */

/* Decimal digits, all of `text[0..length)`, no sign, no leading zero. */
static int number_parse(const char *text, size_t length, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (length == 0 || length > 5 || (length > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int port_parse(const char *text, size_t length, uint16_t *port)
{
	unsigned value;

	if (number_parse(text, length, PORT_MAX, &value) < 0 || value == 0)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* ---- addresses and prefixes ---- */

static int addr_parse_part(const char *text, size_t length, struct addr *out, const char **why)
{
	char copy[ADDR_TEXT_SIZE];
	struct addr addr = {};

	if (length == 0)
		return refuse(why, "it is empty");
	if (length >= sizeof(copy))
		return refuse(why, "it is longer than any address");
	memcpy(copy, text, length);
	copy[length] = '\0';

	if (inet_pton(AF_INET, copy, &addr.ip) == 1)
		addr.family = 4;
	else if (inet_pton(AF_INET6, copy, &addr.ip) == 1)
		addr.family = 6;
	else if (strchr(copy, '%'))
		return refuse(why, "an address here has no interface (%...)");
	else if (strchr(copy, '/'))
		return refuse(why, "an address here has no prefix length");
	else if (copy[0] == '[')
		return refuse(why, "brackets belong only around an address with a port");
	else
		return refuse(why, "it is neither an IPv4 nor an IPv6 address");
	*out = addr;
	return 0;
}

int addr_parse(const char *text, struct addr *out, const char **why)
{
	return addr_parse_part(text, strlen(text), out, why);
}

int prefix_parse(const char *text, struct prefix *out, const char **why)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct addr addr, masked;
	unsigned bits;
	int err;

	err = addr_parse_part(text, length, &addr, why);
	if (err < 0)
		return err;
	bits = family_bits(addr.family);
	if (slash && number_parse(slash + 1, strlen(slash + 1), bits, &bits) < 0)
		return refuse(why, addr.family == 4 ? "the prefix length is not from 0 to 32"
						    : "the prefix length is not from 0 to 128");
	masked = addr_mask(&addr, (uint8_t)bits);
	if (!addr_equal(&addr, &masked))
		return refuse(why, "bits behind the prefix length are set");
	*out = (struct prefix){.addr = addr, .length = (uint8_t)bits};
	return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));
}

struct addr addr_mask(const struct addr *addr, uint8_t length)
{
	struct addr out = *addr;

	for (unsigned i = 0; i < sizeof(out.ip.bytes); i++) {
		if (length >= (i + 1) * 8)
			continue;
		if (length <= i * 8)
			out.ip.bytes[i] = 0;
		else
			out.ip.bytes[i] &= (uint8_t)(0xff << (8 - length % 8));
	}
	return out;
}

const char *addr_unicast_problem(const struct addr *addr)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const struct addr zero4 = {.family = 4}, zero6 = {.family = 6};

	if (addr_equal(addr, &zero4) || addr_equal(addr, &zero6))
		return "it is the unspecified address";
	if (addr->family == 4 && addr->ip.v4 == htonl(INADDR_BROADCAST))
		return "it is the broadcast address";
	if (addr->family == 4 ? addr->ip.bytes[0] >> 4 == 0xe : addr->ip.bytes[0] == 0xff)
		return "it is a multicast address";
	if (addr->family == 6 && memcmp(addr->ip.bytes, mapped, sizeof(mapped)) == 0)
		return "it is an IPv4 address in IPv6 clothes (write it as IPv4)";
	return NULL;
}

/* inet_ntop goes through printf, which is felt in a list of thousands. */
static const char *ipv4_format(const uint8_t bytes[4], char out[ADDR_TEXT_SIZE])
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (bytes[i] >= 100)
			*at++ = (char)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*at++ = (char)('0' + bytes[i] / 10 % 10);
		*at++ = (char)('0' + bytes[i] % 10);
		*at++ = '.';
	}
	at[-1] = '\0';
	return out;
}

const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_SIZE])
{
	if (addr->family == 4)
		return ipv4_format(addr->ip.bytes, out);
	if (addr->family == 0 || !inet_ntop(AF_INET6, &addr->ip, out, ADDR_TEXT_SIZE))
		snprintf(out, ADDR_TEXT_SIZE, "none");
	return out;
}

const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE])
{
	char addr[ADDR_TEXT_SIZE];

	snprintf(out, PREFIX_TEXT_SIZE, "%s/%u", addr_format(&prefix->addr, addr), prefix->length);
	return out;
}

/* ---- an address and a port ---- */

/* Splits 192.0.2.10:443 or [2001:db8::10]:443; `*port` points behind the colon. */
static int host_parse(const char *text, struct addr *addr, const char **port, const char **why)
{
	const char *end, *colon;
	int err;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end)
			return refuse(why, "the closing bracket is missing");
		err = addr_parse_part(text + 1, (size_t)(end - text - 1), addr, why);
		if (err < 0)
			return err;
		if (addr->family != 6)
			return refuse(why, "brackets belong only around an IPv6 address");
		colon = end + 1;
	} else {
		colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			return refuse(why, "an IPv6 address with a port stands in brackets");
		if (!colon)
			colon = text + strlen(text);
		err = addr_parse_part(text, (size_t)(colon - text), addr, why);
		if (err < 0)
			return err;
	}
	if (*colon != ':')
		return refuse(why, "the port is missing");
	*port = colon + 1;
	return 0;
}

int addr_port_parse(const char *text, struct addr *addr, uint16_t *port, const char **why)
{
	const char *port_text;
	struct addr host;
	int err;

	err = host_parse(text, &host, &port_text, why);
	if (err < 0)
		return err;
	if (port_parse(port_text, strlen(port_text), port) < 0)
		return refuse(why, "the port is not a number from 1 to 65535");
	*addr = host;
	return 0;
}

/* ---- endpoints ---- */

static int ports_parse(const char *text, struct endpoint *endpoint, const char **why)
{
	const char *dash = strchr(text, '-');

	if (strcmp(text, "*") == 0) {
		endpoint->port_first = 0;
		endpoint->port_last = PORT_MAX;
		return 0;
	}
	if (!dash) {
		if (port_parse(text, strlen(text), &endpoint->port_first) < 0)
			return refuse(why, "the port is not a number from 1 to 65535, "
					   "a range such as 8000-8099, or *");
		endpoint->port_last = endpoint->port_first;
		return 0;
	}
	if (port_parse(text, (size_t)(dash - text), &endpoint->port_first) < 0 ||
	    port_parse(dash + 1, strlen(dash + 1), &endpoint->port_last) < 0)
		return refuse(why, "the range is not two ports from 1 to 65535");
	if (endpoint->port_first > endpoint->port_last)
		return refuse(why, "the range ends before it begins");
	return 0;
}

int endpoint_parse(const char *text, struct endpoint *out, const char **why)
{
	struct endpoint endpoint = {};
	const char *ports, *problem;
	int err;

	if (strncmp(text, "tcp://", 6) == 0)
		endpoint.proto = IPPROTO_TCP;
	else if (strncmp(text, "udp://", 6) == 0)
		endpoint.proto = IPPROTO_UDP;
	else
		return refuse(why, "it begins with neither tcp:// nor udp://");
	err = host_parse(text + 6, &endpoint.addr, &ports, why);
	if (err < 0)
		return err;
	problem = addr_unicast_problem(&endpoint.addr);
	if (problem)
		return refuse(why, problem);
	err = ports_parse(ports, &endpoint, why);
	if (err < 0)
		return err;
	*out = endpoint;
	return 0;
}

const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
	const char *proto = endpoint->proto == IPPROTO_TCP ? "tcp" : "udp";
	bool v6 = endpoint->addr.family == 6;
	char addr[ADDR_TEXT_SIZE], ports[16];

	if (endpoint_is_any_port(endpoint))
		snprintf(ports, sizeof(ports), "*");
	else if (endpoint_is_exact(endpoint))
		snprintf(ports, sizeof(ports), "%u", endpoint->port_first);
	else
		snprintf(ports, sizeof(ports), "%u-%u", endpoint->port_first, endpoint->port_last);
	snprintf(out, ENDPOINT_TEXT_SIZE, "%s://%s%s%s:%s", proto, v6 ? "[" : "",
		 addr_format(&endpoint->addr, addr), v6 ? "]" : "", ports);
	return out;
}

bool endpoint_is_any_port(const struct endpoint *endpoint)
{
	return endpoint->port_first == 0 && endpoint->port_last == PORT_MAX;
}

bool endpoint_is_exact(const struct endpoint *endpoint)
{
	return endpoint->port_first == endpoint->port_last;
}

static bool endpoint_is_range(const struct endpoint *endpoint)
{
	return !endpoint_is_exact(endpoint) && !endpoint_is_any_port(endpoint);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->proto == b->proto && addr_equal(&a->addr, &b->addr) &&
	       a->port_first == b->port_first && a->port_last == b->port_last;
}

bool endpoint_conflict(const struct endpoint *a, const struct endpoint *b)
{
	if (a->proto != b->proto || !addr_equal(&a->addr, &b->addr))
		return false;
	if (endpoint_is_range(a) && endpoint_is_range(b))
		return a->port_first <= b->port_last && b->port_first <= a->port_last;
	return a->port_first == b->port_first && a->port_last == b->port_last;
}

int endpoint_blocks(const struct endpoint *endpoint, struct port_block out[PORT_BLOCKS_MAX])
{
	uint32_t port = endpoint->port_first;
	uint32_t end = (uint32_t)endpoint->port_last + 1;
	int count = 0;

	/* The widest block that begins here, does so on its own boundary, and does not reach past
	 * the end: no split into fewer blocks exists. */
	while (port < end) {
		uint8_t bits = 0;

		while (bits < PORT_BITS && port % (2U << bits) == 0 && port + (2U << bits) <= end)
			bits++;
		out[count++] = (struct port_block){.port = (uint16_t)port, .bits = bits};
		port += 1U << bits;
	}
	return count;
}
