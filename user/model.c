/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model: see model.h. The objects, their order and their defaults; what their states add up to is
 * in model_state.c. Neighbours: config and overrides fill it, controller changes it, publish reads
 * it. It must not know any of them.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BACKEND_WEIGHT_DEFAULT = 100,
	TRANSITION_LINES_BURST = 6,
	TRANSITION_LINE_INTERVAL_MS = 60000,
};

/* ---- ordered arrays of pointers to objects that begin with their name ---- */

_Static_assert(offsetof(struct pool, name) == 0, "a pool begins with its name");
_Static_assert(offsetof(struct service, name) == 0, "a service begins with its name");
_Static_assert(offsetof(struct backend, name) == 0, "a backend begins with its name");

/* The arrays have three types of elements, so that these see them as bytes. */
static void *named_at(const void *items, size_t at)
{
	void *item;

	memcpy(&item, (const char *)items + at * sizeof(item), sizeof(item));
	return item;
}

/* The position of `name`, or where it would have to stand. */
static size_t named_position(const void *items, size_t count, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(named_at(items, middle), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *named_find(const void *items, size_t count, const char *name)
{
	size_t at = named_position(items, count, name);
	void *item = at < count ? named_at(items, at) : NULL;

	return item && strcmp(item, name) == 0 ? item : NULL;
}

/* Puts a zeroed object of `size` bytes with that name in its place, and returns it. `*items` is
 * the array, which may move. NULL with errno set if there is nothing new. */
static void *named_add(void **items, size_t *count, size_t size, const char *name)
{
	size_t at = named_position(*items, *count, name);
	char *grown, *place;
	void *item;

	if (!model_name_valid(name)) {
		errno = EINVAL;
		return NULL;
	}
	if (at < *count && strcmp(named_at(*items, at), name) == 0) {
		errno = EEXIST;
		return NULL;
	}
	grown = reallocarray(*items, *count + 1, sizeof(item));
	if (!grown)
		return NULL;
	*items = grown;
	item = calloc(1, size);
	if (!item)
		return NULL;
	strcpy(item, name);
	place = grown + at * sizeof(item);
	memmove(place + sizeof(item), place, (size_t)(grown + *count * sizeof(item) - place));
	memcpy(place, &item, sizeof(item));
	++*count;
	return item;
}

/* Takes the object of that name out and returns it, the caller's now; NULL if there is none. */
static void *named_take(void *items, size_t *count, const char *name)
{
	size_t at = named_position(items, *count, name);
	void *item = named_find(items, *count, name);
	char *place;

	if (!item)
		return NULL;
	place = (char *)items + at * sizeof(item);
	--*count;
	memmove(place, place + sizeof(item), (*count - at) * sizeof(item));
	return item;
}

/* Whatever the locale. */
static bool is_alphanumeric(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

bool model_name_valid(const char *name)
{
	size_t size = 0;

	if (!is_alphanumeric(name[0]))
		return false;
	while (is_alphanumeric(name[size]) || name[size] == '-' || name[size] == '_' ||
	       name[size] == '.')
		size++;
	return !name[size] && size < MODEL_NAME_SIZE;
}

/* ---- making and unmaking ---- */

void pool_defaults(struct pool *pool)
{
	pool->affinity = AFFINITY_5_TUPLE;
	pool->prefix_v4 = 32;
	pool->prefix_v6 = 64;
	pool->client_timeout_ms = 0;
	pool->forward = FORWARD_MODE_IPIP;
	pool->gue_port = MODEL_GUE_PORT_DEFAULT;
	pool->table_size = MODEL_TABLE_SIZE_DEFAULT;
	pool->track = TRACK_CHANGED;
	pool->on_down = ON_DOWN_MOVE;
	pool->drain_mode = DRAIN_FLOWS;
	pool->drain_deadline_ms = 5 * 60 * 1000;
	pool->slow_start_ms = 0;
	pool->panic_threshold = 0;
	pool->idle_tcp_ms = 130 * 60 * 1000;
	pool->idle_udp_ms = 60 * 1000;
	pool->snat = false;
	pool->mode_changes.burst = TRANSITION_LINES_BURST;
	pool->mode_changes.interval_ms = TRANSITION_LINE_INTERVAL_MS;
	pool->check = (struct check){
		.type = CHECK_NONE,
		.interval_ms = 2000,
		.timeout_ms = 1000,
		.rise = 2,
		.fall = 3,
		.hold_down_ms = CHECK_DERIVED,
		.path = "/",
	};
}

static void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < pool->backend_count; i++)
		free(pool->backends[i]);
	free(pool->backends);
	free(pool);
}

static void service_free(struct service *service)
{
	if (!service)
		return;
	free(service->listen);
	free(service->sources);
	free(service);
}

struct model *model_create(void)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->global.limits = (struct lb_limits){
		.flows = 1000000,
		.clients = 1000000,
		.nat_flows = 100000,
		.backends = 4096,
		.services = 1024,
	};
	return model;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->pool_count; i++)
		pool_free(model->pools[i]);
	for (size_t i = 0; i < model->service_count; i++)
		service_free(model->services[i]);
	free(model->pools);
	free(model->services);
	free(model->global.hash_seed_file);
	free(model->global.metrics);
	free(model);
}

