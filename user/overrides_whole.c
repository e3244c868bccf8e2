/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_whole: the set that makes one whole model of another (`lbctl config apply`), and how
 * two models differ, object by object. Pure, as overrides.c.
 *
 * Each object that differs becomes an override of its own: so a later file that changes one of them
 * takes that one back, and no other.
 */
#include <stdlib.h>
#include <string.h>

#include "overrides.h"
#include "overrides_set.h"

/* ---- walking the objects of two models ---- */

struct pair {
	enum override_kind kind;
	const char *pool; /* of a backend; else NULL */
	const char *name;
	json_t *from, *to; /* what each model says of the object; NULL: nothing */
};

/* 0, or -1 to end. */
typedef int (*pair_visit)(void *context, const struct pair *pair);

/* Two models side by side. */
struct walk {
	const struct model *from, *to;
	pair_visit each;
	void *context;
	struct json_text from_text, to_text; /* of one object */
};

/* `object` may be NULL. */
static void put(struct json_text *text, enum override_kind kind, const void *object)
{
	text->size = 0;
	json_text_begin(text, NULL, '{');
	if (object)
		override_put(text, kind, object);
	json_text_end(text, '}');
}

/* Most objects do not differ, which texts tell sooner than trees. */
static bool differ(struct walk *walk, enum override_kind kind, const void *old, const void *new)
{
	const struct json_text *from = &walk->from_text, *to = &walk->to_text;

	put(&walk->from_text, kind, old);
	put(&walk->to_text, kind, new);
	return from->failed || to->failed || from->size != to->size ||
	       memcmp(from->bytes, to->bytes, from->size) != 0;
}

/* `old` and `new`: the object of this name, NULL where there is none. */
static int visit(struct walk *walk, enum override_kind kind, const char *pool, const char *name,
		 const void *old, const void *new)
{
	struct pair pair = {.kind = kind, .pool = pool, .name = name};
	int rc;

	if (!differ(walk, kind, old, new))
		return 0;
	pair.from = override_keys(walk->from, kind, pool, name);
	pair.to = override_keys(walk->to, kind, pool, name);
	rc = walk->each(walk->context, &pair);
	json_decref(pair.from);
	json_decref(pair.to);
	return rc;
}

static int visit_backends(struct walk *walk, const char *name, const struct pool *old,
			  const struct pool *new)
{
	int rc = 0;

	for (size_t i = 0; new &&i < new->backend_count && !rc; i++) {
		const struct backend *to = new->backends[i];

		rc = visit(walk, OVERRIDE_BACKEND, name, to->name,
			   old ? pool_backend_find(old, to->name) : NULL, to);
	}
	for (size_t i = 0; old && i < old->backend_count && !rc; i++) {
		const struct backend *from = old->backends[i];

		if (!new || !pool_backend_find(new, from->name))
			rc = visit(walk, OVERRIDE_BACKEND, name, from->name, from, NULL);
	}
	return rc;
}

static int visit_pool(struct walk *walk, const char *name)
{
	const struct pool *old = model_pool_find(walk->from, name);
	const struct pool *new = model_pool_find(walk->to, name);
	int rc = visit(walk, OVERRIDE_POOL_KEYS, NULL, name, old, new);

	return rc ? rc : visit_backends(walk, name, old, new);
}

static int visit_service(struct walk *walk, const char *name)
{
	return visit(walk, OVERRIDE_SERVICE, NULL, name, model_service_find(walk->from, name),
		     model_service_find(walk->to, name));
}

static int visit_objects(struct walk *walk)
{
	const struct model *from = walk->from, *to = walk->to;
	int rc = visit(walk, OVERRIDE_GLOBAL, NULL, OVERRIDE_GLOBAL_NAME, from, to);

	for (size_t i = 0; i < to->pool_count && !rc; i++)
		rc = visit_pool(walk, to->pools[i]->name);
	for (size_t i = 0; i < from->pool_count && !rc; i++)
		if (!model_pool_find(to, from->pools[i]->name))
			rc = visit_pool(walk, from->pools[i]->name);
	for (size_t i = 0; i < to->service_count && !rc; i++)
		rc = visit_service(walk, to->services[i]->name);
	for (size_t i = 0; i < from->service_count && !rc; i++)
		if (!model_service_find(to, from->services[i]->name))
			rc = visit_service(walk, from->services[i]->name);
	return rc;
}

/* Calls `each` for every object that differs. */
static int visit_all(const struct model *from, const struct model *to, pair_visit each,
		     void *context)
{
	struct walk walk = {.from = from, .to = to, .each = each, .context = context};
	int rc = visit_objects(&walk);

	free(walk.from_text.bytes);
	free(walk.to_text.bytes);
	return rc;
}

