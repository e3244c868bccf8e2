/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_pins: what the real program makes of clients that are pinned to a backend (bpf/pin_table.h),
 * in the world of the packet cases. Called by run.c, after those. */
#ifndef PACKET_RUN_PINS_H
#define PACKET_RUN_PINS_H

#include "maps.h"

/* Runs all cases, numbered on from `*number` in TAP. Returns how many failed. */
unsigned int pins_run(const struct maps *maps, unsigned int *number);

#endif
