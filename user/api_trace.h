/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_trace: replies that show packets as they pass (`GET /v1/trace`): one at a time, because each
 * says itself what the packet program compares. It ends with its reader, with its count, or with
 * lbd; if lbd is gone, the program ends it by itself.
 *
 * Nobody waits for a reader: what one does not take in time is counted, and told.
 */
#ifndef LIMPET_API_TRACE_H
#define LIMPET_API_TRACE_H

#include <systemd/sd-event.h>

#include "controller.h"
#include "httpd.h"
#include "trace_filter.h"

struct api_trace;

/* NULL with errno set. `httpd`: where the connections are, set by the caller before the first. */
struct api_trace *api_trace_create(sd_event *event, struct controller *controller,
				   struct httpd *const *httpd);
/* Ends what goes on: to be called before the connections are closed. NULL is fine. */
void api_trace_end(struct api_trace *trace);
/* To be called after that. NULL is fine. */
void api_trace_free(struct api_trace *trace);

/* Begins, for `who`, and answers with a stream: 0 and `*result`; or -1 with `fault`, for the caller
 * to answer: FAULT_CONFLICT if there is another one. */
int api_trace_start(struct api_trace *trace, struct MHD_Connection *connection,
		    const struct trace_question *question, const char *who, enum MHD_Result *result,
		    struct fault *fault);

#endif
