/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case: what a packet case says. One row: a packet in, what the kernel is told, the verdict, the
 * packet out, what was counted, and the flow table before and after. The state is the world
 * (world.h), of which the packet's VIP chooses a part, and the entries in `before`.
 */
#ifndef PACKET_CASE_H
#define PACKET_CASE_H

#include <linux/bpf.h>
#include <netinet/in.h>

#include "builder.h"
#include "world.h"

enum { CASE_FLOWS_MAX = 2 };

/* An entry of the flow table. */
struct case_flow {
	const char *src, *dst; /* NULL: no entry */
	int proto, sport, dport;
	enum world_backend backend;
	enum lb_flow_state state;
	enum world_service pool; /* left out: that of the case's service */
	int age;                 /* ticks since it was seen; 0: now */
	bool outlived;           /* from before the backend was down */
};

struct packet_case {
	const char *name;
	struct layer in[PACKET_LAYERS_MAX];
	/* The frame ends early: the case is run with each length from cut[0] to cut[1]. */
	int cut[2];
	/* Bytes that metadata takes from the driver's room before the frame. */
	uint32_t metadata;

	struct case_flow before[CASE_FLOWS_MAX];
	bool full; /* the rest of the flow table is taken by strangers */

	uint32_t action;
	enum lb_verdict verdict;
	/* Left out: the bytes as they came, but for the MACs where it was forwarded by L2. */
	struct layer out[PACKET_LAYERS_MAX];

	/* Whose counter grows by one packet. Without a backend: what ended without one. */
	enum world_service service;
	enum world_backend backend;
	bool new_flow; /* counted as one */
	/* What chose the backend, as `lbctl flow lookup` says it; LB_BY_NONE: not compared. */
	enum lb_decided_by by;

	struct case_flow after[CASE_FLOWS_MAX]; /* all of the table but strangers */
};

#define PASS(why) .action = XDP_PASS, .verdict = LB_PASS_##why
#define DROP(why) .action = XDP_DROP, .verdict = LB_DROP_##why
#define FORWARD(to, through)                                                                       \
	.action = XDP_TX, .verdict = LB_FORWARDED, .service = through, .backend = to
#define FORWARD_FAR(to, through)                                                                   \
	.action = XDP_REDIRECT, .verdict = LB_FORWARDED, .service = through, .backend = to

#define FLOW_TCP(s, sp, d, dp, ...)                                                                \
	{                                                                                          \
		.src = s, .sport = sp, .dst = d, .dport = dp, .proto = IPPROTO_TCP, __VA_ARGS__    \
	}
#define FLOW_UDP(s, sp, d, dp, ...)                                                                \
	{                                                                                          \
		.src = s, .sport = sp, .dst = d, .dport = dp, .proto = IPPROTO_UDP, __VA_ARGS__    \
	}

struct case_list {
	const char *topic;
	const struct packet_case *cases;
	size_t count;
};

#define CASE_LIST(name, rows)                                                                      \
	const struct case_list name = {#name, rows, sizeof(rows) / sizeof(rows[0])}

extern const struct case_list headers;       /* cases_headers.c */
extern const struct case_list truncated;     /* cases_truncated.c */
extern const struct case_list listeners;     /* cases_service.c */
extern const struct case_list encapsulation; /* cases_forward.c */
extern const struct case_list affinity;      /* cases_pick.c */

#endif
