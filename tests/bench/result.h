/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * result: what was measured, for a person and for programs. Knows nothing of how.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stddef.h>

enum { RESULT_ROUNDS_MAX = 64, RESULT_NAME_SIZE = 48 };

/* Nanoseconds for one packet, round by round. */
struct series {
	double ns[RESULT_ROUNDS_MAX];
};

/* One row of the table. Differences are taken within each round, so that a slow spell of the
 * machine hits both sides; then their median. */
struct result {
	char name[RESULT_NAME_SIZE];
	int rounds;
	double ns;             /* median */
	double above_reflect;  /* ns, median of differences */
	double above_encap;    /* the same above reflect+encap */
	double spread;         /* of above_encap: ns between the quartiles */
	double reflect, encap; /* the floors themselves, ns, medians */
};

void result_fill(struct result *result, int rounds, const struct series *own,
		 const struct series *reflect, const struct series *encap);

/* `title` and a table of the rows, to stdout. */
void result_print(const char *title, const struct result *rows, size_t count);

/* All rows to the file at `path`. 0 or a negative errno. */
int result_write(const char *path, const struct result *rows, size_t count);

#endif
