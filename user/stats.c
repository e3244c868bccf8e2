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

int stats_service(struct dataplane *dp, const struct service *service, struct lb_counter *out)
{
	struct lb_counter *run;
	uint32_t count;
	int error = read_run(dp, service, &run, &count);

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < count; i++)
		counter_add(out, &run[i]);
	free(run);
	return error;
}

/* Gives each backend of the pool its part of the run. */
static void share_run(struct dataplane *dp, const struct pool *pool, const struct lb_counter *run,
		      uint32_t count, struct lb_counter *backends)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->backends[i]->index;
		uint32_t offset = index ? dataplane_backends(dp)[index].counter : 0;

		/* Offset 0 is every pool's "ended without a backend". */
		if (offset && offset < count)
			counter_add(&backends[i], &run[offset]);
	}
}

int stats_pool(struct dataplane *dp, const struct model *model, const struct pool *pool,
	       struct lb_counter *out)
{
	int error = 0;

	memset(out, 0, pool->backend_count * sizeof(*out));
	for (size_t i = 0; !error && i < model->service_count; i++) {
		const struct service *service = model->services[i];
		struct lb_counter *run;
		uint32_t count;

		if (strcmp(service->pool, pool->name) != 0)
			continue;
		error = read_run(dp, service, &run, &count);
		share_run(dp, pool, run, count, out);
		free(run);
	}
	return error;
}

/* ---- everything at once ---- */

/* All counters that services have, read at one go: call by call takes longer than the counters. */
struct snapshot {
	struct lb_service_identity *identities; /* of the model's services, in its order */
	struct lb_counter *counters;            /* all up to the end of the last run */
};

static int snapshot_read(struct dataplane *dp, const struct model *model, struct snapshot *out)
{
	uint32_t end = 0;
	int error;

	out->counters = NULL;
	out->identities = calloc(model->service_count + 1, sizeof(*out->identities));
	error = out->identities ? 0 : -ENOMEM;
	for (size_t i = 0; !error && i < model->service_count; i++) {
		struct lb_service_identity *identity = &out->identities[i];

		if (!model->services[i]->index)
			continue;
		error = dataplane_service_identity(dp, model->services[i]->index, identity);
		if (!error && identity->counter_count &&
		    identity->counter_base + identity->counter_count > end)
			end = identity->counter_base + identity->counter_count;
	}
	if (!error) {
		out->counters = calloc(end + 1, sizeof(*out->counters));
		error = !out->counters ? -ENOMEM
			: end          ? dataplane_counters(dp, 0, end, out->counters)
				       : 0;
	}
	return error;
}

static void snapshot_destroy(struct snapshot *snapshot)
{
	free(snapshot->identities);
	free(snapshot->counters);
}

/* The sum of the service's run; at 0 is what ended without a backend, and was not forwarded. */
static void sum_run(const struct snapshot *snapshot, size_t at, struct lb_counter *sum,
		    struct lb_verdict_counter *forwarded)
{
	const struct lb_service_identity *identity = &snapshot->identities[at];
	const struct lb_counter *run = snapshot->counters + identity->counter_base;

	for (uint32_t i = 0; i < identity->counter_count; i++) {
		counter_add(sum, &run[i]);
		if (!i)
			continue;
		forwarded->packets += run[i].packets;
		forwarded->bytes += run[i].bytes;
	}
}

int stats_verdicts(struct dataplane *dp, const struct model *model, struct lb_verdict_counter *out)
{
	struct lb_verdict_counter forwarded = {0};
	struct lb_counter any = {0};
	struct snapshot snapshot;
	int error = snapshot_read(dp, model, &snapshot);

	if (!error)
		error = dataplane_verdicts_ended(dp, out);
	for (size_t i = 0; !error && i < model->service_count; i++)
		sum_run(&snapshot, i, &any, &forwarded);
	if (!error)
		out[LB_FORWARDED] = forwarded;
	snapshot_destroy(&snapshot);
	return error;
}

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

static void share_service(struct dataplane *dp, const struct model *model, size_t at,
			  const struct snapshot *snapshot, const size_t *starts,
			  struct stats_totals *out)
{
	const struct lb_service_identity *identity = &snapshot->identities[at];
	size_t pool = pool_position(model, model->services[at]->pool);

	sum_run(snapshot, at, &out->services[at], &out->verdicts[LB_FORWARDED]);
	if (pool < model->pool_count)
		share_run(dp, model->pools[pool], snapshot->counters + identity->counter_base,
			  identity->counter_count, out->backends + starts[pool]);
}

int stats_collect(struct dataplane *dp, const struct model *model, struct stats_totals *out)
{
	size_t *starts = pool_starts(model);
	struct snapshot snapshot;
	int error = -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (!starts)
		return error;
	out->services = calloc(model->service_count + 1, sizeof(*out->services));
	out->backends = calloc(starts[model->pool_count] + 1, sizeof(*out->backends));
	if (out->services && out->backends)
		error = dataplane_verdicts_ended(dp, out->verdicts);
	if (!error) {
		error = snapshot_read(dp, model, &snapshot);
		for (size_t i = 0; !error && i < model->service_count; i++)
			share_service(dp, model, i, &snapshot, starts, out);
		snapshot_destroy(&snapshot);
	}
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
