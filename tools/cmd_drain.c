/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_drain: `lbctl backend drain`, and waiting for the end of it. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../user/clock.h"
#include "lbctl.h"

enum { POLL_MS = 500, POLLS_A_LINE = 20 };

/* ---- waiting ---- */

struct wait {
	const struct ctl *ctl;
	struct ctl_target target;
	uint64_t until_ms; /* CLOCK_MONOTONIC; 0: as long as it takes */
	unsigned polls;
};

static int show(const struct wait *wait, json_t **backend, struct fault *fault)
{
	struct ctl_request request = {.method = "GET"};

	ctl_target_path(&wait->target, &request);
	return ctl_ask(wait->ctl, &request, backend, fault);
}

/* To stderr: what is printed to stdout is the result. */
static void tell_progress(const struct wait *wait, const json_t *backend)
{
	const json_t *left = json_object_get(backend, "left");

	if (wait->ctl->output == CTL_JSON || wait->polls % POLLS_A_LINE != 0)
		return;
	fprintf(stderr,
		"%s/%s: left: %" PRIu64 " flows, %" PRIu64 " clients, %" PRIu64 " slots%s\n",
		wait->target.pool, wait->target.name, ctl_integer(left, "flows"),
		ctl_integer(left, "clients"), ctl_integer(left, "slots"),
		json_is_false(json_object_get(left, "complete"))
			? "; some flows found no room to be counted"
			: "");
}

static int tell_timeout(const struct wait *wait, const json_t *backend, struct fault *fault)
{
	const json_t *left = json_object_get(backend, "left");

	fault_set(fault, FAULT_TIMEOUT,
		  "backend %s/%s: waiting for its drain: %" PRIu64 " flows and %" PRIu64
		  " clients are left",
		  wait->target.pool, wait->target.name, ctl_integer(left, "flows"),
		  ctl_integer(left, "clients"));
	return fault_hint(fault, "the drain goes on; the same command waits on");
}

static void tell_end(const struct wait *wait, const json_t *backend)
{
	const json_t *drain = json_object_get(backend, "drain");
	const json_t *moved = json_object_get(drain, "moved");

	if (ctl_print_json(wait->ctl, backend))
		return;
	if (json_is_true(json_object_get(drain, "deadline_passed")) && !json_is_object(moved))
		printf("%s/%s: the deadline has passed: what was left was moved\n",
		       wait->target.pool, wait->target.name);
	else if (json_is_true(json_object_get(drain, "deadline_passed")))
		printf("%s/%s: the deadline has passed: %" PRIu64 " flows and %" PRIu64
		       " clients were moved\n",
		       wait->target.pool, wait->target.name, ctl_integer(moved, "flows"),
		       ctl_integer(moved, "clients"));
	else
		printf("%s/%s: no flow is left\n", wait->target.pool, wait->target.name);
}

/* 1: the drain is over, 0: it goes on, -1: nobody drains it any more. */
static int judge(const struct wait *wait, const json_t *backend, struct fault *fault)
{
	const json_t *drain = json_object_get(backend, "drain");

	if (!json_is_object(drain)) {
		fault_set(fault, FAULT_CONFLICT,
			  "backend %s/%s: waiting for its drain: it is %s now", wait->target.pool,
			  wait->target.name, ctl_text(backend, "admin"));
		return fault_hint(fault, "somebody else changed it meanwhile");
	}
	return json_is_true(json_object_get(drain, "done")) ||
	       json_is_true(json_object_get(drain, "deadline_passed"));
}

static int wait_end(struct wait *wait, struct fault *fault)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	json_t *backend;
	int over = 0;

	while (over == 0) {
		if (wait->polls++ > 0)
			nanosleep(&pause, NULL);
		if (show(wait, &backend, fault) != 0)
			return -1;
		over = judge(wait, backend, fault);
		if (over > 0)
			tell_end(wait, backend);
		else if (over == 0 && wait->until_ms && clock_ms(CLOCK_MONOTONIC) >= wait->until_ms)
			over = tell_timeout(wait, backend, fault);
		else if (over == 0)
			tell_progress(wait, backend);
		json_decref(backend);
	}
	return over > 0 ? 0 : -1;
}

/* ---- the command ---- */

int ctl_backend_drain(struct ctl *ctl, struct fault *fault)
{
	const char *mode = ctl_value(ctl, "mode"), *deadline = ctl_value(ctl, "deadline");
	bool waits = ctl_value(ctl, "wait") && !ctl->dry_run;
	struct ctl_request request = {.method = "PATCH"};
	struct wait wait = {.ctl = ctl};
	uint64_t timeout_ms;
	json_t *body;
	int error;

	if (ctl_target_parse(ctl->arguments[0], &wait.target, fault) != 0 ||
	    ctl_duration(ctl, "timeout", &timeout_ms, fault) != 0)
		return -1;
	if (ctl_value(ctl, "timeout") && !ctl_value(ctl, "wait"))
		return fault_set(fault, FAULT_USAGE,
				 "backend drain: --timeout: it is how long --wait waits, which is "
				 "not given");
	body = json_pack("{s:s, s:s*, s:s*}", "admin", "drain", "drain_mode", mode,
			 "drain_deadline", deadline);
	if (!body)
		return fault_set(fault, FAULT_USAGE, "backend drain: an option is no UTF-8 text");
	ctl_target_path(&wait.target, &request);
	request.body = body;
	wait.until_ms = timeout_ms ? clock_ms(CLOCK_MONOTONIC) + timeout_ms : 0;
	error = waits ? ctl_change_first(ctl, &request, fault) : ctl_change(ctl, &request, fault);
	json_decref(body);
	return error || !waits ? error : wait_end(&wait, fault);
}
