/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_world: what the model judges by: a configuration, and what is remembered. Of model.h, which
 * has packets and what is done with them.
 */
#ifndef FUZZ_MODEL_WORLD_H
#define FUZZ_MODEL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MODEL_BACKENDS = 16, /* index 0: none */
	MODEL_POOLS = 8,     /* index 0: none; a service's index is used likewise */
	MODEL_SERVICES = 12,
	MODEL_LISTENERS = 32,
	MODEL_SLOTS = 64,   /* of a pool, at most */
	MODEL_ENTRIES = 96, /* of births, and of flows */
	MODEL_CLIENTS = 64,
	MODEL_FRAGMENTS = 256,
	MODEL_NAT_FLOWS = 64,
	MODEL_NAT_RETURNS = 128,
	MODEL_SOURCES = 16, /* lines of all lists */
	MODEL_OPENERS = 256,
	MODEL_FRAME = 10240,
	MODEL_SEED = 16,
};

/* ---- configuration ---- */

struct model_address {
	uint8_t family;    /* 4, 6; 0: none */
	uint8_t bytes[16]; /* as in the packet; IPv4: the first four, the rest zero */
};

enum model_way {
	MODEL_NO_WAY,
	MODEL_L2,
	MODEL_IPIP4,
	MODEL_IPIP6,
	MODEL_GUE4,
	MODEL_GUE6,
	MODEL_NAT4, /* the backend's address is an IPv4 one, whatever the client's */
	MODEL_NAT6,
	MODEL_WAYS
};

struct model_backend {
	bool usable;        /* may be given packets */
	bool snat;          /* of NAT: it sees outer_source as its client */
	bool host_source;   /* which is the host's own, and so are some of its ports */
	bool takes_clients; /* may be given new flows of clients that it has */
	uint8_t way;        /* enum model_way */
	uint8_t next_hop[6], egress_mac[6];
	uint16_t mtu; /* 0: any */
	uint32_t incarnation;
	uint32_t ifindex;
	uint32_t source_bits; /* low bits of the outer source that vary by flow */
	uint16_t gue_port;    /* of the outer UDP header; of NAT, the backend's; 0: the VIP's */
	struct model_address outer_source, outer_destination;
};

struct model_slot {
	uint32_t owner, fallback;
	bool changed;
};

struct model_pool {
	uint32_t table_size; /* 0: it has none yet */
	bool usable;         /* some backend of it is */
	bool by_source;
	bool track_always;
	uint8_t prefix_v4, prefix_v6;              /* of the source */
	uint32_t idle_tcp, idle_udp, idle_closing; /* ticks */
	uint32_t client_timeout;                   /* ticks; 0: clients are not remembered */
	struct model_slot slots[MODEL_SLOTS];
};

struct model_listener {
	struct model_address vip; /* family 0: no such listener */
	uint8_t proto;
	uint16_t first, last; /* ports */
	uint32_t service;
};

/* Of new flows, of a service and the sources that share a prefix. */
struct model_limit {
	uint8_t burst; /* as many, and then no more for longer than a test takes; 0: no limit */
	uint8_t prefix_v4, prefix_v6;
};

/* A line of a service's allow or deny list. */
struct model_source {
	uint32_t service; /* 0: no such line */
	struct model_address network;
	uint8_t prefix;
	bool deny;
};

struct model_config {
	uint8_t seed[MODEL_SEED];
	uint32_t flows, clients, nat_flows; /* limits */
	bool finish;                        /* frames may come with unfinished checksums */
	bool nat;                           /* there are backends of NAT */
	uint16_t host_first, host_count;    /* ports that the host gives out itself */
	struct model_backend backends[MODEL_BACKENDS];
	struct model_pool pools[MODEL_POOLS];
	uint32_t service_pools[MODEL_SERVICES]; /* 0: no such service */
	struct model_limit limits[MODEL_SERVICES];
	bool allowed_only[MODEL_SERVICES]; /* who is in no list is denied */
	struct model_source sources[MODEL_SOURCES];
	struct model_listener listeners[MODEL_LISTENERS];
};

/* ---- what is remembered ---- */

