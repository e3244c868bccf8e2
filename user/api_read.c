/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_read: the API's GET requests. Reads the model and the data plane's counts; changes nothing.
 * Which path comes here is api_routes.c's, field names are api_json.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api_backend.h"
#include "api_call.h"
#include "api_json.h"
#include "api_lookup.h"
#include "api_service.h"
#include "find.h"
#include "interfaces.h"
#include "model_json.h"
#include "pins.h"
#include "stats.h"
#include "version.h"

enum { SAMPLE_MIN_MS = 1000 };

static struct dataplane *dataplane_of(const struct call *call)
{
	return controller_dataplane(call->state->controller);
}

static int counters_fault(struct call *call, int error)
{
	return fault_set(&call->fault, fault_code_of_errno(-error), "%s: reading counters: %s",
			 call->request->path, strerror(-error));
}

/* ---- status ---- */

static json_t *interfaces(struct dataplane *dp)
{
	struct interface_state states[INTERFACES_MAX];
	int count = interfaces_read(dp, states);
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:b, s:o}", "interface", states[i].name, "mode",
				  states[i].mode == LB_ATTACH_GENERIC ? "generic" : "native",
				  "state", interface_condition_name(states[i].condition),
				  "attached", interface_attached(&states[i]), "mtu",
				  states[i].mtu ? json_integer(states[i].mtu) : json_null()));
	return list;
}

static struct api_sample sample(const struct controller *controller,
				const struct lb_verdict_counter *forwarded)
{
	return (struct api_sample){.valid = true,
				   .uptime_ms = controller_uptime_ms(controller),
				   .packets = forwarded->packets,
				   .bytes = forwarded->bytes};
}

void api_state_init(struct api_state *state, struct controller *controller)
{
	struct lb_verdict_counter counts[LB_VERDICT_COUNT] = {{0}};

	memset(state, 0, sizeof(*state));
	state->controller = controller;
	/* Without counts now, rates begin with the second question. */
	if (stats_verdicts(controller_dataplane(controller), controller_model(controller),
			   counts) == 0)
		state->recent = sample(controller, &counts[LB_FORWARDED]);
	state->before = state->recent;
}

/* Means since the question before this one, at least a second ago, or since the start. */
static json_t *rates(struct api_state *state, const struct lb_verdict_counter *forwarded)
{
	const struct api_sample now = sample(state->controller, forwarded);
	const struct api_sample *before = &state->before;
	double seconds;

	if (!state->recent.valid || now.uptime_ms - state->recent.uptime_ms >= SAMPLE_MIN_MS) {
		state->before = state->recent;
		state->recent = now;
	}
	seconds = (double)(now.uptime_ms - before->uptime_ms) / 1000;
	/* Counters go back where a service is deleted. */
	if (!before->valid || seconds <= 0 || now.packets < before->packets ||
	    now.bytes < before->bytes)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "packets_per_s",
			 (double)(now.packets - before->packets) / seconds, "bits_per_s",
			 (double)(now.bytes - before->bytes) * 8 / seconds, "over_s", seconds);
}

static json_t *table_use(uint64_t entries, uint32_t limit)
{
	return json_pack("{s:I, s:I}", "entries", (json_int_t)entries, "limit", (json_int_t)limit);
}

/* How full the tables are, and what found no room. Null if that cannot be read. */
static void add_tables(struct dataplane *dp, json_t *status)
{
	const struct lb_limits *limits = &dataplane_settings(dp)->limits;
	const uint32_t *count = dataplane_usage(dp)->count;
	uint64_t notes[LB_NOTE_COUNT];
	json_t *untracked = dataplane_notes(dp, notes) == 0 ? json_array() : json_null();

	for (int note = 0; json_is_array(untracked) && note < LB_NOTE_COUNT; note++)
		json_array_append_new(untracked, json_pack("{s:s, s:I, s:s}", "what",
							   dataplane_note_name(note), "count",
							   (json_int_t)notes[note], "meaning",
							   dataplane_note_text(note)));
	json_object_set_new(
		status, "flow_table",
		table_use((uint64_t)count[LB_QUOTA_TCP] + count[LB_QUOTA_UDP], limits->flows));
	json_object_set_new(status, "client_table",
			    table_use(count[LB_QUOTA_CLIENTS], limits->clients));
	json_object_set_new(status, "nat_table",
			    table_use((uint64_t)count[LB_QUOTA_NAT_TCP] + count[LB_QUOTA_NAT_UDP],
				      limits->nat_flows));
	json_object_set_new(status, "untracked", untracked);
}

