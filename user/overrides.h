/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides: what was changed at run time, on top of the file.
 *
 * The file is the base; an override names one object (a service, or a backend of a pool) and holds
 * the keys that differ, or that the object is gone. The running model is always the base with the
 * overrides applied. They are kept in STATE_DIR/state.json, written to a temporary, synced,
 * renamed. Each override remembers what the file said of its object when it was made: where the
 * file's own value for that object changes later, the file wins. When drains began and end is kept
 * there, too.
 */
#ifndef LIMPET_OVERRIDES_H
#define LIMPET_OVERRIDES_H

#include <jansson.h>

#include "fault.h"
#include "model.h"

struct overrides;

enum change_object { CHANGE_SERVICE, CHANGE_BACKEND };
enum change_verb { CHANGE_ADD, CHANGE_SET, CHANGE_DELETE };

/* One change as the API takes it. */
struct change {
	enum change_object object;
	enum change_verb verb;
	const char *pool; /* of a backend */
	const char *name;
	const json_t *body; /* keys of the configuration; NULL for delete; borrowed */
};

/* Empty. NULL if out of memory. */
struct overrides *overrides_create(void);
struct overrides *overrides_copy(const struct overrides *overrides);
void overrides_free(struct overrides *overrides);

/* A missing file is an empty set. A damaged one is renamed to state.json.damaged, logged, and an
 * empty set returned. NULL with `fault` set if it cannot be read, or others than its owner can
 * write it. */
struct overrides *overrides_load(const char *path, struct fault *fault);
int overrides_save(const struct overrides *overrides, const char *path, struct fault *fault);

/*
 * Adds `change` to the set, as seen on top of `base`; `current` is what the set made of that until
 * now,
 * `*result`, which the caller frees, what it makes of it then. FAULT_NOT_FOUND, FAULT_CONFLICT (it
 * exists), FAULT_USAGE (with the schema's message): the set is then as before, and there is no
 * result.
 */
int overrides_add(struct overrides *overrides, const struct model *base,
		  const struct model *current, const struct change *change, struct model **result,
		  struct fault *fault);

/*
 * The set that makes `wanted` of `base`, with the drains of `old`; NULL with `fault` set
 * (FAULT_PERMISSION: it would have lbd run a program that the file does not name).
 */
struct overrides *overrides_whole(const struct overrides *old, const struct model *base,
				  const struct model *wanted, struct fault *fault);

/*
 * How what runs differs from the file as it is now, an array of {"object": "backend web/web1",
 * "where": "file" | "running" | "both", "origin": "file" (it was edited since it was read) | "run
 * time" | "both", "keys": {KEY: {"file", "running"}}, and the object whole where only one has it}.
 * `base`: the file as it was read. NULL if out of memory.
 */
json_t *overrides_differences(const struct model *base, const struct model *file,
			      const struct model *running);

/* A new model: a copy of `base` with the set applied; NULL with `fault` set. */
struct model *overrides_apply(const struct overrides *overrides, const struct model *base,
			      struct fault *fault);

/*
 * Brings the set's drains in line with `model`, and tells the model's backends when theirs began
 * and ends. `change` (NULL: none): what was asked for, because a drain may be asked for anew. 0, or
 * -1 if out of memory. `now_ms`: CLOCK_REALTIME.
 */
int overrides_drains(struct overrides *overrides, struct model *model, const struct change *change,
		     uint64_t now_ms, struct fault *fault);

/* After a reload: drops each override whose object the file describes otherwise than when the
 * override was made, or whose pool is gone, and calls `dropped` (may be NULL) with "service NAME"
 * or "backend POOL/NAME". */
void overrides_rebase(struct overrides *overrides, const struct model *base,
		      void (*dropped)(void *context, const char *object), void *context);

/* The number of objects with an override. */
size_t overrides_count(const struct overrides *overrides);

#endif