struct model_flow {
	struct model_address source, destination;
	uint16_t source_port, destination_port;
	uint8_t proto;
};

enum model_state { MODEL_OPENING, MODEL_OPEN, MODEL_CLOSING, MODEL_RESET, MODEL_STATES };

/* How far a sweep has got with an entry: doomed ones are none any more, but may be taken over;
 * claimed ones may not, they are about to go. */
enum model_fate { MODEL_KEPT, MODEL_DOOMED, MODEL_CLAIMED, MODEL_FATES };

struct model_entry {
	bool there;
	uint8_t state; /* enum model_state */
	uint8_t fate;  /* enum model_fate */
	bool reborn;   /* of flows: births may know of a later life */
	bool recorded; /* of flows: an old flow, met at its fallback */
	uint32_t backend, incarnation, pool;
	uint32_t seen;     /* tick */
	uint32_t sequence; /* of births */
	struct model_flow flow;
};

/* Ticks; 0: never. */
struct model_times {
	uint32_t since, used, full, kept;
};

struct model_client {
	bool there;
	uint8_t fate;
	bool changed;
	bool known;
	uint32_t pool;
	uint32_t owner, fallback;
	uint16_t owner_incarnation, fallback_incarnation;
	uint32_t seen;
	struct model_times times;
	struct model_address network; /* the source under the pool's prefix */
};

/* Whatever could not be remembered. */
enum model_note {
	MODEL_NEW_FLOW_UNTRACKED,
	MODEL_OLD_FLOW_UNTRACKED,
	MODEL_CLIENT_UNTRACKED,
	MODEL_NAT_FULL,
	MODEL_NAT_PORTS,
	MODEL_NOTES
};

/* What the first fragment of a packet left for the others. */
struct model_fragment {
	bool there;
	uint32_t identification;
	uint32_t seen;
	uint32_t sequence;
	struct model_flow flow;
};

/* Where a client's packets come from, and the answers go. */
struct model_hop {
	uint32_t ifindex;
	uint8_t peer_mac[6], own_mac[6];
};

/* What is made of the packets that a client sends. */
struct model_nat_flow {
	bool there;
	uint8_t fate, state;
	uint16_t port; /* source port that the backend sees */
	uint32_t backend, incarnation, pool, seen;
	struct model_address source; /* that the backend sees */
	struct model_hop hop;
	struct model_flow flow; /* as the client sends it */
};

/* Whose the packets are that a backend sends. */
struct model_nat_return {
	bool there;
	uint8_t fate, state;
	uint16_t client_port, vip_port;
	uint32_t seen;
	struct model_address client, vip;
	struct model_hop hop;
	struct model_flow flow; /* as the backend sends it */
};

/* Who opened flows to a service that limits them. */
struct model_opener {
	bool there;
	uint32_t service;
	struct model_address network;
	uint32_t flows;
};

struct model_memory {
	struct model_entry births[MODEL_ENTRIES];
	struct model_entry flows[MODEL_ENTRIES];
	struct model_client clients[MODEL_CLIENTS];
	struct model_times times[MODEL_POOLS][MODEL_SLOTS];
	struct model_fragment fragments[MODEL_FRAGMENTS];
	struct model_nat_flow nat_flows[MODEL_NAT_FLOWS];
	struct model_nat_return nat_returns[MODEL_NAT_RETURNS];
	struct model_opener openers[MODEL_OPENERS];
	/* New flows for which no port was found, since the program was loaded. */
	uint32_t nat_refused[MODEL_BACKENDS];
};

/* What the quotas are about. */
enum model_quota {
	MODEL_QUOTA_TCP,
	MODEL_QUOTA_TCP_BIRTHS,
	MODEL_QUOTA_TCP_RECORDED,
	MODEL_QUOTA_UDP,
	MODEL_QUOTA_UDP_BIRTHS,
	MODEL_QUOTA_CLIENTS,
	MODEL_QUOTA_CLIENTS_NEW,
	MODEL_QUOTA_NAT_TCP,
	MODEL_QUOTA_NAT_UDP,
	MODEL_QUOTAS
};

#endif
