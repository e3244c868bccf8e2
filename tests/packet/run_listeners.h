/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_listeners: what becomes of packets while listeners come, go and change, step by step: the
 * program remembers what it found (bpf/service_memo.h). Called by run.c, after the packet cases. */
#ifndef PACKET_RUN_LISTENERS_H
#define PACKET_RUN_LISTENERS_H

#include "../../user/dataplane.h"

/* Runs all steps, numbered on from `*number` in TAP. Returns how many failed. */
unsigned int listeners_run(struct dataplane *dp, const char *pin_dir, unsigned int *number);

#endif
