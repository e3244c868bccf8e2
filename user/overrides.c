/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides: what was changed at run time, on top of the file.
 *
 * A set is applied in phases, so that its order never matters: what is taken away goes first (its
 * listeners are free then), then services that bring a pool, then services that name one, then
 * backends. Knows model and config; no map, no socket, no clock. How a change is added to the set
 * is overrides_change.c's, the state file overrides_file.c's.
 */
#include "overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "find.h"
#include "model_json.h"
#include "overrides_set.h"

enum { MANY = 32 };

const char *const override_kind_names[OVERRIDE_KIND_COUNT] = {
	[OVERRIDE_SERVICE] = "service", [OVERRIDE_BACKEND] = "backend",
	[OVERRIDE_POOL] = "pool",       [OVERRIDE_POOL_KEYS] = "pool-keys",
	[OVERRIDE_GLOBAL] = "global",
};

/* ---- the set ---- */

struct overrides *overrides_create(void)
{
	return calloc(1, sizeof(struct overrides));
}

void overrides_free(struct overrides *overrides)
{
	if (!overrides)
		return;
	for (size_t i = 0; i < overrides->count; i++) {
		json_decref(overrides->items[i].body);
		json_decref(overrides->items[i].was);
	}
	free(overrides->items);
	free(overrides->drains);
	free(overrides);
}

size_t overrides_count(const struct overrides *overrides)
{
	return overrides->count;
}

struct override *overrides_append(struct overrides *overrides, enum override_kind kind,
				  const char *pool, const char *name)
{
	struct override *items =
		reallocarray(overrides->items, overrides->count + 1, sizeof(*items));
	struct override *item;

	if (!items)
		return NULL;
	overrides->items = items;
	item = &items[overrides->count++];
	memset(item, 0, sizeof(*item));
	item->kind = kind;
	snprintf(item->pool, sizeof(item->pool), "%s", pool ? pool : "");
	snprintf(item->name, sizeof(item->name), "%s", name);
	return item;
}

/* NULL where there is nothing to copy, or no memory. */
static void *copy_array(const void *items, size_t count, size_t size)
{
	void *copy = count ? reallocarray(NULL, count, size) : NULL;

	return copy ? memcpy(copy, items, count * size) : NULL;
}

/* Bodies are shared: nobody changes one in place. */
struct overrides *overrides_copy(const struct overrides *overrides)
{
	struct overrides *copy = overrides_create();

	if (!copy)
		return NULL;
	copy->items = copy_array(overrides->items, overrides->count, sizeof(*copy->items));
	copy->drains = copy_array(overrides->drains, overrides->drain_count, sizeof(*copy->drains));
	copy->count = copy->items ? overrides->count : 0;
	copy->drain_count = copy->drains ? overrides->drain_count : 0;
	for (size_t i = 0; i < copy->count; i++) {
		json_incref(copy->items[i].body);
		json_incref(copy->items[i].was);
	}
	if (copy->count == overrides->count && copy->drain_count == overrides->drain_count)
		return copy;
	overrides_free(copy);
	return NULL;
}

void overrides_remove(struct overrides *overrides, size_t i)
{
	json_decref(overrides->items[i].body);
	json_decref(overrides->items[i].was);
	overrides->count--;
	memmove(&overrides->items[i], &overrides->items[i + 1],
		(overrides->count - i) * sizeof(overrides->items[0]));
}

struct override *overrides_find(const struct overrides *overrides, enum override_kind kind,
				const char *pool, const char *name)
{
	for (size_t i = 0; i < overrides->count; i++) {
		struct override *item = &overrides->items[i];

		if (item->kind == kind && !strcmp(item->name, name) &&
		    !strcmp(item->pool, pool ? pool : ""))
			return item;
	}
	return NULL;
}

const char *override_text(enum override_kind kind, const char *pool, const char *name,
			  char out[OVERRIDE_TEXT_SIZE])
{
	if (kind == OVERRIDE_GLOBAL) {
		snprintf(out, OVERRIDE_TEXT_SIZE, "%s", OVERRIDE_GLOBAL_NAME);
		return out;
	}
	snprintf(out, OVERRIDE_TEXT_SIZE, "%s %.*s%s%.*s",
		 override_kind_names[kind == OVERRIDE_POOL_KEYS ? OVERRIDE_POOL : kind],
		 MODEL_NAME_SIZE - 1, pool && pool[0] ? pool : "", pool && pool[0] ? "/" : "",
		 MODEL_NAME_SIZE - 1, name);
	return out;
}

/* ---- what the file says of an object ---- */

