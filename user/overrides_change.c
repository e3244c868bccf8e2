/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_change: adds one change to a set of overrides.
 *
 * Every change is made on a copy of the set and tried on the file's model; the copy is taken only
 * if that worked. Pure, as overrides.c.
 */
#include <string.h>

#include "find.h"
#include "overrides.h"
#include "overrides_set.h"

static bool pool_used(const struct model *model, const char *pool, const char *but)
{
	for (size_t i = 0; i < model->service_count; i++)
		if (!strcmp(model->services[i]->pool, pool) &&
		    strcmp(model->services[i]->name, but) != 0)
			return true;
	return false;
}

/* What a change works on. */
struct edit {
	struct overrides *next;      /* the set after it */
	const struct model *base;    /* the file's */
	const struct model *current; /* with the set before it */
	const struct change *change;
	enum override_kind kind;
	char object[OVERRIDE_TEXT_SIZE];
};

static struct override *edit_override(const struct edit *edit)
{
	return overrides_find(edit->next, edit->kind, edit->change->pool, edit->change->name);
}

static int check_new(const struct edit *edit, bool exists, struct fault *fault)
{
	const struct change *change = edit->change;

	if (!model_name_valid(change->name)) {
		fault_set(fault, FAULT_USAGE, "%s: adding it: not a name", edit->object);
		return fault_hint(fault, "a name has 1 to 63 letters, digits, '-', '_' and '.', "
					 "the first a letter or digit");
	}
	if (exists) {
		fault_set(fault, FAULT_CONFLICT, "%s: adding it: it exists already", edit->object);
		return fault_hint(fault, "change it, delete it first, or take another name");
	}
	if (edit->kind == OVERRIDE_SERVICE && !json_object_get(change->body, "pool") &&
	    model_pool_find(edit->current, change->name)) {
		fault_set(fault, FAULT_CONFLICT,
			  "%s: adding it with a pool of its own: pool %s exists already",
			  edit->object, change->name);
		return fault_hint(fault, "let it use that pool (--pool %s), or take another name",
				  change->name);
	}
	return 0;
}

/* The schema would say so, too; but that it is a missing object is worth its own code. */
static int check_pool_key(const struct edit *edit, struct fault *fault)
{
	const char *pool = json_string_value(json_object_get(edit->change->body, "pool"));

	if (edit->kind != OVERRIDE_SERVICE || !pool)
		return 0;
	return find_pool(edit->current, pool, "giving it to a service", fault) ? 0 : -1;
}

static int check_existing(const struct edit *edit, struct fault *fault)
{
	const struct change *change = edit->change;
	const char *attempt = change->verb == CHANGE_DELETE ? "deleting it" : "changing it";
	const struct pool *pool;

	if (edit->kind == OVERRIDE_SERVICE)
		return find_service(edit->current, change->name, attempt, fault) ? 0 : -1;
	pool = model_pool_find(edit->current, change->pool);
	return find_backend(pool, change->name, attempt, fault) ? 0 : -1;
}

static int check_change(const struct edit *edit, struct fault *fault)
{
	const struct change *change = edit->change;
	json_t *named;
	bool exists;

	if (edit->kind == OVERRIDE_BACKEND &&
	    !find_pool(edit->current, change->pool, "finding its backend", fault))
		return -1;
	if (change->verb == CHANGE_DELETE)
		return check_existing(edit, fault);
	if (!json_is_object(change->body))
		return fault_set(fault, FAULT_USAGE, "%s: changing it: no keys given",
				 edit->object);
	named = json_object_get(change->body, "name");
	if (named && (!json_is_string(named) || strcmp(json_string_value(named), change->name)))
		return fault_set(fault, FAULT_USAGE, "%s: changing it: its name cannot be changed",
				 edit->object);
	if (check_pool_key(edit, fault) != 0)
		return -1;
	if (change->verb == CHANGE_SET)
		return check_existing(edit, fault);
	named = override_describe(edit->current, edit->kind, change->pool, change->name);
	exists = named != NULL;
	json_decref(named);
	return check_new(edit, exists, fault);
}

/* How it was drained is over with the drain: the next one begins as the file says. */
static void end_drain(json_t *body, const json_t *asked)
{
	const char *admin = json_string_value(json_object_get(asked, "admin"));

	if (!admin || !strcmp(admin, "drain"))
		return;
	json_object_del(body, "drain_mode");
	json_object_del(body, "drain_deadline");
}

