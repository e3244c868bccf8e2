/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: frames that end inside each header. A row runs once for each length from cut[0] to
 * cut[1]: 14 bytes of Ethernet, then 20 of IPv4 or 40 of IPv6, then 20 of TCP or 8 of UDP. A test
 * run takes no frame shorter than an Ethernet header: tests/unit/test_parse.c has those. How to
 * read a row: case.h.
 */
#include "case.h"

/* clang-format off */
#define TCP4_TO(vip) {ETH(), IP4(CLIENT4, vip), TCP(4000, 80, .flags = SYN), DATA(10)}
#define UDP4_TO(vip) {ETH(), IP4(CLIENT4, vip), UDP(4000, 80), DATA(10)}
#define TCP6_TO(vip) {ETH(), IP6(CLIENT6, vip), TCP(4000, 80, .flags = SYN), DATA(10)}
#define UDP6_TO(vip) {ETH(), IP6(CLIENT6, vip), UDP(4000, 80), DATA(10)}

static const struct packet_case rows[] = {
	{.name = "IPv4 ends inside its header: nobody can tell for whom it was",
	 .in = TCP4_TO(V4_S_IN4), .cut = {14, 33}, DROP(TRUNCATED)},
	{.name = "IPv4 ends inside its header, on the way to no VIP: the same",
	 .in = TCP4_TO(NO_VIP4), .cut = {14, 33}, DROP(TRUNCATED)},
	{.name = "IPv4 ends inside its options",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4, .options = 10), TCP(4000, 80)}, .cut = {34, 73},
	 DROP(TRUNCATED)},
	{.name = "TCP over IPv4 ends inside the TCP header",
	 .in = TCP4_TO(V4_S_IN4), .cut = {34, 53}, DROP(TRUNCATED)},
	{.name = "TCP over IPv4 ends inside the payload",
	 .in = TCP4_TO(V4_S_IN4), .cut = {54, 63}, DROP(TRUNCATED)},
	{.name = "UDP over IPv4 ends inside the UDP header",
	 .in = UDP4_TO(V4_S_IN4), .cut = {34, 41}, DROP(TRUNCATED)},
	{.name = "UDP over IPv4 ends inside the payload",
	 .in = UDP4_TO(V4_S_IN4), .cut = {42, 51}, DROP(TRUNCATED)},
	{.name = "IPv4 to no VIP ends behind the IP header: the kernel's to judge",
	 .in = TCP4_TO(NO_VIP4), .cut = {34, 63}, PASS(NO_SERVICE)},
	{.name = "IPv4 whose total length says it ends inside the TCP header",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4, .length = 39), TCP(4000, 80)}, .cut = {53, 54},
	 DROP(TRUNCATED)},
	{.name = "IPv4 whose total length says it ends inside the UDP header",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4, .length = 27), UDP(4000, 80)}, .cut = {41, 42},
	 DROP(TRUNCATED)},

	{.name = "IPv6 ends inside its header: nobody can tell for whom it was",
	 .in = TCP6_TO(V6_S_IN6), .cut = {14, 53}, DROP(TRUNCATED)},
	{.name = "IPv6 ends inside its header, on the way to no VIP: the same",
	 .in = UDP6_TO(NO_VIP6), .cut = {14, 53}, DROP(TRUNCATED)},
	{.name = "TCP over IPv6 ends inside the TCP header",
	 .in = TCP6_TO(V6_S_IN6), .cut = {54, 73}, DROP(TRUNCATED)},
	{.name = "TCP over IPv6 ends inside the payload",
	 .in = TCP6_TO(V6_S_IN6), .cut = {74, 83}, DROP(TRUNCATED)},
	{.name = "UDP over IPv6 ends inside the UDP header",
	 .in = UDP6_TO(V6_S_IN6), .cut = {54, 61}, DROP(TRUNCATED)},
	{.name = "UDP over IPv6 ends inside the payload",
	 .in = UDP6_TO(V6_S_IN6), .cut = {62, 71}, DROP(TRUNCATED)},
	{.name = "IPv6 to no VIP ends behind the IP header: the kernel's to judge",
	 .in = UDP6_TO(NO_VIP6), .cut = {54, 71}, PASS(NO_SERVICE)},
	{.name = "IPv6 whose payload length says it ends inside the TCP header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_IN6, .length = 19), TCP(4000, 80)}, .cut = {73, 74},
	 DROP(TRUNCATED)},
	{.name = "IPv6 whose payload length says it ends inside the UDP header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_IN6, .length = 7), UDP(4000, 80)}, .cut = {61, 62},
	 DROP(TRUNCATED)},
	{.name = "an IPv6 packet that ends inside its fragment header",
	 .in = {ETH(), IP6(CLIENT6, V6_S_IN6, .length = 4), FRAG6(0, true)}, .cut = {58, 61},
	 DROP(TRUNCATED)},

	{.name = "Ethernet padding that ends early is nobody's loss",
	 .in = {ETH(), IP4(CLIENT4, V4_S_L2), UDP(4000, 80), DATA(2), PAD(16)}, .cut = {44, 60},
	 FORWARD(B_L2, S_L2)},
};
/* clang-format on */

CASE_LIST(truncated, rows);
