/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_held: what the maps hold, as a model, so that a new controller can tell what its
 * configuration would change before it changes it.
 */
#include <errno.h>
#include <string.h>

#include "publish_private.h"

static uint8_t mask_length(const uint8_t *mask, size_t size)
{
	uint8_t length = 0;

	for (size_t i = 0; i < size; i++)
		length += (uint8_t)__builtin_popcount(mask[i]);
	return length;
}

/* -EEXIST is not possible: names in the maps are unique, and a name that is none is skipped. */
static int add_pool(const struct publish *publish, uint32_t index, struct model *model)
{
	const struct lb_pool_identity *identity = &publish->pools[index].identity;
	const struct lb_pool *entry = &dataplane_pools(publish->dp)[index];
	struct pool *pool;

	if (!identity->name[0] || !LB_TABLE_SIZE(entry->table))
		return 0;
	pool = model_pool_add(model, identity->name);
	if (!pool)
		return errno == ENOMEM ? -ENOMEM : 0;
	pool->index = index;
	pool->table_size = LB_TABLE_SIZE(entry->table);
	pool->affinity = entry->flags & LB_POOL_SOURCE ? AFFINITY_SOURCE_IP : AFFINITY_5_TUPLE;
	pool->prefix_v4 = mask_length((const uint8_t *)&entry->mask_v4, sizeof(entry->mask_v4));
	pool->prefix_v6 = mask_length(entry->mask_v6.bytes, sizeof(entry->mask_v6.bytes));
	return 0;
}

static int add_backend(const struct publish *publish, uint32_t index, struct model *model)
{
	const struct lb_backend_identity *identity = &publish->backends[index].identity;
	struct backend *backend;
	struct pool *pool;

	if (!identity->name[0] || identity->pool > publish->limits.services)
		return 0;
	pool = model_pool_find(model, publish->pools[identity->pool].identity.name);
	if (!pool)
		return 0;
	backend = pool_backend_add(pool, identity->name);
	if (!backend)
		return errno == ENOMEM ? -ENOMEM : 0;
	backend->index = index;
	backend->address = (struct addr){.family = identity->family, .ip = identity->address};
	backend->port = identity->port;
	backend->weight = identity->weight;
	backend->admin = identity->admin < ADMIN_COUNT ? identity->admin : ADMIN_READY;
	return 0;
}

static int add_service(const struct publish *publish, uint32_t index, struct model *model)
{
	const struct lb_service_identity *identity = &publish->services[index].identity;
	struct service *service;

	if (!identity->name[0] || identity->pool > publish->limits.services)
		return 0;
	service = model_service_add(model, identity->name);
	if (!service)
		return errno == ENOMEM ? -ENOMEM : 0;
	service->index = index;
	memcpy(service->pool, publish->pools[identity->pool].identity.name, sizeof(service->pool));
	return 0;
}

/* A block of ports is a listener here: a range may be several. */
static int add_listener(const struct publish *publish, const struct held_listener *held,
			struct model *model)
{
	const struct endpoint endpoint = {
		.proto = held->proto,
		.addr = held->vip,
		.port_first = held->block.port,
		.port_last = (uint16_t)(held->block.port + ((1U << held->block.bits) - 1))};
	struct service *service = NULL;

	if (held->value.index <= publish->limits.services)
		service = model_service_find(model,
					     publish->services[held->value.index].identity.name);
	return service ? service_listen_add(service, &endpoint) : 0;
}

struct model *publish_held(const struct publish *publish)
{
	struct model *model = model_create();
	int err = model ? 0 : -ENOMEM;

	for (uint32_t i = 1; !err && i <= publish->limits.services; i++)
		err = add_pool(publish, i, model);
	for (uint32_t i = 1; !err && i <= publish->limits.backends; i++)
		err = add_backend(publish, i, model);
	for (uint32_t i = 1; !err && i <= publish->limits.services; i++)
		err = add_service(publish, i, model);
	for (size_t i = 0; !err && i < publish->listeners.count; i++)
		err = add_listener(publish, &publish->listeners.items[i], model);
	if (!err)
		return model;
	model_free(model);
	errno = ENOMEM;
	return NULL;
}
