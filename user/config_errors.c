/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_errors: collects errors in the order of the file, and prints them with the line they are
 * in and a caret. Neighbours: every room of config adds to it. It must not know what a key means.
 */
#include "config_errors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* A longer line is shown in part, around the place: a file may be one line of 16 MiB. */
	LINE_SHOWN_MAX = 160,
	LINE_SHOWN_BEFORE = 60,
};

/* ---- characters ---- */

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static bool is_control(unsigned char byte)
{
	return byte < ' ' || byte == 0x7f;
}

/* Behind the character at `text`. */
static const char *next_character(const char *text)
{
	do
		text++;
	while (is_continuation(*text));
	return text;
}

/* Fit for a terminal: no control character, also none of the 8-bit ones, and whole UTF-8. */
static bool is_printable(const char *character, size_t length)
{
	unsigned char lead = (unsigned char)character[0];
	size_t expected = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (length != expected || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
		return false;
	return lead == 0xc2 ? (unsigned char)character[1] >= 0xa0 : !is_control(lead);
}

static void make_printable(char *text)
{
	const char *next;

	for (char *at = text; *at; at += next - at) {
		next = next_character(at);
		if (!is_printable(at, (size_t)(next - at)))
			memset(at, '?', (size_t)(next - at));
	}
}

/* ---- collecting ---- */

void config_errors_addv(struct config_errors *errors, unsigned line, unsigned column,
			const char *format, va_list arguments)
{
	struct config_error *items;
	size_t at = errors->count;
	char *what;

	if (errors->count == CONFIG_ERRORS_MAX)
		return;
	items = realloc(errors->items, (errors->count + 1) * sizeof(*items));
	if (!items)
		return;
	errors->items = items;
	if (vasprintf(&what, format, arguments) < 0)
		return;
	make_printable(what);
	while (at > 0 && (items[at - 1].line > line ||
			  (items[at - 1].line == line && items[at - 1].column > column)))
		at--;
	memmove(&items[at + 1], &items[at], (errors->count - at) * sizeof(*items));
	items[at] = (struct config_error){.line = line, .column = column, .what = what};
	errors->count++;
}

void config_errors_add(struct config_errors *errors, unsigned line, unsigned column,
		       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	config_errors_addv(errors, line, column, format, arguments);
	va_end(arguments);
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->items[i].what);
	free(errors->items);
	*errors = (struct config_errors){};
}

const char *config_quote(const char *text, char out[CONFIG_QUOTE_SIZE])
{
	size_t length = strlen(text);
	bool cut = length > CONFIG_QUOTE_SIZE - 6;

	if (cut) {
		length = CONFIG_QUOTE_SIZE - 6;
		while (length > 0 && is_continuation(text[length]))
			length--; /* not inside a character */
	}
	snprintf(out, CONFIG_QUOTE_SIZE, "'%.*s%s'", (int)length, text, cut ? "..." : "");
	return out;
}

/* ---- printing ---- */

size_t config_line_break(const char *text)
{
	if (text[0] == '\r')
		return text[1] == '\n' ? 2 : 1;
	if (text[0] == '\n')
		return 1;
	if (strncmp(text, "\xc2\x85", 2) == 0)
		return 2; /* next line */
	if (strncmp(text, "\xe2\x80\xa8", 3) == 0 || strncmp(text, "\xe2\x80\xa9", 3) == 0)
		return 3; /* line and paragraph separator */
	return 0;
}

/* Where a walk through the text stands; errors come in the file's order, so it never goes back. */
struct line_cursor {
	const char *at; /* the first byte of `line` */
	unsigned line;
};

static bool cursor_seek(struct line_cursor *cursor, unsigned line)
{
	while (cursor->line < line && *cursor->at) {
		size_t length = config_line_break(cursor->at);

		cursor->at += length ? length : 1;
		cursor->line += length > 0;
	}
	return cursor->line == line;
}

static bool at_line_end(const char *text)
{
	return !*text || config_line_break(text) > 0;
}

/* The line and, under character `column` (from 1) of it, a caret. */
static void print_place(FILE *out, const char *line, unsigned column, bool colour)
{
	const char *from = line, *at = line;
	unsigned place = column - 1, skipped = 0;

	for (unsigned i = 0; i < place && !at_line_end(at); i++) {
		at = next_character(at);
		if (i >= LINE_SHOWN_BEFORE && place > LINE_SHOWN_MAX - LINE_SHOWN_BEFORE) {
			from = next_character(from);
			skipped++;
		}
	}
	fputs(skipped ? "..." : "", out);
	at = from;
	for (unsigned i = 0; !at_line_end(at); i++) {
		const char *next = next_character(at);

		if (i == LINE_SHOWN_MAX) {
			fputs("...", out);
			break;
		}
		if (is_printable(at, (size_t)(next - at)) || *at == '\t')
			fwrite(at, 1, (size_t)(next - at), out);
		else
			fputc('?', out);
		at = next;
	}
	fputs(skipped ? "\n   " : "\n", out);
	/* Tabs are repeated, so that the caret stands right whatever their width. */
	at = from;
	for (unsigned i = skipped; i < place; i++) {
		bool end = at_line_end(at);

		fputc(!end && *at == '\t' ? '\t' : ' ', out);
		if (!end)
			at = next_character(at);
	}
	fputs(colour ? "\033[1;32m^\033[0m\n" : "^\n", out);
}

char *config_errors_format(const struct config_errors *errors, const char *name, const char *text,
			   bool colour)
{
	const char *bold = colour ? "\033[1m" : "", *red = colour ? "\033[1;31m" : "";
	const char *plain = colour ? "\033[0m" : "";
	struct line_cursor cursor = {.at = text ? text : "", .line = 1};
	char *result = NULL;
	size_t size;
	FILE *out = open_memstream(&result, &size);

	if (!out)
		return NULL;
	if (strncmp(cursor.at, "\xef\xbb\xbf", 3) == 0)
		cursor.at += 3;
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *error = &errors->items[i];

		fprintf(out, "%s%s:", bold, name);
		if (error->line)
			fprintf(out, "%u:%u:", error->line, error->column);
		fprintf(out, "%s %serror:%s %s\n", plain, red, plain, error->what);
		if (error->line && error->column && text && cursor_seek(&cursor, error->line))
			print_place(out, cursor.at, error->column, colour);
	}
	if (errors->count == CONFIG_ERRORS_MAX)
		fprintf(out, "%s: only the first %d errors found are shown\n", name,
			CONFIG_ERRORS_MAX);
	if (fclose(out) != 0) {
		free(result);
		return NULL;
	}
	return result;
}
