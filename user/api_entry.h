/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_entry: entries of flows and records of clients as the API shows them: with names, ages, and
 * whether they still speak for their flow.
 */
#ifndef LIMPET_API_ENTRY_H
#define LIMPET_API_ENTRY_H

#include <jansson.h>

#include "dataplane.h"
#include "model.h"

/* What indices in entries stand for, at one moment. */
struct api_entry_names {
	struct dataplane *dp;
	const struct pool **pools;       /* [pool_limit + 1] */
	const struct backend **backends; /* [backend_limit + 1] */
	uint32_t pool_limit, backend_limit;
	uint32_t now; /* in ticks */
	/* Of backends, by index; NULL: those in the maps. Borrowed. */
	const uint64_t *statuses;
};

/* 0 or -ENOMEM; to be released with api_entry_names_destroy in any case. Borrows from the model. */
int api_entry_names_make(struct api_entry_names *names, struct dataplane *dp,
			 const struct model *model);
void api_entry_names_destroy(struct api_entry_names *names);

/* How long ago an entry was seen that says `seen`. */
uint64_t api_entry_age_ms(uint32_t seen, uint32_t now);

/* New references; NULL if out of memory. */
json_t *api_entry_flow(const struct api_entry_names *names, const struct dataplane_flow *flow);
json_t *api_entry_client(const struct api_entry_names *names, const struct pool *pool,
			 const struct dataplane_client *client);

#endif
