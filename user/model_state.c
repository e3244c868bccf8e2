/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_state: the second half of model.h: what a backend's admin state, health, weight and next
 * hop add up to, where its check goes, which map sizes a model asks for, and the words for all
 * that. Reads the model and changes nothing but a backend's health.
 */
#include "model.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

enum {
	SLOTS_MIN = 1 << 20,
	COUNTERS_MIN = 1 << 16,
	/* Up to here room to grow is added: 96 MiB for each CPU. */
	COUNTERS_SPARE_MAX = 1 << 22,
};

/* ---- the state of a backend ---- */

static void log_transition(const struct pool *pool, struct backend *backend, enum health_state from,
			   uint64_t now_ms)
{
	char more[64] = "";
	uint32_t suppressed;

	if (!log_allowed(&backend->transitions, now_ms, &suppressed))
		return;
	if (suppressed)
		snprintf(more, sizeof(more), " (%u changes of it were not logged)", suppressed);
	log_info("backend %s/%s: %s -> %s: %s%s", pool->name, backend->name, health_name(from),
		 health_name(backend->health),
		 backend->reason[0] ? backend->reason : "no reason given", more);
}

bool model_set_backend_health(struct pool *pool, struct backend *backend, enum health_state health,
			      const char *reason, uint64_t now_ms)
{
	enum health_state from = backend->health;
	size_t size = strnlen(reason, sizeof(backend->reason) - 1);

	/* The reason may be the backend's own. */
	memmove(backend->reason, reason, size);
	backend->reason[size] = '\0';
	if (health == from)
		return false;
	backend->health = health;
	backend->since_ms = now_ms;
	backend->transition_count++;
	log_transition(pool, backend, from, now_ms);
	return true;
}

/* Without a check, health is whatever was left from when there was one. */
bool pool_checks(const struct pool *pool)
{
	return pool->check.type != CHECK_NONE || pool->check.agent;
}

enum pool_mode pool_mode_of(uint32_t wanted, uint32_t up, uint32_t backups_up,
			    uint32_t panic_threshold)
{
	if (!up && backups_up)
		return POOL_BACKUP;
	if (!backups_up && (uint64_t)up * 100 < (uint64_t)wanted * panic_threshold)
		return POOL_PANIC;
	return POOL_NORMAL;
}

enum admin_state backend_admin(const struct backend *backend)
{
	return backend->agent.admin > backend->admin ? backend->agent.admin : backend->admin;
}

static bool is_wanted(const struct backend *backend)
{
	return backend_admin(backend) == ADMIN_READY && backend->weight > 0 &&
	       backend->agent.weight_less < 100;
}

/* Where there is nothing but an agent, what it has not denied is so. */
static bool is_healthy(const struct pool *pool, const struct backend *backend)
{
	return backend->health == HEALTH_UP ||
	       (pool->check.type == CHECK_NONE &&
		(!pool_checks(pool) || backend->health != HEALTH_DOWN));
}

static bool is_up(const struct pool *pool, const struct backend *backend)
{
	return backend->hop.resolved && is_healthy(pool, backend);
}

struct pool_census {
	uint32_t wanted, up, backups_up;
};

static struct pool_census pool_count(const struct pool *pool)
{
	struct pool_census census = {0};

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *backend = pool->backends[i];

		if (!is_wanted(backend))
			continue;
		if (backend->backup) {
			census.backups_up += is_up(pool, backend);
		} else {
			census.wanted++;
			census.up += is_up(pool, backend);
		}
	}
	return census;
}

enum pool_mode pool_mode_now(const struct pool *pool)
{
	const struct pool_census census = pool_count(pool);

	return pool_mode_of(census.wanted, census.up, census.backups_up, pool->panic_threshold);
}

void pool_reconsider(struct pool *pool, uint64_t now_ms)
{
	const struct pool_census census = pool_count(pool);
	enum pool_mode from = pool->mode;
	uint32_t suppressed;

	pool->mode = pool_mode_now(pool);
	if (pool->mode == from || !log_allowed(&pool->mode_changes, now_ms, &suppressed))
		return;
	log_write(pool->mode == POOL_NORMAL ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		  "pool %s: %s -> %s: %u of %u backends up, and %u backups%s", pool->name,
		  pool_mode_name(from), pool_mode_name(pool->mode), census.up, census.wanted,
		  census.backups_up, pool->mode == POOL_PANIC ? "; health is disregarded" : "");
}

static bool health_allows(const struct pool *pool, const struct backend *backend)
{
	return !pool_checks(pool) || (pool->mode == POOL_PANIC && !backend->backup);
}

bool backend_takes_new(const struct pool *pool, const struct backend *backend)
{
	return is_wanted(backend) && backend->hop.resolved &&
	       (!backend->backup || pool->mode == POOL_BACKUP) &&
	       (is_healthy(pool, backend) || health_allows(pool, backend));
}

