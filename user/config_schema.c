/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_schema: the keys of the file itself and of services. Neighbours: config_global and
 * config_pool have the other keys, config_cross what concerns several objects. It must not know the
 * running system.
 */
#include "config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shared by the rooms ---- */

void schema_out_of_memory(struct reading *reading)
{
	config_errors_add(reading->walk.errors, 0, 0, "out of memory");
}

void schema_place_add(struct reading *reading, struct places *places, void *object, size_t index,
		      const struct node *at)
{
	struct place *items;

	/* The array doubles: its size is the power of two at or above `count`. */
	if ((places->count & (places->count - 1)) == 0) {
		size_t room = places->count ? places->count * 2 : 1;

		items = reallocarray(places->items, room, sizeof(*items));
		if (!items) {
			schema_out_of_memory(reading);
			return;
		}
		places->items = items;
	}
	places->items[places->count++] = (struct place){.object = object, .index = index, .at = at};
}

const char *schema_name(struct reading *reading, const struct node *map)
{
	const struct node *node = config_tree_get(map, "name", NULL);
	char quoted[CONFIG_QUOTE_SIZE];
	const char *name;

	/* walk_map reports a name that is missing or without a value. */
	if (!node || config_tree_is_null(node))
		return NULL;
	name = walk_text(&reading->walk, node, "name", "a word");
	if (!name || model_name_valid(name))
		return name;
	walk_error(&reading->walk, node,
		   "name: %s is no name (letters, digits, '-', '_' and '.', a letter or digit "
		   "first, at most %d)",
		   config_quote(name, quoted), MODEL_NAME_SIZE - 1);
	return NULL;
}

unsigned schema_named_line(const struct node *list, const struct node *item, const char *name)
{
	for (size_t i = 0; i < list->count && list->items[i] != item; i++) {
		const struct node *node = config_tree_get(list->items[i], "name", NULL);

		if (node && node->kind == NODE_SCALAR && strcmp(node->text, name) == 0)
			return node->line;
	}
	return 0;
}

/* ---- services ---- */

static void read_endpoint(struct walk *walk, const struct node *node, struct service *service)
{
	struct reading *reading = walk->context;
	const char *text = walk_text(walk, node, "listen", "an endpoint"), *why;
	char quoted[CONFIG_QUOTE_SIZE];
	struct endpoint endpoint;

	if (text && endpoint_parse(text, &endpoint, &why) < 0) {
		walk_error(walk, node,
			   "listen: %s: %s (such as tcp://192.0.2.10:443, udp://[2001:db8::1]:53, "
			   "tcp://192.0.2.10:8000-8099 or tcp://192.0.2.10:*)",
			   config_quote(text, quoted), why);
		text = NULL;
	}
	if (!text)
		reading->listeners_incomplete = true;
	else if (service_listen_add(service, &endpoint) < 0)
		schema_out_of_memory(reading);
	else if (model_service_find(reading->model, service->name) == service)
		schema_place_add(reading, &reading->listeners, service, service->listen_count - 1,
				 node);
}

static void read_listen(struct walk *walk, const struct node *value, void *object)
{
	struct service *service = object;

	service->listen_count = 0;
	if (value->kind != NODE_LIST) {
		read_endpoint(walk, value, service);
		return;
	}
	if (value->count == 0)
		walk_error(walk, value, "listen: the list is empty (a service needs an endpoint)");
	for (size_t i = 0; i < value->count; i++)
		read_endpoint(walk, value->items[i], service);
}

static void read_pool_name(struct walk *walk, const struct node *value, void *object)
{
	struct reading *reading = walk->context;
	const char *text = walk_text(walk, value, "pool", "a pool's name");
	struct service *service = object;
	char quoted[CONFIG_QUOTE_SIZE];

	if (!text)
		return;
	if (!model_name_valid(text)) {
		walk_error(walk, value, "pool: there is no pool %s", config_quote(text, quoted));
		return;
	}
	snprintf(service->pool, sizeof(service->pool), "%s", text);
	if (model_service_find(reading->model, service->name) == service)
		schema_place_add(reading, &reading->references, service, 0, value);
}

const struct key schema_service_keys[] = {
	{"name", KEY_ELSEWHERE, .required = true},
	{"listen", KEY_CUSTOM, .required = true, .read = read_listen},
	{"pool", KEY_CUSTOM, .read = read_pool_name},
	{"allow", KEY_CUSTOM, .support = NOT_YET},
	{"deny", KEY_CUSTOM, .support = NOT_YET},
	{"new_flow_limit", KEY_CUSTOM, .support = NOT_YET},
	{},
};

