/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api: HTTP/1.1 and JSON on a Unix socket, for lbctl and anyone with curl.
 *
 * libmicrohttpd speaks HTTP (httpd.c puts it into the loop). A request is collected here, given to
 * api_answer (api_routes.c) and its reply sent. Knows HTTP and JSON as text; no path, no field.
 */
#include "api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_routes.h"
#include "api_socket.h"
#include "api_stream.h"
#include "api_trace.h"
#include "clock.h"
#include "httpd.h"
#include "log.h"

enum {
	BODY_SIZE_MAX = 4 << 20, /* a configuration of full size has one */
	CONNECTIONS_MAX = 64,
	/* Of the socket that anybody may use: what all of them can take from the others. */
	READERS_MAX = 32,
	READS_AT_ONCE = 20,
	READ_INTERVAL_MS = 50,
	READ_COST_MS = 5, /* each of them: so that they get a tenth of the thread */
	PREPARE_US = 3 * 1000 * 1000,
	IDLE_TIMEOUT_S = 15, /* of a connection that says nothing */
	STATUS_TOO_LARGE = 413,
	STATUS_TOO_MANY = 429,
};

struct api {
	struct api_state state;
	struct httpd *httpd;
	struct api_streams *streams;
	struct api_trace *trace; /* NULL: read_only */
	bool read_only;
	struct log_limit reads;          /* a bucket of tokens, as for lines of the log */
	char *path;                      /* NULL: nothing to remove */
	sd_event_source *prepare_source; /* NULL: read_only */
};

/* One request while its body arrives. */
struct exchange {
	char *body;
	size_t size;
};

/* ---- replies ---- */

static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string != NULL;
}

static void add_headers(struct MHD_Response *response, const struct api_reply *reply)
{
	MHD_add_response_header(response, "Content-Type",
				reply->type ? reply->type : "application/json");
	if (reply->etag[0])
		MHD_add_response_header(response, "ETag", reply->etag);
	if (reply->allow)
		MHD_add_response_header(response, "Allow", reply->allow);
}

/* The reply's body as text, which the caller frees; NULL if out of memory. */
static char *take_text(struct api_reply *reply, size_t *size)
{
	char *text = reply->body ? json_dumps(reply->body, JSON_INDENT(2)) : NULL;

	json_decref(reply->body);
	if (!text)
		return NULL;
	*size = strlen(text);
	/* A line for whoever reads with curl: the NUL's place is not needed. */
	text[(*size)++] = '\n';
	return text;
}

/* Takes the reply's body, or text. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct api_reply *reply)
{
	size_t size = reply->text_size;
	char *text = reply->text ? reply->text : take_text(reply, &size);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	add_headers(response, reply);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_fault(struct MHD_Connection *connection, const struct fault *fault,
				  unsigned status)
{
	struct api_reply reply = {.status = status};

	api_reply_fault(&reply, fault, NULL);
	return send_reply(connection, &reply);
}

static enum MHD_Result send_too_large(struct MHD_Connection *connection)
{
	struct fault fault;

	fault_set(&fault, FAULT_USAGE, "request: reading it: its body is larger than %d bytes",
		  BODY_SIZE_MAX);
	return send_fault(connection, &fault, STATUS_TOO_LARGE);
}

static enum MHD_Result send_stream(struct api *api, struct MHD_Connection *connection,
				   const struct api_reply *reply)
{
	struct fault fault;

	if (api_streams_room(api->streams))
		return api_stream_start(api->streams, connection, reply->history, reply->follow);
	fault_set(&fault, FAULT_CONFLICT, "/v1/events: following it: too many do already");
	fault_hint(&fault, "end one of them, or ask with follow=0");
	return send_fault(connection, &fault, MHD_HTTP_SERVICE_UNAVAILABLE);
}

/* What is in packets is for those who may change things. */
static enum MHD_Result send_trace(struct api *api, struct MHD_Connection *connection,
				  const struct trace_question *question, const char *who)
{
	enum MHD_Result result;
	struct fault fault;

	if (!api->trace) {
		fault_set(&fault, FAULT_PERMISSION,
			  "trace: beginning it: this socket is for reading alone, and packets are "
			  "their owners'");
		fault_hint(&fault,
			   "lbd's other socket shows them, which root and group lbd may use");
		return send_fault(connection, &fault, MHD_HTTP_FORBIDDEN);
	}
	if (api_trace_start(api->trace, connection, question, who, &result, &fault) == 0)
		return result;
	return send_fault(connection, &fault, 0);
}

