/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_set: what a set of overrides is made of, for overrides.c (what they mean),
 * overrides_change.c (how they come about) and overrides_file.c (how they are kept) alone.
 */
#ifndef LIMPET_OVERRIDES_SET_H
#define LIMPET_OVERRIDES_SET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "fault.h"
#include "json_text.h"
#include "model.h"

/* OVERRIDE_POOL: what stays of a service made at run time, when it is deleted while another service
 * uses the pool that was made with it. */
enum override_kind {
	OVERRIDE_SERVICE,
	OVERRIDE_BACKEND,
	OVERRIDE_POOL,
	OVERRIDE_POOL_KEYS, /* a pool's own keys; its backends are other objects */
	OVERRIDE_GLOBAL,
	OVERRIDE_KIND_COUNT
};

/* The name of the only object of its kind. */
#define OVERRIDE_GLOBAL_NAME "global"

/*
 * One object's override. `removes` takes away what is there without it; `body` then makes the
 * object (if nothing is there) or changes it. At least one of the two is set.
 */
struct override {
	enum override_kind kind;
	char pool[MODEL_NAME_SIZE]; /* of a backend; else empty */
	char name[MODEL_NAME_SIZE];
	bool removes;
	/* Keys of the configuration; NULL: none. Those of a pool or of `global` are the ones that
	 * differ, null where the file has one and this has not. */
	json_t *body;
	json_t *was; /* the file's description of the object when this was made; NULL: not there */
};

/* One drain: times in CLOCK_REALTIME. */
struct drain {
	char pool[MODEL_NAME_SIZE];
	char backend[MODEL_NAME_SIZE];
	uint64_t began_ms;
	uint64_t until_ms; /* 0: no deadline */
};

struct overrides {
	struct override *items; /* in the order in which they were made */
	size_t count;
	struct drain *drains;
	size_t drain_count;
};

extern const char *const override_kind_names[OVERRIDE_KIND_COUNT];

enum { OVERRIDE_TEXT_SIZE = 2 * MODEL_NAME_SIZE + 16, OVERRIDE_NONE = -1 };

/* The order in which a set is applied, see overrides.c. */
enum override_phase { PHASE_REMOVE, PHASE_POOLS, PHASE_SERVICES, PHASE_BACKENDS, PHASE_WHOLE };

/* Appends one with these names, else empty, and returns it, borrowed until the next change of the
 * set; NULL if out of memory. */
struct override *overrides_append(struct overrides *overrides, enum override_kind kind,
				  const char *pool, const char *name);

/* The same for a drain. */
struct drain *overrides_drain_append(struct overrides *overrides, const char *pool,
				     const char *backend);

/* Borrowed until the next change of the set, or NULL. `pool`: NULL but for a backend. */
struct override *overrides_find(const struct overrides *overrides, enum override_kind kind,
				const char *pool, const char *name);
void overrides_remove(struct overrides *overrides, size_t i);

/* As overrides_apply, up to phase `last` and without the override at `skip` (OVERRIDE_NONE: with
 * all); `*failed` becomes the place of the one that could not be applied, or OVERRIDE_NONE. */
struct model *overrides_apply_to(const struct overrides *overrides, const struct model *base,
				 enum override_phase last, ptrdiff_t skip, ptrdiff_t *failed,
				 struct fault *fault);

/* What `kind` is of in the model: a backend, pool or service, or itself; NULL where there is none.
 */
const void *override_object(const struct model *model, enum override_kind kind, const char *pool,
			    const char *name);
/* Writes its keys, between json_text_begin and json_text_end. */
void override_put(struct json_text *text, enum override_kind kind, const void *object);
/* Those as a tree: a new reference; NULL where there is none. */
json_t *override_keys(const struct model *model, enum override_kind kind, const char *pool,
		      const char *name);
/* As override_keys, but that a service has the keys of the pool of its name, if it uses that. */
json_t *override_describe(const struct model *model, enum override_kind kind, const char *pool,
			  const char *name);
/* The keys with which two objects differ (null: `to` has it not), or NULL where there is none. */
json_t *override_delta(const json_t *from, const json_t *to);
/* Both NULL are the same, too. */
bool override_same(const json_t *a, const json_t *b);

/* True for a service made at run time whose pool was made with it. */
bool override_brings_pool(const struct override *item);

/* "backend web/web1". Returns `out`. */
const char *override_text(enum override_kind kind, const char *pool, const char *name,
			  char out[OVERRIDE_TEXT_SIZE]);
/* Returns -1. */
int override_out_of_memory(const char *object, struct fault *fault);

#endif
