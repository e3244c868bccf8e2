/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_tree: builds the tree from libyaml's events. Neighbours: config_walk reads it. It must not
 * know the schema. The text is untrusted: depth, size and the number of nodes are bounded, and
 * recursion (when freeing) is no deeper than CONFIG_DEPTH_MAX.
 */
#include "config_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { ITEMS_MIN = 8 };

struct builder {
	yaml_parser_t parser;
	struct config_errors *errors;
	const char *text;
	struct node *root;
	struct node *open[CONFIG_DEPTH_MAX]; /* from the root to where the next node goes */
	size_t depth;
	size_t node_count;
	unsigned document_count;
};

/* BUILD_END: the stream is read. BUILD_STOP: what follows cannot be made sense of, and the error
 * is reported. */
enum build_step { BUILD_GO_ON, BUILD_END, BUILD_STOP };

/* ---- errors ---- */

static unsigned mark_line(yaml_mark_t mark)
{
	return (unsigned)mark.line + 1;
}

static unsigned mark_column(yaml_mark_t mark)
{
	return (unsigned)mark.column + 1;
}

static enum build_step stop_at(struct builder *builder, yaml_mark_t mark, const char *what)
{
	config_errors_add(builder->errors, mark_line(mark), mark_column(mark), "%s", what);
	return BUILD_STOP;
}

/* The reader's errors come with an offset in place of a position. */
static void report_encoding(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	const char *at = builder->text, *end = at + parser->problem_offset;
	unsigned line = 1, column = 1;

	/* Where the end of a character is wrong, its beginning is the place to show. */
	if (strstr(parser->problem, "trailing")) {
		while (end > at && ((unsigned char)end[-1] & 0xc0) == 0x80)
			end--;
		if (end > at)
			end--;
	}
	while (at < end && *at) {
		size_t length = config_line_break(at);

		if (length > 0) {
			line++;
			column = 1;
		} else if (((unsigned char)*at & 0xc0) != 0x80) {
			column++;
		}
		at += length ? length : 1;
	}
	if (parser->problem_value >= 0 && parser->problem_value < ' ')
		config_errors_add(builder->errors, line, column,
				  "a control character (byte 0x%02x) has no place in YAML",
				  (unsigned)parser->problem_value);
	else
		config_errors_add(builder->errors, line, column,
				  "the text is not valid UTF-8: %s (save the file as UTF-8)",
				  parser->problem);
}

/* libyaml's index counts characters, not bytes. */
static const char *character_at(const char *text, size_t index)
{
	while (*text && index > 0) {
		text++;
		if (((unsigned char)*text & 0xc0) != 0x80)
			index--;
	}
	return text;
}

static enum build_step report_syntax(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	unsigned line = mark_line(parser->problem_mark), column = mark_column(parser->problem_mark);

	if (parser->error == YAML_READER_ERROR) {
		report_encoding(builder);
	} else if (parser->error == YAML_MEMORY_ERROR) {
		config_errors_add(builder->errors, 0, 0, "out of memory");
	} else if (*character_at(builder->text, parser->problem_mark.index) == '\t') {
		config_errors_add(builder->errors, line, column,
				  "YAML syntax: a tab (indent with spaces)");
	} else if (parser->context) {
		config_errors_add(builder->errors, line, column, "YAML syntax: %s (%s in line %u)",
				  parser->problem, parser->context,
				  mark_line(parser->context_mark));
	} else {
		config_errors_add(builder->errors, line, column, "YAML syntax: %s",
				  parser->problem);
	}
	return BUILD_STOP;
}

/* ---- nodes ---- */

void config_tree_free(struct node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->count; i++)
		config_tree_free(node->items[i]);
	free(node->items);
	free(node->text);
	free(node);
}

static int append(struct node *parent, struct node *child)
{
	/* The array doubles: its size is the power of two at or above `count`, and ITEMS_MIN. */
	if (!parent->count ||
	    (parent->count >= ITEMS_MIN && !(parent->count & (parent->count - 1)))) {
		size_t room = parent->count ? parent->count * 2 : ITEMS_MIN;
		struct node **items = reallocarray(parent->items, room, sizeof(struct node *));

		if (!items)
			return -1;
		parent->items = items;
	}
	parent->items[parent->count++] = child;
	return 0;
}

