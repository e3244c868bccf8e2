/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_json: configuration out of the model, in JSON, with the keys of lbd.yaml. The reverse of
 * config. Pure: what is state (health, counters, next hops) is api_json's.
 */
#ifndef LIMPET_MODEL_JSON_H
#define LIMPET_MODEL_JSON_H

#include <jansson.h>

#include "json_text.h"
#include "model.h"

/* Each writes the keys of an object, which the caller begins and ends. Every key is written,
 * defaults too, but for those whose absence says something ("port"), and the hash seed:
 * that only where it is asked for. */
void model_json_put(struct json_text *text, const struct model *model, bool seed);
/* What stands under `global`. */
void model_json_put_global(struct json_text *text, const struct model *model);
/* Without its name and its backends. */
void model_json_put_pool_keys(struct json_text *text, const struct pool *pool);
void model_json_put_pool(struct json_text *text, const struct pool *pool);
void model_json_put_backend(struct json_text *text, const struct backend *backend);
/* The listeners and the pool's name; never the pool's own keys. */
void model_json_put_service(struct json_text *text, const struct service *service);

/* {"key": ...} with prefix lengths and timeout where the key is the source address. A new
 * reference, or NULL if out of memory. */
json_t *model_json_affinity(const struct pool *pool);
const char *model_json_track(enum track_mode track);

#endif
