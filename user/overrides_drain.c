/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_drain: when each drain began and ends, kept beside the overrides so that a new lbd goes
 * on with the deadlines of the old one. Pure: the time is an argument.
 *
 * A drain begins when its backend is first seen to drain, whether the file says so or the API. Its
 * deadline is fixed then: what the file says later of deadlines is for drains that begin later.
 */
#include <stdlib.h>
#include <string.h>

#include "overrides.h"
#include "overrides_set.h"

static struct drain *find(const struct overrides *set, const char *pool, const char *backend)
{
	for (size_t i = 0; i < set->drain_count; i++)
		if (!strcmp(set->drains[i].pool, pool) && !strcmp(set->drains[i].backend, backend))
			return &set->drains[i];
	return NULL;
}

struct drain *overrides_drain_append(struct overrides *set, const char *pool, const char *backend)
{
	struct drain *grown = reallocarray(set->drains, set->drain_count + 1, sizeof(*grown));
	struct drain *drain;

	if (!grown)
		return NULL;
	set->drains = grown;
	drain = &grown[set->drain_count++];
	memset(drain, 0, sizeof(*drain));
	strncpy(drain->pool, pool, sizeof(drain->pool) - 1);
	strncpy(drain->backend, backend, sizeof(drain->backend) - 1);
	return drain;
}

/* Asked to drain it in a certain way or for a certain time: that counts from now. To be told again
 * what it does already changes nothing. */
static bool asks_anew(const struct change *change, const struct pool *pool,
		      const struct backend *backend)
{
	const char *admin;

	if (!change || change->object != CHANGE_BACKEND || change->verb == CHANGE_DELETE ||
	    strcmp(change->pool, pool->name) != 0 || strcmp(change->name, backend->name) != 0)
		return false;
	admin = json_string_value(json_object_get(change->body, "admin"));
	return (!admin || !strcmp(admin, "drain")) &&
	       (json_object_get(change->body, "drain_mode") ||
		json_object_get(change->body, "drain_deadline"));
}

static int drain_one(struct overrides *set, const struct pool *pool, struct backend *backend,
		     const struct change *change, uint64_t now_ms)
{
	struct drain *drain = find(set, pool->name, backend->name);
	uint64_t deadline_ms = backend_drain_deadline_ms(pool, backend);
	bool begins = !drain || asks_anew(change, pool, backend);

	if (!drain)
		drain = overrides_drain_append(set, pool->name, backend->name);
	if (!drain)
		return -1;
	if (begins) {
		drain->began_ms = now_ms;
		drain->until_ms = deadline_ms ? now_ms + deadline_ms : 0;
	}
	backend->drain_began_ms = drain->began_ms;
	backend->drain_until_ms = drain->until_ms;
	return 0;
}

/* Those of backends that are gone, or drain no more. */
static void forget(struct overrides *set, const struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->drain_count; i++) {
		const struct drain *drain = &set->drains[i];
		const struct pool *pool = model_pool_find(model, drain->pool);
		const struct backend *backend =
			pool ? pool_backend_find(pool, drain->backend) : NULL;

		if (backend && backend->admin == ADMIN_DRAIN)
			set->drains[kept++] = *drain;
	}
	set->drain_count = kept;
}

int overrides_drains(struct overrides *overrides, struct model *model, const struct change *change,
		     uint64_t now_ms, struct fault *fault)
{
	forget(overrides, model);
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			struct backend *backend = pool->backends[b];

			if (backend->admin == ADMIN_DRAIN &&
			    drain_one(overrides, pool, backend, change, now_ms) != 0)
				return fault_set(fault, FAULT_FAILED,
						 "backend %s/%s: draining it: out of memory",
						 pool->name, backend->name);
		}
	}
	return 0;
}
