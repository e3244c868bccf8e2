/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_call: what the handlers of the API (api_read.c, api_change.c, api_tables.c) work on, and what
 * the table of routes (api_routes.c) calls. For these files alone.
 */
#ifndef LIMPET_API_CALL_H
#define LIMPET_API_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "api_routes.h"
#include "json_text.h"

enum { API_TAG_SIZE = sizeof(((struct api_reply *)0)->etag) };

/* What a path is the configuration of: that has a tag. */
enum call_of {
	CALL_OF_NOTHING,
	CALL_OF_CONFIG,
	CALL_OF_SERVICE,
	CALL_OF_POOL,
	CALL_OF_BACKEND,
	CALL_OF_NODE
};

struct call {
	struct api_state *state;
	const struct api_request *request;
	const char *args[2]; /* what stands for the {} of the path */
	enum call_of of;
	struct api_reply *reply;
	struct fault fault;
	char *details;
};

/* Handlers return 0 with the reply filled in, or -1 with the fault. */
int api_get_status(struct call *call);
int api_get_services(struct call *call);
int api_get_service(struct call *call);
int api_get_pools(struct call *call);
int api_get_pool(struct call *call);
int api_get_backends(struct call *call);
int api_get_backend(struct call *call);
int api_get_drops(struct call *call);
int api_get_lookup(struct call *call);
int api_get_what_if(struct call *call);
int api_get_config(struct call *call);
int api_put_config(struct call *call);
int api_get_events(struct call *call);
int api_get_trace(struct call *call);
int api_get_config_diff(struct call *call);
int api_get_flows(struct call *call);
int api_get_clients(struct call *call);
int api_forget_client(struct call *call);
int api_pin_client(struct call *call);
int api_unpin_client(struct call *call);
int api_change_service(struct call *call);
int api_change_backend(struct call *call);
int api_get_node(struct call *call);
int api_change_node(struct call *call);
int api_post_reload(struct call *call);
int api_post_check(struct call *call);
int api_get_check(struct call *call);
int api_post_doctor(struct call *call);
int api_get_doctor(struct call *call);

const struct model *call_model(const struct call *call);

/* The value of a parameter, or NULL. */
const char *call_parameter(const struct call *call, const char *name);
/* 0, or -1 with a fault: neither "1" nor "0". Absent: false. */
int call_flag(struct call *call, const char *name, bool *out);

/* Takes the reference; NULL is "out of memory". Returns what a handler returns. */
int call_answer(struct call *call, json_t *body);
/* Takes what was written, failed or not, and answers with it as it is. `type`: of content; NULL:
 * JSON. */
int call_answer_text(struct call *call, struct json_text *text, const char *type);
/* The same for an object of which there is so much that it is written straight as text: its keys
 * come between the two. */
void call_text_begin(struct json_text *text);
int call_text_end(struct call *call, struct json_text *text);

#endif