bool backend_usable(const struct pool *pool, const struct backend *backend)
{
	if (backend->admin == ADMIN_DRAIN && backend->drain_over)
		return false;
	return backend_admin(backend) != ADMIN_MAINT && backend->hop.resolved &&
	       (backend->health != HEALTH_DOWN || health_allows(pool, backend) ||
		pool->on_down == ON_DOWN_KEEP);
}

bool backend_takes_clients(const struct pool *pool, const struct backend *backend)
{
	/* One that is kept although it is down (on_down) keeps flows, not clients. */
	return backend_takes_new(pool, backend) ||
	       (backend_admin(backend) == ADMIN_DRAIN && backend->weight > 0 &&
		backend_drain_mode(pool, backend) == DRAIN_CLIENTS && is_healthy(pool, backend) &&
		backend_usable(pool, backend));
}

uint32_t backend_effective_weight(const struct pool *pool, const struct backend *backend)
{
	uint64_t share = (uint64_t)(100 - backend->held_back) * (100 - backend->agent.weight_less);
	uint32_t weight = (uint32_t)((backend->weight * share + 9999) / 10000);

	return backend_takes_new(pool, backend) ? weight : 0;
}

const char *backend_why(const struct pool *pool, const struct backend *backend,
			char out[BACKEND_WHY_SIZE])
{
	bool down = pool_checks(pool) && backend->health == HEALTH_DOWN;

	out[0] = '\0';
	if (!backend->hop.resolved)
		snprintf(out, BACKEND_WHY_SIZE, "no next hop%s%s",
			 backend->hop.why[0] ? ": " : " yet", backend->hop.why);
	else if (backend->admin != ADMIN_READY)
		snprintf(out, BACKEND_WHY_SIZE, "%s, as it was told", admin_name(backend->admin));
	else if (backend->agent.admin != ADMIN_READY)
		snprintf(out, BACKEND_WHY_SIZE, "%s, says its agent",
			 admin_name(backend->agent.admin));
	else if (backend->weight == 0)
		snprintf(out, BACKEND_WHY_SIZE, "its weight is 0");
	else if (down && pool->mode == POOL_PANIC && !backend->backup)
		snprintf(out, BACKEND_WHY_SIZE, "used though it is down: too few are up (panic)");
	else if (down && backend->held_until_ms)
		snprintf(out, BACKEND_WHY_SIZE, "held down after %u short lives in a row",
			 backend->short_lives);
	else if (!is_healthy(pool, backend) && backend->health == HEALTH_UNKNOWN)
		snprintf(out, BACKEND_WHY_SIZE, "no good check yet");
	else if (!down && backend->backup && pool->mode != POOL_BACKUP)
		snprintf(out, BACKEND_WHY_SIZE, "a backup, not needed");
	else if (!down && backend->held_back)
		snprintf(out, BACKEND_WHY_SIZE, "slow start: %u%% of its weight",
			 100 - backend->held_back);
	else if (!down && backend->agent.weight_less)
		snprintf(out, BACKEND_WHY_SIZE, "%u%% of its weight, says its agent",
			 100 - backend->agent.weight_less);
	return out;
}

enum drain_mode backend_drain_mode(const struct pool *pool, const struct backend *backend)
{
	return backend->drain_mode == DRAIN_AS_POOL ? pool->drain_mode : backend->drain_mode;
}

uint64_t backend_drain_deadline_ms(const struct pool *pool, const struct backend *backend)
{
	return backend->drain_deadline_ms == MODEL_AS_POOL ? pool->drain_deadline_ms
							   : backend->drain_deadline_ms;
}

static uint16_t first_port(const struct service *service, uint8_t proto)
{
	for (size_t i = 0; i < service->listen_count; i++) {
		const struct endpoint *listen = &service->listen[i];

		if (listen->proto == proto && listen->port_first == listen->port_last)
			return listen->port_first;
	}
	return 0;
}

uint16_t model_check_port(const struct model *model, const struct pool *pool,
			  const struct backend *backend)
{
	uint8_t proto = pool->check.type == CHECK_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t port = pool->check.port ? pool->check.port : backend->port;

	if (pool->check.type == CHECK_ICMP)
		return 0;
	for (size_t i = 0; i < model->service_count && !port; i++) {
		if (strcmp(model->services[i]->pool, pool->name) == 0)
			port = first_port(model->services[i], proto);
	}
	return port;
}

bool pool_checks_tunnel(const struct pool *pool)
{
	if (pool->check.type == CHECK_NONE || pool->check.type == CHECK_EXEC ||
	    pool->forward == FORWARD_MODE_NAT)
		return false;
	if (pool->check.via != CHECK_VIA_DEFAULT)
		return pool->check.via == CHECK_VIA_TUNNEL;
	return pool->forward == FORWARD_MODE_IPIP || pool->forward == FORWARD_MODE_GUE;
}

