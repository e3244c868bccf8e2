/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NAT cases: conversations of clients with backends that do not know of the VIP. How to read a row:
 * nat_case.h.
 *
 * Ports that a search found depend on the hash, and so on the seed (run_nat.c): where one stands
 * here it was taken from a run, and what matters is that it is another than the one taken, and no
 * port of the host's.
 */
#include "nat_case.h"

#define C4       "198.51.100.7"
#define C6       "2001:db8:c::7"
#define OTHER_C4 "198.51.100.8"
#define ROUTER4  "198.51.100.1" /* on the way to the client */
#define ROUTER6  "2001:db8:c::1"

/* Ethernet headers: to a backend, from it, and back to where the client's packets came from. */
#define TO(n)   ETH(.to = "02:00:00:00:b0:" #n, .from = NAT_NEAR_MAC)
#define FROM(n) ETH(.to = NAT_NEAR_MAC, .from = "02:00:00:00:b0:" #n)
#define BACK    ETH(.to = "02:00:00:00:00:02", .from = NAT_NEAR_MAC)

/* Another way for the client's packets. */
#define ROUTER     "02:00:00:00:00:09"
#define ROUTER_ETH ETH(.to = NAT_NEAR_MAC, .from = ROUTER)

#define SYNACK (SYN | ACK)

/* A handshake with PLAIN4, from the client's port. */
#define OPENS(port)                                                                                \
	{                                                                                          \
		STEP, .in = {ETH(), IP4(C4, VIP4(1)), TCP(port, 80, .flags = SYN)}, FORWARDED,     \
		      .out = { TO(01),                                                             \
			       IP4(C4, BE4(1), .ttl = 63),                                         \
			       TCP(port, 80, .flags = SYN) }                                       \
	}
#define ACCEPTS(port)                                                                              \
	{                                                                                          \
		STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, port, .flags = SYNACK)}, RETURNED, \
		      .out = { BACK,                                                               \
			       IP4(VIP4(1), C4, .ttl = 63),                                        \
			       TCP(80, port, .flags = SYNACK) }                                    \
	}
#define GOES_ON(port)                                                                              \
	{                                                                                          \
		STEP, .in = {ETH(), IP4(C4, VIP4(1)), TCP(port, 80), DATA(3)}, FORWARDED,          \
		      .out = { TO(01),                                                             \
			       IP4(C4, BE4(1), .ttl = 63),                                         \
			       TCP(port, 80),                                                      \
			       DATA(3) }                                                           \
	}
#define ANSWERS(port)                                                                              \
	{                                                                                          \
		STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, port), DATA(9)}, RETURNED,         \
		      .out = { BACK,                                                               \
			       IP4(VIP4(1), C4, .ttl = 63),                                        \
			       TCP(80, port),                                                      \
			       DATA(9) }                                                           \
	}
#define ASKS(port)                                                                                 \
	{                                                                                          \
		STEP, .in = {ETH(), IP4(C4, VIP4(1)), UDP(port, 80), DATA(3)}, FORWARDED,          \
		      .out = { TO(01),                                                             \
			       IP4(C4, BE4(1), .ttl = 63),                                         \
			       UDP(port, 80),                                                      \
			       DATA(3) }                                                           \
	}

