/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbctl_rows: lists of which there may be thousands of rows, which lbd gives as columns. See
 * lbctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

enum { COLUMNS_MAX = 32, FIELDS_SIZE = 512 };

struct rows {
	const char *const *fields;
	size_t count;
	ctl_row_handler each;
	void *context;
	bool headed;               /* the first line was read */
	size_t place[COLUMNS_MAX]; /* of each field in a line */
};

static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from != '\\' || !from[1]) {
			*to++ = *from;
			continue;
		}
		from++;
		*to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from;
	}
	*to = '\0';
}

/* Splits in place. Returns the number of cells. */
static size_t split(char *line, char *cells[COLUMNS_MAX])
{
	const bool escapes = strchr(line, '\\');
	size_t count = 0;

	while (line && count < COLUMNS_MAX) {
		cells[count++] = line;
		line = strchr(line, '\t');
		if (line)
			*line++ = '\0';
	}
	for (size_t i = 0; escapes && i < count; i++)
		unescape(cells[i]);
	return count;
}

static void read_heading(struct rows *rows, char *const *cells, size_t count)
{
	for (size_t i = 0; i < rows->count; i++) {
		rows->place[i] = COLUMNS_MAX;
		for (size_t at = 0; at < count; at++)
			if (!strcmp(cells[at], rows->fields[i]))
				rows->place[i] = at;
	}
	rows->headed = true;
}

static void on_line(const struct ctl *ctl, char *line, void *context)
{
	char *cells[COLUMNS_MAX];
	const char *ordered[COLUMNS_MAX];
	struct rows *rows = context;
	size_t count = split(line, cells);

	if (!rows->headed) {
		read_heading(rows, cells, count);
		return;
	}
	for (size_t i = 0; i < rows->count; i++)
		ordered[i] = rows->place[i] < count ? cells[rows->place[i]] : "";
	rows->each(ctl, ordered, rows->context);
}

int ctl_rows(const struct ctl *ctl, struct ctl_request *request, size_t free,
	     const char *const *fields, size_t count, bool select, ctl_row_handler each,
	     void *context, struct fault *fault)
{
	struct rows rows = {.fields = fields,
			    .count = count < COLUMNS_MAX ? count : COLUMNS_MAX,
			    .each = each,
			    .context = context};
	char list[FIELDS_SIZE] = "";

	for (size_t i = 0, used = 0; i < rows.count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? "," : "",
					 fields[i]);
	request->query[free][0] = "format";
	request->query[free][1] = "tsv";
	request->query[free + 1][0] = "fields";
	request->query[free + 1][1] = select ? list : NULL;
	return ctl_lines(ctl, request, on_line, &rows, fault);
}
