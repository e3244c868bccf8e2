/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maglev: see maglev.h. Neighbours: publish builds tables with it, slots makes slot words of them.
 * Pure: names, weights and a seed in, positions out.
 *
 * How a table is filled:
 *  - Backends are ordered by name. h = siphash(seed, name) gives each its preferences among the
 *    slots: offset = low half of h mod size, skip = high half of h mod (size - 1) + 1, and the k-th
 *    choice is (offset + k * skip) mod size. The size is a prime, so that these are all slots.
 *  - Each backend has a quota, its exact number of slots. The largest quota is the number of
 *    rounds. A backend with quota q takes its k-th turn (from 0) in round floor(k * rounds / q):
 *    spread evenly, and with equal quotas every backend once in each round, as in the paper. In
 *    a round, turns go by name.
 *  - In its turn a backend takes the first slot of its preferences that nobody has.
 */
#include "maglev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "siphash.h"

struct candidate {
	const char *name;
	uint32_t weight;
	uint32_t quota;
	uint64_t remainder;
	uint32_t position; /* in the caller's array */
	uint32_t next;     /* choice to try next */
	uint32_t skip;
};

static int by_name(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int by_loss(const void *a, const void *b)
{
	const struct candidate *left = *(struct candidate *const *)a;
	const struct candidate *right = *(struct candidate *const *)b;

	if (left->remainder != right->remainder)
		return left->remainder > right->remainder ? -1 : 1;
	return left < right ? -1 : 1; /* they are ordered by name */
}

static void set_preferences(const uint8_t seed[LB_SEED_SIZE], struct candidate *candidate,
			    uint32_t size)
{
	uint64_t hash = siphash(seed, candidate->name, strlen(candidate->name));

	candidate->next = (uint32_t)hash % size;
	candidate->skip = (uint32_t)(hash >> 32) % (size - 1) + 1;
}

/* Makes the ordered list of those that have a weight. Returns their number or -EINVAL. */
static int64_t choose_candidates(const uint8_t seed[LB_SEED_SIZE],
				 const struct maglev_backend *backends, size_t count, uint32_t size,
				 struct candidate *out)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count; i++) {
		out[i] = (struct candidate){
			.name = backends[i].name,
			.weight = backends[i].weight,
			.position = (uint32_t)i,
		};
	}
	qsort(out, count, sizeof(*out), by_name);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(out[i].name, out[i + 1].name) == 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < count; i++) {
		if (!out[i].weight)
			continue;
		out[chosen] = out[i];
		set_preferences(seed, &out[chosen], size);
		chosen++;
	}
	return (int64_t)chosen;
}

/* Largest remainders: each gets the whole part of its share, and the slots that are left over go
 * one each to those who lost the largest fractions. */
static void set_quotas(struct candidate *candidates, struct candidate **scratch, size_t count,
		       uint32_t size)
{
	uint64_t total = 0;
	uint32_t left = size;

	for (size_t i = 0; i < count; i++)
		total += candidates[i].weight;
	for (size_t i = 0; i < count; i++) {
		uint64_t share = (uint64_t)size * candidates[i].weight;

		candidates[i].quota = (uint32_t)(share / total);
		candidates[i].remainder = share % total;
		left -= candidates[i].quota;
		scratch[i] = &candidates[i];
	}
	qsort(scratch, count, sizeof(*scratch), by_loss);
	for (uint32_t i = 0; i < left; i++)
		scratch[i]->quota++;
}

/* What a build works with; all arrays are its own. */
struct build {
	struct candidate *candidates;
	struct candidate **by_remainder;
	uint32_t *starts; /* by round: where its turns begin in `turns` */
	uint32_t *turns;  /* whose turn it is: a position in `candidates` */
	uint64_t *taken;  /* a bit for each slot: stays in the first-level cache */
};

static void build_free(struct build *build)
{
	free(build->candidates);
	free(build->by_remainder);
	free(build->starts);
	free(build->turns);
	free(build->taken);
}

static int build_allocate(struct build *build, size_t count, uint32_t size)
{
	build->candidates = calloc(count, sizeof(*build->candidates));
	build->by_remainder = calloc(count, sizeof(struct candidate *));
	build->starts = calloc((size_t)size + 1, sizeof(*build->starts));
	build->turns = calloc(size, sizeof(*build->turns));
	build->taken = calloc(size / 64 + 1, sizeof(*build->taken));
	return build->candidates && build->by_remainder && build->starts && build->turns &&
			       build->taken
		       ? 0
		       : -ENOMEM;
}

/* One pass over all turns of one candidate: counts them by round, or, with `turns`, enters them.
 * The round advances by rounds / quota with the fraction carried along. */
static void walk_turns(uint32_t quota, uint32_t rounds, uint32_t *by_round, uint32_t *turns,
		       uint32_t candidate)
{
	uint32_t step, fraction, round = 0, carried = 0;

	if (!quota)
		return;
	step = rounds / quota;
	fraction = rounds % quota;
	for (uint32_t i = 0; i < quota; i++) {
		if (turns)
			turns[by_round[round]] = candidate;
		by_round[round]++;
		round += step;
		carried += fraction;
		if (carried >= quota) {
			carried -= quota;
			round++;
		}
	}
}

