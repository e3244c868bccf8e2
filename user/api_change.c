/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_change: the API's requests that change something, all of them through the controller. Which
 * path comes here is api_routes.c's.
 */
#include <string.h>

#include "api_call.h"

/* ---- changes ---- */

static int answer_changes(struct call *call, bool dry_run, json_t *changes)
{
	return call_answer(call, json_pack("{s:b, s:o}", "dry_run", dry_run, "changes",
					   changes ? changes : json_array()));
}

/* 0, or -1 with the fault. */
static int read_request(struct call *call, struct controller_request *request)
{
	*request = (struct controller_request){.who = call->request->who};
	if (call_flag(call, "dry_run", &request->dry_run) != 0)
		return -1;
	return call_flag(call, "break_flows", &request->break_flows);
}

static int change(struct call *call, enum change_object object, const char *pool, const char *name)
{
	const char *method = call->request->method;
	struct change wanted = {.object = object, .pool = pool, .name = name};
	struct controller_request request;
	json_t *changes = NULL;

	wanted.verb = !strcmp(method, "POST")    ? CHANGE_ADD
		      : !strcmp(method, "PATCH") ? CHANGE_SET
						 : CHANGE_DELETE;
	if (wanted.verb != CHANGE_DELETE) {
		if (!json_is_object(call->request->body))
			return fault_set(&call->fault, FAULT_USAGE,
					 "%s: reading the request: its body is no JSON object",
					 call->request->path);
		wanted.body = call->request->body;
	}
	if (read_request(call, &request) != 0)
		return -1;
	if (controller_change(call->state->controller, &wanted, &request, &changes, &call->fault) !=
	    0) {
		json_decref(changes);
		return -1;
	}
	return answer_changes(call, request.dry_run, changes);
}

int api_change_service(struct call *call)
{
	return change(call, CHANGE_SERVICE, NULL, call->args[0]);
}

int api_change_backend(struct call *call)
{
	return change(call, CHANGE_BACKEND, call->args[0], call->args[1]);
}

int api_post_reload(struct call *call)
{
	struct controller_request request;
	json_t *changes = NULL;

	if (read_request(call, &request) != 0)
		return -1;
	if (controller_reload(call->state->controller, &request, &changes, &call->details,
			      &call->fault) != 0) {
		json_decref(changes);
		return -1;
	}
	return answer_changes(call, request.dry_run, changes);
}

int api_put_config(struct call *call)
{
	struct controller_request request;
	json_t *changes = NULL;

	if (!call->request->body)
		return fault_set(&call->fault, FAULT_USAGE, "%s: reading the request: no body",
				 call->request->path);
	if (read_request(call, &request) != 0)
		return -1;
	if (controller_document(call->state->controller, call->request->body, &request, &changes,
				&call->details, &call->fault) != 0) {
		json_decref(changes);
		return -1;
	}
	return answer_changes(call, request.dry_run, changes);
}
