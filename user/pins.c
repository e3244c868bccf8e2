/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pins: see pins.h. */
#include "pins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duration.h"
#include "find.h"
#include "log.h"
#include "pin_judge.h"

#define TICK_NS (1ULL << 30)

struct pins {
	struct dataplane *dp;
	struct events *events;
	sd_event_source *timer;
	struct model *const *model;
	struct dataplane_pin all[DATAPLANE_PINS_MAX];
	size_t count;
	uint32_t *counts; /* by the index of backends; for pins_count alone */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void read_all(struct pins *pins)
{
	pins->count = dataplane_pins(pins->dp, pins->all);
}

static uint64_t left_ms(const struct lb_pin *pin, uint32_t now)
{
	return pin_over(pin, now) ? 0 : (pin->until - now) * TICK_NS / 1000000;
}

/* Whether the backend may be given new flows of clients that it has. */
static bool in_force(const struct pins *pins, const struct lb_pin *pin)
{
	const uint64_t takes = LB_BACKEND_USABLE | LB_BACKEND_TAKES_CLIENTS;

	return pin->backend && (dataplane_backends(pins->dp)[pin->backend].status & takes) == takes;
}

/* ---- telling ---- */

static void tell(struct pins *pins, const struct pool *pool, const struct dataplane_pin *pin,
		 const char *from, const char *to, const char *reason)
{
	const struct backend *backend = find_backend_at(pool, pin->value.backend);
	char address[ADDR_TEXT_SIZE];

	addr_format(&pin->address, address);
	log_info("client %s of pool %s, pinned to %s: %s (%s)", address, pool ? pool->name : "?",
		 backend ? backend->name : "a backend that is gone", to, reason);
	events_add(pins->events, "pin",
		   json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "pool", pool ? pool->name : "",
			     "backend", backend ? backend->name : "", "client", address, "from",
			     from, "to", to, "reason", reason),
		   now_ms());
}

/* ---- as time goes by ---- */

/* A pin whose backend is gone is over. */
static void end_gone(struct pins *pins, struct dataplane_pin *pin, uint32_t now)
{
	const struct pool *pool = find_pool_at(*pins->model, pin->pool);

	if (pin_over(&pin->value, now) || find_backend_at(pool, pin->value.backend))
		return;
	pin->value.until = pin->value.kept = now;
	pin->value.backend = 0;
	dataplane_pin_put(pins->dp, pin);
}

static void tell_over(struct pins *pins, struct dataplane_pin *pin, uint32_t now)
{
	const struct pool *pool = find_pool_at(*pins->model, pin->pool);

	if (!pin_over(&pin->value, now) || pin->value.flags & LB_PIN_TOLD)
		return;
	tell(pins, pool, pin, "pinned", "over",
	     pin->value.backend ? "its time is up" : "the backend is gone");
	pin->value.flags |= LB_PIN_TOLD;
	/* What the program wrote meanwhile may be lost: a sweep looks again. */
	pin->value.kept = now;
	dataplane_pin_put(pins->dp, pin);
}