int api_get_status(struct call *call)
{
	const struct model *model = call_model(call);
	struct dataplane *dp = dataplane_of(call);
	struct controller *controller = call->state->controller;
	struct lb_verdict_counter counts[LB_VERDICT_COUNT] = {{0}};
	json_int_t up = 0, backends = 0;
	json_t *status;
	int error = stats_verdicts(dp, model, counts);

	if (error)
		return counters_fault(call, error);
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];

		backends += (json_int_t)pool->backend_count;
		for (size_t j = 0; j < pool->backend_count; j++)
			up += api_backend_up(pool, pool->backends[j]);
	}
	status = json_pack(
		"{s:s, s:I, s:b, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "version",
		LIMPET_VERSION, "uptime_s", (json_int_t)(controller_uptime_ms(controller) / 1000),
		"published", controller_facts(controller).published, "pin_dir",
		dataplane_settings(dp)->pin_dir, "interfaces", interfaces(dp), "services",
		(json_int_t)model->service_count, "pools", (json_int_t)model->pool_count,
		"backends_up", up, "backends", backends, "overrides",
		(json_int_t)controller_override_count(controller), "totals",
		api_json_totals(counts), "rates", rates(call->state, &counts[LB_FORWARDED]));
	if (status)
		add_tables(dp, status);
	json_object_set_new(status, "pins", pins_json(controller_pins(controller), NULL, NULL));
	return call_answer(call, status);
}

/* ---- services ---- */

/* 0, or -1 with the fault. */
static int read_format(struct call *call, bool *columns)
{
	const char *format = call_parameter(call, "format");

	*columns = format && !strcmp(format, "tsv");
	if (!format || *columns || !strcmp(format, "json"))
		return 0;
	return fault_set(&call->fault, FAULT_USAGE,
			 "%s: parameter format: \"%s\" is neither json nor tsv",
			 call->request->path, format);
}

static int answer_columns(struct call *call, struct json_text *text)
{
	return call_answer_text(call, text, "text/tab-separated-values");
}

int api_get_services(struct call *call)
{
	const struct model *model = call_model(call);
	struct json_text text = {.style = JSON_TEXT_INDENTED};
	struct stats_totals totals;
	bool columns;
	int error;

	if (read_format(call, &columns) != 0)
		return -1;
	error = stats_collect(dataplane_of(call), model, &totals);
	if (error)
		return counters_fault(call, error);
	if (columns) {
		text.style = JSON_TEXT_COLUMNS;
		api_services_put(&text, model, totals.services);
		stats_totals_destroy(&totals);
		return answer_columns(call, &text);
	}
	call_text_begin(&text);
	json_text_begin(&text, "services", '[');
	for (size_t i = 0; i < model->service_count; i++)
		api_service_put(&text, model, model->services[i], &totals.services[i]);
	json_text_end(&text, ']');
	stats_totals_destroy(&totals);
	return call_text_end(call, &text);
}

int api_get_service(struct call *call)
{
	const struct service *service =
		find_service(call_model(call), call->args[0], "showing it", &call->fault);
	struct json_text text = {0};
	struct lb_counter counter;
	int error;

	if (!service)
		return -1;
	error = stats_service(dataplane_of(call), service, &counter);
	if (error)
		return counters_fault(call, error);
	api_service_put(&text, call_model(call), service, &counter);
	return call_answer(call, json_text_parse(&text));
}

/* ---- pools and backends ---- */

static void put_backends(struct json_text *text, struct api_backends *backends,
			 const struct pool *pool, const struct lb_counter *counters)
{
	api_backends_enter(backends, pool);
	for (size_t i = 0; i < pool->backend_count; i++)
		api_backends_put(backends, text, pool->backends[i], &counters[i]);
}

