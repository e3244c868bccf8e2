/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_table: tables of pools. A new table is written where nobody reads, and the pool switched
 * to it by one store; the old one is free again after a grace period.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Every word but the table, which is switched by itself. */
void publish_pools(struct publish *publish)
{
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		const struct pool *pool = publish->pools[i].wanted;
		struct lb_pool *entry = &dataplane_pools(publish->dp)[i];
		struct lb_pool wanted = {0};
		union lb_addr mask_v4;

		if (!pool)
			continue;
		/* Until the rules for settled slots are complete, each flow is tracked. */
		wanted.flags = LB_POOL_TRACK_ALWAYS;
		if (pool->affinity == AFFINITY_SOURCE_IP)
			wanted.flags |= LB_POOL_SOURCE;
		prefix_mask(pool->prefix_v4, &mask_v4);
		wanted.mask_v4 = mask_v4.v4;
		prefix_mask(pool->prefix_v6, &wanted.mask_v6);
		wanted.idle_tcp = ticks(pool->idle_tcp_ms);
		wanted.idle_udp = ticks(pool->idle_udp_ms);
		wanted.idle_closing = ticks(CLOSING_IDLE_MS);
		wanted.client_timeout = ticks(pool->client_timeout_ms);
		wanted.table = entry->table;
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
		backends[i].weight = backend->index ? backend_effective_weight(pool, backend) : 0;
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
	held->identity.changed_tick = dataplane_tick();
	rc = dataplane_pool_identity_put(publish->dp, index, &held->identity);
	if (rc < 0) {
		extent_release(&publish->slot_runs, base);
		return rc;
	}
	__atomic_store_n(&entry->table, LB_TABLE(base, size), __ATOMIC_RELEASE);
	if (LB_TABLE_SIZE(old))
		extent_release(&publish->slot_runs, LB_TABLE_BASE(old));
	return 0;
}

static void table_count(struct publish *publish, const struct pool *pool, const uint32_t *words,
			uint32_t size)
{
	publish->pools[pool->index].unsettled_slots = slots_unsettled(words, size);
	for (size_t i = 0; i < pool->backend_count; i++)
		publish->backends[pool->backends[i]->index].slots = 0;
	for (uint32_t i = 0; i < size; i++) {
		uint32_t owner = LB_SLOT_OWNER(words[i]);

		/* Words that an earlier controller wrote are not taken on trust. */
		if (owner <= publish->limits.backends)
			publish->backends[owner].slots++;
	}
}

static int table_publish(struct publish *publish, uint32_t index)
{
	const struct pool *pool = publish->pools[index].wanted;
	uint64_t table = dataplane_pools(publish->dp)[index].table;
	uint32_t size = pool->table_size;
	bool same_size = LB_TABLE_SIZE(table) == size;
	const uint32_t *old =
		same_size ? dataplane_slots(publish->dp) + LB_TABLE_BASE(table) : NULL;
	uint32_t *words = malloc(size * sizeof(*words));
	uint64_t digest;
	int rc = -ENOMEM;

	if (!words)
		return rc;
	rc = table_owners(publish, pool, words, &digest);
	if (rc == 0) {
		slots_change(old, words, words, size, table_usable, publish);
		if (!old || memcmp(old, words, size * sizeof(*words)) != 0)
			rc = table_switch(publish, index, words, size, digest);
	}
	if (rc == 0)
		table_count(publish, pool, words, size);
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

static void table_report(const struct publish *publish, struct pool *pool)
{
	const struct held_pool *held = &publish->pools[pool->index];

	pool->table_digest = held->identity.digest;
	pool->unsettled_slots = held->unsettled_slots;
	for (size_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->backends[i]->index;

		pool->backends[i]->slots = index ? publish->backends[index].slots : 0;
	}
}

void publish_table_adopt(struct publish *publish, struct pool *pool)
{
	uint64_t table = dataplane_pools(publish->dp)[pool->index].table;

	table_count(publish, pool, dataplane_slots(publish->dp) + LB_TABLE_BASE(table),
		    LB_TABLE_SIZE(table));
	table_report(publish, pool);
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
		table_report(publish, held->wanted);
	}
}