struct pool *model_pool_add(struct model *model, const char *name)
{
	void *items = model->pools;
	struct pool *pool = named_add(&items, &model->pool_count, sizeof(*pool), name);

	model->pools = items;
	if (pool)
		pool_defaults(pool);
	return pool;
}

struct service *model_service_add(struct model *model, const char *name)
{
	void *items = model->services;
	struct service *service = named_add(&items, &model->service_count, sizeof(*service), name);

	model->services = items;
	if (service) {
		service->new_flow_prefix_v4 = 32;
		service->new_flow_prefix_v6 = 64;
	}
	return service;
}

struct backend *pool_backend_add(struct pool *pool, const char *name)
{
	void *items = pool->backends;
	struct backend *backend = named_add(&items, &pool->backend_count, sizeof(*backend), name);

	pool->backends = items;
	if (!backend)
		return NULL;
	backend->weight = BACKEND_WEIGHT_DEFAULT;
	backend->drain_mode = DRAIN_AS_POOL;
	backend->drain_deadline_ms = MODEL_AS_POOL;
	backend->transitions.burst = TRANSITION_LINES_BURST;
	backend->transitions.interval_ms = TRANSITION_LINE_INTERVAL_MS;
	backend->moves = backend->transitions;
	return backend;
}

int service_listen_add(struct service *service, const struct endpoint *endpoint)
{
	struct endpoint *grown =
		reallocarray(service->listen, service->listen_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[service->listen_count++] = *endpoint;
	service->listen = grown;
	return 0;
}

int source_rule_compare(const struct source_rule *a, const struct source_rule *b)
{
	int order = addr_compare(&a->prefix.addr, &b->prefix.addr);

	return order ? order : (int)a->prefix.length - (int)b->prefix.length;
}

static int by_prefix(const void *a, const void *b)
{
	return source_rule_compare(a, b);
}

int service_sources_set(struct service *service, bool allow, const struct source_rule *rules,
			size_t count)
{
	size_t kept = service->source_count - service_sources_count(service, allow), at = 0;
	struct source_rule *all = calloc(kept + count + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < service->source_count; i++)
		if (service->sources[i].allow != allow)
			all[at++] = service->sources[i];
	if (count)
		memcpy(all + at, rules, count * sizeof(*rules));
	qsort(all, kept + count, sizeof(*all), by_prefix);
	free(service->sources);
	service->sources = all;
	service->source_count = kept + count;
	return 0;
}

size_t service_sources_count(const struct service *service, bool allow)
{
	size_t count = 0;

	for (size_t i = 0; i < service->source_count; i++)
		count += service->sources[i].allow == allow;
	return count;
}

/* The copies below are hung into the model at once, so that what was made is freed with it if the
 * rest fails. */

/* NULL with errno set; also where there is nothing to copy. */
static void *copy_bytes(const void *from, size_t count, size_t size)
{
	void *copy = count ? reallocarray(NULL, count, size) : NULL;

	return copy ? memcpy(copy, from, count * size) : NULL;
}

static int copy_pool(struct model *model, const struct pool *from)
{
	struct pool *pool = copy_bytes(from, 1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	model->pools[model->pool_count++] = pool;
	pool->backend_count = 0;
	pool->backends = calloc(from->backend_count + 1, sizeof(struct backend *));
	if (!pool->backends)
		return -ENOMEM;
	for (size_t i = 0; i < from->backend_count; i++) {
		struct backend *backend = copy_bytes(from->backends[i], 1, sizeof(*backend));

		if (!backend)
			return -ENOMEM;
		pool->backends[pool->backend_count++] = backend;
	}
	return 0;
}

static int copy_service(struct model *model, const struct service *from)
{
	struct service *service = copy_bytes(from, 1, sizeof(*service));

	if (!service)
		return -ENOMEM;
	model->services[model->service_count++] = service;
	service->listen = copy_bytes(from->listen, from->listen_count, sizeof(*from->listen));
	service->sources = copy_bytes(from->sources, from->source_count, sizeof(*from->sources));
	return (from->listen_count && !service->listen) || (from->source_count && !service->sources)
		       ? -ENOMEM
		       : 0;
}

static int copy_global(struct global *global, const struct global *from)
{
	*global = *from;
	global->hash_seed_file = from->hash_seed_file ? strdup(from->hash_seed_file) : NULL;
	global->metrics = from->metrics ? strdup(from->metrics) : NULL;
	return !global->hash_seed_file != !from->hash_seed_file ||
			       !global->metrics != !from->metrics
		       ? -ENOMEM
		       : 0;
}

static int copy_into(struct model *model, const struct model *from)
{
	int err = copy_global(&model->global, &from->global);

	if (err)
		return err;
	model->pools = calloc(from->pool_count + 1, sizeof(struct pool *));
	model->services = calloc(from->service_count + 1, sizeof(struct service *));
	if (!model->pools || !model->services)
		return -ENOMEM;
	for (size_t i = 0; i < from->pool_count && !err; i++)
		err = copy_pool(model, from->pools[i]);
	for (size_t i = 0; i < from->service_count && !err; i++)
		err = copy_service(model, from->services[i]);
	return err;
}

struct model *model_copy(const struct model *model)
{
	struct model *copy = model_create();
	int err;

	if (!copy)
		return NULL;
	err = copy_into(copy, model);
	if (err) {
		model_free(copy);
		errno = -err;
		return NULL;
	}
	return copy;
}

/* ---- finding and deleting ---- */

struct pool *model_pool_find(const struct model *model, const char *name)
{
	return named_find(model->pools, model->pool_count, name);
}

struct service *model_service_find(const struct model *model, const char *name)
{
	return named_find(model->services, model->service_count, name);
}

struct backend *pool_backend_find(const struct pool *pool, const char *name)
{
	return named_find(pool->backends, pool->backend_count, name);
}

int model_pool_del(struct model *model, const char *name)
{
	struct pool *pool = named_take(model->pools, &model->pool_count, name);

	pool_free(pool);
	return pool ? 0 : -ENOENT;
}

int model_service_del(struct model *model, const char *name)
{
	struct service *service = named_take(model->services, &model->service_count, name);

	service_free(service);
	return service ? 0 : -ENOENT;
}

int pool_backend_del(struct pool *pool, const char *name)
{
	struct backend *backend = named_take(pool->backends, &pool->backend_count, name);

	free(backend);
	return backend ? 0 : -ENOENT;
}
