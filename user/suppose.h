/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * suppose: what would be if something happened to one backend: the model, and its pool's table.
 * Nothing is changed, and what would follow is worked out as it is when it happens (impact).
 */
#ifndef LIMPET_SUPPOSE_H
#define LIMPET_SUPPOSE_H

#include "dataplane.h"
#include "fault.h"
#include "impact.h"
#include "model.h"

enum suppose_what {
	SUPPOSE_KILL, /* its checks fail; without checks: nothing leads to it */
	SUPPOSE_ADD,
	SUPPOSE_DEL,
	SUPPOSE_DRAIN,
	SUPPOSE_MAINT,
	SUPPOSE_READY,
	SUPPOSE_WEIGHT,
	SUPPOSE_COUNT
};

struct supposition {
	enum suppose_what what;
	const char *pool, *backend;
	uint32_t weight;            /* SUPPOSE_ADD, SUPPOSE_WEIGHT */
	enum drain_mode drain_mode; /* SUPPOSE_DRAIN; DRAIN_AS_POOL: what it has */
};

struct supposed {
	struct model *model;     /* as it would be */
	const struct pool *from; /* borrowed from what runs */
	const struct pool *to;   /* of `model` */
	struct impact impact;
	/* Of suppose_maps. */
	uint32_t *words;
	uint64_t *statuses;
};

/* "kill", "add", ...; the reverse returns -1 for an unknown word. */
const char *suppose_name(enum suppose_what what);
int suppose_parse(const char *word);

/* 0, or -1 with `fault` set; to be released with suppose_destroy in any case. FAULT_NOT_FOUND,
 * FAULT_CONFLICT (to be added, and there already), FAULT_USAGE (a name that none can have). */
int suppose(struct supposed *supposed, struct dataplane *dp, const struct model *running,
	    const struct supposition *supposition, struct fault *fault);
void suppose_destroy(struct supposed *supposed);

/* What the maps would hold of it, for dataplane_explain_supposed; `out` borrows from `supposed`.
 * Not of a supposition that adds a backend: it has no place in the maps. 0, or -1 with `fault` set.
 */
int suppose_maps(struct supposed *supposed, struct dataplane *dp, struct dataplane_supposed *out,
		 struct fault *fault);

/* The pool's table in the maps. */
struct impact_table suppose_table(struct dataplane *dp, const struct pool *pool);

#endif
