/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_json: configuration out of the model, in JSON, with the keys of lbd.yaml.
 *
 * What is written here config takes back, and makes the same of it. Knows the model and the file's
 * words; no state, no map, no socket.
 */
#include "model_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "check.h"

/* The file's own notation, so that what is shown can be put into the file: 2h10m, 500ms, 0s. */
static json_t *duration(uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	char text[64] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms < units[i].ms)
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%" PRIu64 "%s",
					 ms / units[i].ms, units[i].unit);
		ms %= units[i].ms;
	}
	return json_string(used ? text : "0s");
}

/* NULL for an empty prefix: json_pack's "s:o*" leaves the key out. */
static json_t *prefix(const struct prefix *value)
{
	char text[PREFIX_TEXT_SIZE];

	return value->addr.family ? json_string(prefix_format(value, text)) : NULL;
}

const char *model_json_track(enum track_mode track)
{
	return track == TRACK_ALWAYS ? "always" : "changed";
}

json_t *model_json_affinity(const struct pool *pool)
{
	if (pool->affinity != AFFINITY_SOURCE_IP)
		return json_pack("{s:s}", "key", affinity_name(pool->affinity));
	return json_pack("{s:s, s:i, s:i, s:o}", "key", affinity_name(pool->affinity), "prefix_v4",
			 pool->prefix_v4, "prefix_v6", pool->prefix_v6, "timeout",
			 duration(pool->client_timeout_ms));
}

static void add_text(json_t *json, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(json, key, json_string(text));
}

static void add_request(json_t *json, const struct check *check)
{
	json_object_set_new(json, "path", json_string(check->path));
	add_text(json, "host", check->host);
	add_text(json, "expect", check->statuses);
	add_text(json, "body", check->body);
	if (check->type != CHECK_HTTPS)
		return;
	add_text(json, "sni", check->sni);
	add_text(json, "ca", check->ca);
	add_text(json, "certificate", check->certificate);
	add_text(json, "key", check->key);
}

/* The keys that only some types have. */
static void add_type_keys(json_t *json, const struct check *check)
{
	json_t *command;

	switch (check->type) {
	case CHECK_HTTP:
	case CHECK_HTTPS:
		add_request(json, check);
		break;
	case CHECK_UDP:
		add_text(json, "send", check->send);
		add_text(json, "expect", check->answer);
		break;
	case CHECK_EXEC:
		command = json_array();
		for (const char *word = NULL; (word = check_command_next(check, word));)
			json_array_append_new(command, json_string(word));
		json_object_set_new(json, "command", command);
		break;
	default:
		break;
	}
}

static json_t *check_json(const struct check *check)
{
	json_t *json = json_pack("{s:s}", "type", check_type_name(check->type));

	if (json && check->agent)
		json_object_set_new(json, "agent", json_integer(check->agent));
	if (!json || (check->type == CHECK_NONE && !check->agent))
		return json;
	json_object_update_new(json,
			       json_pack("{s:o, s:o, s:I, s:I, s:o*}", "interval",
					 duration(check->interval_ms), "timeout",
					 duration(check->timeout_ms), "rise",
					 (json_int_t)check->rise, "fall", (json_int_t)check->fall,
					 "port", check->port ? json_integer(check->port) : NULL));
	if (check->via)
		add_text(json, "via", check->via == CHECK_VIA_TUNNEL ? "tunnel" : "direct");
	if (check->fast_interval_ms)
		json_object_set_new(json, "fast_interval", duration(check->fast_interval_ms));
	if (check->hold_down_ms != CHECK_DERIVED)
		json_object_set_new(json, "hold_down", duration(check->hold_down_ms));
	add_type_keys(json, check);
	return json;
}

json_t *model_json_backend(const struct backend *backend)
{
	char address[ADDR_TEXT_SIZE];

	return json_pack(
		"{s:s, s:s, s:I, s:s, s:s*, s:o*, s:o*, s:o*}", "name", backend->name, "address",
		addr_format(&backend->address, address), "weight", (json_int_t)backend->weight,
		"admin", admin_name(backend->admin), "drain_mode",
		backend->drain_mode == DRAIN_AS_POOL ? NULL : drain_mode_name(backend->drain_mode),
		"drain_deadline",
		backend->drain_deadline_ms == MODEL_AS_POOL ? NULL
							    : duration(backend->drain_deadline_ms),
		"port", backend->port ? json_integer(backend->port) : NULL, "backup",
		backend->backup ? json_true() : NULL);
}

/* NULL for an empty list, which leaves the key out. */
static json_t *sources(const struct service *service, bool allow)
{
	json_t *list = service_sources_count(service, allow) ? json_array() : NULL;

	for (size_t i = 0; list && i < service->source_count; i++) {
		char text[PREFIX_TEXT_SIZE];

		if (service->sources[i].allow == allow)
			json_array_append_new(list, json_string(prefix_format(
							    &service->sources[i].prefix, text)));
	}
	return list;
}

