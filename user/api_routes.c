/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_routes: one request of the API to one reply.
 *
 * The table is the API: a path, its parameters, and what answers each method (api_read.c and
 * api_change.c). HTTP is api.c's.
 */
#include "api_routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_call.h"
#include "api_json.h"
#include "model_json.h"
#include "siphash.h"
#include "vip.h"

enum { SEGMENTS_MAX = 8, PARAMETERS_MAX = 10 };

/* ---- for the handlers ---- */

const struct model *call_model(const struct call *call)
{
	return controller_model(call->state->controller);
}

const char *call_parameter(const struct call *call, const char *name)
{
	return json_string_value(json_object_get(call->request->query, name));
}

int call_flag(struct call *call, const char *name, bool *out)
{
	const char *value = call_parameter(call, name);

	*out = value && !strcmp(value, "1");
	if (!value || *out || !strcmp(value, "0"))
		return 0;
	return fault_set(&call->fault, FAULT_USAGE, "%s: parameter %s: \"%s\" is neither 0 nor 1",
			 call->request->path, name, value);
}

int call_answer(struct call *call, json_t *body)
{
	if (!body)
		return fault_set(&call->fault, FAULT_FAILED, "%s: answering: out of memory",
				 call->request->path);
	call->reply->status = 200;
	call->reply->body = body;
	return 0;
}

int call_answer_text(struct call *call, struct json_text *text, const char *type)
{
	if (text->failed) {
		free(text->bytes);
		return call_answer(call, NULL);
	}
	call->reply->status = 200;
	call->reply->text = text->bytes;
	call->reply->text_size = text->size;
	call->reply->type = type;
	return 0;
}

void call_text_begin(struct json_text *text)
{
	json_text_begin(text, NULL, '{');
	json_text_integer(text, "schema", API_SCHEMA);
}

int call_text_end(struct call *call, struct json_text *text)
{
	json_text_end(text, '}');
	json_text_newline(text);
	return call_answer_text(call, text, NULL);
}

/* Writes the configuration of what the path names, or of what is around that. False: no such thing.
 */
static bool put_object(struct json_text *text, const struct call *call, enum call_of of)
{
	const struct model *model = call_model(call);
	const char *name = call->args[0];
	const struct pool *pool = name ? model_pool_find(model, name) : NULL;
	const struct service *service = name ? model_service_find(model, name) : NULL;
	const struct backend *backend;

	switch (of) {
	case CALL_OF_POOL:
		if (pool)
			model_json_put_pool(text, pool);
		return pool;
	case CALL_OF_BACKEND:
		backend = pool ? pool_backend_find(pool, call->args[1]) : NULL;
		if (backend)
			model_json_put_backend(text, backend);
		return backend;
	case CALL_OF_SERVICE:
		if (service)
			model_json_put_service(text, service);
		return service;
	case CALL_OF_NODE:
		json_text_integer(text, "node",
				  vips_node(controller_vips(call->state->controller)));
		return true;
	case CALL_OF_CONFIG:
		model_json_put(text, model, false);
		return true;
	default:
		return false;
	}
}

/* Whoever changes what they have read sends its tag back in If-Match, and is refused (412) if
 * somebody else was first. Empty if there is no such thing. */
static void make_tag(const struct call *call, enum call_of of, char out[API_TAG_SIZE])
{
	static const uint8_t key[LB_SEED_SIZE];
	struct json_text text = {0};
	bool found;

	json_text_begin(&text, NULL, '{');
	found = put_object(&text, call, of);
	json_text_end(&text, '}');
	out[0] = '\0';
	if (found && !text.failed)
		snprintf(out, API_TAG_SIZE, "\"%016" PRIx64 "\"",
			 siphash(key, text.bytes, text.size));
	free(text.bytes);
}

