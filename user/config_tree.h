/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_tree: YAML text as a tree of nodes that know their place in the file.
 *
 * Between libyaml's parser and config_walk. Checks what needs no schema: syntax, encoding, size,
 * depth, one document, no anchors, aliases or tags, keys that are words and given once. Knows no
 * key by name.
 */
#ifndef LIMPET_CONFIG_TREE_H
#define LIMPET_CONFIG_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config_errors.h"

enum {
	CONFIG_SIZE_MAX = 16 << 20, /* bytes of a file */
	CONFIG_DEPTH_MAX = 16,      /* maps and lists within each other; the schema needs 5 */
	CONFIG_NODES_MAX = 2000000, /* several times what the largest possible installation needs */
};

enum node_kind {
	NODE_SCALAR,
	NODE_MAP,
	NODE_LIST,
	NODE_BAD, /* an error was reported already; readers skip it */
};

struct node {
	enum node_kind kind;
	unsigned line; /* both from 1; columns count characters */
	unsigned column;
	bool plain;          /* a scalar without quotes: a word or a number */
	char *text;          /* of a scalar; without NUL inside */
	struct node **items; /* of a list; of a map: key, value, key, value */
	size_t count;
};

/* The text as a tree that the caller frees. NULL if it cannot be one, with at least one error
 * added; errors that leave a tree (an anchor, a key given twice) are added too. */
struct node *config_tree_parse(const char *text, size_t size, struct config_errors *errors);
/* The same of JSON that was parsed: NULL, without an error, if only its text can tell what it is as
 * YAML. No node has a place. */
struct node *config_tree_json(const json_t *value);
void config_tree_free(struct node *node); /* NULL is fine */

/* The value of `key` in a map, or NULL; the key's node in `*key_node` unless that is NULL. */
const struct node *config_tree_get(const struct node *map, const char *key,
				   const struct node **key_node);

/* Without a value: `key:` with nothing behind it, `~` or `null`. */
bool config_tree_is_null(const struct node *node);

#endif
