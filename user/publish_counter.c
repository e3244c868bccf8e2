/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_counter: runs of counters. A service has one counter for each backend of its pool (and
 * offset 0 for packets without one), so that a packet costs one entry; see struct lb_counter.
 *
 * The runs of all services of a pool are equally long. When a pool outgrows them, its services move
 * to longer ones: listeners are switched, and once no packet counts in the old run any more, its
 * sums are carried over, so that totals never fall.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish_private.h"

enum { RUN_MIN = 16 };

static void fail_counters(struct publish *publish, const char *pool, int error)
{
	struct fault fault;

	if (error == ENOSPC) {
		fault_set(&fault, FAULT_FAILED,
			  "pool %s: no room to count for one more backend or service (%u counters "
			  "in all)",
			  pool, publish->limits.counters);
		fault_hint(&fault, "raise global.limits.counters, then attach the data plane anew");
	} else {
		fault_set(&fault, fault_code_of_errno(error), "pool %s: making room to count: %s",
			  pool, strerror(error));
	}
	publish_fail(publish, &fault);
}

static int run_take(struct publish *publish, uint32_t count, uint32_t *base)
{
	int rc = extent_take(&publish->counter_runs, count, base);

	if (rc == -EAGAIN) {
		rc = dataplane_wait_grace(publish->dp);
		if (rc < 0)
			return rc;
		extent_reclaim(&publish->counter_runs);
		rc = extent_take(&publish->counter_runs, count, base);
	}
	return rc < 0 ? rc : dataplane_counters_clear(publish->dp, *base, count);
}

/* What an old run counted becomes what the new one is said to have counted. */
static int run_carry(struct publish *publish, const struct lb_service_identity *from, uint32_t to)
{
	struct lb_counter *sums = calloc(from->counter_count, sizeof(*sums));
	int rc = -ENOMEM;

	if (!sums)
		return rc;
	rc = dataplane_counters(publish->dp, from->counter_base, from->counter_count, sums);
	for (uint32_t i = 0; rc == 0 && i < from->counter_count; i++) {
		if (sums[i].packets)
			rc = dataplane_counter_carry(publish->dp, to + i, &sums[i]);
	}
	free(sums);
	return rc;
}

static int service_grow(struct publish *publish, uint32_t index, uint32_t count)
{
	struct held_service *held = &publish->services[index];
	struct lb_service_identity old = held->identity;
	uint32_t base;
	int rc = run_take(publish, count, &base);

	if (rc < 0)
		return rc;
	held->identity.counter_base = base;
	held->identity.counter_count = count;
	rc = dataplane_service_identity_put(publish->dp, index, &held->identity);
	if (rc == 0)
		rc = publish_service_rewrite(publish, index);
	if (rc < 0) {
		held->identity = old;
		extent_release(&publish->counter_runs, base);
		return rc;
	}
	rc = dataplane_wait_grace(publish->dp);
	if (rc == 0)
		rc = run_carry(publish, &old, base);
	extent_release(&publish->counter_runs, old.counter_base);
	return rc;
}

static int pool_grow(struct publish *publish, uint32_t pool, uint32_t count)
{
	struct held_pool *held = &publish->pools[pool];
	int rc = 0;

	for (uint32_t i = 1; rc == 0 && i <= publish->limits.services; i++) {
		const struct lb_service_identity *service = &publish->services[i].identity;

		if (service->name[0] && service->pool == pool && service->counter_count < count)
			rc = service_grow(publish, i, count);
	}
	if (rc < 0)
		return rc;
	held->identity.counter_count = count;
	return dataplane_pool_identity_put(publish->dp, pool, &held->identity);
}

uint16_t publish_counter_take(struct publish *publish, uint32_t pool)
{
	struct held_pool *held = &publish->pools[pool];
	uint32_t count = held->identity.counter_count ? held->identity.counter_count : RUN_MIN;
	uint8_t *taken = calloc(UINT16_MAX + 1, 1);
	uint32_t offset = 1;
	int rc = taken ? 0 : -ENOMEM;

	for (uint32_t i = rc == 0 ? held->first : 0; i; i = publish->backends[i].next)
		taken[dataplane_backends(publish->dp)[i].counter] = 1;
	while (rc == 0 && offset <= UINT16_MAX && taken[offset])
		offset++;
	free(taken);
	while (offset >= count)
		count *= 2;
	if (rc == 0 && offset > UINT16_MAX)
		rc = -ENOSPC;
	if (rc == 0 && count > held->identity.counter_count)
		rc = pool_grow(publish, pool, count);
	if (rc < 0) {
		fail_counters(publish, held->identity.name, -rc);
		return 0;
	}
	return offset;
}

int publish_counter_run(struct publish *publish, uint32_t pool, struct lb_service_identity *service)
{
	const struct lb_pool_identity *identity = &publish->pools[pool].identity;
	int rc;

	service->counter_count = identity->counter_count ? identity->counter_count : RUN_MIN;
	rc = run_take(publish, service->counter_count, &service->counter_base);
	if (rc < 0) {
		fail_counters(publish, identity->name, -rc);
		return -1;
	}
	return 0;
}

void publish_counter_fold(struct publish *publish, uint32_t backend)
{
	uint32_t pool = publish->backends[backend].identity.pool;
	uint16_t offset = dataplane_backends(publish->dp)[backend].counter;

	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		const struct lb_service_identity *service = &publish->services[i].identity;
		uint32_t at = service->counter_base + offset;
		struct lb_counter sum;

		if (!service->name[0] || service->pool != pool || offset >= service->counter_count)
			continue;
		if (dataplane_counters(publish->dp, at, 1, &sum) == 0 && sum.packets)
			dataplane_counter_carry(publish->dp, service->counter_base, &sum);
		dataplane_counters_clear(publish->dp, at, 1);
	}
}

void publish_counter_release(struct publish *publish, const struct lb_service_identity *service)
{
	extent_release(&publish->counter_runs, service->counter_base);
}
