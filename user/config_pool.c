/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_pool: the keys of pools and their backends. Neighbours: config_schema reads services
 * through the same tables, config_check has the keys of checks. It must not know which services use
 * a pool: config_cross does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"
#include "maglev.h"

#define YEAR_MS (365ULL * 24 * 60 * 60 * 1000)

/* ---- backends ---- */

static void read_address(struct walk *walk, const struct node *value, void *object)
{
	struct backend *backend = object;
	const char *text = walk_text(walk, value, "address", "an IPv4 or IPv6 address");
	char quoted[CONFIG_QUOTE_SIZE];
	struct addr address;
	const char *why;

	if (!text)
		return;
	if (addr_parse(text, &address, &why) == 0)
		why = addr_unicast_problem(&address);
	if (why)
		walk_error(walk, value, "address: %s: %s", config_quote(text, quoted), why);
	else
		backend->address = address;
}

static const struct word admin_words[] = {
	{"ready", ADMIN_READY, SUPPORTED},
	{"drain", ADMIN_DRAIN, SUPPORTED},
	{"maint", ADMIN_MAINT, SUPPORTED},
	{},
};

static const struct word drain_words[] = {
	{"flows", DRAIN_FLOWS, SUPPORTED},
	{"clients", DRAIN_CLIENTS, SUPPORTED},
	{},
};

const struct key schema_backend_keys[] = {
	{"name", KEY_ELSEWHERE, .required = true},
	{"address", KEY_CUSTOM, .required = true, .read = read_address},
	{"weight", KEY_NUMBER, KEY_FIELD(struct backend, weight), .max = MODEL_WEIGHT_MAX},
	{"port", KEY_NUMBER, KEY_FIELD(struct backend, port), .min = 1, .max = 65535},
	{"admin", KEY_WORD, KEY_FIELD(struct backend, admin), .words = admin_words},
	{"drain_mode", KEY_WORD, KEY_FIELD(struct backend, drain_mode), .words = drain_words},
	{"drain_deadline", KEY_TIME, KEY_FIELD(struct backend, drain_deadline_ms), .max = YEAR_MS},
	{"backup", KEY_BOOL, KEY_FIELD(struct backend, backup)},
	{},
};

struct backend_place {
	const struct backend *backend;
	const struct node *at;
};

static int by_address(const void *a, const void *b)
{
	const struct backend_place *x = a, *y = b;
	int order = addr_compare(&x->backend->address, &y->backend->address);

	if (order == 0)
		order = (int)x->backend->port - (int)y->backend->port;
	if (order == 0)
		order = x->at->line != y->at->line ? (x->at->line < y->at->line ? -1 : 1)
						   : (x->at->column < y->at->column ? -1 : 1);
	return order;
}

/* Two names for one backend would get twice its share. */
static void check_addresses(struct walk *walk, struct backend_place *places, size_t count)
{
	qsort(places, count, sizeof(*places), by_address);
	for (size_t i = 1; i < count; i++) {
		const struct backend *before = places[i - 1].backend, *here = places[i].backend;
		const struct node *at = config_tree_get(places[i].at, "address", NULL);

		if (here->address.family && addr_equal(&before->address, &here->address) &&
		    before->port == here->port)
			walk_error(walk, at,
				   "address: backend '%s' of this pool has it already (line %u)",
				   before->name, places[i - 1].at->line);
	}
}

static const struct backend *read_backend(struct reading *reading, struct pool *pool,
					  const struct node *list, const struct node *item)
{
	struct backend nameless = {}, *backend = NULL;
	struct section section = {.keys = schema_backend_keys, .object = &nameless};
	const char *name = schema_name(reading, item);

	if (name) {
		backend = pool_backend_add(pool, name);
		if (backend)
			section.object = backend;
		else if (errno == EEXIST)
			walk_error(&reading->walk, config_tree_get(item, "name", NULL),
				   "name: this pool has a backend '%s' already (line %u)", name,
				   schema_named_line(list, item, name));
		else
			schema_out_of_memory(reading);
	}
	walk_map(&reading->walk, item, "a backend", &section, 1, false);
	return backend;
}

static void read_backends(struct walk *walk, const struct node *list, void *object)
{
	struct reading *reading = walk->context;
	struct backend_place *places;
	struct pool *pool = object;
	size_t count = 0;

	if (!walk_is_list(walk, list, "backends"))
		return;
	/* The list says all of them: those a pool had before are gone. */
	while (pool->backend_count > 0)
		pool_backend_del(pool, pool->backends[pool->backend_count - 1]->name);
	places = calloc(list->count + 1, sizeof(*places));
	if (!places) {
		schema_out_of_memory(reading);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct node *item = list->items[i];

		places[count].backend = read_backend(reading, pool, list, item);
		places[count].at = item;
		count += places[count].backend != NULL;
	}
	check_addresses(walk, places, count);
	free(places);
}

