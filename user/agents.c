/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* agents: see agents.h. A list ordered like the model: by pool, then backend. */
#include "agents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "log.h"
#include "probe.h"

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
	uint16_t port; /* that is checked */
	struct health health;
	struct prober *prober;
	struct neighbour_watch *watch;
	bool heard_check;
	bool heard_hop;
};

struct agents {
	struct neighbours *neighbours;
	struct probers *probers;
	struct agents_listener listener;
	struct agent **items;
	size_t count;
};

struct agents *agents_create(sd_event *event, struct neighbours *neighbours,
			     const struct agents_listener *listener)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return NULL;
	agents->probers = probers_create(event);
	agents->neighbours = neighbours;
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
	prober_free(agent->prober);
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

static void on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;
	struct agents *agents = agent->owner;
	const struct check_result result = {good, reason, duration_us};

	agent->heard_check = true;
	health_judge(&agent->health, &agent->shared->check, good);
	agents->listener.checked(agents->listener.context, agent->pool, agent->backend,
				 agent->health.state, &result);
}

static void on_hop(void *context, const struct next_hop *hop)
{
	struct agent *agent = context;
	struct agents *agents = agent->owner;

	agent->heard_hop = true;
	agents->listener.moved(agents->listener.context, agent->pool, agent->backend, hop);
}

static struct agent *agent_create(struct agents *agents, const struct model *model,
				  const struct pool *pool, const struct backend *backend,
				  const struct agent *before)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	struct probe_target target;

	if (!agent)
		return NULL;
	agent->owner = agents;
	memcpy(agent->pool, pool->name, sizeof(agent->pool));
	memcpy(agent->backend, backend->name, sizeof(agent->backend));
	agent->address = backend->address;
	agent->shared = shared_check_take(&pool->check, before);
	if (!agent->shared)
		goto fail;
	agent->port = model_check_port(model, pool, backend);
	health_adopt(&agent->health, backend->health);
	agent->watch = neighbour_watch_create(agents->neighbours, &agent->address, on_hop, agent);
	if (!agent->watch)
		goto fail;
	if (pool->check.type != CHECK_NONE) {
		target = (struct probe_target){agent->address, agent->port, agent->pool,
					       agent->backend};
		agent->prober = prober_create(agents->probers, &agent->shared->check, &target,
					      on_result, agent);
		if (!agent->prober)
			goto fail;
	}
	return agent;
fail:
	agent_free(agent);
	return NULL;
}

static bool agent_fits(const struct agent *agent, const struct model *model,
		       const struct pool *pool, const struct backend *backend)
{
	return strcmp(agent->backend, backend->name) == 0 &&
	       addr_equal(&agent->address, &backend->address) &&
	       memcmp(&agent->shared->check, &pool->check, sizeof(pool->check)) == 0 &&
	       agent->port == model_check_port(model, pool, backend);
}

/* Takes the agent out of the list, so that what stays there is what nobody wants. */
static struct agent *agent_take(struct agents *agents, const struct model *model,
				const struct pool *pool, const struct backend *backend)
{
	for (size_t i = 0; i < agents->count; i++) {
		struct agent *agent = agents->items[i];

		if (agent && strcmp(agent->pool, pool->name) == 0 &&
		    agent_fits(agent, model, pool, backend)) {
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
	size_t count = 0;

	if (!items) {
		log_err("watching backends: %s", strerror(ENOMEM));
		return;
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct backend *backend = pool->backends[b];
			struct agent *agent = agent_take(agents, model, pool, backend);

			if (!agent)
				agent = agent_create(agents, model, pool, backend,
						     count ? items[count - 1] : NULL);
			if (agent)
				items[count++] = agent;
			else
				log_err("backend %s/%s: watching it: %s", pool->name, backend->name,
					strerror(errno));
		}
	}
	for (size_t i = 0; i < agents->count; i++)
		agent_free(agents->items[i]);
	free(agents->items);
	agents->items = items;
	agents->count = count;
}

bool agents_all_heard(const struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++) {
		const struct agent *agent = agents->items[i];

		if (!agent->heard_hop || (agent->prober && !agent->heard_check))
			return false;
	}
	return true;
}
