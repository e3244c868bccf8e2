/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats: totals of services and backends from the folded counters (struct lb_counter).
 *
 * Reads through dataplane and names objects as model does; knows nothing of where totals are shown.
 */
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void counter_add(struct lb_counter *sum, const struct lb_counter *amount)
{
	sum->packets += amount->packets;
	sum->bytes += amount->bytes;
	sum->new_flows += amount->new_flows;
}

/* Adds up the service's run from `offset` on: at 0 is what ended without a backend. */
static int add_run(struct dataplane *dp, const struct service *service, uint32_t offset,
		   struct lb_counter *sum)
{
	struct lb_service_identity identity;
	struct lb_counter *run;
	int error;

	if (!service->index)
		return 0;
	error = dataplane_service_identity(dp, service->index, &identity);
	if (error || identity.counter_count <= offset)
		return error;
	run = calloc(identity.counter_count - offset, sizeof(*run));
	if (!run)
		return -ENOMEM;
	error = dataplane_counters(dp, identity.counter_base + offset,
				   identity.counter_count - offset, run);
	for (uint32_t i = 0; !error && i < identity.counter_count - offset; i++)
		counter_add(sum, &run[i]);
	free(run);
	return error;
}

int stats_service(struct dataplane *dp, const struct service *service, struct lb_counter *out)
{
	memset(out, 0, sizeof(*out));
	return add_run(dp, service, 0, out);
}

int stats_verdicts(struct dataplane *dp, const struct model *model, struct lb_verdict_counter *out)
{
	struct lb_counter forwarded = {0};
	int error = dataplane_verdicts_ended(dp, out);

	for (size_t i = 0; !error && i < model->service_count; i++)
		error = add_run(dp, model->services[i], 1, &forwarded);
	out[LB_FORWARDED].packets = forwarded.packets;
	out[LB_FORWARDED].bytes = forwarded.bytes;
	return error;
}

int stats_backend(struct dataplane *dp, const struct model *model, const struct pool *pool,
		  const struct backend *backend, struct lb_counter *out)
{
	uint32_t offset;

	memset(out, 0, sizeof(*out));
	if (!backend->index)
		return 0;
	offset = dataplane_backends(dp)[backend->index].counter;
	/* Offset 0 is every pool's "ended without a backend". */
	if (!offset)
		return 0;
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];
		struct lb_service_identity identity;
		struct lb_counter counter;
		int error;

		if (!service->index || strcmp(service->pool, pool->name) != 0)
			continue;
		error = dataplane_service_identity(dp, service->index, &identity);
		if (error)
			return error;
		if (offset >= identity.counter_count)
			continue;
		error = dataplane_counters(dp, identity.counter_base + offset, 1, &counter);
		if (error)
			return error;
		counter_add(out, &counter);
	}
	return 0;
}