/* Sorts the turns of all candidates by round, then name, by counting: no time goes to candidates
 * that have no turn in a round, however unequal the weights. */
static void set_turns(struct build *build, size_t count)
{
	uint32_t rounds = 0, *starts = build->starts;

	for (size_t i = 0; i < count; i++) {
		if (build->candidates[i].quota > rounds)
			rounds = build->candidates[i].quota;
	}
	for (size_t i = 0; i < count; i++)
		walk_turns(build->candidates[i].quota, rounds, starts + 1, NULL, 0);
	for (uint32_t i = 0; i < rounds; i++)
		starts[i + 1] += starts[i];
	for (size_t i = 0; i < count; i++)
		walk_turns(build->candidates[i].quota, rounds, starts, build->turns, (uint32_t)i);
}

static uint32_t next_choice(uint32_t choice, uint32_t skip, uint32_t size)
{
	choice += skip;
	return choice >= size ? choice - size : choice;
}

static void fill(struct build *build, int32_t *table, uint32_t size)
{
	uint64_t *taken = build->taken;

	for (uint32_t i = 0; i < size; i++) {
		struct candidate *candidate = &build->candidates[build->turns[i]];
		uint32_t slot = candidate->next;

		while (taken[slot / 64] >> slot % 64 & 1)
			slot = next_choice(slot, candidate->skip, size);
		taken[slot / 64] |= 1ULL << slot % 64;
		table[slot] = (int32_t)candidate->position;
		candidate->next = next_choice(slot, candidate->skip, size);
	}
}

int maglev_build(const uint8_t seed[LB_SEED_SIZE], const struct maglev_backend *backends,
		 size_t count, int32_t *table, uint32_t size)
{
	struct build build = {0};
	int64_t chosen;
	int err;

	if (!maglev_size_valid(size) || count >= size)
		return -EINVAL;
	for (uint32_t i = 0; i < size; i++)
		table[i] = -1;
	if (!count)
		return 0;
	err = build_allocate(&build, count, size);
	if (err)
		goto out;
	chosen = choose_candidates(seed, backends, count, size, build.candidates);
	if (chosen <= 0) {
		err = (int)chosen;
		goto out;
	}
	set_quotas(build.candidates, build.by_remainder, (size_t)chosen, size);
	set_turns(&build, (size_t)chosen);
	fill(&build, table, size);
out:
	build_free(&build);
	return err;
}

/* Of the slot's name, little endian. */
static void slot_hash(const struct maglev_backend *backends, size_t count, int32_t position,
		      const uint64_t *hashes, uint8_t out[8])
{
	static const uint8_t key[LB_SEED_SIZE];
	bool owned = position >= 0 && (size_t)position < count;
	const char *name = owned ? backends[position].name : "";
	uint64_t hash = owned && hashes ? hashes[position] : siphash(key, name, strlen(name));

	for (int byte = 0; byte < 8; byte++)
		out[byte] = (uint8_t)(hash >> (8 * byte));
}

/* The hashes of the names of so many slots are hashed under the digest of the slots before them. */
uint64_t maglev_digest(const struct maglev_backend *backends, size_t count, const int32_t *table,
		       uint32_t size)
{
	enum { BLOCK = 64 };
	static const uint8_t none[LB_SEED_SIZE];
	uint64_t *hashes = malloc(count * sizeof(*hashes) + 1); /* without: only slower */
	uint8_t block[BLOCK * 8];
	uint64_t digest = 0;

	for (size_t i = 0; hashes && i < count; i++)
		hashes[i] = siphash(none, backends[i].name, strlen(backends[i].name));
	for (uint32_t first = 0; first < size; first += BLOCK) {
		uint32_t slots = size - first < BLOCK ? size - first : BLOCK;
		uint8_t key[LB_SEED_SIZE] = {0};

		for (uint32_t i = 0; i < slots; i++)
			slot_hash(backends, count, table[first + i], hashes, block + 8 * i);
		for (int byte = 0; byte < 8; byte++)
			key[byte] = (uint8_t)(digest >> (8 * byte));
		digest = siphash(key, block, 8UL * slots);
	}
	free(hashes);
	return digest;
}

bool maglev_size_valid(uint32_t size)
{
	if (size < 2 || size > LB_TABLE_SIZE_MAX)
		return false;
	for (uint32_t divisor = 2; divisor * divisor <= size; divisor++) {
		if (size % divisor == 0)
			return false;
	}
	return true;
}

uint32_t maglev_size_near(uint32_t size)
{
	if (size < 2)
		return 2;
	if (size > LB_TABLE_SIZE_MAX)
		return LB_TABLE_SIZE_MAX;
	for (uint32_t distance = 0;; distance++) {
		if (maglev_size_valid(size + distance))
			return size + distance;
		if (maglev_size_valid(size - distance))
			return size - distance;
	}
}
