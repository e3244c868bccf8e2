/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * suppose: see suppose.h. Makes a copy of the running model, does to it what is supposed, and has
 * impact compare. Reads the table in force from the data plane; writes nothing there.
 */
#include "suppose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"

static const char *const words[SUPPOSE_COUNT] = {
	[SUPPOSE_KILL] = "kill",     [SUPPOSE_ADD] = "add",     [SUPPOSE_DEL] = "del",
	[SUPPOSE_DRAIN] = "drain",   [SUPPOSE_MAINT] = "maint", [SUPPOSE_READY] = "ready",
	[SUPPOSE_WEIGHT] = "weight",
};

const char *suppose_name(enum suppose_what what)
{
	return words[what];
}

int suppose_parse(const char *word)
{
	for (int i = 0; i < SUPPOSE_COUNT; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -1;
}

struct impact_table suppose_table(struct dataplane *dp, const struct pool *pool)
{
	const struct lb_pool *entry = &dataplane_pools(dp)[pool->index];
	uint64_t table = entry->table;

	if (!pool->index || !LB_TABLE_SIZE(table))
		return (struct impact_table){.now = dataplane_tick()};
	return (struct impact_table){.words = dataplane_slots(dp) + LB_TABLE_BASE(table),
				     .times = dataplane_slot_times(dp) + entry->times_base,
				     .size = LB_TABLE_SIZE(table),
				     .now = dataplane_tick()};
}

/* ---- what is supposed ---- */

/* Its address does not matter to the table: that it can be reached, and answers, is supposed. */
static int add(struct pool *pool, const struct supposition *supposition, struct fault *fault)
{
	struct backend *backend = pool_backend_add(pool, supposition->backend);

	if (backend) {
		backend->weight = supposition->weight;
		backend->health = HEALTH_UP;
		backend->hop.resolved = true;
		return 0;
	}
	return fault_set(fault,
			 errno == EEXIST   ? FAULT_CONFLICT
			 : errno == EINVAL ? FAULT_USAGE
					   : FAULT_FAILED,
			 "backend %s/%s: supposing that it is added: %s", supposition->pool,
			 supposition->backend,
			 errno == EEXIST   ? "it exists already"
			 : errno == EINVAL ? "no backend can have this name"
					   : strerror(errno));
}

static void kill_backend(const struct pool *pool, struct backend *backend)
{
	if (pool_checks(pool))
		backend->health = HEALTH_DOWN;
	else
		backend->hop.resolved = false;
}

static void drain_backend(struct backend *backend, enum drain_mode mode)
{
	backend->admin = ADMIN_DRAIN;
	backend->drain_over = false;
	if (mode != DRAIN_AS_POOL)
		backend->drain_mode = mode;
}

static int happen(struct pool *pool, const struct supposition *supposition, struct fault *fault)
{
	struct backend *backend;

	if (supposition->what == SUPPOSE_ADD)
		return add(pool, supposition, fault);
	backend = find_backend(pool, supposition->backend, "supposing", fault);
	if (!backend)
		return -1;
	if (supposition->what == SUPPOSE_KILL)
		kill_backend(pool, backend);
	else if (supposition->what == SUPPOSE_DEL)
		pool_backend_del(pool, supposition->backend);
	else if (supposition->what == SUPPOSE_DRAIN)
		drain_backend(backend, supposition->drain_mode);
	else if (supposition->what == SUPPOSE_WEIGHT)
		backend->weight = supposition->weight;
	else
		backend->admin = supposition->what == SUPPOSE_MAINT ? ADMIN_MAINT : ADMIN_READY;
	return 0;
}

int suppose(struct supposed *supposed, struct dataplane *dp, const struct model *running,
	    const struct supposition *supposition, struct fault *fault)
{
	struct impact_table held;
	struct pool *pool;
	int rc;

	*supposed = (struct supposed){
		.from = find_pool(running, supposition->pool, "supposing", fault)};
	if (!supposed->from)
		return -1;
	supposed->model = model_copy(running);
	if (!supposed->model)
		return fault_set(fault, FAULT_FAILED, "pool %s: supposing: %s", supposition->pool,
				 strerror(errno));
	pool = model_pool_find(supposed->model, supposition->pool);
	supposed->to = pool;
	if (happen(pool, supposition, fault) != 0)
		return -1;
	pool->mode = pool_mode_now(pool);
	held = suppose_table(dp, supposed->from);
	rc = impact_pool(&supposed->impact, dataplane_settings(dp)->hash_seed, supposed->from, pool,
			 &held);
	return rc ? fault_set(fault, FAULT_FAILED, "pool %s: supposing: building its table: %s",
			      supposition->pool, strerror(-rc))
		  : 0;
}

/* As publish would write it: becoming unusable raises the incarnation, and entries die with it. */
static uint64_t status_then(uint64_t status, const struct pool *pool, const struct backend *backend)
{
	const uint32_t may = LB_BACKEND_USABLE | LB_BACKEND_TAKES_CLIENTS;
	uint32_t incarnation = LB_STATUS_INCARNATION(status);
	uint32_t flags = (uint32_t)(status & 0xff & ~may);

	if (backend && backend_usable(pool, backend))
		flags |= LB_BACKEND_USABLE;
	else if (status & LB_BACKEND_USABLE)
		incarnation++;
	if (backend && backend_takes_clients(pool, backend))
		flags |= LB_BACKEND_TAKES_CLIENTS;
	return LB_STATUS(incarnation, LB_STATUS_FORWARD(status), flags);
}

/* Index of a backend by its place in impact's list. */
static uint32_t index_of(const struct impact *impact, uint32_t number)
{
	const struct backend *backend = number ? impact->backends[number - 1].before : NULL;

	return backend ? backend->index : 0;
}

int suppose_maps(struct supposed *supposed, struct dataplane *dp, struct dataplane_supposed *out,
		 struct fault *fault)
{
	const size_t count = dataplane_settings(dp)->limits.backends + 1UL;
	const struct impact *impact = &supposed->impact;

	supposed->words = calloc(impact->table_size, sizeof(*supposed->words));
	supposed->statuses = calloc(count, sizeof(*supposed->statuses));
	if (!supposed->words || !supposed->statuses)
		return fault_set(fault, FAULT_FAILED, "pool %s: supposing: out of memory",
				 supposed->from->name);
	for (size_t i = 0; i < count; i++)
		supposed->statuses[i] = dataplane_backends(dp)[i].status;
	for (size_t i = 0; i < impact->backend_count; i++) {
		uint32_t index = index_of(impact, (uint32_t)i + 1);

		if (index)
			supposed->statuses[index] = status_then(
				supposed->statuses[index], supposed->to, impact->backends[i].after);
	}
	for (uint32_t i = 0; i < impact->table_size; i++) {
		uint32_t word = impact->words[i];

		supposed->words[i] =
			LB_SLOT(index_of(impact, LB_SLOT_OWNER(word)),
				index_of(impact, LB_SLOT_FALLBACK(word)), word & LB_SLOT_CHANGED);
	}
	*out = (struct dataplane_supposed){.pool = supposed->from->index,
					   .size = impact->table_size,
					   .words = supposed->words,
					   .times = impact->times,
					   .statuses = supposed->statuses};
	return 0;
}

void suppose_destroy(struct supposed *supposed)
{
	impact_destroy(&supposed->impact);
	free(supposed->words);
	free(supposed->statuses);
	model_free(supposed->model);
	*supposed = (struct supposed){0};
}
