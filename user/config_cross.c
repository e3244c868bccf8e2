/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_cross: what can only be checked when all objects are read: references, listeners in each
 * other's way, ports to check, limits. Neighbours: config_schema and config_pool keep the places it
 * blames. It must not read keys.
 */
#include "config_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

enum { SUGGEST_FROM_MAX = 256 }; /* pools; a suggestion compares with each */

/* ---- unknown pools ---- */

static const char *nearest_pool(const struct model *model, const char *name)
{
	const char *names[SUGGEST_FROM_MAX];

	if (model->pool_count > SUGGEST_FROM_MAX)
		return NULL;
	for (size_t i = 0; i < model->pool_count; i++)
		names[i] = model->pools[i]->name;
	return fault_nearest(name, names, model->pool_count);
}

static void check_references(struct reading *reading)
{
	for (size_t i = 0; i < reading->references.count; i++) {
		const struct place *place = &reading->references.items[i];
		const struct service *service = place->object;
		const char *near;

		if (model_pool_find(reading->model, service->pool))
			continue;
		near = nearest_pool(reading->model, service->pool);
		if (near)
			walk_error(&reading->walk, place->at,
				   "pool: there is no pool '%s' (did you mean '%s'?)",
				   service->pool, near);
		else
			walk_error(&reading->walk, place->at, "pool: there is no pool '%s'",
				   service->pool);
	}
}

/* ---- listeners ---- */

struct listener {
	const struct endpoint *endpoint;
	const struct service *service;
	const struct node *at; /* NULL: not from this text */
};

/* Exact ports, ranges, any port: only within one of these can two be in conflict. */
static int breadth(const struct endpoint *endpoint)
{
	return endpoint_is_exact(endpoint) ? 0 : endpoint_is_any_port(endpoint) ? 2 : 1;
}

static int by_endpoint(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;
	int order = addr_compare(&x->endpoint->addr, &y->endpoint->addr);

	if (order == 0)
		order = x->endpoint->proto - y->endpoint->proto;
	if (order == 0)
		order = breadth(x->endpoint) - breadth(y->endpoint);
	if (order == 0)
		order = x->endpoint->port_first - y->endpoint->port_first;
	if (order == 0)
		order = x->endpoint->port_last - y->endpoint->port_last;
	return order;
}

static bool stands_before(const struct node *a, const struct node *b)
{
	if (!a || !b)
		return !a;
	return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* The one that stands later in the file is to blame. */
static void report_conflict(struct reading *reading, const struct listener *a,
			    const struct listener *b)
{
	const struct listener *first = stands_before(a->at, b->at) ? a : b;
	const struct listener *second = first == a ? b : a;
	char here[ENDPOINT_TEXT_SIZE], there[ENDPOINT_TEXT_SIZE];

	endpoint_format(second->endpoint, here);
	endpoint_format(first->endpoint, there);
	if (!second->at)
		return; /* both were there before this text */
	if (!first->at)
		walk_error(&reading->walk, second->at,
			   "listen: %s is in conflict with %s of service '%s'", here, there,
			   first->service->name);
	else
		walk_error(&reading->walk, second->at,
			   "listen: %s is in conflict with %s of service '%s' (line %u)", here,
			   there, first->service->name, first->at->line);
}

static const struct node *listener_node(const struct reading *reading,
					const struct service *service, size_t index)
{
	for (size_t i = 0; i < reading->listeners.count; i++) {
		const struct place *place = &reading->listeners.items[i];

		if (place->object == service && place->index == index)
			return place->at;
	}
	return NULL;
}

/* All listeners of the model. Those in a file are known by their places; one body of the API
 * brings a few, and the others have none. */
static struct listener *collect(struct reading *reading, size_t *count)
{
	const struct model *model = reading->model;
	struct listener *all;
	size_t total = 0;

	for (size_t i = 0; i < model->service_count; i++)
		total += model->services[i]->listen_count;
	all = calloc(total + 1, sizeof(*all));
	if (!all)
		return NULL;
	*count = 0;
	if (reading->listeners.count == total) {
		for (; *count < total; ++*count) {
			const struct place *place = &reading->listeners.items[*count];
			const struct service *service = place->object;

			all[*count] = (struct listener){.endpoint = &service->listen[place->index],
							.service = service,
							.at = place->at};
		}
		return all;
	}
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		for (size_t j = 0; j < service->listen_count; j++)
			all[(*count)++] = (struct listener){
				.endpoint = &service->listen[j],
				.service = service,
				.at = listener_node(reading, service, j),
			};
	}
	return all;
}

static void check_listeners(struct reading *reading)
{
	size_t count, reach = 0; /* reach: the listener that covers most of those before */
	struct listener *all = collect(reading, &count);

	if (!all) {
		schema_out_of_memory(reading);
		return;
	}
	qsort(all, count, sizeof(*all), by_endpoint);
	for (size_t i = 1; i < count; i++) {
		if (endpoint_conflict(all[reach].endpoint, all[i].endpoint)) {
			report_conflict(reading, &all[reach], &all[i]);
			if (all[i].endpoint->port_last <= all[reach].endpoint->port_last)
				continue;
		}
		reach = i;
	}
	free(all);
}

/* ---- ports to check ---- */

static void check_port(struct reading *reading, const struct pool *pool, const struct node *map)
{
	const struct node *at = config_tree_get(map, "check", NULL);

	if (pool->check.type == CHECK_NONE || pool->check.type == CHECK_ICMP ||
	    pool->check.type == CHECK_EXEC)
		return;
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *backend = pool->backends[i];

		/* Those without a port of their own all get the same answer. */
		if (backend->port != 0)
			continue;
		if (model_check_port(reading->model, pool, backend) == 0)
			walk_error(&reading->walk, at ? at : map,
				   "pool '%s', backend '%s': no port to check (set check.port or "
				   "the backend's port, or give the pool a service that listens "
				   "on one %s port)",
				   pool->name, backend->name,
				   pool->check.type == CHECK_UDP ? "UDP" : "TCP");
		return;
	}
}

