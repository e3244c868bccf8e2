/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * world: the services, pools and backends that all packet cases meet. A case chooses among them by
 * the VIP it sends to; nothing here changes between cases. world.c has the rows,
 * one line for each; neighbours: run.c writes them into the maps, the case files use the names.
 */
#ifndef PACKET_WORLD_H
#define PACKET_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "../../user/dataplane.h"

/*
 * Backends. Those named by how they are reached have services of their own; A, B, C, DRAIN and
 * DOWN are the ones that the rules of pick choose among, reached by L2 so that one sees who was
 * chosen.
 */
enum world_backend {
	NOBODY,
	B_IN4,     /* IPIP in an IPv4 header */
	B_IN6,     /* IPIP in an IPv6 header */
	B_L2,      /* by its MAC */
	B_FAR_IN4, /* those three again, behind another interface */
	B_FAR_IN6,
	B_FAR_L2,
	B_SPREAD4, /* 16 bits of the outer source vary by flow */
	B_SPREAD6, /* all 32 low bits vary */
	B_TIGHT4,  /* MTU 1500 on the way there */
	B_TIGHT6,
	B_A,
	B_B,
	B_DOWN,     /* not usable */
	B_UNROUTED, /* usable, but without a way to forward: maps that contradict each other */
	B_C,        /* by L2, like A and B */
	B_DRAIN,    /* the same, but takes no new flows of clients that it has */
	B_GUE4,     /* GUE in an IPv4 header; MTU 1500 on the way there */
	B_GUE6,     /* GUE in an IPv6 header, to another port; MTU 1500 */
	B_FAR_GUE6, /* behind the other interface; 32 bits of the outer source vary */
	B_NARROW,   /* IPIP in an IPv4 header; MTU 580 on the way there */
	WORLD_BACKENDS
};

/*
 * Services; the pool of a service has the same number. Each listens on port 80, TCP and UDP, at a
 * VIP of each family, unless world.c says otherwise.
 */
enum world_service {
	NO_SERVICE,
	S_IN4,
	S_IN6,
	S_L2,
	S_FAR_IN4,
	S_FAR_IN6,
	S_FAR_L2,
	S_SPREAD4,
	S_SPREAD6,
	S_TIGHT4,
	S_TIGHT6,
	/* ports; all at the same VIP */
	S_EXACT, /* TCP 80 */
	S_RANGE, /* TCP 8000 to 8099 */
	S_ANY,   /* TCP, any port */
	/* slots that name an owner, a fallback, and whether they are changed */
	S_SETTLED,       /* A, A */
	S_CHANGED,       /* B, A, changed */
	S_TRACKED,       /* A, A, each flow tracked */
	S_TRACKED_MOVED, /* B, A, changed, each flow tracked */
	S_OWNER_DOWN,    /* DOWN, A, changed */
	S_FALLBACK_DOWN, /* B, DOWN, changed */
	S_ALL_DOWN,      /* DOWN, DOWN */
	S_CHANGED_DOWN,  /* DOWN, DOWN, changed */
	S_NO_OWNER,      /* 0, 0 */
	S_NO_TABLE,      /* a pool that has no table yet */
	/* A and B in turn over the slots */
	S_BY_FLOW,
	S_BY_SOURCE, /* affinity by /24 and /64 */
	/* contradictions */
	S_BAD_POOL,    /* names a pool beyond the map */
	S_BAD_TABLE,   /* its pool's table lies beyond the map */
	S_BAD_SLOT,    /* its slots name a backend beyond the map */
	S_BAD_FORWARD, /* its backend cannot be forwarded to */
	/* more slots */
	S_SAME, /* A, A, changed: entries may name others */
	/* pools that remember clients, by /24 and /64 */
	S_CLIENTS,         /* A, A */
	S_CLIENTS_CHANGED, /* B, A, changed */
	S_CLIENTS_DOWN,    /* DOWN, DOWN */
	S_BAD_TIMES,       /* changed, and the times of its slots lie beyond the map */
	/* more pools that remember clients */
	S_CLIENTS_OWNER_DOWN,    /* DOWN, A, changed */
	S_CLIENTS_FALLBACK_DOWN, /* B, DOWN, changed */
	S_CLIENTS_UDP,           /* A, A; UDP flows last longer than half-open TCP ones */
	/* GUE */
	S_GUE4,
	S_GUE6,
	S_FAR_GUE6,
	S_NARROW,
	/* sources: see source_rows and limits of world.c */
	S_LISTED,          /* allow and deny lists */
	S_DENYING,         /* a deny list alone */
	S_LIMITED,         /* three new flows of each /24 and /64 */
	S_LIMITED_TRACKED, /* the same, each flow tracked */
	WORLD_SERVICES
};

