/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_walk: reads maps of a tree into structs, by tables of keys.
 *
 * Between config_tree and the schema (config_pool, config_schema). Knows types (numbers, times,
 * words ...) and what is wrong with a value; knows no key by name.
 */
#ifndef LIMPET_CONFIG_WALK_H
#define LIMPET_CONFIG_WALK_H

#include <stdint.h>

#include "config_tree.h"

struct walk {
	struct config_errors *errors;
	void *context; /* for the `read` functions of the tables */
};

enum key_type {
	KEY_ELSEWHERE, /* known here, read by whoever walks the map */
	KEY_NUMBER,    /* min to max */
	KEY_TIME,      /* in ms, min to max */
	KEY_PERCENT,
	KEY_BOOL,
	KEY_WORD,   /* one of `words` */
	KEY_MAP,    /* walked by `keys` into the object at `offset`; then `finish` */
	KEY_CUSTOM, /* `read` */
};

/* What this version refuses though the file format has it. To add the feature, remove the mark. */
enum key_support {
	SUPPORTED,
	NOT_YET,   /* whatever its value */
	ONLY_ZERO, /* 0, false or a word of value 0 is fine */
};

struct word {
	const char *text; /* NULL behind the last */
	uint32_t value;
	enum key_support support;
};

struct key {
	const char *name; /* NULL behind the last */
	enum key_type type;
	enum key_support support;
	bool required;
	size_t offset; /* see KEY_FIELD */
	size_t size;
	uint64_t min;
	uint64_t max;
	const struct word *words;
	const struct key *keys;
	void (*read)(struct walk *walk, const struct node *value, void *object);
	void (*finish)(struct walk *walk, const struct node *map, void *object);
};

/* clang-format off */
#define KEY_FIELD(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)
/* clang-format on */

/* Some of the keys of a map, and where they are read to. */
struct section {
	const struct key *keys;
	void *object;
	const char *elsewhere; /* not NULL: the keys are wrong here, and this says where they
				  belong */
};

/*
 * Reads `map` by the sections' tables: each key to its section's object, in the order of the file.
 * Wrong types, unknown keys, values out of range and (unless `partial`) missing required keys are
 * reported. `what` names the object in messages: "a backend".
 */
void walk_map(struct walk *walk, const struct node *map, const char *what,
	      const struct section *sections, size_t section_count, bool partial);

/* Reports an error at a node. */
void walk_error(struct walk *walk, const struct node *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a scalar, or NULL after an error was reported: "WHAT: expected EXPECTED, found ..."
 */
const char *walk_text(struct walk *walk, const struct node *node, const char *what,
		      const char *expected);

/* True for a list; else reports an error unless one was reported. */
bool walk_is_list(struct walk *walk, const struct node *node, const char *what);

#endif
