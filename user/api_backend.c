/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_backend: see api_backend.h. The names of the fields are a promise to scripts: add, never
 * change.
 */
#include "api_backend.h"

#include <stdio.h>
#include <string.h>

#include "api_json.h"
#include "drain.h"

/* One backend on its way out. */
struct view {
	struct api_backends *all;
	const struct backend *backend;
	const struct lb_counter *counter;
	uint32_t effective_weight;
};

/* ---- values ---- */

static void put_time(struct json_text *text, const char *key, uint64_t ms)
{
	char out[API_TIME_SIZE];
	const char *time = api_time_format(ms, out);

	if (time)
		json_text_string(text, key, time);
	else
		json_text_null(text, key);
}

/* ---- what it is ---- */

static void put_pool(struct json_text *text, const char *key, const struct view *view)
{
	json_text_string(text, key, view->all->pool->name);
}

static void put_name(struct json_text *text, const char *key, const struct view *view)
{
	json_text_string(text, key, view->backend->name);
}

static void put_address(struct json_text *text, const char *key, const struct view *view)
{
	char address[ADDR_TEXT_SIZE];

	json_text_string(text, key, addr_format(&view->backend->address, address));
}

static void put_port(struct json_text *text, const char *key, const struct view *view)
{
	if (view->backend->port)
		json_text_integer(text, key, view->backend->port);
	else
		json_text_null(text, key);
}

static void put_weight(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->backend->weight);
}

static void put_effective_weight(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->effective_weight);
}

static void put_backup(struct json_text *text, const char *key, const struct view *view)
{
	json_text_boolean(text, key, view->backend->backup);
}

/* ---- how it is ---- */

static void put_admin(struct json_text *text, const char *key, const struct view *view)
{
	json_text_string(text, key, admin_name(view->backend->admin));
}

static void put_health(struct json_text *text, const char *key, const struct view *view)
{
	json_text_string(text, key, health_name(view->backend->health));
}

static void put_reason(struct json_text *text, const char *key, const struct view *view)
{
	json_text_string(text, key, view->backend->reason);
}

static void put_why(struct json_text *text, const char *key, const struct view *view)
{
	char why[BACKEND_WHY_SIZE];

	json_text_string(text, key, backend_why(view->all->pool, view->backend, why));
}

static void put_since(struct json_text *text, const char *key, const struct view *view)
{
	put_time(text, key, view->backend->since_ms);
}

static void put_last_check(struct json_text *text, const char *key, const struct view *view)
{
	put_time(text, key, view->backend->checked_ms);
}

static void put_held_until(struct json_text *text, const char *key, const struct view *view)
{
	put_time(text, key, view->backend->held_until_ms);
}

static void put_short_lives(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->backend->short_lives);
}

/* What its agent says; null: it has none. */
static void put_agent(struct json_text *text, const char *key, const struct view *view)
{
	const struct agent_says *says = &view->backend->agent;

	if (!view->all->pool->check.agent) {
		json_text_null(text, key);
		return;
	}
	json_text_begin(text, key, '{');
	json_text_string(text, "admin", admin_name(says->admin));
	json_text_string(text, "health", says->down ? "down" : "up");
	json_text_integer(text, "weight_percent", 100 - says->weight_less);
	json_text_string(text, "said", view->backend->agent_line);
	json_text_end(text, '}');
}

static const char *name_interface(struct api_backends *all, uint32_t ifindex)
{
	if (ifindex != all->ifindex && !if_indextoname(ifindex, all->interface))
		all->interface[0] = '\0';
	all->ifindex = ifindex;
	return all->interface[0] ? all->interface : NULL;
}

/* Of a next hop: null where there is none. */

static void put_hop_interface(struct json_text *text, const char *key, const struct view *view)
{
	const struct next_hop *hop = &view->backend->hop;
	const char *interface = hop->resolved ? name_interface(view->all, hop->ifindex) : NULL;

	if (interface)
		json_text_string(text, key, interface);
	else
		json_text_null(text, key);
}

