/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agree PIN_DIR <CONFIGURATION: whether the maps say what a configuration (as GET /v1/config has
 * it) would make them say, all backends being up: the same pools, backends and services and no
 * others, in each table the owners that Maglev gives, and nothing that points nowhere. Prints what
 * is wrong, and its exit status is 1 then. Reads the maps itself, with none of publish's code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/config.h"
#include "../../user/dataplane.h"
#include "../../user/impact.h"
#include "../../user/maglev.h"

enum { TEXT_MAX = 1 << 20, LISTENERS_MAX = 4096 };

static struct dataplane *dp;
static struct lb_limits limits;
static unsigned wrong;

#define SAY(...) (wrong++, printf(__VA_ARGS__), putchar('\n'))

static struct model *read_model(void)
{
	static char text[TEXT_MAX];
	size_t size = fread(text, 1, sizeof(text) - 1, stdin);
	char *schema = strstr(text, "\"schema\": 1,");
	struct config_errors errors = {0};
	struct model *model;

	/* A reply has that beside the configuration. */
	if (schema)
		memset(schema, ' ', strlen("\"schema\": 1,"));
	model = config_parse(text, size, NULL, &errors);
	if (!model) {
		fprintf(stderr, "agree: the configuration: %s\n", errors.items[0].what);
		exit(2);
	}
	return model;
}

/* ---- identities ---- */

static uint32_t find_pool(const char *name)
{
	struct lb_pool_identity identity;
	uint32_t found = 0;

	for (uint32_t i = 1; i <= limits.services; i++) {
		if (dataplane_pool_identity(dp, i, &identity) != 0 ||
		    strcmp(identity.name, name) != 0)
			continue;
		if (found)
			SAY("pool %s: is there twice", name);
		found = i;
	}
	return found;
}

static void check_no_other_pools(const struct model *model)
{
	struct lb_pool_identity identity;

	for (uint32_t i = 1; i <= limits.services; i++)
		if (dataplane_pool_identity(dp, i, &identity) == 0 && identity.name[0] &&
		    !model_pool_find(model, identity.name))
			SAY("pool %s: nobody wants it", identity.name);
}

/* The index of each backend of the pool, in `indices`. */
static void find_backends(const struct pool *pool, uint32_t pool_index, uint32_t *indices)
{
	struct lb_backend_identity identity;

	for (uint32_t i = 1; i <= limits.backends; i++) {
		const struct backend *backend;
		bool known = false;

		if (dataplane_backend_identity(dp, i, &identity) != 0 || !identity.name[0] ||
		    identity.pool != pool_index)
			continue;
		for (size_t b = 0; b < pool->backend_count; b++) {
			backend = pool->backends[b];
			if (strcmp(backend->name, identity.name) != 0)
				continue;
			if (indices[b])
				SAY("backend %s/%s: is there twice", pool->name, backend->name);
			indices[b] = i;
			known = true;
		}
		if (!known)
			SAY("backend %s/%s: nobody wants it", pool->name, identity.name);
	}
	for (size_t b = 0; b < pool->backend_count; b++)
		if (!indices[b])
			SAY("backend %s/%s: it is not there", pool->name, pool->backends[b]->name);
}

/* ---- tables ---- */

static void check_backends(const struct pool *pool, const uint32_t *indices)
{
	for (size_t b = 0; b < pool->backend_count; b++) {
		const struct backend *backend = pool->backends[b];
		const struct lb_backend *entry = &dataplane_backends(dp)[indices[b]];
		bool usable = indices[b] && entry->status & LB_BACKEND_USABLE;

		if (usable != backend_usable(pool, backend))
			SAY("backend %s/%s: it is %susable", pool->name, backend->name,
			    usable ? "" : "not ");
	}
}

static bool names_one(const uint32_t *indices, size_t count, uint32_t index)
{
	for (size_t b = 0; b < count; b++)
		if (indices[b] == index)
			return true;
	return !index;
}

static void check_slots(const struct pool *pool, const uint32_t *slots, const int32_t *table,
			const uint32_t *indices)
{
	unsigned owners = 0, fallbacks = 0;

	for (uint32_t i = 0; i < pool->table_size; i++) {
		uint32_t wanted = table[i] < 0 ? 0 : indices[table[i]];

		owners += LB_SLOT_OWNER(slots[i]) != wanted;
		fallbacks += !names_one(indices, pool->backend_count, LB_SLOT_FALLBACK(slots[i]));
	}
	if (owners)
		SAY("pool %s: %u slots have another owner", pool->name, owners);
	if (fallbacks)
		SAY("pool %s: %u slots have a fallback that is none of its backends", pool->name,
		    fallbacks);
}

