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

/* ---- allow and deny ---- */

struct listed {
	struct source_rule rule;
	const struct node *at;
};

static int by_rule(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = source_rule_compare(&x->rule, &y->rule);

	if (order == 0)
		order = (x->at->line > y->at->line) - (x->at->line < y->at->line);
	return order ? order : (x->at->column > y->at->column) - (x->at->column < y->at->column);
}

static bool read_prefix(struct walk *walk, const struct node *node, const char *key,
			struct prefix *out)
{
	const char *text = walk_text(walk, node, key, "a prefix"), *why;
	char quoted[CONFIG_QUOTE_SIZE];

	if (!text)
		return false;
	if (prefix_parse(text, out, &why) == 0)
		return true;
	walk_error(walk, node, "%s: %s: %s (such as 192.0.2.0/24 or 2001:db8::/32)", key,
		   config_quote(text, quoted), why);
	return false;
}

/* Keeps one of each prefix. Returns how many are left, in `rules`. */
static size_t listed_unique(struct walk *walk, const char *key, struct listed *all, size_t count,
			    struct source_rule *rules)
{
	char text[PREFIX_TEXT_SIZE];
	size_t kept = 0;

	if (count)
		qsort(all, count, sizeof(*all), by_rule);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && source_rule_compare(&all[i - 1].rule, &all[i].rule) == 0)
			walk_error(walk, all[i].at, "%s: %s is in the list already (line %u)", key,
				   prefix_format(&all[i].rule.prefix, text), all[i - 1].at->line);
		else
			rules[kept++] = all[i].rule;
	}
	return kept;
}

static void read_sources(struct walk *walk, const struct node *list, struct service *service,
			 bool allow)
{
	const char *key = allow ? "allow" : "deny";
	struct source_rule *rules;
	struct listed *all;
	size_t count = 0;

	if (!walk_is_list(walk, list, key))
		return;
	if (allow && list->count == 0)
		walk_error(walk, list,
			   "allow: the list is empty (to take everyone, leave it out; "
			   "to take nobody, deny 0.0.0.0/0 and ::/0)");
	if (list->count > MODEL_SOURCES_MAX) {
		walk_error(walk, list, "%s: the list has %zu prefixes, more than %d", key,
			   list->count, MODEL_SOURCES_MAX);
		return;
	}
	all = calloc(list->count + 1, sizeof(*all));
	rules = calloc(list->count + 1, sizeof(*rules));
	for (size_t i = 0; all && rules && i < list->count; i++) {
		all[count].at = list->items[i];
		all[count].rule.allow = allow;
		count += read_prefix(walk, list->items[i], key, &all[count].rule.prefix);
	}
	if (!all || !rules ||
	    service_sources_set(service, allow, rules,
				listed_unique(walk, key, all, count, rules)) < 0)
		schema_out_of_memory(walk->context);
	free(all);
	free(rules);
}

static void read_allow(struct walk *walk, const struct node *value, void *object)
{
	read_sources(walk, value, object, true);
}

static void read_deny(struct walk *walk, const struct node *value, void *object)
{
	read_sources(walk, value, object, false);
}

/* The item of the list that says the prefix, or the list. */
static const struct node *prefix_node(const struct node *list, const struct prefix *prefix)
{
	for (size_t i = 0; list->kind == NODE_LIST && i < list->count; i++) {
		struct prefix each;

		if (list->items[i]->kind == NODE_SCALAR &&
		    prefix_parse(list->items[i]->text, &each, NULL) == 0 &&
		    each.length == prefix->length && addr_equal(&each.addr, &prefix->addr))
			return list->items[i];
	}
	return list;
}

/* Of what is said of sources in both lists, or of a limit that is not there. */
static void check_sources(struct walk *walk, const struct node *map, const struct service *service)
{
	const struct node *deny = config_tree_get(map, "deny", NULL);
	const struct node *list = deny ? deny : config_tree_get(map, "allow", NULL), *at;
	char text[PREFIX_TEXT_SIZE];

	for (size_t i = 1; list && i < service->source_count; i++) {
		const struct source_rule *rule = &service->sources[i];

		if (source_rule_compare(rule - 1, rule) == 0)
			walk_error(walk, prefix_node(list, &rule->prefix),
				   "%s: %s is in the list '%s', too", deny ? "deny" : "allow",
				   prefix_format(&rule->prefix, text), deny ? "allow" : "deny");
	}
	if (!service->new_flow_limit && config_tree_get(map, "new_flow_burst", &at))
		walk_error(walk, at, "'new_flow_burst' needs a 'new_flow_limit'");
	if (!service->new_flow_limit && config_tree_get(map, "new_flow_prefix", &at))
		walk_error(walk, at, "'new_flow_prefix' needs a 'new_flow_limit'");
}

static const struct key new_flow_prefix_keys[] = {
	{"v4", KEY_NUMBER, KEY_FIELD(struct service, new_flow_prefix_v4), .min = 1, .max = 32},
	{"v6", KEY_NUMBER, KEY_FIELD(struct service, new_flow_prefix_v6), .min = 1, .max = 128},
	{},
};

const struct key schema_service_keys[] = {
	{"name", KEY_ELSEWHERE, .required = true},
	{"listen", KEY_CUSTOM, .required = true, .read = read_listen},
	{"pool", KEY_CUSTOM, .read = read_pool_name},
	{"withdraw", KEY_BOOL, KEY_FIELD(struct service, withdraw)},
	{"allow", KEY_CUSTOM, .read = read_allow},
	{"deny", KEY_CUSTOM, .read = read_deny},
	{"new_flow_limit", KEY_NUMBER, KEY_FIELD(struct service, new_flow_limit),
	 .max = LB_NEW_FLOWS_MAX},
	{"new_flow_burst", KEY_NUMBER, KEY_FIELD(struct service, new_flow_burst), .min = 1,
	 .max = LB_NEW_FLOWS_MAX},
	{"new_flow_prefix", KEY_MAP, .keys = new_flow_prefix_keys},
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
	check_sources(&reading->walk, map, service);
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
	free(nameless.sources);
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
