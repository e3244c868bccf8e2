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
};

/* One service over one pool for each, and for each family. */
enum balancer_pool {
	BALANCER_CHANGED, /* settled; entries only where a slot is changed: the default */
	BALANCER_ALWAYS,  /* an entry for each flow */
	BALANCER_POOLS
};

/* `pin_dir`: on a bpffs, not there yet. Packets leave through `ifindex`. NULL with `fault` set. */
struct dataplane *balancer_create(const char *pin_dir, unsigned int ifindex, struct fault *fault);

/* Where the service of `pool` listens, TCP. */
enum { BALANCER_PORT = 80 };
struct addr balancer_vip(enum balancer_pool pool, uint8_t family);

/* Packets forwarded, and those that ended in any other way; 0 or a negative errno. */
int balancer_counted(struct dataplane *dp, uint64_t *forwarded, uint64_t *other);

/* Flows of the family that have an entry, or a negative errno. */
int64_t balancer_tracked(struct dataplane *dp, uint8_t family);

/* Deletes all entries. 0 or a negative errno. */
int balancer_forget(struct dataplane *dp);

#endif
