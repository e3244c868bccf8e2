/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics: what lbd tells Prometheus, as text. Figures are arguments: nothing here reads a map, a
 * clock or a socket. Where they come from and how they are served is metrics_server's.
 *
 * The names are a promise to dashboards and alerts: add, never change.
 */
#ifndef LIMPET_METRICS_H
#define LIMPET_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

/* How much a scrape asks for. */
enum metrics_scope {
	METRICS_ALL,
	METRICS_SERVICES, /* no series for each backend */
	METRICS_SCOPE_COUNT
};

struct metrics_count {
	const char *name;
	uint64_t count;
};

struct metrics_interface {
	char name[16];
	const char *mode;
	bool attached; /* false: it was, and the program is not there any more */
};

/* Everything borrowed. */
struct metrics_input {
	const struct model *model;
	const struct lb_counter *services; /* [model's services] */
	const struct lb_counter *backends; /* of all pools, in the model's order */
	const struct metrics_count *drops; /* packets by verdict */
	size_t drop_count;
	const struct metrics_count *notes; /* by what could not be remembered, enum lb_note */
	size_t note_count;
	const struct metrics_interface *interfaces;
	size_t interface_count;
	/* Of the data plane's tables; all of a kind together. */
	uint64_t flow_entries, flow_limit;
	uint64_t client_entries, client_limit;
	uint64_t nat_entries, nat_limit;
	/* Of lbd's work: the last time of each. */
	uint64_t table_build_ns;
	uint64_t publish_ns;
	bool reload_good;
	uint64_t reload_ms; /* CLOCK_REALTIME */
};

/* The exposition, `*size` bytes without a NUL, for the caller to free; NULL if out of memory. */
char *metrics_render(const struct metrics_input *input, enum metrics_scope scope, size_t *size);

#endif
