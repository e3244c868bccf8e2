/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_doctor: an examination, on demand. POST begins it and GET tells of it, so that no request
 * waits for a backend. Which path comes here is api_routes.c's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api_call.h"
#include "doctor.h"
#include "siphash.h"

static json_t *findings_json(const struct doctor_findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct doctor_finding *f = &findings->items[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "severity",
						      doctor_severity_name(f->severity), "code",
						      f->code, "object", f->object, "cause",
						      f->cause, "type", f->remedy));
	}
	return list;
}

/* Tells whether another node has the same seed, and not which. */
static uint64_t seed_fingerprint(const struct call *call)
{
	const struct lb_settings *settings =
		dataplane_settings(controller_dataplane(call->state->controller));
	static const char what[] = "fingerprint";

	return siphash(settings->hash_seed, what, sizeof(what));
}

/* What has to be the same on all nodes of a site, for whoever compares. */
static json_t *node_json(const struct call *call)
{
	const struct model *model = call_model(call);
	char fingerprint[17], now[32], digest[17];
	json_t *tables = json_array();
	time_t seconds = time(NULL);
	struct tm utc;

	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];

		snprintf(digest, sizeof(digest), "%016" PRIx64, pool->table_digest);
		json_array_append_new(tables, json_pack("{s:s, s:s, s:I}", "pool", pool->name,
							"table_digest", digest, "unsettled_slots",
							(json_int_t)pool->unsettled_slots));
	}
	snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, seed_fingerprint(call));
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	return json_pack("{s:s, s:s, s:o}", "seed_fingerprint", fingerprint, "clock", now, "tables",
			 tables);
}

int api_get_doctor(struct call *call)
{
	const struct doctor_report report = controller_doctor_report(call->state->controller);

	if (!report.begun) {
		fault_set(&call->fault, FAULT_NOT_FOUND,
			  "doctor: telling of an examination: there was none");
		return fault_hint(&call->fault, "POST here begins one");
	}
	return call_answer(
		call, json_pack("{s:b, s:o, s:o, s:{s:I, s:I}}", "running", report.running,
				"findings", findings_json(report.findings), "node", node_json(call),
				"examined", "interfaces", (json_int_t)report.interface_count,
				"backends", (json_int_t)report.backend_count));
}

int api_post_doctor(struct call *call)
{
	int err = controller_doctor_start(call->state->controller);

	if (!err)
		return api_get_doctor(call);
	return fault_set(&call->fault, FAULT_FAILED, "doctor: beginning: %s", strerror(-err));
}
