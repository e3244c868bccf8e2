/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_place: which index an object of the model has in the maps.
 *
 * A backend is the same as before if pool, name, address, port and mode of forwarding are;
 * otherwise it gets another index, and the old one goes. An index is given out again only two
 * sweeps after it was forgotten, when nothing names it any more; and its incarnation lives on.
 */
#include <errno.h>
#include <string.h>

#include "publish_private.h"

enum lb_forward publish_forward(const struct pool *pool, const struct backend *backend)
{
	bool four = backend->address.family == 4;

	switch (pool->forward) {
	case FORWARD_MODE_L2:
		return LB_FORWARD_L2;
	case FORWARD_MODE_GUE:
		return four ? LB_FORWARD_GUE_V4 : LB_FORWARD_GUE_V6;
	case FORWARD_MODE_NAT:
		return four ? LB_FORWARD_NAT_V4 : LB_FORWARD_NAT_V6;
	default:
		return four ? LB_FORWARD_IPIP_V4 : LB_FORWARD_IPIP_V6;
	}
}

static void fail_full(struct publish *publish, const char *kind, const char *name,
		      const char *limit, uint32_t count)
{
	struct fault fault;

	fault_set(&fault, FAULT_FAILED, "%s %s: publishing: all %u places are taken", kind, name,
		  count);
	fault_hint(&fault,
		   "raise global.limits.%s, then attach the data plane anew (map sizes are fixed "
		   "at `lbload attach`)",
		   limit);
	publish_fail(publish, &fault);
}

static void fail_write(struct publish *publish, const char *kind, const char *name, int error)
{
	struct fault fault;

	fault_set(&fault, fault_code_of_errno(error), "%s %s: writing its identity: %s", kind, name,
		  strerror(error));
	publish_fail(publish, &fault);
}

/* Where a pool or a service was in the round before is looked at first. `*vacant` is set if it is
 * nowhere. */
static uint32_t pool_find(const struct publish *publish, const struct pool *pool, uint32_t *vacant)
{
	if (pool->index && pool->index <= publish->limits.services &&
	    strcmp(publish->pools[pool->index].identity.name, pool->name) == 0)
		return pool->index;
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		if (strcmp(publish->pools[i].identity.name, pool->name) == 0)
			return i;
		if (!*vacant && !publish->pools[i].identity.name[0])
			*vacant = i;
	}
	return 0;
}

static uint32_t service_find(const struct publish *publish, const struct service *service,
			     uint32_t *vacant)
{
	if (service->index && service->index <= publish->limits.services &&
	    strcmp(publish->services[service->index].identity.name, service->name) == 0)
		return service->index;
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		if (strcmp(publish->services[i].identity.name, service->name) == 0)
			return i;
		if (!*vacant && !publish->services[i].identity.name[0])
			*vacant = i;
	}
	return 0;
}

static void place_pool(struct publish *publish, struct pool *pool)
{
	uint32_t vacant = 0, index = pool_find(publish, pool, &vacant);
	struct held_pool *held;
	int rc;

	if (index) {
		pool->index = index;
		publish->pools[index].wanted = pool;
		return;
	}
	pool->index = 0;
	if (!vacant) {
		fail_full(publish, "pool", pool->name, "services", publish->limits.services);
		return;
	}
	held = &publish->pools[vacant];
	*held = (struct held_pool){.first = held->first};
	memcpy(held->identity.name, pool->name, sizeof(held->identity.name));
	rc = dataplane_pool_identity_put(publish->dp, vacant, &held->identity);
	if (rc < 0) {
		held->identity.name[0] = '\0';
		fail_write(publish, "pool", pool->name, -rc);
		return;
	}
	held->wanted = pool;
	pool->index = vacant;
}

bool publish_backend_is(const struct lb_backend_identity *identity, const struct pool *pool,
			const struct backend *backend)
{
	return identity->pool == pool->index && identity->name[0] &&
	       strcmp(identity->name, backend->name) == 0 &&
	       identity->family == backend->address.family &&
	       memcmp(&identity->address, &backend->address.ip, sizeof(identity->address)) == 0 &&
	       identity->port == backend->port &&
	       identity->forward == publish_forward(pool, backend);
}

