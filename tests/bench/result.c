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

void result_fill(struct result *result, int rounds, const struct series *own,
		 const struct series *reflect, const struct series *encap)
{
	double over_reflect[RESULT_ROUNDS_MAX], over_encap[RESULT_ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		over_reflect[i] = own->ns[i] - reflect->ns[i];
		over_encap[i] = own->ns[i] - encap->ns[i];
	}
	result->rounds = rounds;
	result->ns = quantile(own->ns, rounds, 0.5);
	result->reflect = quantile(reflect->ns, rounds, 0.5);
	result->encap = quantile(encap->ns, rounds, 0.5);
	result->above_reflect = quantile(over_reflect, rounds, 0.5);
	result->above_encap = quantile(over_encap, rounds, 0.5);
	result->spread = quantile(over_encap, rounds, 0.75) - quantile(over_encap, rounds, 0.25);
}

void result_print(const char *title, const struct result *rows, size_t count)
{
	printf("\n%s\n\n", title);
	printf("%-26s %9s %9s %9s %8s %9s %9s %7s\n", "", "above", "above", "", "", "", "reflect",
	       "");
	printf("%-26s %9s %9s %9s %8s %9s %9s %7s\n", "ns per packet", "reflect", "+encap",
	       "spread", "whole", "reflect", "+encap", "Mpps");
	for (size_t i = 0; i < count; i++) {
		const struct result *row = &rows[i];

		printf("%-26s %9.1f %9.1f %9.1f %8.1f %9.1f %9.1f %7.2f\n", row->name,
		       row->above_reflect, row->above_encap, row->spread, row->ns, row->reflect,
		       row->encap, 1e3 / row->ns);
	}
}

static json_t *row_json(const struct result *row)
{
	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:f}", "name", row->name, "metric",
			 "above_reflect_encap", "unit", "ns", "value", row->above_encap, "floor",
			 row->encap, "ratio", row->above_encap / row->encap, "rounds", row->rounds,
			 "spread", row->spread);
}

int result_write(const char *path, const struct result *rows, size_t count)
{
	struct utsname system;
	json_t *list = json_array(), *document;
	int err;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, row_json(&rows[i]));
	uname(&system);
	document = json_pack("{s:s, s:s, s:o}", "kernel", system.release, "machine", system.machine,
			     "rows", list);
	if (!document)
		return -ENOMEM;
	err = json_dump_file(document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ? -EIO : 0;
	json_decref(document);
	return err;
}
