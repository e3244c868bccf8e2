/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plan_breaks: which steps of a plan move most flows by nature, and how many. Pure.
 *
 * A settled slot remembers no flow. So what changes the way from a flow to its backend as a whole
 * moves all flows but those that meet the same backend by chance: another size of the table,
 * another affinity key or prefix, another pool behind a port. (A change of backends moves nobody:
 * slots keep a fallback.)
 */
#include <string.h>

#include "plan.h"

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* ---- how many ---- */

/* The share of the pool's new flows that the backend gets, as far as the configuration says. */
static double share(const struct pool *pool, const struct backend *backend)
{
	double sum = 0;

	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i]->admin == ADMIN_READY)
			sum += pool->backends[i]->weight;
	return sum > 0 && backend->admin == ADMIN_READY ? backend->weight / sum : 0;
}

/* The part of flows that leave their backend when each chooses once more, in percent, rounded up. A
 * pool without a backend has no flows. */
static uint32_t moved_percent(const struct pool *from, const struct pool *to)
{
	double stay = 0, all = 0;
	uint32_t percent;

	for (size_t i = 0; i < from->backend_count; i++) {
		const struct backend *backend = from->backends[i];

		all += share(from, backend);
		for (size_t j = 0; j < to->backend_count; j++)
			if (addr_equal(&to->backends[j]->address, &backend->address) &&
			    to->backends[j]->port == backend->port)
				stay += share(from, backend) * share(to, to->backends[j]);
	}
	if (all == 0 || stay > 0.9999)
		return 0;
	percent = (uint32_t)((1 - stay) * 100 + 0.9999);
	return percent > 100 ? 100 : percent;
}

/* ---- pools ---- */

static bool chooses_anew(const struct pool *from, const struct pool *to)
{
	if (from->table_size != to->table_size || from->affinity != to->affinity)
		return true;
	return from->affinity == AFFINITY_SOURCE_IP &&
	       (from->prefix_v4 != to->prefix_v4 || from->prefix_v6 != to->prefix_v6);
}

/* ---- services ---- */

static bool covers(const struct endpoint *listen, const struct endpoint *at, uint32_t port)
{
	return listen->proto == at->proto && addr_equal(&listen->addr, &at->addr) &&
	       port >= listen->port_first && port <= listen->port_last;
}

/* Whose packets to this port of `at` are: the narrowest listener's; NULL: nobody's. */
static const struct service *winner(const struct model *model, const struct endpoint *at,
				    uint32_t port)
{
	const struct service *best = NULL;
	uint32_t width = UINT32_MAX;

	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		for (size_t j = 0; j < service->listen_count; j++) {
			const struct endpoint *listen = &service->listen[j];
			uint32_t ports = (uint32_t)listen->port_last - listen->port_first;

			if (ports < width && covers(listen, at, port)) {
				best = service;
				width = ports;
			}
		}
	}
	return best;
}

static bool service_covers(const struct service *service, const struct endpoint *at, uint32_t port)
{
	for (size_t i = 0; service && i < service->listen_count; i++)
		if (covers(&service->listen[i], at, port))
			return true;
	return false;
}

struct judging {
	const struct model *from, *to;
	plan_has_flows has_flows;
	void *context;
};

/* What `service` of the new model does to flows of that port, in percent of those. */
static uint32_t port_moves(const struct judging *judging, const struct service *service,
			   const struct endpoint *at, uint32_t port)
{
	const struct service *old = winner(judging->from, at, port);
	const struct service *before = model_service_find(judging->from, service->name);
	const struct pool *from, *to;

	if (!old || winner(judging->to, at, port) != service || !strcmp(old->pool, service->pool))
		return 0;
	/* It was there already, behind one that is taken away: whoever does that knows. */
	if (old != before && service_covers(before, at, port) &&
	    !strcmp(before->pool, service->pool))
		return 0;
	if (old != before && judging->has_flows && !judging->has_flows(judging->context, old))
		return 0;
	from = model_pool_find(judging->from, old->pool);
	to = model_pool_find(judging->to, service->pool);
	return from && to ? moved_percent(from, to) : 0;
}

/* Where one of the model's listeners begins or has just ended, within `listen`. */
static uint32_t edges_move(const struct judging *judging, const struct service *service,
			   const struct endpoint *listen, const struct model *model)
{
	uint32_t worst = 0;

	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *other = model->services[i];

		for (size_t j = 0; j < other->listen_count; j++) {
			const struct endpoint *edge = &other->listen[j];

			if (edge->proto != listen->proto || !addr_equal(&edge->addr, &listen->addr))
				continue;
			if (covers(listen, edge, edge->port_first))
				worst = max(worst,
					    port_moves(judging, service, edge, edge->port_first));
			if (covers(listen, edge, edge->port_last + 1U))
				worst = max(worst, port_moves(judging, service, edge,
							      edge->port_last + 1U));
		}
	}
	return worst;
}

/* The worst of all its ports: from one edge to the next they are alike. */
static uint32_t service_moves(const struct judging *judging, const struct service *service)
{
	uint32_t worst = 0;

	for (size_t i = 0; i < service->listen_count; i++) {
		const struct endpoint *listen = &service->listen[i];

		worst = max(worst, edges_move(judging, service, listen, judging->from));
		worst = max(worst, edges_move(judging, service, listen, judging->to));
	}
	return worst;
}

/* ---- the plan ---- */

static uint32_t step_moves(const struct judging *judging, const struct plan_step *step)
{
	const struct pool *from, *to;

	if (step->kind == PLAN_SERVICE && step->verb != PLAN_REMOVE)
		return service_moves(judging, model_service_find(judging->to, step->object));
	if (step->kind != PLAN_POOL || step->verb != PLAN_CHANGE)
		return 0;
	from = model_pool_find(judging->from, step->object);
	to = model_pool_find(judging->to, step->object);
	return chooses_anew(from, to) ? moved_percent(from, to) : 0;
}

bool plan_judge(struct plan *plan, const struct model *from, const struct model *to,
		plan_has_flows has_flows, void *context)
{
	const struct judging judging = {from, to, has_flows, context};
	bool breaks = false;

	for (size_t i = 0; i < plan->count; i++) {
		plan->steps[i].moved_percent = step_moves(&judging, &plan->steps[i]);
		breaks = breaks || plan->steps[i].moved_percent > 0;
	}
	return breaks;
}

uint32_t plan_reseed_percent(const struct model *model)
{
	uint32_t worst = 0;

	for (size_t i = 0; i < model->pool_count; i++)
		worst = max(worst, moved_percent(model->pools[i], model->pools[i]));
	return worst;
}
