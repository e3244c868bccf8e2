/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * result: what was measured, for a person and for programs. Knows nothing of how.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stddef.h>

enum { RESULT_ROUNDS_MAX = 64 };

/* Nanoseconds for one packet, or another figure, round by round. */
struct series {
	double ns[RESULT_ROUNDS_MAX];
};

struct result {
	const char *name;
	const char *metric, *unit;
	double value; /* ns: above the floor, the median of differences within a round */
	double floor; /* the floor itself, median */
	double ratio; /* of both */
	int rounds;
	double spread;      /* of the value, between the quartiles */
	const char *remark; /* for people, or NULL */
	/* Of packets only: */
	double whole;   /* ns, median */
	double reflect; /* the lowest floor, ns, median */
};

/* The cost of a packet above a floor. Differences are taken within each round, so that a slow spell
 * of the machine hits both sides; then their median. */
void result_fill(struct result *result, int rounds, const struct series *own,
		 const struct series *floor, const struct series *reflect);

/* Anything else, by its own rounds. `floor`: what it is compared with, or NULL. */
void result_of_values(struct result *result, int rounds, const struct series *values,
		      const struct series *floor);

/* `title` and a table of costs of packets, to stdout. */
void result_print(const char *title, const struct result *rows, size_t count);

/* The same of other figures. */
void result_print_values(const char *title, const struct result *rows, size_t count);

/* All rows to the file at `path`. 0 or a negative errno. */
int result_write(const char *path, const struct result *rows, size_t count);

#endif
