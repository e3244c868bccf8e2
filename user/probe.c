/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe: when to probe, and when to give up. See probe.h; how to probe is up to a type, see
 * probe_type.h. Judges no health.
 */
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "probe_type.h"
#include "siphash.h"

enum {
	FIRST_MAX_MS = 200,
	TIMER_ACCURACY_US = 1000,
	TIMER_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10,
	REASON_SIZE = 320,
};

struct prober {
	struct probe_attempt attempt;
	const struct probe_type *type;
	struct probe_steps *steps; /* NULL: nobody wants to know */
	uint32_t interval_ms;
	probe_result result;
	void *context;
	sd_event_source *timer; /* the timeout of the probe under way, or the start of the next */
	bool running;
	bool spread; /* the second probe is timed */
	uint32_t hash;
	uint64_t started_us;
	uint64_t ends_before[LB_PROBE_END_COUNT]; /* of the tunnel, when this probe began */
};

static const struct probe_type *const types[] = {
	[CHECK_TCP] = &probe_type_tcp,   [CHECK_UDP] = &probe_type_udp,
	[CHECK_HTTP] = &probe_type_http, [CHECK_HTTPS] = &probe_type_http,
	[CHECK_ICMP] = &probe_type_icmp, [CHECK_EXEC] = &probe_type_exec,
};

static void timer_arm(struct prober *prober, uint64_t at_us)
{
	sd_event_source_set_time(prober->timer, at_us);
	sd_event_source_set_enabled(prober->timer, SD_EVENT_ONESHOT);
}

/* The first probes of all backends come soon, so near each other. The second one of each is drawn
 * forward by up to half an interval, which spreads all that follow. */
static uint64_t next_start(struct prober *prober, uint64_t now)
{
	uint64_t interval = (uint64_t)prober->interval_ms * 1000;
	uint64_t next;

	if (!prober->spread) {
		prober->spread = true;
		interval -= prober->hash % (interval / 2 + 1);
	}
	next = prober->started_us + interval;
	return next > now ? next : now;
}

/* ---- the tunnel ---- */

static void tunnel_begin(struct prober *prober)
{
	const struct probe_tunnel *tunnel = prober->attempt.target.tunnel;

	for (int end = 0; tunnel && end < LB_PROBE_END_COUNT; end++)
		prober->ends_before[end] = tunnel->sent->ends[end];
}

/* What the program on the way did with this probe's packets; LB_PROBE_END_COUNT: it saw none. */
static enum lb_probe_end tunnel_end(const struct prober *prober)
{
	const struct probe_tunnel *tunnel = prober->attempt.target.tunnel;
	int end = 0;

	while (end < LB_PROBE_END_COUNT && tunnel->sent->ends[end] == prober->ends_before[end])
		end++;
	return end;
}

/*
 * The outcome in the light of that: an answer to what did not go through the tunnel is somebody
 * else's. `text`: the reason, to which the cause is added where this host knows it.
 */
static bool tunnel_judge(struct prober *prober, bool good, char text[REASON_SIZE])
{
	static const char *const texts[] = {
#define END_TEXT(name, what) [LB_PROBE_##name] = what,
		LB_PROBE_ENDS(END_TEXT)
#undef END_TEXT
	};
	const struct probe_target *target = &prober->attempt.target;
	enum lb_probe_end end = tunnel_end(prober);
	char why[PROBE_WHY_SIZE] = "", outcome[REASON_SIZE - PROBE_WHY_SIZE - 32];

	if (end < LB_PROBE_END_COUNT)
		probe_step(&prober->attempt, "the probe's packets %s", texts[end]);
	if (end == LB_PROBE_SENT && good)
		return true;
	if (end == LB_PROBE_SENT || end == LB_PROBE_END_COUNT)
		target->tunnel->explain(target->tunnel, &target->address, end == LB_PROBE_SENT,
					why);
	else
		snprintf(why, sizeof(why), "the probe's packets %s", texts[end]);
	snprintf(outcome, sizeof(outcome), "%.*s", (int)sizeof(outcome) - 1, text);
	if (end != LB_PROBE_SENT)
		snprintf(text, REASON_SIZE, "not through the tunnel: %s%s%s%s", why,
			 why[0] ? " (" : "", outcome, why[0] ? ")" : "");
	else if (why[0])
		snprintf(text, REASON_SIZE, "%s; %s", outcome, why);
	return false;
}

