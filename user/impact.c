/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * impact: see impact.h. Does what publish would do (maglev, then slots), on paper: backends are
 * numbered here as they stand in the list, because new ones have no index yet.
 */
#include "impact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maglev.h"
#include "slots.h"

enum { NUMBERS = LB_SLOT_INDEX_MASK + 1 };

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

/* ---- owners, by position in the pool's backends ---- */

/* `digest` NULL: not wanted. NULL with errno set. */
static int32_t *build(const uint8_t *seed, const struct pool *pool, uint64_t *digest)
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
	if (!rc && digest)
		*digest = maglev_digest(backends, pool->backend_count, table, pool->table_size);
	free(backends);
	if (!rc)
		return table;
	free(table);
	errno = -rc;
	return NULL;
}

/* ---- numbers ---- */

/* What stands for which backend, of one comparison. */
struct numbers {
	struct impact *impact;
	const struct pool *from, *to;
	uint32_t *of_index; /* [NUMBERS] of the maps' indices; 0: of none that is known */
	uint32_t *of_to;    /* by position in `to` */
};

static bool same_backend(const struct pool *from, const struct pool *to, const struct backend *old,
			 const struct backend *new)
{
	return addr_equal(&old->address, &new->address) && old->port == new->port &&
	       from->forward == to->forward;
}

bool impact_none(const struct pool *from, const struct pool *to)
{
	if (from->table_size != to->table_size || from->backend_count != to->backend_count)
		return false;
	for (size_t i = 0; i < to->backend_count; i++) {
		const struct backend *old = from->backends[i], *new = to->backends[i];

		if (strcmp(old->name, new->name) != 0 || !same_backend(from, to, old, new) ||
		    backend_usable(from, old) != backend_usable(to, new) ||
		    backend_effective_weight(from, old) != backend_effective_weight(to, new))
			return false;
	}
	return true;
}

static void number_backends(struct numbers *numbers)
{
	struct impact *impact = numbers->impact;
	const struct pool *from = numbers->from, *to = numbers->to;

	for (size_t i = 0; i < from->backend_count; i++) {
		impact->backends[i].before = from->backends[i];
		numbers->of_index[from->backends[i]->index % NUMBERS] = (uint32_t)i + 1;
	}
	numbers->of_index[0] = 0;
	impact->backend_count = from->backend_count;
	for (size_t i = 0, at = 0; i < to->backend_count; i++) {
		const struct backend *new = to->backends[i];

		/* Both are ordered by name. */
		while (at < from->backend_count && strcmp(from->backends[at]->name, new->name) < 0)
			at++;
		if (at < from->backend_count && !strcmp(from->backends[at]->name, new->name) &&
		    same_backend(from, to, from->backends[at], new))
			numbers->of_to[i] = (uint32_t)at + 1;
		else
			numbers->of_to[i] = (uint32_t)++impact->backend_count;
		impact->backends[numbers->of_to[i] - 1].after = new;
	}
}

static bool usable_now(const struct numbers *numbers, uint32_t number)
{
	const struct backend *backend =
		number ? numbers->impact->backends[number - 1].before : NULL;

	return backend && backend_usable(numbers->from, backend);
}

static bool usable_then(const void *context, uint32_t number)
{
	const struct numbers *numbers = context;
	const struct backend *backend = number ? numbers->impact->backends[number - 1].after : NULL;

	return backend && backend_usable(numbers->to, backend);
}

/* ---- tables ---- */

/* The one in force; NULL with errno set. */
static uint32_t *words_now(const struct numbers *numbers, const uint8_t *seed,
			   const struct impact_table *held)
{
	const struct pool *from = numbers->from;
	bool built = !held->words || held->size != from->table_size;
	int32_t *table = built ? build(seed, from, NULL) : NULL;
	uint32_t *words = malloc(from->table_size * sizeof(*words));

	for (uint32_t i = 0; words && (table || !built) && i < from->table_size; i++) {
		uint32_t word = built ? 0 : held->words[i], owner = built ? table[i] + 1 : 0;

		words[i] = built ? LB_SLOT(owner, owner, false)
				 : LB_SLOT(numbers->of_index[LB_SLOT_OWNER(word)],
					   numbers->of_index[LB_SLOT_FALLBACK(word)],
					   word & LB_SLOT_CHANGED);
	}
	if (built && !table) {
		free(words);
		words = NULL;
	}
	free(table);
	return words;
}

