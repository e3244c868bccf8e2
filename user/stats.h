/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats: totals of services and backends from the folded counters (struct lb_counter).
 */
#ifndef LIMPET_STATS_H
#define LIMPET_STATS_H

#include "dataplane.h"
#include "model.h"

/* Each returns 0 or a negative errno; objects that are not published yet count zero. */
int stats_service(struct dataplane *dp, const struct service *service, struct lb_counter *out);
/* out[backend_count], in the pool's order. */
int stats_pool(struct dataplane *dp, const struct model *model, const struct pool *pool,
	       struct lb_counter *out);
/* out[LB_VERDICT_COUNT], FORWARDED from the services that there are. */
int stats_verdicts(struct dataplane *dp, const struct model *model, struct lb_verdict_counter *out);

/* All counts at once, each counter read once. `backends` follows the model's order: pools, and each
 * pool's backends. */
struct stats_totals {
	struct lb_counter *services; /* [service_count] */
	struct lb_counter *backends; /* of all pools */
	struct lb_verdict_counter verdicts[LB_VERDICT_COUNT];
};
/* 0 with `out` to be destroyed, or a negative errno with nothing to destroy. */
int stats_collect(struct dataplane *dp, const struct model *model, struct stats_totals *out);
void stats_totals_destroy(struct stats_totals *totals);

#endif