const struct key schema_pool_own_keys[] = {
	{"backends", KEY_CUSTOM, .read = read_backends},
	{},
};

/* ---- affinity ---- */

static const struct word affinity_words[] = {
	{"5-tuple", AFFINITY_5_TUPLE, SUPPORTED},
	{"source-ip", AFFINITY_SOURCE_IP, SUPPORTED},
	{},
};

static const struct key affinity_keys[] = {
	{"key", KEY_WORD, KEY_FIELD(struct pool, affinity), .words = affinity_words},
	{"prefix_v4", KEY_NUMBER, KEY_FIELD(struct pool, prefix_v4), .min = 1, .max = 32},
	{"prefix_v6", KEY_NUMBER, KEY_FIELD(struct pool, prefix_v6), .min = 1, .max = 128},
	{"timeout", KEY_TIME, KEY_FIELD(struct pool, client_timeout_ms), .max = YEAR_MS},
	{},
};

static void finish_affinity(struct walk *walk, const struct node *map, void *object)
{
	static const char *const source_keys[] = {"prefix_v4", "prefix_v6", "timeout"};
	const struct pool *pool = object;
	const struct node *at;

	if (pool->affinity == AFFINITY_SOURCE_IP)
		return;
	for (size_t i = 0; i < sizeof(source_keys) / sizeof(source_keys[0]); i++) {
		if (config_tree_get(map, source_keys[i], &at))
			walk_error(walk, at, "'%s' needs an affinity by source (key: source-ip)",
				   source_keys[i]);
	}
}

/* ---- pools ---- */

static const struct word forward_words[] = {
	{"ipip", FORWARD_MODE_IPIP, SUPPORTED},
	{"gue", FORWARD_MODE_GUE, SUPPORTED},
	{"l2", FORWARD_MODE_L2, SUPPORTED},
	{"nat", FORWARD_MODE_NAT, SUPPORTED},
	{},
};

static const struct word track_words[] = {
	{"changed", TRACK_CHANGED, SUPPORTED},
	{"always", TRACK_ALWAYS, SUPPORTED},
	{},
};

static const struct word on_down_words[] = {
	{"move", ON_DOWN_MOVE, SUPPORTED},
	{"keep", ON_DOWN_KEEP, SUPPORTED},
	{},
};

static const struct key idle_keys[] = {
	{"tcp", KEY_TIME, KEY_FIELD(struct pool, idle_tcp_ms), .min = 1000, .max = YEAR_MS},
	{"udp", KEY_TIME, KEY_FIELD(struct pool, idle_udp_ms), .min = 1000, .max = YEAR_MS},
	{},
};

const struct key schema_pool_keys[] = {
	{"affinity", KEY_MAP, .keys = affinity_keys, .finish = finish_affinity},
	{"forward", KEY_WORD, KEY_FIELD(struct pool, forward), .words = forward_words},
	{"gue_port", KEY_NUMBER, KEY_FIELD(struct pool, gue_port), .min = 1, .max = 65535},
	{"table_size", KEY_NUMBER, KEY_FIELD(struct pool, table_size), .min = 2,
	 .max = LB_TABLE_SIZE_MAX},
	{"track", KEY_WORD, KEY_FIELD(struct pool, track), .words = track_words},
	{"on_down", KEY_WORD, KEY_FIELD(struct pool, on_down), .words = on_down_words},
	{"panic_threshold", KEY_PERCENT, KEY_FIELD(struct pool, panic_threshold)},
	{"idle_timeout", KEY_MAP, .keys = idle_keys},
	{"check", KEY_MAP, .offset = offsetof(struct pool, check), .keys = schema_check_keys,
	 .finish = schema_finish_check},
	{"slow_start", KEY_TIME, KEY_FIELD(struct pool, slow_start_ms), .max = YEAR_MS},
	{"drain_mode", KEY_WORD, KEY_FIELD(struct pool, drain_mode), .words = drain_words},
	{"drain_deadline", KEY_TIME, KEY_FIELD(struct pool, drain_deadline_ms), .max = YEAR_MS},
	{"snat", KEY_BOOL, KEY_FIELD(struct pool, snat)},
	{},
};

static const struct key name_keys[] = {
	{"name", KEY_ELSEWHERE, .required = true},
	{},
};

