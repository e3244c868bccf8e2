/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* api_pins: pinning clients to a backend, and ending that, through the API. See api_call.h. */
#include <string.h>

#include "api_call.h"
#include "duration.h"
#include "pins.h"

static int set(struct call *call, struct pin_request *request)
{
	json_t *report;

	request->pool = call->args[0];
	request->address = call->args[1];
	request->who = call->request->who;
	if (call_flag(call, "dry_run", &request->dry_run) != 0 ||
	    pins_set(controller_pins(call->state->controller), request, &report, &call->fault) != 0)
		return -1;
	return call_answer(call,
			   json_pack("{s:b, s:o}", "dry_run", request->dry_run, "changes", report));
}

static int bad_body(struct call *call)
{
	fault_set(&call->fault, FAULT_USAGE,
		  "%s: pinning it: the body has to say which backend, and for how long",
		  call->request->path);
	return fault_hint(&call->fault, "{\"backend\": \"web2\", \"for\": \"10m\"}");
}

int api_pin_client(struct call *call)
{
	const json_t *body = call->request->body;
	const char *time = json_string_value(json_object_get(body, "for"));
	struct pin_request request = {.backend =
					      json_string_value(json_object_get(body, "backend"))};
	char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];

	if (!request.backend || !time || json_object_size(body) != 2)
		return bad_body(call);
	if (duration_parse(time, &request.for_ms) && request.for_ms >= PIN_LEAST_MS &&
	    request.for_ms <= PIN_MOST_MS)
		return set(call, &request);
	fault_set(&call->fault, FAULT_USAGE,
		  "client %s: pinning it: \"%s\" is not a time from %s to %s", call->args[1], time,
		  duration_format(PIN_LEAST_MS, least), duration_format(PIN_MOST_MS, most));
	return fault_hint(&call->fault,
			  "times are written 30s, 10m, 2h; pinning it again prolongs it");
}

int api_unpin_client(struct call *call)
{
	struct pin_request request = {.for_ms = 0};

	return set(call, &request);
}