/* ---- requests ---- */

static enum MHD_Result add_parameter(void *query, enum MHD_ValueKind kind, const char *key,
				     const char *value)
{
	(void)kind;
	/* Bytes that are no UTF-8 have no JSON string: an empty value, which no parameter takes. */
	if (json_object_set_new(query, key, json_string(value ? value : "")) != 0)
		json_object_set_new(query, key, json_string(""));
	return MHD_YES;
}

/* 0, or -1 with a fault. An absent body is NULL. */
static int parse_body(const struct exchange *exchange, json_t **body, struct fault *fault)
{
	json_error_t error;

	*body = NULL;
	if (!exchange->size)
		return 0;
	*body = json_loadb(exchange->body, exchange->size, JSON_REJECT_DUPLICATES, &error);
	if (*body)
		return 0;
	return fault_set(fault, FAULT_USAGE, "request: reading its body: line %d, column %d: %s",
			 error.line, error.column, error.text);
}

static void name_peer(struct MHD_Connection *connection, char out[32])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	uid_t uid = info ? api_socket_peer(info->connect_fd) : (uid_t)-1;

	if (uid == (uid_t)-1)
		snprintf(out, 32, "an unknown user");
	else
		snprintf(out, 32, "uid %u", (unsigned)uid);
}

static enum MHD_Result answer(struct api *api, struct MHD_Connection *connection, const char *path,
			      const char *method, const struct exchange *exchange)
{
	json_t *query = json_object(), *body;
	struct api_request request = {.method = method, .path = path, .query = query};
	struct api_reply reply;
	struct fault fault;
	char who[32];

	if (parse_body(exchange, &body, &fault) != 0) {
		json_decref(query);
		return send_fault(connection, &fault, MHD_HTTP_BAD_REQUEST);
	}
	name_peer(connection, who);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_parameter, query);
	request.body = body;
	request.who = who;
	request.if_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Match");
	api_answer(&api->state, &request, &reply);
	json_decref(body);
	json_decref(query);
	if (reply.stream)
		return send_stream(api, connection, &reply);
	if (reply.traces)
		return send_trace(api, connection, &reply.trace, who);
	return send_reply(connection, &reply);
}

static enum MHD_Result send_too_many(struct MHD_Connection *connection)
{
	struct fault fault;

	fault_set(&fault, FAULT_FAILED, "request: answering it: there are too many");
	fault_hint(&fault, "this socket answers %d in a second, or less that takes longer",
		   1000 / READ_INTERVAL_MS);
	return send_fault(connection, &fault, STATUS_TOO_MANY);
}

/* A request that this socket does not take. */
static enum MHD_Result send_read_only(struct MHD_Connection *connection, const char *method)
{
	struct fault fault;

	fault_set(&fault, FAULT_PERMISSION, "request: %.16s: this socket is for reading alone",
		  method);
	fault_hint(&fault, "changes go to lbd's other socket, which root and group lbd may use");
	return send_fault(connection, &fault, MHD_HTTP_FORBIDDEN);
}

static bool brings_body(struct MHD_Connection *connection)
{
	const char *length =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") ||
	       (length && strcmp(length, "0") != 0);
}