/* True if `tag`, quotes included, is in the list of If-Match. A weak one (W/"...") is no match. */
static bool tag_listed(const char *list, const char *tag)
{
	size_t size = strlen(tag);

	while (size && *list) {
		list += strspn(list, " \t,");
		if (!strncmp(list, tag, size) && strchr(" \t,", list[size]))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

/* Whether If-Match names what is to be changed, or something around it, as it is now. */
static bool is_matched(const struct call *call, const char *wanted)
{
	const enum call_of around[] = {call->of,
				       call->of == CALL_OF_BACKEND ? CALL_OF_POOL : CALL_OF_NOTHING,
				       CALL_OF_CONFIG};
	bool matched = !strcmp(wanted, "*");
	char tag[API_TAG_SIZE];

	for (size_t i = 0; !matched && i < sizeof(around) / sizeof(around[0]); i++) {
		make_tag(call, around[i], tag);
		matched = tag_listed(wanted, tag);
	}
	return matched;
}

/* Of everything that may change something: 0, or -1 with the reply filled in. */
static int check_precondition(struct call *call)
{
	const char *wanted = call->request->if_match;

	if (!wanted || is_matched(call, wanted))
		return 0;
	fault_set(&call->fault, FAULT_CONFLICT,
		  "%s: changing it: it is not what If-Match says any more: somebody changed it",
		  call->request->path);
	fault_hint(&call->fault, "read it again, and send its new ETag (or that of /v1/config)");
	call->reply->status = 412;
	return -1;
}

/* ---- the table ---- */

typedef int (*handler)(struct call *call);

static const struct route {
	const char *path;
	handler get;
	handler change; /* POST, PATCH and DELETE */
	handler post;
	handler patch;
	handler put;
	handler remove; /* DELETE alone */
	enum call_of of;
	const char *parameters[PARAMETERS_MAX + 1];
} routes[] = {
	{.path = "/v1/status", .get = api_get_status},
	{.path = "/v1/services", .get = api_get_services, .parameters = {"format"}},
	{.path = "/v1/services/{}",
	 .get = api_get_service,
	 .of = CALL_OF_SERVICE,
	 .change = api_change_service,
	 .parameters = {"dry_run", "break_flows"}},
	{.path = "/v1/pools", .get = api_get_pools},
	{.path = "/v1/pools/{}", .get = api_get_pool, .of = CALL_OF_POOL},
	{.path = "/v1/pools/{}/backends/{}",
	 .get = api_get_backend,
	 .of = CALL_OF_BACKEND,
	 .change = api_change_backend,
	 .parameters = {"dry_run"}},
	{.path = "/v1/backends",
	 .get = api_get_backends,
	 .parameters = {"pool", "fields", "format"}},
	{.path = "/v1/node",
	 .get = api_get_node,
	 .patch = api_change_node,
	 .of = CALL_OF_NODE,
	 .parameters = {"dry_run"}},
	{.path = "/v1/drops", .get = api_get_drops, .parameters = {"all"}},
	{.path = "/v1/flows",
	 .get = api_get_flows,
	 .parameters = {"pool", "backend", "source", "older", "younger", "limit", "cursor"}},
	{.path = "/v1/pools/{}/clients", .get = api_get_clients, .parameters = {"limit", "cursor"}},
	{.path = "/v1/pools/{}/clients/{}",
	 .remove = api_forget_client,
	 .of = CALL_OF_POOL,
	 .parameters = {"dry_run"}},
	{.path = "/v1/pools/{}/clients/{}/pin",
	 .put = api_pin_client,
	 .remove = api_unpin_client,
	 .parameters = {"dry_run"}},
	{.path = "/v1/flows/lookup",
	 .get = api_get_lookup,
	 .parameters = {"proto", "source", "destination", "syn", "if_down"}},
	{.path = "/v1/what-if",
	 .get = api_get_what_if,
	 .parameters = {"change", "backend", "weight", "mode"}},
	{.path = "/v1/config",
	 .get = api_get_config,
	 .put = api_put_config,
	 .of = CALL_OF_CONFIG,
	 .parameters = {"dry_run", "break_flows"}},
	{.path = "/v1/events", .get = api_get_events, .parameters = {"history", "follow"}},
	{.path = "/v1/trace",
	 .get = api_get_trace,
	 .parameters = {"address", "port", "proto", "service", "backend", "verdict", "rate",
			"count", "frames"}},
	{.path = "/v1/config/diff", .get = api_get_config_diff},
	{.path = "/v1/pools/{}/backends/{}/check", .get = api_get_check, .post = api_post_check},
	{.path = "/v1/doctor", .get = api_get_doctor, .post = api_post_doctor},
	{.path = "/v1/reload", .post = api_post_reload, .parameters = {"dry_run", "break_flows"}},
};

enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };

/* Splits in place at '/', the first one left out. Returns the number of segments. */
static size_t split(char *path, const char *segments[SEGMENTS_MAX])
{
	size_t count = 0;

	if (*path != '/')
		return 0;
	while (path && count < SEGMENTS_MAX) {
		*path++ = '\0';
		segments[count++] = path;
		path = strchr(path, '/');
	}
	return path ? 0 : count;
}

static bool route_matches(const struct route *route, const char *const *segments, size_t count,
			  const char *args[2])
{
	char pattern[64];
	const char *wanted[SEGMENTS_MAX];
	size_t arg = 0;

	snprintf(pattern, sizeof(pattern), "%s", route->path);
	if (split(pattern, wanted) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(wanted[i], "{}"))
			args[arg++] = segments[i];
		else if (strcmp(wanted[i], segments[i]) != 0)
			return false;
	}
	return true;
}

