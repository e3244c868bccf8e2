/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * measure: runs rows and the floors under them, round by round in turn, so that what the machine
 * does meanwhile hits all alike. Every packet is accounted for, by where it came out and by the
 * balancer's own counters; a run of which one went another way ends the process. Neighbours: rows
 * (what), balancer and lane (how).
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "balancer.h"
#include "lane.h"
#include "result.h"
#include "rows.h"

struct measure {
	struct dataplane *dp;
	struct lane *lane;
	int rounds;
	uint64_t packets_max; /* in a run, whatever the row says */
	uint32_t flows_max;
};

/* Empties the tables, and makes of them what the rows need, which are alike. */
void measure_prepare(const struct measure *measure, const struct row *const *group, int count);

/* One round of a row: what a packet took, without and with the floor. */
struct round {
	double ns, floor, reflect;
};
struct round measure_round(const struct measure *measure, const struct row *row);

/* All rounds of rows that are alike. `results`: one for each. */
void measure_group(const struct measure *measure, const struct row *const *group, int count,
		   struct result *results);

#endif