/* The first call of a request: its head is there. */
static enum MHD_Result begin(const struct api *api, struct MHD_Connection *connection,
			     const char *method, void **context)
{
	const char *length =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
	struct exchange *exchange;

	/* Answered before the body is read, the connection is closed behind the answer. */
	if (api->read_only && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_read_only(connection, is_utf8(method) ? method : "?");
	if (api->read_only && brings_body(connection))
		return MHD_NO;
	if (length && strtoull(length, NULL, 10) > BODY_SIZE_MAX)
		return send_too_large(connection);
	exchange = calloc(1, sizeof(*exchange));
	*context = exchange;
	return exchange ? MHD_YES : MHD_NO;
}

static enum MHD_Result collect(struct exchange *exchange, const char *data, size_t *size)
{
	char *body;

	/* Only a body in chunks, of unknown length, gets here; there is no end to wait for. */
	if (exchange->size + *size > BODY_SIZE_MAX)
		return MHD_NO;
	body = realloc(exchange->body, exchange->size + *size);
	if (!body)
		return MHD_NO;
	memcpy(body + exchange->size, data, *size);
	exchange->body = body;
	exchange->size += *size;
	*size = 0;
	return MHD_YES;
}

/* The processor's time so far. */
static uint64_t worked_ms(void)
{
	return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

/* What an answer that takes long leaves to others: it counts as several. */
static void charge(struct api *api, uint64_t began_ms)
{
	if (api->read_only)
		api->reads.tokens_used += (uint32_t)((worked_ms() - began_ms) / READ_COST_MS);
}

static bool may_read(struct api *api)
{
	uint32_t suppressed;

	return !api->read_only || log_allowed(&api->reads, clock_ms(CLOCK_MONOTONIC), &suppressed);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *data, size_t *size, void **request)
{
	enum MHD_Result result;
	struct fault fault;
	uint64_t began_ms;

	(void)version;
	if (!*request)
		return begin(context, connection, method, request);
	if (*size)
		return collect(*request, data, size);
	if (!may_read(context))
		return send_too_many(connection);
	if (is_utf8(path)) {
		began_ms = worked_ms();
		result = answer(context, connection, path, method, *request);
		charge(context, began_ms);
		return result;
	}
	fault_set(&fault, FAULT_USAGE, "request: reading its path: it is no UTF-8");
	return send_fault(connection, &fault, MHD_HTTP_BAD_REQUEST);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode how)
{
	struct exchange *exchange = *request;

	(void)context;
	(void)connection;
	(void)how;
	if (exchange)
		free(exchange->body);
	free(exchange);
	*request = NULL;
}

/* ---- start and stop ---- */

/* Once lbd has done what it was started for. */
static int on_prepare(sd_event_source *source, uint64_t usec, void *context)
{
	const struct api *api = context;

	(void)source;
	(void)usec;
	dataplane_explain_prepare(controller_dataplane(api->state.controller));
	return 0;
}

static struct httpd *start(struct api *api, sd_event *event, int listener)
{
	const struct httpd_options options = {
		.listener = listener,
		.name = "api",
		.connections_max = api->read_only ? READERS_MAX : CONNECTIONS_MAX,
		.idle_timeout_s = IDLE_TIMEOUT_S,
		.oldest_yields = true,
		.suspends = true,
		.on_request = on_request,
		.on_completed = on_completed,
		.context = api,
	};

	return httpd_create(event, &options);
}

struct api *api_create(sd_event *event, struct controller *controller, const char *socket_path,
		       bool read_only, struct fault *fault)
{
	struct api *api = calloc(1, sizeof(*api));
	int listener, rc;

	if (!api) {
		fault_set(fault, FAULT_FAILED, "API: starting it: out of memory");
		return NULL;
	}
	api_state_init(&api->state, controller);
	api->read_only = read_only;
	api->reads = (struct log_limit){.burst = READS_AT_ONCE, .interval_ms = READ_INTERVAL_MS};
	api->streams = api_streams_create(controller_events(controller), &api->httpd);
	if (!api->streams) {
		fault_set(fault, FAULT_FAILED, "API: starting it: out of memory");
		goto out;
	}
	api->trace = read_only ? NULL : api_trace_create(event, controller, &api->httpd);
	if (!read_only && !api->trace) {
		fault_set(fault, FAULT_FAILED, "API: starting it: %s", strerror(errno));
		goto out;
	}
	/* For both: the one that is for reading alone asks the same copies. */
	rc = read_only ? 0
		       : sd_event_add_time_relative(event, &api->prepare_source, CLOCK_MONOTONIC,
						    PREPARE_US, 0, on_prepare, api);
	if (rc < 0) {
		fault_set(fault, FAULT_FAILED, "API: starting it: %s", strerror(-rc));
		goto out;
	}
	listener = api_socket_open(socket_path, read_only, fault);
	if (listener < 0)
		goto out;
	api->path = strdup(socket_path);
	api->httpd = start(api, event, listener);
	if (api->httpd)
		return api;
	fault_set(fault, FAULT_FAILED, "API: starting it on %s: %s", socket_path, strerror(errno));
	close(listener);
out:
	api_free(api);
	return NULL;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	if (api->path)
		unlink(api->path);
	sd_event_source_disable_unref(api->prepare_source);
	api_streams_end(api->streams);
	api_trace_end(api->trace);
	httpd_free(api->httpd);
	api_trace_free(api->trace);
	api_streams_free(api->streams);
	free(api->path);
	free(api);
}
