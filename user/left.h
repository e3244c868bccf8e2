/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * left: what a sweep has found, into the model: live flows and clients of pools and backends, and
 * whether a draining backend has flows that found no room to be counted.
 */
#ifndef LIMPET_LEFT_H
#define LIMPET_LEFT_H

#include "dataplane.h"
#include "model.h"

/* After a complete sweep that began at tick `began`; `now_ms`: CLOCK_REALTIME. */
void left_report(struct dataplane *dp, struct model *model, uint32_t began, uint64_t now_ms);

#endif