/* The pool's first listener, or the first that has the protocol and port; NULL: there is none. */
static const struct endpoint *first_listener(const struct model *model, const struct pool *pool,
					     uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		if (strcmp(service->pool, pool->name) != 0)
			continue;
		for (size_t j = 0; j < service->listen_count; j++) {
			const struct endpoint *listen = &service->listen[j];

			if (!proto || (listen->proto == proto && listen->port_first <= port &&
				       listen->port_last >= port))
				return listen;
		}
	}
	return NULL;
}

struct check_target model_check_target(const struct model *model, const struct pool *pool,
				       const struct backend *backend)
{
	struct check_target target = {.address = backend->address,
				      .port = model_check_port(model, pool, backend)};
	uint8_t proto = pool->check.type == CHECK_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	const struct endpoint *listen = NULL;

	if (!pool_checks_tunnel(pool))
		return target;
	if (target.port)
		listen = first_listener(model, pool, proto, target.port);
	if (!listen)
		listen = first_listener(model, pool, 0, 0);
	if (!listen)
		return target;
	target.tunnel = true;
	target.address = listen->addr;
	return target;
}

/* ---- map sizes ---- */

static uint32_t derive_slots(const struct model *model)
{
	uint64_t sum = 0, largest = 0, slots;

	for (size_t i = 0; i < model->pool_count; i++) {
		uint64_t size = model->pools[i]->table_size;

		size = (size + LB_SLOT_BLOCK - 1) / LB_SLOT_BLOCK * LB_SLOT_BLOCK;
		sum += size;
		if (size > largest)
			largest = size;
	}
	/* A table is written beside the one in use: with the pools doubled, the largest of them
	 * can still be rebuilt. */
	slots = 2 * sum + largest;
	if (slots < SLOTS_MIN)
		return SLOTS_MIN;
	return slots > UINT32_MAX ? UINT32_MAX / LB_SLOT_BLOCK * LB_SLOT_BLOCK : (uint32_t)slots;
}

static uint32_t derive_counters(const struct model *model)
{
	uint64_t needed = 0, counters;

	for (size_t i = 0; i < model->service_count; i++) {
		const struct pool *pool = model_pool_find(model, model->services[i]->pool);

		needed += pool ? pool->backend_count + 1 : 1;
	}
	counters = 2 * needed;
	if (counters < COUNTERS_MIN)
		return COUNTERS_MIN;
	if (counters > COUNTERS_SPARE_MAX)
		counters = needed > COUNTERS_SPARE_MAX ? needed : COUNTERS_SPARE_MAX;
	return counters > UINT32_MAX ? UINT32_MAX : (uint32_t)counters;
}

struct lb_limits model_limits(const struct model *model)
{
	struct lb_limits limits = model->global.limits;

	if (!limits.slots)
		limits.slots = derive_slots(model);
	if (!limits.counters)
		limits.counters = derive_counters(model);
	return limits;
}

/* ---- words ---- */

const char *affinity_name(enum affinity_key key)
{
	return key == AFFINITY_SOURCE_IP ? "source-ip" : "5-tuple";
}

const char *forward_name(enum forward_mode forward)
{
	static const char *const names[] = {
		[FORWARD_MODE_IPIP] = "ipip",
		[FORWARD_MODE_GUE] = "gue",
		[FORWARD_MODE_L2] = "l2",
		[FORWARD_MODE_NAT] = "nat",
	};

	return names[forward];
}

const char *admin_name(enum admin_state admin)
{
	static const char *const names[ADMIN_COUNT] = {
		[ADMIN_READY] = "ready",
		[ADMIN_DRAIN] = "drain",
		[ADMIN_MAINT] = "maint",
	};

	return names[admin];
}

const char *drain_mode_name(enum drain_mode mode)
{
	return mode == DRAIN_CLIENTS ? "clients" : "flows";
}

const char *health_name(enum health_state health)
{
	static const char *const names[HEALTH_COUNT] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_UP] = "up",
		[HEALTH_DOWN] = "down",
	};

	return names[health];
}

const char *check_type_name(enum check_type type)
{
	static const char *const names[CHECK_TYPE_COUNT] = {
		[CHECK_NONE] = "none",   [CHECK_TCP] = "tcp", [CHECK_HTTP] = "http",
		[CHECK_HTTPS] = "https", [CHECK_UDP] = "udp", [CHECK_ICMP] = "icmp",
		[CHECK_EXEC] = "exec",
	};

	return names[type];
}

const char *pool_mode_name(enum pool_mode mode)
{
	static const char *const names[POOL_MODE_COUNT] = {
		[POOL_NORMAL] = "normal",
		[POOL_BACKUP] = "backup",
		[POOL_PANIC] = "panic",
	};

	return names[mode];
}