static void finish(struct prober *prober, bool good, const char *reason, uint64_t now)
{
	uint32_t duration_us = now - prober->started_us;
	char text[REASON_SIZE];

	if (prober->attempt.target.tunnel) {
		snprintf(text, sizeof(text), "%s", reason);
		good = tunnel_judge(prober, good, text);
		reason = text;
	}
	prober->running = false;
	if (!prober->steps)
		timer_arm(prober, next_start(prober, now));
	else
		sd_event_source_set_enabled(prober->timer, SD_EVENT_OFF);
	/* Last, because it may free the prober. */
	prober->result(prober->context, good, reason, duration_us);
}

static struct prober *prober_of(struct probe_attempt *attempt)
{
	return (struct prober *)((char *)attempt - offsetof(struct prober, attempt));
}

void probe_step(struct probe_attempt *attempt, const char *format, ...)
{
	struct prober *prober = prober_of(attempt);
	struct probe_steps *steps = prober->steps;
	va_list args;

	if (!steps || steps->count == PROBE_STEP_MAX)
		return;
	steps->items[steps->count].at_us = clock_us(CLOCK_MONOTONIC) - prober->started_us;
	va_start(args, format);
	vsnprintf(steps->items[steps->count].text, PROBE_STEP_SIZE, format, args);
	va_end(args);
	steps->count++;
}

void probe_done(struct probe_attempt *attempt, bool good, const char *reason)
{
	struct prober *prober = prober_of(attempt);
	uint64_t now = clock_us(CLOCK_MONOTONIC);
	char text[REASON_SIZE];

	if (good && !prober->type->verbatim)
		snprintf(text, sizeof(text), "%s in %.1f ms", reason,
			 (now - prober->started_us) / 1000.0);
	else
		snprintf(text, sizeof(text), "%s", reason);
	finish(prober, good, text, now);
}

void probe_failed(struct probe_attempt *attempt, int error)
{
	char text[REASON_SIZE];

	/* It will stand in the middle of a sentence. */
	snprintf(text, sizeof(text), "%s", strerror(error));
	text[0] = tolower((unsigned char)text[0]);
	probe_done(attempt, false, text);
}

static void give_up(struct prober *prober)
{
	uint32_t timeout_ms = prober->attempt.check->timeout_ms;
	char text[REASON_SIZE];

	prober->type->cancel(&prober->attempt);
	if (timeout_ms < 1000)
		snprintf(text, sizeof(text), "no answer within %u ms", timeout_ms);
	else
		snprintf(text, sizeof(text), "no answer within %g s", timeout_ms / 1000.0);
	finish(prober, false, text, clock_us(CLOCK_MONOTONIC));
}

static int on_timer(sd_event_source *source, uint64_t due, void *context)
{
	struct prober *prober = context;

	(void)source;
	(void)due;
	if (prober->running) {
		give_up(prober);
		return 0;
	}
	prober->started_us = clock_us(CLOCK_MONOTONIC);
	if (prober->attempt.target.tunnel && !prober->attempt.target.tunnel->mark &&
	    !prober->steps) {
		timer_arm(prober, next_start(prober, prober->started_us));
		return 0;
	}
	prober->running = true;
	tunnel_begin(prober);
	timer_arm(prober, prober->started_us + (uint64_t)prober->attempt.check->timeout_ms * 1000);
	/* Last, because the outcome may come at once, and its receiver free the prober. */
	prober->type->start(&prober->attempt);
	return 0;
}

static uint32_t target_hash(const struct addr *address, uint16_t port)
{
	static const uint8_t seed[LB_SEED_SIZE];
	uint8_t target[sizeof(*address) + sizeof(port)];

	memcpy(target, address, sizeof(*address));
	memcpy(target + sizeof(*address), &port, sizeof(port));
	return siphash(seed, target, sizeof(target));
}

