/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_sweep: see run_sweep.h. */
#include "run_sweep.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

#include "case.h"
#include "state.h"

/* The slot of the flow, as the packet program reckons it: the one that sweeps must mark. */
static uint32_t subject_slot(struct dataplane *dp, const struct subject *subject)
{
	const struct layer transport = subject->proto == IPPROTO_UDP
					       ? (struct layer)UDP(subject->sport, subject->dport)
					       : (struct layer)TCP(subject->sport, subject->dport);
	const struct layer ip = strchr(subject->src, ':')
					? (struct layer)IP6(subject->src, subject->dst)
					: (struct layer)IP4(subject->src, subject->dst);
	const struct layer layers[PACKET_LAYERS_MAX] = {ETH(), ip, transport};
	struct lb_explanation said;
	struct packet packet;
	struct fault fault;

	packet_build(layers, &packet);
	if (dataplane_explain(dp, packet.bytes, packet.size, WORLD_NEAR_IFINDEX, &said, NULL, NULL,
			      &fault))
		errx(1, "sweep cases: %s", fault.message);
	return said.slot;
}

static bool check_swept(const char *table, const struct lb_sweep *is, const struct case_swept *want)
{
	if (is->read == want->read && is->doomed == want->doomed && is->deleted == want->deleted)
		return true;
	printf("#   of the %s, %u were read, %u doomed, %u deleted\n", table, is->read, is->doomed,
	       is->deleted);
	return false;
}

static bool check_tally(const char *what, uint32_t index, const struct lb_tally *is,
			const struct lb_tally *want)
{
	if (is->flows == want->flows && is->clients == want->clients)
		return true;
	printf("#   %s %u has %u flows and %u clients, expected %u and %u\n", what, index,
	       is->flows, is->clients, want->flows, want->clients);
	return false;
}

static bool check_tallies(struct dataplane *dp, const struct sweep_case *row)
{
	struct lb_tally backends[WORLD_BACKENDS] = {0}, pools[WORLD_SERVICES] = {0};
	bool good = true;

	for (int i = 0; i < CASE_TALLIES_MAX && row->tallies[i].backend; i++) {
		backends[row->tallies[i].backend].flows = row->tallies[i].flows;
		backends[row->tallies[i].backend].clients = row->tallies[i].clients;
		pools[row->subject.service].flows += row->tallies[i].flows;
		pools[row->subject.service].clients += row->tallies[i].clients;
	}
	for (uint32_t i = 0; i < WORLD_BACKENDS; i++)
		good &= check_tally("backend", i, &dataplane_backend_tallies(dp)[i], &backends[i]);
	for (uint32_t i = 0; i < WORLD_SERVICES; i++)
		good &= check_tally("pool", i, &dataplane_pool_tallies(dp)[i], &pools[i]);
	return good;
}

/* Births first, as lbd does. */
static void sweep_once(struct dataplane *dp, uint32_t now,
		       struct lb_sweep out[LB_SWEEP_TABLE_COUNT])
{
	const struct lb_limits *limits = &dataplane_settings(dp)->limits;

	memset(dataplane_backend_tallies(dp), 0,
	       (limits->backends + 1UL) * sizeof(struct lb_tally));
	memset(dataplane_pool_tallies(dp), 0, (limits->services + 1UL) * sizeof(struct lb_tally));
	for (uint32_t table = 0; table < LB_SWEEP_TABLE_COUNT; table++) {
		out[table] = (struct lb_sweep){.table = table, .now = now};
		if (dataplane_sweep(dp, &out[table]))
			errx(1, "sweep cases: cannot run the program");
	}
}

static bool case_run(const struct maps *maps, const struct sweep_case *row)
{
	struct state state = {
		.maps = maps, .name = row->name, .subject = &row->subject, .before = &row->before};
	struct lb_sweep swept[LB_SWEEP_TABLE_COUNT];
	uint32_t slot;
	bool good;

	slot = subject_slot(maps->dp, &row->subject);
	state_prepare(&state, 0);
	for (int i = 0; i < (row->sweeps ? row->sweeps : 1); i++)
		sweep_once(maps->dp, state.tick, swept);
	good = check_swept("births", &swept[LB_SWEEP_BIRTHS], &row->births);
	good &= check_swept("flows", &swept[LB_SWEEP_FLOWS], &row->flows);
	good &= check_swept("clients", &swept[LB_SWEEP_CLIENTS], &row->clients);
	good &= check_tallies(maps->dp, row);
	return good & state_check(&state, &row->after, slot, "after the sweep");
}

unsigned int sweeps_run(const struct maps *maps, unsigned int *number)
{
	struct fault fault;
	unsigned int failed = 0;

	if (dataplane_sweep_prepare(maps->dp, &fault))
		errx(1, "sweep cases: %s", fault.message);
	for (size_t i = 0; i < sweep_case_count; i++) {
		bool good = case_run(maps, &sweep_cases[i]);

		failed += !good;
		printf("%sok %u - sweep: %s\n", good ? "" : "not ", ++*number, sweep_cases[i].name);
	}
	return failed;
}
