/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_walk: one walker for all maps of the file, driven by tables. Neighbours: the tables in
 * config_pool and config_schema. It must not know a key by name, nor the model.
 */
#include "config_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "fault.h"

enum {
	KEYS_MAX = 64,        /* of one map's sections together */
	SUGGEST_MAX = 64,     /* longer words are no typing errors */
	LIST_TEXT_SIZE = 512, /* of words or keys told in a message */
};

/* ---- messages ---- */

void walk_error(struct walk *walk, const struct node *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	config_errors_addv(walk->errors, at->line, at->column, format, arguments);
	va_end(arguments);
}

/* What a node is, for "expected ..., found ...". */
static const char *found(const struct node *node, char out[CONFIG_QUOTE_SIZE])
{
	switch (node->kind) {
	case NODE_MAP:
		return "a map";
	case NODE_LIST:
		return "a list";
	default:
		return config_quote(node->text, out);
	}
}

static void expected(struct walk *walk, const struct node *node, const char *name, const char *what)
{
	char text[CONFIG_QUOTE_SIZE];

	if (node->kind != NODE_BAD)
		walk_error(walk, node, "%s: expected %s, found %s%s", name, what, found(node, text),
			   node->kind == NODE_SCALAR && !node->plain ? " in quotes" : "");
}

const char *walk_text(struct walk *walk, const struct node *node, const char *what,
		      const char *expectation)
{
	if (node->kind == NODE_SCALAR && !config_tree_is_null(node))
		return node->text;
	expected(walk, node, what, expectation);
	return NULL;
}

bool walk_is_list(struct walk *walk, const struct node *node, const char *what)
{
	if (node->kind != NODE_LIST)
		expected(walk, node, what, "a list");
	return node->kind == NODE_LIST;
}

/* Appends to a text of LIST_TEXT_SIZE, with a comma between. */
static void list_append(char *list, const char *item)
{
	size_t length = strlen(list);

	snprintf(list + length, LIST_TEXT_SIZE - length, "%s%s", length ? ", " : "", item);
}

/* ---- values of each type ---- */

static void store(const struct key *key, void *object, uint64_t value)
{
	char *field = (char *)object + key->offset;

	switch (key->size) {
	case 0: /* one value is possible: nothing to remember */
		break;
	case 1:
		*(uint8_t *)field = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)field = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		*(uint64_t *)field = value;
	}
}

/* Numbers are those of people: no sign, no exponent, no leading zero that might mean octal. */
enum number_result { NUMBER_OK, NUMBER_WRONG, NUMBER_OUT_OF_RANGE };

static enum number_result number_parse(const char *text, uint64_t max, uint64_t *value)
{
	bool negative = text[0] == '-';
	size_t digits = strspn(text + negative, "0123456789");