static void add_sources(json_t *json, const struct service *service)
{
	json_object_update_new(json, json_pack("{s:o*, s:o*}", "allow", sources(service, true),
					       "deny", sources(service, false)));
	if (!service->new_flow_limit)
		return;
	json_object_update_new(
		json,
		json_pack("{s:I, s:o*, s:{s:i, s:i}}", "new_flow_limit",
			  (json_int_t)service->new_flow_limit, "new_flow_burst",
			  service->new_flow_burst ? json_integer(service->new_flow_burst) : NULL,
			  "new_flow_prefix", "v4", service->new_flow_prefix_v4, "v6",
			  service->new_flow_prefix_v6));
}

json_t *model_json_service(const struct service *service)
{
	json_t *listen = json_array(), *json;

	for (size_t i = 0; i < service->listen_count; i++) {
		char text[ENDPOINT_TEXT_SIZE];

		json_array_append_new(listen,
				      json_string(endpoint_format(&service->listen[i], text)));
	}
	json = json_pack("{s:s, s:o, s:s, s:o*}", "name", service->name, "listen", listen, "pool",
			 service->pool, "withdraw", service->withdraw ? json_true() : NULL);
	if (json)
		add_sources(json, service);
	return json;
}

/* A file that names it for another mode is refused. */
static json_t *gue_port(const struct pool *pool)
{
	return pool->forward == FORWARD_MODE_GUE ? json_integer(pool->gue_port) : NULL;
}

json_t *model_json_pool(const struct pool *pool)
{
	char panic[16];
	json_t *backends = json_array();

	for (size_t i = 0; i < pool->backend_count; i++)
		json_array_append_new(backends, model_json_backend(pool->backends[i]));
	snprintf(panic, sizeof(panic), "%" PRIu32 "%%", pool->panic_threshold);
	return json_pack("{s:s, s:o, s:s, s:o*, s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:{s:o, s:o}, "
			 "s:b, s:o, s:o}",
			 "name", pool->name, "affinity", model_json_affinity(pool), "forward",
			 forward_name(pool->forward), "gue_port", gue_port(pool), "table_size",
			 (json_int_t)pool->table_size, "track", model_json_track(pool->track),
			 "on_down", pool->on_down == ON_DOWN_KEEP ? "keep" : "move", "drain_mode",
			 pool->drain_mode == DRAIN_CLIENTS ? "clients" : "flows", "drain_deadline",
			 duration(pool->drain_deadline_ms), "slow_start",
			 duration(pool->slow_start_ms), "panic_threshold", panic, "idle_timeout",
			 "tcp", duration(pool->idle_tcp_ms), "udp", duration(pool->idle_udp_ms),
			 "snat", pool->snat, "check", check_json(&pool->check), "backends",
			 backends);
}

json_t *model_json_global(const struct model *model)
{
	const struct global *global = &model->global;
	const struct lb_limits limits = model_limits(model);
	json_t *encap = NULL, *snat = NULL;

	if (global->snat_v4.addr.family || global->snat_v6.addr.family)
		snat = json_pack("{s:o*, s:o*}", "v4", prefix(&global->snat_v4), "v6",
				 prefix(&global->snat_v6));
	if (global->encap_v4.addr.family || global->encap_v6.addr.family)
		encap = json_pack("{s:o*, s:o*}", "v4", prefix(&global->encap_v4), "v6",
				  prefix(&global->encap_v6));
	/* The last two follow from the pools where nobody gave them. */
	return json_pack("{s:s*, s:o*, s:o*, s:s*, s:{s:I, s:I, s:I, s:I, s:I, s:o*, s:o*}}",
			 "metrics", global->metrics, "encap_source", encap, "snat_source", snat,
			 "vip", global->vip == VIP_INTERFACE ? "interface" : NULL, "limits",
			 "flows", (json_int_t)limits.flows, "clients", (json_int_t)limits.clients,
			 "nat_flows", (json_int_t)limits.nat_flows, "backends",
			 (json_int_t)limits.backends, "services", (json_int_t)limits.services,
			 "slots", global->limits.slots ? json_integer(limits.slots) : NULL,
			 "counters",
			 global->limits.counters ? json_integer(limits.counters) : NULL);
}

json_t *model_json(const struct model *model)
{
	json_t *pools = json_array(), *services = json_array();

	for (size_t i = 0; i < model->pool_count; i++)
		json_array_append_new(pools, model_json_pool(model->pools[i]));
	for (size_t i = 0; i < model->service_count; i++)
		json_array_append_new(services, model_json_service(model->services[i]));
	return json_pack("{s:i, s:o, s:o, s:o}", "version", 1, "global", model_json_global(model),
			 "pools", pools, "services", services);
}
