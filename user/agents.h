/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agents: one for each backend of the running model. An agent owns what watches its backend, the
 * prober and the next hop's watch, and the judgement of its checks. What it learns goes to the
 * model through two callbacks; it decides nothing about traffic.
 */
#ifndef LIMPET_AGENTS_H
#define LIMPET_AGENTS_H

#include <systemd/sd-event.h>

#include "model.h"
#include "neighbour.h"
#include "probe.h"

struct agents;
struct dataplane;

/* What became of one check. */
struct check_result {
	bool good;
	const char *reason; /* in words */
	uint32_t duration_us;
	/* Of the health that came of it: */
	uint32_t held_for_ms; /* it stays down; 0: is not held down */
	uint32_t short_lives; /* see health.h */
	struct health_history history;
};

/* Where news goes. Names, because the model may have been rebuilt since the agent was made. */
struct agents_listener {
	void *context;
	void (*checked)(void *context, const char *pool, const char *backend,
			enum health_state health, const struct check_result *result);
	/* `line`: what the agent said, or why it said nothing. */
	void (*said)(void *context, const char *pool, const char *backend,
		     const struct agent_says *says, const char *line);
	void (*moved)(void *context, const char *pool, const char *backend,
		      const struct next_hop *hop);
};

/* NULL if out of memory. `neighbours` and `dp`, through which checks go that take the tunnel, must
 * outlive the result. */
struct agents *agents_create(sd_event *event, struct neighbours *neighbours, struct dataplane *dp,
			     const struct agents_listener *listener);
void agents_free(struct agents *agents); /* NULL is fine */

/* Makes agents for backends that have none, frees those whose backend is gone or is checked
 * otherwise than before, leaves the others alone. New ones start from the backend's health in the
 * model. */
void agents_sync(struct agents *agents, const struct model *model);

/* After a round of publishing: the backends' indices, by which the tunnel knows them, may be new.
 */
void agents_published(struct agents *agents, const struct model *model);

/* A check that somebody asked for. It changes nothing: what the regular ones say counts. */
struct agent_check {
	bool running;
	bool good;
	char reason[224];
	struct probe_steps steps;
};

/* Starts one, at once, unless one is running. 0; -ENOENT: no such backend; -ENOTSUP: it has no
 * check; another negative errno: it could not be started. */
int agents_check_start(struct agents *agents, const char *pool, const char *backend);
/* The last one; NULL: none was asked for since the backend's check is as it is. Borrowed until the
 * loop goes on. */
const struct agent_check *agents_check_last(const struct agents *agents, const char *pool,
					    const char *backend);

/* True once every agent has heard of its next hop and, where it checks, has had a result; but for
 * those that wait for the data plane to know their backend. */
bool agents_all_heard(struct agents *agents);
/* The start does not wait longer for the others; nor then does their pool. */
void agents_waited(struct agents *agents);

#endif