/* Never used, or forgotten two sweeps ago. A new lbd counts from its start. */
static bool is_vacant(const struct publish *publish, uint32_t index)
{
	const struct held_backend *held = &publish->backends[index];

	return !held->identity.name[0] &&
	       (!LB_STATUS_INCARNATION(dataplane_backends(publish->dp)[index].status) ||
		publish->sweeps >= held->freed + 2);
}

static uint32_t backend_find(const struct publish *publish, const struct pool *pool,
			     const struct backend *backend)
{
	if (backend->index && backend->index <= publish->limits.backends &&
	    publish_backend_is(&publish->backends[backend->index].identity, pool, backend))
		return backend->index;
	for (uint32_t i = publish->pools[pool->index].first; i; i = publish->backends[i].next) {
		if (publish_backend_is(&publish->backends[i].identity, pool, backend))
			return i;
	}
	return 0;
}

/* 0: there is none. Within a round, indices are only taken. */
static uint32_t backend_vacant(struct publish *publish)
{
	while (publish->vacant <= publish->limits.backends && !is_vacant(publish, publish->vacant))
		publish->vacant++;
	return publish->vacant <= publish->limits.backends ? publish->vacant : 0;
}

void publish_backend_link(struct publish *publish, uint32_t index)
{
	struct held_backend *held = &publish->backends[index];
	struct held_pool *pool;

	if (!held->identity.name[0] || held->identity.pool > publish->limits.services)
		return;
	pool = &publish->pools[held->identity.pool];
	held->next = pool->first;
	pool->first = index;
}

static void backend_unlink(struct publish *publish, uint32_t index)
{
	const struct held_backend *held = &publish->backends[index];
	uint32_t *at;

	if (held->identity.pool > publish->limits.services)
		return;
	at = &publish->pools[held->identity.pool].first;
	while (*at && *at != index)
		at = &publish->backends[*at].next;
	if (*at)
		*at = held->next;
}

static void place_new_backend(struct publish *publish, struct pool *pool, struct backend *backend,
			      uint32_t index)
{
	struct held_backend *held = &publish->backends[index];
	struct lb_backend *entry = &dataplane_backends(publish->dp)[index];
	uint64_t status = __atomic_load_n(&entry->status, __ATOMIC_RELAXED);
	uint16_t counter = publish_counter_take(publish, pool->index);
	int rc;

	if (!counter)
		return;
	/* Not usable until publish_backends; what an earlier holder's index counted was folded. */
	memset((char *)entry + sizeof(status), 0, sizeof(*entry) - sizeof(status));
	entry->counter = counter;
	dataplane_nat_pressures(publish->dp)[index].refused = 0;
	memset(held, 0, sizeof(*held));
	held->identity = (struct lb_backend_identity){
		.address = backend->address.ip,
		.pool = pool->index,
		.port = backend->port,
		.family = backend->address.family,
		.forward = publish_forward(pool, backend),
	};
	memcpy(held->identity.name, backend->name, sizeof(held->identity.name));
	rc = dataplane_backend_identity_put(publish->dp, index, &held->identity);
	if (rc < 0) {
		held->identity.name[0] = '\0';
		fail_write(publish, "backend", backend->name, -rc);
		return;
	}
	publish_backend_link(publish, index);
	held->wanted = backend;
	held->pool = pool;
	backend->index = index;
}

static void place_backend(struct publish *publish, struct pool *pool, struct backend *backend)
{
	uint32_t index = backend_find(publish, pool, backend);
	uint32_t vacant = index ? 0 : backend_vacant(publish);

	backend->index = index;
	if (index) {
		publish->backends[index].wanted = backend;
		publish->backends[index].pool = pool;
	} else if (vacant) {
		place_new_backend(publish, pool, backend, vacant);
	} else {
		fail_full(publish, "backend", backend->name, "backends", publish->limits.backends);
	}
}

