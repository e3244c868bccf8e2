/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* json_text: see json_text.h. */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 4096, DIGITS_MAX = 20, ESCAPED_SIZE = 6 };

/* Room for so many more bytes; NULL if there is none. */
static char *room(struct json_text *text, size_t size)
{
	size_t capacity = text->capacity ? text->capacity : CAPACITY_MIN;
	char *bytes;

	if (text->failed)
		return NULL;
	if (text->size + size <= text->capacity)
		return text->bytes + text->size;
	while (capacity < text->size + size)
		capacity *= 2;
	bytes = realloc(text->bytes, capacity);
	text->failed = !bytes;
	if (!bytes)
		return NULL;
	text->bytes = bytes;
	text->capacity = capacity;
	return bytes + text->size;
}

static char *put(char *at, const char *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

static char *put_line(char *at, unsigned depth)
{
	*at++ = '\n';
	memset(at, ' ', (size_t)depth * 2);
	return at + (size_t)depth * 2;
}

/* Whether what is written now stands in a column of its own. */
static bool in_columns(const struct json_text *text)
{
	return text->style == JSON_TEXT_COLUMNS && text->depth == 1;
}

static char *put_comma(struct json_text *text, char *at)
{
	bool first = text->first;

	text->first = false;
	if (!text->depth)
		return at;
	if (in_columns(text))
		return first ? at : put(at, "\t", 1);
	if (!first)
		*at++ = ',';
	if (text->style == JSON_TEXT_INDENTED)
		return put_line(at, text->depth);
	return first ? at : put(at, " ", 1);
}

/* What stands before a value, with room behind it for one of `size` bytes, or NULL. */
static char *lead(struct json_text *text, const char *key, size_t size)
{
	size_t key_size = key ? strlen(key) : 0;
	char *at = room(text, (size_t)text->depth * 2 + key_size + 8 + size);

	if (!at)
		return NULL;
	at = put_comma(text, at);
	if (!key || in_columns(text))
		return at;
	*at++ = '"';
	at = put(at, key, key_size);
	return put(at, "\": ", 3);
}

void json_text_raw(struct json_text *text, const char *key, const char *value)
{
	size_t size = strlen(value);
	char *at = lead(text, key, size);

	if (at)
		text->size = (size_t)(put(at, value, size) - text->bytes);
}

void json_text_begin(struct json_text *text, const char *key, char bracket)
{
	const char value[] = {bracket, '\0'};
	bool line = text->style == JSON_TEXT_COLUMNS && !text->depth;

	if (!line)
		json_text_raw(text, key, value);
	text->depth++;
	text->first = true;
}

void json_text_end(struct json_text *text, char bracket)
{
	char *at = room(text, (size_t)text->depth * 2 + 2);

	text->depth--;
	if (at && text->style == JSON_TEXT_INDENTED && !text->first)
		at = put_line(at, text->depth);
	text->first = false;
	if (!at)
		return;
	*at++ = text->style == JSON_TEXT_COLUMNS && !text->depth ? '\n' : bracket;
	text->size = (size_t)(at - text->bytes);
}

/* ---- strings ---- */

static bool is_utf8(const char *value)
{
	const unsigned char *at = (const unsigned char *)value;
	json_t *string;

	while (*at && *at < 0x80)
		at++;
	if (!*at)
		return true;
	string = json_string(value);
	json_decref(string);
	return string != NULL;
}

static const char *escape_of(unsigned char byte)
{
	switch (byte) {
	case '\n':
		return "\\n";
	case '\t':
		return "\\t";
	case '\r':
		return "\\r";
	case '\\':
		return "\\\\";
	default:
		return NULL;
	}
}

static char *put_byte(char *at, unsigned char byte, bool column)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *two = byte == '"' && !column ? "\\\"" : escape_of(byte);

	if (two)
		return put(at, two, 2);
	if (byte < 0x20) {
		at = put(at, "\\u00", 4);
		*at++ = hex[byte >> 4];
		*at++ = hex[byte & 15];
	} else {
		*at++ = (char)byte;
	}
	return at;
}

/* Whether every byte stands for itself, as in most strings. */
static bool is_plain(const char *value)
{
	while (*value >= ' ' && *value <= '~' && *value != '"' && *value != '\\')
		value++;
	return !*value;
}

static char *put_plain(char *at, const char *value, bool column)
{
	if (!column)
		*at++ = '"';
	at = put(at, value, strlen(value));
	if (!column)
		*at++ = '"';
	return at;
}

static char *put_escaped(char *at, const char *value, bool column)
{
	const bool good = is_utf8(value);

	if (!column)
		*at++ = '"';
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		at = put_byte(at, byte < 0x80 || good ? byte : '?', column);
	}
	if (!column)
		*at++ = '"';
	return at;
}

void json_text_string(struct json_text *text, const char *key, const char *value)
{
	const bool plain = is_plain(value), column = in_columns(text);
	char *at = lead(text, key, strlen(value) * (plain ? 1 : ESCAPED_SIZE) + 2);

	if (!at)
		return;
	at = plain ? put_plain(at, value, column) : put_escaped(at, value, column);
	text->size = (size_t)(at - text->bytes);
}

/* ---- the other values ---- */

void json_text_integer(struct json_text *text, const char *key, uint64_t value)
{
	char digits[DIGITS_MAX + 1], *first = digits + DIGITS_MAX;

	*first = '\0';
	do
		*--first = (char)('0' + value % 10);
	while (value /= 10);
	json_text_raw(text, key, first);
}

void json_text_boolean(struct json_text *text, const char *key, bool value)
{
	json_text_raw(text, key, value ? "true" : "false");
}

void json_text_null(struct json_text *text, const char *key)
{
	json_text_raw(text, key, in_columns(text) ? "" : "null");
}

void json_text_tree(struct json_text *text, const char *key, const json_t *value)
{
	char *dump = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	text->failed |= !dump;
	if (dump)
		json_text_raw(text, key, dump);
	free(dump);
}

json_t *json_text_parse(struct json_text *text)
{
	json_t *tree =
		text->failed ? NULL : json_loadb(text->bytes, text->size, JSON_DECODE_ANY, NULL);

	free(text->bytes);
	*text = (struct json_text){0};
	return tree;
}

void json_text_newline(struct json_text *text)
{
	char *at = room(text, 1);

	if (!at)
		return;
	*at = '\n';
	text->size++;
}
