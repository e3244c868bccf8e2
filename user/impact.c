/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* impact: see impact.h. */
#include "impact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maglev.h"

void impact_expect(struct pool *to)
{
	for (size_t i = 0; i < to->backend_count; i++) {
		struct backend *backend = to->backends[i];

		if (!backend->index)
			backend->hop.resolved = true;
		if (backend->health == HEALTH_UNKNOWN)
			backend->health = HEALTH_UP;
	}
	to->mode = pool_mode_now(to);
}

/* Positions in the pool's backends; NULL with errno set. */
static int32_t *build(const uint8_t *seed, const struct pool *pool)
{
	struct maglev_backend *backends = calloc(pool->backend_count + 1, sizeof(*backends));
	int32_t *table = malloc(pool->table_size * sizeof(*table));
	int rc = backends && table ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < pool->backend_count; i++) {
		backends[i].name = pool->backends[i]->name;
		backends[i].weight = backend_effective_weight(pool, pool->backends[i]);
	}
	if (!rc)
		rc = maglev_build(seed, backends, pool->backend_count, table, pool->table_size);
	free(backends);
	if (!rc)
		return table;
	free(table);
	errno = -rc;
	return NULL;
}

/* Where each backend of `to` stands in the list. */
static size_t list_backends(struct impact *impact, const struct pool *from, const struct pool *to,
			    size_t *place)
{
	size_t count = 0;

	for (size_t i = 0; i < from->backend_count; i++)
		impact->backends[count++].name = from->backends[i]->name;
	for (size_t i = 0; i < to->backend_count; i++) {
		size_t at = 0;

		while (at < from->backend_count &&
		       strcmp(impact->backends[at].name, to->backends[i]->name) != 0)
			at++;
		if (at == from->backend_count) {
			at = count++;
			impact->backends[at].name = to->backends[i]->name;
		}
		place[i] = at;
	}
	return count;
}

/* Whether the flows of a backend of `from` have to leave it. */
static bool is_lost(const struct pool *to, const struct backend *old)
{
	const struct backend *new = pool_backend_find(to, old->name);

	return !new || !addr_equal(&old->address, &new->address) || old->port != new->port ||
	       !backend_usable(to, new);
}

static void compare(struct impact *impact, const struct pool *from, const struct pool *to,
		    const int32_t *old, const int32_t *new, const size_t *place, bool *lost)
{
	for (size_t i = 0; i < from->backend_count; i++)
		lost[i] = is_lost(to, from->backends[i]);
	for (uint32_t i = 0; i < from->table_size; i++)
		impact->backends[old[i] < 0 ? 0 : old[i]].before += old[i] >= 0;
	for (uint32_t i = 0; i < to->table_size; i++) {
		size_t after = new[i] < 0 ? SIZE_MAX : place[new[i]];

		if (after != SIZE_MAX)
			impact->backends[after].after++;
		if (impact->resized || old[i] < 0)
			continue;
		impact->moved += after != (size_t)old[i];
		impact->lost += lost[old[i]];
	}
}

int impact_pool(struct impact *impact, const uint8_t seed[LB_SEED_SIZE], const struct pool *from,
		const struct pool *to)
{
	size_t most = from->backend_count + to->backend_count + 1;
	int32_t *old = build(seed, from), *new = old ? build(seed, to) : NULL;
	size_t *place = calloc(most, sizeof(*place));
	bool *lost = calloc(most, sizeof(*lost));
	int rc = old && new ? -ENOMEM : -errno;

	*impact = (struct impact){.table_size = to->table_size,
				  .resized = from->table_size != to->table_size,
				  .backends = calloc(most, sizeof(*impact->backends))};
	if (old && new &&place && lost && impact->backends) {
		impact->backend_count = list_backends(impact, from, to, place);
		compare(impact, from, to, old, new, place, lost);
		rc = 0;
	}
	free(old);
	free(new);
	free(place);
	free(lost);
	return rc;
}

void impact_destroy(struct impact *impact)
{
	free(impact->backends);
	*impact = (struct impact){0};
}
