/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_news: what checks, agents and the network say of a backend goes into the running
 * model, into the log and to those who watch.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "controller_private.h"
#include "neighbour.h"

enum { HOP_TEXT_SIZE = 96 };

static struct backend *find_backend(const struct controller *controller, const char *pool_name,
				    const char *name, struct pool **pool)
{
	*pool = model_pool_find(controller->running, pool_name);
	return *pool ? pool_backend_find(*pool, name) : NULL;
}

static void on_checked(void *context, const char *pool_name, const char *name,
		       enum health_state health, const struct check_result *result)
{
	struct controller *controller = context;
	uint64_t now_ms = clock_ms(CLOCK_REALTIME);
	enum health_state from;
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);
	bool changed;

	if (!backend)
		return;
	from = backend->health;
	backend->checked_ms = now_ms;
	backend->check_us = result->duration_us;
	backend->check_failures += !result->good;
	backend->held_until_ms = result->held_for_ms ? now_ms + result->held_for_ms : 0;
	backend->short_lives = result->short_lives;
	backend->history = result->history;
	changed = model_set_backend_health(pool, backend, health, result->reason, now_ms);
	if (changed)
		controller_tell_health(controller, pool, backend, from);
	controller_news_arrived(controller, changed);
}

static void on_said(void *context, const char *pool_name, const char *name,
		    const struct agent_says *says, const char *line)
{
	struct controller *controller = context;
	uint32_t suppressed;
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);
	bool changed;

	if (!backend)
		return;
	changed = backend->agent.down != says->down || backend->agent.admin != says->admin ||
		  backend->agent.weight_less != says->weight_less;
	backend->agent = *says;
	snprintf(backend->agent_line, sizeof(backend->agent_line), "%s", line);
	if (changed && log_allowed(&backend->transitions, clock_ms(CLOCK_REALTIME), &suppressed))
		log_info("backend %s/%s: its agent says: %s", pool_name, name, line);
	if (changed)
		controller_tell_agent(controller, pool, backend);
	controller_news_arrived(controller, changed);
}

/* "next hop 02:00:00:00:00:0b on eth1, MTU 1600", as told of backends that move. */
static const char *hop_text(const struct next_hop *hop, char out[HOP_TEXT_SIZE])
{
	const uint8_t *mac = hop->destination_mac;
	char name[IF_NAMESIZE];

	snprintf(out, HOP_TEXT_SIZE, "next hop %02x:%02x:%02x:%02x:%02x:%02x on %s, MTU %u", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5],
		 if_indextoname(hop->ifindex, name) ? name : "an interface that is gone", hop->mtu);
	return out;
}

static void tell_moved(const char *pool_name, struct backend *backend, const struct next_hop *hop)
{
	char now[HOP_TEXT_SIZE];
	uint32_t suppressed;

	if (!log_allowed(&backend->moves, clock_ms(CLOCK_REALTIME), &suppressed))
		return;
	if (suppressed)
		log_info("backend %s/%s: %u changes of its next hop were not told", pool_name,
			 backend->name, suppressed);
	if (!hop->resolved)
		log_warn("backend %s/%s: no next hop: %s; it takes no traffic", pool_name,
			 backend->name, hop->why);
	else
		log_info("backend %s/%s: %s%s", pool_name, backend->name, hop_text(hop, now),
			 backend->hop.resolved ? ", not as before" : "");
}

/* What packets to the backend meet. An lbd that has just started hears what it finds in the maps.
 */
static bool same_way(const struct next_hop *a, const struct next_hop *b)
{
	return a->resolved && b->resolved && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       memcmp(a->source_mac, b->source_mac, sizeof(a->source_mac)) == 0 &&
	       memcmp(a->destination_mac, b->destination_mac, sizeof(a->destination_mac)) == 0;
}

static void on_moved(void *context, const char *pool_name, const char *name,
		     const struct next_hop *hop)
{
	struct controller *controller = context;
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);
	bool before, same;

	if (!backend)
		return;
	before = backend->hop.resolved;
	same = same_way(&backend->hop, hop);
	if (!same)
		tell_moved(pool_name, backend, hop);
	backend->hop = *hop;
	if (!same)
		controller_tell_next_hop(controller, pool, backend, before);
	controller_news_arrived(controller, true);
}

struct agents *controller_agents_create(struct controller *controller)
{
	const struct agents_listener listener = {controller, on_checked, on_said, on_moved};

	return agents_create(controller->event, controller->neighbours, controller->dp, &listener);
}
