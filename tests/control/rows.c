/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rows: see rows.h. They are kept as the JSON that they become. */
#include "rows.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

struct rows {
	json_t *list;
};

struct rows *rows_create(void)
{
	struct rows *rows = malloc(sizeof(*rows));

	if (rows)
		rows->list = json_array();
	return rows;
}

void rows_free(struct rows *rows)
{
	if (!rows)
		return;
	json_decref(rows->list);
	free(rows);
}

void rows_add(struct rows *rows, const char *name, const char *metric, const char *unit,
	      double value, double target, size_t rounds)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:f, s:I}", "name", name, "metric", metric, "unit",
				unit, "value", value, "rounds", (json_int_t)rounds);

	if (target > 0) {
		json_object_set_new(row, "target", json_real(target));
		json_object_set_new(row, "holds", json_boolean(value < target));
	}
	json_array_append_new(rows->list, row);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void rows_add_series(struct rows *rows, const char *name, const char *unit, double *values,
		     size_t count, const char *of, double target)
{
	const struct {
		const char *metric;
		double part;
	} kinds[] = {{"median", 0.5}, {"p99", 0.99}, {"max", 1}};

	if (!count)
		return;
	qsort(values, count, sizeof(*values), ascending);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		rows_add(rows, name, kinds[i].metric, unit,
			 values[(size_t)(kinds[i].part * (double)(count - 1) + 0.5)],
			 strcmp(kinds[i].metric, of) == 0 ? target : 0, count);
}

static void row_print(const json_t *row)
{
	const json_t *target = json_object_get(row, "target");
	char text[32] = "";

	if (target)
		snprintf(text, sizeof(text), "< %g", json_real_value(target));
	printf("%-34s %-8s %12.3f %-5s %-10s %s\n", json_string_value(json_object_get(row, "name")),
	       json_string_value(json_object_get(row, "metric")),
	       json_real_value(json_object_get(row, "value")),
	       json_string_value(json_object_get(row, "unit")), text,
	       !target                                       ? ""
	       : json_is_true(json_object_get(row, "holds")) ? "holds"
							     : "MISSED");
}

int rows_tell(const struct rows *rows, const char *path)
{
	struct utsname system;
	const json_t *row;
	json_t *document;
	size_t i;
	int err;

	json_array_foreach (rows->list, i, row)
		row_print(row);
	uname(&system);
	document = json_pack("{s:s, s:s, s:O}", "kernel", system.release, "machine", system.machine,
			     "rows", rows->list);
	if (!document)
		return -ENOMEM;
	err = json_dump_file(document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ? -EIO : 0;
	json_decref(document);
	return err;
}
