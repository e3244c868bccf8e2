/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * builder: packets from a list of layers, so that a case shows a packet the way one speaks of it:
 *
 *	{ETH(), IP4(CLIENT4, "192.0.2.1", .ttl = 9), TCP(4000, 80, .flags = SYN), DATA(10)}
 *
 * Lengths, next protocols and checksums follow from the layers. A field left out has a sensible
 * value; ZERO gives a zero where that is not what leaving it out gives; overrides make the field
 * say what is not so. Neighbours: the case files write these lists, run.c builds them. Knows
 * nothing of the program under test.
 */
#ifndef PACKET_BUILDER_H
#define PACKET_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ZERO = -1,
	PACKET_LAYERS_MAX = 12,
	PACKET_SIZE_MAX = 9200, /* a jumbo frame, with what is put in front */
	SEQUENCE = 0x11223344,
};

enum layer_kind {
	LAYER_END,
	LAYER_ETH,
	LAYER_VLAN,
	LAYER_IP4,
	LAYER_IP6,
	LAYER_EXT6,
	LAYER_FRAG6,
	LAYER_TCP,
	LAYER_UDP,
	LAYER_ICMP,
	LAYER_QUOTE,
	LAYER_DATA,
	LAYER_PAD,
	LAYER_KINDS
};

enum tcp_flag { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct layer_eth {
	const char *to, *from; /* left out: from the router to the balancer */
	int type;
};

struct layer_ip4 {
	const char *src, *dst;
	int ttl; /* left out: 64 */
	int dscp, ecn;
	int id; /* left out: 0x4242 */
	bool df, mf;
	int offset;  /* of a fragment, in units of 8 bytes */
	int options; /* words of them */
	/* overrides */
	int version, ihl, length, proto;
	bool bad_checksum;
};

struct layer_ip6 {
	const char *src, *dst;
	int hops; /* left out: 64 */
	int dscp, ecn, label;
	/* overrides */
	int version, length, next;
};

struct layer_ext6 {
	int type;     /* 0 hop-by-hop, 43 routing, 51 authentication, 60 destination options */
	int extra;    /* units of 8 bytes behind the first 8 */
	int segments; /* left, of a routing header */
	/* overrides */
	int length, next;
};

struct layer_frag6 {
	int offset; /* units of 8 bytes */
	bool more;
	int id;   /* left out: 0x1a2b3c4d */
	int next; /* override */
};

struct layer_vlan {
	int id;
	int type; /* override: of what follows */
};

struct layer_tcp {
	int sport, dport;
	int flags;         /* left out: ACK */
	uint32_t sequence; /* left out: SEQUENCE */
	int options;       /* words of them */
	int offset;        /* override: header length in words */
	bool unfinished;   /* the checksum is that of the pseudo-header alone */
};

struct layer_udp {
	int sport, dport;
	/* overrides */
	int length;
	bool no_checksum; /* zero */
	bool unfinished;  /* as of TCP */
};

struct layer_icmp {
	int type, code;
	uint32_t rest;     /* of the header */
	bool bad_checksum; /* by one */
};

struct layer {
	enum layer_kind kind;
	union {
		struct layer_eth eth;
		struct layer_ip4 ip4;
		struct layer_ip6 ip6;
		struct layer_ext6 ext6;
		struct layer_frag6 frag6;
		struct layer_tcp tcp;
		struct layer_udp udp;
		struct layer_icmp icmp;
		struct layer_vlan vlan;
		int bytes;
	};
};

/* clang-format off */
#define ETH(...)          {.kind = LAYER_ETH, .eth = {__VA_ARGS__}}
#define VLAN(...)         {.kind = LAYER_VLAN, .vlan = {__VA_ARGS__}}
#define IP4(s, d, ...)    {.kind = LAYER_IP4, .ip4 = {.src = s, .dst = d, ##__VA_ARGS__}}
#define IP6(s, d, ...)    {.kind = LAYER_IP6, .ip6 = {.src = s, .dst = d, ##__VA_ARGS__}}
#define EXT6(t, e, ...)   {.kind = LAYER_EXT6, .ext6 = {.type = t, .extra = e, ##__VA_ARGS__}}
#define FRAG6(o, m, ...)  {.kind = LAYER_FRAG6, .frag6 = {.offset = o, .more = m, ##__VA_ARGS__}}
#define TCP(s, d, ...)    {.kind = LAYER_TCP, .tcp = {.sport = s, .dport = d, ##__VA_ARGS__}}
#define UDP(s, d, ...)    {.kind = LAYER_UDP, .udp = {.sport = s, .dport = d, ##__VA_ARGS__}}
#define ICMP(t, c, ...)   {.kind = LAYER_ICMP, .icmp = {.type = t, .code = c, ##__VA_ARGS__}}
#define QUOTE(n)          {.kind = LAYER_QUOTE, .bytes = (n)} /* the first bytes of another packet */
#define DATA(n)           {.kind = LAYER_DATA, .bytes = (n)} /* payload */
#define PAD(n)            {.kind = LAYER_PAD, .bytes = (n)}  /* a trailer that no length counts */
/* clang-format on */

struct packet {
	size_t size;
	size_t l3_at;   /* where the first IP header is, as built */
	size_t l3_size; /* behind the Ethernet header and before a trailer, as built */
	uint8_t bytes[PACKET_SIZE_MAX];
};

/* Builds `layers`, up to the first LAYER_END or PACKET_LAYERS_MAX. A list that cannot be built (a
 * mistake in the case: bad address, too long) ends the process with a message. `quoted`: what a
 * LAYER_QUOTE is of, from its IP header on. */
void packet_build(const struct layer *layers, struct packet *out);
void packet_build_quoting(const struct layer *layers, const struct packet *quoted,
			  struct packet *out);

/* Prints `expected` and `actual` side by side, 16 bytes a row, each row prefixed with "# " for TAP
 * and the differing bytes marked. */
void packet_print_difference(const struct packet *expected, const struct packet *actual);

#endif
