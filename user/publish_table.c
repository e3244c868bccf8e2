/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_table: tables of pools. A new table is written where nobody reads, and the pool switched
 * to it by one store; the old one is free again after a grace period.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "maglev.h"
#include "publish_private.h"
#include "siphash.h"
#include "slots.h"

enum { CLOSING_IDLE_MS = 60 * 1000 };

static uint32_t ticks(uint64_t ms)
{
	uint64_t count = (ms * 1000000 + (1U << 30) - 1) >> 30;

	return count > UINT32_MAX ? UINT32_MAX : count;
}

static void prefix_mask(uint8_t length, union lb_addr *mask)
{
	for (unsigned int i = 0; i < sizeof(mask->bytes); i++) {
		unsigned int bits = length > 8 * i ? length - 8 * i : 0;

		mask->bytes[i] = bits >= 8 ? 0xff : 0xff << (8 - bits);
	}
}

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Every word but the table and its times, which table_publish switches. */
void publish_pools(struct publish *publish)
{
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		const struct pool *pool = publish->pools[i].wanted;
		struct lb_pool *entry = &dataplane_pools(publish->dp)[i];
		struct lb_pool wanted = {0};
		union lb_addr mask_v4;

		if (!pool)
			continue;
		wanted.flags = entry->flags & (LB_POOL_UNSETTLED | LB_POOL_PINS);
		if (pool->track == TRACK_ALWAYS)
			wanted.flags |= LB_POOL_TRACK_ALWAYS;
		if (pool->affinity == AFFINITY_SOURCE_IP)
			wanted.flags |= LB_POOL_SOURCE;
		prefix_mask(pool->prefix_v4, &mask_v4);
		wanted.mask_v4 = mask_v4.v4;
		prefix_mask(pool->prefix_v6, &wanted.mask_v6);
		wanted.idle_tcp = ticks(pool->idle_tcp_ms);
		wanted.idle_udp = ticks(pool->idle_udp_ms);
		wanted.idle_closing = ticks(CLOSING_IDLE_MS);
		if (pool->affinity == AFFINITY_SOURCE_IP)
			wanted.client_timeout = ticks(pool->client_timeout_ms);
		wanted.idle_longest =
			max(max(wanted.idle_tcp, wanted.idle_udp), wanted.idle_closing);
		wanted.client_life = max(wanted.client_timeout, wanted.idle_longest);
		wanted.table = entry->table;
		wanted.times_base = entry->times_base;
		if (memcmp(entry, &wanted, sizeof(wanted)) != 0)
			*entry = wanted;
	}
}

static bool table_usable(const void *context, uint32_t backend)
{
	const struct publish *publish = context;

	return backend && backend <= publish->limits.backends &&
	       dataplane_backends(publish->dp)[backend].status & LB_BACKEND_USABLE;
}

/* All that a table depends on: equal inputs need no new one. */
static uint64_t table_inputs(const struct publish *publish, const struct pool *pool)
{
	struct table_input {
		uint32_t index;
		uint32_t weight;
		uint64_t status;
	} *inputs = calloc(pool->backend_count + 1, sizeof(*inputs));
	uint64_t hash;

	if (!inputs)
		return 0;
	inputs[0].index = pool->table_size;
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *backend = pool->backends[i];

		inputs[i + 1].index = backend->index;
		inputs[i + 1].weight = backend_effective_weight(pool, backend);
		inputs[i + 1].status = dataplane_backends(publish->dp)[backend->index].status;
	}
	hash = siphash(publish->seed, inputs, (pool->backend_count + 1) * sizeof(*inputs));
	free(inputs);
	return hash;
}

