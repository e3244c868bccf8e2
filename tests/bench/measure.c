/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * measure: see measure.h.
 */
#include "measure.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Fewer clients than may be there that sent but one packet. */
	OPENED_AT_A_TIME = BALANCER_NEW_CLIENTS_MAX * 4 / 5,
	GROUP_MAX = 16,
};

static void check(int failed, const struct row *row, const struct fault *fault)
{
	if (failed)
		errx(1, "%s: %s", row->name, fault->message);
}

static uint32_t row_flows(const struct measure *measure, const struct row *row)
{
	return row->flows < measure->flows_max ? row->flows : measure->flows_max;
}

static uint64_t row_packets(const struct measure *measure, const struct row *row)
{
	return row->packets < measure->packets_max ? row->packets : measure->packets_max;
}

static void counted(const struct measure *measure, const struct row *row, uint64_t *verdicts)
{
	if (balancer_counted(measure->dp, row->pool, row->family, verdicts))
		errx(1, "%s: cannot read the counters", row->name);
}

/* All packets must have come to the verdict that the row tells. */
static void verdicts_check(const struct row *row, const uint64_t *before, const uint64_t *after,
			   uint64_t packets)
{
	for (uint32_t i = LB_CONTINUE + 1; i < LB_VERDICT_COUNT; i++) {
		uint64_t expected = i == (uint32_t)row->verdict ? packets : 0;

		if (after[i] - before[i] != expected)
			errx(1, "%s: of %llu packets %llu ended as %s, and should %llu", row->name,
			     (unsigned long long)packets,
			     (unsigned long long)(after[i] - before[i]), dataplane_verdict_name(i),
			     (unsigned long long)expected);
	}
}

/* One run of the balancer. */
static double traffic_run(const struct measure *measure, const struct row *row,
			  const struct frame_traffic *traffic, uint64_t packets)
{
	uint64_t before[LB_VERDICT_COUNT], after[LB_VERDICT_COUNT];
	struct fault fault = {0};
	double ns;

	check(lane_program(measure->lane, dataplane_program_fd(measure->dp), &fault), row, &fault);
	counted(measure, row, before);
	check(lane_run(measure->lane, row->way, traffic, &packets, &ns, &fault), row, &fault);
	counted(measure, row, after);
	verdicts_check(row, before, after, packets);
	return ns;
}

static void entries_check(const struct measure *measure, const struct row *row, uint64_t expected)
{
	uint64_t entries = balancer_entries(measure->dp);

	if (entries != expected)
		errx(1, "%s: the tables have %llu entries where %llu should be", row->name,
		     (unsigned long long)entries, (unsigned long long)expected);
}

static void forget(const struct measure *measure)
{
	if (balancer_forget(measure->dp))
		errx(1, "cannot empty the tables");
}

static double row_run(const struct measure *measure, const struct row *row, uint64_t packets)
{
	struct frame_traffic traffic = row_traffic(row);
	double ns;

	traffic.flows = row_flows(measure, row);
	if (row->memory == ROW_COLD || row->memory == ROW_WARMING)
		forget(measure);
	if (row->memory == ROW_COLD) /* each packet is of another flow */
		traffic.flows = row->flows;
	ns = traffic_run(measure, row, &traffic, packets);
	if (row->memory == ROW_COLD)
		entries_check(measure, row, (packets + BENCH_LOOP - 1) / BENCH_LOOP * BENCH_LOOP);
	return ns;
}

static double floor_run(const struct measure *measure, const struct row *row, enum lane_floor floor,
			uint64_t packets)
{
	struct frame_traffic traffic = row_traffic(row);
	struct fault fault = {0};
	double ns;

	traffic.flows = row_flows(measure, row);
	traffic.outcome = lane_floor_outcome(floor);
	check(lane_floor(measure->lane, floor, &fault), row, &fault);
	check(lane_run(measure->lane, row->way, &traffic, &packets, &ns, &fault), row, &fault);
	return ns;
}

/* ---- what the tables know before ---- */

/* Flow after flow, from `first`, whichever way: the path counts packets exactly. */
static void meet(const struct measure *measure, const struct row *row, enum frame_kind kind,
		 uint32_t first, uint32_t count)
{
	struct frame_traffic traffic = row_traffic(row);
	struct row by_path = *row;

	by_path.way = LANE_PATH;
	traffic.kind = kind;
	traffic.flows = row_flows(measure, row);
	traffic.in_order = true;
	traffic.first = first;
	traffic_run(measure, &by_path, &traffic, count);
}

static void row_prepare(const struct measure *measure, const struct row *row)
{
	uint64_t before = balancer_entries(measure->dp);
	uint32_t flows = row_flows(measure, row), count;

	balancer_nat(measure->dp, row->pool == BALANCER_NAT);
	if (row->outcome == FRAME_PASSED || row->memory == ROW_COLD || row->memory == ROW_WARMING)
		return;
	if (row->memory == ROW_OPENED) {
		for (uint32_t first = 0; first < flows; first += count) {
			count = flows - first < OPENED_AT_A_TIME ? flows - first : OPENED_AT_A_TIME;
			meet(measure, row, FRAME_SYN, first, count);
			meet(measure, row, FRAME_ACK, first, count);
		}
	} else {
		meet(measure, row, row->kind, 0, flows);
	}
	/* What tracks has them all now, and what does not, none. */
	entries_check(measure, row, before + (row->memory == ROW_NOTHING ? 0 : flows));
}

void measure_prepare(const struct measure *measure, const struct row *const *group, int count)
{
	forget(measure);
	for (int i = 0; i < count; i++)
		row_prepare(measure, group[i]);
}

/* ---- rounds ---- */

static double warm_floor_run(const struct measure *measure, const struct row *row,
			     enum lane_floor floor)
{
	uint64_t packets = row_packets(measure, row);

	floor_run(measure, row, floor, packets / 8);
	return floor_run(measure, row, floor, packets);
}

static double warm_row_run(const struct measure *measure, const struct row *row)
{
	uint64_t packets = row_packets(measure, row);

	balancer_nat(measure->dp, row->pool == BALANCER_NAT);
	row_run(measure, row, packets / 8);
	return row_run(measure, row, packets);
}

struct round measure_round(const struct measure *measure, const struct row *row)
{
	struct round round = {.reflect = warm_floor_run(measure, row, LANE_REFLECT)};

	round.floor = row->floor == LANE_REFLECT ? round.reflect
						 : warm_floor_run(measure, row, row->floor);
	round.ns = warm_row_run(measure, row);
	return round;
}

void measure_group(const struct measure *measure, const struct row *const *group, int count,
		   struct result *results)
{
	static struct series reflect, floor, own[GROUP_MAX];
	struct round first;

	if (count > GROUP_MAX)
		errx(1, "%s: too many rows share floors", group[0]->name);
	measure_prepare(measure, group, count);
	for (int round = 0; round < measure->rounds; round++) {
		first = measure_round(measure, group[0]);
		reflect.ns[round] = first.reflect;
		floor.ns[round] = first.floor;
		own[0].ns[round] = first.ns;
		for (int i = 1; i < count; i++)
			own[i].ns[round] = warm_row_run(measure, group[i]);
	}
	for (int i = 0; i < count; i++) {
		results[i].name = group[i]->name;
		results[i].remark = group[i]->remark;
		result_fill(&results[i], measure->rounds, &own[i], &floor, &reflect);
	}
}
