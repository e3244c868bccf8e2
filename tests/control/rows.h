/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows: what was measured of the controller, for a person and for programs. Knows nothing of how.
 */
#ifndef CONTROL_ROWS_H
#define CONTROL_ROWS_H

#include <stddef.h>

struct rows;

struct rows *rows_create(void); /* NULL with errno */
void rows_free(struct rows *rows);

/* One figure. `target`: what it should stay below, 0: nothing; `rounds`: how often it was taken. */
void rows_add(struct rows *rows, const char *name, const char *metric, const char *unit,
	      double value, double target, size_t rounds);
/* Median, 99th percentile and maximum of `count` values, which it orders; the target is for `of`,
 * "median" or "p99". */
void rows_add_series(struct rows *rows, const char *name, const char *unit, double *values,
		     size_t count, const char *of, double target);

/* A table to stdout and the file at `path`. 0 or a negative errno. */
int rows_tell(const struct rows *rows, const char *path);

#endif
