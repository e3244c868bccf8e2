/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace_filter: which packets somebody wants to see, from the words of a request to what the packet
 * program compares. Reads the model; no socket, no map.
 */
#ifndef LIMPET_TRACE_FILTER_H
#define LIMPET_TRACE_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"
#include "fault.h"
#include "model.h"

enum { TRACE_RATE = 100 /* where none is given */ };

struct trace_question {
	struct lb_trace_filter filter;
	uint32_t rate;  /* packets of each CPU in a second */
	uint64_t count; /* it ends after so many; 0: it does not */
	bool frames;    /* with their bytes */
};

/*
 * `parameters`: strings by name: address (or prefix), port, proto, service, backend (POOL/NAME),
 * verdict (one, several with commas, or an action, for all of its), rate, count, frames. 0, or -1
 * with `fault`, which names the nearest where a name is unknown.
 */
int trace_filter_parse(const json_t *parameters, const struct model *model,
		       struct trace_question *out, struct fault *fault);

#endif
