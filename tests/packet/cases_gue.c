/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: GUE: each packet in UDP over each outer header, the checksum that UDP has to have
 * over IPv6, and what does not fit. How to read a row: case.h.
 */
#include "case.h"

/*
 * Source ports and flow labels, by the family inside. As in cases_forward.c they may change only
 * with a good reason, and come from another implementation of the hash than bpf/hash.h.
 */
#define OUT4_TCP4 UDP(54052, WORLD_GUE4_PORT, .no_checksum = true)
#define OUT4_UDP4 UDP(59129, WORLD_GUE4_PORT, .no_checksum = true)
#define OUT4_TCP6 UDP(63953, WORLD_GUE4_PORT, .no_checksum = true)
#define OUT4_UDP6 UDP(65358, WORLD_GUE4_PORT, .no_checksum = true)

#define OUT6_TCP4(...)                                                                             \
	IP6(OUR6, BACKEND6, .label = 0xeddba, ##__VA_ARGS__), UDP(58083, WORLD_GUE6_PORT)
#define OUT6_UDP4(...)                                                                             \
	IP6(OUR6, BACKEND6, .label = 0xc9c49), UDP(65115, WORLD_GUE6_PORT, ##__VA_ARGS__)
#define OUT6_TCP6(...)                                                                             \
	IP6(OUR6, BACKEND6, .label = 0x74c6f, ##__VA_ARGS__), UDP(56557, WORLD_GUE6_PORT)
#define OUT6_UDP6(...)                                                                             \
	IP6(OUR6, BACKEND6, .label = 0x0fbbb), UDP(64136, WORLD_GUE6_PORT, ##__VA_ARGS__)

/* clang-format off */
static const struct packet_case rows[] = {
	/* ---- the four family pairs, both protocols ---- */
	{.name = "TCP over IPv4 in IPv4",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), TCP(4000, 80), DATA(30)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4), OUT4_TCP4,
		 IP4(CLIENT4, V4_S_GUE4, .ttl = 63), TCP(4000, 80), DATA(30)}},
	{.name = "UDP over IPv4 in IPv4",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), UDP(4000, 80), DATA(30)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4), OUT4_UDP4,
		 IP4(CLIENT4, V4_S_GUE4, .ttl = 63), UDP(4000, 80), DATA(30)}},
	{.name = "TCP over IPv6 in IPv4",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE4), TCP(4000, 80), DATA(30)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4, .id = ZERO, .df = true), OUT4_TCP6,
		 IP6(CLIENT6, V6_S_GUE4, .hops = 63), TCP(4000, 80), DATA(30)}},
	{.name = "UDP over IPv6 in IPv4",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE4), UDP(4000, 80), DATA(30)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4, .id = ZERO, .df = true), OUT4_UDP6,
		 IP6(CLIENT6, V6_S_GUE4, .hops = 63), UDP(4000, 80), DATA(30)}},
	{.name = "TCP over IPv4 in IPv6",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6), TCP(4000, 80), DATA(30)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP4(),
		 IP4(CLIENT4, V4_S_GUE6, .ttl = 63), TCP(4000, 80), DATA(30)}},
	{.name = "UDP over IPv4 in IPv6",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6), UDP(4000, 80), DATA(31)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_UDP4(),
		 IP4(CLIENT4, V4_S_GUE6, .ttl = 63), UDP(4000, 80), DATA(31)}},
	{.name = "TCP over IPv6 in IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6), TCP(4000, 80), DATA(31)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP6(),
		 IP6(CLIENT6, V6_S_GUE6, .hops = 63), TCP(4000, 80), DATA(31)}},
	{.name = "UDP over IPv6 in IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6), UDP(4000, 80), DATA(30)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_UDP6(),
		 IP6(CLIENT6, V6_S_GUE6, .hops = 63), UDP(4000, 80), DATA(30)}},
	{.name = "through the other interface, with a source that varies",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_FAR_GUE6), TCP(4000, 80, .flags = SYN)},
	 FORWARD_FAR(B_FAR_GUE6, S_FAR_GUE6), .new_flow = true,
	 .out = {TO_FAR_GUE6, IP6("fd09::7aac:9ad3", BACKEND6, .label = 0xc9ad3),
		 UDP(57003, WORLD_GUE6_PORT),
		 IP4(CLIENT4, V4_S_FAR_GUE6, .ttl = 63), TCP(4000, 80, .flags = SYN)}},

	/* ---- what the outer headers take from the inner one ---- */
	{.name = "DSCP, ECN, DF and identification: IPv4 in IPv4",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4, .dscp = 46, .ecn = 2, .df = true, .id = 0xbeef),
		 TCP(4000, 80)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4, .dscp = 46, .ecn = 2, .df = true, .id = 0xbeef), OUT4_TCP4,
		 IP4(CLIENT4, V4_S_GUE4, .dscp = 46, .ecn = 2, .df = true, .id = 0xbeef, .ttl = 63),
		 TCP(4000, 80)}},
	{.name = "DSCP and ECN: IPv4 in IPv6",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6, .dscp = 10, .ecn = 1), TCP(4000, 80)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP4(.dscp = 10, .ecn = 1),
		 IP4(CLIENT4, V4_S_GUE6, .dscp = 10, .ecn = 1, .ttl = 63), TCP(4000, 80)}},
	{.name = "DSCP, ECN and the client's flow label: IPv6 in IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6, .dscp = 63, .ecn = 3, .label = 0xfffff, .hops = 255),
		 TCP(4000, 80)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP6(.dscp = 63, .ecn = 3),
		 IP6(CLIENT6, V6_S_GUE6, .dscp = 63, .ecn = 3, .label = 0xfffff, .hops = 254),
		 TCP(4000, 80)}},
	{.name = "padding is kept, and not counted",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), UDP(4000, 80), DATA(1), PAD(17)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4), OUT4_UDP4,
		 IP4(CLIENT4, V4_S_GUE4, .ttl = 63), UDP(4000, 80), DATA(1), PAD(17)}},

	/* ---- the checksum over IPv6, from the checksums inside ---- */
	{.name = "a UDP datagram without a checksum: none outside either",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6), UDP(4000, 80, .no_checksum = true), DATA(9)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_UDP4(.no_checksum = true),
		 IP4(CLIENT4, V4_S_GUE6, .ttl = 63), UDP(4000, 80, .no_checksum = true), DATA(9)}},
	{.name = "a UDP datagram that ends before its packet does: none outside",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6), UDP(4000, 80, .length = 12), DATA(9)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_UDP4(.no_checksum = true),
		 IP4(CLIENT4, V4_S_GUE6, .ttl = 63), UDP(4000, 80, .length = 12), DATA(9)}},
	{.name = "the same over IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6), UDP(4000, 80, .length = 12), DATA(9)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_UDP6(.no_checksum = true),
		 IP6(CLIENT6, V6_S_GUE6, .hops = 63), UDP(4000, 80, .length = 12), DATA(9)}},
	{.name = "IPv4 options are covered by the header's checksum",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE6, .options = 10), TCP(4000, 80), DATA(3)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP4(),
		 IP4(CLIENT4, V4_S_GUE6, .options = 10, .ttl = 63), TCP(4000, 80), DATA(3)}},

	/* ---- TTL, MTU, room ---- */
	{.name = "TTL 1 ends here",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4, .ttl = 1), TCP(4000, 80)},
	 REFUSE(TTL), .service = S_GUE4, .out = TOLD_TTL4(V4_S_GUE4, 40)},
	{.name = "hop limit 1 ends here",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6, .hops = 1), TCP(4000, 80)},
	 REFUSE(TTL), .service = S_GUE6, .out = TOLD_TTL6(V6_S_GUE6, 60)},
	{.name = "1472 bytes fit into UDP over IPv4",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), TCP(4000, 80), DATA(1432)},
	 FORWARD(B_GUE4, S_GUE4),
	 .out = {TO_GUE4, IP4(OUR4, BACKEND4), OUT4_TCP4,
		 IP4(CLIENT4, V4_S_GUE4, .ttl = 63), TCP(4000, 80), DATA(1432)}},
	{.name = "1473 bytes do not fit into UDP over IPv4",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), TCP(4000, 80), DATA(1433)},
	 DROP(TOO_BIG), .service = S_GUE4},
	{.name = "1452 bytes fit into UDP over IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6), TCP(4000, 80), DATA(1392)},
	 FORWARD(B_GUE6, S_GUE6),
	 .out = {TO_GUE6, OUT6_TCP6(),
		 IP6(CLIENT6, V6_S_GUE6, .hops = 63), TCP(4000, 80), DATA(1392)}},
	{.name = "1453 bytes do not fit into UDP over IPv6",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_GUE6), TCP(4000, 80), DATA(1393)},
	 REFUSE(TOO_BIG), .service = S_GUE6, .out = TOLD_MTU6(V6_S_GUE6, 1452)},
	{.name = "no room for the outer headers",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_GUE4), TCP(4000, 80)}, .metadata = 192,
	 DROP(NO_ROOM), .service = S_GUE4},
};
/* clang-format on */

CASE_LIST(gue, rows);
