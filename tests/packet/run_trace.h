/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_trace: what the real program shows of packets while they are traced (bpf/trace.h), in the
 * world of the packet cases. Called by run.c, after those. */
#ifndef PACKET_RUN_TRACE_H
#define PACKET_RUN_TRACE_H

#include "maps.h"

/* Runs all cases, numbered on from `*number` in TAP. Returns how many failed. */
unsigned int traces_run(struct dataplane *dp, const char *pin_dir, unsigned int *number);

#endif
