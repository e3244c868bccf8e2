/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_schema: the keys of lbd.yaml, as tables for config_walk, and what is checked across them.
 *
 * Its rooms: config_schema (the file, services), config_global, config_pool (pools, backends),
 * config_check and config_cross (what concerns several objects). config is the door; nobody else
 * comes in.
 */
#ifndef LIMPET_CONFIG_SCHEMA_H
#define LIMPET_CONFIG_SCHEMA_H

#include "config_walk.h"

/* Where an object, or the `index`-th thing of it, stands in the text. */
struct place {
	void *object;
	size_t index;
	const struct node *at;
};

struct places {
	struct place *items;
	size_t count;
};

/* All that is known while a text is read. Reached from the tables' functions as walk->context. */
struct reading {
	struct walk walk;
	struct model *model;
	/* Takes objects without a name of their own (a wrong one, or one that is taken), so that
	 * the rest of them can be checked. */
	struct model *scratch;
	const char *base_dir; /* or NULL */
	struct pool defaults;
	bool in_defaults;
	bool from_api;            /* nobody who may write the file wrote this */
	struct places pools;      /* at: the map that describes the pool */
	struct places references; /* object: a service; at: its `pool` */
	struct places listeners;  /* object: a service; index: in `listen` */
	/* Some could not be read: what would be missed because of that is not reported too. */
	bool pools_incomplete;
	bool listeners_incomplete;
};

/* ---- config_schema ---- */

extern const struct key schema_service_keys[];

/* Reads a file's tree into the model. */
void schema_file(struct reading *reading, const struct node *root);
/* Reads a service's keys. `service` is in the model. `own` is the pool that it holds itself, or
 * NULL. `partial`: keys may lack. */
void schema_service(struct reading *reading, const struct node *map, struct service *service,
		    struct pool *own, bool partial);

/* The object's `name`, or NULL if it is missing, or wrong (which is reported). */
const char *schema_name(struct reading *reading, const struct node *map);
/* The line of the item before `item` in the list that has this name; 0 if there is none. */
unsigned schema_named_line(const struct node *list, const struct node *item, const char *name);
void schema_place_add(struct reading *reading, struct places *places, void *object, size_t index,
		      const struct node *at);
void schema_out_of_memory(struct reading *reading);

/* ---- config_global ---- */

extern const struct key schema_global_keys[];
/* Reads the hash_seed_file anew; false if it is wrong. */
bool schema_seed_again(struct global *global);
void schema_finish_global(struct walk *walk, const struct node *map, void *object);

/* ---- config_pool ---- */

extern const struct key schema_pool_keys[];     /* what `defaults` may hold too */
extern const struct key schema_pool_own_keys[]; /* the backends */
extern const struct key schema_backend_keys[];

void schema_defaults(struct reading *reading, const struct node *map);
void schema_pools(struct reading *reading, const struct node *list);
/* Checks a pool whose keys were read from `map`, and keeps its place. */
void schema_pool_done(struct reading *reading, struct pool *pool, const struct node *map);
void schema_pool_inherit(struct pool *pool, const struct pool *defaults);
/* An empty pool for what has no place in the model; valid until the next call. */
struct pool *schema_scratch_pool(struct reading *reading);

/* ---- config_check ---- */

extern const struct key schema_check_keys[];
void schema_finish_check(struct walk *walk, const struct node *map, void *object);

/* ---- config_cross ---- */

/* All checks that need the whole model. `root` is where to look for the keys to blame. */
void cross_check(struct reading *reading, const struct node *root);
/* Whether the model passes them all; nobody is blamed. */
bool cross_holds(struct reading *reading);

#endif
