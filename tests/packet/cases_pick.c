/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: which backend a packet goes to, and what the flow table holds afterwards. The
 * backends are A, B and DOWN (world.h), reached by L2: who was chosen shows in the MAC. How to read
 * a row: case.h. The same rules, row by row and without a kernel: tests/unit/test_pick.c.
 */
#include "case.h"

/* clang-format off */
#define TCP4_TO(vip, flag) {ETH(), IP4(CLIENT4, vip), TCP(4000, 80, .flags = flag)}
#define TCP6_TO(vip, flag) {ETH(), IP6(CLIENT6, vip), TCP(4000, 80, .flags = flag)}
#define UDP4_TO(vip)       {ETH(), IP4(CLIENT4, vip), UDP(4000, 80)}
#define ENTRY4(vip, ...)   {FLOW_TCP(CLIENT4, 4000, vip, 80, __VA_ARGS__)}
#define ENTRY6(vip, ...)   {FLOW_TCP(CLIENT6, 4000, vip, 80, __VA_ARGS__)}
#define ENTRY_UDP(vip, ...) {FLOW_UDP(CLIENT4, 4000, vip, 80, __VA_ARGS__)}
#define A_OPENING .backend = B_A, .state = LB_FLOW_OPENING
#define A_OPEN    .backend = B_A, .state = LB_FLOW_OPEN
#define A_CLOSING .backend = B_A, .state = LB_FLOW_CLOSING
#define B_OPENING .backend = B_B, .state = LB_FLOW_OPENING
#define B_OPEN    .backend = B_B, .state = LB_FLOW_OPEN