static void check_table_size(struct reading *reading, const struct pool *pool,
			     const struct node *map)
{
	const struct node *at = config_tree_get(map, "table_size", NULL);

	if (at && !maglev_size_valid(pool->table_size))
		walk_error(&reading->walk, at, "table_size: %u is not a prime (the nearest is %u)",
			   pool->table_size, maglev_size_near(pool->table_size));
	if (!at)
		at = config_tree_get(map, "backends", NULL);
	if (at && pool->backend_count >= pool->table_size)
		walk_error(&reading->walk, at,
			   "table_size: %u is not above the number of backends, %zu (a hundred "
			   "times their number spreads well)",
			   pool->table_size, pool->backend_count);
}

static void check_gue_port(struct reading *reading, const struct pool *pool, const struct node *map)
{
	const struct node *at;

	if (pool->forward != FORWARD_MODE_GUE && config_tree_get(map, "gue_port", &at))
		walk_error(&reading->walk, at, "'gue_port' needs 'forward: gue'");
}

/* Where `defaults` say it, it holds for pools that have a tunnel. */
static void check_via(struct reading *reading, const struct pool *pool, const struct node *map)
{
	const struct node *at;

	if (pool->forward == FORWARD_MODE_NAT && pool->check.via == CHECK_VIA_TUNNEL &&
	    config_tree_get(config_tree_get(map, "check", NULL), "via", &at))
		walk_error(&reading->walk, at,
			   "via: a pool with 'forward: nat' has no tunnel to check through");
}

static void check_snat(struct reading *reading, const struct pool *pool, const struct node *map)
{
	const struct node *at;

	if (pool->snat && pool->forward != FORWARD_MODE_NAT && config_tree_get(map, "snat", &at))
		walk_error(&reading->walk, at, "'snat' needs 'forward: nat'");
}

void schema_pool_done(struct reading *reading, struct pool *pool, const struct node *map)
{
	check_via(reading, pool, map);
	check_table_size(reading, pool, map);
	check_gue_port(reading, pool, map);
	check_snat(reading, pool, map);
	if (model_pool_find(reading->model, pool->name) == pool)
		schema_place_add(reading, &reading->pools, pool, 0, map);
}

void schema_pool_inherit(struct pool *pool, const struct pool *defaults)
{
	struct pool own = *pool;

	*pool = *defaults;
	memcpy(pool->name, own.name, sizeof(pool->name));
	pool->backends = own.backends;
	pool->backend_count = own.backend_count;
}

struct pool *schema_scratch_pool(struct reading *reading)
{
	struct pool *pool = NULL;

	if (reading->scratch) {
		model_pool_del(reading->scratch, "scratch");
		pool = model_pool_add(reading->scratch, "scratch");
	}
	if (!pool)
		schema_out_of_memory(reading);
	return pool;
}

void schema_defaults(struct reading *reading, const struct node *map)
{
	static const char belongs[] = "it belongs in each pool";
	struct section sections[] = {
		{.keys = schema_pool_keys, .object = &reading->defaults},
		{.keys = name_keys, .elsewhere = belongs},
		{.keys = schema_pool_own_keys, .elsewhere = belongs},
	};

	reading->in_defaults = true;
	walk_map(&reading->walk, map, "defaults", sections, 3, false);
	check_table_size(reading, &reading->defaults, map);
	reading->in_defaults = false;
}

static void read_pool(struct reading *reading, const struct node *list, const struct node *item)
{
	const char *name = schema_name(reading, item);
	struct pool *pool = name ? model_pool_add(reading->model, name) : NULL;

	if (name && !pool && errno == EEXIST)
		walk_error(&reading->walk, config_tree_get(item, "name", NULL),
			   "name: there is a pool '%s' already (line %u)", name,
			   schema_named_line(list, item, name));
	reading->pools_incomplete |= !name;
	if (!pool)
		pool = schema_scratch_pool(reading);
	if (!pool)
		return;
	schema_pool_inherit(pool, &reading->defaults);

	struct section sections[] = {
		{.keys = name_keys, .object = pool},
		{.keys = schema_pool_keys, .object = pool},
		{.keys = schema_pool_own_keys, .object = pool},
	};

	walk_map(&reading->walk, item, "a pool", sections, 3, false);
	schema_pool_done(reading, pool, item);
}

void schema_pools(struct reading *reading, const struct node *list)
{
	if (!walk_is_list(&reading->walk, list, "pools"))
		return;
	for (size_t i = 0; i < list->count; i++)
		read_pool(reading, list, list->items[i]);
}
