/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agents: see agents.h. A list ordered like the model: by pool, then backend.
 *
 * What checks say is told at once, but for a verdict that other checks of the pool may put in
 * another light (health_round.h): that is pending, and told when the round is over.
 */
#include "agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_words.h"
#include "dataplane.h"
#include "health.h"
#include "health_round.h"
#include "log.h"
#include "probe.h"
#include "tunnel.h"

/* A pool's check, kept once for all its agents. */
struct shared_check {
	unsigned int users;
	struct check check;
};

struct agent {
	struct agents *owner;
	char pool[MODEL_NAME_SIZE];
	char backend[MODEL_NAME_SIZE];
	struct addr address;
	struct shared_check *shared;
	struct check_target target;
	struct probe_tunnel tunnel; /* if the target is behind it */
	/* Of pool and backend, for the rounds: */
	uint32_t panic_threshold;
	bool backup;
	bool wanted; /* ready, with a weight */
	bool resolved;
	struct health health;
	enum health_state told;
	uint64_t heard_ms;  /* of the last result; CLOCK_MONOTONIC, as all these */
	uint64_t turned_ms; /* the first result of those in a row that speak against `told`, or 0 */
	bool pending;       /* there is a verdict that is not told yet */
	struct check_result verdict;
	char reason[224];          /* the verdict's */
	char agent_reason[176];    /* why it is down, if the agent says so */
	sd_event_source *patience; /* ends the round; NULL until it is needed */
	struct agent_says says;
	struct prober *prober;
	struct prober *asker;      /* of the backend's own agent */
	struct prober *once;       /* what somebody asked for */
	struct agent_check *asked; /* NULL: nobody did */
	struct neighbour_watch *watch;
	bool heard_check;
	bool heard_hop;
	bool heard_agent;
};

struct agents {
	sd_event *event;
	struct neighbours *neighbours;
	struct dataplane *dp;
	struct probers *probers;
	struct agents_listener listener;
	struct agent **items;
	size_t count;
	size_t pending_count; /* of all pools: mostly 0, and nothing to look for */
};

struct agents *agents_create(sd_event *event, struct neighbours *neighbours, struct dataplane *dp,
			     const struct agents_listener *listener)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return NULL;
	agents->event = event;
	agents->probers = probers_create(event);
	agents->neighbours = neighbours;
	agents->dp = dp;
	agents->listener = *listener;
	if (agents->probers)
		return agents;
	free(agents);
	return NULL;
}

static void shared_check_drop(struct shared_check *shared)
{
	if (shared && --shared->users == 0)
		free(shared);
}

/* The caller's to drop. `before`: the agent of the backend before, whose pool may be the same. */
static struct shared_check *shared_check_take(const struct check *check, const struct agent *before)
{
	struct shared_check *shared;

	if (before && memcmp(&before->shared->check, check, sizeof(*check)) == 0) {
		before->shared->users++;
		return before->shared;
	}
	shared = calloc(1, sizeof(*shared));
	if (!shared)
		return NULL;
	shared->users = 1;
	shared->check = *check;
	return shared;
}

static void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	agent->owner->pending_count -= agent->pending;
	sd_event_source_disable_unref(agent->patience);
	prober_free(agent->prober);
	prober_free(agent->asker);
	prober_free(agent->once);
	free(agent->asked);
	neighbour_watch_free(agent->watch);
	shared_check_drop(agent->shared);
	free(agent);
}

void agents_free(struct agents *agents)
{
	if (!agents)
		return;
	for (size_t i = 0; i < agents->count; i++)
		agent_free(agents->items[i]);
	free(agents->items);
	probers_free(agents->probers);
	free(agents);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Down if either says so. Where only the agent is asked, it is up until that says otherwise. */
static enum health_state verdict_of(const struct agent *agent)
{
	if (agent->says.down)
		return HEALTH_DOWN;
	return agent->prober ? agent->health.state : HEALTH_UP;
}

static void tell(struct agent *agent, const struct check_result *result)
{
	struct agents *agents = agent->owner;

	agent->told = verdict_of(agent);
	agents->pending_count -= agent->pending;
	agent->pending = false;
	agent->turned_ms = 0;
	if (agent->patience)
		sd_event_source_set_enabled(agent->patience, SD_EVENT_OFF);
	agents->listener.checked(agents->listener.context, agent->pool, agent->backend, agent->told,
				 result);
}

/* ---- rounds ---- */

/* The pool's agents stand together. */
static struct agent **pool_agents(const struct agents *agents, const char *pool, size_t *count)
{
	size_t first = 0;

	while (first < agents->count && strcmp(agents->items[first]->pool, pool) != 0)
		first++;
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
		if (items[i]->pending && items[i]->turned_ms < first_ms)
			first_ms = items[i]->turned_ms;
	}
	return first_ms;
}

