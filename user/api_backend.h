/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_backend: a backend as the API shows it: configuration, state and counts in one object. There
 * may be thousands in an answer, so they are written as text (json_text.h). Figures are arguments:
 * nothing here reads a map.
 */
#ifndef LIMPET_API_BACKEND_H
#define LIMPET_API_BACKEND_H

#include <net/if.h>
#include <stdbool.h>

#include "fault.h"
#include "json_text.h"
#include "model.h"

enum { API_BACKEND_FIELDS = 29 };

/* What the backends of one answer have in common. */
struct api_backends {
	const struct model *model;
	bool wanted[API_BACKEND_FIELDS];
	/* Of the pool that is being written. */
	const struct pool *pool;
	bool new_flows_counted;
	uint64_t weight; /* of all its backends together */
	/* The interface that was named last: most have the same. */
	uint32_t ifindex;
	char interface[IF_NAMESIZE];
};

/* `fields`: names of those that are wanted, with commas between ("next_hop.mac" is a part of one);
 * NULL: all. 0, or -1 with the
 * fault: one of them is none. */
int api_backends_init(struct api_backends *backends, const struct model *model, const char *fields,
		      struct fault *fault);
/* Goes on to the next pool. */
void api_backends_enter(struct api_backends *backends, const struct pool *pool);
/* Names the fields that are wanted, as columns. */
void api_backends_head(const struct api_backends *backends, struct json_text *text);
/* One of its backends. */
void api_backends_put(struct api_backends *backends, struct json_text *text,
		      const struct backend *backend, const struct lb_counter *counter);

#endif
