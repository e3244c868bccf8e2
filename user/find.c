/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * find: objects of the model by the names that users give, with the nearest name in the fault where
 * there is none. Reads the model; knows nothing of who asks.
 */
#include "find.h"

#include <stdio.h>
#include <stdlib.h>

/* `object` as the user wrote it, `list` the command that shows what there is. */
static void no_such(const char *kind, const char *object, const char *attempt, const char *nearest,
		    const char *prefix, const char *list, struct fault *fault)
{
	fault_set(fault, FAULT_NOT_FOUND, "%s %s: %s: there is no such %s", kind, object, attempt,
		  kind);
	if (nearest)
		fault_hint(fault, "did you mean %s%s?", prefix, nearest);
	else
		fault_hint(fault, "`lbctl %s` shows what there is", list);
}

/* The nearest of `count` names, each found by `name_at`; NULL if none is near. */
static const char *nearest_name(const char *word, const void *owner, size_t count,
				const char *(*name_at)(const void *owner, size_t i))
{
	const char **names = calloc(count ? count : 1, sizeof(*names));
	const char *nearest;

	/* A suggestion is a courtesy: without memory there is none. */
	if (!names)
		return NULL;
	for (size_t i = 0; i < count; i++)
		names[i] = name_at(owner, i);
	nearest = fault_nearest(word, names, count);
	free(names);
	return nearest;
}

static const char *pool_name_at(const void *model, size_t i)
{
	return ((const struct model *)model)->pools[i]->name;
}

static const char *service_name_at(const void *model, size_t i)
{
	return ((const struct model *)model)->services[i]->name;
}

static const char *backend_name_at(const void *pool, size_t i)
{
	return ((const struct pool *)pool)->backends[i]->name;
}

struct pool *find_pool(const struct model *model, const char *name, const char *attempt,
		       struct fault *fault)
{
	struct pool *pool = model_pool_find(model, name);

	if (!pool)
		no_such("pool", name, attempt,
			nearest_name(name, model, model->pool_count, pool_name_at), "", "pool list",
			fault);
	return pool;
}

struct service *find_service(const struct model *model, const char *name, const char *attempt,
			     struct fault *fault)
{
	struct service *service = model_service_find(model, name);

	if (!service)
		no_such("service", name, attempt,
			nearest_name(name, model, model->service_count, service_name_at), "",
			"service list", fault);
	return service;
}

struct backend *find_backend(const struct pool *pool, const char *name, const char *attempt,
			     struct fault *fault)
{
	struct backend *backend = pool_backend_find(pool, name);
	char object[2 * MODEL_NAME_SIZE + 1], prefix[MODEL_NAME_SIZE + 1];

	if (backend)
		return backend;
	snprintf(object, sizeof(object), "%s/%.*s", pool->name, MODEL_NAME_SIZE, name);
	snprintf(prefix, sizeof(prefix), "%s/", pool->name);
	no_such("backend", object, attempt,
		nearest_name(name, pool, pool->backend_count, backend_name_at), prefix,
		"backend list", fault);
	return NULL;
}

const struct service *find_service_at(const struct model *model, uint32_t index)
{
	for (size_t i = 0; index && i < model->service_count; i++)
		if (model->services[i]->index == index)
			return model->services[i];
	return NULL;
}

const struct pool *find_pool_at(const struct model *model, uint32_t index)
{
	for (size_t i = 0; index && i < model->pool_count; i++)
		if (model->pools[i]->index == index)
			return model->pools[i];
	return NULL;
}

const struct backend *find_backend_at(const struct pool *pool, uint32_t index)
{
	for (size_t i = 0; index && pool && i < pool->backend_count; i++)
		if (pool->backends[i]->index == index)
			return pool->backends[i];
	return NULL;
}