static void put_hop_mac(struct json_text *text, const char *key, const struct view *view)
{
	static const char hex[] = "0123456789abcdef";
	const struct next_hop *hop = &view->backend->hop;
	char mac[] = "xx:xx:xx:xx:xx:xx";

	for (size_t i = 0; i < sizeof(hop->destination_mac); i++) {
		mac[3 * i] = hex[hop->destination_mac[i] >> 4];
		mac[3 * i + 1] = hex[hop->destination_mac[i] & 15];
	}
	if (hop->resolved)
		json_text_string(text, key, mac);
	else
		json_text_null(text, key);
}

static void put_hop_mtu(struct json_text *text, const char *key, const struct view *view)
{
	if (view->backend->hop.resolved)
		json_text_integer(text, key, view->backend->hop.mtu);
	else
		json_text_null(text, key);
}

static void put_next_hop(struct json_text *text, const char *key, const struct view *view)
{
	const struct next_hop *hop = &view->backend->hop;

	json_text_begin(text, key, '{');
	json_text_boolean(text, "resolved", hop->resolved);
	put_hop_interface(text, "interface", view);
	put_hop_mac(text, "mac", view);
	put_hop_mtu(text, "mtu", view);
	if (hop->resolved)
		json_text_null(text, "why");
	else
		json_text_string(text, "why", hop->why);
	json_text_end(text, '}');
}

/* ---- what it gets ---- */

static void put_slots(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->backend->slots);
}

/* The slots that the backend's weight entitles it to, to the nearest one. */
static void put_fair_slots(struct json_text *text, const char *key, const struct view *view)
{
	uint64_t share = (uint64_t)view->all->pool->table_size * view->effective_weight;
	uint64_t total = view->all->weight;

	json_text_integer(text, key, total ? (share + total / 2) / total : 0);
}

static void put_packets(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->counter->packets);
}

static void put_bytes(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->counter->bytes);
}

static void put_new_flows(struct json_text *text, const char *key, const struct view *view)
{
	if (view->all->new_flows_counted)
		json_text_integer(text, key, view->counter->new_flows);
	else
		json_text_null(text, key);
}

/* As of the last sweep. */
static void put_nat_refused(struct json_text *text, const char *key, const struct view *view)
{
	if (view->all->pool->forward == FORWARD_MODE_NAT)
		json_text_integer(text, key, view->backend->nat_refused);
	else
		json_text_null(text, key);
}

/* Clients that are pinned to it. */
static void put_pins(struct json_text *text, const char *key, const struct view *view)
{
	json_text_integer(text, key, view->backend->pins);
}

/* What a draining backend has still to lose; flows and clients as of the last sweep. */
static void put_left(struct json_text *text, const char *key, const struct view *view)
{
	const struct backend *backend = view->backend;

	if (backend->admin != ADMIN_DRAIN) {
		json_text_null(text, key);
		return;
	}
	json_text_begin(text, key, '{');
	json_text_integer(text, "flows", backend->left_flows);
	json_text_integer(text, "clients", backend->left_clients);
	json_text_integer(text, "slots", (uint64_t)backend->slots + backend->left_slots);
	json_text_boolean(text, "complete", !backend->left_missed_ms);
	json_text_end(text, '}');
}

static void put_moved(struct json_text *text, const struct backend *backend)
{
	if (!backend->drain_moved_known) {
		json_text_null(text, "moved");
		return;
	}
	json_text_begin(text, "moved", '{');
	json_text_integer(text, "flows", backend->drain_moved_flows);
	json_text_integer(text, "clients", backend->drain_moved_clients);
	json_text_end(text, '}');
}

static void put_drain(struct json_text *text, const char *key, const struct view *view)
{
	const struct backend *backend = view->backend;
	const struct pool *pool = view->all->pool;

	if (backend->admin != ADMIN_DRAIN) {
		json_text_null(text, key);
		return;
	}
	json_text_begin(text, key, '{');
	json_text_string(text, "mode", drain_mode_name(backend_drain_mode(pool, backend)));
	put_time(text, "began", backend->drain_began_ms);
	put_time(text, "deadline", backend->drain_until_ms);
	json_text_boolean(text, "deadline_passed", backend->drain_over);
	put_moved(text, backend);
	json_text_boolean(text, "done", drain_done(pool, backend, pool->swept_ms));
	json_text_end(text, '}');
}

