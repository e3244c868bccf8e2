/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agents_private: what the files of `agents` share; nobody else's to include.
 *
 *     agents.c        making them, keeping them in step with the model, checks on demand
 *     agents_news.c   what they hear: judged, put off while a round goes on, told
 */
#ifndef LIMPET_AGENTS_PRIVATE_H
#define LIMPET_AGENTS_PRIVATE_H

#include "agents.h"
#include "health.h"
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
	struct check_target target;
	struct probe_tunnel tunnel; /* if the target is behind it */
	/* Of pool and backend, for the rounds: */
	uint32_t panic_threshold;
	bool backup;
	bool wanted;      /* ready, with a weight */
	bool resolved;    /* as it was told */
	bool hop_told;    /* it was resolved once */
	bool hop_pending; /* it is, but that is not told yet */
	struct next_hop hop;
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
	bool waited_for; /* long enough: its first news is not expected any more */
};

struct agents {
	sd_event *event;
	struct neighbours *neighbours;
	struct dataplane *dp;
	uint32_t mark; /* of probes through the tunnel, see dataplane_probe_mark */
	struct probers *probers;
	struct agents_listener listener;
	struct agent **items;
	size_t count;
	size_t heard_count;   /* of the first ones, as far as agents_all_heard found them heard */
	size_t pending_count; /* verdicts and next hops: mostly 0, and nothing to look for */
};

/* ---- agents_news.c: what probers and next hops call; the context is the agent ---- */

void agent_on_result(void *context, bool good, const char *reason, uint32_t duration_us);
void agent_on_agent_result(void *context, bool good, const char *reason, uint32_t duration_us);
void agent_on_hop(void *context, const struct next_hop *hop);

/* Of all pools: tells what waits for nobody any more. */
void agents_look(struct agents *agents);

#endif