static void wait_next(struct pins *pins, uint32_t now)
{
	uint64_t next_ms = 0;

	for (size_t i = 0; i < pins->count; i++) {
		uint64_t left = left_ms(&pins->all[i].value, now);

		if (left && (!next_ms || left < next_ms))
			next_ms = left;
	}
	if (next_ms)
		sd_event_source_set_time_relative(pins->timer, next_ms * 1000);
	sd_event_source_set_enabled(pins->timer, next_ms ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void pins_judge(struct pins *pins)
{
	uint32_t now = dataplane_tick();

	read_all(pins);
	for (size_t i = 0; i < pins->count; i++) {
		end_gone(pins, &pins->all[i], now);
		tell_over(pins, &pins->all[i], now);
	}
	wait_next(pins, now);
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	struct pins *pins = context;

	(void)source;
	(void)now_us;
	pins_judge(pins);
	return 0;
}

void pins_swept(struct pins *pins, uint32_t began)
{
	const struct model *model = *pins->model;

	pins_judge(pins);
	for (size_t i = 0; i < pins->count; i++) {
		struct dataplane_pin *pin = &pins->all[i];

		if (find_pool_at(model, pin->pool) && !pin_needless(&pin->value, began))
			continue;
		dataplane_pin_del(pins->dp, pin);
	}
	read_all(pins);
	for (size_t p = 0; p < model->pool_count; p++) {
		bool some = false;

		for (size_t i = 0; i < pins->count; i++)
			some |= pins->all[i].pool == model->pools[p]->index;
		if (!some)
			dataplane_pins_none(pins->dp, model->pools[p]->index);
	}
}

/* ---- what is asked for ---- */

/* What is attempted, for messages. */
static const char *attempt(const struct pin_request *request)
{
	return request->for_ms ? "pinning it" : "unpinning it";
}

static int parse_address(const struct pin_request *request, const struct pool *pool,
			 struct addr *out, struct fault *fault)
{
	const char *why = NULL;

	if (addr_parse(request->address, out, &why) == 0)
		why = addr_unicast_problem(out);
	if (!why)
		return 0;
	fault_set(fault, FAULT_USAGE, "client \"%s\": %s: %s", request->address, attempt(request),
		  why);
	return fault_hint(fault, "a pin is for one address of pool %s's clients, whole",
			  pool->name);
}

static void report_add(json_t **report, const char *change, const struct pool *pool,
		       const char *address, const char *detail)
{
	char object[MODEL_NAME_SIZE + ADDR_TEXT_SIZE];

	snprintf(object, sizeof(object), "%s/%s", pool->name, address);
	json_array_append_new(*report, json_pack("{s:s, s:s, s:s}", "change", change, "object",
						 object, "detail", detail));
}

static int put(struct pins *pins, const struct dataplane_pin *pin, const char *address,
	       struct fault *fault)
{
	int err = dataplane_pin_put(pins->dp, pin);

	if (err == -E2BIG) {
		fault_set(fault, FAULT_FAILED,
			  "client %s: pinning it: %d clients of that family are pinned already",
			  address, LB_PINS_MAX);
		return fault_hint(fault, "`lbctl client unpin` some of them: each makes room once "
					 "its flows have ended");
	}
	return err ? fault_set(fault, fault_code_of_errno(-err), "client %s: pinning it: %s",
			       address, strerror(-err))
		   : 0;
}

static int unpin(struct pins *pins, const struct pin_request *request, const struct pool *pool,
		 const struct addr *addr, json_t **report, struct fault *fault)
{
	uint32_t now = dataplane_tick();
	char address[ADDR_TEXT_SIZE];
	struct dataplane_pin pin;

	addr_format(addr, address);
	if (dataplane_pin_get(pins->dp, pool->index, addr, &pin) != 0 ||
	    pin_over(&pin.value, now)) {
		fault_set(fault, FAULT_NOT_FOUND,
			  "client %s: unpinning it: pool %s has no such pin", address, pool->name);
		return fault_hint(fault, "`lbctl client list %s` shows whom it pins", pool->name);
	}
	report_add(report, "unpin client", pool, address, "flows that it has stay");
	if (request->dry_run)
		return 0;
	pin.value.until = pin.value.kept = now;
	pin.value.flags |= LB_PIN_TOLD;
	if (put(pins, &pin, address, fault) != 0)
		return -1;
	tell(pins, pool, &pin, "pinned", "over", request->who);
	return 0;
}

/* The prefix that the pool takes for one client, where that is more than the address. */
static void say_prefix(const struct pool *pool, const struct addr *addr, char *out, size_t size)
{
	struct prefix client = {.length = addr->family == 4 ? pool->prefix_v4 : pool->prefix_v6};
	char text[PREFIX_TEXT_SIZE];

	out[0] = '\0';
	if (pool->affinity != AFFINITY_SOURCE_IP || client.length == (addr->family == 4 ? 32 : 128))
		return;
	client.addr = addr_mask(addr, client.length);
	snprintf(out, size, "; it alone of the client %s", prefix_format(&client, text));
}

static int pin_to(struct pins *pins, const struct pin_request *request, const struct pool *pool,
		  const struct addr *addr, json_t **report, struct fault *fault)
{
	const struct backend *backend =
		find_backend(pool, request->backend, "pinning a client to it", fault);
	uint32_t now = dataplane_tick();
	struct dataplane_pin before, pin = {.pool = pool->index, .address = *addr};
	char address[ADDR_TEXT_SIZE], detail[256], prefix[96], time[DURATION_TEXT_SIZE];

	if (!backend)
		return -1;
	addr_format(addr, address);
	if (!backend->index || !pool->index) {
		fault_set(fault, FAULT_CONFLICT,
			  "backend %s/%s: pinning a client to it: it is not in the data plane yet",
			  pool->name, backend->name);
		return fault_hint(fault, "lbd's log says why, if it stays so; then once more");
	}
	pin.value = (struct lb_pin){
		.backend = backend->index,
		.since = now,
		.until = now + (uint32_t)((request->for_ms * 1000000 + TICK_NS - 1) / TICK_NS)};
	if (dataplane_pin_get(pins->dp, pool->index, addr, &before) == 0) {
		pin.value.kept = now; /* what the one before has made */
		if (before.value.backend == backend->index && !pin_over(&before.value, now)) {
			pin.value.since = before.value.since;
			pin.value.off = before.value.off;
		}
	}
	say_prefix(pool, addr, prefix, sizeof(prefix));
	snprintf(detail, sizeof(detail), "to %s for %s%s%s", backend->name,
		 duration_format(request->for_ms, time),
		 in_force(pins, &pin.value) ? "" : ", which takes no new flows now", prefix);
	report_add(report, "pin client", pool, address, detail);
	if (request->dry_run)
		return 0;
	if (put(pins, &pin, address, fault) != 0)
		return -1;
	tell(pins, pool, &pin, "free", "pinned", request->who);
	return 0;
}

int pins_set(struct pins *pins, const struct pin_request *request, json_t **report,
	     struct fault *fault)
{
	const struct pool *pool =
		find_pool(*pins->model, request->pool,
			  request->for_ms ? "pinning a client" : "unpinning a client", fault);
	struct addr addr;
	int error;

	if (!pool || parse_address(request, pool, &addr, fault) != 0 ||
	    !dataplane_pins_known(pins->dp, fault))
		return -1;
	*report = json_array();
	error = request->for_ms ? pin_to(pins, request, pool, &addr, report, fault)
				: unpin(pins, request, pool, &addr, report, fault);
	if (error)
		json_decref(*report);
	else
		pins_judge(pins);
	return error;
}

bool pins_has(struct pins *pins, const struct pool *pool, const struct addr *address)
{
	struct dataplane_pin pin;

	return dataplane_pin_get(pins->dp, pool->index, address, &pin) == 0 &&
	       !pin_over(&pin.value, dataplane_tick());
}

/* ---- what there is ---- */

static json_t *pin_json(const struct pins *pins, const struct pool *pool,
			const struct dataplane_pin *pin, uint32_t now)
{
	const struct backend *backend = find_backend_at(pool, pin->value.backend);
	char address[ADDR_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:s, s:b, s:I}", "client", addr_format(&pin->address, address),
			 "pool", pool->name, "backend", backend ? backend->name : "", "in_effect",
			 in_force(pins, &pin->value), "left_s",
			 (json_int_t)((left_ms(&pin->value, now) + 999) / 1000));
}

json_t *pins_json(struct pins *pins, const struct pool *pool, const struct addr *address)
{
	uint32_t now = dataplane_tick();
	json_t *list = json_array();

	read_all(pins);
	for (size_t i = 0; i < pins->count; i++) {
		const struct dataplane_pin *pin = &pins->all[i];
		const struct pool *of = find_pool_at(*pins->model, pin->pool);

		if (!of || (pool && of != pool) || pin_over(&pin->value, now) ||
		    (address && !addr_equal(address, &pin->address)))
			continue;
		json_array_append_new(list, pin_json(pins, of, pin, now));
	}
	return list;
}

void pins_count(struct pins *pins)
{
	const uint32_t backends = dataplane_settings(pins->dp)->limits.backends;
	const struct model *model = *pins->model;
	uint32_t now = dataplane_tick();

	read_all(pins);
	memset(pins->counts, 0, (backends + 1) * sizeof(*pins->counts));
	for (size_t i = 0; i < pins->count; i++) {
		const struct lb_pin *pin = &pins->all[i].value;

		if (pin->backend <= backends && !pin_over(pin, now))
			pins->counts[pin->backend]++;
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		struct pool *pool = model->pools[p];

		pool->pins = 0;
		for (size_t b = 0; b < pool->backend_count; b++) {
			struct backend *backend = pool->backends[b];

			backend->pins = backend->index ? pins->counts[backend->index] : 0;
			pool->pins += backend->pins;
		}
	}
}

/* ---- start and stop ---- */

struct pins *pins_create(sd_event *event, struct dataplane *dp, struct events *events,
			 struct model *const *model)
{
	struct pins *pins = calloc(1, sizeof(*pins));
	int error;

	if (!pins)
		return NULL;
	pins->dp = dp;
	pins->events = events;
	pins->model = model;
	pins->counts = calloc(dataplane_settings(dp)->limits.backends + 1, sizeof(*pins->counts));
	error = pins->counts ? 0 : -ENOMEM;
	if (!error)
		error = sd_event_add_time_relative(event, &pins->timer, CLOCK_MONOTONIC, 0, 0,
						   on_timer, pins);
	if (error >= 0)
		error = sd_event_source_set_enabled(pins->timer, SD_EVENT_OFF);
	if (error >= 0)
		return pins;
	pins_free(pins);
	errno = -error;
	return NULL;
}

void pins_free(struct pins *pins)
{
	if (!pins)
		return;
	sd_event_source_disable_unref(pins->timer);
	free(pins->counts);
	free(pins);
}