static struct round_member member_of(const struct agent *agent, uint64_t turned_ms)
{
	return (struct round_member){
		.wanted = agent->wanted && agent->says.admin == ADMIN_READY,
		.backup = agent->backup,
		.up = agent->told == HEALTH_UP && agent->resolved,
		.pending = agent->pending,
		.doubtful = agent->turned_ms != 0,
		.unheard = agent->heard_ms < turned_ms,
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

		if (!agent->pending)
			continue;
		agent->verdict.reason = agent->reason;
		tell(agent, &agent->verdict);
	}
}

static void round_look(struct agents *agents, const char *pool)
{
	size_t count;
	struct agent **items;

	if (!agents->pending_count)
		return;
	items = pool_agents(agents, pool, &count);
	if (turn_ms(items, count) != UINT64_MAX && !round_goes_on(items, count))
		round_end(items, count);
}

static int on_patience_over(sd_event_source *source, uint64_t due, void *context)
{
	struct agent *agent = context;
	struct agent **items;
	size_t count;

	(void)source;
	(void)due;
	items = pool_agents(agent->owner, agent->pool, &count);
	round_end(items, count);
	return 0;
}

/* False: there is no way to put it off. */
static bool patience_begin(struct agent *agent)
{
	uint64_t patience_us = (uint64_t)health_round_patience_ms(&agent->shared->check) * 1000;

	if (!agent->patience)
		return sd_event_add_time_relative(agent->owner->event, &agent->patience,
						  CLOCK_MONOTONIC, patience_us, 0, on_patience_over,
						  agent) >= 0;
	return sd_event_source_set_time_relative(agent->patience, patience_us) >= 0 &&
	       sd_event_source_set_enabled(agent->patience, SD_EVENT_ONESHOT) >= 0;
}

/* The round decides when this is told. */
static void put_off(struct agent *agent, const struct check_result *result)
{
	if (!agent->pending && !patience_begin(agent)) {
		tell(agent, result);
		return;
	}
	/* The reason is that of the verdict, not of a result that may be about to undo it. */
	if (!agent->pending || result->good == (verdict_of(agent) == HEALTH_UP)) {
		agent->verdict = *result;
		snprintf(agent->reason, sizeof(agent->reason), "%s", result->reason);
	}
	agent->owner->pending_count += !agent->pending;
	agent->pending = true;
}

/* ---- news ---- */

/* Not what was unknown, nor what stays as it is. */
static bool may_wait(const struct agent *agent)
{
	return agent->told != HEALTH_UNKNOWN && verdict_of(agent) != agent->told;
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
		if ((result->good ? HEALTH_UP : HEALTH_DOWN) != agent->told &&
		    !agent->health.held_until_ms)
			agent->turned_ms = turned_ms;
	}
	round_look(agent->owner, agent->pool);
}

static void on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;
	struct check_result result = {.good = good, .reason = reason, .duration_us = duration_us};
	const struct check *check = &agent->shared->check;
	struct health *health = &agent->health;

	agent->heard_check = true;
	agent->heard_ms = now_ms();
	health_judge(health, check, good, agent->heard_ms);
	prober_set_interval(agent->prober, health_interval_ms(health, check));
	if (health->held_until_ms > agent->heard_ms)
		result.held_for_ms = health->held_until_ms - agent->heard_ms;
	result.short_lives = health->short_lives;
	/* Of the two, the agent's reason is why it is down. */
	if (agent->says.down && health->state == HEALTH_UP)
		result.reason = agent->agent_reason;
	judged(agent, &result);
}

/* The agent's word. If it says nothing, what it said before stands. */
static void on_agent_result(void *context, bool good, const char *reason, uint32_t duration_us)
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
		agent->heard_ms = now_ms();
	result.good = verdict_of(agent) == HEALTH_UP;
	snprintf(agent->agent_reason, sizeof(agent->agent_reason), "the agent: %s", line);
	result.reason = agent->agent_reason;
	judged(agent, &result);
}

