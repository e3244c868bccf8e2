/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: lbd.yaml to a model. The whole file is checked and every error reported, with its place.
 *
 * Knows YAML (through libyaml's parser) and the keys lbd.yaml(5) describes; knows nothing of the
 * running system. Reading a `hash_seed_file` is its only other access to a file.
 */
#ifndef LIMPET_CONFIG_H
#define LIMPET_CONFIG_H

#include <jansson.h>
#include <stddef.h>

#include "model.h"

struct config_error {
	unsigned line; /* from 1 */
	unsigned column;
	char *what; /* message, and in parentheses what would be right */
};

struct config_errors {
	struct config_error *items; /* in the order of the file */
	size_t count;
};

/*
 * Parses `text` (`size` bytes; `name` for messages only). Returns a model the caller frees, or NULL
 * with `errors` filled (at least one). `errors` must be zeroed before and released after.
 * `base_dir`: a relative hash_seed_file is sought there; NULL: the working directory.
 */
struct model *config_parse(const char *text, size_t size, const char *base_dir,
			   struct config_errors *errors);

/* The same of JSON that was parsed, quicker. NULL where it is wrong, or not as plain as what is
 * exported: config_parse, with its text, takes it or tells why not. */
struct model *config_parse_json(const json_t *document, const char *base_dir);

/* Reads the file and parses it. A file that cannot be read is one error with line 0. `*text`
 * (unless `text` is NULL) receives what was read, for the caret lines; the caller frees it. */
struct model *config_load(const char *path, char **text, struct config_errors *errors);
/* The same of a file that was read before: if it still says `known_text` (NULL: nothing), what
 * comes is a copy of `known`, which was made of that; only a hash_seed_file is read anew. */
struct model *config_load_again(const char *path, const char *known_text, const struct model *known,
				char **text, struct config_errors *errors);

/*
 * Bodies of the API carry the keys of the file, and JSON is YAML: these apply one object's keys
 * through the same schema. Keys that are absent keep what the object has. Return 0, or -EINVAL with
 * `errors` filled and the object in an undefined state (work on a copy of the model).
 */
int config_apply_backend(const char *text, size_t size, struct backend *backend,
			 struct config_errors *errors);
/* Makes service `name`, with the pool of the same name where the body has no `pool` key. Checks
 * what the file would be checked for: listeners in conflict, unknown pool, a pool's keys beside
 * `pool`. Not `alone`: others are to follow, and what concerns several objects is not checked; see
 * config_holds. */
int config_apply_service(const char *text, size_t size, struct model *model, const char *name,
			 bool alone, struct config_errors *errors);
/* Whether the model is one that a file may make: after many were applied that were not checked, or
 * if that is all that is asked. */
bool config_holds(struct model *model);

/*
 * All keys of a pool but its backends, which stay, or of `global` but the hash seed: what `text`
 * does not say becomes the default. The pool is made where there is none. Not checked is what
 * concerns several objects. `from_file`: it may hold what only the file may say (a check of type
 * exec).
 */
int config_apply_pool(const char *text, size_t size, struct model *model, const char *name,
		      bool from_file, struct config_errors *errors);
int config_apply_global(const char *text, size_t size, struct model *model,
			struct config_errors *errors);

/* Prints each error as `NAME:LINE:COLUMN: error: what`, the source line and a caret. Returns a heap
 * string (NULL if out of memory), the caller frees it. Colour escapes if `colour`. */
char *config_errors_format(const struct config_errors *errors, const char *name, const char *text,
			   bool colour);
void config_errors_free(struct config_errors *errors);

#endif