/* The counts of a pool's backends, which the caller frees; NULL with the fault. */
static struct lb_counter *count_pool(struct call *call, const struct pool *pool)
{
	struct lb_counter *counters = calloc(pool->backend_count + 1, sizeof(*counters));
	int error = counters ? stats_pool(dataplane_of(call), call_model(call), pool, counters)
			     : -ENOMEM;

	if (!error)
		return counters;
	free(counters);
	counters_fault(call, error);
	return NULL;
}

/* Every backend of `only`, or of all pools. */
static int write_backends(struct call *call, const struct pool *only, struct api_backends *backends,
			  struct json_text *text)
{
	const struct model *model = call_model(call);
	struct lb_counter *counters, *next;
	struct stats_totals totals;
	int error;

	if (only) {
		counters = count_pool(call, only);
		if (counters)
			put_backends(text, backends, only, counters);
		free(counters);
		return counters ? 0 : -1;
	}
	error = stats_collect(dataplane_of(call), model, &totals);
	if (error)
		return counters_fault(call, error);
	next = totals.backends;
	for (size_t i = 0; i < model->pool_count; i++) {
		put_backends(text, backends, model->pools[i], next);
		next += model->pools[i]->backend_count;
	}
	stats_totals_destroy(&totals);
	return 0;
}

/* One backend, or with `backend` NULL an array of all of the pool, with all fields; NULL with the
 * fault. */
static json_t *read_backends(struct call *call, const struct pool *pool,
			     const struct backend *backend)
{
	struct lb_counter *counters = count_pool(call, pool);
	struct api_backends backends;
	struct json_text text = {0};
	json_t *json;

	if (!counters)
		return NULL;
	pins_count(controller_pins(call->state->controller));
	api_backends_init(&backends, call_model(call), NULL, &call->fault);
	if (!backend)
		json_text_begin(&text, NULL, '[');
	api_backends_enter(&backends, pool);
	for (size_t i = 0; i < pool->backend_count; i++)
		if (!backend || backend == pool->backends[i])
			api_backends_put(&backends, &text, pool->backends[i], &counters[i]);
	if (!backend)
		json_text_end(&text, ']');
	json = json_text_parse(&text);
	if (!json)
		call_answer(call, NULL);
	free(counters);
	return json;
}

int api_get_pools(struct call *call)
{
	const struct model *model = call_model(call);
	json_t *list = json_array();

	for (size_t i = 0; i < model->pool_count; i++)
		json_array_append_new(list, api_json_pool(model, model->pools[i]));
	return call_answer(call, json_pack("{s:o}", "pools", list));
}

int api_get_pool(struct call *call)
{
	const struct pool *pool =
		find_pool(call_model(call), call->args[0], "showing it", &call->fault);
	json_t *json, *list;

	if (!pool)
		return -1;
	list = read_backends(call, pool, NULL);
	if (!list)
		return -1;
	json = api_json_pool(call_model(call), pool);
	if (json_object_set_new(json, "backends", list) != 0 ||
	    json_object_set_new(json, "pins",
				pins_json(controller_pins(call->state->controller), pool, NULL)) !=
		    0) {
		json_decref(json);
		json = NULL;
	}
	return call_answer(call, json);
}

int api_get_backends(struct call *call)
{
	const char *name = call_parameter(call, "pool");
	struct json_text text = {.style = JSON_TEXT_INDENTED};
	struct api_backends backends;
	const struct pool *only = NULL;
	bool columns;

	if (api_backends_init(&backends, call_model(call), call_parameter(call, "fields"),
			      &call->fault) != 0 ||
	    read_format(call, &columns) != 0)
		return -1;
	if (name) {
		only = find_pool(call_model(call), name, "listing its backends", &call->fault);
		if (!only)
			return -1;
	}
	pins_count(controller_pins(call->state->controller));
	if (columns) {
		text.style = JSON_TEXT_COLUMNS;
		api_backends_head(&backends, &text);
	} else {
		call_text_begin(&text);
		json_text_begin(&text, "backends", '[');
	}
	if (write_backends(call, only, &backends, &text) != 0) {
		free(text.bytes);
		return -1;
	}
	if (columns)
		return answer_columns(call, &text);
	json_text_end(&text, ']');
	return call_text_end(call, &text);
}