static void on_hop(void *context, const struct next_hop *hop)
{
	struct agent *agent = context;
	struct agents *agents = agent->owner;

	agent->heard_hop = true;
	agent->resolved = hop->resolved;
	if (hop->resolved) {
		agent->tunnel.source = hop->source;
		agent->tunnel.ifindex = hop->ifindex;
	}
	agents->listener.moved(agents->listener.context, agent->pool, agent->backend, hop);
}

/* ---- making them ---- */

static void tunnel_point(struct agent *agent, uint32_t index)
{
	struct dataplane *dp = agent->owner->dp;
	uint32_t mark = index ? dataplane_probe_mark(dp) | index : 0;

	agent->tunnel.sent = &dataplane_probes(dp)[index];
	if (agent->tunnel.mark == mark)
		return;
	agent->tunnel.mark = mark;
	if (mark && agent->prober)
		prober_hasten(agent->prober);
}

static struct probe_target target_of(const struct agent *agent)
{
	return (struct probe_target){
		.address = agent->target.address,
		.port = agent->target.port,
		.tunnel = agent->target.tunnel ? &agent->tunnel : NULL,
		.pool = agent->pool,
		.backend = agent->backend,
	};
}

/* 0 or -1: the prober and the one of the backend's own agent, where they are wanted. */
static int probers_add(struct agent *agent, const struct backend *backend)
{
	struct probers *probers = agent->owner->probers;
	const struct check *check = &agent->shared->check;
	struct probe_target target = target_of(agent);

	if (check->type != CHECK_NONE) {
		agent->prober = prober_create(probers, check, &target, on_result, agent);
		if (!agent->prober)
			return -1;
	}
	if (!check->agent)
		return 0;
	target = (struct probe_target){.address = agent->address,
				       .port = check->agent,
				       .pool = agent->pool,
				       .backend = agent->backend};
	agent->says = backend->agent;
	agent->asker = prober_create_agent(probers, check, &target, on_agent_result, agent);
	return agent->asker ? 0 : -1;
}

/* What is known of one backend of the model. */
struct wanted_agent {
	const struct pool *pool;
	const struct backend *backend;
	struct check_target target;
};

/* The search for a VIP and port is done once for backends of a pool that give the same answer.
 * `wanted` holds those of the backend before. */
static void wanted_next(const struct model *model, const struct pool *pool,
			const struct backend *backend, struct wanted_agent *wanted)
{
	if (wanted->pool != pool || wanted->backend->port != backend->port)
		wanted->target = model_check_target(model, pool, backend);
	else if (!wanted->target.tunnel)
		wanted->target.address = backend->address;
	wanted->pool = pool;
	wanted->backend = backend;
}

static struct agent *agent_create(struct agents *agents, const struct wanted_agent *wanted,
				  const struct agent *before)
{
	const struct pool *pool = wanted->pool;
	const struct backend *backend = wanted->backend;
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent->owner = agents;
	memcpy(agent->pool, pool->name, sizeof(agent->pool));
	memcpy(agent->backend, backend->name, sizeof(agent->backend));
	agent->address = backend->address;
	agent->shared = shared_check_take(&pool->check, before);
	if (!agent->shared)
		goto fail;
	agent->target = wanted->target;
	agent->tunnel.backend = backend->address;
	agent->tunnel.source = backend->hop.source;
	agent->tunnel.ifindex = backend->hop.ifindex;
	agent->tunnel.explain = tunnel_explain;
	tunnel_point(agent, backend->index);
	health_adopt(&agent->health, backend->health);
	agent->told = backend->health;
	agent->resolved = backend->hop.resolved;
	agent->watch = neighbour_watch_create(agents->neighbours, &agent->address, on_hop, agent);
	if (!agent->watch || probers_add(agent, backend))
		goto fail;
	return agent;
fail:
	agent_free(agent);
	return NULL;
}

static bool target_equal(const struct check_target *a, const struct check_target *b)
{
	return a->tunnel == b->tunnel && a->port == b->port && addr_equal(&a->address, &b->address);
}

