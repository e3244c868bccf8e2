/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep: deletes entries of the flow table that are dead (struct lb_flow), and counts those that
 * live.
 */
#ifndef LIMPET_SWEEP_H
#define LIMPET_SWEEP_H

#include "dataplane.h"

/* One pass over all entries. tracked[0..pools] (pools = settings.limits.services) receives the live
 * entries of each pool index. Returns their sum, or a negative errno. */
int64_t sweep_run(struct dataplane *dp, uint64_t *tracked);

#endif
