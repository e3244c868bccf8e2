/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: ICMP errors to a VIP: which backend they go to, that they leave no trace of what is
 * remembered, and what they may not quote. How to read a row: rules.h and case.h.
 */
#include "rules.h"

#define ROUTER4 "203.0.113.5" /* who reports */
#define ROUTER6 "2001:db8:f::5"

/* clang-format off */
/* Fragmentation needed and packet too big; the backend's packet acknowledged 0x55667788. */
#define QUOTING(title, through, quoted, ...)                                                       \
	{.name = title ", IPv4", .service = S_##through,                                           \
	 .in = {ETH(), IP4(ROUTER4, V4_S_##through), ICMP(3, 4, .rest = 1400),                     \
		IP4(V4_S_##through, CLIENT4), quoted}, __VA_ARGS__},                               \
	{.name = title ", IPv6", .service = S_##through,                                           \
	 .in = {ETH(), IP6(ROUTER6, V6_S_##through), ICMP(2, 0, .rest = 1400),                     \
		IP6(V6_S_##through, CLIENT6), quoted}, __VA_ARGS__}

#define OF_TCP TCP(80, 4000)
#define OF_SYN TCP(80, 4000, .flags = SYN) /* acknowledges nothing */
#define OF_UDP UDP(80, 4000)
#define EIGHT  UDP(80, 4000, .length = 9999) /* the first eight bytes of any transport */
#define HEARD  0x55667787U /* the client's number before the one that is acknowledged */

/* The kinds of errors there are, to a pool of one backend. */
#define KIND4(title, t, c)                                                                         \
	{.name = title ", IPv4",                                                                   \
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(t, c), IP4(V4_S_IN4, CLIENT4), OF_TCP, DATA(9)},\
	 FORWARD(B_IN4, S_IN4),                                                                    \
	 .out = {TO_IN4, IP4(OUR4, BACKEND4), IP4(ROUTER4, V4_S_IN4, .ttl = 63), ICMP(t, c),       \
		 IP4(V4_S_IN4, CLIENT4), OF_TCP, DATA(9)}}
#define KIND6(title, t, c)                                                                         \
	{.name = title ", IPv6",                                                                   \
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(t, c), IP6(V6_S_IN4, CLIENT6), OF_UDP, DATA(9)},\
	 FORWARD(B_IN4, S_IN4),                                                                    \
	 .out = {TO_IN4, IP4(OUR4, BACKEND4, .id = ZERO, .df = true),                              \
		 IP6(ROUTER6, V6_S_IN4, .hops = 63), ICMP(t, c),                                   \
		 IP6(V6_S_IN4, CLIENT6), OF_UDP, DATA(9)}}

static const struct packet_case rows[] = {
	/* ---- errors, and what is none ---- */
	KIND4("net unreachable", 3, 0),
	KIND4("port unreachable", 3, 3),
	KIND4("fragmentation needed", 3, 4),
	KIND4("TTL exceeded", 11, 0),
	KIND4("parameter problem", 12, 0),
	KIND6("no route", 1, 0),
	KIND6("port unreachable", 1, 4),
	KIND6("packet too big", 2, 0),
	KIND6("hop limit exceeded", 3, 0),
	KIND6("parameter problem", 4, 1),
	{.name = "source quench is no error any more: the kernel's",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(4, 0), IP4(V4_S_IN4, CLIENT4), OF_TCP},
	 PASS(ICMP)},
	{.name = "a redirect: the kernel's",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(5, 1), IP4(V4_S_IN4, CLIENT4), OF_TCP},
	 PASS(ICMP)},
	{.name = "an unknown error of ICMPv6: the kernel's",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(5, 0), IP6(V6_S_IN4, CLIENT6), OF_TCP},
	 PASS(ICMP)},
	{.name = "a neighbour solicitation to a VIP: the kernel's",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4, .hops = 255), ICMP(135, 0), DATA(16)},
	 PASS(ICMP)},
	{.name = "a neighbour advertisement to no VIP: the kernel's",
	 .in = {ETH(), IP6(ROUTER6, NO_VIP6, .hops = 255), ICMP(136, 0), DATA(16)},
	 PASS(NO_SERVICE)},
	{.name = "ICMPv6 in IPv4 is no ICMP",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4, .proto = 58), ICMP(128, 0), DATA(8)},
	 PASS(NO_SERVICE)},
	{.name = "ICMP in IPv6 is no ICMPv6",
	 .in = {ETH(), IP6(CLIENT6, V6_S_IN4, .next = 1), ICMP(8, 0), DATA(8)},
	 PASS(NO_SERVICE)},
	{.name = "an error to no VIP",
	 .in = {ETH(), IP4(ROUTER4, NO_VIP4), ICMP(3, 4), IP4(NO_VIP4, CLIENT4), OF_TCP},
	 PASS(NO_SERVICE)},
	{.name = "an error to a VIP about a port of no service",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4), TCP(81, 4000)},
	 PASS(NO_SERVICE)},

	/* ---- headers in between ---- */
	{.name = "options outside and inside",
	 .in = {ETH(), IP4(ROUTER4, V4_S_L2, .options = 2), ICMP(3, 4),
		IP4(V4_S_L2, CLIENT4, .options = 10), OF_TCP},
	 FORWARD(B_L2, S_L2)},
	{.name = "behind a tag",
	 .in = {ETH(), VLAN(7), IP4(ROUTER4, V4_S_L2), ICMP(3, 4), IP4(V4_S_L2, CLIENT4), EIGHT},
	 FORWARD(B_L2, S_L2)},
	{.name = "extension headers outside and inside",
	 .in = {ETH(), IP6(ROUTER6, V6_S_L2), EXT6(60, 1), ICMP(2, 0), IP6(V6_S_L2, CLIENT6),
		EXT6(0, 0), EXT6(43, 2), OF_TCP},
	 FORWARD(B_L2, S_L2)},
	{.name = "the first fragment of the backend's packet, IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_L2), ICMP(11, 1),
		IP4(V4_S_L2, CLIENT4, .mf = true, .length = 1500), OF_UDP, DATA(99)},
	 FORWARD(B_L2, S_L2)},
	{.name = "the first fragment of the backend's packet, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_L2), ICMP(2, 0), IP6(V6_S_L2, CLIENT6, .length = 1400),
		FRAG6(0, true), OF_UDP, DATA(99)},
	 FORWARD(B_L2, S_L2)},
	{.name = "through a tunnel in UDP, with a checksum",
	 .in = {ETH(), IP6(ROUTER6, V6_S_GUE6), ICMP(2, 0, .rest = 1280), IP6(V6_S_GUE6, CLIENT6), OF_TCP},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, IP6(OUR6, BACKEND6, .label = 0x74c6f), UDP(56557, WORLD_GUE6_PORT),
		 IP6(ROUTER6, V6_S_GUE6, .hops = 63), ICMP(2, 0, .rest = 1280),
		 IP6(V6_S_GUE6, CLIENT6), OF_TCP}},
	{.name = "the same of IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_GUE6), ICMP(3, 4, .rest = 1280), IP4(V4_S_GUE6, CLIENT4), OF_TCP},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, IP6(OUR6, BACKEND6, .label = 0xeddba), UDP(58083, WORLD_GUE6_PORT),
		 IP4(ROUTER4, V4_S_GUE6, .ttl = 63), ICMP(3, 4, .rest = 1280),
		 IP4(V4_S_GUE6, CLIENT4), OF_TCP}},

	/* ---- whose flow it is: by ports, by source, whoever reports ---- */
	{.name = "by flow: as a packet of the client's port 4000 would",
	 .in = {ETH(), IP4(ROUTER4, V4_S_BY_FLOW), ICMP(3, 4), IP4(V4_S_BY_FLOW, CLIENT4), TCP(80, 4000)},
	 FORWARD(B_A, S_BY_FLOW)},
	{.name = "by flow: and as one of port 4007",
	 .in = {ETH(), IP4(ROUTER4, V4_S_BY_FLOW), ICMP(3, 4), IP4(V4_S_BY_FLOW, CLIENT4), TCP(80, 4007)},
	 FORWARD(B_B, S_BY_FLOW)},
	{.name = "by source: a client",
	 .in = {ETH(), IP4(ROUTER4, V4_S_BY_SOURCE), ICMP(3, 3), IP4(V4_S_BY_SOURCE, "198.51.100.7"), OF_UDP},
	 FORWARD(B_A, S_BY_SOURCE)},
	{.name = "by source: another client",
	 .in = {ETH(), IP4(ROUTER4, V4_S_BY_SOURCE), ICMP(3, 3), IP4(V4_S_BY_SOURCE, "198.51.101.7"), OF_UDP},
	 FORWARD(B_B, S_BY_SOURCE)},
	{.name = "by source: an IPv6 client",
	 .in = {ETH(), IP6(ROUTER6, V6_S_BY_SOURCE), ICMP(1, 4), IP6(V6_S_BY_SOURCE, "2001:db8:c::7"), OF_UDP},
	 FORWARD(B_B, S_BY_SOURCE)},
	{.name = "the client itself reports",
	 .in = {ETH(), IP4(CLIENT4, V4_S_SETTLED), ICMP(3, 3), IP4(V4_S_SETTLED, CLIENT4), OF_UDP},
	 FORWARD(B_A, S_SETTLED)},

	/* ---- entries: read, and nothing more ---- */
	QUOTING("a changed slot: the fallback, and no entry", CHANGED, OF_TCP, TO(A, FALLBACK)),
	{.name = "eight bytes of TCP are enough, IPv4", .service = S_CHANGED,
	 .in = {ETH(), IP4(ROUTER4, V4_S_CHANGED), ICMP(3, 4), IP4(V4_S_CHANGED, CLIENT4, .proto = 6), EIGHT},
	 TO(A, FALLBACK)},
	{.name = "eight bytes of TCP are enough, IPv6", .service = S_CHANGED,
	 .in = {ETH(), IP6(ROUTER6, V6_S_CHANGED), ICMP(2, 0), IP6(V6_S_CHANGED, CLIENT6, .next = 6), EIGHT},
	 TO(A, FALLBACK)},
	QUOTING("a fallback that is down: the owner", FALLBACK_DOWN, OF_TCP, TO(B, SLOT)),
	QUOTING("an owner that is down: the fallback", OWNER_DOWN, OF_TCP, TO(A, FALLBACK)),
	QUOTING("nobody", CHANGED_DOWN, OF_TCP, DROP(NO_BACKEND)),
	QUOTING("a flow entry, which is no younger for it", CHANGED, OF_TCP, TO(C, FLOW),
		UNTOUCHED(FLOW(C, OPEN, .age = 9))),
	QUOTING("a flow entry that closes", CHANGED, OF_TCP, TO(C, FLOW),
		UNTOUCHED(FLOW(C, CLOSING, .age = 9))),
	QUOTING("a dead flow entry", CHANGED, OF_TCP, TO(A, FALLBACK),
		UNTOUCHED(FLOW(C, OPEN, .age = WORLD_IDLE_TCP + 1))),
	{.name = "nor do eight bytes confirm a birth", .service = S_CHANGED,
	 .in = {ETH(), IP4(ROUTER4, V4_S_CHANGED), ICMP(3, 4), IP4(V4_S_CHANGED, CLIENT4, .proto = 6), EIGHT},
	 TO(A, FALLBACK), UNTOUCHED(BIRTH(C, OPENING, 0, .age = 2, .proto = IPPROTO_TCP))},
	QUOTING("a confirmed birth", CHANGED, OF_TCP, TO(C, FLOW),
		UNTOUCHED(BIRTH(C, OPEN, ISN, .age = 9))),
	QUOTING("a birth is not confirmed by what answers its SYN, but answers", CHANGED, OF_TCP, TO(C, FLOW),
		UNTOUCHED(BIRTH(C, OPENING, HEARD, .age = 2))),
	QUOTING("a birth of which the quoted packet acknowledges nothing", CHANGED, OF_SYN, TO(A, FALLBACK),
		UNTOUCHED(BIRTH(C, OPENING, HEARD, .age = 2))),
	QUOTING("a birth that the quoted packet does not belong to", CHANGED, OF_TCP, TO(A, FALLBACK),
		UNTOUCHED(BIRTH(C, OPENING, ISN, .age = 2))),
	QUOTING("the entry of an earlier life", CHANGED, OF_TCP, TO(B, FLOW),
		UNTOUCHED(BIRTH(C, OPENING, ISN, .age = 2), FLOW(B, OPEN, .age = 5, REBORN))),
	QUOTING("every flow tracked: by its entry", TRACKED, OF_TCP, TO(C, FLOW),
		UNTOUCHED(FLOW(C, OPEN, .age = 9))),
	QUOTING("every flow tracked, and this one not known: no entry for it", TRACKED, OF_TCP, TO(A, FALLBACK)),
	QUOTING("UDP: a birth", CHANGED, OF_UDP, TO(C, FLOW), UNTOUCHED(BIRTH(C, OPEN, 0, .age = 3))),
	QUOTING("UDP: the owner, where no old flow lives without an entry", CHANGED, OF_UDP, TO(B, SLOT)),
	QUOTING("UDP: the fallback as long as one may", CHANGED, OF_UDP, TO(A, FALLBACK),
		TIMES(.since = WORLD_IDLE_UDP - 2)),
	QUOTING("UDP: the fallback after one could not be made", CHANGED, OF_UDP, TO(A, FALLBACK),
		TIMES(.full = WORLD_IDLE_UDP - 2)),

	/* ---- clients: known or not, no record is made, moved or younger ---- */
	QUOTING("an unknown client", CLIENTS, OF_TCP, TO(A, SLOT)),
	QUOTING("an unknown client of a changed slot", CLIENTS_CHANGED, OF_TCP, TO(A, FALLBACK)),
	QUOTING("a known client", CLIENTS, OF_TCP, TO(C, CLIENT),
		CLIENTS_BEFORE(CLIENT(C, C, .known = true, .age = 9)),
		CLIENTS_AFTER(CLIENT(C, C, .known = true, .age = 9))),
	QUOTING("a client whose record is changed", CLIENTS, OF_TCP, TO(C, FALLBACK),
		CLIENTS_BEFORE(CLIENT(B, C, .changed = true, .known = true, .age = 9)),
		CLIENTS_AFTER(CLIENT(B, C, .changed = true, .known = true, .age = 9))),
	QUOTING("a client whose owner went down: its fallback", CLIENTS, OF_TCP, TO(C, FALLBACK),
		CLIENTS_BEFORE(CLIENT(B, C, .changed = true, .known = true, .owner_outlived = true, .age = 9)),
		CLIENTS_AFTER(CLIENT(B, C, .changed = true, .known = true, .owner_outlived = true, .age = 9))),
	QUOTING("a client who has lost both goes by its slot", CLIENTS, OF_TCP, TO(A, FALLBACK),
		CLIENTS_BEFORE(CLIENT(B, C, .changed = true, .known = true, .owner_outlived = true,
				      .fallback_outlived = true, .age = 9)),
		CLIENTS_AFTER(CLIENT(B, C, .changed = true, .known = true, .owner_outlived = true,
				     .fallback_outlived = true, .age = 9))),

	/* ---- what cannot be ---- */
	{.name = "it quotes a packet from elsewhere",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(V4_S_IN6, CLIENT4), OF_TCP}, DROP(QUOTE)},
	{.name = "it quotes a packet from elsewhere, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(2, 0), IP6(V6_S_IN6, CLIENT6), OF_TCP}, DROP(QUOTE)},
	{.name = "it quotes the packet to the VIP, and not from there",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(CLIENT4, V4_S_IN4), TCP(4000, 80)}, DROP(QUOTE)},
	{.name = "it quotes IPv6 in ICMP",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP6(V6_S_IN4, CLIENT6), OF_TCP}, DROP(QUOTE)},
	{.name = "it quotes IPv4 in ICMPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(2, 0), IP4(V4_S_IN4, CLIENT4), OF_TCP}, DROP(QUOTE)},
	{.name = "the quoted IPv4 header is of 16 bytes",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4, .ihl = 4), OF_TCP}, DROP(QUOTE)},
	{.name = "it quotes a later fragment, IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4, .offset = 9), OF_TCP}, DROP(QUOTE)},
	{.name = "it quotes a later fragment, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6), FRAG6(9, false), OF_TCP},
	 DROP(QUOTE)},
	{.name = "it quotes neither TCP nor UDP",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4), ICMP(0, 0)}, DROP(QUOTE)},
	{.name = "it quotes neither TCP nor UDP, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6), ICMP(129, 0)}, DROP(QUOTE)},
	{.name = "it quotes more extension headers than are followed",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6), EXT6(60, 0), EXT6(60, 0),
		EXT6(60, 0), EXT6(60, 0), EXT6(60, 0), EXT6(60, 0), EXT6(60, 0), OF_TCP},
	 DROP(QUOTE)},
	{.name = "it ends inside the quoted header or transport, IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4, .length = 28), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4), OF_TCP},
	 .cut = {42, 82}, DROP(TRUNCATED)},
	{.name = "its length says that it ends inside the quoted ports, IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4, .length = 55), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4), OF_TCP},
	 DROP(TRUNCATED)},
	{.name = "its length says that it ends inside the quoted header, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4, .length = 47), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6), OF_TCP},
	 DROP(TRUNCATED)},
	{.name = "its length says that it ends inside the quoted ports, IPv6",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4, .length = 55), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6), OF_TCP},
	 DROP(TRUNCATED)},
	{.name = "its length says that it ends inside a quoted extension header",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4, .length = 52), ICMP(2, 0), IP6(V6_S_IN4, CLIENT6),
		EXT6(60, 0), OF_TCP},
	 DROP(TRUNCATED)},
	{.name = "the ICMP header is cut off, IPv4",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4, .length = 24), ICMP(3, 4)}, .cut = {38, 42}, DROP(TRUNCATED)},
	{.name = "the ICMPv6 header is cut off",
	 .in = {ETH(), IP6(ROUTER6, V6_S_IN4, .length = 7), ICMP(2, 0)}, .cut = {61, 62}, DROP(TRUNCATED)},
	{.name = "the message itself comes in fragments",
	 .in = {ETH(), IP4(ROUTER4, V4_S_IN4, .mf = true), ICMP(3, 4), IP4(V4_S_IN4, CLIENT4), OF_TCP, DATA(8)},
	 DROP(FRAGMENT)},
};
/* clang-format on */

CASE_LIST(icmp, rows);
