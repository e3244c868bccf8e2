/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rules: how the rows about the choice of a backend are written (cases_pick.c, cases_established.c,
 * cases_clients.c, cases_forgetful.c, cases_sweep.c). Each row is a case for each family, for the
 * flow of the client's port 4000 to port 80 of the service.
 */
#ifndef PACKET_RULES_H
#define PACKET_RULES_H

#include "case.h"

/* clang-format off */
#define BOTH(title, through, packet, ...)                                                          \
	{.name = title ", IPv4", .service = S_##through,                                           \
	 .in = {ETH(), IP4(CLIENT4, V4_S_##through), packet}, __VA_ARGS__},                        \
	{.name = title ", IPv6", .service = S_##through,                                           \
	 .in = {ETH(), IP6(CLIENT6, V6_S_##through), packet}, __VA_ARGS__}

#define BOTH_SWEPT(title, through, protocol, ...)                                                  \
	{.name = title ", IPv4", .subject = {CLIENT4, V4_S_##through,                 \
	 IPPROTO_##protocol, 4000, 80, S_##through}, __VA_ARGS__},                                 \
	{.name = title ", IPv6", .subject = {CLIENT6, V6_S_##through,                 \
	 IPPROTO_##protocol, 4000, 80, S_##through}, __VA_ARGS__}

#define SEGMENT(flag, number) TCP(4000, 80, .flags = flag, .sequence = number)
#define DATAGRAM              UDP(4000, 80)

#define TO(to, why)                                                                                \
	.action = XDP_TX, .verdict = LB_FORWARDED, .backend = B_##to, .by = LB_BY_##why
#define NEW .new_flow = true

#define BEFORE(...)         .before.flows = {__VA_ARGS__}
#define AFTER(...)          .after.flows = {__VA_ARGS__}
#define UNTOUCHED(...)      BEFORE(__VA_ARGS__), AFTER(__VA_ARGS__)
#define TIMES_BEFORE(...)   .before.times = {__VA_ARGS__}
#define TIMES_AFTER(...)    .after.times = {__VA_ARGS__}
#define TIMES(...)          TIMES_BEFORE(__VA_ARGS__), TIMES_AFTER(__VA_ARGS__)
#define CLIENTS_BEFORE(...) .before.clients = {__VA_ARGS__}
#define CLIENTS_AFTER(...)  .after.clients = {__VA_ARGS__}

#define RECORDED .flags = LB_FLOW_RECORDED
#define REBORN   .flags = LB_FLOW_REBORN
/* clang-format on */

/* Sequence numbers: of a flow's SYN, how far packets of it may be, and of another SYN. */
enum { ISN = 5000, WINDOW = 1 << 17, OTHER = 900000 };

#endif
