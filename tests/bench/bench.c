/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench: measures the rows below and the floors under them, round by round in turn, so that what
 * the machine does meanwhile hits all alike. Started by tests/bench/run, which makes the network it
 * works in. Neighbours: balancer (what is measured), lane (how), result (what it says).
 */
#include <err.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balancer.h"
#include "lane.h"
#include "result.h"

struct row {
	const char *name;
	uint8_t family;
	uint32_t flows;
	enum balancer_pool pool;
};

/*
 * Rows of equal family and flows stand together: they share floors and rounds. Fewer flows before
 * more, so that a row's flow table holds no more than its own.
 */
/* clang-format off */
static const struct row rows[] = {
	{"v4-changed-1",    4,       1, BALANCER_CHANGED},
	{"v4-always-1",     4,       1, BALANCER_ALWAYS},
	{"v4-changed-1k",   4,    1000, BALANCER_CHANGED},
	{"v4-always-1k",    4,    1000, BALANCER_ALWAYS},
	{"v4-changed-100k", 4,  100000, BALANCER_CHANGED},
	{"v4-always-100k",  4,  100000, BALANCER_ALWAYS},
	{"v4-changed-1m",   4, 1000000, BALANCER_CHANGED},
	{"v4-always-1m",    4, 1000000, BALANCER_ALWAYS},
	{"v6-changed-1",    6,       1, BALANCER_CHANGED},
	{"v6-always-1",     6,       1, BALANCER_ALWAYS},
	{"v6-changed-1k",   6,    1000, BALANCER_CHANGED},
	{"v6-always-1k",    6,    1000, BALANCER_ALWAYS},
	{"v6-changed-100k", 6,  100000, BALANCER_CHANGED},
	{"v6-always-100k",  6,  100000, BALANCER_ALWAYS},
	{"v6-changed-1m",   6, 1000000, BALANCER_CHANGED},
	{"v6-always-1m",    6, 1000000, BALANCER_ALWAYS},
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct way {
	const char *prefix;
	const char *title;
	enum lane_way way;
	int rounds;
	uint64_t packets; /* in a round, for each */
} ways[] = {
	{"path", "Whole path: generator, veth, program, veth, sink, on one core", LANE_PATH, 15,
	 200000},
	{"program", "Program alone, called in a loop, the writing of each packet included",
	 LANE_LOOP, 11, 200000},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static struct dataplane *dp;
static struct lane *lane;

static void check(int err, const char *name, const struct fault *fault)
{
	if (err)
		errx(1, "%s: %s", name, fault->message);
}

static struct lane_traffic row_traffic(const struct row *row)
{
	return (struct lane_traffic){.destination = balancer_vip(row->pool, row->family),
				     .port = BALANCER_PORT,
				     .flows = row->flows};
}

/* One run of the balancer, every packet accounted for by its own counters too. */
static double row_run(const struct row *row, enum lane_way way, bool in_order, uint64_t packets)
{
	const struct lane_traffic traffic = row_traffic(row);
	uint64_t forwarded[2], other[2];
	struct fault fault = {0};
	double ns;

	check(lane_program(lane, dataplane_program_fd(dp), true, &fault), row->name, &fault);
	if (balancer_counted(dp, &forwarded[0], &other[0]))
		errx(1, "%s: cannot read the counters", row->name);
	check(lane_run(lane, way, &traffic, in_order, &packets, &ns, &fault), row->name, &fault);
	if (balancer_counted(dp, &forwarded[1], &other[1]))
		errx(1, "%s: cannot read the counters", row->name);
	if (forwarded[1] - forwarded[0] != packets || other[1] != other[0])
		errx(1, "%s: of %llu packets the balancer forwarded %llu and ended %llu otherwise",
		     row->name, (unsigned long long)packets,
		     (unsigned long long)(forwarded[1] - forwarded[0]),
		     (unsigned long long)(other[1] - other[0]));
	return ns;
}

static double floor_run(const struct row *row, enum lane_way way, enum lane_floor floor,
			uint64_t packets)
{
	const struct lane_traffic traffic = row_traffic(row);
	struct fault fault = {0};
	double ns;

	check(lane_floor(lane, floor, row->family, &fault), "floor", &fault);
	check(lane_run(lane, way, &traffic, false, &packets, &ns, &fault), "floor", &fault);
	return ns;
}

/* Every flow once, after which a pool that tracks has them all, and one that does not, none. */
static void row_meet_flows(const struct row *row, enum lane_way way)
{
	int64_t before = balancer_tracked(dp, row->family), after, expected;

	row_run(row, way, true, row->flows);
	after = balancer_tracked(dp, row->family);
	expected = row->pool == BALANCER_ALWAYS ? row->flows : before;
	if (before < 0 || after != expected)
		errx(1, "%s: %lld flows are tracked where %lld should be", row->name,
		     (long long)after, (long long)expected);
}

/* Rows `first` to `last - 1`, which share their floors. */
static void group_measure(const struct way *way, int first, int last, struct result *results)
{
	static struct series floors[LANE_FLOORS], own[ROWS];
	uint64_t warm_up = way->packets / 8;

	for (int i = first; i < last; i++)
		row_meet_flows(&rows[i], way->way);
	for (int round = 0; round < way->rounds; round++) {
		for (int floor = 0; floor < LANE_FLOORS; floor++) {
			floor_run(&rows[first], way->way, floor, warm_up);
			floors[floor].ns[round] =
				floor_run(&rows[first], way->way, floor, way->packets);
		}
		for (int i = first; i < last; i++) {
			row_run(&rows[i], way->way, false, warm_up);
			own[i].ns[round] = row_run(&rows[i], way->way, false, way->packets);
		}
	}
	for (int i = first; i < last; i++) {
		snprintf(results[i].name, sizeof(results[i].name), "%s-%s", way->prefix,
			 rows[i].name);
		result_fill(&results[i], way->rounds, &own[i], &floors[LANE_REFLECT],
			    &floors[LANE_ENCAP]);
	}
}

static void way_measure(const struct way *way, struct result *results)
{
	int first = 0;

	for (int i = 1; i <= ROWS; i++) {
		if (i < ROWS && rows[i].family == rows[first].family &&
		    rows[i].flows == rows[first].flows)
			continue;
		if ((first == 0 || rows[first].family != rows[first - 1].family) &&
		    balancer_forget(dp))
			errx(1, "cannot empty the flow tables");
		group_measure(way, first, i, results);
		first = i;
	}
}

/* What lbd's sweeps cost while the last row's flows are tracked. */
static void sweep_print(void)
{
	enum { SWEEPS = 9, INTERVAL_MS = 10000 };
	double fastest = 0;
	int64_t entries = 0;

	for (int i = 0; i < SWEEPS; i++) {
		struct timespec begin, end;
		double ms;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
		entries = balancer_tracked(dp, rows[ROWS - 1].family);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		     (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
		fastest = i && fastest < ms ? fastest : ms;
	}
	printf("\nA sweep over %lld tracked flows takes %.1f ms of a core: one every %d s, %.2f%% "
	       "of "
	       "it (best of %d).\n",
	       (long long)entries, fastest, INTERVAL_MS / 1000, fastest * 100 / INTERVAL_MS,
	       SWEEPS);
}

/*
 * The last core, because interrupts and other work like the first; and before every ordinary
 * process, because one that takes a turn in the middle of a run counts as slow packets.
 */
static void take_one_core(void)
{
	const struct sched_param first = {.sched_priority = 1};
	cpu_set_t allowed, one;
	int last = -1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		err(1, "reading the CPU affinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			last = cpu;
	}
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "staying on one core");
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		err(1, "taking precedence on it");
}

int main(int argc, char **argv)
{
	static struct result results[WAYS * ROWS];
	struct fault fault = {0};
	int error;

	if (argc != 5)
		errx(2, "usage: bench NEAR FAR PIN_DIR JSON_FILE");
	take_one_core();
	dp = balancer_create(argv[3], if_nametoindex(argv[2]), &fault);
	check(!dp, "balancer", &fault);
	lane = lane_create(argv[1], argv[2], &fault);
	check(!lane, "lane", &fault);

	for (int i = 0; i < WAYS; i++) {
		way_measure(&ways[i], &results[i * ROWS]);
		result_print(ways[i].title, &results[i * ROWS], ROWS);
	}
	sweep_print();
	error = result_write(argv[4], results, WAYS * ROWS);
	if (error)
		errx(1, "%s: writing it: %s", argv[4], strerror(-error));
	printf("\nMedians; spread: between the quartiles of \"above reflect+encap\". Rows in %s.\n",
	       argv[4]);
	lane_free(lane);
	dataplane_close(dp);
	return 0;
}
