/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: whom a service takes packets from: allow and deny lists, and the limit of new
 * flows. The lists are source_rows of world.c. How to read a row: case.h.
 */
#include "case.h"

#define LISTED6(interface_id) "2001:db8:c:0:" interface_id

#define BOTH(text, from4, from6, to, ...)                                                          \
	{.name = text ", IPv4",                                                                    \
	 .in = {ETH(), IP4(from4, V4_##to), TCP(4000, 80)},                                        \
	 .service = to,                                                                            \
	 ##__VA_ARGS__},                                                                           \
	{                                                                                          \
		.name = text ", IPv6", .in = {ETH(), IP6(from6, V6_##to), TCP(4000, 80)},          \
		.service = to, ##__VA_ARGS__                                                       \
	}
#define TAKEN .action = XDP_TX, .verdict = LB_FORWARDED, .backend = B_A

#define OPENS(text, to, ...)                                                                       \
	{.name = text ", IPv4",                                                                    \
	 .in = {ETH(), IP4(CLIENT4, V4_##to), TCP(4000, 80, .flags = SYN)},                        \
	 .service = to,                                                                            \
	 .new_flow = true,                                                                         \
	 ##__VA_ARGS__},                                                                           \
	{                                                                                          \
		.name = text ", IPv6",                                                             \
		.in = {ETH(), IP6(CLIENT6, V6_##to), TCP(4000, 80, .flags = SYN)}, .service = to,  \
		.new_flow = true, ##__VA_ARGS__                                                    \
	}

/* clang-format off */
static const struct packet_case rows[] = {
	/* ---- lists ---- */
	BOTH("in a denied prefix", "198.51.100.7", LISTED6(":7"), S_LISTED, DROP(DENIED)),
	BOTH("in an allowed prefix within it", "198.51.100.129", LISTED6("8000::7"), S_LISTED, TAKEN),
	BOTH("in a denied one within that", "198.51.100.200", LISTED6("8000::c8"), S_LISTED, DROP(DENIED)),
	BOTH("the first of an allowed prefix", "198.51.100.128", LISTED6("8000::"), S_LISTED, TAKEN),
	BOTH("the last before it", "198.51.100.127", LISTED6("7fff:ffff:ffff:ffff"), S_LISTED, DROP(DENIED)),
	BOTH("the last of it", "198.51.100.255", LISTED6("ffff:ffff:ffff:ffff"), S_LISTED, TAKEN),
	BOTH("in an allowed prefix alone", "203.0.113.9", "2001:db8:d::9", S_LISTED, TAKEN),
	BOTH("in no prefix, where there is an allow list", "192.0.2.250", "2001:db8:e::1", S_LISTED,
	     DROP(DENIED)),
	BOTH("in no prefix, where there is none", "203.0.113.9", "2001:db8:d::9", S_DENYING, TAKEN),
	BOTH("in a denied prefix, where there is none", "198.51.100.129", LISTED6("8000::7"), S_DENYING,
	     DROP(DENIED)),
	BOTH("the lists of other services do not count", "198.51.100.7", LISTED6(":7"), S_SETTLED, TAKEN),
	{.name = "UDP is denied, too",
	 .in = {ETH(), IP4("198.51.100.7", V4_S_LISTED), UDP(4000, 80)},
	 DROP(DENIED), .service = S_LISTED},
	{.name = "and allowed",
	 .in = {ETH(), IP4("198.51.100.130", V4_S_LISTED), UDP(4000, 80)},
	 FORWARD(B_A, S_LISTED)},

	/* ---- the limit of new flows: three, of each /24 and /64 ---- */
	OPENS("the first new flow of a source", S_LIMITED, TAKEN, .opened = {0, 1}),
	OPENS("the second", S_LIMITED, TAKEN, .opened = {1, 2}),
	OPENS("the last that there is room for", S_LIMITED, TAKEN, .opened = {2, 3}),
	OPENS("one more", S_LIMITED, DROP(NEW_FLOW_LIMIT), .opened = {3, 3}),
	OPENS("and far beyond", S_LIMITED, DROP(NEW_FLOW_LIMIT), .opened = {40, 40}),
	OPENS("where there is no limit", S_SETTLED, TAKEN),
	BOTH("what belongs to a flow is not counted", CLIENT4, CLIENT6, S_LIMITED, TAKEN),
	BOTH("nor held back", CLIENT4, CLIENT6, S_LIMITED, TAKEN, .opened = {3, 3}),
	{.name = "a SYN-ACK is no new flow",
	 .in = {ETH(), IP4(CLIENT4, V4_S_LIMITED), TCP(4000, 80, .flags = SYN | ACK)},
	 FORWARD(B_A, S_LIMITED), .opened = {3, 3}},
	{.name = "UDP whose flows nobody knows is not counted",
	 .in = {ETH(), IP4(CLIENT4, V4_S_LIMITED), UDP(4000, 80)},
	 FORWARD(B_A, S_LIMITED), .opened = {3, 3}},
	{.name = "UDP, each flow tracked: a new one is counted",
	 .in = {ETH(), IP4(CLIENT4, V4_S_LIMITED_TRACKED), UDP(4000, 80)},
	 FORWARD(B_A, S_LIMITED_TRACKED), .new_flow = true, .opened = {2, 3},
	 .after = {.flows = {BIRTH(A, OPEN, 0)}}},
	{.name = "UDP, each flow tracked: one more is refused, and leaves no entry",
	 .in = {ETH(), IP6(CLIENT6, V6_S_LIMITED_TRACKED), UDP(4000, 80)},
	 DROP(NEW_FLOW_LIMIT), .service = S_LIMITED_TRACKED, .opened = {3, 3}},
	{.name = "UDP, each flow tracked: one that is known goes on",
	 .in = {ETH(), IP4(CLIENT4, V4_S_LIMITED_TRACKED), UDP(4000, 80)},
	 .before = {.flows = {FLOW(A, OPEN)}},
	 FORWARD(B_A, S_LIMITED_TRACKED), .opened = {3, 3}, .by = LB_BY_FLOW,
	 .after = {.flows = {FLOW(A, OPEN)}}},
	{.name = "UDP, each flow tracked: so does one whose birth is known",
	 .in = {ETH(), IP6(CLIENT6, V6_S_LIMITED_TRACKED), UDP(4000, 80)},
	 .before = {.flows = {BIRTH(A, OPEN, 0)}},
	 FORWARD(B_A, S_LIMITED_TRACKED), .opened = {3, 3}, .by = LB_BY_FLOW,
	 .after = {.flows = {BIRTH(A, OPEN, 0), FLOW(A, OPEN)}}},
};
/* clang-format on */

CASE_LIST(admission, rows);