static void place_service(struct publish *publish, const struct model *model,
			  struct service *service)
{
	const struct pool *pool = model_pool_find(model, service->pool);
	uint32_t vacant = 0, index = service_find(publish, service, &vacant);
	struct held_service *held;
	int rc;

	service->index = 0;
	if (!pool || !pool->index)
		return;
	if (!index && !vacant) {
		fail_full(publish, "service", service->name, "services", publish->limits.services);
		return;
	}
	held = &publish->services[index ? index : vacant];
	/* A service that moved to another pool counts in a run of that pool's shape. */
	if (!index || held->identity.pool != pool->index) {
		struct lb_service_identity identity = {.pool = pool->index};

		memcpy(identity.name, service->name, sizeof(identity.name));
		if (publish_counter_run(publish, pool->index, &identity) < 0)
			return;
		rc = dataplane_service_identity_put(publish->dp, index ? index : vacant, &identity);
		if (rc < 0) {
			publish_counter_release(publish, &identity);
			fail_write(publish, "service", service->name, -rc);
			return;
		}
		if (index)
			publish_counter_release(publish, &held->identity);
		held->identity = identity;
	}
	held->wanted = service;
	service->index = index ? index : vacant;
}

void publish_place(struct publish *publish, struct model *model)
{
	publish->vacant = 1;
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		publish->pools[i].wanted = NULL;
		publish->services[i].wanted = NULL;
	}
	for (uint32_t i = 1; i <= publish->limits.backends; i++) {
		publish->backends[i].wanted = NULL;
		publish->backends[i].pool = NULL;
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		struct pool *pool = model->pools[p];

		place_pool(publish, pool);
		for (size_t b = 0; b < pool->backend_count; b++) {
			if (pool->index)
				place_backend(publish, pool, pool->backends[b]);
			else
				pool->backends[b]->index = 0;
		}
	}
	for (size_t s = 0; s < model->service_count; s++)
		place_service(publish, model, model->services[s]);
}

static void forget_backend(struct publish *publish, uint32_t index)
{
	static const struct lb_backend_identity none;
	struct held_backend *held = &publish->backends[index];

	publish_counter_fold(publish, index);
	if (dataplane_backend_identity_put(publish->dp, index, &none) < 0)
		return;
	backend_unlink(publish, index);
	*held = (struct held_backend){.freed = publish->sweeps};
}

static void forget_service(struct publish *publish, uint32_t index)
{
	static const struct lb_service_identity none;
	struct held_service *held = &publish->services[index];

	if (dataplane_service_identity_put(publish->dp, index, &none) < 0)
		return;
	publish_counter_release(publish, &held->identity);
	memset(held, 0, sizeof(*held));
}

static void forget_pool(struct publish *publish, uint32_t index)
{
	static const struct lb_pool_identity none;
	struct lb_pool *entry = &dataplane_pools(publish->dp)[index];
	uint64_t table = entry->table;

	__atomic_store_n(&entry->table, 0, __ATOMIC_RELEASE);
	if (LB_TABLE_SIZE(table)) {
		extent_release(&publish->slot_runs, LB_TABLE_BASE(table));
		extent_release(&publish->time_runs, entry->times_base);
	}
	if (dataplane_pool_identity_put(publish->dp, index, &none) == 0)
		publish->pools[index] = (struct held_pool){.first = publish->pools[index].first};
}

void publish_forget(struct publish *publish)
{
	bool waited = false;

	for (uint32_t i = 1; i <= publish->limits.backends; i++) {
		if (!publish->backends[i].identity.name[0] || publish->backends[i].wanted)
			continue;
		/* Packets that chose it before the table changed are counted under its index. */
		if (!waited)
			dataplane_wait_grace(publish->dp);
		waited = true;
		forget_backend(publish, i);
	}
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		if (publish->services[i].identity.name[0] && !publish->services[i].wanted)
			forget_service(publish, i);
	}
	for (uint32_t i = 1; i <= publish->limits.services; i++) {
		if (publish->pools[i].identity.name[0] && !publish->pools[i].wanted)
			forget_pool(publish, i);
	}
}
