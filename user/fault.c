/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fault: see fault.h. A leaf: knows no other module, so that every other one can use it.
 */
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* By way of a buffer of its own, because callers wrap a fault in its own words:
 * fault_set(fault, fault->code, "%s: %s", object, fault->message). */
static void format_text(char *out, size_t size, const char *format, va_list arguments)
{
	char text[sizeof(((struct fault *)NULL)->message)];

	vsnprintf(text, sizeof(text), format, arguments);
	snprintf(out, size, "%s", text);
}

int fault_set(struct fault *fault, enum fault_code code, const char *format, ...)
{
	va_list arguments;

	if (!fault)
		return -1;
	va_start(arguments, format);
	format_text(fault->message, sizeof(fault->message), format, arguments);
	va_end(arguments);
	fault->code = code;
	fault->hint[0] = '\0';
	return -1;
}

int fault_hint(struct fault *fault, const char *format, ...)
{
	va_list arguments;

	if (!fault)
		return -1;
	va_start(arguments, format);
	format_text(fault->hint, sizeof(fault->hint), format, arguments);
	va_end(arguments);
	return -1;
}

const char *fault_code_name(enum fault_code code)
{
	switch (code) {
	case FAULT_NONE:
		return "none";
	case FAULT_FAILED:
		return "failed";
	case FAULT_USAGE:
		return "usage";
	case FAULT_UNREACHABLE:
		return "unreachable";
	case FAULT_NOT_FOUND:
		return "not_found";
	case FAULT_CONFLICT:
		return "conflict";
	case FAULT_PERMISSION:
		return "permission";
	case FAULT_TIMEOUT:
		return "timeout";
	}
	return "failed";
}

enum fault_code fault_code_of_errno(int error)
{
	return error == EPERM || error == EACCES ? FAULT_PERMISSION : FAULT_FAILED;
}

int fault_print(const struct fault *fault, const char *program)
{
	fprintf(stderr, "%s: %s\n", program, fault->message);
	if (fault->hint[0])
		fprintf(stderr, "hint: %s\n", fault->hint);
	return (int)fault->code;
}

/* Of the words to choose from; no option or key is longer. */
enum { NEAREST_WORD_MAX = 63 };

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements, and two neighbours swapped, each counted as one. */
static unsigned int edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned int rows[3][NEAREST_WORD_MAX + 1];
	unsigned int *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b_size; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_size; i++) {
		spare = before;
		before = above;
		above = row;
		row = spare;
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = smaller(above[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return row[b_size];
}

const char *fault_nearest(const char *word, const char *const *words, size_t count)
{
	size_t word_size = strlen(word);
	unsigned int best = 0;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(words[i]);
		size_t longer = size > word_size ? size : word_size;
		unsigned int distance;

		if (size > NEAREST_WORD_MAX)
			continue;
		distance = edit_distance(word, word_size, words[i], size);
		/* A third of the letters may be wrong, one in any case, but never all. */
		if (distance > (longer >= 6 ? longer / 3 : 1) || distance >= longer)
			continue;
		if (!nearest || distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}
