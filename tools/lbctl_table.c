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

enum { GAP = 2, SHRINK_MIN = 8, COLOURS_SIZE = 16 };

#define COLOUR_END "\033[0m"

struct ctl_table {
	const struct ctl_column *columns;
	size_t column_count, row_count, row_room;
	size_t *cells;  /* where each begins in `text`, row by row */
	size_t *widths; /* of the columns */
	bool *filled;   /* columns: there is something in a cell */
	char *text;
	size_t text_size, text_room;
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
	table->widths = or_die(calloc(count, sizeof(*table->widths)));
	table->filled = or_die(calloc(count, sizeof(*table->filled)));
	for (size_t i = 0; i < count; i++)
		table->widths[i] = strlen(columns[i].title);
	return table;
}

static size_t add_text(struct ctl_table *table, const char *cell, size_t size)
{
	size_t at = table->text_size;

	while (at + size + 1 > table->text_room) {
		table->text_room = table->text_room ? 2 * table->text_room : 4096;
		table->text = or_die(realloc(table->text, table->text_room));
	}
	memcpy(table->text + at, cell, size + 1);
	table->text_size += size + 1;
	return at;
}

void ctl_table_add(struct ctl_table *table, const char *const *cells)
{
	const size_t first = table->row_count * table->column_count;

	if (table->row_count == table->row_room) {
		table->row_room = table->row_room ? 2 * table->row_room : 64;
		table->cells =
			or_die(reallocarray(table->cells, table->row_room * table->column_count,
					    sizeof(*table->cells)));
	}
	for (size_t i = 0; i < table->column_count; i++) {
		const char *cell = cells[i][0] ? cells[i] : "-";
		size_t width = strlen(cell);

		table->filled[i] |= cells[i][0] != '\0';
		table->cells[first + i] = add_text(table, cell, width);
		if (width > table->widths[i])
			table->widths[i] = width;
	}
	table->row_count++;
}

static const char *cell(const struct ctl_table *table, size_t row, size_t column)
{
	return table->text + table->cells[row * table->column_count + column];
}

static bool shown(const struct ctl *ctl, const struct ctl_table *table, size_t column)
{
	const unsigned flags = table->columns[column].flags;

	return (ctl->output == CTL_WIDE || !(flags & CTL_WIDER)) &&
	       (!(flags & CTL_SOME) || table->filled[column]);
}

/* The width of a whole line. */
static size_t measure(const struct ctl *ctl, const struct ctl_table *table)
{
	size_t total = 0;

	for (size_t i = 0; i < table->column_count; i++)
		if (shown(ctl, table, i))
			total += table->widths[i] + (total ? GAP : 0);
	return total;
}

/* Columns that may be cut give way, the last one first. */
static void shrink(struct ctl_table *table, size_t total, size_t limit)
{
	size_t *widths = table->widths;

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

static char *put(char *at, const char *text, size_t size)
{
	memcpy(at, text, size);
	return at + size;
}

static char *put_spaces(char *at, size_t count)
{
	memset(at, ' ', count);
	return at + count;
}

static char *put_cell(const struct ctl *ctl, char *at, const struct ctl_column *column,
		      const char *text, size_t width, bool last)
{
	const char *escape = ctl->colour && column->flags & CTL_STATE ? colour_of(text) : NULL;
	size_t size = strlen(text);
	const bool cut = size > width;
	const size_t pad = cut ? 0 : width - size;

	if (column->flags & CTL_RIGHT)
		at = put_spaces(at, pad);
	if (escape)
		at = put(at, escape, strlen(escape));
	at = put(at, text, cut ? width - 3 : size);
	if (cut)
		at = put(at, "...", 3);
	if (escape)
		at = put(at, COLOUR_END, sizeof(COLOUR_END) - 1);
	return column->flags & CTL_RIGHT || last ? at : put_spaces(at, pad);
}

/* `row` at the number of rows: the headings. `line`: room for one. */
static void print_row(const struct ctl *ctl, const struct ctl_table *table, size_t row, char *line)
{
	size_t last = table->column_count - 1;
	char *at = line;

	while (last && !shown(ctl, table, last))
		last--;
	for (size_t i = 0; i <= last; i++) {
		const struct ctl_column *column = &table->columns[i];

		if (!shown(ctl, table, i))
			continue;
		if (at != line)
			at = put_spaces(at, GAP);
		at = put_cell(ctl, at, column,
			      row < table->row_count ? cell(table, row, i) : column->title,
			      table->widths[i], i == last);
	}
	*at++ = '\n';
	fwrite(line, 1, (size_t)(at - line), stdout);
}

void ctl_table_free(struct ctl_table *table)
{
	free(table->text);
	free(table->cells);
	free(table->widths);
	free(table->filled);
	free(table);
}

void ctl_table_finish(const struct ctl *ctl, struct ctl_table *table)
{
	size_t total = measure(ctl, table);
	char *line = or_die(malloc(total + table->column_count * COLOURS_SIZE + 1));

	shrink(table, total, line_limit(ctl));
	print_row(ctl, table, table->row_count, line);
	for (size_t row = 0; row < table->row_count; row++)
		print_row(ctl, table, row, line);
	free(line);
	ctl_table_free(table);
}
