/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pins: single client addresses that an operator sends to one backend for a while: made, ended,
 * told, and cleared away when no flow needs them any more. They live in the maps (bpf/pin_table.h),
 * so that a restart keeps them, and without lbd they end by themselves.
 */
#ifndef LIMPET_PINS_H
#define LIMPET_PINS_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "dataplane.h"
#include "events.h"
#include "model.h"

struct pins;

enum { PIN_LEAST_MS = 1000, PIN_MOST_MS = 24 * 60 * 60 * 1000 };

/* NULL with errno set. Borrows all four, which must outlive it; `*model` is the running model,
 * which may become another one. */
struct pins *pins_create(sd_event *event, struct dataplane *dp, struct events *events,
			 struct model *const *model);
void pins_free(struct pins *pins); /* NULL is fine */

/* Tells those that ended since, and waits for the next end. To be called once the running model has
 * its indices. */
void pins_judge(struct pins *pins);
/* After a complete sweep that began at that tick: clears those away that are over. */
void pins_swept(struct pins *pins, uint32_t began);

/* What is asked for, by names. `address` as the user wrote it. */
struct pin_request {
	const char *pool, *address, *backend;
	uint64_t for_ms; /* 0: it ends now */
	const char *who;
	bool dry_run;
};

/* Pins, gives another backend or time, or ends. `*report` becomes what was (or would be) done, as
 * controller_change has it. 0, or -1 with `fault`. */
int pins_set(struct pins *pins, const struct pin_request *request, json_t **report,
	     struct fault *fault);
/* Whether that address of the pool is pinned now. */
bool pins_has(struct pins *pins, const struct pool *pool, const struct addr *address);

/* Has `pins` of the running model's pools and backends say how many of those that are not over
 * there are to each now. For whoever is about to tell it: nobody else keeps it up to date. */
void pins_count(struct pins *pins);

/* The pins that are not over, of the pool (NULL: all), as the API shows them; NULL if out of
 * memory. With `address` (NULL: all) only that one's. */
json_t *pins_json(struct pins *pins, const struct pool *pool, const struct addr *address);

#endif
