/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_sweep: puts each sweep case (case.h) through the real program that sweeps, on the tables that
 * the packet program uses. Called by run.c, after the packet cases. */
#ifndef PACKET_RUN_SWEEP_H
#define PACKET_RUN_SWEEP_H

#include "maps.h"

/* Runs them all, numbered on from `*number` in TAP. Returns how many failed. */
unsigned int sweeps_run(const struct maps *maps, unsigned int *number);

#endif