/* ---- all of it ---- */

static const struct field {
	const char *name;
	void (*put)(struct json_text *text, const char *key, const struct view *view);
} fields[] = {
	{"pool", put_pool},
	{"name", put_name},
	{"address", put_address},
	{"port", put_port},
	{"weight", put_weight},
	{"effective_weight", put_effective_weight},
	{"backup", put_backup},
	{"admin", put_admin},
	{"health", put_health},
	{"reason", put_reason},
	{"since", put_since},
	{"last_check", put_last_check},
	{"slots", put_slots},
	{"fair_slots", put_fair_slots},
	{"packets", put_packets},
	{"bytes", put_bytes},
	{"new_flows", put_new_flows},
	{"nat_refused", put_nat_refused},
	{"left", put_left},
	{"drain", put_drain},
	{"next_hop", put_next_hop},
	{"why", put_why},
	{"held_until", put_held_until},
	{"short_lives", put_short_lives},
	{"agent", put_agent},
	{"pins", put_pins},
	/* Parts of another one, for those who ask for them. */
	{"next_hop.interface", put_hop_interface},
	{"next_hop.mac", put_hop_mac},
	{"next_hop.mtu", put_hop_mtu},
};

_Static_assert(sizeof(fields) / sizeof(fields[0]) == API_BACKEND_FIELDS, "count them");

static int want_field(struct api_backends *backends, const char *word, struct fault *fault)
{
	const char *names[API_BACKEND_FIELDS], *nearest;

	for (size_t i = 0; i < API_BACKEND_FIELDS; i++) {
		if (!strcmp(fields[i].name, word)) {
			backends->wanted[i] = true;
			return 0;
		}
		names[i] = fields[i].name;
	}
	nearest = fault_nearest(word, names, API_BACKEND_FIELDS);
	fault_set(fault, FAULT_USAGE, "parameter fields: a backend has no field \"%s\"", word);
	return nearest ? fault_hint(fault, "did you mean %s?", nearest) : -1;
}

int api_backends_init(struct api_backends *backends, const struct model *model, const char *list,
		      struct fault *fault)
{
	char word[32];

	*backends = (struct api_backends){.model = model};
	for (size_t i = 0; !list && i < API_BACKEND_FIELDS; i++)
		backends->wanted[i] = !strchr(fields[i].name, '.');
	while (list && *list) {
		size_t size = strcspn(list, ",");

		snprintf(word, sizeof(word), "%.*s", (int)(size < 1000 ? size : 1000), list);
		if (want_field(backends, word, fault) != 0)
			return -1;
		list += size + (list[size] == ',');
	}
	return 0;
}

void api_backends_enter(struct api_backends *backends, const struct pool *pool)
{
	backends->pool = pool;
	backends->new_flows_counted = api_new_flows_counted(backends->model, pool);
	backends->weight = 0;
	for (size_t i = 0; i < pool->backend_count; i++)
		backends->weight += backend_effective_weight(pool, pool->backends[i]);
}

void api_backends_head(const struct api_backends *backends, struct json_text *text)
{
	json_text_begin(text, NULL, '{');
	for (size_t i = 0; i < API_BACKEND_FIELDS; i++)
		if (backends->wanted[i])
			json_text_string(text, fields[i].name, fields[i].name);
	json_text_end(text, '}');
}

void api_backends_put(struct api_backends *backends, struct json_text *text,
		      const struct backend *backend, const struct lb_counter *counter)
{
	const struct view view = {.all = backends,
				  .backend = backend,
				  .counter = counter,
				  .effective_weight =
					  backend_effective_weight(backends->pool, backend)};

	json_text_begin(text, NULL, '{');
	for (size_t i = 0; i < API_BACKEND_FIELDS; i++)
		if (backends->wanted[i])
			fields[i].put(text, fields[i].name, &view);
	json_text_end(text, '}');
}
