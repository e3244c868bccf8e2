/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_json: the model's state and the data plane's counts as the API shows them.
 *
 * The field names are a promise to scripts: add, never change. Configuration is model_json's; here
 * is state. Knows no map, no socket and no request.
 */
#include "api_json.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane.h"
#include "model_json.h"

static char *put_number(char *at, unsigned value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + digits;
}

const char *api_time_format(uint64_t ms, char out[API_TIME_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	char *at = strcpy(out, "YYYY-MM-DDThh:mm:ss.000Z");
	struct tm tm;

	if (!ms || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > 9999)
		return NULL;
	at = put_number(at, (unsigned)tm.tm_year + 1900, 4) + 1;
	at = put_number(at, (unsigned)tm.tm_mon + 1, 2) + 1;
	at = put_number(at, (unsigned)tm.tm_mday, 2) + 1;
	at = put_number(at, (unsigned)tm.tm_hour, 2) + 1;
	at = put_number(at, (unsigned)tm.tm_min, 2) + 1;
	at = put_number(at, (unsigned)tm.tm_sec, 2) + 1;
	put_number(at, ms % 1000, 3);
	return out;
}

json_t *api_json_time(uint64_t ms)
{
	char out[API_TIME_SIZE];
	const char *text = api_time_format(ms, out);

	return text ? json_string(text) : json_null();
}

/* A string: most readers of JSON keep no more than 53 bits of a number. */
const char *api_digest_format(uint64_t digest, char out[API_DIGEST_SIZE])
{
	snprintf(out, API_DIGEST_SIZE, "%016" PRIx64, digest);
	return out;
}

const char *api_decided_by_name(uint32_t decided_by)
{
	static const char *const names[LB_BY_COUNT] = {
		[LB_BY_NONE] = "none", [LB_BY_SLOT] = "slot",     [LB_BY_FALLBACK] = "fallback",
		[LB_BY_FLOW] = "flow", [LB_BY_CLIENT] = "client",
	};

	return decided_by < LB_BY_COUNT ? names[decided_by] : "none";
}

bool api_backend_up(const struct pool *pool, const struct backend *backend)
{
	return backend_usable(pool, backend) &&
	       (backend->health == HEALTH_UP || !pool_checks(pool));
}

/* New UDP flows are seen only where every flow is tracked: a zero would look like a fact. */
bool api_new_flows_counted(const struct model *model, const struct pool *pool)
{
	bool udp = false;

	if (pool->track == TRACK_ALWAYS)
		return true;
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		if (strcmp(service->pool, pool->name) != 0)
			continue;
		for (size_t j = 0; j < service->listen_count; j++) {
			if (service->listen[j].proto == IPPROTO_TCP)
				return true;
			udp = true;
		}
	}
	return !udp;
}

bool api_service_new_flows_counted(const struct model *model, const struct service *service)
{
	const struct pool *pool = model_pool_find(model, service->pool);
	bool counted = !pool || pool->track == TRACK_ALWAYS;

	for (size_t i = 0; i < service->listen_count; i++)
		counted = counted || service->listen[i].proto == IPPROTO_TCP;
	return counted;
}

json_t *api_json_check_target(const struct model *model, const struct pool *pool,
			      const struct backend *backend)
{
	struct check_target target = model_check_target(model, pool, backend);
	char address[ADDR_TEXT_SIZE];

	if (pool->check.type == CHECK_NONE)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:o}", "type", check_type_name(pool->check.type), "via",
			 target.tunnel ? "tunnel" : "direct", "address",
			 addr_format(&target.address, address), "port",
			 target.port ? json_integer(target.port) : json_null());
}

size_t api_backends_up(const struct pool *pool)
{
	size_t up = 0;

	for (size_t i = 0; i < pool->backend_count; i++)
		up += api_backend_up(pool, pool->backends[i]);
	return up;
}

static json_t *pool_services(const struct model *model, const struct pool *pool)
{
	json_t *names = json_array();

	for (size_t i = 0; i < model->service_count; i++)
		if (!strcmp(model->services[i]->pool, pool->name))
			json_array_append_new(names, json_string(model->services[i]->name));
	return names;
}

