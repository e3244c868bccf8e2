/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * balancer: the real data plane with the pools that the benchmark measures, written straight into
 * the maps, as `lbd` would leave them. Knows nothing of how packets come and are timed.
 */
#ifndef BENCH_BALANCER_H
#define BENCH_BALANCER_H

#include "../../user/addr.h"
#include "../../user/dataplane.h"

enum {
	BALANCER_BACKENDS = 100,      /* of each pool and family */
	BALANCER_TABLE_SIZE = 65537,  /* the default of a configuration */
	BALANCER_FLOWS_MAX = 1000000, /* that have an entry, of one family at a time */
	/* The usual room: TCP may take a half, flows that were not seen to begin a quarter. */
	BALANCER_ROOM = 4 * BALANCER_FLOWS_MAX,
	BALANCER_NEW_CLIENTS_MAX = 250000, /* that sent but one packet yet */
	BALANCER_MANY_SERVICES = 1000,
	BALANCER_MANY_POOLS = 50,
};

/* One service over one pool for each, and for each family that it has. */
enum balancer_pool {
	BALANCER_CHANGED,  /* settled; entries only where a slot is changed: the default */
	BALANCER_ALWAYS,   /* an entry for each flow */
	BALANCER_CLIENT,   /* source affinity with a timeout */
	BALANCER_MOVED,    /* every slot changed, its fallback another backend */
	BALANCER_SETTLING, /* every slot changed, its fallback its owner again */
	BALANCER_GUE,      /* the rest: IPv4 alone */
	BALANCER_L2,
	BALANCER_NAT,
	BALANCER_OVER_V6, /* an entry for each flow, backends with IPv6 addresses */
	BALANCER_MANY,    /* BALANCER_MANY_SERVICES over BALANCER_MANY_POOLS, settled */
	BALANCER_POOLS
};

/* `pin_dir`: on a bpffs, not there yet. Packets leave through `ifindex`. `room`: the limit of
 * flows. NULL with `fault` set. */
struct dataplane *balancer_create(const char *pin_dir, unsigned int ifindex, uint32_t room,
				  struct fault *fault);

/* Where the service of `pool` listens, TCP and UDP; the first one's address. */
enum { BALANCER_PORT = 80 };
struct addr balancer_vip(enum balancer_pool pool, uint8_t family);

/* Whether what belongs to no service may be the answer of a NAT backend. */
void balancer_nat(struct dataplane *dp, bool in_use);

/* Packets by verdict: verdicts[LB_FORWARDED] those of the pool's services. 0 or a negative errno.
 */
int balancer_counted(struct dataplane *dp, enum balancer_pool pool, uint8_t family,
		     uint64_t verdicts[LB_VERDICT_COUNT]);

/* Entries of flows, clients and NAT flows, as the program counts them. */
uint64_t balancer_entries(struct dataplane *dp);

/* Every entry of every table as a sweep at tick `now` judges it: how many were read, or a negative
 * errno. */
int64_t balancer_sweep(struct dataplane *dp, uint32_t now);

/* Deletes all entries. 0 or a negative errno. */
int balancer_forget(struct dataplane *dp);

#endif
