/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* agents: see agents.h. A list ordered like the model: by pool, then backend. What they hear is
 * agents_news.c's. */
#include "agents_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane.h"
#include "log.h"
#include "tunnel.h"

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
	agents->mark = dataplane_probe_mark(dp);
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
	agent->owner->pending_count -= agent->pending + agent->hop_pending;
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

/* ---- making them ---- */

/* Not before the next hop is in the data plane, too, or is known to be none: a probe's first packet
 * would be lost. */
static void tunnel_point(struct agent *agent, const struct backend *backend)
{
	struct dataplane *dp = agent->owner->dp;
	bool known = backend->index && (backend->hop.resolved || agent->heard_hop);
	uint32_t mark = known ? agent->owner->mark | backend->index : 0;

	agent->tunnel.sent = &dataplane_probes(dp)[backend->index];
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
		agent->prober = prober_create(probers, check, &target, agent_on_result, agent);
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
	agent->asker = prober_create_agent(probers, check, &target, agent_on_agent_result, agent);
	return agent->asker ? 0 : -1;
}

/* What is known of one backend of the model. */
struct wanted_agent {
	const struct pool *pool;
	const struct backend *backend;
	struct check_target target;
	const struct shared_check *check; /* one that is known to be the pool's, or NULL */
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
	if (wanted->pool != pool)
		wanted->check = NULL;
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
	tunnel_point(agent, backend);
	health_adopt(&agent->health, backend->health, &backend->history);
	agent->told = backend->health;
	agent->resolved = agent->hop_told = backend->hop.resolved;
	agent->watch =
		neighbour_watch_create(agents->neighbours, &agent->address, agent_on_hop, agent);
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

/* Of an agent of that backend's name. */
static bool agent_fits(const struct agent *agent, const struct wanted_agent *wanted)
{
	return addr_equal(&agent->address, &wanted->backend->address) &&
	       target_equal(&agent->target, &wanted->target) &&
	       (agent->shared == wanted->check ||
		memcmp(&agent->shared->check, &wanted->pool->check, sizeof(struct check)) == 0);
}

static int agent_order(const struct agent *agent, const struct pool *pool,
		       const struct backend *backend)
{
	int order = strcmp(agent->pool, pool->name);

	return order ? order : strcmp(agent->backend, backend->name);
}

/* Takes the agent out of the list, so that what stays there is what nobody wants. Both are ordered
 * by pool and name: `*at`, where the search for the next one begins, goes one way. */
static struct agent *agent_take(struct agents *agents, size_t *at, struct wanted_agent *wanted)
{
	struct agent *agent;
	int order = -1;

	while (*at < agents->count &&
	       (order = agent_order(agents->items[*at], wanted->pool, wanted->backend)) < 0)
		++*at;
	if (order != 0)
		return NULL;
	agent = agents->items[*at];
	if (!agent_fits(agent, wanted))
		return NULL;
	wanted->check = agent->shared;
	agents->items[(*at)++] = NULL;
	return agent;
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
	size_t count = 0, at = 0;

	if (!items) {
		log_err("agents: watching backends: %s; those that are new are not asked",
			strerror(ENOMEM));
		return;
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct backend *backend = pool->backends[b];
			struct agent *agent;

			wanted_next(model, pool, backend, &wanted);
			agent = agent_take(agents, &at, &wanted);
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
	agents->heard_count = 0;
}

/* Both are ordered by pool and name: one walk beside the other. */
void agents_published(struct agents *agents, const struct model *model)
{
	size_t at = 0;

	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct backend *backend = pool->backends[b];

			while (at < agents->count &&
			       agent_order(agents->items[at], pool, backend) < 0)
				at++;
			if (at < agents->count &&
			    agent_order(agents->items[at], pool, backend) == 0)
				tunnel_point(agents->items[at], backend);
		}
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

static bool start_expects(const struct agent *agent)
{
	/* Without it the backend is not in the first table, and its flows are moved. */
	if (!agent->heard_hop)
		return true;
	if (agent->target.tunnel && !agent->tunnel.mark)
		return false;
	return (agent->prober && !agent->heard_check) || (agent->asker && !agent->heard_agent);
}

/* Asked after each piece of news at the start: who was heard once need not be looked at again. */
bool agents_all_heard(struct agents *agents)
{
	while (agents->heard_count < agents->count &&
	       !start_expects(agents->items[agents->heard_count]))
		agents->heard_count++;
	return agents->heard_count == agents->count;
}

void agents_waited(struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++)
		agents->items[i]->waited_for |= start_expects(agents->items[i]);
	agents_look(agents);
}