/* ---- NAT ---- */

/* The pool's first backend of another family than the address, or NULL. */
static const struct backend *other_family(const struct pool *pool, const struct addr *addr)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct addr *address = &pool->backends[i]->address;

		if (address->family && address->family != addr->family)
			return pool->backends[i];
	}
	return NULL;
}

/* A client's own address cannot be the source in another family. */
static void check_families(struct reading *reading, const struct node *root,
			   const struct service *service)
{
	const struct pool *pool = model_pool_find(reading->model, service->pool);
	char text[ENDPOINT_TEXT_SIZE];

	if (!pool || pool->forward != FORWARD_MODE_NAT || pool->snat)
		return;
	for (size_t i = 0; i < service->listen_count; i++) {
		const struct backend *backend = other_family(pool, &service->listen[i].addr);
		const struct node *at = NULL, *map = NULL;

		if (!backend)
			continue;
		for (size_t p = 0; p < reading->pools.count; p++) {
			if (reading->pools.items[p].object == pool)
				map = reading->pools.items[p].at;
		}
		at = map ? config_tree_get(map, "backends", NULL)
			 : listener_node(reading, service, i);
		walk_error(&reading->walk,
			   at    ? at
			   : map ? map
				 : root,
			   "pool '%s': backend '%s' is of another family than %s of service '%s': "
			   "NAT between them needs 'snat: true'",
			   pool->name, backend->name, endpoint_format(&service->listen[i], text),
			   service->name);
		return;
	}
}

/* ---- limits ---- */

struct demand {
	const char *limit; /* of global.limits */
	const char *part;  /* the file's key to blame if it has no such limit */
	const char *what;
	uint64_t wanted;
	uint64_t allowed;
};

static void check_demand(struct reading *reading, const struct node *root,
			 const struct demand *demand)
{
	const struct node *limits =
		config_tree_get(config_tree_get(root, "global", NULL), "limits", NULL);
	const struct node *at = config_tree_get(limits, demand->limit, NULL);

	if (demand->wanted <= demand->allowed)
		return;
	if (!at)
		config_tree_get(root, demand->part, &at);
	walk_error(&reading->walk, at ? at : root,
		   "%llu %s are more than global.limits.%s allows, %llu (raise it)",
		   (unsigned long long)demand->wanted, demand->what, demand->limit,
		   (unsigned long long)demand->allowed);
}

static uint64_t table_room(const struct pool *pool)
{
	return ((uint64_t)pool->table_size + LB_SLOT_BLOCK - 1) / LB_SLOT_BLOCK * LB_SLOT_BLOCK;
}

static void check_limits(struct reading *reading, const struct node *root)
{
	const struct model *model = reading->model;
	const struct lb_limits *limits = &model->global.limits;
	uint64_t backends = 0, slots = 0, largest = 0, counters = 0;

	for (size_t i = 0; i < model->pool_count; i++) {
		uint64_t room = table_room(model->pools[i]);

		backends += model->pools[i]->backend_count;
		slots += room;
		largest = room > largest ? room : largest;
	}
	for (size_t i = 0; i < model->service_count; i++) {
		const struct pool *pool = model_pool_find(model, model->services[i]->pool);

		counters += 1 + (pool ? pool->backend_count : 0);
	}
	/* A table is rebuilt beside the one in use. */
	slots += largest;

	const struct demand demands[] = {
		{"backends", "pools", "backends", backends, limits->backends},
		{"services", "services", "services", model->service_count, limits->services},
		{"services", "pools", "pools", model->pool_count, limits->services},
		{"slots", "pools", "slots for the pools' tables", slots,
		 limits->slots ? limits->slots : UINT64_MAX},
		{"counters", "services", "counters for services and their backends", counters,
		 limits->counters ? limits->counters : UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++)
		check_demand(reading, root, &demands[i]);
}

void cross_check(struct reading *reading, const struct node *root)
{
	if (!reading->pools_incomplete)
		check_references(reading);
	check_listeners(reading);
	for (size_t i = 0; i < reading->pools.count && !reading->listeners_incomplete; i++)
		check_port(reading, reading->pools.items[i].object, reading->pools.items[i].at);
	for (size_t i = 0; i < reading->model->service_count; i++)
		check_families(reading, root, reading->model->services[i]);
	check_limits(reading, root);
}

/* ---- a model without a text ---- */

static bool references_hold(const struct model *model)
{
	for (size_t i = 0; i < model->service_count; i++)
		if (!model_pool_find(model, model->services[i]->pool))
			return false;
	return true;
}

static bool listeners_apart(struct reading *reading)
{
	size_t count, i = 1;
	struct listener *all = collect(reading, &count);

	if (!all)
		return false;
	qsort(all, count, sizeof(*all), by_endpoint);
	/* The first that are in conflict stand beside each other. */
	while (i < count && !endpoint_conflict(all[i - 1].endpoint, all[i].endpoint))
		i++;
	free(all);
	return i >= count;
}

bool cross_holds(struct reading *reading)
{
	static const struct node nowhere;

	if (!references_hold(reading->model) || !listeners_apart(reading))
		return false;
	for (size_t i = 0; i < reading->model->pool_count; i++)
		check_port(reading, reading->model->pools[i], &nowhere);
	check_limits(reading, &nowhere);
	return reading->walk.errors->count == 0;
}
