/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case: what a packet case says. One row: a packet in, what the kernel is told, the verdict, the
 * packet out, what was counted, and what is remembered before and after. The state is the world
 * (world.h), of which the packet's VIP chooses a part, and what stands in `before`. A sweep case
 * says the same of a sweep.
 */
#ifndef PACKET_CASE_H
#define PACKET_CASE_H

#include <linux/bpf.h>
#include <netinet/in.h>

#include "builder.h"
#include "world.h"

enum {
	CASE_FLOWS_MAX = 3,
	CASE_CLIENTS_MAX = 2,
	CASE_FRAGMENTS_MAX = 1,
	CASE_TALLIES_MAX = 3,
	NOW = -1, /* of a time: when the packet or the sweep comes; 0 is never, n is n ticks ago */
};

/* Whose flow the case is about. */
struct subject {
	const char *src, *dst;
	int proto, sport, dport;
	enum world_service service;
};

enum case_table { NO_ENTRY, IN_BIRTHS, IN_FLOWS };

/* An entry of a single flow; left out, what names the flow is the subject's. */
struct case_flow {
	enum case_table table;
	enum world_backend backend;
	enum lb_flow_state state;
	uint32_t sequence; /* births */
	uint8_t flags;     /* flows: enum lb_flow_flag */
	int age;           /* ticks since it was seen; 0: now */
	bool outlived;     /* from before the backend was down */
	bool doomed;
	enum world_service pool; /* left out: that of the service */
	const char *src;
	int sport, proto;
};

struct case_times {
	int since, used, full, kept;
};

/* A client's record, of the subject's source if `src` is left out. */
struct case_client {
	enum world_backend owner, fallback; /* owner NOBODY: no record */
	bool changed, known, doomed;
	bool owner_outlived, fallback_outlived;
	int age;
	struct case_times times;
	const char *src;
	enum world_service pool; /* left out: that of the service */
};

/* What a first fragment left behind, between the addresses of the subject. */
struct case_fragment {
	uint32_t id;
	int proto, sport, dport;
	uint32_t sequence;
	int age;
};

/* What is remembered, but for strangers. */
struct case_state {
	/* After: left out, those of before, for none is taken away. */
	struct case_fragment fragments[CASE_FRAGMENTS_MAX];
	struct case_flow flows[CASE_FLOWS_MAX];
	struct case_client clients[CASE_CLIENTS_MAX];
	struct case_times times; /* of the flow's slot; of all others, the same as before */
};

#define FULL(what) (1U << LB_QUOTA_##what)
#define NOTE(what) (1U << LB_NOTE_##what)

enum case_errors {
	SOME_ERRORS,
	NO_ERRORS,     /* the last one was sent just now */
	ERRORS_REFILL, /* the last one was sent some seconds ago */
	ERROR_LOST,    /* some; and one is taken, but cannot be sent */
};

struct packet_case {
	const char *name;
	struct layer in[PACKET_LAYERS_MAX];
	/* The frame ends early: the case is run with each length from cut[0] to cut[1]. */
	int cut[2];
	/* Bytes that metadata takes from the driver's room before the frame. */
	uint32_t metadata;

	struct case_state before;
	enum case_errors errors; /* how many ICMP errors the balancer may send */
	unsigned full;           /* FULL(quota) of those that strangers have used up */

	/* New flows that the bucket of the packet's source has counted before and after; 0: there
	 * is no bucket. */
	int opened[2];

	uint32_t action;
	enum lb_verdict verdict;
	/* Left out: the bytes as they came, but for the MACs where it was forwarded by L2. */
	struct layer out[PACKET_LAYERS_MAX];

	/* Whose counter grows by one packet. Without a backend: what ended without one. */
	enum world_service service;
	enum world_backend backend;
	bool new_flow;  /* counted as one */
	unsigned notes; /* NOTE(what) of those that were counted */
	/* What chose the backend, as `lbctl flow lookup` says it; LB_BY_NONE: not compared. */
	enum lb_decided_by by;

	struct case_state after;
};

#define PASS(why)    .action = XDP_PASS, .verdict = LB_PASS_##why
#define DROP(why)    .action = XDP_DROP, .verdict = LB_DROP_##why
#define ANSWER(what) .action = XDP_TX, .verdict = LB_ANSWERED_##what
#define REFUSE(why)  .action = XDP_TX, .verdict = LB_REFUSED_##why