/* Maglev's owners as backend indices, and the digest of that table. */
static int table_owners(const struct publish *publish, const struct pool *pool, uint32_t *owners,
			uint64_t *digest)
{
	struct maglev_backend *backends = calloc(pool->backend_count + 1, sizeof(*backends));
	int32_t *table = malloc(pool->table_size * sizeof(*table));
	int rc = -ENOMEM;

	if (!backends || !table)
		goto out;
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *backend = pool->backends[i];

		backends[i].name = backend->name;
		/* Whoever is still to come up comes with the next table. */
		backends[i].weight = table_usable(publish, backend->index)
					     ? backend_effective_weight(pool, backend)
					     : 0;
	}
	rc = maglev_build(publish->seed, backends, pool->backend_count, table, pool->table_size);
	if (rc < 0)
		goto out;
	*digest = maglev_digest(backends, pool->backend_count, table, pool->table_size);
	for (uint32_t i = 0; i < pool->table_size; i++)
		owners[i] = table[i] < 0 ? 0 : pool->backends[table[i]]->index;
out:
	free(backends);
	free(table);
	return rc;
}

static int table_room(struct publish *publish, uint32_t size, uint32_t *base)
{
	int rc = extent_take(&publish->slot_runs, size, base);

	if (rc == -EAGAIN) {
		rc = dataplane_wait_grace(publish->dp);
		if (rc < 0)
			return rc;
		extent_reclaim(&publish->slot_runs);
		rc = extent_take(&publish->slot_runs, size, base);
	}
	return rc;
}

/* The pool's run of slot_times, for tables of `size`; a new one starts with "never". */
static int times_room(struct publish *publish, struct lb_pool *entry, uint32_t size)
{
	uint32_t base;
	int rc;

	if (LB_TABLE_SIZE(entry->table) == size)
		return 0;
	if (LB_TABLE_SIZE(entry->table))
		extent_release(&publish->time_runs, entry->times_base);
	rc = extent_take(&publish->time_runs, size, &base);
	if (rc == -EAGAIN) {
		extent_reclaim(&publish->time_runs);
		rc = extent_take(&publish->time_runs, size, &base);
	}
	if (rc < 0)
		return rc;
	memset(dataplane_slot_times(publish->dp) + base, 0, size * sizeof(struct lb_times));
	__atomic_store_n(&entry->times_base, base, __ATOMIC_RELEASE);
	return 0;
}

static void unsettled_flag(struct lb_pool *entry, bool unsettled)
{
	uint32_t flags = entry->flags & ~(uint32_t)LB_POOL_UNSETTLED;

	__atomic_store_n(&entry->flags, flags | (unsettled ? LB_POOL_UNSETTLED : 0),
			 __ATOMIC_RELEASE);
}

/* Writes the words beside the table in force and switches. */
static int table_switch(struct publish *publish, uint32_t index, const uint32_t *words,
			uint32_t size, uint64_t digest)
{
	struct held_pool *held = &publish->pools[index];
	struct lb_pool *entry = &dataplane_pools(publish->dp)[index];
	uint64_t old = entry->table;
	uint32_t base;
	int rc = table_room(publish, size, &base);

	if (rc < 0)
		return rc;
	memcpy(dataplane_slots(publish->dp) + base, words, size * sizeof(*words));
	held->identity.digest = digest;
	rc = dataplane_pool_identity_put(publish->dp, index, &held->identity);
	if (rc < 0) {
		extent_release(&publish->slot_runs, base);
		return rc;
	}
	if (slots_unsettled(words, size))
		unsettled_flag(entry, true);
	__atomic_store_n(&entry->table, LB_TABLE(base, size), __ATOMIC_RELEASE);
	if (LB_TABLE_SIZE(old))
		extent_release(&publish->slot_runs, LB_TABLE_BASE(old));
	return 0;
}

void publish_table_count(struct publish *publish, uint32_t index)
{
	struct held_pool *held = &publish->pools[index];
	uint64_t table = dataplane_pools(publish->dp)[index].table;
	const uint32_t *words = dataplane_slots(publish->dp) + LB_TABLE_BASE(table);

	for (uint32_t i = held->first; i; i = publish->backends[i].next) {
		publish->backends[i].slots = 0;
		publish->backends[i].fallbacks = 0;
	}
	held->unsettled_slots = slots_unsettled(words, LB_TABLE_SIZE(table));
	for (uint32_t i = 0; i < LB_TABLE_SIZE(table); i++) {
		uint32_t owner = LB_SLOT_OWNER(words[i]), fallback = LB_SLOT_FALLBACK(words[i]);

		if (owner <= publish->limits.backends)
			publish->backends[owner].slots++;
		if (fallback != owner && fallback <= publish->limits.backends)
			publish->backends[fallback].fallbacks++;
	}
}

