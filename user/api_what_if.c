/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_what_if: the API's answer to what would be if something happened to a backend. What follows
 * for the table is suppose's and impact's; here it becomes JSON, with the flows and clients that
 * have entries, as the last sweep counted them. A question: it changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_call.h"
#include "api_json.h"
#include "duration.h"
#include "suppose.h"

enum { WEIGHT_DEFAULT = 100, NAME_ROOM = MODEL_NAME_SIZE };

/* ---- the question ---- */

/* `supposition` borrows from `pool`. */
static int parse_backend(struct call *call, struct supposition *supposition, char pool[NAME_ROOM])
{
	const char *text = call_parameter(call, "backend");
	const char *slash = text ? strchr(text, '/') : NULL;

	if (!slash || slash == text || slash - text >= NAME_ROOM || !slash[1])
		return fault_set(&call->fault, FAULT_USAGE,
				 "what-if: backend \"%s\": a backend is named POOL/NAME",
				 text ? text : "");
	snprintf(pool, NAME_ROOM, "%.*s", (int)(slash - text), text);
	supposition->pool = pool;
	supposition->backend = slash + 1;
	return 0;
}

static int parse_weight(struct call *call, struct supposition *supposition)
{
	const char *text = call_parameter(call, "weight");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	supposition->weight = WEIGHT_DEFAULT;
	if (!text && supposition->what != SUPPOSE_WEIGHT)
		return 0;
	if (text && digits && digits < 9 && !text[digits])
		supposition->weight = (uint32_t)strtoul(text, NULL, 10);
	else
		digits = 0;
	if (digits && supposition->weight <= MODEL_WEIGHT_MAX)
		return 0;
	return fault_set(&call->fault, FAULT_USAGE,
			 "what-if: weight \"%s\": not a number from 0 to %d", text ? text : "",
			 MODEL_WEIGHT_MAX);
}

static int parse_mode(struct call *call, struct supposition *supposition)
{
	const char *text = call_parameter(call, "mode");

	supposition->drain_mode = DRAIN_AS_POOL;
	if (!text)
		return 0;
	for (enum drain_mode mode = DRAIN_FLOWS; mode < DRAIN_AS_POOL; mode++) {
		if (strcmp(text, drain_mode_name(mode)) != 0)
			continue;
		supposition->drain_mode = mode;
		return 0;
	}
	return fault_set(&call->fault, FAULT_USAGE,
			 "what-if: mode \"%s\": neither flows nor clients", text);
}

static int parse(struct call *call, struct supposition *supposition, char pool[NAME_ROOM])
{
	const char *change = call_parameter(call, "change");
	int what = change ? suppose_parse(change) : -1;

	*supposition = (struct supposition){.what = what < 0 ? SUPPOSE_KILL : what};
	if (what < 0) {
		fault_set(&call->fault, FAULT_USAGE, "what-if: unknown change \"%s\"",
			  change ? change : "");
		return fault_hint(&call->fault,
				  "there are: kill, add, del, drain, maint, ready, weight");
	}
	if (parse_backend(call, supposition, pool) != 0 || parse_weight(call, supposition) != 0)
		return -1;
	return parse_mode(call, supposition);
}

/* ---- the answer ---- */

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

/* Null where it is not there. */
static json_t *share_json(const struct pool *pool, const struct backend *backend,
			  const struct impact_share *share, uint32_t size)
{
	if (!backend)
		return json_null();
	return json_pack("{s:I, s:f, s:I, s:f, s:I}", "slots", (json_int_t)share->owned,
			 "share_percent", percent(share->owned, size), "established_slots",
			 (json_int_t)share->belonged, "established_percent",
			 percent(share->belonged, size), "effective_weight",
			 (json_int_t)backend_effective_weight(pool, backend));
}

static json_t *backends_json(const struct supposed *supposed)
{
	const struct impact *impact = &supposed->impact;
	uint32_t size = impact->table_size;
	json_t *list = json_array();

	for (size_t i = 0; i < impact->backend_count; i++) {
		const struct impact_backend *item = &impact->backends[i];

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o}", "name",
					(item->before ? item->before : item->after)->name, "now",
					share_json(supposed->from, item->before, &item->now, size),
					"then",
					share_json(supposed->to, item->after, &item->then, size)));
	}
	return list;
}

/* Those that a backend would have to give up: by their entries, which die with its incarnation; or
 * (clients) at their next flow, because it takes none of them any more. */