/* The VIPs, by service; world.c makes the same from the service's number. */
/* clang-format off */
#define V4_S_IN4           "192.0.2.1"
#define V6_S_IN4           "2001:db8::1"
#define V4_S_IN6           "192.0.2.2"
#define V6_S_IN6           "2001:db8::2"
#define V4_S_L2            "192.0.2.3"
#define V6_S_L2            "2001:db8::3"
#define V4_S_FAR_IN4       "192.0.2.4"
#define V6_S_FAR_IN4       "2001:db8::4"
#define V4_S_FAR_IN6       "192.0.2.5"
#define V6_S_FAR_IN6       "2001:db8::5"
#define V4_S_FAR_L2        "192.0.2.6"
#define V6_S_FAR_L2        "2001:db8::6"
#define V4_S_SPREAD4       "192.0.2.7"
#define V6_S_SPREAD4       "2001:db8::7"
#define V4_S_SPREAD6       "192.0.2.8"
#define V6_S_SPREAD6       "2001:db8::8"
#define V4_S_TIGHT4        "192.0.2.9"
#define V6_S_TIGHT4        "2001:db8::9"
#define V4_S_TIGHT6        "192.0.2.10"
#define V6_S_TIGHT6        "2001:db8::a"
#define V4_PORTS           "192.0.2.11"
#define V6_PORTS           "2001:db8::b"
#define V4_S_SETTLED       "192.0.2.14"
#define V6_S_SETTLED       "2001:db8::e"
#define V4_S_CHANGED       "192.0.2.15"
#define V6_S_CHANGED       "2001:db8::f"
#define V4_S_TRACKED       "192.0.2.16"
#define V6_S_TRACKED       "2001:db8::10"
#define V4_S_TRACKED_MOVED "192.0.2.17"
#define V6_S_TRACKED_MOVED "2001:db8::11"
#define V4_S_OWNER_DOWN    "192.0.2.18"
#define V6_S_OWNER_DOWN    "2001:db8::12"
#define V4_S_FALLBACK_DOWN "192.0.2.19"
#define V6_S_FALLBACK_DOWN "2001:db8::13"
#define V4_S_ALL_DOWN      "192.0.2.20"
#define V6_S_ALL_DOWN      "2001:db8::14"
#define V4_S_CHANGED_DOWN  "192.0.2.21"
#define V6_S_CHANGED_DOWN  "2001:db8::15"
#define V4_S_NO_OWNER      "192.0.2.22"
#define V6_S_NO_OWNER      "2001:db8::16"
#define V4_S_NO_TABLE      "192.0.2.23"
#define V6_S_NO_TABLE      "2001:db8::17"
#define V4_S_BY_FLOW       "192.0.2.24"
#define V6_S_BY_FLOW       "2001:db8::18"
#define V4_S_BY_SOURCE     "192.0.2.25"
#define V6_S_BY_SOURCE     "2001:db8::19"
#define V4_S_BAD_POOL      "192.0.2.26"
#define V4_S_BAD_TABLE     "192.0.2.27"
#define V4_S_BAD_SLOT      "192.0.2.28"
#define V4_S_BAD_FORWARD   "192.0.2.29"
#define V4_S_SAME          "192.0.2.30"
#define V6_S_SAME          "2001:db8::1e"
#define V4_S_CLIENTS       "192.0.2.31"
#define V6_S_CLIENTS       "2001:db8::1f"
#define V4_S_CLIENTS_CHANGED "192.0.2.32"
#define V6_S_CLIENTS_CHANGED "2001:db8::20"
#define V4_S_CLIENTS_DOWN  "192.0.2.33"
#define V6_S_CLIENTS_DOWN  "2001:db8::21"
#define V4_S_BAD_TIMES     "192.0.2.34"
#define V4_S_CLIENTS_OWNER_DOWN    "192.0.2.35"
#define V6_S_CLIENTS_OWNER_DOWN    "2001:db8::23"
#define V4_S_CLIENTS_FALLBACK_DOWN "192.0.2.36"
#define V6_S_CLIENTS_FALLBACK_DOWN "2001:db8::24"
#define V4_S_CLIENTS_UDP           "192.0.2.37"
#define V6_S_CLIENTS_UDP           "2001:db8::25"
#define V4_S_GUE4          "192.0.2.38"
#define V6_S_GUE4          "2001:db8::26"
#define V4_S_GUE6          "192.0.2.39"
#define V6_S_GUE6          "2001:db8::27"
#define V4_S_FAR_GUE6      "192.0.2.40"
#define V6_S_FAR_GUE6      "2001:db8::28"
#define V4_S_NARROW        "192.0.2.41"
#define V6_S_NARROW        "2001:db8::29"
#define V4_S_LISTED        "192.0.2.42"
#define V6_S_LISTED        "2001:db8::2a"
#define V4_S_DENYING       "192.0.2.43"
#define V6_S_DENYING       "2001:db8::2b"
#define V4_S_LIMITED       "192.0.2.44"
#define V6_S_LIMITED       "2001:db8::2c"
#define V4_S_LIMITED_TRACKED "192.0.2.45"
#define V6_S_LIMITED_TRACKED "2001:db8::2d"
/* clang-format on */

