/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_routes: one request of the API to one reply. Knows paths and methods; no socket, no HTTP.
 */
#ifndef LIMPET_API_ROUTES_H
#define LIMPET_API_ROUTES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller.h"
#include "trace_filter.h"

/* Traffic at one moment; rates are made from two. */
struct api_sample {
	bool valid;
	uint64_t uptime_ms;
	uint64_t packets;
	uint64_t bytes;
};

/* What is kept between requests. */
struct api_state {
	struct controller *controller;
	struct api_sample recent, before;
};

struct api_request {
	const char *method;
	const char *path;     /* without parameters, valid UTF-8 */
	const json_t *query;  /* parameters: an object of strings */
	const json_t *body;   /* NULL: none */
	const char *if_match; /* the header's value; NULL: none */
	const char *who;      /* "uid 0" */
};

struct api_reply {
	unsigned status;
	json_t *body; /* the caller releases it */
	/* In its place: an answer that was written as text, which the caller frees; NULL: none. */
	char *text;
	size_t text_size;
	const char *type; /* of its content; NULL: JSON */
	char etag[24];
	/* Not a body, but events as they happen; see api_stream_start. */
	bool stream, history, follow;
	/* Not a body, but packets as they pass; see api_trace_start. */
	bool traces;
	struct trace_question trace;
	const char *allow; /* with 405: the methods there are; NULL: none */
};

void api_state_init(struct api_state *state, struct controller *controller);

void api_answer(struct api_state *state, const struct api_request *request,
		struct api_reply *reply);

/* Makes the reply an error. `details`: NULL, or several lines on top of the message. */
void api_reply_fault(struct api_reply *reply, const struct fault *fault, const char *details);

#endif