/* NULL if there is no such. */
static const struct probe_type *type_of(const struct check *check)
{
	return (size_t)check->type < sizeof(types) / sizeof(types[0]) ? types[check->type] : NULL;
}

/* `within_ms`: the latest start of the first probe; 0: at once. */
static int timer_add(struct prober *prober, uint32_t within_ms)
{
	uint64_t start_us = within_ms ? (uint64_t)(prober->hash % within_ms) * 1000 : 0;
	int err = sd_event_add_time_relative(prober->attempt.event, &prober->timer, CLOCK_MONOTONIC,
					     start_us, TIMER_ACCURACY_US, on_timer, prober);

	if (err < 0)
		return err;
	/* An answer that waits to be read is read before the timeout strikes. */
	return sd_event_source_set_priority(prober->timer, TIMER_PRIORITY);
}

static struct prober *prober_add(struct probers *probers, const struct check *check,
				 const struct probe_type *type, const struct probe_target *target,
				 uint32_t within_ms, probe_result result, void *context)
{
	struct prober *prober;
	int err;

	if (!type || !check->interval_ms || !check->timeout_ms || !target->address.family) {
		errno = EINVAL;
		return NULL;
	}
	prober = calloc(1, sizeof(*prober));
	if (!prober)
		return NULL;
	prober->attempt.event = sd_event_ref(probers->event);
	prober->attempt.probers = probers;
	prober->attempt.check = check;
	prober->attempt.target = *target;
	prober->type = type;
	prober->interval_ms = check->interval_ms;
	prober->result = result;
	prober->context = context;
	prober->hash = target_hash(&target->address, target->port);
	err = timer_add(prober, within_ms);
	if (err >= 0)
		return prober;
	prober_free(prober);
	errno = -err;
	return NULL;
}

static uint32_t first_within_ms(const struct check *check)
{
	return check->interval_ms > FIRST_MAX_MS ? FIRST_MAX_MS : check->interval_ms;
}

struct prober *prober_create(struct probers *probers, const struct check *check,
			     const struct probe_target *target, probe_result result, void *context)
{
	return prober_add(probers, check, type_of(check), target, first_within_ms(check), result,
			  context);
}

struct prober *prober_create_agent(struct probers *probers, const struct check *check,
				   const struct probe_target *target, probe_result result,
				   void *context)
{
	return prober_add(probers, check, &probe_type_agent, target, first_within_ms(check), result,
			  context);
}

struct prober *prober_once(struct probers *probers, const struct check *check,
			   const struct probe_target *target, struct probe_steps *steps,
			   probe_result result, void *context)
{
	struct prober *prober =
		prober_add(probers, check, type_of(check), target, 0, result, context);

	if (prober)
		prober->steps = steps;
	return prober;
}

void prober_free(struct prober *prober)
{
	if (!prober)
		return;
	prober->type->cancel(&prober->attempt);
	sd_event_source_disable_unref(prober->timer);
	sd_event_unref(prober->attempt.event);
	free(prober);
}

void prober_set_interval(struct prober *prober, uint32_t interval_ms)
{
	if (prober->interval_ms == interval_ms)
		return;
	prober->interval_ms = interval_ms;
	if (!prober->running && prober->started_us)
		timer_arm(prober, next_start(prober, clock_us(CLOCK_MONOTONIC)));
}

void prober_hasten(struct prober *prober)
{
	if (!prober->running)
		timer_arm(prober, clock_us(CLOCK_MONOTONIC));
}

struct probers *probers_create(sd_event *event)
{
	struct probers *probers = calloc(1, sizeof(*probers));

	if (probers)
		probers->event = sd_event_ref(event);
	return probers;
}

void probers_free(struct probers *probers)
{
	if (!probers)
		return;
	probe_http_destroy(probers);
	probe_exec_destroy(probers);
	sd_event_unref(probers->event);
	free(probers);
}