static void check_table(struct pool *pool, uint32_t index, const uint32_t *indices)
{
	struct maglev_backend *backends = calloc(pool->backend_count + 1, sizeof(*backends));
	int32_t *table = malloc(pool->table_size * sizeof(*table));
	uint64_t entry = dataplane_pools(dp)[index].table;

	impact_expect(pool);
	check_backends(pool, indices);
	for (size_t b = 0; b < pool->backend_count; b++) {
		backends[b].name = pool->backends[b]->name;
		backends[b].weight = backend_effective_weight(pool, pool->backends[b]);
	}
	if (LB_TABLE_SIZE(entry) != pool->table_size)
		SAY("pool %s: its table has %u slots", pool->name, (unsigned)LB_TABLE_SIZE(entry));
	else if (maglev_build(dataplane_settings(dp)->hash_seed, backends, pool->backend_count,
			      table, pool->table_size) == 0)
		check_slots(pool, dataplane_slots(dp) + LB_TABLE_BASE(entry), table, indices);
	free(backends);
	free(table);
}

static void check_pool(struct pool *pool)
{
	uint32_t index = find_pool(pool->name);
	uint32_t *indices = calloc(pool->backend_count + 1, sizeof(*indices));

	if (!index) {
		SAY("pool %s: it is not there", pool->name);
	} else {
		find_backends(pool, index, indices);
		check_table(pool, index, indices);
	}
	free(indices);
}

/* ---- services ---- */

struct found {
	char name[LB_NAME_SIZE];
	struct addr vip;
	uint8_t proto;
	struct port_block block;
};

static struct found found[LISTENERS_MAX];
static size_t found_count;

static void on_listener(void *context, const struct addr *vip, uint8_t proto,
			const struct port_block *block, const struct lb_service *service)
{
	struct lb_service_identity identity = {0};
	struct lb_pool_identity pool = {0};
	const struct service *wanted;
	const struct model *model = context;

	dataplane_service_identity(dp, service->index, &identity);
	dataplane_pool_identity(dp, identity.pool, &pool);
	wanted = model_service_find(model, identity.name);
	if (!wanted)
		SAY("listener on port %u: nobody wants its service, '%s'", block->port,
		    identity.name);
	else if (strcmp(wanted->pool, pool.name) != 0)
		SAY("service %s: it goes to pool '%s'", identity.name, pool.name);
	if (found_count == LISTENERS_MAX)
		return;
	memcpy(found[found_count].name, identity.name, sizeof(identity.name));
	found[found_count].vip = *vip;
	found[found_count].proto = proto;
	found[found_count++].block = *block;
}

static bool is_found(const struct service *service, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < found_count; i++)
		if (!strcmp(found[i].name, service->name) && found[i].proto == endpoint->proto &&
		    addr_equal(&found[i].vip, &endpoint->addr) &&
		    found[i].block.port == endpoint->port_first)
			return true;
	return false;
}

static void check_services(const struct model *model)
{
	struct lb_service_identity identity;
	size_t wanted = 0;

	dataplane_listeners(dp, on_listener, (void *)model);
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		for (size_t k = 0; k < service->listen_count; k++, wanted++)
			if (!is_found(service, &service->listen[k]))
				SAY("service %s: a listener is not there", service->name);
	}
	if (found_count != wanted)
		SAY("services: there are %zu listeners, not %zu", found_count, wanted);
	for (uint32_t i = 1; i <= limits.services; i++)
		if (dataplane_service_identity(dp, i, &identity) == 0 && identity.name[0] &&
		    !model_service_find(model, identity.name))
			SAY("service %s: nobody wants it", identity.name);
}

int main(int argc, char **argv)
{
	struct model *model = read_model();
	struct fault fault = {0};

	dp = argc == 2 ? dataplane_open(argv[1], false, &fault) : NULL;
	if (!dp) {
		fprintf(stderr, "usage: agree PIN_DIR; %s\n", fault.message);
		return 2;
	}
	limits = dataplane_settings(dp)->limits;
	for (size_t i = 0; i < model->pool_count; i++)
		check_pool(model->pools[i]);
	check_no_other_pools(model);
	check_services(model);
	model_free(model);
	dataplane_close(dp);
	return wrong != 0;
}