int api_get_backend(struct call *call)
{
	const struct pool *pool =
		find_pool(call_model(call), call->args[0], "finding its backend", &call->fault);
	const struct backend *backend;
	json_t *json;

	if (!pool)
		return -1;
	backend = find_backend(pool, call->args[1], "showing it", &call->fault);
	if (!backend)
		return -1;
	json = read_backends(call, pool, backend);
	if (!json)
		return -1;
	json_object_set_new(json, "check_target",
			    api_json_check_target(call_model(call), pool, backend));
	return call_answer(call, json);
}

/* ---- verdicts, look-up, configuration ---- */

int api_get_drops(struct call *call)
{
	struct lb_verdict_counter counts[LB_VERDICT_COUNT] = {{0}};
	bool all;
	int error;

	if (call_flag(call, "all", &all) != 0)
		return -1;
	error = stats_verdicts(dataplane_of(call), call_model(call), counts);
	if (error)
		return counters_fault(call, error);
	return call_answer(call, json_pack("{s:o}", "drops", api_json_verdicts(counts, all)));
}

/* What the program decided by may be a pin of the client. */
static void add_pin(struct call *call, const struct lookup_flow *flow, json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "pool"));
	const struct pool *pool = name ? model_pool_find(call_model(call), name) : NULL;
	json_t *list =
		pool ? pins_json(controller_pins(call->state->controller), pool, &flow->source)
		     : NULL;
	json_t *pin = json_array_get(list, 0);

	if (pin)
		json_object_set_new(
			json, "explanation",
			json_sprintf(
				"%s; the client is pinned to %s for another %lld s%s",
				json_string_value(json_object_get(json, "explanation")),
				json_string_value(json_object_get(pin, "backend")),
				(long long)json_integer_value(json_object_get(pin, "left_s")),
				json_is_true(json_object_get(pin, "in_effect"))
					? ""
					: ", which takes no new flows now: as if it were not"));
	json_object_set(json, "pin", pin ? pin : json_null());
	json_decref(list);
}

int api_get_lookup(struct call *call)
{
	struct lookup_flow flow;
	json_t *json;

	if (api_lookup_parse(call->request->query, &flow, &call->fault) != 0)
		return -1;
	json = api_lookup(call_model(call), dataplane_of(call), &flow,
			  call_parameter(call, "if_down"), &call->fault);
	if (json)
		add_pin(call, &flow, json);
	return json ? call_answer(call, json) : -1;
}

int api_get_config(struct call *call)
{
	struct json_text text = {.style = JSON_TEXT_INDENTED};

	call_text_begin(&text);
	model_json_put(&text, call_model(call), false);
	return call_text_end(call, &text);
}

int api_get_config_diff(struct call *call)
{
	struct controller *controller = call->state->controller;
	json_t *list, *tables;

	if (controller_differences(controller, &list, &tables, &call->details, &call->fault) != 0)
		return -1;
	return call_answer(call,
			   json_pack("{s:s, s:o, s:o}", "file", controller_config_path(controller),
				     "differences", list, "tables", tables));
}

int api_get_events(struct call *call)
{
	struct api_reply *reply = call->reply;

	if (call_flag(call, "history", &reply->history) != 0)
		return -1;
	reply->follow = true;
	if (call_parameter(call, "follow") && call_flag(call, "follow", &reply->follow) != 0)
		return -1;
	reply->status = 200;
	reply->stream = true;
	return 0;
}

int api_get_trace(struct call *call)
{
	struct api_reply *reply = call->reply;

	if (trace_filter_parse(call->request->query, call_model(call), &reply->trace,
			       &call->fault) != 0)
		return -1;
	reply->status = 200;
	reply->traces = true;
	return 0;
}