const void *override_object(const struct model *model, enum override_kind kind,
			    const char *pool_name, const char *name)
{
	const struct pool *pool;

	switch (kind) {
	case OVERRIDE_BACKEND:
		pool = model_pool_find(model, pool_name);
		return pool ? pool_backend_find(pool, name) : NULL;
	case OVERRIDE_GLOBAL:
		return model;
	case OVERRIDE_POOL_KEYS:
		return model_pool_find(model, name);
	default:
		return model_service_find(model, name);
	}
}

void override_put(struct json_text *text, enum override_kind kind, const void *object)
{
	switch (kind) {
	case OVERRIDE_BACKEND:
		model_json_put_backend(text, object);
		break;
	case OVERRIDE_GLOBAL:
		model_json_put_global(text, object);
		break;
	case OVERRIDE_POOL_KEYS:
		model_json_put_pool_keys(text, object);
		break;
	default:
		model_json_put_service(text, object);
	}
}

/* `own` (NULL: none): its keys stand beside. NULL where there is no object. */
static json_t *object_tree(const struct model *model, enum override_kind kind, const char *pool,
			   const char *name, const struct pool *own)
{
	const void *object = override_object(model, kind, pool, name);
	struct json_text text = {0};

	if (!object)
		return NULL;
	json_text_begin(&text, NULL, '{');
	override_put(&text, kind, object);
	if (own)
		model_json_put_pool_keys(&text, own);
	json_text_end(&text, '}');
	return json_text_parse(&text);
}

json_t *override_keys(const struct model *model, enum override_kind kind, const char *pool,
		      const char *name)
{
	return object_tree(model, kind, pool, name, NULL);
}

/* A pool that has its service's name may be configured through it: its keys are the service's. */
json_t *override_describe(const struct model *model, enum override_kind kind, const char *pool,
			  const char *name)
{
	const struct service *service = kind == OVERRIDE_SERVICE || kind == OVERRIDE_POOL
						? model_service_find(model, name)
						: NULL;
	const struct pool *own = service && !strcmp(service->pool, service->name)
					 ? model_pool_find(model, name)
					 : NULL;
	json_t *json = object_tree(model, kind, pool, name, own);

	if (own)
		json_object_del(json, "pool");
	return json;
}

json_t *override_delta(const json_t *from, const json_t *to)
{
	json_t *delta = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)to, key, value)
		if (!json_equal(json_object_get(from, key), value))
			json_object_set(delta, key, value);
	json_object_foreach ((json_t *)from, key, value)
		if (!json_object_get(to, key))
			json_object_set_new(delta, key, json_null());
	if (json_object_size(delta))
		return delta;
	json_decref(delta);
	return NULL;
}

/* Takes `keys`, and returns it with what `delta` says. */
static json_t *put_delta(json_t *keys, const json_t *delta)
{
	json_t *value;
	const char *key;

	json_object_foreach ((json_t *)delta, key, value) {
		if (json_is_null(value))
			json_object_del(keys, key);
		else
			json_object_set(keys, key, value);
	}
	return keys;
}

/* json_equal says of two NULLs that they differ. */
bool override_same(const json_t *a, const json_t *b)
{
	return (!a && !b) || json_equal(a, b);
}

/* ---- applying ---- */

int override_out_of_memory(const char *object, struct fault *fault)
{
	return fault_set(fault, FAULT_FAILED, "%s: changing it: out of memory", object);
}

/* All of the schema's messages in one: a body is one line, so their places say nothing. */
static int schema_fault(const char *object, const struct config_errors *errors, struct fault *fault)
{
	char text[sizeof(fault->message)] = "";
	size_t used = 0;

	for (size_t i = 0; i < errors->count && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "; " : "",
					 errors->items[i].what);
	return fault_set(fault, FAULT_USAGE, "%s: setting its keys: %s", object, text);
}

/* `alone`: of a service, see config_apply_service. */
static int apply_body(struct model *model, const struct override *item, struct backend *backend,
		      const json_t *body, bool alone, struct fault *fault)
{
	char object[OVERRIDE_TEXT_SIZE];
	struct config_errors errors = {0};
	char *text = json_dumps(body, 0);
	int error;

	override_text(item->kind, item->pool, item->name, object);
	if (!text)
		return override_out_of_memory(object, fault);
	if (backend)
		error = config_apply_backend(text, strlen(text), backend, &errors);
	else if (item->kind == OVERRIDE_POOL_KEYS)
		/* A check that this does not change is the file's. */
		error = config_apply_pool(text, strlen(text), model, item->name,
					  !json_object_get(item->body, "check"), &errors);
	else if (item->kind == OVERRIDE_GLOBAL)
		error = config_apply_global(text, strlen(text), model, &errors);
	else
		error = config_apply_service(text, strlen(text), model, item->name, alone, &errors);
	if (error)
		error = schema_fault(object, &errors, fault);
	config_errors_free(&errors);
	free(text);
	return error;
}