void schema_service(struct reading *reading, const struct node *map, struct service *service,
		    struct pool *own, bool partial)
{
	const char *elsewhere = own ? NULL : "it belongs in the pool that 'pool' names";
	struct section sections[] = {
		{.keys = schema_service_keys, .object = service},
		{.keys = schema_pool_keys, .object = own, .elsewhere = elsewhere},
		{.keys = schema_pool_own_keys, .object = own, .elsewhere = elsewhere},
	};

	walk_map(&reading->walk, map, "a service", sections, 3, partial);
	if (own)
		schema_pool_done(reading, own, map);
}

/* The pool that a service without `pool` holds itself; it has the service's name. */
static struct pool *add_own_pool(struct reading *reading, const struct node *item, const char *name)
{
	struct pool *pool = name ? model_pool_add(reading->model, name) : NULL;
	unsigned line = 0;

	if (name && !pool && errno == EEXIST) {
		const struct pool *taken = model_pool_find(reading->model, name);

		for (size_t i = 0; i < reading->pools.count; i++) {
			if (reading->pools.items[i].object == taken)
				line = reading->pools.items[i].at->line;
		}
		walk_error(&reading->walk, item,
			   "service '%s' would hold a pool of its name, but there is one (line %u; "
			   "to use that, write pool: %s)",
			   name, line, name);
	}
	if (!pool)
		pool = schema_scratch_pool(reading);
	if (pool)
		schema_pool_inherit(pool, &reading->defaults);
	return pool;
}

static void read_service(struct reading *reading, const struct node *list, const struct node *item)
{
	const char *name = schema_name(reading, item);
	struct service nameless = {};
	struct service *service = name ? model_service_add(reading->model, name) : NULL;
	struct pool *own = NULL;

	if (name && !service && errno == EEXIST)
		walk_error(&reading->walk, config_tree_get(item, "name", NULL),
			   "name: there is a service '%s' already (line %u)", name,
			   schema_named_line(list, item, name));
	if (!service) {
		reading->listeners_incomplete = true;
		reading->pools_incomplete = true;
		name = NULL;
	}
	if (!config_tree_get(item, "pool", NULL)) {
		own = add_own_pool(reading, item, name);
		if (!own)
			return;
		if (service)
			memcpy(service->pool, service->name, sizeof(service->pool));
	}
	schema_service(reading, item, service ? service : &nameless, own, false);
	free(nameless.listen);
}

/* ---- the file ---- */

static void read_version(struct walk *walk, const struct node *value, void *object)
{
	char quoted[CONFIG_QUOTE_SIZE];

	(void)object;
	if (value->kind == NODE_SCALAR && value->plain && strcmp(value->text, "1") == 0)
		return;
	if (walk_text(walk, value, "version", "1"))
		walk_error(walk, value, "version: %s is none this lbd reads (version: 1)",
			   config_quote(value->text, quoted));
}

static const struct key file_keys[] = {
	{"version", KEY_CUSTOM, .required = true, .read = read_version},
	{"global", KEY_MAP, .offset = offsetof(struct model, global), .keys = schema_global_keys,
	 .finish = schema_finish_global},
	{"defaults", .type = KEY_ELSEWHERE},
	{"pools", .type = KEY_ELSEWHERE},
	{"services", .type = KEY_ELSEWHERE},
	{},
};

/* A key's value, or NULL where there is none (walk_map reports a null). */
static const struct node *part(const struct node *root, const char *key)
{
	const struct node *node = config_tree_get(root, key, NULL);

	return node && !config_tree_is_null(node) ? node : NULL;
}

void schema_file(struct reading *reading, const struct node *root)
{
	struct section section = {.keys = file_keys, .object = reading->model};
	const struct node *defaults = part(root, "defaults"), *pools = part(root, "pools");
	const struct node *services = part(root, "services");

	walk_map(&reading->walk, root, "the file", &section, 1, false);
	/* Whatever their order in the file: pools need the defaults, services the pools' names. */
	if (defaults)
		schema_defaults(reading, defaults);
	if (pools)
		schema_pools(reading, pools);
	if (services && walk_is_list(&reading->walk, services, "services")) {
		for (size_t i = 0; i < services->count; i++)
			read_service(reading, services, services->items[i]);
	}
	cross_check(reading, root);
}
