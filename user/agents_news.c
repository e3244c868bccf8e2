/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agents_news: what agents hear from their probers, and what becomes of it. See agents_private.h.
 *
 * It is told at once, but for what other checks of the pool may put in another light
 * (health_round.h): that is pending, and told when the round is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_words.h"
#include "agents_private.h"
#include "clock.h"
#include "health_round.h"

enum { TIMER_ACCURACY_US = 1000 };

/* Down if either says so. Where only the agent is asked, it is up until that says otherwise. */
static enum health_state verdict_of(const struct agent *agent)
{
	if (agent->says.down)
		return HEALTH_DOWN;
	return agent->prober ? agent->health.state : HEALTH_UP;
}

static bool is_pending(const struct agent *agent)
{
	return agent->pending || agent->hop_pending;
}

static void patience_end(struct agent *agent)
{
	if (agent->patience && !is_pending(agent))
		sd_event_source_set_enabled(agent->patience, SD_EVENT_OFF);
}

static void tell(struct agent *agent, const struct check_result *result)
{
	struct agents *agents = agent->owner;

	agent->told = verdict_of(agent);
	agents->pending_count -= agent->pending;
	agent->pending = false;
	agent->turned_ms = 0;
	patience_end(agent);
	agents->listener.checked(agents->listener.context, agent->pool, agent->backend, agent->told,
				 result);
}

static void tell_hop(struct agent *agent)
{
	struct agents *agents = agent->owner;

	agent->resolved = agent->hop.resolved;
	agent->hop_told |= agent->resolved;
	agents->pending_count -= agent->hop_pending;
	agent->hop_pending = false;
	patience_end(agent);
	agents->listener.moved(agents->listener.context, agent->pool, agent->backend, &agent->hop);
}

/* ---- rounds ---- */

/* The pool's agents stand together, in the order of names. */
static struct agent **pool_agents(const struct agents *agents, const char *pool, size_t *count)
{
	size_t first = 0, end = agents->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(agents->items[middle]->pool, pool) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	*count = 0;
	while (first + *count < agents->count &&
	       strcmp(agents->items[first + *count]->pool, pool) == 0)
		++*count;
	return agents->items + first;
}

/* When the first of those turned that are pending. */
static uint64_t turn_ms(struct agent *const *items, size_t count)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		if (is_pending(items[i]) && items[i]->turned_ms < first_ms)
			first_ms = items[i]->turned_ms;
	}
	return first_ms;
}

/* Without a check it takes traffic as soon as there is a way to it. */
static bool is_fresh(const struct agent *agent)
{
	return agent->prober ? agent->told == HEALTH_UNKNOWN : !agent->hop_told;
}

static bool is_told_up(const struct agent *agent)
{
	if (!agent->resolved)
		return false;
	if (agent->prober)
		return agent->told == HEALTH_UP;
	return !agent->asker || agent->told != HEALTH_DOWN;
}

/* One that has no next hop serves nobody, whatever its check will say. */
static bool is_expected(const struct agent *agent)
{
	if (!is_fresh(agent) || agent->waited_for)
		return false;
	return !agent->heard_hop || (agent->hop.resolved && agent->prober && !agent->heard_check);
}

static struct round_member member_of(const struct agent *agent, uint64_t turned_ms)
{
	return (struct round_member){
		.wanted = agent->wanted && agent->says.admin == ADMIN_READY,
		.backup = agent->backup,
		.up = is_told_up(agent),
		.pending = is_pending(agent),
		.doubtful = agent->turned_ms != 0,
		.unheard = agent->heard_ms < turned_ms,
		.fresh = is_fresh(agent),
		.expected = is_expected(agent),
	};
}

static bool round_goes_on(struct agent *const *items, size_t count)
{
	struct round_member *members = calloc(count, sizeof(*members));
	bool *hasten = calloc(count, sizeof(*hasten)), waits = false;
	uint64_t turned_ms = turn_ms(items, count);

	for (size_t i = 0; members && i < count; i++)
		members[i] = member_of(items[i], turned_ms);
	if (members && hasten)
		waits = health_round_waits(members, count, items[0]->panic_threshold, hasten);
	for (size_t i = 0; waits && i < count; i++) {
		if (hasten[i] && items[i]->prober)
			prober_hasten(items[i]->prober);
	}
	free(members);
	free(hasten);
	return waits;
}

/* Tells of all that are pending, in one turn of the loop, which is one round of publishing. */
static void round_end(struct agent *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct agent *agent = items[i];

		if (agent->hop_pending)
			tell_hop(agent);
		if (!agent->pending)
			continue;
		agent->verdict.reason = agent->reason;
		tell(agent, &agent->verdict);
	}
}

static int on_patience_over(sd_event_source *source, uint64_t due, void *context)
{
	struct agent *agent = context;
	struct agent **items;
	size_t count;

	(void)source;
	(void)due;
	items = pool_agents(agent->owner, agent->pool, &count);
	for (size_t i = 0; i < count; i++)
		items[i]->waited_for = true;
	round_end(items, count);
	return 0;
}