/* ---- the set ---- */

struct making {
	struct overrides *set;
	const struct model *base, *wanted;
};

static json_t *without_name(json_t *keys)
{
	json_object_del(keys, "name");
	return json_incref(keys);
}

static int make_one(void *context, const struct pair *pair)
{
	struct making *making = context;
	struct override *item;

	/* They go with their pool. */
	if (pair->kind == OVERRIDE_BACKEND && !model_pool_find(making->wanted, pair->pool))
		return 0;
	item = overrides_append(making->set, pair->kind, pair->pool, pair->name);
	if (!item)
		return -1;
	item->was = override_describe(making->base, pair->kind, pair->pool, pair->name);
	item->removes = !pair->to;
	if (!pair->to)
		return 0;
	if (pair->kind == OVERRIDE_POOL_KEYS || pair->kind == OVERRIDE_GLOBAL) {
		item->body =
			pair->from ? override_delta(pair->from, pair->to) : json_incref(pair->to);
		return item->body ? 0 : -1;
	}
	/* A key that it has not is the default, whatever the file says of it. */
	item->removes = pair->from != NULL;
	item->body = without_name(pair->to);
	return item->body ? 0 : -1;
}

static int keep_drains(struct overrides *set, const struct overrides *old)
{
	for (size_t i = 0; i < old->drain_count; i++) {
		const struct drain *from = &old->drains[i];
		struct drain *to = overrides_drain_append(set, from->pool, from->backend);

		if (!to)
			return -1;
		*to = *from;
	}
	return 0;
}

/* Whoever may use the API may not have lbd run programs. */
static int check_programs(const struct model *base, const struct model *wanted, struct fault *fault)
{
	for (size_t i = 0; i < wanted->pool_count; i++) {
		const struct pool *pool = wanted->pools[i];
		const struct pool *old = model_pool_find(base, pool->name);

		if (pool->check.type != CHECK_EXEC ||
		    (old && !memcmp(&old->check, &pool->check, sizeof(pool->check))))
			continue;
		fault_set(
			fault, FAULT_PERMISSION,
			"pool %s: its check: type exec is only taken from the file that lbd reads",
			pool->name);
		return fault_hint(fault, "put it there, and reload");
	}
	return 0;
}

struct overrides *overrides_whole(const struct overrides *old, const struct model *base,
				  const struct model *wanted, struct fault *fault)
{
	struct making making = {.set = overrides_create(), .base = base, .wanted = wanted};

	if (check_programs(base, wanted, fault) != 0)
		goto fail;
	if (making.set && keep_drains(making.set, old) == 0 &&
	    visit_all(base, wanted, make_one, &making) == 0)
		return making.set;
	fault_set(fault, FAULT_FAILED, "configuration: taking it: out of memory");
fail:
	overrides_free(making.set);
	return NULL;
}

/* ---- differences, for people ---- */

struct telling {
	json_t *list;
	const struct model *base;
};

static json_t *value_or_null(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

/* Whether it was the file, edited since it was read, or a change at run time. */
static const char *origin_of(const struct telling *telling, const struct pair *pair)
{
	json_t *read = override_keys(telling->base, pair->kind, pair->pool, pair->name);
	bool edited = !override_same(read, pair->from), changed = !override_same(read, pair->to);

	json_decref(read);
	return edited && changed ? "both" : edited ? "file" : "run time";
}

static int tell_one(void *context, const struct pair *pair)
{
	struct telling *telling = context;
	char object[OVERRIDE_TEXT_SIZE];
	json_t *keys = json_object(), *delta, *value;
	const char *key;

	delta = pair->from && pair->to ? override_delta(pair->from, pair->to) : NULL;
	json_object_foreach (delta, key, value)
		json_object_set_new(keys, key,
				    json_pack("{s:o, s:o}", "file",
					      value_or_null(json_object_get(pair->from, key)),
					      "running",
					      value_or_null(json_object_get(pair->to, key))));
	json_decref(delta);
	override_text(pair->kind, pair->pool, pair->name, object);
	return json_array_append_new(
		telling->list,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "object", object, "where",
			  !pair->from ? "running"
			  : !pair->to ? "file"
				      : "both",
			  "origin", origin_of(telling, pair), "keys", keys, "file",
			  value_or_null(pair->to ? NULL : pair->from), "running",
			  value_or_null(pair->from ? NULL : pair->to)));
}

json_t *overrides_differences(const struct model *base, const struct model *file,
			      const struct model *running)
{
	struct telling telling = {.list = json_array(), .base = base};

	if (telling.list && visit_all(file, running, tell_one, &telling) == 0)
		return telling.list;
	json_decref(telling.list);
	return NULL;
}