/* What a refused packet's sender is told, quoting `n` bytes of it; `rest`: the MTU. */
#define BACK ETH(.to = "02:00:00:00:00:02", .from = "02:00:00:00:00:01")
#define TOLD4(vip, t, c, mtu, n)                                                                   \
	{                                                                                          \
		BACK, IP4(vip, CLIENT4, .dscp = 48), ICMP(t, c, .rest = mtu), QUOTE(n)             \
	}
#define TOLD6(vip, t, c, mtu, n)                                                                   \
	{                                                                                          \
		BACK, IP6(vip, CLIENT6), ICMP(t, c, .rest = mtu), QUOTE(n)                         \
	}
#define TOLD_TTL4(vip, n)   TOLD4(vip, 11, 0, 0, n)
#define TOLD_TTL6(vip, n)   TOLD6(vip, 3, 0, 0, n)
#define TOLD_MTU4(vip, mtu) TOLD4(vip, 3, 4, mtu, 548)
#define TOLD_MTU6(vip, mtu) TOLD6(vip, 2, 0, mtu, 1232)
#define FORWARD(to, through)                                                                       \
	.action = XDP_TX, .verdict = LB_FORWARDED, .service = through, .backend = to
#define FORWARD_FAR(to, through)                                                                   \
	.action = XDP_REDIRECT, .verdict = LB_FORWARDED, .service = through, .backend = to

/* Entries, by the last part of their backend's name. */
#define BIRTH(to, how, number, ...)                                                                \
	{                                                                                          \
		.table = IN_BIRTHS, .backend = B_##to, .state = LB_FLOW_##how, .sequence = number, \
		##__VA_ARGS__                                                                      \
	}
#define FLOW(to, how, ...)                                                                         \
	{                                                                                          \
		.table = IN_FLOWS, .backend = B_##to, .state = LB_FLOW_##how, ##__VA_ARGS__        \
	}
#define CLIENT(to, other, ...)                                                                     \
	{                                                                                          \
		.owner = B_##to, .fallback = B_##other, ##__VA_ARGS__                              \
	}

#define FRAGMENT(number, of, from, to, ...)                                                        \
	.fragments = {{.id = number, .proto = of, .sport = from, .dport = to, ##__VA_ARGS__}}

struct case_list {
	const char *topic;
	const struct packet_case *cases;
	size_t count;
	bool forgetful; /* run in a world that has no room for flows or clients */
};

#define CASE_LIST(name, rows, ...)                                                                 \
	const struct case_list name = {.topic = #name,                                             \
				       .cases = rows,                                              \
				       .count = sizeof(rows) / sizeof(rows[0]),                    \
				       ##__VA_ARGS__}

extern const struct case_list headers;       /* cases_headers.c */
extern const struct case_list truncated;     /* cases_truncated.c */
extern const struct case_list listeners;     /* cases_service.c */
extern const struct case_list encapsulation; /* cases_forward.c */
extern const struct case_list gue;           /* cases_gue.c */
extern const struct case_list icmp;          /* cases_icmp.c */
extern const struct case_list answers;       /* cases_answers.c */
extern const struct case_list affinity;      /* cases_pick.c */
extern const struct case_list established;   /* cases_established.c */
extern const struct case_list clients;       /* cases_clients.c */
extern const struct case_list admission;     /* cases_admit.c */
extern const struct case_list forgetful;     /* cases_forgetful.c */
extern const struct case_list link_layer;    /* cases_link.c */
extern const struct case_list extensions;    /* cases_extensions.c */
extern const struct case_list fragments;     /* cases_fragments.c */
extern const struct case_list checksums;     /* cases_checksums.c */

/* What a sweep did to a table. */
struct case_swept {
	uint32_t read, doomed, deleted;
};

struct sweep_case {
	const char *name;
	struct subject subject;
	struct case_state before;
	int sweeps; /* left out: one; the counts are the last one's */
	struct case_swept births, flows, clients;
	struct {
		enum world_backend backend; /* NOBODY: end */
		uint32_t flows, clients;
	} tallies[CASE_TALLIES_MAX]; /* all others are zero; the pool's are their sums */
	struct case_state after;
};

extern const struct sweep_case sweep_cases[]; /* cases_sweep.c */
extern const size_t sweep_case_count;

#endif
