/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_type: what a way of probing (probe_tcp.c and its like) implements for probe.c, which owns
 * the schedule and the timeout. Nobody else's to include.
 */
#ifndef LIMPET_PROBE_TYPE_H
#define LIMPET_PROBE_TYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "addr.h"

/* One probe after the other of one backend. */
struct probe_attempt {
	sd_event *event;
	struct addr address;
	uint16_t port; /* host order */
	void *state;   /* the type's own; NULL while no probe is under way */
};

struct probe_type {
	/* Begins a probe. Its outcome goes to probe_done: from the loop, or before this returns. */
	void (*start)(struct probe_attempt *attempt);
	/* Ends the probe under way, without an outcome, and sets `state` to NULL. Nothing to do if
	 * there is none. */
	void (*cancel)(struct probe_attempt *attempt);
};

extern const struct probe_type probe_type_tcp;

/* The probe has ended, and `state` is NULL again. `reason` says how, in words; a good one is told
 * with the time it took behind it ("connected in 0.4 ms"). May free the attempt: the caller touches
 * it no more. */
void probe_done(struct probe_attempt *attempt, bool good, const char *reason);

/* The same for a failed system call: the error's text. `error` is a positive errno. */
void probe_failed(struct probe_attempt *attempt, int error);

#endif
