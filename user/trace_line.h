/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace_line: what the packet program showed of a packet, as JSON, with names in place of indices.
 * Pure.
 */
#ifndef LIMPET_TRACE_LINE_H
#define LIMPET_TRACE_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"
#include "model.h"

/* `unix_ns`: what CLOCK_REALTIME said when CLOCK_MONOTONIC said 0. `frames`: with the bytes that
 * were kept, in hexadecimal. The caller releases it; NULL if out of memory. */
json_t *trace_line_packet(const struct model *model, const struct lb_trace_event *event,
			  uint64_t unix_ns, bool frames);

/* What was not shown since the last such line. */
struct trace_missed {
	uint64_t rate;   /* packets beyond the rate */
	uint64_t ring;   /* events that lbd did not fetch in time */
	uint64_t reader; /* events that the reader did not take in time */
};
json_t *trace_line_missed(const struct trace_missed *missed, uint64_t now_ns);

/* The first line: it has begun. */
json_t *trace_line_begin(uint32_t rate, uint64_t now_ns);

#endif
