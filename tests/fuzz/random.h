/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* random: numbers that a seed repeats (splitmix64). Not for secrets. */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* Below `end`, which is above 0. */
static inline uint32_t random_below(struct random *r, uint32_t end)
{
	return (uint32_t)(((random_next(r) >> 32) * end) >> 32);
}

static inline bool random_percent(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

/* One of an array. */
#define RANDOM_OF(r, array) ((array)[random_below(r, sizeof(array) / sizeof((array)[0]))])

/* A number of `round` under `seed`, far from those of its neighbours. */
static inline struct random random_begin(uint64_t seed, uint64_t round)
{
	struct random r = {seed};

	r.state = random_next(&r) ^ round * 0xd1342543de82ef95ULL;
	random_next(&r);
	return r;
}

#endif
