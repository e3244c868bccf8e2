/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_table: rows in aligned columns under headings. On a terminal they fit its width, or
 * CTL_WIDTH if that is more, unless output is wide. Knows nothing of what is in the cells, but for
 * the words of a state, which get a colour on a terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lbctl.h"

enum { GAP = 2, SHRINK_MIN = 8 };

struct ctl_table {
	const struct ctl_column *columns;
	size_t column_count;
	char **cells; /* row by row */
	size_t row_count;
};

static void *or_die(void *memory)
{
	if (memory)
		return memory;
	fputs("lbctl: table: printing it: out of memory\n", stderr);
	exit(FAULT_FAILED);
}

struct ctl_table *ctl_table_create(const struct ctl_column *columns, size_t count)
{
	struct ctl_table *table = or_die(calloc(1, sizeof(*table)));

	table->columns = columns;
	table->column_count = count;
	return table;
}

void ctl_table_add(struct ctl_table *table, const char *const *cells)
{
	const size_t first = table->row_count * table->column_count;

	table->cells = or_die(
		reallocarray(table->cells, first + table->column_count, sizeof(*table->cells)));
	for (size_t i = 0; i < table->column_count; i++)
		table->cells[first + i] = or_die(strdup(cells[i][0] ? cells[i] : "-"));
	table->row_count++;
}

static const char *cell(const struct ctl_table *table, size_t row, size_t column)
{
	return table->cells[row * table->column_count + column];
}

static bool shown(const struct ctl *ctl, const struct ctl_table *table, size_t column)
{
	return ctl->output == CTL_WIDE || !(table->columns[column].flags & CTL_WIDER);
}

/* The width of a whole line. */
static size_t measure(const struct ctl *ctl, const struct ctl_table *table, size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		widths[i] = strlen(table->columns[i].title);
		for (size_t row = 0; row < table->row_count; row++) {
			size_t width = strlen(cell(table, row, i));

			if (width > widths[i])
				widths[i] = width;
		}
		if (shown(ctl, table, i))
			total += widths[i] + (total ? GAP : 0);
	}
	return total;
}

/* Columns that may be cut give way, the last one first. */
static void shrink(const struct ctl_table *table, size_t *widths, size_t total, size_t limit)
{
	for (size_t i = table->column_count; i-- > 0 && total > limit;) {
		size_t excess = total - limit, spare;

		if (!(table->columns[i].flags & CTL_SHRINK) || widths[i] <= SHRINK_MIN)
			continue;
		spare = widths[i] - SHRINK_MIN;
		if (spare > excess)
			spare = excess;
		widths[i] -= spare;
		total -= spare;
	}
}

/* What goes to a file or another program is not cut. */
static size_t line_limit(const struct ctl *ctl)
{
	struct winsize window;

	if (ctl->output == CTL_WIDE || !isatty(STDOUT_FILENO))
		return SIZE_MAX;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > CTL_WIDTH)
		return window.ws_col;
	return CTL_WIDTH;
}

static const char *colour_of(const char *state)
{
	static const struct {
		const char *state;
		const char *escape;
	} colours[] = {
		{"up", "\033[32m"},    {"down", "\033[31m"},  {"unknown", "\033[33m"},
		{"drain", "\033[33m"}, {"maint", "\033[33m"},
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(state, colours[i].state))
			return colours[i].escape;
	return NULL;
}

static void print_cell(const struct ctl *ctl, const struct ctl_column *column, const char *text,
		       size_t width, bool last)
{
	const char *escape = ctl->colour && column->flags & CTL_STATE ? colour_of(text) : NULL;
	size_t size = strlen(text);
	const bool cut = size > width;
	const int pad = cut ? 0 : (int)(width - size);

	if (column->flags & CTL_RIGHT)
		printf("%*s", pad, "");
	if (escape)
		fputs(escape, stdout);
	if (cut)
		printf("%.*s...", (int)width - 3, text);
	else
		fputs(text, stdout);
	if (escape)
		fputs("\033[0m", stdout);
	if (!(column->flags & CTL_RIGHT) && !last)
		printf("%*s", pad, "");
}

/* `row` at the number of rows: the headings. */
static void print_row(const struct ctl *ctl, const struct ctl_table *table, size_t row,
		      const size_t *widths)
{
	size_t last = table->column_count - 1;
	bool first = true;

	while (last && !shown(ctl, table, last))
		last--;
	for (size_t i = 0; i <= last; i++) {
		const struct ctl_column *column = &table->columns[i];

		if (!shown(ctl, table, i))
			continue;
		if (!first)
			printf("%*s", GAP, "");
		first = false;
		print_cell(ctl, column,
			   row < table->row_count ? cell(table, row, i) : column->title, widths[i],
			   i == last);
	}
	putchar('\n');
}

void ctl_table_finish(const struct ctl *ctl, struct ctl_table *table)
{
	size_t *widths = or_die(calloc(table->column_count, sizeof(*widths)));
	size_t total = measure(ctl, table, widths);

	shrink(table, widths, total, line_limit(ctl));
	print_row(ctl, table, table->row_count, widths);
	for (size_t row = 0; row < table->row_count; row++)
		print_row(ctl, table, row, widths);
	for (size_t i = 0; i < table->row_count * table->column_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
	free(widths);
}
