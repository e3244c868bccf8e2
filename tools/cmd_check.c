/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_check: `lbctl check now`. See lbctl.h. */
#include <stdio.h>

#include "lbctl.h"

static void print_check(const json_t *check)
{
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(check, "steps"), i, step)
		printf("%9.1f ms  %s\n", json_number_value(json_object_get(step, "at_ms")),
		       ctl_text(step, "step"));
	printf("%s/%s: %s: %s\n", ctl_text(check, "pool"), ctl_text(check, "name"),
	       json_is_true(json_object_get(check, "good")) ? "good" : "failed",
	       ctl_text(check, "reason"));
}

/* lbd gives the check up at its timeout, so that this has an end. */
int ctl_check_now(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {};
	struct ctl_target target;
	json_t *reply;
	int error = 0;

	if (ctl_target_parse(ctl->arguments[0], &target, fault) != 0)
		return -1;
	ctl_target_path(&target, &request);
	request.path[4] = "check";
	if (ctl_ask_finished(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_check(reply);
	if (!json_is_true(json_object_get(reply, "good")))
		error = fault_set(fault, FAULT_FAILED, "backend %s/%s: its check failed: %s",
				  target.pool, target.name, ctl_text(reply, "reason"));
	json_decref(reply);
	return error;
}
