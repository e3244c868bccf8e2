/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_text: see metrics_text.h. A scrape has tens of thousands of lines, so that they are put
 * together by hand: printf would take most of its time.
 */
#include "metrics_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 1 << 16, NUMBER_SIZE = 32 };

/* ---- bytes ---- */

/* Room for `size` more bytes, or NULL. */
static char *room(struct metrics_text *text, size_t size)
{
	size_t capacity = text->capacity ? text->capacity : CAPACITY_MIN;
	char *bytes;

	if (text->failed)
		return NULL;
	if (size <= text->capacity - text->size)
		return text->bytes + text->size;
	while (capacity - text->size < size)
		capacity *= 2;
	bytes = realloc(text->bytes, capacity);
	if (!bytes) {
		text->failed = true;
		return NULL;
	}
	text->bytes = bytes;
	text->capacity = capacity;
	return bytes + text->size;
}

static void put(struct metrics_text *text, const char *bytes, size_t size)
{
	char *to = room(text, size);

	if (!to)
		return;
	memcpy(to, bytes, size);
	text->size += size;
}

static void put_text(struct metrics_text *text, const char *bytes)
{
	put(text, bytes, strlen(bytes));
}

/* ---- families ---- */

/* HELP takes quotes as they are, but ends with its line. */
static void put_help(struct metrics_text *text, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\')
			put_text(text, "\\\\");
		else if (*help == '\n')
			put_text(text, "\\n");
		else
			put(text, help, 1);
	}
}

void metrics_family(struct metrics_text *text, const char *name, enum metrics_type type,
		    const char *help)
{
	text->family = name;
	put_text(text, "# HELP ");
	put_text(text, name);
	put_text(text, " ");
	put_help(text, help);
	put_text(text, "\n# TYPE ");
	put_text(text, name);
	put_text(text, type == METRICS_COUNTER ? " counter\n" : " gauge\n");
}

/* ---- labels ---- */

/* ESCAPE_SIZE: of the longest that one byte of a value can become, with sprintf's NUL. */
enum { KEY_MAX = 20, VALUE_MAX = 96, ESCAPE_SIZE = 6 };

_Static_assert(2 * (KEY_MAX + VALUE_MAX + ESCAPE_SIZE + 4) + 2 <=
		       sizeof(((struct metrics_labels *)0)->text),
	       "two pairs fit");

static size_t escape(unsigned char byte, char out[ESCAPE_SIZE])
{
	if (byte == '\\' || byte == '"')
		return (size_t)sprintf(out, "\\%c", byte);
	if (byte == '\n')
		return (size_t)sprintf(out, "\\n");
	if (byte < 0x20 || byte >= 0x7f)
		return (size_t)sprintf(out, "\\\\x%02x", byte);
	*out = (char)byte;
	return 1;
}

static void label(struct metrics_labels *labels, const char *key, const char *value)
{
	size_t limit;

	labels->size += (size_t)sprintf(labels->text + labels->size, "%s%.*s=\"",
					labels->size > 1 ? "," : "", KEY_MAX, key);
	limit = labels->size + VALUE_MAX;
	for (; *value && labels->size < limit; value++)
		labels->size += escape((unsigned char)*value, labels->text + labels->size);
	labels->text[labels->size++] = '"';
}

void metrics_labels(struct metrics_labels *labels, const char *key, const char *value,
		    const char *key2, const char *value2)
{
	labels->size = 0;
	if (!key)
		return;
	labels->text[labels->size++] = '{';
	label(labels, key, value);
	if (key2)
		label(labels, key2, value2);
	labels->text[labels->size++] = '}';
}

/* ---- samples ---- */

/* Writes the digits to the end of `out` and returns where they begin. */
static char *number(char out[NUMBER_SIZE], uint64_t value, unsigned digits)
{
	char *at = out + NUMBER_SIZE;
	unsigned written = 0;

	do {
		if (digits && written == digits)
			*--at = '.';
		*--at = (char)('0' + value % 10);
		value /= 10;
		written++;
	} while (value || (digits && written <= digits));
	return at;
}

void metrics_sample_fraction(struct metrics_text *text, const struct metrics_labels *labels,
			     uint64_t value, unsigned digits)
{
	char digits_text[NUMBER_SIZE];
	const char *begin = number(digits_text, value, digits);
	size_t name_size = strlen(text->family), labels_size = labels ? labels->size : 0;
	size_t number_size = (size_t)(digits_text + NUMBER_SIZE - begin);
	char *to = room(text, name_size + labels_size + 1 + number_size + 1);

	if (!to)
		return;
	text->size += name_size + labels_size + 1 + number_size + 1;
	memcpy(to, text->family, name_size);
	to += name_size;
	if (labels_size)
		memcpy(to, labels->text, labels_size);
	to += labels_size;
	*to++ = ' ';
	memcpy(to, begin, number_size);
	to[number_size] = '\n';
}

void metrics_sample(struct metrics_text *text, const struct metrics_labels *labels, uint64_t value)
{
	metrics_sample_fraction(text, labels, value, 0);
}