#define CLIENT4  "198.51.100.7"
#define CLIENT6  "2001:db8:c::7"
#define NO_VIP4  "192.0.2.200"
#define NO_VIP6  "2001:db8::200"
#define OUR4     "10.9.0.1" /* source of outer headers */
#define OUR6     "fd09::1"
#define BACKEND4 "10.0.0.4" /* destination of outer headers */
#define BACKEND6 "fd00::6"

/* The Ethernet header of a packet that was sent: to backend `n` as numbered above. */
#define SENT(n)     ETH(.to = "02:00:00:00:b0:" #n, .from = "02:00:00:00:00:01")
#define SENT_FAR(n) ETH(.to = "02:00:00:00:b0:" #n, .from = "02:00:00:00:00:0f")
#define TO_IN4      SENT(01)
#define TO_IN6      SENT(02)
#define TO_L2       SENT(03)
#define TO_FAR_IN4  SENT_FAR(04)
#define TO_FAR_IN6  SENT_FAR(05)
#define TO_FAR_L2   SENT_FAR(06)
#define TO_SPREAD4  SENT(07)
#define TO_SPREAD6  SENT(08)
#define TO_TIGHT4   SENT(09)
#define TO_TIGHT6   SENT(0a)
#define TO_A        SENT(0b)
#define TO_B        SENT(0c)
#define TO_C        SENT(0f)
#define TO_DRAIN    SENT(10)
#define TO_GUE4     SENT(11)
#define TO_GUE6     SENT(12)
#define TO_FAR_GUE6 SENT_FAR(13)

enum {
	WORLD_NEAR_IFINDEX = 1, /* where all packets come from: lo of the test's own namespace */
	WORLD_FAR_IFINDEX = 7,
	/* Ticks. Short, for what is older than a limit must not be older than the machine. */
	WORLD_IDLE_TCP = 40,
	WORLD_IDLE_UDP = 12,
	WORLD_IDLE_UDP_LONG = 40,  /* of S_CLIENTS_UDP */
	WORLD_IDLE_CLOSING = 34,   /* longer than a birth beside its copy is quiet */
	WORLD_CLIENT_TIMEOUT = 24, /* a record lives longer: for WORLD_IDLE_TCP */
	WORLD_OLDEST = 60,         /* no case speaks of what is older */
	WORLD_INCARNATION = 5,     /* of every backend */
	WORLD_SLOTS = 64 * LB_SLOT_BLOCK,
	WORLD_GUE4_PORT = 6080,
	WORLD_GUE6_PORT = 6666,
};

extern const struct lb_settings world_settings;
/* The same, but without room for a single flow or client. */
extern const struct lb_settings world_settings_forgetful;

/* Where the counter of (service, backend) lies; backend NOBODY: of packets without one. */
uint32_t world_counter(enum world_service service, enum world_backend backend);
uint32_t world_counters(void); /* how many there are */

enum { WORLD_BURST = 3 }; /* new flows that S_LIMITED takes at once */
/* In which it takes one more: longer than any test. */
#define WORLD_FLOW_NS 1000000000000ULL

/* Where the times of the pool's slots begin in slot_times, and how many it has. */
uint32_t world_times_base(enum world_service service);
uint32_t world_table_size(void);

/* Fills the maps. Ends the process with a message if that fails. */
void world_create(struct dataplane *dp);

#endif
