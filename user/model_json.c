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
static void put_duration(struct json_text *out, const char *key, uint64_t ms)
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
	json_text_string(out, key, used ? text : "0s");
}

/* An empty one has no key. */
static void put_text(struct json_text *out, const char *key, const char *text)
{
	if (text[0])
		json_text_string(out, key, text);
}

static void put_number(struct json_text *out, const char *key, uint64_t number)
{
	if (number)
		json_text_integer(out, key, number);
}

static void put_prefix(struct json_text *out, const char *key, const struct prefix *value)
{
	char text[PREFIX_TEXT_SIZE];

	if (value->addr.family)
		json_text_string(out, key, prefix_format(value, text));
}

/* ---- pools ---- */

const char *model_json_track(enum track_mode track)
{
	return track == TRACK_ALWAYS ? "always" : "changed";
}

static void put_affinity(struct json_text *out, const char *key, const struct pool *pool)
{
	json_text_begin(out, key, '{');
	json_text_string(out, "key", affinity_name(pool->affinity));
	if (pool->affinity == AFFINITY_SOURCE_IP) {
		json_text_integer(out, "prefix_v4", pool->prefix_v4);
		json_text_integer(out, "prefix_v6", pool->prefix_v6);
		put_duration(out, "timeout", pool->client_timeout_ms);
	}
	json_text_end(out, '}');
}

json_t *model_json_affinity(const struct pool *pool)
{
	struct json_text out = {0};

	put_affinity(&out, NULL, pool);
	return json_text_parse(&out);
}

static void put_request(struct json_text *out, const struct check *check)
{
	json_text_string(out, "path", check->path);
	put_text(out, "host", check->host);
	put_text(out, "expect", check->statuses);
	put_text(out, "body", check->body);
	if (check->type != CHECK_HTTPS)
		return;
	put_text(out, "sni", check->sni);
	put_text(out, "ca", check->ca);
	put_text(out, "certificate", check->certificate);
	put_text(out, "key", check->key);
}

/* The keys that only some types have. */
static void put_type_keys(struct json_text *out, const struct check *check)
{
	switch (check->type) {
	case CHECK_HTTP:
	case CHECK_HTTPS:
		put_request(out, check);
		break;
	case CHECK_UDP:
		put_text(out, "send", check->send);
		put_text(out, "expect", check->answer);
		break;
	case CHECK_EXEC:
		json_text_begin(out, "command", '[');
		for (const char *word = NULL; (word = check_command_next(check, word));)
			json_text_string(out, NULL, word);
		json_text_end(out, ']');
		break;
	default:
		break;
	}
}

/* The keys that all have. */
static void put_check_keys(struct json_text *out, const struct check *check)
{
	put_duration(out, "interval", check->interval_ms);
	put_duration(out, "timeout", check->timeout_ms);
	json_text_integer(out, "rise", check->rise);
	json_text_integer(out, "fall", check->fall);
	put_number(out, "port", check->port);
	if (check->via)
		json_text_string(out, "via", check->via == CHECK_VIA_TUNNEL ? "tunnel" : "direct");
	if (check->fast_interval_ms)
		put_duration(out, "fast_interval", check->fast_interval_ms);
	if (check->hold_down_ms != CHECK_DERIVED)
		put_duration(out, "hold_down", check->hold_down_ms);
}

static void put_check(struct json_text *out, const char *key, const struct check *check)
{
	json_text_begin(out, key, '{');
	json_text_string(out, "type", check_type_name(check->type));
	put_number(out, "agent", check->agent);
	if (check->type != CHECK_NONE || check->agent) {
		put_check_keys(out, check);
		put_type_keys(out, check);
	}
	json_text_end(out, '}');
}

void model_json_put_backend(struct json_text *out, const struct backend *backend)
{
	char address[ADDR_TEXT_SIZE];

	json_text_string(out, "name", backend->name);
	json_text_string(out, "address", addr_format(&backend->address, address));
	json_text_integer(out, "weight", backend->weight);
	json_text_string(out, "admin", admin_name(backend->admin));
	if (backend->drain_mode != DRAIN_AS_POOL)
		json_text_string(out, "drain_mode", drain_mode_name(backend->drain_mode));
	if (backend->drain_deadline_ms != MODEL_AS_POOL)
		put_duration(out, "drain_deadline", backend->drain_deadline_ms);
	put_number(out, "port", backend->port);
	if (backend->backup)
		json_text_boolean(out, "backup", true);
}

void model_json_put_pool_keys(struct json_text *out, const struct pool *pool)
{
	char panic[16];

	put_affinity(out, "affinity", pool);
	json_text_string(out, "forward", forward_name(pool->forward));
	/* A file that names it for another mode is refused. */
	if (pool->forward == FORWARD_MODE_GUE)
		json_text_integer(out, "gue_port", pool->gue_port);
	json_text_integer(out, "table_size", pool->table_size);
	json_text_string(out, "track", model_json_track(pool->track));
	json_text_string(out, "on_down", pool->on_down == ON_DOWN_KEEP ? "keep" : "move");
	json_text_string(out, "drain_mode", drain_mode_name(pool->drain_mode));
	put_duration(out, "drain_deadline", pool->drain_deadline_ms);
	put_duration(out, "slow_start", pool->slow_start_ms);
	snprintf(panic, sizeof(panic), "%" PRIu32 "%%", pool->panic_threshold);
	json_text_string(out, "panic_threshold", panic);
	json_text_begin(out, "idle_timeout", '{');
	put_duration(out, "tcp", pool->idle_tcp_ms);
	put_duration(out, "udp", pool->idle_udp_ms);
	json_text_end(out, '}');
	json_text_boolean(out, "snat", pool->snat);
	put_check(out, "check", &pool->check);
}

