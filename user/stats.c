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

/* The service's counters; at 0 is what ended without a backend. The caller frees `*run`, which is
 * NULL if there are none. */
static int read_run(struct dataplane *dp, const struct service *service, struct lb_counter **run,
		    uint32_t *count)
{
	struct lb_service_identity identity;
	int error;

	*run = NULL;
	*count = 0;
	if (!service->index)
		return 0;
	error = dataplane_service_identity(dp, service->index, &identity);
	if (error || !identity.counter_count)
		return error;
	*run = calloc(identity.counter_count, sizeof(**run));
	if (!*run)
		return -ENOMEM;
	error = dataplane_counters(dp, identity.counter_base, identity.counter_count, *run);
	if (!error)
		*count = identity.counter_count;
	return error;
}

/* Adds up the service's run from `offset` on. */
static int add_run(struct dataplane *dp, const struct service *service, uint32_t offset,
		   struct lb_counter *sum)
{
	struct lb_counter *run;
	uint32_t count;
	int error = read_run(dp, service, &run, &count);

	for (uint32_t i = offset; i < count; i++)
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

/* ---- everything at once ---- */

/* Where the backends of each pool begin in a row of all backends; [pool_count] is their number. */
static size_t *pool_starts(const struct model *model)
{
	size_t *starts = calloc(model->pool_count + 1, sizeof(*starts));

	for (size_t i = 0; starts && i < model->pool_count; i++)
		starts[i + 1] = starts[i] + model->pools[i]->backend_count;
	return starts;
}

/* The pools are ordered by name. `pool_count` if there is none. */
static size_t pool_position(const struct model *model, const char *name)
{
	size_t low = 0, high = model->pool_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(model->pools[middle]->name, name);

		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return model->pool_count;
}

/* Gives each backend of the pool its part of the run. */
static void share_run(struct dataplane *dp, const struct pool *pool, const struct lb_counter *run,
		      uint32_t count, struct lb_counter *backends)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->backends[i]->index;
		uint32_t offset = index ? dataplane_backends(dp)[index].counter : 0;

		if (offset && offset < count)
			counter_add(&backends[i], &run[offset]);
	}
}

static int collect_service(struct dataplane *dp, const struct model *model, size_t at,
			   const size_t *starts, struct stats_totals *out)
{
	const struct service *service = model->services[at];
	struct lb_verdict_counter *forwarded = &out->verdicts[LB_FORWARDED];
	size_t pool = pool_position(model, service->pool);
	struct lb_counter *run;
	uint32_t count;
	int error = read_run(dp, service, &run, &count);

	for (uint32_t i = 0; i < count; i++) {
		counter_add(&out->services[at], &run[i]);
		if (!i)
			continue;
		forwarded->packets += run[i].packets;
		forwarded->bytes += run[i].bytes;
	}
	if (count && pool < model->pool_count)
		share_run(dp, model->pools[pool], run, count, out->backends + starts[pool]);
	free(run);
	return error;
}

int stats_collect(struct dataplane *dp, const struct model *model, struct stats_totals *out)
{
	size_t *starts = pool_starts(model);
	int error = -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (!starts)
		return error;
	out->services = calloc(model->service_count + 1, sizeof(*out->services));
	out->backends = calloc(starts[model->pool_count] + 1, sizeof(*out->backends));
	if (out->services && out->backends)
		error = dataplane_verdicts_ended(dp, out->verdicts);
	for (size_t i = 0; !error && i < model->service_count; i++)
		error = collect_service(dp, model, i, starts, out);
	free(starts);
	if (error)
		stats_totals_destroy(out);
	return error;
}

void stats_totals_destroy(struct stats_totals *totals)
{
	free(totals->services);
	free(totals->backends);
	memset(totals, 0, sizeof(*totals));
}
