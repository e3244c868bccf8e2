/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * result: see result.h.
 */
#include "result.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of `rounds` numbers, the one that `part` of them lie below. */
static double quantile(const double *numbers, int rounds, double part)
{
	double sorted[RESULT_ROUNDS_MAX];
	double at = part * (rounds - 1);
	int below = (int)at;

	memcpy(sorted, numbers, (size_t)rounds * sizeof(*sorted));
	qsort(sorted, (size_t)rounds, sizeof(*sorted), ascending);
	if (below + 1 >= rounds)
		return sorted[rounds - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

static void spread_fill(struct result *result, const struct series *values)
{
	result->value = quantile(values->ns, result->rounds, 0.5);
	result->spread = quantile(values->ns, result->rounds, 0.75) -
			 quantile(values->ns, result->rounds, 0.25);
}

void result_fill(struct result *result, int rounds, const struct series *own,
		 const struct series *floor, const struct series *reflect)
{
	struct series above;

	for (int i = 0; i < rounds; i++)
		above.ns[i] = own->ns[i] - floor->ns[i];
	result->metric = "above_floor";
	result->unit = "ns";
	result->rounds = rounds;
	spread_fill(result, &above);
	result->floor = quantile(floor->ns, rounds, 0.5);
	result->ratio = result->value / result->floor;
	result->whole = quantile(own->ns, rounds, 0.5);
	result->reflect = quantile(reflect->ns, rounds, 0.5);
}

void result_of_values(struct result *result, int rounds, const struct series *values,
		      const struct series *floor)
{
	result->rounds = rounds;
	spread_fill(result, values);
	result->floor = floor ? quantile(floor->ns, rounds, 0.5) : 0;
	result->ratio = result->floor != 0 ? result->value / result->floor : 0;
}

void result_print(const char *title, const struct result *rows, size_t count)
{
	if (!count)
		return;
	printf("\n%s\n\n", title);
	printf("%-28s %9s %7s %7s %8s %8s %8s %6s\n", "", "above", "", "", "", "", "", "");
	printf("%-28s %9s %7s %7s %8s %8s %8s %6s\n", "ns per packet", "the floor", "spread",
	       "ratio", "whole", "floor", "reflect", "Mpps");
	for (size_t i = 0; i < count; i++) {
		const struct result *row = &rows[i];

		printf("%-28s %9.1f %7.1f %7.2f %8.1f %8.1f %8.1f %6.2f%s%s\n", row->name,
		       row->value, row->spread, row->ratio, row->whole, row->floor, row->reflect,
		       1e3 / row->whole, row->remark ? "  " : "", row->remark ? row->remark : "");
	}
}

void result_print_values(const char *title, const struct result *rows, size_t count)
{
	if (!count)
		return;
	printf("\n%s\n\n", title);
	printf("%-28s %15s %-8s %11s %15s %7s\n", "", "value", "", "spread", "floor", "ratio");
	for (size_t i = 0; i < count; i++) {
		const struct result *row = &rows[i];

		printf("%-28s %15.2f %-8s %11.2f %15.2f %7.3f%s%s\n", row->name, row->value,
		       row->unit, row->spread, row->floor, row->ratio, row->remark ? "  " : "",
		       row->remark ? row->remark : "");
	}
}

static json_t *row_json(const struct result *row)
{
	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:f}", "name", row->name, "metric",
			 row->metric, "unit", row->unit, "value", row->value, "floor", row->floor,
			 "ratio", row->ratio, "rounds", row->rounds, "spread", row->spread);
}

int result_write(const char *path, const struct result *rows, size_t count)
{
	struct utsname system;
	json_t *list = json_array(), *remarks = json_object(), *document;
	int err;

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list, row_json(&rows[i]));
		if (rows[i].remark)
			json_object_set_new(remarks, rows[i].name, json_string(rows[i].remark));
	}
	uname(&system);
	document = json_pack("{s:s, s:s, s:o, s:o}", "kernel", system.release, "machine",
			     system.machine, "rows", list, "remarks", remarks);
	if (!document)
		return -ENOMEM;
	err = json_dump_file(document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ? -EIO : 0;
	json_decref(document);
	return err;
}