static int table_publish(struct publish *publish, uint32_t index)
{
	const struct pool *pool = publish->pools[index].wanted;
	struct lb_pool *entry = &dataplane_pools(publish->dp)[index];
	uint32_t size = pool->table_size;
	bool same_size = LB_TABLE_SIZE(entry->table) == size;
	const uint32_t *old =
		same_size ? dataplane_slots(publish->dp) + LB_TABLE_BASE(entry->table) : NULL;
	uint32_t *words = malloc(size * sizeof(*words));
	uint64_t digest, began_ns = clock_ns(CLOCK_MONOTONIC);
	int rc = words ? table_owners(publish, pool, words, &digest) : -ENOMEM;

	publish->build_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (rc == 0)
		rc = times_room(publish, entry, size);
	if (rc == 0) {
		slots_change(old, words, words,
			     dataplane_slot_times(publish->dp) + entry->times_base,
			     dataplane_tick(), size, table_usable, publish);
		if (!old || memcmp(old, words, size * sizeof(*words)) != 0)
			rc = table_switch(publish, index, words, size, digest);
	}
	if (rc == 0)
		publish_table_count(publish, index);
	free(words);
	return rc;
}

static void table_failed(struct publish *publish, const struct pool *pool, int error)
{
	struct fault fault;

	if (error == ENOSPC) {
		fault_set(
			&fault, FAULT_FAILED,
			"pool %s: publishing its table: %u slots do not fit (%u in all, with room "
			"to write a new table beside those in use)",
			pool->name, pool->table_size, publish->limits.slots);
		fault_hint(&fault, "raise global.limits.slots or lower table_size, then attach the "
				   "data plane anew");
	} else {
		fault_set(&fault, fault_code_of_errno(error), "pool %s: publishing its table: %s",
			  pool->name, strerror(error));
	}
	publish_fail(publish, &fault);
}

void publish_table_report(const struct publish *publish, struct pool *pool)
{
	const struct held_pool *held = &publish->pools[pool->index];

	pool->table_digest = held->identity.digest;
	pool->unsettled_slots = held->unsettled_slots;
	for (size_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->backends[i]->index;

		pool->backends[i]->slots = index ? publish->backends[index].slots : 0;
		pool->backends[i]->left_slots = index ? publish->backends[index].fallbacks : 0;
	}
}

/* Whether the table in force names a backend that is down in the maps and wanted up. */
static bool table_unfinished(const struct publish *publish, const struct held_pool *held)
{
	const struct pool *pool = held->wanted;

	for (size_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->backends[i]->index;
		const struct held_backend *backend = &publish->backends[index];

		if (index && backend->slots + backend->fallbacks > 0 &&
		    !table_usable(publish, index) && backend_usable(pool, pool->backends[i]))
			return true;
	}
	return false;
}

void publish_tables_finish(struct publish *publish)
{
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		struct held_pool *held = &publish->pools[i];
		int rc;

		if (!held->wanted || !table_unfinished(publish, held))
			continue;
		rc = table_publish(publish, i);
		held->inputs = 0;
		if (rc < 0)
			table_failed(publish, held->wanted, -rc);
	}
}

void publish_tables(struct publish *publish)
{
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		struct held_pool *held = &publish->pools[i];
		uint64_t inputs;
		int rc;

		if (!held->wanted)
			continue;
		inputs = table_inputs(publish, held->wanted);
		if (!inputs || inputs != held->inputs) {
			rc = table_publish(publish, i);
			held->inputs = rc == 0 ? inputs : 0;
			if (rc < 0)
				table_failed(publish, held->wanted, -rc);
		}
		publish_table_report(publish, held->wanted);
	}
}