	text += negative;
	if (digits == 0 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
		return NUMBER_WRONG;
	*value = 0;
	if (negative || digits > 18)
		return NUMBER_OUT_OF_RANGE;
	for (size_t i = 0; i < digits; i++)
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	return *value <= max ? NUMBER_OK : NUMBER_OUT_OF_RANGE;
}

static bool read_number(struct walk *walk, const struct key *key, const struct node *node,
			uint64_t *value)
{
	char text[CONFIG_QUOTE_SIZE], expectation[64];
	enum number_result result = NUMBER_WRONG;

	if (node->kind == NODE_SCALAR && node->plain)
		result = number_parse(node->text, key->max, value);
	if (result == NUMBER_OK && *value >= key->min)
		return true;
	if (result == NUMBER_WRONG) {
		snprintf(expectation, sizeof(expectation),
			 "a whole number (%" PRIu64 " to %" PRIu64 ")", key->min, key->max);
		expected(walk, node, key->name, expectation);
	} else {
		walk_error(walk, node, "%s: %s is out of range (%" PRIu64 " to %" PRIu64 ")",
			   key->name, config_quote(node->text, text), key->min, key->max);
	}
	return false;
}

static bool read_time(struct walk *walk, const struct key *key, const struct node *node,
		      uint64_t *value)
{
	char text[CONFIG_QUOTE_SIZE], min[DURATION_TEXT_SIZE], max[DURATION_TEXT_SIZE];

	/* Quotes are fine: JSON has them around what is not a number. */
	if (node->kind != NODE_SCALAR || !duration_parse(node->text, value)) {
		expected(walk, node, key->name, "a time such as 500ms, 10s or 2h10m");
		return false;
	}
	if (*value < key->min || *value > key->max) {
		walk_error(walk, node, "%s: %s is out of range (%s to %s)", key->name,
			   config_quote(node->text, text), duration_format(key->min, min),
			   duration_format(key->max, max));
		return false;
	}
	return true;
}

static bool read_percent(struct walk *walk, const struct key *key, const struct node *node,
			 uint64_t *value)
{
	size_t length = node->kind == NODE_SCALAR ? strlen(node->text) : 0;
	char digits[CONFIG_QUOTE_SIZE];

	if (length > 1 && length < sizeof(digits) && node->text[length - 1] == '%') {
		snprintf(digits, sizeof(digits), "%.*s", (int)length - 1, node->text);
		if (number_parse(digits, 100, value) == NUMBER_OK)
			return true;
	}
	expected(walk, node, key->name, "a percentage from 0% to 100%");
	return false;
}

static bool read_bool(struct walk *walk, const struct key *key, const struct node *node,
		      uint64_t *value)
{
	if (node->kind == NODE_SCALAR && node->plain) {
		*value = strcmp(node->text, "true") == 0;
		if (*value || strcmp(node->text, "false") == 0)
			return true;
	}
	expected(walk, node, key->name, "true or false");
	return false;
}

static void refuse_word(struct walk *walk, const struct key *key, const struct node *node,
			bool known)
{
	const char *texts[KEYS_MAX], *near;
	char quoted[CONFIG_QUOTE_SIZE], list[LIST_TEXT_SIZE] = "";
	size_t count = 0;

	for (const struct word *word = key->words; word->text && count < KEYS_MAX; word++) {
		texts[count++] = word->text;
		if (word->support == SUPPORTED)
			list_append(list, word->text);
	}
	config_quote(node->text, quoted);
	if (known) {
		walk_error(walk, node, "%s: %s is not available in this version (available: %s)",
			   key->name, quoted, list);
		return;
	}
	near = strlen(node->text) < SUGGEST_MAX ? fault_nearest(node->text, texts, count) : NULL;
	if (near)
		walk_error(walk, node, "%s: unknown word %s (did you mean '%s'?)", key->name,
			   quoted, near);
	else
		walk_error(walk, node, "%s: unknown word %s (one of: %s)", key->name, quoted, list);
}

static bool read_word(struct walk *walk, const struct key *key, const struct node *node,
		      uint64_t *value)
{
	const struct word *word;

	if (!walk_text(walk, node, key->name, "a word"))
		return false;
	for (word = key->words; word->text; word++) {
		if (strcmp(word->text, node->text) == 0)
			break;
	}
	if (!word->text || word->support != SUPPORTED) {
		refuse_word(walk, key, node, word->text != NULL);
		return false;
	}
	*value = word->value;
	return true;
}

static bool read_scalar(struct walk *walk, const struct key *key, const struct node *node,
			uint64_t *value)
{
	switch (key->type) {
	case KEY_NUMBER:
		return read_number(walk, key, node, value);
	case KEY_TIME:
		return read_time(walk, key, node, value);
	case KEY_PERCENT:
		return read_percent(walk, key, node, value);
	case KEY_BOOL:
		return read_bool(walk, key, node, value);
	default:
		return read_word(walk, key, node, value);
	}
}

static void read_value(struct walk *walk, const struct key *key, const struct node *node,
		       void *object)
{
	struct section section = {.keys = key->keys, .object = (char *)object + key->offset};
	uint64_t value;

	switch (key->type) {
	case KEY_ELSEWHERE:
		break;
	case KEY_MAP:
		walk_map(walk, node, key->name, &section, 1, false);
		if (key->finish && node->kind == NODE_MAP)
			key->finish(walk, node, section.object);
		break;
	case KEY_CUSTOM:
		key->read(walk, node, object);
		break;
	default:
		if (!read_scalar(walk, key, node, &value))
			break;
		if (key->support == ONLY_ZERO && value != 0)
			walk_error(walk, node,
				   "%s: not available in this version (remove it, or write %s)",
				   key->name,
				   key->type == KEY_BOOL      ? "false"
				   : key->type == KEY_PERCENT ? "0%"
							      : "0s");
		else
			store(key, object, value);
	}
}

/* ---- maps ---- */

static void unknown_key(struct walk *walk, const struct node *node, const char *what,
			const struct section *sections, size_t section_count)
{
	const char *names[KEYS_MAX], *near = NULL;
	char quoted[CONFIG_QUOTE_SIZE], list[LIST_TEXT_SIZE] = "";
	size_t count = 0;

	for (size_t i = 0; i < section_count; i++) {
		for (const struct key *key = sections[i].keys;
		     key->name && !sections[i].elsewhere && count < KEYS_MAX; key++) {
			names[count++] = key->name;
			if (key->support != NOT_YET)
				list_append(list, key->name);
		}
	}
	config_quote(node->text, quoted);
	if (strlen(node->text) < SUGGEST_MAX)
		near = fault_nearest(node->text, names, count);
	if (near)
		walk_error(walk, node, "unknown key %s in %s (did you mean '%s'?)", quoted, what,
			   near);
	else
		walk_error(walk, node, "unknown key %s in %s (known: %s)", quoted, what, list);
}

static const struct key *find_key(const struct section *sections, size_t section_count,
				  const char *name, const struct section **section)
{
	for (size_t i = 0; i < section_count; i++) {
		for (const struct key *key = sections[i].keys; key->name; key++) {
			if (strcmp(key->name, name) == 0) {
				*section = &sections[i];
				return key;
			}
		}
	}
	return NULL;
}

static void read_entry(struct walk *walk, const struct node *name, const struct node *value,
		       const char *what, const struct section *sections, size_t section_count)
{
	const struct section *section;
	const struct key *key = find_key(sections, section_count, name->text, &section);

	if (!key)
		unknown_key(walk, name, what, sections, section_count);
	else if (section->elsewhere)
		walk_error(walk, name, "'%s' has no place in %s (%s)", key->name, what,
			   section->elsewhere);
	else if (key->support == NOT_YET)
		walk_error(walk, name, "'%s' is not available in this version (remove it)",
			   key->name);
	else if (config_tree_is_null(value))
		walk_error(walk, name, "'%s' has no value (give one, or remove the key)",
			   key->name);
	else
		read_value(walk, key, value, section->object);
}

void walk_map(struct walk *walk, const struct node *map, const char *what,
	      const struct section *sections, size_t section_count, bool partial)
{
	if (map->kind != NODE_MAP) {
		expected(walk, map, what, "a map (key: value)");
		return;
	}
	for (size_t i = 0; i < map->count; i += 2) {
		if (map->items[i]->kind == NODE_SCALAR)
			read_entry(walk, map->items[i], map->items[i + 1], what, sections,
				   section_count);
	}
	for (size_t i = 0; i < section_count && !partial; i++) {
		for (const struct key *key = sections[i].keys; key->name; key++) {
			if (key->required && !sections[i].elsewhere &&
			    !config_tree_get(map, key->name, NULL))
				walk_error(walk, map, "%s needs the key '%s'", what, key->name);
		}
	}
}
