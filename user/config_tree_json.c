/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_tree_json: a tree of nodes from JSON that was parsed already, which is quicker than to
 * have it written and read as the YAML that it is. Neighbour: config_tree, which reads text, and
 * whose limits hold here, too. What they would not read alike is left to it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_tree.h"

/* Other bytes may have no place in YAML. */
static bool is_ordinary(const char *text)
{
	while ((*text >= ' ' && *text <= '~') || *text == '\t' || *text == '\n')
		text++;
	return !*text;
}

/* NULL: there is no such scalar here. */
static char *scalar_text(const json_t *value)
{
	char digits[24];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return is_ordinary(json_string_value(value)) ? strdup(json_string_value(value))
							     : NULL;
	case JSON_INTEGER:
		snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return strdup(digits);
	case JSON_TRUE:
		return strdup("true");
	case JSON_FALSE:
		return strdup("false");
	case JSON_NULL:
		return strdup("null");
	default:
		return NULL;
	}
}

struct builder {
	size_t depth;
	size_t node_count;
};

/* The next item of `parent`, which has room for it, or NULL. */
static struct node *add_node(struct builder *builder, struct node *parent)
{
	struct node *node =
		++builder->node_count <= CONFIG_NODES_MAX ? calloc(1, sizeof(*node)) : NULL;

	if (!node)
		return NULL;
	node->line = node->column = 1;
	if (parent)
		parent->items[parent->count++] = node;
	return node;
}

static bool add_key(struct builder *builder, struct node *map, const char *key)
{
	struct node *node = add_node(builder, map);

	if (!node || !is_ordinary(key))
		return false;
	node->text = strdup(key);
	return node->text;
}

static bool fill(struct builder *builder, struct node *node, const json_t *value);

static bool add_all(struct builder *builder, struct node *node, const json_t *value)
{
	size_t room = json_is_object(value) ? 2 * json_object_size(value) : json_array_size(value);
	const json_t *item;
	const char *key;
	size_t i;

	node->kind = json_is_object(value) ? NODE_MAP : NODE_LIST;
	node->items = calloc(room + 1, sizeof(struct node *));
	if (!node->items)
		return false;
	json_array_foreach (value, i, item)
		if (!fill(builder, add_node(builder, node), item))
			return false;
	json_object_foreach ((json_t *)value, key, item)
		if (!add_key(builder, node, key) || !fill(builder, add_node(builder, node), item))
			return false;
	return true;
}

/* False where it cannot be made; `node` may be NULL, for that. */
static bool fill(struct builder *builder, struct node *node, const json_t *value)
{
	bool made;

	if (!node)
		return false;
	if (json_is_object(value) || json_is_array(value)) {
		made = builder->depth++ < CONFIG_DEPTH_MAX && add_all(builder, node, value);
		builder->depth--;
		return made;
	}
	node->plain = !json_is_string(value);
	node->text = scalar_text(value);
	return node->text;
}

struct node *config_tree_json(const json_t *value)
{
	struct builder builder = {0};
	struct node *root = add_node(&builder, NULL);

	if (fill(&builder, root, value))
		return root;
	config_tree_free(root);
	return NULL;
}
