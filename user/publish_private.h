/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_private: what the parts of publish share: what the maps hold (held_*), and beside each
 * held object the wanted one of the model of this round.
 *
 *   publish.c           the round, adoption
 *   publish_place.c     indices and identities: which held object is which wanted one
 *   publish_backend.c   entries of backends
 *   publish_table.c     tables of pools
 *   publish_nat.c       what concerns NAT as a whole
 *   publish_service.c   listeners, VIPs
 *   publish_source.c    allow and deny lists, limits of new flows
 *   publish_counter.c   runs of counters
 */
#ifndef LIMPET_PUBLISH_PRIVATE_H
#define LIMPET_PUBLISH_PRIVATE_H

#include "extent.h"
#include "publish.h"

/* A zero name in an identity: the index is free. `wanted` NULL: it is to go. */
struct held_pool {
	struct lb_pool_identity identity;
	struct pool *wanted;
	uint64_t inputs; /* hash of all that the table was made from; 0: not known */
	uint32_t unsettled_slots;
	uint32_t first; /* of its held backends, linked by `next`; 0: it has none */
	bool usable;    /* some backend of it is */
};

struct held_backend {
	struct lb_backend_identity identity;
	struct backend *wanted;
	struct pool *pool;  /* of `wanted` */
	uint32_t slots;     /* owned, in the table in force */
	uint32_t fallbacks; /* slots of others whose fallback it is */
	uint32_t freed;     /* without a name: the sweep before which it was forgotten */
	uint32_t next;      /* of the same pool; 0: the last */
};

struct held_service {
	struct lb_service_identity identity;
	struct service *wanted;
};

/* One entry of services_v4 or services_v6. */
struct held_listener {
	struct addr vip;
	struct port_block block;
	uint8_t proto;
	struct lb_service value;
};

struct held_listeners {
	struct held_listener *items; /* ordered by key */
	size_t count;
};

/* One entry of sources_v4 or sources_v6. */
struct held_source {
	uint32_t service;
	struct source_rule rule;
};

struct held_sources {
	struct held_source *items; /* ordered by service and prefix */
	size_t count;
	size_t room;
};

struct publish {
	struct dataplane *dp;
	struct lb_limits limits;
	uint8_t seed[LB_SEED_SIZE];
	struct held_pool *pools;       /* [limits.services + 1] */
	struct held_backend *backends; /* [limits.backends + 1] */
	struct held_service *services; /* [limits.services + 1] */
	struct held_listeners listeners;
	uint64_t vips_inputs; /* hash of what the VIPs' values were made from; 0: not known */
	struct held_sources sources;
	struct extents slot_runs;
	struct extents time_runs; /* of slot_times: one for each pool, for as long as its size */
	struct extents counter_runs;
	uint32_t sweeps;     /* complete ones since the start */
	uint32_t vacant;     /* of this round: no index of a backend below is vacant */
	uint64_t build_ns;   /* what building a table took last */
	struct fault *fault; /* of this round: the first failure */
	bool failed;
};

/* Keeps the round's first failure. */
void publish_fail(struct publish *publish, const struct fault *fault);

/* publish_place.c: finds or allots an index for every object of the model, and writes identities of
 * new ones. Objects without room keep index 0. */
void publish_place(struct publish *publish, struct model *model);
/* Enters a held backend that has its identity into its pool's list. */
void publish_backend_link(struct publish *publish, uint32_t index);
/* Forgets held pools, backends and services that nothing wants, once no packet can meet them. */
void publish_forget(struct publish *publish);
/* Whether that is the backend's identity: see publish_place.c. `pool` has its index. */
bool publish_backend_is(const struct lb_backend_identity *identity, const struct pool *pool,
			const struct backend *backend);
enum lb_forward publish_forward(const struct pool *pool, const struct backend *backend);

/* publish_backend.c: those that become unusable, then all. */
void publish_backends_down(struct publish *publish);
void publish_backends(struct publish *publish, const struct model *model);

/* publish_nat.c: what concerns NAT as a whole, before services are added. */
void publish_nat(struct publish *publish, const struct model *model);

/* publish_table.c */
void publish_pools(struct publish *publish); /* the pools' properties, without their tables */
/* Tables that name a backend which went down and is to come up in this round: without it, so that
 * nothing is left that went there before. */
void publish_tables_finish(struct publish *publish);
void publish_tables(struct publish *publish);
/* Counts owners and fallbacks of the table in force into the held backends and the pool. */
void publish_table_count(struct publish *publish, uint32_t index);
/* Tells the model what the table in force says. For a pool that has an index. */
void publish_table_report(const struct publish *publish, struct pool *pool);

/* publish_service.c */
int publish_listeners_read(struct publish *publish);
void publish_services_add(struct publish *publish, const struct model *model);
void publish_services_remove(struct publish *publish, const struct model *model);
/* Writes all listeners of a service again, after its run of counters moved. */
int publish_service_rewrite(struct publish *publish, uint32_t index);

/* publish_source.c: new prefixes come before the listener that asks for them, old ones go after it
 * was told, so that no packet meets half a list. */
int publish_sources_read(struct publish *publish);
void publish_sources_add(struct publish *publish, const struct model *model);
void publish_sources_remove(struct publish *publish, const struct model *model);
uint32_t publish_source_flags(const struct service *service); /* enum lb_service_flag */

/* publish_counter.c: makes sure that the pool's services have a counter for one more backend, and
 * returns its offset, or 0 with the failure noted. */
uint16_t publish_counter_take(struct publish *publish, uint32_t pool);
/* A run for a new service of the pool: 0, or -1 with the failure noted. */
int publish_counter_run(struct publish *publish, uint32_t pool,
			struct lb_service_identity *service);
/* The counts of a backend that goes stay with its services. */
void publish_counter_fold(struct publish *publish, uint32_t backend);
void publish_counter_release(struct publish *publish, const struct lb_service_identity *service);

#endif
