/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep: when the tables of flows and clients are walked (bpf/sweep.h says what is done there).
 *
 * A walk over a million entries takes some 0.1 s, for which the event loop cannot wait: it runs in
 * a thread that does nothing else and touches nothing but the maps. The loop is told when it is
 * over. One sweep runs at a time.
 */
#ifndef LIMPET_SWEEP_H
#define LIMPET_SWEEP_H

#include <systemd/sd-event.h>

#include "dataplane.h"

struct sweeper;

struct sweep_result {
	uint32_t began;  /* tick */
	uint32_t read;   /* entries */
	uint32_t doomed; /* to be deleted by the next sweep */
	uint32_t deleted;
	uint64_t cpu_ns; /* of the thread */
	int error;       /* 0 or a negative errno: then the sweep is not complete */
};

/* Called from the loop after each sweep; the tallies of `dp` are then complete until the next one
 * begins. */
typedef void (*sweep_done)(void *context, const struct sweep_result *result);

/* Sweeps every `interval_ms`, or more rarely where that would take over 1% of a core. NULL with
 * `fault` set on failure. `dp` must outlive the result. */
struct sweeper *sweeper_create(sd_event *event, struct dataplane *dp, uint32_t interval_ms,
			       sweep_done done, void *context, struct fault *fault);
/* Begins one now, or, if one is running, once that is over. */
void sweeper_hurry(struct sweeper *sweeper);
/* Waits for the sweep that is running. NULL is fine. */
void sweeper_free(struct sweeper *sweeper);

#endif
