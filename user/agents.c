/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* agents: see agents.h. A list ordered like the model: by pool, then backend. */
#include "agents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "log.h"
#include "probe.h"

struct agent {
	struct agents *owner;
	char pool[MODEL_NAME_SIZE];
	char backend[MODEL_NAME_SIZE];
	struct addr address;
	struct check check;
	uint16_t port; /* that is checked */
	struct health health;
	struct prober *prober;
	struct neighbour_watch *watch;
	bool heard_check;
	bool heard_hop;
};

struct agents {
	sd_event *event;
	struct neighbours *neighbours;
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
	agents->event = event;
	agents->neighbours = neighbours;
	agents->listener = *listener;
	return agents;
}

static void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	prober_free(agent->prober);
	neighbour_watch_free(agent->watch);
	free(agent);
}

void agents_free(struct agents *agents)
{
	if (!agents)
		return;
	for (size_t i = 0; i < agents->count; i++)
		agent_free(agents->items[i]);
	free(agents->items);
	free(agents);
}

static void on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct agent *agent = context;
	struct agents *agents = agent->owner;
	const struct check_result result = {good, reason, duration_us};

	agent->heard_check = true;
	health_judge(&agent->health, &agent->check, good);
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
				  const struct pool *pool, const struct backend *backend)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent->owner = agents;
	memcpy(agent->pool, pool->name, sizeof(agent->pool));
	memcpy(agent->backend, backend->name, sizeof(agent->backend));
	agent->address = backend->address;
	agent->check = pool->check;
	agent->port = model_check_port(model, pool, backend);
	health_adopt(&agent->health, backend->health);
	agent->watch = neighbour_watch_create(agents->neighbours, &agent->address, on_hop, agent);
	if (!agent->watch)
		goto fail;
	if (agent->check.type != CHECK_NONE) {
		agent->prober = prober_create(agents->event, &agent->check, &agent->address,
					      agent->port, on_result, agent);
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
	       memcmp(&agent->check, &pool->check, sizeof(agent->check)) == 0 &&
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
				agent = agent_create(agents, model, pool, backend);
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
