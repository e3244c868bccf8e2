/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * serve: see serve.h.
 */
#include "serve.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

static const struct row *row_find(const char *name)
{
	for (int i = 0; i < rows_count; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	errx(1, "%s: no such row", name);
}

void serve(const struct measure *measure, bool (*wanted)(const char *name))
{
	const struct row *row, *prepared = NULL;
	char line[128];

	for (int i = 0; i < rows_count; i++) {
		if (wanted(rows[i].name))
			puts(rows[i].name);
	}
	puts("");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		struct round round;

		line[strcspn(line, "\n")] = '\0';
		row = row_find(line);
		if (row != prepared)
			measure_prepare(measure, &row, 1);
		prepared = row;
		round = measure_round(measure, row);
		printf("%.3f %.3f\n", round.ns - round.floor, round.floor);
		fflush(stdout);
	}
}