static bool agent_fits(const struct agent *agent, const struct wanted_agent *wanted)
{
	const struct backend *backend = wanted->backend;

	return strcmp(agent->backend, backend->name) == 0 &&
	       addr_equal(&agent->address, &backend->address) &&
	       target_equal(&agent->target, &wanted->target) &&
	       memcmp(&agent->shared->check, &wanted->pool->check, sizeof(struct check)) == 0;
}

/* Takes the agent out of the list, so that what stays there is what nobody wants. */
static struct agent *agent_take(struct agents *agents, const struct wanted_agent *wanted)
{
	for (size_t i = 0; i < agents->count; i++) {
		struct agent *agent = agents->items[i];

		if (agent && strcmp(agent->pool, wanted->pool->name) == 0 &&
		    agent_fits(agent, wanted)) {
			agents->items[i] = NULL;
			return agent;
		}
	}
	return NULL;
}

static size_t model_backend_count(const struct model *model)
{
	size_t count = 0;

	for (size_t p = 0; p < model->pool_count; p++)
		count += model->pools[p]->backend_count;
	return count;
}

void agents_sync(struct agents *agents, const struct model *model)
{
	struct agent **items = calloc(model_backend_count(model) + 1, sizeof(struct agent *));
	struct wanted_agent wanted = {};
	size_t count = 0;

	if (!items) {
		log_err("watching backends: %s", strerror(ENOMEM));
		return;
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct backend *backend = pool->backends[b];
			struct agent *agent;

			wanted_next(model, pool, backend, &wanted);
			agent = agent_take(agents, &wanted);
			if (!agent)
				agent = agent_create(agents, &wanted,
						     count ? items[count - 1] : NULL);
			if (!agent) {
				log_err("backend %s/%s: watching it: %s", pool->name, backend->name,
					strerror(errno));
				continue;
			}
			agent->panic_threshold = pool->panic_threshold;
			agent->backup = backend->backup;
			agent->wanted = backend->admin == ADMIN_READY && backend->weight;
			items[count++] = agent;
		}
	}
	for (size_t i = 0; i < agents->count; i++)
		agent_free(agents->items[i]);
	free(agents->items);
	agents->items = items;
	agents->count = count;
}

void agents_published(struct agents *agents, const struct model *model)
{
	for (size_t i = 0; i < agents->count; i++) {
		struct agent *agent = agents->items[i];
		const struct pool *pool = model_pool_find(model, agent->pool);
		const struct backend *backend =
			pool ? pool_backend_find(pool, agent->backend) : NULL;

		if (backend)
			tunnel_point(agent, backend->index);
	}
}

/* ---- checks on demand ---- */

static struct agent *agent_find(const struct agents *agents, const char *pool, const char *backend)
{
	for (size_t i = 0; i < agents->count; i++) {
		if (strcmp(agents->items[i]->pool, pool) == 0 &&
		    strcmp(agents->items[i]->backend, backend) == 0)
			return agents->items[i];
	}
	return NULL;
}

static void on_asked(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;

	(void)duration_us;
	agent->asked->running = false;
	agent->asked->good = good;
	snprintf(agent->asked->reason, sizeof(agent->asked->reason), "%s", reason);
}

int agents_check_start(struct agents *agents, const char *pool, const char *backend)
{
	struct agent *agent = agent_find(agents, pool, backend);
	struct probe_target target;

	if (!agent)
		return -ENOENT;
	if (!agent->prober)
		return -ENOTSUP;
	if (agent->asked && agent->asked->running)
		return 0;
	prober_free(agent->once);
	agent->once = NULL;
	free(agent->asked);
	agent->asked = calloc(1, sizeof(*agent->asked));
	if (!agent->asked)
		return -ENOMEM;
	target = target_of(agent);
	agent->once = prober_once(agents->probers, &agent->shared->check, &target,
				  &agent->asked->steps, on_asked, agent);
	if (!agent->once)
		return -errno;
	agent->asked->running = true;
	return 0;
}

const struct agent_check *agents_check_last(const struct agents *agents, const char *pool,
					    const char *backend)
{
	const struct agent *agent = agent_find(agents, pool, backend);

	return agent ? agent->asked : NULL;
}

bool agents_all_heard(const struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++) {
		const struct agent *agent = agents->items[i];

		if (agent->target.tunnel && !agent->tunnel.mark)
			continue;
		if (!agent->heard_hop || (agent->prober && !agent->heard_check) ||
		    (agent->asker && !agent->heard_agent))
			return false;
	}
	return true;
}