struct moving {
	uint64_t flows, clients, clients_later;
};

static struct moving count_moving(const struct supposed *supposed)
{
	const struct impact *impact = &supposed->impact;
	struct moving moving = {0};

	for (size_t i = 0; i < impact->backend_count; i++) {
		const struct backend *before = impact->backends[i].before;
		const struct backend *after = impact->backends[i].after;

		if (!before)
			continue;
		if (!after || !backend_usable(supposed->to, after)) {
			moving.flows += before->left_flows;
			moving.clients += before->left_clients;
		} else if (!backend_takes_clients(supposed->to, after)) {
			moving.clients_later += before->left_clients;
		}
	}
	return moving;
}

static json_t *entries_json(const struct supposed *supposed)
{
	const struct pool *from = supposed->from;
	const struct moving moving = count_moving(supposed);

	return json_pack("{s:{s:I, s:I, s:f}, s:{s:I, s:I, s:f, s:I, s:f}, s:o}", "tracked_flows",
			 "all", (json_int_t)from->tracked_flows, "moving", (json_int_t)moving.flows,
			 "percent", percent(moving.flows, from->tracked_flows), "clients", "all",
			 (json_int_t)from->clients, "moving", (json_int_t)moving.clients, "percent",
			 percent(moving.clients, from->clients), "moving_later",
			 (json_int_t)moving.clients_later, "later_percent",
			 percent(moving.clients_later, from->clients), "counted",
			 api_json_time(from->swept_ms));
}

/* What comes after the change: a deadline, or the steps of a slow start; null: nothing does. */
static json_t *later_json(const struct supposed *supposed, const struct supposition *supposition)
{
	const struct pool *to = supposed->to;
	const struct backend *backend = pool_backend_find(to, supposition->backend);
	json_t *later = json_pack("{s:n, s:n}", "drain_deadline", "slow_start");
	char text[DURATION_TEXT_SIZE];

	if (supposition->what == SUPPOSE_DRAIN && backend && backend_drain_deadline_ms(to, backend))
		json_object_set_new(
			later, "drain_deadline",
			json_string(duration_format(backend_drain_deadline_ms(to, backend), text)));
	if (backend && to->slow_start_ms && backend_takes_new(to, backend) && !backend->serves)
		json_object_set_new(later, "slow_start",
				    json_string(duration_format(to->slow_start_ms, text)));
	return later;
}

static json_t *answer(const struct supposed *supposed, const struct supposition *supposition)
{
	const struct impact *impact = &supposed->impact;
	const struct pool *from = supposed->from, *to = supposed->to;
	char now[API_DIGEST_SIZE], then[API_DIGEST_SIZE];
	json_t *json = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:I, s:f, s:{s:s, s:s}, s:{s:I, s:I}, "
		"s:{s:s, s:s}, s:o}",
		"change", suppose_name(supposition->what), "pool", from->name, "backend",
		supposition->backend, "affinity", affinity_name(from->affinity), "drain_mode",
		drain_mode_name(supposition->drain_mode == DRAIN_AS_POOL ? to->drain_mode
									 : supposition->drain_mode),
		"table_size", (json_int_t)impact->table_size, "slots_moved",
		(json_int_t)impact->moved, "new_flows_percent",
		percent(impact->moved, impact->table_size), "slots_lost", (json_int_t)impact->lost,
		"all_flows_percent", percent(impact->lost, impact->table_size), "table_digest",
		"now", api_digest_format(from->table_digest, now), "then",
		api_digest_format(impact->digest, then), "unsettled_slots", "now",
		(json_int_t)from->unsettled_slots, "then", (json_int_t)impact->unsettled,
		"pool_mode", "now", pool_mode_name(from->mode), "then", pool_mode_name(to->mode),
		"backends", backends_json(supposed));

	if (json && (json_object_update_new(json, entries_json(supposed)) != 0 ||
		     json_object_update_new(json, later_json(supposed, supposition)) != 0)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

int api_get_what_if(struct call *call)
{
	struct dataplane *dp = controller_dataplane(call->state->controller);
	struct supposition supposition;
	struct supposed supposed;
	char pool[NAME_ROOM];
	int rc;

	if (parse(call, &supposition, pool) != 0)
		return -1;
	rc = suppose(&supposed, dp, call_model(call), &supposition, &call->fault);
	if (rc == 0)
		rc = call_answer(call, answer(&supposed, &supposition));
	suppose_destroy(&supposed);
	return rc;
}
