/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * addr: addresses, prefixes and endpoints as text and as values. A leaf; pure.
 */
#ifndef LIMPET_ADDR_H
#define LIMPET_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"

struct addr {
	uint8_t family;   /* 4, 6, or 0: none */
	union lb_addr ip; /* network order; IPv4 in the first four bytes, the rest zero */
};

/* An address with the number of leading bits that count; the other bits are zero. */
struct prefix {
	struct addr addr;
	uint8_t length;
};

/* Where a service listens. Ports in host order; any port: 0 to 65535. */
struct endpoint {
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	struct addr addr;
	uint16_t port_first;
	uint16_t port_last;
};

enum {
	ADDR_TEXT_SIZE = 46, /* INET6_ADDRSTRLEN */
	PREFIX_TEXT_SIZE = 50,
	ENDPOINT_TEXT_SIZE = 80,
};

/* Parsers take the whole string and nothing but it. They return 0, or -EINVAL with `*why` (unless
 * NULL) pointing to a constant that says what is wrong, fit to stand behind "bad address: ". */
int addr_parse(const char *text, struct addr *out, const char **why);
int prefix_parse(const char *text, struct prefix *out, const char **why);
/* tcp://192.0.2.10:443, udp://[2001:db8::10]:443, tcp://192.0.2.10:8000-8099, tcp://192.0.2.10:*
 * The address must be one a service can have: not unspecified, multicast or broadcast. */
int endpoint_parse(const char *text, struct endpoint *out, const char **why);
/* 192.0.2.10:443 or [2001:db8::10]:443, as `flow lookup` takes it. Port in host order. */
int addr_port_parse(const char *text, struct addr *addr, uint16_t *port, const char **why);

/* NULL if one host can have the address; else a constant that says why not: unspecified, multicast,
 * broadcast, or IPv4 written as IPv6. */
const char *addr_unicast_problem(const struct addr *addr);

/* Formatters fill `out` (of the size above) with the canonical text (RFC 5952) and return it. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_SIZE]);
const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE]);
const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);

bool addr_equal(const struct addr *a, const struct addr *b);
/* Total order: family, then bytes. */
int addr_compare(const struct addr *a, const struct addr *b);
/* The address with all bits behind the first `length` cleared. */
struct addr addr_mask(const struct addr *addr, uint8_t length);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool endpoint_is_any_port(const struct endpoint *endpoint);
bool endpoint_is_exact(const struct endpoint *endpoint);
/* True if no flow could be told apart: same address and protocol, and either the same ports, or two
 * ranges (neither an exact port, neither any port) that overlap. An exact port inside a range, and
 * anything inside any-port, are not conflicts: the narrower one wins. */
bool endpoint_conflict(const struct endpoint *a, const struct endpoint *b);

/* One aligned block of 2^bits ports. */
struct port_block {
	uint16_t port; /* host order */
	uint8_t bits;  /* 0 to 16 */
};
enum { PORT_BLOCKS_MAX = 30 };
/* Splits the endpoint's ports into the fewest aligned blocks, ascending. Returns their number. */
int endpoint_blocks(const struct endpoint *endpoint, struct port_block out[PORT_BLOCKS_MAX]);

#endif