/* `words` has the owners before, or is NULL: those of a first table. */
static int make_then(const struct numbers *numbers, const uint8_t *seed, const uint32_t *words,
		     const struct impact_table *held)
{
	struct impact *impact = numbers->impact;
	int32_t *table = build(seed, numbers->to, &impact->digest);
	int rc = table && impact->words && impact->times ? 0 : -ENOMEM;

	if (!table)
		rc = -errno;
	for (uint32_t i = 0; !rc && i < impact->table_size; i++)
		impact->words[i] = table[i] < 0 ? 0 : numbers->of_to[table[i]];
	if (!rc && words && held->words && held->times)
		memcpy(impact->times, held->times, impact->table_size * sizeof(*impact->times));
	if (!rc)
		slots_change(words, impact->words, impact->words, impact->times, held->now,
			     impact->table_size, usable_then, numbers);
	free(table);
	return rc;
}

/* Where established flows without an entry go, as the packet program chooses; 0: nowhere. */
static uint32_t belongs_now(const struct numbers *numbers, uint32_t word)
{
	uint32_t owner = LB_SLOT_OWNER(word), fallback = LB_SLOT_FALLBACK(word);

	if (usable_now(numbers, fallback))
		return fallback;
	return usable_now(numbers, owner) ? owner : 0;
}

static uint32_t belongs_then(const struct numbers *numbers, uint32_t word)
{
	uint32_t owner = LB_SLOT_OWNER(word), fallback = LB_SLOT_FALLBACK(word);

	if (usable_then(numbers, fallback))
		return fallback;
	return usable_then(numbers, owner) ? owner : 0;
}

static void count_now(struct numbers *numbers, const uint32_t *words)
{
	struct impact_backend *backends = numbers->impact->backends;

	for (uint32_t i = 0; i < numbers->from->table_size; i++) {
		uint32_t owner = LB_SLOT_OWNER(words[i]), belongs = belongs_now(numbers, words[i]);

		if (owner)
			backends[owner - 1].now.owned++;
		if (belongs)
			backends[belongs - 1].now.belonged++;
	}
}

static void compare(struct numbers *numbers, const uint32_t *words)
{
	struct impact *impact = numbers->impact;

	for (uint32_t i = 0; i < impact->table_size; i++) {
		uint32_t word = impact->words[i], owner = LB_SLOT_OWNER(word);
		uint32_t belongs = belongs_then(numbers, word), before;

		if (owner)
			impact->backends[owner - 1].then.owned++;
		if (belongs)
			impact->backends[belongs - 1].then.belonged++;
		if (impact->resized)
			continue;
		before = belongs_now(numbers, words[i]);
		impact->moved += owner != LB_SLOT_OWNER(words[i]);
		impact->lost += before && before != belongs;
	}
	impact->unsettled = slots_unsettled(impact->words, impact->table_size);
}

static bool allocate(struct numbers *numbers, size_t most)
{
	struct impact *impact = numbers->impact;

	impact->backends = calloc(most, sizeof(*impact->backends));
	impact->words = calloc(impact->table_size, sizeof(*impact->words));
	impact->times = calloc(impact->table_size, sizeof(*impact->times));
	numbers->of_index = calloc(NUMBERS, sizeof(*numbers->of_index));
	numbers->of_to = calloc(most, sizeof(*numbers->of_to));
	return impact->backends && impact->words && impact->times && numbers->of_index &&
	       numbers->of_to;
}

int impact_pool(struct impact *impact, const uint8_t seed[LB_SEED_SIZE], const struct pool *from,
		const struct pool *to, const struct impact_table *held)
{
	struct numbers numbers = {.impact = impact, .from = from, .to = to};
	uint32_t *words = NULL;
	int rc;

	*impact = (struct impact){.table_size = to->table_size,
				  .resized = from->table_size != to->table_size};
	rc = allocate(&numbers, from->backend_count + to->backend_count + 1) ? 0 : -ENOMEM;
	if (!rc) {
		number_backends(&numbers);
		words = words_now(&numbers, seed, held);
		rc = words ? make_then(&numbers, seed, impact->resized ? NULL : words, held)
			   : -ENOMEM;
	}
	if (!rc) {
		count_now(&numbers, words);
		compare(&numbers, words);
	}
	free(words);
	free(numbers.of_index);
	free(numbers.of_to);
	return rc;
}

void impact_destroy(struct impact *impact)
{
	free(impact->backends);
	free(impact->words);
	free(impact->times);
	*impact = (struct impact){0};
}
