/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* publish: the round and the adoption of what is there; see publish.h and publish_private.h. */
#include "publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "publish_private.h"
#include "slots.h"

void publish_fail(struct publish *publish, const struct fault *fault)
{
	if (!publish->failed && publish->fault)
		*publish->fault = *fault;
	publish->failed = true;
}

/* Runs that a crash left overlapping belong to whoever comes first; the other is made anew. */
static int publish_read_pool(struct publish *publish, uint32_t index)
{
	struct held_pool *held = &publish->pools[index];
	struct lb_pool *pool = &dataplane_pools(publish->dp)[index];
	int rc = dataplane_pool_identity(publish->dp, index, &held->identity);

	if (rc < 0)
		return rc;
	if (!held->identity.name[0] || !LB_TABLE_SIZE(pool->table))
		return 0;
	if (extent_claim(&publish->slot_runs, LB_TABLE_BASE(pool->table),
			 LB_TABLE_SIZE(pool->table)) == 0) {
		if (extent_claim(&publish->time_runs, pool->times_base,
				 LB_TABLE_SIZE(pool->table)) == 0)
			return 0;
		extent_release(&publish->slot_runs, LB_TABLE_BASE(pool->table));
	}
	__atomic_store_n(&pool->table, 0, __ATOMIC_RELEASE);
	return 0;
}

static int publish_read_service(struct publish *publish, uint32_t index)
{
	struct held_service *held = &publish->services[index];
	int rc = dataplane_service_identity(publish->dp, index, &held->identity);

	if (rc < 0)
		return rc;
	if (held->identity.name[0] &&
	    extent_claim(&publish->counter_runs, held->identity.counter_base,
			 held->identity.counter_count) < 0)
		held->identity.name[0] = '\0';
	return 0;
}

static int publish_read(struct publish *publish)
{
	int rc = publish_listeners_read(publish);

	if (rc == 0)
		rc = publish_sources_read(publish);
	for (uint32_t i = 1; rc == 0 && i <= publish->limits.services; i++)
		rc = publish_read_pool(publish, i);
	for (uint32_t i = 1; rc == 0 && i <= publish->limits.services; i++)
		rc = publish_read_service(publish, i);
	for (uint32_t i = 1; rc == 0 && i <= publish->limits.backends; i++) {
		rc = dataplane_backend_identity(publish->dp, i, &publish->backends[i].identity);
		publish_backend_link(publish, i);
	}
	for (uint32_t i = 1; rc == 0 && i <= publish->limits.services; i++) {
		if (publish->pools[i].identity.name[0])
			publish_table_count(publish, i);
	}
	return rc;
}

struct publish *publish_create(struct dataplane *dp, struct fault *fault)
{
	const struct lb_settings *settings = dataplane_settings(dp);
	struct publish *publish = calloc(1, sizeof(*publish));
	int rc;

	if (!publish)
		goto out_of_memory;
	publish->dp = dp;
	publish->limits = settings->limits;
	memcpy(publish->seed, settings->hash_seed, sizeof(publish->seed));
	publish->pools = calloc(publish->limits.services + 1UL, sizeof(*publish->pools));
	publish->services = calloc(publish->limits.services + 1UL, sizeof(*publish->services));
	publish->backends = calloc(publish->limits.backends + 1UL, sizeof(*publish->backends));
	if (!publish->pools || !publish->services || !publish->backends)
		goto out_of_memory;
	publish->slot_runs =
		(struct extents){.capacity = publish->limits.slots, .alignment = LB_SLOT_BLOCK};
	publish->time_runs = (struct extents){.capacity = publish->limits.slots, .alignment = 1};
	publish->counter_runs =
		(struct extents){.capacity = publish->limits.counters, .alignment = 1};
	rc = publish_read(publish);
	if (rc < 0) {
		fault_set(fault, fault_code_of_errno(-rc), "%s: reading the maps: %s",
			  settings->pin_dir, strerror(-rc));
		publish_free(publish);
		return NULL;
	}
	return publish;

out_of_memory:
	publish_free(publish);
	fault_set(fault, FAULT_FAILED, "data plane: reading its maps: %s", strerror(ENOMEM));
	return NULL;
}

void publish_free(struct publish *publish)
{
	if (!publish)
		return;
	extent_destroy(&publish->slot_runs);
	extent_destroy(&publish->time_runs);
	extent_destroy(&publish->counter_runs);
	free(publish->listeners.items);
	free(publish->sources.items);
	free(publish->pools);
	free(publish->services);
	free(publish->backends);
	free(publish);
}

uint64_t publish_build_ns(const struct publish *publish)
{
	return publish->build_ns;
}

bool publish_grace_begin(struct publish *publish)
{
	bool slots = extent_seal(&publish->slot_runs);

	return extent_seal(&publish->counter_runs) || slots;
}