/* clang-format off */
const struct nat_case nat_cases[] = {
	/* ---- destination NAT in one family ---- */
	{"TCP over IPv4", {OPENS(4000), ACCEPTS(4000), GOES_ON(4000), ANSWERS(4000), SWEEP(1, 1)}},
	{"TCP over IPv6", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(2), .label = 0x12345, .dscp = 10, .ecn = 1),
			      TCP(4000, 80, .flags = SYN, .options = 2)}, FORWARDED,
		 .out = {TO(02), IP6(C6, BE6(2), .label = 0x12345, .dscp = 10, .ecn = 1, .hops = 63),
			 TCP(4000, 80, .flags = SYN, .options = 2)}},
		{STEP, .in = {FROM(02), IP6(BE6(2), C6), TCP(80, 4000, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP6(VIP6(2), C6, .hops = 63), TCP(80, 4000, .flags = SYNACK)}},
		SWEEP(1, 1)}},
	{"UDP over IPv4", {
		ASKS(4000),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4, .df = true, .dscp = 46), UDP(80, 4000), DATA(7)},
		 RETURNED,
		 .out = {BACK, IP4(VIP4(1), C4, .df = true, .dscp = 46, .ttl = 63), UDP(80, 4000),
			 DATA(7)}}}},
	{"UDP over IPv6", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(2)), UDP(4000, 80), DATA(3)}, FORWARDED,
		 .out = {TO(02), IP6(C6, BE6(2), .hops = 63), UDP(4000, 80), DATA(3)}},
		{STEP, .in = {FROM(02), IP6(BE6(2), C6), UDP(80, 4000), DATA(4)}, RETURNED,
		 .out = {BACK, IP6(VIP6(2), C6, .hops = 63), UDP(80, 4000), DATA(4)}}}},
	{"UDP without a checksum stays without one in IPv4", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(1)), UDP(4000, 80, .no_checksum = true), DATA(3)},
		 FORWARDED,
		 .out = {TO(01), IP4(C4, BE4(1), .ttl = 63), UDP(4000, 80, .no_checksum = true), DATA(3)}},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), UDP(80, 4000, .no_checksum = true), DATA(4)},
		 RETURNED,
		 .out = {BACK, IP4(VIP4(1), C4, .ttl = 63), UDP(80, 4000, .no_checksum = true), DATA(4)}}}},
	{"options of IPv4 and TCP stay", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(1), .options = 10), TCP(4000, 80, .flags = SYN, .options = 10),
			      DATA(1)}, FORWARDED,
		 .out = {TO(01), IP4(C4, BE4(1), .options = 10, .ttl = 63),
			 TCP(4000, 80, .flags = SYN, .options = 10), DATA(1)}}}},
	{"padding stays", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(1)), UDP(4000, 80), DATA(1), PAD(17)}, FORWARDED,
		 .out = {TO(01), IP4(C4, BE4(1), .ttl = 63), UDP(4000, 80), DATA(1), PAD(17)}}}},
	{"to another port, IPv4", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(3)), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .ttl = 63), TCP(4000, 8080, .flags = SYN)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4), TCP(8080, 4000, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4(3), C4, .ttl = 63), TCP(80, 4000, .flags = SYNACK)}},
		SWEEP(1, 1)}},
	{"to another port, IPv6", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(4)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(04), IP6(C6, BE6(4), .hops = 63), UDP(4000, 8080)}},
		{STEP, .in = {FROM(04), IP6(BE6(4), C6), UDP(8080, 4000)}, RETURNED,
		 .out = {BACK, IP6(VIP6(4), C6, .hops = 63), UDP(80, 4000)}}}},
	{"one client port to two services of a backend: the second one gets another", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(3)), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .ttl = 63), TCP(4000, 8080, .flags = SYN)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4_SECOND), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .ttl = 63), TCP(47131, 8080, .flags = SYN)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4), TCP(8080, 47131, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4_SECOND, C4, .ttl = 63), TCP(80, 4000, .flags = SYNACK)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4), TCP(8080, 4000, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4(3), C4, .ttl = 63), TCP(80, 4000, .flags = SYNACK)}},
		SWEEP(2, 2)}},
	{"through another interface and back", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(8)), UDP(4000, 80)}, FAR_OUT(FORWARDED),
		 .out = {ETH(.to = "02:00:00:00:b0:08", .from = NAT_FAR_MAC), IP4(C4, BE4(8), .ttl = 63),
			 UDP(4000, 80)}},
		{STEP, .far = true,
		 .in = {ETH(.to = NAT_FAR_MAC, .from = "02:00:00:00:b0:08"), IP4(BE4(8), C4), UDP(80, 4000)},
		 FAR_OUT(RETURNED),
		 .out = {BACK, IP4(VIP4(8), C4, .ttl = 63), UDP(80, 4000)}}}},
	{"the client's router is another one now", {
		OPENS(4000), ACCEPTS(4000),
		{STEP, .in = {ETH(.from = "02:00:00:00:00:99"), IP4(C4, VIP4(1)), TCP(4000, 80)}, FORWARDED,
		 .out = {TO(01), IP4(C4, BE4(1), .ttl = 63), TCP(4000, 80)}},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000)}, RETURNED,
		 .out = {ETH(.to = "02:00:00:00:00:99", .from = NAT_NEAR_MAC),
			 IP4(VIP4(1), C4, .ttl = 63), TCP(80, 4000)}}}},

	/* ---- what ends here, and what is no business of NAT ---- */
	{"the last hop of the client's packet", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(1), .ttl = 1), UDP(4000, 80)}, REFUSED(TTL)},
		{STEP, .in = {ETH(), IP6(C6, VIP6(2), .hops = 1), UDP(4000, 80)}, REFUSED(TTL)}}},
	{"the last hop of an answer", {
		ASKS(4000),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4, .ttl = 1), UDP(80, 4000)}, DROPPED(TTL)}}},
	{"what belongs to no flow goes to the kernel", {
		OPENS(4000),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4001, .flags = SYNACK)}, PASSED},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(81, 4000, .flags = SYNACK)}, PASSED},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), UDP(80, 4000)}, PASSED},
		{STEP, .in = {FROM(01), IP4(BE4(2), C4), TCP(80, 4000)}, PASSED},
		{STEP, .in = {FROM(01), IP6(BE6(1), C6), TCP(80, 4000)}, PASSED}}},
	{"a reset opens no flow", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(1)), TCP(4000, 80, .flags = RST)}, DROPPED(NAT_UNKNOWN)},
		SWEEP(0, 0)}},
	{"a flow that is not known goes on: it may be another balancer's", {
		GOES_ON(4000), ANSWERS(4000), SWEEP(1, 1)}},
	{"a full table", {
		OPENS(4000), OPENS(4001), OPENS(4002),
		{STEP, .in = {ETH(), IP4(C4, VIP4(1)), TCP(4003, 80, .flags = SYN)}, DROPPED(NAT_FULL)},
		ACCEPTS(4002), GOES_ON(4002), ASKS(4000),
		SWEEP(4, 4)}},

	/* ---- source NAT ---- */
	{"the source, too, IPv4", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), TCP(4000, 80, .flags = SYN)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), TCP(80, 4000, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4(5), C4, .ttl = 63), TCP(80, 4000, .flags = SYNACK)}},
		SWEEP(1, 1)}},
	{"the source, too, IPv6", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(6)), UDP(4000, 80), DATA(5)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(5)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), UDP(80, 4000), DATA(6)}, RETURNED,
		 .out = {BACK, IP6(VIP6(6), C6, .hops = 63), UDP(80, 4000), DATA(6)}}}},
	{"two clients with one port", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(4000, 80)}},
		{STEP, .in = {ETH(), IP4(OTHER_C4, VIP4(5)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(14027, 80)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), UDP(80, 14027)}, RETURNED,
		 .out = {BACK, IP4(VIP4(5), OTHER_C4, .ttl = 63), UDP(80, 4000)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), UDP(80, 4000)}, RETURNED,
		 .out = {BACK, IP4(VIP4(5), C4, .ttl = 63), UDP(80, 4000)}}}},
	{"a port that the host may give out itself is none for NAT", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(32768, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(32033, 80)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(60999, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(27181, 80)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(61000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(61000, 80)}}}},
	{"nor is one below 1024", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(1023, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(62131, 80)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(1024, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(1024, 80)}}}},
	{"no port is left", {
		PORTS(2),
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(1024, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(1024, 80)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(40000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(1025, 80)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(40001, 80)}, DROPPED(NAT_PORTS)},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(40001, 80)}, DROPPED(NAT_PORTS)},
		/* Another protocol has its own. */
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), TCP(1024, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), TCP(1024, 80, .flags = SYN)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(40000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(1025, 80)}},
		AGE(NAT_IDLE_UDP + 3), SWEEP(3, 3), SWEEP(1, 1),
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(1025, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(1025, 80)}}}},
	{"an address for NAT alone has all ports", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(7)), UDP(40000, 80)}, FORWARDED,
		 .out = {TO(07), IP4(GIVEN4, BE4(7), .ttl = 63), UDP(40000, 80)}},
		{STEP, .in = {FROM(07), IP4(BE4(7), GIVEN4), UDP(80, 40000)}, RETURNED,
		 .out = {BACK, IP4(VIP4(7), C4, .ttl = 63), UDP(80, 40000)}}}},

	/* ---- across families ---- */
	{"TCP from IPv4 to IPv6", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6), .dscp = 46, .ecn = 1, .df = true),
			      TCP(4000, 80, .flags = SYN, .options = 5)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .dscp = 46, .ecn = 1, .hops = 63),
			 TCP(4000, 80, .flags = SYN, .options = 5)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6, .dscp = 8, .label = 0xabcde),
			      TCP(80, 4000, .flags = SYNACK), DATA(11)}, RETURNED, .numbered = true,
		 .out = {BACK, IP4(VIP4(6), C4, .dscp = 8, .ttl = 63), TCP(80, 4000, .flags = SYNACK), DATA(11)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), TCP(4000, 80), DATA(100)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), TCP(4000, 80), DATA(100)}},
		SWEEP(1, 1)}},
	{"TCP from IPv6 to IPv4", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(5), .dscp = 46, .ecn = 2), TCP(4000, 80, .flags = SYN)},
		 FORWARDED, .numbered = true,
		 .out = {TO(05), IP4(HOST4, BE4(5), .dscp = 46, .ecn = 2, .ttl = 63),
			 TCP(4000, 80, .flags = SYN)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4, .ttl = 9), TCP(80, 4000, .flags = SYNACK)}, RETURNED,
		 .out = {BACK, IP6(VIP6(5), C6, .hops = 8), TCP(80, 4000, .flags = SYNACK)}},
		SWEEP(1, 1)}},
	{"UDP from IPv4 to IPv6", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80), DATA(33)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(33)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), UDP(80, 4000), DATA(34)}, RETURNED, .numbered = true,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63), UDP(80, 4000), DATA(34)}}}},
	{"a UDP checksum that IPv4 left out is made for IPv6: 0 bytes", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80, .no_checksum = true)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80)}}}},
	{"a UDP checksum that IPv4 left out is made for IPv6: 1 byte, and padding", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80, .no_checksum = true), DATA(1), PAD(9)},
		 FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(1), PAD(9)}}}},
	{"a UDP checksum that IPv4 left out is made for IPv6: two chunks and a byte", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80, .no_checksum = true), DATA(57)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(57)}}}},
	{"a UDP checksum that IPv4 left out is made for IPv6: 3001 bytes", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80, .no_checksum = true), DATA(3001)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(3001)}}}},
	{"options of IPv4 end where the family does", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6), .options = 10), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), TCP(4000, 80, .flags = SYN)}}}},
	{"what is as long as IPv6's least MTU must not be fragmented in IPv4", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(5)), UDP(4000, 80), DATA(1232)}, FORWARDED, .numbered = true,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(4000, 80), DATA(1232)}},
		{STEP, .in = {ETH(), IP6(C6, VIP6(5)), UDP(4000, 80), DATA(1233)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63, .df = true, .id = ZERO), UDP(4000, 80),
			 DATA(1233)}}}},
	{"across families it is the length after that has to fit", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(9)), UDP(4000, 80), DATA(1232)}, FORWARDED,
		 .out = {TO(09), IP6(HOST6, BE6(9), .hops = 63), UDP(4000, 80), DATA(1232)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(9)), UDP(4000, 80), DATA(1233)}, DROPPED(TOO_BIG)}}},
	{"the last hop, across families", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6), .ttl = 1), UDP(4000, 80)}, REFUSED(TTL)},
		{STEP, .in = {ETH(), IP6(C6, VIP6(5), .hops = 1), UDP(4000, 80)}, REFUSED(TTL)}}},
	{"destination NAT alone cannot change the family", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(1)), UDP(4000, 80)}, DROPPED(INTERNAL)},
		{STEP, .in = {ETH(), IP4(C4, VIP4(2)), UDP(4000, 80)}, DROPPED(INTERNAL)}}},

	/* ---- tags and pieces ---- */
	{"VLAN tags stay, in one family", {
		{STEP, .in = {ETH(), VLAN(7), IP4(C4, VIP4(1)), UDP(4000, 80), DATA(3)}, FORWARDED,
		 .out = {TO(01), VLAN(7), IP4(C4, BE4(1), .ttl = 63), UDP(4000, 80), DATA(3)}},
		{STEP, .in = {FROM(01), VLAN(7), IP4(BE4(1), C4), UDP(80, 4000), DATA(3)}, RETURNED,
		 .out = {BACK, VLAN(7), IP4(VIP4(1), C4, .ttl = 63), UDP(80, 4000), DATA(3)}}}},
	{"VLAN tags stay, across families", {
		{STEP, .in = {ETH(), VLAN(7), VLAN(8), IP4(C4, VIP4(6)), UDP(4000, 80), DATA(3)}, FORWARDED,
		 .out = {TO(06), VLAN(7), VLAN(8), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(3)}},
		{STEP, .in = {FROM(06), VLAN(7), IP6(BE6(6), HOST6), UDP(80, 4000), DATA(3)}, RETURNED,
		 .numbered = true,
		 .out = {BACK, VLAN(7), IP4(VIP4(6), C4, .ttl = 63), UDP(80, 4000), DATA(3)}}}},
	{"extension headers stay in IPv6, and end where it does", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(2)), EXT6(60, 1), UDP(4000, 80), DATA(3)}, FORWARDED,
		 .out = {TO(02), IP6(C6, BE6(2), .hops = 63), EXT6(60, 1), UDP(4000, 80), DATA(3)}},
		{STEP, .in = {ETH(), IP6(C6, VIP6(5)), EXT6(60, 1), UDP(4000, 80), DATA(3)}, FORWARDED,
		 .numbered = true,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(4000, 80), DATA(3)}}}},
	{"later fragments follow the first one, both ways", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(3), .mf = true), UDP(4000, 80, .length = 40), DATA(16)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .mf = true, .ttl = 63), UDP(4000, 8080, .length = 40), DATA(16)}},
		{STEP, .in = {ETH(), IP4(C4, VIP4(3), .offset = 3, .proto = 17), DATA(16)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .offset = 3, .proto = 17, .ttl = 63), DATA(16)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4, .mf = true), UDP(8080, 4000, .length = 40), DATA(16)}, RETURNED,
		 .out = {BACK, IP4(VIP4(3), C4, .mf = true, .ttl = 63), UDP(80, 4000, .length = 40), DATA(16)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4, .offset = 3, .proto = 17), DATA(16)}, RETURNED,
		 .out = {BACK, IP4(VIP4(3), C4, .offset = 3, .proto = 17, .ttl = 63), DATA(16)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4, .id = 7, .offset = 3, .proto = 17), DATA(16)}, PASSED}}},
	{"fragments cannot change the family", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6), .mf = true), UDP(4000, 80, .length = 40), DATA(16)},
		 DROPPED(FRAGMENT)}}},

	/* ---- errors: quoted packets are those that whoever sent them sent ---- */
	{"an error of the client's side, IPv4", {
		ASKS(4000),
		{STEP, .in = {ETH(), IP4(ROUTER4, VIP4(1)), ICMP(3, 4, .rest = 1400),
			      IP4(VIP4(1), C4, .ttl = 60), UDP(80, 4000), DATA(20)}, FORWARDED,
		 .out = {TO(01), IP4(ROUTER4, BE4(1), .ttl = 63), ICMP(3, 4, .rest = 1400),
			 IP4(BE4(1), C4, .ttl = 60), UDP(80, 4000), DATA(20)}}}},
	{"an error of the client's side, IPv6, to another port", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(4)), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(04), IP6(C6, BE6(4), .hops = 63), TCP(4000, 8080, .flags = SYN)}},
		{STEP, .in = {ETH(), IP6(ROUTER6, VIP6(4)), ICMP(2, 0, .rest = 1300),
			      IP6(VIP6(4), C6), TCP(80, 4000), DATA(33)}, FORWARDED,
		 .out = {TO(04), IP6(ROUTER6, BE6(4), .hops = 63), ICMP(2, 0, .rest = 1300),
			 IP6(BE6(4), C6), TCP(8080, 4000), DATA(33)}}}},
	{"an error of the client's side, with source NAT: of the balancer", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(5)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(4000, 80)}},
		{STEP, .in = {ETH(), IP4(ROUTER4, VIP4(5)), ICMP(3, 3),
			      IP4(VIP4(5), C4), UDP(80, 4000), DATA(4)}, FORWARDED,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), ICMP(3, 3),
			 IP4(BE4(5), HOST4), UDP(80, 4000), DATA(4)}}}},
	{"an error of the backend's side, IPv4, padded", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(3)), TCP(4000, 80, .flags = SYN)}, FORWARDED,
		 .out = {TO(03), IP4(C4, BE4(3), .ttl = 63), TCP(4000, 8080, .flags = SYN)}},
		{STEP, .in = {FROM(03), IP4(BE4(3), C4), ICMP(3, 1),
			      IP4(C4, BE4(3), .ttl = 62), TCP(4000, 8080, .flags = SYN), PAD(9)}, RETURNED,
		 .out = {BACK, IP4(VIP4(3), C4, .ttl = 63), ICMP(3, 1),
			 IP4(C4, VIP4(3), .ttl = 62), TCP(4000, 80, .flags = SYN), PAD(9)}}}},
	{"an error of the backend's side, IPv6, with source NAT", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(6)), UDP(4000, 80), DATA(5)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(5)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(1, 4),
			      IP6(HOST6, BE6(6)), UDP(4000, 80), DATA(5)}, RETURNED,
		 .out = {BACK, IP6(VIP6(6), C6, .hops = 63), ICMP(1, 4),
			 IP6(C6, VIP6(6)), UDP(4000, 80), DATA(5)}}}},
	{"errors from IPv6 to IPv4: of the backend's side", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80), DATA(5)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80), DATA(5)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(2, 0, .rest = 1400),
			      IP6(HOST6, BE6(6), .hops = 61), UDP(4000, 80), DATA(5)}, RETURNED,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63, .df = true, .id = ZERO), ICMP(3, 4, .rest = 1380),
			 IP4(C4, VIP4(6), .ttl = 61, .df = true, .id = ZERO), UDP(4000, 80), DATA(5)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(1, 4),
			      IP6(HOST6, BE6(6)), UDP(4000, 80), DATA(5)}, RETURNED,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63, .df = true, .id = ZERO), ICMP(3, 3),
			 IP4(C4, VIP4(6), .df = true, .id = ZERO), UDP(4000, 80), DATA(5)}}}},
	{"errors from IPv4 to IPv6: of the backend's side", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(5)), TCP(4000, 80, .flags = SYN)}, FORWARDED, .numbered = true,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), TCP(4000, 80, .flags = SYN)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(3, 1),
			      IP4(HOST4, BE4(5), .ttl = 9, .options = 1), TCP(4000, 80, .flags = SYN)}, RETURNED,
		 .out = {BACK, IP6(VIP6(5), C6, .hops = 63), ICMP(1, 0),
			 IP6(C6, VIP6(5), .hops = 9), TCP(4000, 80, .flags = SYN)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(11, 0),
			      IP4(HOST4, BE4(5), .ttl = 9), TCP(4000, 80, .flags = SYN)}, RETURNED,
		 .out = {BACK, IP6(VIP6(5), C6, .hops = 63), ICMP(3, 0),
			 IP6(C6, VIP6(5), .hops = 9), TCP(4000, 80, .flags = SYN)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(12, 0),
			      IP4(HOST4, BE4(5)), TCP(4000, 80, .flags = SYN)}, DROPPED(QUOTE)}}},
	{"errors that IPv6 has none like", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(5)), UDP(4000, 80)}, FORWARDED, .numbered = true,
		 .out = {TO(05), IP4(HOST4, BE4(5), .ttl = 63), UDP(4000, 80)}},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(3, 14), IP4(HOST4, BE4(5)), UDP(4000, 80)},
		 DROPPED(QUOTE)},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(3, 16), IP4(HOST4, BE4(5)), UDP(4000, 80)},
		 DROPPED(QUOTE)},
		{STEP, .in = {FROM(05), IP4(BE4(5), HOST4), ICMP(3, 2), IP4(HOST4, BE4(5)), UDP(4000, 80)},
		 RETURNED,
		 .out = {BACK, IP6(VIP6(5), C6, .hops = 63), ICMP(4, 1, .rest = 6),
			 IP6(C6, VIP6(5)), UDP(4000, 80)}}}},
	{"errors that IPv4 has none like", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(1, 5), IP6(HOST6, BE6(6)), UDP(4000, 80)},
		 DROPPED(QUOTE)},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(4, 0), IP6(HOST6, BE6(6)), UDP(4000, 80)},
		 DROPPED(QUOTE)},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(4, 1, .rest = 6), IP6(HOST6, BE6(6)),
			      UDP(4000, 80)}, RETURNED,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63, .df = true, .id = ZERO), ICMP(3, 2),
			 IP4(C4, VIP4(6), .df = true, .id = ZERO), UDP(4000, 80)}}}},
	{"MTUs that cannot be: no path of IPv6 has less than 1280", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(2, 0, .rest = 19), IP6(HOST6, BE6(6)),
			      UDP(4000, 80)}, RETURNED,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63, .df = true, .id = ZERO), ICMP(3, 4, .rest = 1260),
			 IP4(C4, VIP4(6), .df = true, .id = ZERO), UDP(4000, 80)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(2, 0, .rest = 65536), IP6(HOST6, BE6(6)),
			      UDP(4000, 80)}, RETURNED,
		 .out = {BACK, IP4(VIP4(6), C4, .ttl = 63, .df = true, .id = ZERO), ICMP(3, 4, .rest = 65515),
			 IP4(C4, VIP4(6), .df = true, .id = ZERO), UDP(4000, 80)}},
		{STEP, .in = {ETH(), IP4(ROUTER4, VIP4(6)), ICMP(3, 4), IP4(VIP4(6), C4), UDP(80, 4000)},
		 FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), ICMP(2, 0, .rest = 1280),
			 IP6(BE6(6), HOST6), UDP(80, 4000)}}}},
	{"errors that quote lengths which cannot be", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80)}},
		{STEP, .in = {FROM(06), IP6(BE6(6), HOST6), ICMP(1, 4), IP6(HOST6, BE6(6), .length = 65516),
			      UDP(4000, 80)}, DROPPED(QUOTE)},
		{STEP, .in = {ETH(), IP4(ROUTER4, VIP4(6)), ICMP(3, 3), IP4(VIP4(6), C4, .length = 19),
			      UDP(80, 4000)}, DROPPED(QUOTE)}}},
	{"errors that quote extension headers", {
		{STEP, .in = {ETH(), IP6(C6, VIP6(2)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(02), IP6(C6, BE6(2), .hops = 63), UDP(4000, 80)}},
		{STEP, .in = {FROM(02), IP6(BE6(2), C6), ICMP(1, 4), IP6(C6, BE6(2)), EXT6(60, 1), UDP(4000, 80)},
		 DROPPED(QUOTE)}}},
	{"errors of the client's side, from IPv4 to IPv6", {
		{STEP, .in = {ETH(), IP4(C4, VIP4(6)), UDP(4000, 80)}, FORWARDED,
		 .out = {TO(06), IP6(HOST6, BE6(6), .hops = 63), UDP(4000, 80)}},
		{STEP, .in = {ETH(), VLAN(7), IP4(ROUTER4, VIP4(6)), ICMP(3, 4, .rest = 1400),
			      IP4(VIP4(6), C4), UDP(80, 4000), DATA(21)}, FORWARDED,
		 .out = {TO(06), VLAN(7), IP6(HOST6, BE6(6), .hops = 63), ICMP(2, 0, .rest = 1420),
			 IP6(BE6(6), HOST6), UDP(80, 4000), DATA(21)}}}},
	{"an error about a flow that is not known", {
		{STEP, .in = {ETH(), IP4(ROUTER4, VIP4(1)), ICMP(3, 4, .rest = 1400),
			      IP4(VIP4(1), C4), UDP(80, 4000)}, DROPPED(NAT_UNKNOWN)},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), ICMP(3, 3), IP4(C4, BE4(1)), UDP(4000, 80)}, PASSED},
		SWEEP(0, 0)}},

	/* ---- how long a flow is known ---- */
	{"half open: not for long", {
		OPENS(4000), ACCEPTS(4000), AGE(NAT_IDLE_CLOSING + 3), SWEEP(1, 1), SWEEP(0, 0)}},
	{"what one side alone speaks of is not open", {
		GOES_ON(4000), GOES_ON(4000), AGE(NAT_IDLE_CLOSING + 3), SWEEP(1, 1), SWEEP(0, 0)}},
	{"open: for long", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000), AGE(NAT_IDLE_TCP), SWEEP(1, 1), SWEEP(1, 1),
		ANSWERS(4000), GOES_ON(4000)}},
	{"open, but idle for longer", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000), AGE(NAT_IDLE_TCP + 3), SWEEP(1, 1), SWEEP(0, 0),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000)}, PASSED}}},
	{"answers keep a flow alive as well", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000), AGE(NAT_IDLE_TCP), ANSWERS(4000), AGE(5),
		SWEEP(1, 1), SWEEP(1, 1), GOES_ON(4000)}},
	{"closed: not for long", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000, .flags = FIN | ACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4(1), C4, .ttl = 63), TCP(80, 4000, .flags = FIN | ACK)}},
		GOES_ON(4000), AGE(NAT_IDLE_CLOSING + 3), SWEEP(1, 1), SWEEP(0, 0)}},
	{"closed and opened again with the same port: for long", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000),
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000, .flags = FIN | ACK)}, RETURNED,
		 .out = {BACK, IP4(VIP4(1), C4, .ttl = 63), TCP(80, 4000, .flags = FIN | ACK)}},
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000), AGE(NAT_IDLE_TCP), SWEEP(1, 1), SWEEP(1, 1)}},
	{"UDP", {
		ASKS(4000), AGE(NAT_IDLE_UDP), SWEEP(1, 1), SWEEP(1, 1), AGE(3), SWEEP(1, 1), SWEEP(0, 0)}},
	{"a packet of a doomed flow makes it live, with its port", {
		OPENS(4000), AGE(NAT_IDLE_CLOSING + 3), SWEEP(1, 1), OPENS(4000), ACCEPTS(4000),
		SWEEP(1, 1), SWEEP(1, 1)}},

	/* ---- backends come and go ---- */
	{"a flow that goes to another backend hears no more of the first", {
		OPENS(4000), ACCEPTS(4000), OWNER(N_PLAIN4, N_OTHER4),
		{STEP, .in = {ETH(), IP4(C4, VIP4(1)), TCP(4000, 80)}, FORWARDED,
		 .out = {TO(0a), IP4(C4, BE4(10), .ttl = 63), TCP(4000, 80)}},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000)}, PASSED},
		{STEP, .in = {FROM(0a), IP4(BE4(10), C4), TCP(80, 4000)}, RETURNED,
		 .out = {BACK, IP4(VIP4(1), C4, .ttl = 63), TCP(80, 4000)}},
		SWEEP(1, 1), SWEEP(1, 1)}},
	{"a flow that comes back to a backend, from another router, is answered through that", {
		OPENS(4000), ACCEPTS(4000), OWNER(N_PLAIN4, N_OTHER4),
		{STEP, .in = {ROUTER_ETH, IP4(C4, VIP4(1)), TCP(4000, 80)}, FORWARDED,
		 .out = {TO(0a), IP4(C4, BE4(10), .ttl = 63), TCP(4000, 80)}},
		OWNER(N_PLAIN4, N_PLAIN4),
		{STEP, .in = {ROUTER_ETH, IP4(C4, VIP4(1)), TCP(4000, 80)}, FORWARDED,
		 .out = {TO(01), IP4(C4, BE4(1), .ttl = 63), TCP(4000, 80)}},
		{STEP, .in = {FROM(01), IP4(BE4(1), C4), TCP(80, 4000)}, RETURNED,
		 .out = {ETH(.to = ROUTER, .from = NAT_NEAR_MAC), IP4(VIP4(1), C4, .ttl = 63), TCP(80, 4000)}}}},
	{"a backend that is gone takes its flows with it", {
		OPENS(4000), ACCEPTS(4000), GOES_ON(4000), DOWN(N_PLAIN4), SWEEP(1, 1), SWEEP(0, 0)}},
	{"a backend that comes back has its flows, if they were not missed meanwhile", {
		OPENS(4000), ACCEPTS(4000), DOWN(N_PLAIN4), UP(N_PLAIN4), GOES_ON(4000), ANSWERS(4000),
		SWEEP(1, 1), SWEEP(1, 1)}},
};
/* clang-format on */

const size_t nat_case_count = sizeof(nat_cases) / sizeof(nat_cases[0]);