json_t *api_json_pool(const struct model *model, const struct pool *pool)
{
	char digest[API_DIGEST_SIZE];

	return json_pack(
		"{s:s, s:b, s:I, s:o, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:s}",
		"name", pool->name, "snat", pool->snat, "nat_flows", (json_int_t)pool->nat_flows,
		"affinity", model_json_affinity(pool), "forward", forward_name(pool->forward),
		"track", model_json_track(pool->track), "table_size", (json_int_t)pool->table_size,
		"table_digest", api_digest_format(pool->table_digest, digest), "unsettled_slots",
		(json_int_t)pool->unsettled_slots, "tracked_flows", (json_int_t)pool->tracked_flows,
		"clients", (json_int_t)pool->clients, "services", pool_services(model, pool),
		"backends_up", (json_int_t)api_backends_up(pool), "backend_count",
		(json_int_t)pool->backend_count, "mode", pool_mode_name(pool->mode));
}

/* ---- verdicts ---- */

/* What the kernel is told for each verdict, in the words of the list. */
static const char *const verdict_actions[LB_VERDICT_COUNT] = {
#define VERDICT_ACTION(name, action, text) [LB_##name] = #action,
	LB_VERDICTS(VERDICT_ACTION)
#undef VERDICT_ACTION
};

bool api_verdict_drops(uint32_t verdict)
{
	const char *action = verdict_actions[verdict];

	return action && (!strcmp(action, "DROP") || !strcmp(action, "REFUSE"));
}

const char *api_verdict_action(uint32_t verdict)
{
	static const struct {
		const char *action, *word;
	} words[] = {{"TX", "forward"},
		     {"PASS", "pass"},
		     {"DROP", "drop"},
		     {"REFUSE", "refuse"},
		     {"ANSWER", "answer"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(verdict_actions[verdict], words[i].action))
			return words[i].word;
	}
	return "forward";
}

json_t *api_json_verdicts(const struct lb_verdict_counter *counts, bool all)
{
	json_t *list = json_array();

	for (uint32_t verdict = LB_CONTINUE + 1; verdict < LB_VERDICT_COUNT; verdict++) {
		if (!all && !api_verdict_drops(verdict))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "verdict",
						      dataplane_verdict_name(verdict), "action",
						      api_verdict_action(verdict), "packets",
						      (json_int_t)counts[verdict].packets, "bytes",
						      (json_int_t)counts[verdict].bytes, "meaning",
						      dataplane_verdict_text(verdict)));
	}
	return list;
}

json_t *api_json_totals(const struct lb_verdict_counter *counts)
{
	uint64_t dropped = 0;

	for (uint32_t verdict = 0; verdict < LB_VERDICT_COUNT; verdict++)
		if (api_verdict_drops(verdict))
			dropped += counts[verdict].packets;
	return json_pack("{s:I, s:I, s:I}", "packets", (json_int_t)counts[LB_FORWARDED].packets,
			 "bytes", (json_int_t)counts[LB_FORWARDED].bytes, "dropped_packets",
			 (json_int_t)dropped);
}

static json_t *error_pack(const struct fault *fault, const char *details)
{
	return json_pack("{s:i, s:{s:s, s:s, s:s, s:s*}}", "schema", API_SCHEMA, "error", "code",
			 fault_code_name(fault->code), "message", fault->message, "hint",
			 fault->hint, "details", details);
}

static void to_ascii(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
}

json_t *api_json_error(const struct fault *fault, const char *details)
{
	json_t *json = error_pack(fault, details);
	struct fault ascii = *fault;
	char *copy;

	if (json)
		return json;
	/* Quoted input may be no UTF-8, or cut inside a character; jansson refuses it. */
	to_ascii(ascii.message);
	to_ascii(ascii.hint);
	copy = details ? strdup(details) : NULL;
	if (copy)
		to_ascii(copy);
	json = error_pack(&ascii, copy);
	free(copy);
	return json;
}
