/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: IPv4 options and the chain of IPv6 extension headers: looked behind, sent as they
 * came. How to read a row: case.h.
 */
#include "case.h"

#define HOPS    0
#define ROUTE   43
#define AUTH    51
#define OPTIONS 60

/* clang-format off */
static const struct packet_case rows[] = {
	/* ---- IPv4 options ---- */
	{.name = "IPv4 with one word of options",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_IN4, .options = 1), UDP(4000, 80), DATA(30)},
	 FORWARD(B_IN4, S_IN4),
	 .out = {TO_IN4, IP4(OUR4, BACKEND4),
		 IP4(CLIENT4, V4_S_IN4, .options = 1, .ttl = 63), UDP(4000, 80), DATA(30)}},
	{.name = "IPv4 with the most options there can be",
	 .in  = {ETH(), IP4(CLIENT4, V4_S_IN4, .options = 10), TCP(4000, 80, .flags = SYN), DATA(30)},
	 FORWARD(B_IN4, S_IN4), .new_flow = true,
	 .out = {TO_IN4, IP4(OUR4, BACKEND4),
		 IP4(CLIENT4, V4_S_IN4, .options = 10, .ttl = 63), TCP(4000, 80, .flags = SYN), DATA(30)}},
	{.name = "IPv4 with options to no VIP",
	 .in = {ETH(), IP4(CLIENT4, NO_VIP4, .options = 10), TCP(4000, 80, .flags = SYN)},
	 PASS(NO_SERVICE)},
	{.name = "IPv4 with options, and the wrong TCP header behind",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4, .options = 2), TCP(4000, 80, .offset = 4)},
	 DROP(BAD_HEADER)},

	/* ---- IPv6: each header alone ---- */
	{.name = "hop-by-hop options",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_IN4), EXT6(HOPS, 0), TCP(4000, 80, .flags = SYN)},
	 FORWARD(B_IN4, S_IN4), .new_flow = true,
	 .out = {TO_IN4, IP4(OUR4, BACKEND4, .id = ZERO, .df = true),
		 IP6(CLIENT6, V6_S_IN4, .hops = 63), EXT6(HOPS, 0), TCP(4000, 80, .flags = SYN)}},
	{.name = "destination options, many",
	 .in  = {ETH(), IP6(CLIENT6, V6_S_IN4), EXT6(OPTIONS, 30), UDP(4000, 80), DATA(3)},
	 FORWARD(B_IN4, S_IN4),
	 .out = {TO_IN4, IP4(OUR4, BACKEND4, .id = ZERO, .df = true),
		 IP6(CLIENT6, V6_S_IN4, .hops = 63), EXT6(OPTIONS, 30), UDP(4000, 80), DATA(3)}},
	{.name = "a routing header that has come to its end",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(ROUTE, 2, .segments = 0), UDP(4000, 80), DATA(3)},
	 FORWARD(B_L2, S_L2)},
	{.name = "an authentication header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(AUTH, 2), TCP(4000, 80)},
	 FORWARD(B_L2, S_L2)},
	{.name = "a fragment header though it is whole (RFC 6946)",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), FRAG6(0, false), UDP(4000, 80), DATA(3)},
	 FORWARD(B_L2, S_L2)},

	/* ---- chains ---- */
	{.name = "all of them, in the order of RFC 8200",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 0), EXT6(OPTIONS, 1), EXT6(ROUTE, 2),
		FRAG6(0, false), EXT6(AUTH, 1), EXT6(OPTIONS, 0), TCP(4000, 80, .flags = SYN), DATA(9)},
	 FORWARD(B_L2, S_L2), .new_flow = true},
	{.name = "seven headers are one too many",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 0), EXT6(OPTIONS, 1), EXT6(ROUTE, 2),
		EXT6(OPTIONS, 0), EXT6(AUTH, 1), EXT6(OPTIONS, 0), EXT6(OPTIONS, 0), TCP(4000, 80)},
	 DROP(EXTENSION)},
	{.name = "hop-by-hop options that do not come first",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0), EXT6(HOPS, 0), TCP(4000, 80)},
	 DROP(EXTENSION)},
	{.name = "a routing header that goes on from here",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(ROUTE, 2, .segments = 1), UDP(4000, 80)},
	 DROP(EXTENSION)},
	{.name = "a header that claims more than the packet has",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0, .length = 4), UDP(4000, 80), DATA(9)},
	 DROP(TRUNCATED)},
	{.name = "a header that claims some of the Ethernet padding",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0, .length = 4), UDP(4000, 80), DATA(9),
		PAD(64)},
	 DROP(TRUNCATED)},
	{.name = "a header that leaves too little for TCP",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0, .length = 1), TCP(4000, 80)},
	 DROP(TRUNCATED)},
	{.name = "more bytes of headers than are followed",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 255), EXT6(OPTIONS, 255), UDP(4000, 80)},
	 DROP(EXTENSION)},
	{.name = "headers that go on behind the first buffer of a frame",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 180), EXT6(OPTIONS, 254), EXT6(OPTIONS, 0),
		UDP(4000, 80), DATA(4000)},
	 DROP(TRUNCATED)},
	{.name = "the transport header behind the first buffer of a frame",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 180), EXT6(OPTIONS, 254), TCP(4000, 80),
		DATA(4000)},
	 DROP(TRUNCATED)},
	{.name = "as many bytes of headers as the first buffer of a frame has room for",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 175), EXT6(OPTIONS, 254), UDP(4000, 80),
		DATA(4000)},
	 FORWARD(B_L2, S_L2)},
	{.name = "no next header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0, .next = 59)},
	 PASS(NO_SERVICE)},
	{.name = "a protocol without ports behind a header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(OPTIONS, 0, .next = 132), DATA(20)},
	 PASS(NO_SERVICE)},
	{.name = "headers that cannot be, to an address that is no VIP: not ours to judge",
	 .in = {ETH(), IP6(CLIENT6, NO_VIP6), EXT6(OPTIONS, 0), EXT6(HOPS, 0), TCP(4000, 80)},
	 PASS(NO_SERVICE)},
	{.name = "a hop limit of 1 with extension headers",
	 .in = {ETH(), IP6(CLIENT6, V6_S_IN6, .hops = 1), EXT6(HOPS, 0), TCP(4000, 80)},
	 REFUSE(TTL), .service = S_IN6, .out = TOLD_TTL6(V6_S_IN6, 68)},
	{.name = "the frame ends inside any header of a chain",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), EXT6(HOPS, 0), EXT6(OPTIONS, 1), UDP(4000, 80)},
	 .cut = {54, 85}, DROP(TRUNCATED)},
	{.name = "the packet ends inside a header of a chain, the frame does not",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2, .length = 12), EXT6(HOPS, 0), EXT6(OPTIONS, 1), UDP(4000, 80)},
	 DROP(TRUNCATED)},
};
/* clang-format on */

CASE_LIST(extensions, rows);
