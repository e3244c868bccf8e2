/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memory: what the data plane keeps, by the kernel's account of its maps: with flows that pass and
 * leave nothing, for each that is remembered, for a pool; and what sweeps over them cost.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "measure.h"

enum { MEMORY_RESULTS = 9 };

/* The figures whose names `wanted` takes; says what is skipped, and why. `ifindex`: where packets
 * leave through. `pin_dir`: on a bpffs, not there yet. Returns how many.
 */
int memory_measure(const struct measure *measure, unsigned int ifindex, const char *pin_dir,
		   struct result *results, bool (*wanted)(const char *name));

#endif
