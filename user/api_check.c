/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_check: a check of one backend, on demand. POST starts it and GET tells of it, so that no
 * request waits for a backend. Which path comes here is api_routes.c's.
 */
#include <errno.h>
#include <string.h>

#include "agents.h"
#include "api_call.h"

static json_t *steps_json(const struct probe_steps *steps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < steps->count; i++)
		json_array_append_new(list, json_pack("{s:f, s:s}", "at_ms",
						      steps->items[i].at_us / 1000.0, "step",
						      steps->items[i].text));
	return list;
}

static int answer_check(struct call *call, const struct agent_check *check)
{
	return call_answer(call,
			   json_pack("{s:s, s:s, s:b, s:o, s:s, s:o}", "pool", call->args[0],
				     "name", call->args[1], "running", check->running, "good",
				     check->running ? json_null() : json_boolean(check->good),
				     "reason", check->reason, "steps", steps_json(&check->steps)));
}

int api_get_check(struct call *call)
{
	const struct agent_check *check =
		controller_check_last(call->state->controller, call->args[0], call->args[1]);

	if (check)
		return answer_check(call, check);
	fault_set(&call->fault, FAULT_NOT_FOUND,
		  "backend %s/%s: telling of its check: none was asked for", call->args[0],
		  call->args[1]);
	return fault_hint(&call->fault, "POST here starts one");
}

int api_post_check(struct call *call)
{
	int error = controller_check_start(call->state->controller, call->args[0], call->args[1]);

	if (error == 0)
		return api_get_check(call);
	if (error == -ENOENT) {
		fault_set(&call->fault, FAULT_NOT_FOUND,
			  "backend %s/%s: checking it: there is no such backend", call->args[0],
			  call->args[1]);
		return fault_hint(&call->fault, "`lbctl backend list` shows them");
	}
	if (error == -ENOTSUP)
		return fault_set(&call->fault, FAULT_CONFLICT,
				 "backend %s/%s: checking it: its pool has no check (type: none)",
				 call->args[0], call->args[1]);
	return fault_set(&call->fault, FAULT_FAILED, "backend %s/%s: checking it: %s",
			 call->args[0], call->args[1], strerror(-error));
}