void model_json_put_pool(struct json_text *out, const struct pool *pool)
{
	json_text_string(out, "name", pool->name);
	model_json_put_pool_keys(out, pool);
	json_text_begin(out, "backends", '[');
	for (size_t i = 0; i < pool->backend_count; i++) {
		json_text_begin(out, NULL, '{');
		model_json_put_backend(out, pool->backends[i]);
		json_text_end(out, '}');
	}
	json_text_end(out, ']');
}

/* ---- services ---- */

/* An empty list has no key. */
static void put_sources(struct json_text *out, const char *key, const struct service *service,
			bool allow)
{
	char text[PREFIX_TEXT_SIZE];

	if (!service_sources_count(service, allow))
		return;
	json_text_begin(out, key, '[');
	for (size_t i = 0; i < service->source_count; i++)
		if (service->sources[i].allow == allow)
			json_text_string(out, NULL,
					 prefix_format(&service->sources[i].prefix, text));
	json_text_end(out, ']');
}

static void put_limit(struct json_text *out, const struct service *service)
{
	json_text_integer(out, "new_flow_limit", service->new_flow_limit);
	put_number(out, "new_flow_burst", service->new_flow_burst);
	json_text_begin(out, "new_flow_prefix", '{');
	json_text_integer(out, "v4", service->new_flow_prefix_v4);
	json_text_integer(out, "v6", service->new_flow_prefix_v6);
	json_text_end(out, '}');
}

void model_json_put_service(struct json_text *out, const struct service *service)
{
	char text[ENDPOINT_TEXT_SIZE];

	json_text_string(out, "name", service->name);
	json_text_begin(out, "listen", '[');
	for (size_t i = 0; i < service->listen_count; i++)
		json_text_string(out, NULL, endpoint_format(&service->listen[i], text));
	json_text_end(out, ']');
	json_text_string(out, "pool", service->pool);
	if (service->withdraw)
		json_text_boolean(out, "withdraw", true);
	put_sources(out, "allow", service, true);
	put_sources(out, "deny", service, false);
	if (service->new_flow_limit)
		put_limit(out, service);
}

/* ---- the whole ---- */

/* Without a prefix of either family it has no key. */
static void put_prefixes(struct json_text *out, const char *key, const struct prefix *v4,
			 const struct prefix *v6)
{
	if (!v4->addr.family && !v6->addr.family)
		return;
	json_text_begin(out, key, '{');
	put_prefix(out, "v4", v4);
	put_prefix(out, "v6", v6);
	json_text_end(out, '}');
}

void model_json_put_global(struct json_text *out, const struct model *model)
{
	const struct global *global = &model->global;
	const struct lb_limits limits = model_limits(model);

	if (global->metrics)
		json_text_string(out, "metrics", global->metrics);
	put_prefixes(out, "encap_source", &global->encap_v4, &global->encap_v6);
	put_prefixes(out, "snat_source", &global->snat_v4, &global->snat_v6);
	if (global->vip == VIP_INTERFACE)
		json_text_string(out, "vip", "interface");
	json_text_begin(out, "limits", '{');
	json_text_integer(out, "flows", limits.flows);
	json_text_integer(out, "clients", limits.clients);
	json_text_integer(out, "nat_flows", limits.nat_flows);
	json_text_integer(out, "backends", limits.backends);
	json_text_integer(out, "services", limits.services);
	/* These follow from the pools where nobody gave them. */
	if (global->limits.slots)
		json_text_integer(out, "slots", limits.slots);
	if (global->limits.counters)
		json_text_integer(out, "counters", limits.counters);
	json_text_end(out, '}');
}

static void put_seed(struct json_text *out, const struct global *global)
{
	char seed[2 * LB_SEED_SIZE + 1];

	for (size_t i = 0; i < LB_SEED_SIZE; i++)
		snprintf(seed + 2 * i, 3, "%02x", global->hash_seed[i]);
	json_text_string(out, "hash_seed", seed);
}

void model_json_put(struct json_text *out, const struct model *model, bool seed)
{
	json_text_integer(out, "version", 1);
	json_text_begin(out, "global", '{');
	model_json_put_global(out, model);
	if (seed && model->global.hash_seed_set)
		put_seed(out, &model->global);
	json_text_end(out, '}');
	json_text_begin(out, "pools", '[');
	for (size_t i = 0; i < model->pool_count; i++) {
		json_text_begin(out, NULL, '{');
		model_json_put_pool(out, model->pools[i]);
		json_text_end(out, '}');
	}
	json_text_end(out, ']');
	json_text_begin(out, "services", '[');
	for (size_t i = 0; i < model->service_count; i++) {
		json_text_begin(out, NULL, '{');
		model_json_put_service(out, model->services[i]);
		json_text_end(out, '}');
	}
	json_text_end(out, ']');
}
