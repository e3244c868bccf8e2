/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json_text: writes JSON straight as text, for answers with thousands of objects: building a tree
 * of them first takes ten times as long, and the loop waits for it. Knows the format and no field.
 * Pure.
 *
 * Running out of memory is noted and met at the end: what is written after that goes nowhere.
 */
#ifndef LIMPET_JSON_TEXT_H
#define LIMPET_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_text_style {
	JSON_TEXT_LINE,
	JSON_TEXT_INDENTED, /* one value a line, as jansson's JSON_INDENT(2) */
	/* Not JSON, but for spreadsheets, awk and whoever has no time to parse: every object at the
	 * top is a line of its values, with tabs between and without keys. In its strings a tab is
	 * \t, the end of a line \n, a backslash \\; null is nothing. What is in an object of these
	 * is JSON. */
	JSON_TEXT_COLUMNS,
};

/* All zero: nothing written yet, and on one line. */
struct json_text {
	char *bytes; /* no NUL at the end; the owner frees it */
	size_t size;
	size_t capacity;
	enum json_text_style style;
	bool failed;
	bool first; /* nothing is in the innermost object or array yet */
	unsigned depth;
};

/* Of every function: `key` names a value in an object, and is NULL in an array and at the top. Keys
 * are written as they are. */
void json_text_begin(struct json_text *text, const char *key, char bracket); /* '{' or '[' */
void json_text_end(struct json_text *text, char bracket);                    /* '}' or ']' */
/* Bytes of a value that are no UTF-8 become '?'. */
void json_text_string(struct json_text *text, const char *key, const char *value);
void json_text_integer(struct json_text *text, const char *key, uint64_t value);
void json_text_boolean(struct json_text *text, const char *key, bool value);
void json_text_null(struct json_text *text, const char *key);
/* What is JSON already. */
void json_text_raw(struct json_text *text, const char *key, const char *value);
/* A tree, on one line; NULL is "out of memory". */
void json_text_tree(struct json_text *text, const char *key, const json_t *value);
/* What was written, as a tree; the text is gone then. NULL if out of memory. */
json_t *json_text_parse(struct json_text *text);
/* Ends a line behind the last value. */
void json_text_newline(struct json_text *text);

#endif