void publish_grace_over(struct publish *publish)
{
	extent_reclaim_sealed(&publish->slot_runs);
	extent_reclaim_sealed(&publish->counter_runs);
}

int publish_run(struct publish *publish, struct model *model, struct fault *fault)
{
	publish->fault = fault;
	publish->failed = false;

	publish_place(publish, model);
	publish_services_remove(publish, model);
	publish_pools(publish);
	publish_backends_down(publish);
	publish_tables_finish(publish);
	publish_backends(publish, model);
	publish_tables(publish);
	publish_nat(publish, model);
	publish_sources_add(publish, model);
	publish_services_add(publish, model);
	publish_sources_remove(publish, model);
	publish_forget(publish);

	publish->fault = NULL;
	return publish->failed ? -1 : 0;
}

/* The next hop as the last controller knew it, until the kernel's tables are asked again. */
static void adopt_hop(const struct lb_backend *entry, struct backend *backend)
{
	struct next_hop *hop = &backend->hop;

	if (!(entry->status & LB_BACKEND_USABLE) || !entry->ifindex)
		return;
	hop->resolved = true;
	hop->ifindex = entry->ifindex;
	hop->mtu = entry->mtu;
	memcpy(hop->source_mac, entry->source_mac, sizeof(hop->source_mac));
	memcpy(hop->destination_mac, entry->destination_mac, sizeof(hop->destination_mac));
	if (!entry->source_bits) {
		hop->source.family = backend->address.family;
		hop->source.ip = entry->outer_source;
	}
}

/* As the last controller left it, its flapping included. */
static void adopt_health(const struct lb_backend_identity *identity, struct backend *backend)
{
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);

	backend->health = identity->health;
	backend->since_ms = identity->since_ms;
	backend->short_lives = identity->short_lives;
	backend->history = (struct health_history){.up_since_ms = identity->up_since_ms,
						   .held_until_ms = identity->held_until_ms,
						   .short_lives = identity->short_lives};
	if (identity->held_until_ms > now_ms)
		backend->held_until_ms =
			clock_ms(CLOCK_REALTIME) + (identity->held_until_ms - now_ms);
}

static void adopt_backend(const struct publish *publish, const struct pool *pool,
			  struct backend *backend)
{
	for (uint32_t i = publish->pools[pool->index].first; i; i = publish->backends[i].next) {
		const struct lb_backend_identity *identity = &publish->backends[i].identity;

		if (!publish_backend_is(identity, pool, backend))
			continue;
		backend->index = i;
		if (pool->check.type != CHECK_NONE && identity->health < HEALTH_COUNT)
			adopt_health(identity, backend);
		adopt_hop(&dataplane_backends(publish->dp)[i], backend);
		return;
	}
}

/* So that counters of traffic go on where they were. */
static void adopt_service(const struct publish *publish, const struct model *model,
			  struct service *service)
{
	const struct pool *pool = model_pool_find(model, service->pool);

	for (uint32_t i = 1; pool && pool->index && i <= publish->limits.services; i++) {
		const struct lb_service_identity *identity = &publish->services[i].identity;

		if (identity->pool == pool->index && strcmp(identity->name, service->name) == 0)
			service->index = i;
	}
}

void publish_adopt(struct publish *publish, struct model *model)
{
	for (size_t p = 0; p < model->pool_count; p++) {
		struct pool *pool = model->pools[p];

		for (uint32_t i = 1; i <= publish->limits.services; i++) {
			if (strcmp(publish->pools[i].identity.name, pool->name) == 0)
				pool->index = i;
		}
		if (!pool->index)
			continue;
		for (size_t b = 0; b < pool->backend_count; b++)
			adopt_backend(publish, pool, pool->backends[b]);
		publish_table_report(publish, pool);
	}
	for (size_t s = 0; s < model->service_count; s++)
		adopt_service(publish, model, model->services[s]);
}

static void settle_pool(struct publish *publish, uint32_t index, uint32_t began)
{
	struct lb_pool *entry = &dataplane_pools(publish->dp)[index];
	uint64_t table = entry->table;
	uint32_t unsettled =
		slots_settle(dataplane_slots(publish->dp) + LB_TABLE_BASE(table),
			     dataplane_slot_times(publish->dp) + entry->times_base,
			     LB_TABLE_SIZE(table), began, dataplane_tick(), entry->idle_longest);

	if (!unsettled)
		__atomic_fetch_and(&entry->flags, ~(uint32_t)LB_POOL_UNSETTLED, __ATOMIC_RELEASE);
	publish_table_count(publish, index);
}

void publish_settle(struct publish *publish, struct model *model, uint32_t began)
{
	publish->sweeps++;
	for (size_t p = 0; p < model->pool_count; p++) {
		uint32_t index = model->pools[p]->index;

		if (!index || !publish->pools[index].unsettled_slots)
			continue;
		settle_pool(publish, index, began);
		publish_table_report(publish, model->pools[p]);
	}
}