/* A service is always made from its keys as a whole: listeners of services that change at once may
 * trade places. So the base's service goes, and comes back with its keys under the override's. */
static json_t *service_keys(const struct model *base, const struct override *item)
{
	const struct service *old = model_service_find(base, item->name);
	json_t *keys = old && !item->removes
			       ? override_keys(base, OVERRIDE_SERVICE, NULL, item->name)
			       : json_object();

	/* Without the key the pool of the same name is meant, and its keys may stand beside. */
	if (old && !strcmp(old->pool, old->name))
		json_object_del(keys, "pool");
	json_object_update(keys, item->body);
	json_object_del(keys, "name");
	return keys;
}

/* The schema finds a taken listener, among other things; only this one is somebody else's. */
static int listener_fault(const struct model *model, const struct override *item,
			  struct fault *fault)
{
	const struct service *service = model_service_find(model, item->name);
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; service && i < model->service_count; i++) {
		const struct service *other = model->services[i];

		for (size_t j = 0; other != service && j < other->listen_count; j++) {
			for (size_t k = 0; k < service->listen_count; k++) {
				if (!endpoint_conflict(&other->listen[j], &service->listen[k]))
					continue;
				return fault_set(fault, FAULT_CONFLICT,
						 "service %s: listening on %s: service %s has it",
						 item->name,
						 endpoint_format(&service->listen[k], text),
						 other->name);
			}
		}
	}
	return -1;
}

static int apply_service(struct model *model, const struct model *base, const struct override *item,
			 bool alone, struct fault *fault)
{
	const struct service *old = model_service_find(base, item->name);
	json_t *keys = service_keys(base, item);
	int error = apply_body(model, item, NULL, keys, alone, fault);

	json_decref(keys);
	if (error)
		return listener_fault(model, item, fault);
	if (item->kind == OVERRIDE_POOL)
		return model_service_del(model, item->name);
	if (old)
		model_service_find(model, item->name)->index = old->index;
	return 0;
}

static int apply_keys(struct model *model, const struct model *base, const struct override *item,
		      struct fault *fault)
{
	json_t *old = override_describe(base, item->kind, NULL, item->name);
	json_t *keys =
		put_delta(old && !item->removes ? json_incref(old) : json_object(), item->body);
	int error = apply_body(model, item, NULL, keys, true, fault);

	json_decref(keys);
	json_decref(old);
	return error;
}

static int check_address(const struct pool *pool, const struct backend *backend, const char *object,
			 struct fault *fault)
{
	char text[ADDR_TEXT_SIZE];

	if (!backend->address.family) {
		fault_set(fault, FAULT_USAGE, "%s: adding it: no address", object);
		return fault_hint(fault, "give the address that its packets are sent to");
	}
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *other = pool->backends[i];

		if (other != backend && addr_equal(&other->address, &backend->address) &&
		    other->port == backend->port)
			return fault_set(fault, FAULT_CONFLICT,
					 "%s: changing it: backend %s has the address %s already",
					 object, other->name, addr_format(&backend->address, text));
	}
	return 0;
}

static int apply_backend(struct model *model, const struct override *item, struct fault *fault)
{
	struct pool *pool = find_pool(model, item->pool, "finding its backend", fault);
	char object[OVERRIDE_TEXT_SIZE];
	struct backend *backend;
	int error;

	if (!pool)
		return -1;
	if (item->removes)
		pool_backend_del(pool, item->name);
	if (!item->body)
		return 0;
	override_text(item->kind, item->pool, item->name, object);
	backend = pool_backend_find(pool, item->name);
	if (!backend)
		backend = pool_backend_add(pool, item->name);
	if (!backend)
		return override_out_of_memory(object, fault);
	error = apply_body(model, item, backend, item->body, true, fault);
	return error ? error : check_address(pool, backend, object, fault);
}

bool override_brings_pool(const struct override *item)
{
	return item->kind == OVERRIDE_POOL ||
	       (item->kind == OVERRIDE_SERVICE && item->body && (item->removes || !item->was) &&
		!json_object_get(item->body, "pool"));
}

