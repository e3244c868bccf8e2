/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_case: what a conversation through NAT says: packets of both sides and what becomes of them,
 * and between them sweeps, time, and backends that come and go. NAT keeps state, so a case is a
 * story and not a packet. The rows are in cases_nat.c, run_nat.c plays them.
 */
#ifndef PACKET_NAT_CASE_H
#define PACKET_NAT_CASE_H

#include <linux/bpf.h>

#include "../../bpf/lb_abi.h"
#include "builder.h"

enum { NAT_STEPS_MAX = 12 };

/* Backends. The pool and service of a backend have its number. */
enum nat_backend {
	N_NOBODY,
	N_PLAIN4, /* destination NAT alone, to IPv4; the port stays */
	N_PLAIN6,
	N_PORT4, /* to another port */
	N_PORT6,
	N_SNAT4, /* the source, too: an address of the host's */
	N_SNAT6,
	N_GIVEN4, /* the source, too: an address for NAT alone */
	N_FAR4,   /* behind another interface */
	N_TIGHT6, /* source NAT, and an MTU of 1280 on the way */
	N_OTHER4, /* like PLAIN4, and without a service: flows move here */
	NAT_BACKENDS
};

/* VIPs, by service; the address of backend n is 10.0.1.n or fd00:1::n. */
#define VIP4(n) "192.0.2." #n
#define VIP6(n) "2001:db8::" #n
#define BE4(n)  "10.0.1." #n
#define BE6(n)  "fd00:1::" #n

/* A second service of the same pool as PORT4. */
#define VIP4_SECOND "192.0.2.100"

#define HOST4        "10.0.1.100" /* sources of source NAT */
#define HOST6        "fd00:1::100"
#define GIVEN4       "10.0.1.200"
#define NAT_NEAR_MAC "02:00:00:00:00:01"
#define NAT_FAR_MAC  "02:00:00:00:00:0f"

enum {
	NAT_NEAR_IFINDEX = 1,
	NAT_FAR_IFINDEX = 7,
	/* Ports that the host hands out by itself. */
	NAT_HOST_PORTS_FIRST = 32768,
	NAT_HOST_PORTS_COUNT = 28232,
	NAT_IDLE_TCP = 40,
	NAT_IDLE_UDP = 12,
	NAT_IDLE_CLOSING = 20,
	/* Two thirds of it are for either protocol. */
	NAT_FLOWS_LIMIT = 4,
};

enum nat_step_kind {
	NAT_STEP_END,
	NAT_STEP_PACKET,
	NAT_STEP_AGE,   /* `n` ticks pass */
	NAT_STEP_SWEEP, /* `n` flows and `m` returns are left */
	NAT_STEP_DOWN,  /* backend `n` cannot be used any more, ... */
	NAT_STEP_UP,    /* ... and can again: its incarnation is another one */
	NAT_STEP_PORTS, /* the host keeps all but the first `n` ports for itself */
	NAT_STEP_OWNER, /* backend `m` owns all slots of pool `n` */
};

struct nat_step {
	enum nat_step_kind kind;
	int n, m;
	struct layer in[PACKET_LAYERS_MAX];
	bool far; /* it came in by the other interface */
	uint32_t action;
	enum lb_verdict verdict;
	/* Left out: as it came. */
	struct layer out[PACKET_LAYERS_MAX];
	bool numbered; /* the identification of what goes out is the transport's checksum */
};

struct nat_case {
	const char *name;
	struct nat_step steps[NAT_STEPS_MAX];
};

#define STEP         .kind = NAT_STEP_PACKET
#define FORWARDED    .action = XDP_TX, .verdict = LB_FORWARDED
#define RETURNED     .action = XDP_TX, .verdict = LB_RETURNED
#define PASSED       .action = XDP_PASS, .verdict = LB_PASS_NO_SERVICE
#define DROPPED(why) .action = XDP_DROP, .verdict = LB_DROP_##why
/* Which packet says so is not NAT's business. */
#define REFUSED(why) .action = XDP_TX, .verdict = LB_REFUSED_##why
#define FAR_OUT(how) .action = XDP_REDIRECT, .verdict = LB_##how

#define AGE(ticks)                                                                                 \
	{                                                                                          \
		.kind = NAT_STEP_AGE, .n = ticks                                                   \
	}
#define SWEEP(flows, returns)                                                                      \
	{                                                                                          \
		.kind = NAT_STEP_SWEEP, .n = flows, .m = returns                                   \
	}
#define DOWN(backend)                                                                              \
	{                                                                                          \
		.kind = NAT_STEP_DOWN, .n = backend                                                \
	}
#define UP(backend)                                                                                \
	{                                                                                          \
		.kind = NAT_STEP_UP, .n = backend                                                  \
	}
#define PORTS(count)                                                                               \
	{                                                                                          \
		.kind = NAT_STEP_PORTS, .n = count                                                 \
	}
#define OWNER(pool, backend)                                                                       \
	{                                                                                          \
		.kind = NAT_STEP_OWNER, .n = pool, .m = backend                                    \
	}

extern const struct nat_case nat_cases[];
extern const size_t nat_case_count;

#endif
