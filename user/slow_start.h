/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slow_start: backends that begin to take new flows get their weight in steps. Pure: time is an
 * argument.
 */
#ifndef LIMPET_SLOW_START_H
#define LIMPET_SLOW_START_H

#include "model.h"

/*
 * Notes which backends of the pool take new flows now, and how much of their weight is held back.
 * One that begins to while another did already starts slowly, if the pool has a slow_start and
 * `begins` is true: when a controller starts, nobody begins. Returns when to come back (`now_ms` is
 * CLOCK_MONOTONIC), or 0.
 */
uint64_t slow_start_apply(struct pool *pool, uint64_t now_ms, bool begins);

#endif
