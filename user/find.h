/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * find: objects of the model by the names that users give, with the nearest name in the fault where
 * there is none; and by their index in the maps. Pure.
 */
#ifndef LIMPET_FIND_H
#define LIMPET_FIND_H

#include "fault.h"
#include "model.h"

/* Borrowed from the model; NULL with `fault` set to FAULT_NOT_FOUND. `attempt` stands in the
 * message between object and cause: "showing it". */
struct pool *find_pool(const struct model *model, const char *name, const char *attempt,
		       struct fault *fault);
struct service *find_service(const struct model *model, const char *name, const char *attempt,
			     struct fault *fault);
struct backend *find_backend(const struct pool *pool, const char *name, const char *attempt,
			     struct fault *fault);

/* By their index in the maps: NULL for 0, or where none has it. */
const struct pool *find_pool_at(const struct model *model, uint32_t index);
const struct service *find_service_at(const struct model *model, uint32_t index);
const struct backend *find_backend_at(const struct pool *pool, uint32_t index);

#endif
