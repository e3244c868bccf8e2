/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scale: packets per second of two cores against one. A generator on each CPU, whose packets a
 * queue of its own takes through the same program.
 */
#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H

#include "measure.h"

/* False, with `*why` set, where there are no two CPUs. */
bool scale_measure(const struct measure *measure, struct result *result, const char **why);

#endif