/* Makes a node and puts it where it belongs. NULL after an error was reported. */
static struct node *add_node(struct builder *builder, enum node_kind kind, yaml_mark_t mark)
{
	struct node *node, *parent = builder->depth ? builder->open[builder->depth - 1] : NULL;

	if (++builder->node_count > CONFIG_NODES_MAX) {
		stop_at(builder, mark, "more values than any configuration has (2000000)");
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (node && parent && append(parent, node) < 0) {
		free(node);
		node = NULL;
	}
	if (!node) {
		config_errors_add(builder->errors, 0, 0, "out of memory");
		return NULL;
	}
	if (!parent)
		builder->root = node;
	node->kind = kind;
	node->line = mark_line(mark);
	node->column = mark_column(mark);
	if (kind != NODE_SCALAR && parent && parent->kind == NODE_MAP && parent->count % 2 == 1) {
		config_errors_add(builder->errors, node->line, node->column,
				  "a key must be a word");
	}
	return node;
}

static void refuse_extras(struct builder *builder, yaml_mark_t mark, const yaml_char_t *anchor,
			  const yaml_char_t *tag)
{
	char quoted[CONFIG_QUOTE_SIZE];

	if (anchor)
		config_errors_add(builder->errors, mark_line(mark), mark_column(mark),
				  "an anchor, %s, has no place here (write the value out)",
				  config_quote((const char *)anchor, quoted));
	if (tag)
		config_errors_add(builder->errors, mark_line(mark), mark_column(mark),
				  "a tag, %s, has no place here (write the value alone)",
				  config_quote((const char *)tag, quoted));
}

/* ---- keys given twice ---- */

static int key_compare(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
	int order = strcmp(x->text, y->text);

	if (order == 0)
		order = x->line != y->line ? (x->line < y->line ? -1 : 1)
					   : (x->column < y->column ? -1 : 1);
	return order;
}

static enum build_step check_keys(struct builder *builder, struct node *map)
{
	char quoted[CONFIG_QUOTE_SIZE];
	struct node **keys = calloc(map->count / 2 + 1, sizeof(struct node *));
	size_t count = 0;

	if (!keys) {
		config_errors_add(builder->errors, 0, 0, "out of memory");
		return BUILD_STOP;
	}
	for (size_t i = 0; i < map->count; i += 2) {
		if (map->items[i]->kind == NODE_SCALAR)
			keys[count++] = map->items[i];
	}
	qsort(keys, count, sizeof(struct node *), key_compare);
	for (size_t i = 1, first = 0; i < count; i++) {
		if (strcmp(keys[i]->text, keys[first]->text) != 0) {
			first = i;
			continue;
		}
		config_errors_add(builder->errors, keys[i]->line, keys[i]->column,
				  "key %s is given twice (first in line %u)",
				  config_quote(keys[i]->text, quoted), keys[first]->line);
		keys[i]->kind = NODE_BAD;
	}
	free(keys);
	return BUILD_GO_ON;
}

/* ---- events ---- */

static enum build_step begin(struct builder *builder, enum node_kind kind, yaml_mark_t mark)
{
	struct node *node;

	if (builder->depth == CONFIG_DEPTH_MAX)
		return stop_at(builder, mark, "nested deeper than any configuration is");
	node = add_node(builder, kind, mark);
	if (!node)
		return BUILD_STOP;
	builder->open[builder->depth++] = node;
	return BUILD_GO_ON;
}

/* Takes the text out of the event. */
static enum build_step scalar(struct builder *builder, yaml_event_t *event)
{
	struct node *node = add_node(builder, NODE_SCALAR, event->start_mark);