/* A pool that is gone while a service, which came back with another file, names it. */
static int check_removed(const struct model *model, const struct override *item,
			 struct fault *fault)
{
	if (item->kind != OVERRIDE_POOL_KEYS || model_pool_find(model, item->name))
		return 0;
	for (size_t i = 0; i < model->service_count; i++)
		if (!strcmp(model->services[i]->pool, item->name))
			return fault_set(fault, FAULT_CONFLICT,
					 "pool %s: removing it: service %s uses it", item->name,
					 model->services[i]->name);
	return 0;
}

static int apply_one(struct model *model, const struct model *base, const struct override *item,
		     enum override_phase phase, bool alone, struct fault *fault)
{
	switch (phase) {
	case PHASE_REMOVE:
		if (item->kind == OVERRIDE_SERVICE)
			model_service_del(model, item->name);
		if (item->kind == OVERRIDE_POOL_KEYS && item->removes)
			model_pool_del(model, item->name);
		return item->kind == OVERRIDE_GLOBAL ? apply_keys(model, base, item, fault) : 0;
	case PHASE_POOLS:
		if (item->kind == OVERRIDE_POOL_KEYS && item->body)
			return apply_keys(model, base, item, fault);
		return override_brings_pool(item) ? apply_service(model, base, item, alone, fault)
						  : 0;
	case PHASE_SERVICES:
		if (item->kind != OVERRIDE_SERVICE || !item->body || override_brings_pool(item))
			return 0;
		return apply_service(model, base, item, alone, fault);
	case PHASE_BACKENDS:
		return item->kind == OVERRIDE_BACKEND ? apply_backend(model, item, fault) : 0;
	default:
		return check_removed(model, item, fault);
	}
}

/* `each`: every service is checked against the others as it comes, so that one can be blamed. */
static struct model *apply_all(const struct overrides *overrides, const struct model *base,
			       enum override_phase last, ptrdiff_t skip, bool each,
			       ptrdiff_t *failed, struct fault *fault)
{
	struct model *model = model_copy(base);

	*failed = OVERRIDE_NONE;
	if (!model) {
		fault_set(fault, FAULT_FAILED, "configuration: copying it: out of memory");
		return NULL;
	}
	for (enum override_phase phase = 0; phase <= last; phase++) {
		for (size_t i = 0; i < overrides->count; i++) {
			if ((ptrdiff_t)i == skip ||
			    apply_one(model, base, &overrides->items[i], phase, each, fault) == 0)
				continue;
			*failed = (ptrdiff_t)i;
			model_free(model);
			return NULL;
		}
	}
	return model;
}

struct model *overrides_apply_to(const struct overrides *overrides, const struct model *base,
				 enum override_phase last, ptrdiff_t skip, ptrdiff_t *failed,
				 struct fault *fault)
{
	struct model *model;

	/* A check of the whole costs as much as that of one service. */
	if (overrides->count > MANY) {
		model = apply_all(overrides, base, last, skip, false, failed, NULL);
		if (model && config_holds(model))
			return model;
		model_free(model);
	}
	return apply_all(overrides, base, last, skip, true, failed, fault);
}

struct model *overrides_apply(const struct overrides *overrides, const struct model *base,
			      struct fault *fault)
{
	ptrdiff_t failed;

	return overrides_apply_to(overrides, base, PHASE_WHOLE, OVERRIDE_NONE, &failed, fault);
}

/* ---- after a reload ---- */

static void drop(struct overrides *overrides, size_t i,
		 void (*dropped)(void *context, const char *object), void *context)
{
	const struct override *item = &overrides->items[i];
	char object[OVERRIDE_TEXT_SIZE];

	override_text(item->kind, item->pool, item->name, object);
	overrides_remove(overrides, i);
	if (dropped)
		dropped(context, object);
}

void overrides_rebase(struct overrides *overrides, const struct model *base,
		      void (*dropped)(void *context, const char *object), void *context)
{
	for (size_t i = overrides->count; i-- > 0;) {
		const struct override *item = &overrides->items[i];
		json_t *now = override_describe(base, item->kind, item->pool, item->name);
		bool kept = override_same(now, item->was);

		json_decref(now);
		if (!kept)
			drop(overrides, i, dropped, context);
	}
	/* What the new file leaves no room for: a listener that it has taken, a pool it lost. */
	while (overrides->count) {
		ptrdiff_t failed;
		struct model *model = overrides_apply_to(overrides, base, PHASE_WHOLE,
							 OVERRIDE_NONE, &failed, NULL);

		model_free(model);
		if (failed == OVERRIDE_NONE)
			break;
		drop(overrides, (size_t)failed, dropped, context);
	}
}