static handler handler_of(const struct route *route, const char *method)
{
	if (!strcmp(method, "GET") || !strcmp(method, "HEAD"))
		return route->get;
	if (!strcmp(method, "DELETE") && route->remove)
		return route->remove;
	if (!strcmp(method, "PUT"))
		return route->put;
	if (!strcmp(method, "POST") && route->post)
		return route->post;
	if (!strcmp(method, "PATCH") && route->patch)
		return route->patch;
	if (!strcmp(method, "POST") || !strcmp(method, "PATCH") || !strcmp(method, "DELETE"))
		return route->change;
	return NULL;
}

static int check_parameters(struct call *call, const struct route *route)
{
	size_t count = 0;
	const char *name;
	json_t *value;

	while (count < PARAMETERS_MAX && route->parameters[count])
		count++;
	json_object_foreach ((json_t *)call->request->query, name, value) {
		const char *nearest = fault_nearest(name, route->parameters, count);
		size_t i = 0;

		while (i < count && strcmp(name, route->parameters[i]) != 0)
			i++;
		if (i < count)
			continue;
		fault_set(&call->fault, FAULT_USAGE, "%s: unknown parameter \"%s\"",
			  call->request->path, name);
		if (nearest)
			fault_hint(&call->fault, "did you mean %s?", nearest);
		return -1;
	}
	return 0;
}

static int no_such_path(struct call *call)
{
	const char *paths[ROUTE_COUNT], *nearest;

	for (size_t i = 0; i < ROUTE_COUNT; i++)
		paths[i] = routes[i].path;
	nearest = fault_nearest(call->request->path, paths, ROUTE_COUNT);
	fault_set(&call->fault, FAULT_NOT_FOUND, "%s: there is no such path", call->request->path);
	if (nearest)
		fault_hint(&call->fault, "did you mean %s?", nearest);
	return -1;
}

static int no_such_method(struct call *call, const struct route *route)
{
	call->reply->status = 405;
	call->reply->allow = route->put      ? (route->get ? "GET, HEAD, PUT" : "PUT, DELETE")
			     : route->post   ? (route->get ? "GET, HEAD, POST" : "POST")
			     : route->patch  ? "GET, HEAD, PATCH"
			     : route->remove ? "DELETE"
			     : route->change ? "GET, HEAD, POST, PATCH, DELETE"
					     : "GET, HEAD";
	fault_set(&call->fault, FAULT_USAGE, "%s: there is no %s of it", call->request->path,
		  call->request->method);
	return fault_hint(&call->fault, "it takes %s", call->reply->allow);
}

static int dispatch(struct call *call, char *path)
{
	const char *segments[SEGMENTS_MAX];
	size_t count = split(path, segments);

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		handler run;

		if (!count || !route_matches(&routes[i], segments, count, call->args))
			continue;
		run = handler_of(&routes[i], call->request->method);
		if (!run)
			return no_such_method(call, &routes[i]);
		call->of = routes[i].of;
		if (check_parameters(call, &routes[i]) != 0 ||
		    (run != routes[i].get && check_precondition(call) != 0))
			return -1;
		return run(call);
	}
	return no_such_path(call);
}

static unsigned status_of(enum fault_code code)
{
	switch (code) {
	case FAULT_USAGE:
		return 400;
	case FAULT_PERMISSION:
		return 403;
	case FAULT_NOT_FOUND:
		return 404;
	case FAULT_CONFLICT:
		return 409;
	case FAULT_TIMEOUT:
		return 504;
	default:
		return 500;
	}
}

void api_reply_fault(struct api_reply *reply, const struct fault *fault, const char *details)
{
	if (!reply->status)
		reply->status = status_of(fault->code);
	json_decref(reply->body);
	reply->body = api_json_error(fault, details);
}

void api_answer(struct api_state *state, const struct api_request *request, struct api_reply *reply)
{
	struct call call = {.state = state, .request = request, .reply = reply};
	char *path = strdup(request->path);
	json_t *schema;

	memset(reply, 0, sizeof(*reply));
	if (!path)
		fault_set(&call.fault, FAULT_FAILED, "request: out of memory");
	if (!path || dispatch(&call, path) != 0)
		api_reply_fault(reply, &call.fault, call.details);
	else if (call.of)
		make_tag(&call, call.of, reply->etag);
	free(path);
	free(call.details);
	if (!reply->body)
		return;
	schema = json_pack("{s:i}", "schema", API_SCHEMA);
	json_object_update(schema, reply->body);
	json_decref(reply->body);
	reply->body = schema;
}