	if (!node)
		return BUILD_STOP;
	refuse_extras(builder, event->start_mark, event->data.scalar.anchor,
		      event->data.scalar.tag);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = (char *)event->data.scalar.value;
	event->data.scalar.value = NULL;
	if (strlen(node->text) != event->data.scalar.length) {
		config_errors_add(builder->errors, node->line, node->column,
				  "a NUL character has no place here");
		node->kind = NODE_BAD;
	}
	return BUILD_GO_ON;
}

static enum build_step document(struct builder *builder, const yaml_event_t *event)
{
	if (event->data.document_start.tag_directives.start !=
	    event->data.document_start.tag_directives.end)
		config_errors_add(builder->errors, mark_line(event->start_mark),
				  mark_column(event->start_mark),
				  "a %%TAG directive has no place here");
	if (++builder->document_count > 1)
		return stop_at(builder, event->start_mark,
			       "a second document (a file holds one; remove the '---')");
	return BUILD_GO_ON;
}

static enum build_step take(struct builder *builder, yaml_event_t *event)
{
	char quoted[CONFIG_QUOTE_SIZE];

	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return BUILD_END;
	case YAML_DOCUMENT_START_EVENT:
		return document(builder, event);
	case YAML_ALIAS_EVENT:
		config_errors_add(builder->errors, mark_line(event->start_mark),
				  mark_column(event->start_mark),
				  "an alias, %s, has no place here (write the value out)",
				  config_quote((const char *)event->data.alias.anchor, quoted));
		return add_node(builder, NODE_BAD, event->start_mark) ? BUILD_GO_ON : BUILD_STOP;
	case YAML_SCALAR_EVENT:
		return scalar(builder, event);
	case YAML_SEQUENCE_START_EVENT:
		refuse_extras(builder, event->start_mark, event->data.sequence_start.anchor,
			      event->data.sequence_start.tag);
		return begin(builder, NODE_LIST, event->start_mark);
	case YAML_MAPPING_START_EVENT:
		refuse_extras(builder, event->start_mark, event->data.mapping_start.anchor,
			      event->data.mapping_start.tag);
		return begin(builder, NODE_MAP, event->start_mark);
	case YAML_MAPPING_END_EVENT:
		return check_keys(builder, builder->open[--builder->depth]);
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		return BUILD_GO_ON;
	default:
		return BUILD_GO_ON;
	}
}

static enum build_step build(struct builder *builder)
{
	enum build_step step = BUILD_GO_ON;
	yaml_event_t event;

	while (step == BUILD_GO_ON) {
		if (!yaml_parser_parse(&builder->parser, &event))
			return report_syntax(builder);
		step = take(builder, &event);
		yaml_event_delete(&event);
	}
	return step;
}

struct node *config_tree_parse(const char *text, size_t size, struct config_errors *errors)
{
	struct builder builder = {.errors = errors};
	enum build_step step = BUILD_STOP;
	char *copy = NULL;

	if (size > CONFIG_SIZE_MAX) {
		config_errors_add(errors, 0, 0, "larger than any configuration is (16 MiB)");
		return NULL;
	}
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	/* With a NUL behind it, so that positions can be looked up without care for the end. */
	copy = strndup(text, size);
	if (!copy || !yaml_parser_initialize(&builder.parser)) {
		config_errors_add(errors, 0, 0, "out of memory");
		free(copy);
		return NULL;
	}
	builder.text = copy;
	/* Told, not guessed: a guess would also take UTF-16. */
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, size);
	step = build(&builder);
	yaml_parser_delete(&builder.parser);
	free(copy);
	if (step == BUILD_END && !builder.root)
		config_errors_add(errors, 1, 1,
				  "the file is empty (it needs at least: version: 1)");
	if (step == BUILD_STOP) {
		config_tree_free(builder.root);
		return NULL;
	}
	return builder.root;
}

/* ---- reading ---- */

const struct node *config_tree_get(const struct node *map, const char *key,
				   const struct node **key_node)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i += 2) {
		if (map->items[i]->kind != NODE_SCALAR || strcmp(map->items[i]->text, key) != 0)
			continue;
		if (key_node)
			*key_node = map->items[i];
		return map->items[i + 1];
	}
	return NULL;
}

bool config_tree_is_null(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		strcmp(node->text, "null") == 0);
}
