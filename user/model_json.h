/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_json: configuration out of the model, in JSON, with the keys of lbd.yaml. The reverse of
 * config. Pure: what is state (health, counters, next hops) is api_json's.
 */
#ifndef LIMPET_MODEL_JSON_H
#define LIMPET_MODEL_JSON_H

#include <jansson.h>

#include "model.h"

/* Each returns a new reference, or NULL if out of memory. Every key is written, defaults too, but
 * for those whose absence says something ("port"), and secrets. */
json_t *model_json(const struct model *model);
/* What stands under `global`. */
json_t *model_json_global(const struct model *model);
json_t *model_json_pool(const struct pool *pool);
json_t *model_json_backend(const struct backend *backend);
/* The listeners and the pool's name; never the pool's own keys. */
json_t *model_json_service(const struct service *service);
/* {"key": ...} with prefix lengths and timeout where the key is the source address. */
json_t *model_json_affinity(const struct pool *pool);
const char *model_json_track(enum track_mode track);

#endif