/* False: there is no way to put it off. */
static bool patience_begin(struct agent *agent)
{
	uint32_t patience_ms = health_round_patience_ms(&agent->shared->check, is_fresh(agent));
	uint64_t patience_us = (uint64_t)patience_ms * 1000;
	int enabled = SD_EVENT_OFF;

	if (!agent->patience)
		return sd_event_add_time_relative(agent->owner->event, &agent->patience,
						  CLOCK_MONOTONIC, patience_us, TIMER_ACCURACY_US,
						  on_patience_over, agent) >= 0;
	sd_event_source_get_enabled(agent->patience, &enabled);
	if (enabled != SD_EVENT_OFF)
		return true;
	return sd_event_source_set_time_relative(agent->patience, patience_us) >= 0 &&
	       sd_event_source_set_enabled(agent->patience, SD_EVENT_ONESHOT) >= 0;
}

static bool round_may_last(struct agent *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_pending(items[i]) && !patience_begin(items[i]))
			return false;
	}
	return true;
}

static void round_look(struct agents *agents, const char *pool)
{
	size_t count;
	struct agent **items;

	if (!agents->pending_count)
		return;
	items = pool_agents(agents, pool, &count);
	if (turn_ms(items, count) == UINT64_MAX)
		return;
	if (!round_goes_on(items, count) || !round_may_last(items, count))
		round_end(items, count);
}

void agents_look(struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++) {
		if (is_pending(agents->items[i]))
			round_look(agents, agents->items[i]->pool);
	}
}

/* The round decides when this is told. */
static void put_off(struct agent *agent, const struct check_result *result)
{
	/* The reason is that of the verdict, not of a result that may be about to undo it. */
	if (!agent->pending || result->good == (verdict_of(agent) == HEALTH_UP)) {
		agent->verdict = *result;
		snprintf(agent->reason, sizeof(agent->reason), "%s", result->reason);
	}
	agent->owner->pending_count += !agent->pending;
	agent->pending = true;
}

/* ---- news ---- */

/* Not what stays as it is, nor what takes no traffic and never did. */
static bool may_wait(const struct agent *agent)
{
	enum health_state verdict = verdict_of(agent);

	if (agent->told == HEALTH_UNKNOWN)
		return agent->prober && verdict == HEALTH_UP;
	return verdict != agent->told;
}

/* After a result: tells what follows from it, now or when the round is over. */
static void judged(struct agent *agent, const struct check_result *result)
{
	uint64_t turned_ms = agent->turned_ms ? agent->turned_ms : agent->heard_ms;

	if (may_wait(agent)) {
		agent->turned_ms = turned_ms;
		put_off(agent, result);
	} else {
		tell(agent, result);
		/* It may be about to turn. A hold-down is no hope. */
		if (result->good != (agent->told == HEALTH_UP) && !agent->health.held_until_ms)
			agent->turned_ms = turned_ms;
	}
	round_look(agent->owner, agent->pool);
}

/* What the checks went through, whoever brings the news. */
static void add_history(const struct agent *agent, struct check_result *result)
{
	const struct health *health = &agent->health;
	uint64_t now = clock_ms(CLOCK_MONOTONIC);

	if (health->held_until_ms > now)
		result->held_for_ms = health->held_until_ms - now;
	result->short_lives = health->short_lives;
	result->history = health_history(health);
}

void agent_on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;
	struct check_result result = {.good = good, .reason = reason, .duration_us = duration_us};
	const struct check *check = &agent->shared->check;
	struct health *health = &agent->health;

	agent->heard_check = true;
	agent->heard_ms = clock_ms(CLOCK_MONOTONIC);
	health_judge(health, check, good, agent->heard_ms);
	prober_set_interval(agent->prober, health_interval_ms(health, check));
	add_history(agent, &result);
	/* Of the two, the agent's reason is why it is down. */
	if (agent->says.down && health->state == HEALTH_UP)
		result.reason = agent->agent_reason;
	add_history(agent, &result);
	judged(agent, &result);
}

/* The agent's word. If it says nothing, what it said before stands. */
void agent_on_agent_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;
	const struct agents_listener *listener = &agent->owner->listener;
	struct check_result result = {.duration_us = duration_us};
	char line[160];

	agent->heard_agent = true;
	if (!good || !agent_words_take(reason, &agent->says))
		snprintf(line, sizeof(line), "%s%s", good ? "no word of it is known: " : "",
			 reason);
	else
		snprintf(line, sizeof(line), "%s", reason);
	listener->said(listener->context, agent->pool, agent->backend, &agent->says, line);
	if (verdict_of(agent) == agent->told)
		return;
	if (!agent->prober)
		agent->heard_ms = clock_ms(CLOCK_MONOTONIC);
	result.good = verdict_of(agent) == HEALTH_UP;
	snprintf(agent->agent_reason, sizeof(agent->agent_reason), "the agent: %s", line);
	result.reason = agent->agent_reason;
	add_history(agent, &result);
	judged(agent, &result);
}

void agent_on_hop(void *context, const struct next_hop *hop)
{
	struct agent *agent = context;

	agent->heard_hop = true;
	agent->hop = *hop;
	if (hop->resolved) {
		agent->tunnel.source = hop->source;
		agent->tunnel.ifindex = hop->ifindex;
	}
	if (hop->resolved && !agent->prober && is_fresh(agent)) {
		agent->owner->pending_count += !agent->hop_pending;
		agent->hop_pending = true;
	} else {
		tell_hop(agent);
	}
	round_look(agent->owner, agent->pool);
}