/* Add and set: the keys of the change on top of those that the override has. */
static int put_body(struct edit *edit, struct fault *fault)
{
	const struct change *change = edit->change;
	struct override *item = edit_override(edit);
	json_t *body;

	if (!item) {
		item = overrides_append(edit->next, edit->kind, change->pool, change->name);
		if (!item)
			return override_out_of_memory(edit->object, fault);
		item->was = override_describe(edit->base, edit->kind, change->pool, change->name);
	}
	body = item->body && change->verb == CHANGE_SET ? json_copy(item->body) : json_object();
	if (body)
		end_drain(body, change->body);
	if (!body || json_object_update(body, (json_t *)change->body) != 0) {
		json_decref(body);
		return override_out_of_memory(edit->object, fault);
	}
	json_object_del(body, "name");
	json_decref(item->body);
	item->body = body;
	return 0;
}

/* True if the object would be there without its override. */
static bool exists_below(const struct edit *edit)
{
	const struct override *item = edit_override(edit);
	struct model *below;
	ptrdiff_t failed;
	json_t *found;

	if (edit->kind == OVERRIDE_SERVICE)
		return model_service_find(edit->base, edit->change->name);
	if (!item)
		return true;
	below = overrides_apply_to(edit->next, edit->base, PHASE_BACKENDS, item - edit->next->items,
				   &failed, NULL);
	if (!below)
		return false;
	found = override_describe(below, edit->kind, edit->change->pool, edit->change->name);
	model_free(below);
	json_decref(found);
	return found != NULL;
}

static int delete_object(struct edit *edit, struct fault *fault)
{
	const struct change *change = edit->change;
	bool below = exists_below(edit);
	struct override *item = edit_override(edit);

	if (!item) {
		item = overrides_append(edit->next, edit->kind, change->pool, change->name);
		if (!item)
			return override_out_of_memory(edit->object, fault);
		item->was = override_describe(edit->base, edit->kind, change->pool, change->name);
	}
	if (override_brings_pool(item) && pool_used(edit->current, change->name, change->name)) {
		item->kind = OVERRIDE_POOL;
		return 0;
	}
	json_decref(item->body);
	item->body = NULL;
	item->removes = true;
	if (!below)
		overrides_remove(edit->next, (size_t)(item - edit->next->items));
	return 0;
}

/* An override that says what the file says is none. */
static void drop_if_idle(struct edit *edit, const struct model *result)
{
	struct override *item = edit_override(edit);
	json_t *now;

	if (!item || !item->was)
		return;
	now = override_describe(result, edit->kind, edit->change->pool, edit->change->name);
	if (override_same(now, item->was))
		overrides_remove(edit->next, (size_t)(item - edit->next->items));
	json_decref(now);
}

/* Drops pools that no service uses any more, and what was said of backends whose pool is gone. */
static int prune(struct edit *edit, struct fault *fault)
{
	struct overrides *set = edit->next;
	ptrdiff_t failed;
	struct model *services =
		overrides_apply_to(set, edit->base, PHASE_SERVICES, OVERRIDE_NONE, &failed, fault);

	if (!services)
		return -1;
	for (size_t i = set->count; i-- > 0;) {
		if (set->items[i].kind != OVERRIDE_POOL ||
		    pool_used(services, set->items[i].name, ""))
			continue;
		model_pool_del(services, set->items[i].name);
		overrides_remove(set, i);
	}
	for (size_t i = set->count; i-- > 0;)
		if (set->items[i].kind == OVERRIDE_BACKEND &&
		    !model_pool_find(services, set->items[i].pool))
			overrides_remove(set, i);
	model_free(services);
	return 0;
}

/* `*result`: what the set makes of the file then. */
static int edit_run(struct edit *edit, struct model **result, struct fault *fault)
{
	int error;

	if (check_change(edit, fault) != 0)
		return -1;
	if (edit->change->verb == CHANGE_DELETE)
		error = delete_object(edit, fault);
	else
		error = put_body(edit, fault);
	/* Pools come and go with services. */
	if (error || (edit->kind == OVERRIDE_SERVICE && prune(edit, fault) != 0))
		return -1;
	*result = overrides_apply(edit->next, edit->base, fault);
	if (!*result)
		return -1;
	drop_if_idle(edit, *result);
	return 0;
}

int overrides_add(struct overrides *overrides, const struct model *base,
		  const struct model *current, const struct change *change, struct model **result,
		  struct fault *fault)
{
	struct edit edit = {.base = base, .current = current, .change = change};
	struct overrides swap;
	int error = -1;

	edit.kind = change->object == CHANGE_SERVICE ? OVERRIDE_SERVICE : OVERRIDE_BACKEND;
	override_text(edit.kind, change->pool, change->name, edit.object);
	edit.next = overrides_copy(overrides);
	if (!edit.next)
		override_out_of_memory(edit.object, fault);
	else
		error = edit_run(&edit, result, fault);
	if (!error) {
		swap = *overrides;
		*overrides = *edit.next;
		*edit.next = swap;
	}
	overrides_free(edit.next);
	return error;
}