static const struct packet_case rows[] = {
	/* ---- nobody to send to ---- */
	{.name = "the owner of a settled slot is down",
	 .in = TCP4_TO(V4_S_ALL_DOWN, SYN), DROP(NO_BACKEND), .service = S_ALL_DOWN,
	 .new_flow = true},
	{.name = "the owner of a settled slot is down, IPv6",
	 .in = TCP6_TO(V6_S_ALL_DOWN, ACK), DROP(NO_BACKEND), .service = S_ALL_DOWN},
	{.name = "owner and fallback of a changed slot are down: no entry is made",
	 .in = TCP4_TO(V4_S_CHANGED_DOWN, SYN), DROP(NO_BACKEND), .service = S_CHANGED_DOWN,
	 .new_flow = true},
	{.name = "a slot without an owner",
	 .in = UDP4_TO(V4_S_NO_OWNER), DROP(NO_BACKEND), .service = S_NO_OWNER},
	{.name = "a pool without a table",
	 .in = TCP4_TO(V4_S_NO_TABLE, SYN), DROP(NO_BACKEND), .service = S_NO_TABLE,
	 .new_flow = true},

	/* ---- a settled slot: the owner, and the flow table is not asked ---- */
	{.name = "settled: a SYN makes no entry",
	 .in = TCP4_TO(V4_S_SETTLED, SYN), FORWARD(B_A, S_SETTLED), .new_flow = true,
	 .by = LB_BY_SLOT},
	{.name = "settled: a later packet makes none",
	 .in = TCP6_TO(V6_S_SETTLED, ACK), FORWARD(B_A, S_SETTLED), .by = LB_BY_SLOT},
	{.name = "settled: UDP makes none",
	 .in = UDP4_TO(V4_S_SETTLED), FORWARD(B_A, S_SETTLED), .by = LB_BY_SLOT},
	{.name = "settled: an entry that is there is neither read nor written",
	 .in = TCP4_TO(V4_S_SETTLED, FIN | ACK), .before = ENTRY4(V4_S_SETTLED, B_OPEN, .age = 9),
	 FORWARD(B_A, S_SETTLED), .by = LB_BY_SLOT, .after = ENTRY4(V4_S_SETTLED, B_OPEN, .age = 9)},

	/* ---- a changed slot (owner B, fallback A): entries tell new flows from old ones ---- */
	{.name = "changed: a SYN goes to the owner, with an entry",
	 .in = TCP4_TO(V4_S_CHANGED, SYN), FORWARD(B_B, S_CHANGED), .new_flow = true,
	 .by = LB_BY_SLOT, .after = ENTRY4(V4_S_CHANGED, B_OPENING)},
	{.name = "changed: a SYN goes to the owner, with an entry, IPv6",
	 .in = TCP6_TO(V6_S_CHANGED, SYN), FORWARD(B_B, S_CHANGED), .new_flow = true,
	 .by = LB_BY_SLOT, .after = ENTRY6(V6_S_CHANGED, B_OPENING)},
	{.name = "changed: an older flow goes to the fallback, with an entry",
	 .in = TCP4_TO(V4_S_CHANGED, ACK), FORWARD(B_A, S_CHANGED),
	 .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_CHANGED, A_OPEN)},
	{.name = "changed: an older flow goes to the fallback, with an entry, IPv6",
	 .in = TCP6_TO(V6_S_CHANGED, ACK | PSH), FORWARD(B_A, S_CHANGED),
	 .by = LB_BY_FALLBACK, .after = ENTRY6(V6_S_CHANGED, A_OPEN)},
	{.name = "changed: a SYN with ACK is no new flow",
	 .in = TCP4_TO(V4_S_CHANGED, SYN | ACK), FORWARD(B_A, S_CHANGED),
	 .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_CHANGED, A_OPEN)},
	{.name = "changed: an entry decides, and is open from the second packet on",
	 .in = TCP4_TO(V4_S_CHANGED, ACK), .before = ENTRY4(V4_S_CHANGED, B_OPENING, .age = 2),
	 FORWARD(B_B, S_CHANGED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_CHANGED, B_OPEN)},
	{.name = "changed: an entry of another port does not",
	 .in = {ETH(), IP4(CLIENT4, V4_S_CHANGED), TCP(4001, 80)},
	 .before = ENTRY4(V4_S_CHANGED, B_OPEN, .age = 2), FORWARD(B_A, S_CHANGED),
	 .by = LB_BY_FALLBACK,
	 .after = {FLOW_TCP(CLIENT4, 4000, V4_S_CHANGED, 80, B_OPEN, .age = 2),
		   FLOW_TCP(CLIENT4, 4001, V4_S_CHANGED, 80, A_OPEN)}},
	{.name = "changed and the owner is down: the fallback takes new flows",
	 .in = TCP4_TO(V4_S_OWNER_DOWN, SYN), FORWARD(B_A, S_OWNER_DOWN), .new_flow = true,
	 .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_OWNER_DOWN, A_OPENING)},
	{.name = "changed and the fallback is down: the owner takes older flows",
	 .in = TCP4_TO(V4_S_FALLBACK_DOWN, ACK), FORWARD(B_B, S_FALLBACK_DOWN),
	 .by = LB_BY_SLOT, .after = ENTRY4(V4_S_FALLBACK_DOWN, B_OPEN)},

	/* ---- no room for an entry: the fallback, which needs none ---- */
	{.name = "table full: a SYN goes to the fallback",
	 .in = TCP4_TO(V4_S_CHANGED, SYN), .full = true, FORWARD(B_A, S_CHANGED), .new_flow = true},
	{.name = "table full: a SYN goes to the fallback, IPv6",
	 .in = TCP6_TO(V6_S_CHANGED, SYN), .full = true, FORWARD(B_A, S_CHANGED), .new_flow = true},
	{.name = "table full: an older flow goes to the fallback",
	 .in = TCP4_TO(V4_S_CHANGED, ACK), .full = true, FORWARD(B_A, S_CHANGED)},
	{.name = "table full and the fallback is down: a SYN goes to the owner all the same",
	 .in = TCP4_TO(V4_S_FALLBACK_DOWN, SYN), .full = true, FORWARD(B_B, S_FALLBACK_DOWN),
	 .new_flow = true},
	{.name = "table full: an entry that is there decides",
	 .in = TCP4_TO(V4_S_CHANGED, ACK), .before = ENTRY4(V4_S_CHANGED, B_OPEN, .age = 1),
	 .full = true, FORWARD(B_B, S_CHANGED), .after = ENTRY4(V4_S_CHANGED, B_OPEN)},
	{.name = "table full: an entry that is dead makes room for the flow's next life",
	 .in = TCP4_TO(V4_S_CHANGED, SYN),
	 .before = ENTRY4(V4_S_CHANGED, A_CLOSING, .age = WORLD_IDLE_CLOSING + 2),
	 .full = true, FORWARD(B_B, S_CHANGED), .new_flow = true,
	 .after = ENTRY4(V4_S_CHANGED, B_OPENING)},

	/* ---- each flow tracked: entries in settled slots too ---- */
	{.name = "tracked: a SYN makes an entry",
	 .in = TCP4_TO(V4_S_TRACKED, SYN), FORWARD(B_A, S_TRACKED), .new_flow = true,
	 .by = LB_BY_SLOT, .after = ENTRY4(V4_S_TRACKED, A_OPENING)},
	{.name = "tracked: so does a packet of an older flow",
	 .in = TCP6_TO(V6_S_TRACKED, ACK), FORWARD(B_A, S_TRACKED),
	 .after = ENTRY6(V6_S_TRACKED, A_OPEN)},
	{.name = "tracked: so does UDP",
	 .in = UDP4_TO(V4_S_TRACKED), FORWARD(B_A, S_TRACKED), .new_flow = true,
	 .after = ENTRY_UDP(V4_S_TRACKED, A_OPEN)},
	{.name = "tracked: UDP with an entry is no new flow",
	 .in = UDP4_TO(V4_S_TRACKED), .before = ENTRY_UDP(V4_S_TRACKED, A_OPEN, .age = 3),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY_UDP(V4_S_TRACKED, A_OPEN)},
	{.name = "tracked: an entry decides against the owner",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, B_OPEN, .age = 2),
	 FORWARD(B_B, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_TRACKED, B_OPEN)},
	{.name = "tracked: a repeated SYN stays with its entry",
	 .in = TCP4_TO(V4_S_TRACKED_MOVED, SYN), .before = ENTRY4(V4_S_TRACKED_MOVED, A_OPENING, .age = 1),
	 FORWARD(B_A, S_TRACKED_MOVED), .new_flow = true, .by = LB_BY_FLOW,
	 .after = ENTRY4(V4_S_TRACKED_MOVED, A_OPENING)},
	{.name = "tracked and moved: new UDP flows go to the owner",
	 .in = UDP4_TO(V4_S_TRACKED_MOVED), FORWARD(B_B, S_TRACKED_MOVED), .new_flow = true,
	 .by = LB_BY_SLOT, .after = ENTRY_UDP(V4_S_TRACKED_MOVED, B_OPEN)},
	{.name = "tracked: FIN closes the entry",
	 .in = TCP4_TO(V4_S_TRACKED, FIN | ACK), .before = ENTRY4(V4_S_TRACKED, A_OPEN, .age = 2),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_TRACKED, A_CLOSING)},
	{.name = "tracked: RST closes the entry",
	 .in = TCP6_TO(V6_S_TRACKED, RST), .before = ENTRY6(V6_S_TRACKED, A_OPEN, .age = 2),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY6(V6_S_TRACKED, A_CLOSING)},
	{.name = "tracked: what follows a FIN does not open the entry again",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, A_CLOSING, .age = 2),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_TRACKED, A_CLOSING)},
	{.name = "tracked: a SYN after a FIN is a new flow with old ports",
	 .in = TCP4_TO(V4_S_TRACKED_MOVED, SYN),
	 .before = ENTRY4(V4_S_TRACKED_MOVED, A_CLOSING, .age = 2),
	 FORWARD(B_B, S_TRACKED_MOVED), .new_flow = true, .by = LB_BY_SLOT,
	 .after = ENTRY4(V4_S_TRACKED_MOVED, B_OPENING)},

	/* ---- entries that are dead ---- */
	{.name = "dead: its backend is down",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, .backend = B_DOWN,
							   .state = LB_FLOW_OPEN),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_TRACKED, A_OPEN)},
	{.name = "dead: its backend was down since",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, B_OPEN, .outlived = true),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_TRACKED, A_OPEN)},
	{.name = "dead: it is of another pool",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, B_OPEN, .pool = S_CHANGED),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_TRACKED, A_OPEN)},
	{.name = "dead: idle for too long, TCP",
	 .in = TCP4_TO(V4_S_TRACKED, ACK),
	 .before = ENTRY4(V4_S_TRACKED, B_OPEN, .age = WORLD_IDLE_TCP + 2),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_TRACKED, A_OPEN)},
	{.name = "alive: idle for almost too long, TCP",
	 .in = TCP4_TO(V4_S_TRACKED, ACK),
	 .before = ENTRY4(V4_S_TRACKED, B_OPEN, .age = WORLD_IDLE_TCP - 2),
	 FORWARD(B_B, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_TRACKED, B_OPEN)},
	{.name = "dead: idle for too long, half-open",
	 .in = TCP4_TO(V4_S_TRACKED, ACK),
	 .before = ENTRY4(V4_S_TRACKED, B_OPENING, .age = WORLD_IDLE_CLOSING + 2),
	 FORWARD(B_A, S_TRACKED), .by = LB_BY_FALLBACK, .after = ENTRY4(V4_S_TRACKED, A_OPEN)},
	{.name = "dead: idle for too long, UDP",
	 .in = UDP4_TO(V4_S_TRACKED),
	 .before = ENTRY_UDP(V4_S_TRACKED, B_OPEN, .age = WORLD_IDLE_UDP + 2),
	 FORWARD(B_A, S_TRACKED), .new_flow = true, .by = LB_BY_SLOT,
	 .after = ENTRY_UDP(V4_S_TRACKED, A_OPEN)},
	{.name = "alive: stamped by a CPU whose clock is a tick ahead",
	 .in = TCP4_TO(V4_S_TRACKED, ACK), .before = ENTRY4(V4_S_TRACKED, B_OPEN, .age = -2),
	 FORWARD(B_B, S_TRACKED), .by = LB_BY_FLOW, .after = ENTRY4(V4_S_TRACKED, B_OPEN)},

	/* ---- affinity: A and B have the slots in turn ---- */
	{.name = "by flow: one port",
	 .in = {ETH(), IP4(CLIENT4, V4_S_BY_FLOW), TCP(4000, 80)}, FORWARD(B_A, S_BY_FLOW)},
	{.name = "by flow: another port of the same client, another backend",
	 .in = {ETH(), IP4(CLIENT4, V4_S_BY_FLOW), TCP(4007, 80)}, FORWARD(B_B, S_BY_FLOW)},
	{.name = "by source: a client",
	 .in = {ETH(), IP4("198.51.100.7", V4_S_BY_SOURCE), TCP(4000, 80)}, FORWARD(B_A, S_BY_SOURCE)},
	{.name = "by source: another port, another address of the /24, UDP: the same backend",
	 .in = {ETH(), IP4("198.51.100.250", V4_S_BY_SOURCE), UDP(4001, 80)}, FORWARD(B_A, S_BY_SOURCE)},
	{.name = "by source: another /24, another backend",
	 .in = {ETH(), IP4("198.51.101.7", V4_S_BY_SOURCE), TCP(4000, 80)}, FORWARD(B_B, S_BY_SOURCE)},
	{.name = "by source: an IPv6 client",
	 .in = {ETH(), IP6("2001:db8:c::7", V6_S_BY_SOURCE), TCP(4000, 80)}, FORWARD(B_B, S_BY_SOURCE)},
	{.name = "by source: another port, another address of the /64, UDP: the same backend",
	 .in = {ETH(), IP6("2001:db8:c::ffff:1", V6_S_BY_SOURCE), UDP(4001, 80)}, FORWARD(B_B, S_BY_SOURCE)},
	{.name = "by source: another /64, another backend",
	 .in = {ETH(), IP6("2001:db8:c:3::7", V6_S_BY_SOURCE), TCP(4000, 80)}, FORWARD(B_A, S_BY_SOURCE)},
};
/* clang-format on */

CASE_LIST(affinity, rows);
