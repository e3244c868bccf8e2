/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * churn: how many flows break needlessly, what is remembered of flows meanwhile, and for how long,
 * when a pool of 100 backends changes: under Limpet's rules, without any memory, and with the
 * classic one, an entry for each flow. In simulated time, on the rules that run. "Needlessly": a
 * packet of a flow goes elsewhere although the backend that answered it has been usable ever since,
 * and the flow was not idle past its timeout.
 *
 *   churn [--short] [--policy NAME] [--json FILE]    exits with 1 if a row misses its goal
 *
 * The pool warms up until as many flows live as ever will. From there each schedule of changes
 * starts afresh, in a copy of the process. After its last change flows go on to come and go for
 * longer than any is remembered. If by then slots name one backend each, new flows leave nothing
 * behind: no more come, and the old ones are waited for until the table is empty.
 *
 * churn_flows.c: what flows do. churn_balancer.c: the balancer. churn_classic.c: the classic table.
 * churn_schedule.c: the changes. churn_report.c: the rows and their goals.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"

enum {
	WARM_SECONDS = 8000,  /* flows live for 7,920 at most */
	AFTER_SECONDS = 8000, /* what is not used is forgotten after 7,800 */
	PATIENCE_SECONDS = 30000,
	POLICIES_MAX = 16,
	SCHEDULES_MAX = 4,
};

struct plan {
	uint32_t per_second; /* new flows */
	struct policy policies[POLICIES_MAX];
	struct schedule schedules[SCHEDULES_MAX];
};

static struct plan full = {
	.per_second = 240,
	.policies = {{"no memory", MEMORY_NONE, 0},
		     {"classic-lru-100k", MEMORY_CLASSIC, 100000},
		     {"classic-lru-1M", MEMORY_CLASSIC, 1000000},
		     {"classic-lru-10M", MEMORY_CLASSIC, 10000000},
		     {"always-100k", MEMORY_ALWAYS, 100000},
		     {"always-1M", MEMORY_ALWAYS, 1000000},
		     {"always-10M", MEMORY_ALWAYS, 10000000},
		     {"changed-0", MEMORY_CHANGED, 0},
		     {"changed-100", MEMORY_CHANGED, 100},
		     {"changed-10k", MEMORY_CHANGED, 10000},
		     {"changed-1M", MEMORY_CHANGED, 1000000}},
};

/* The same with a fiftieth of the flows. */
static struct plan small = {
	.per_second = 5,
	.policies = {{"no memory", MEMORY_NONE, 0},
		     {"classic-lru-2000", MEMORY_CLASSIC, 2000},
		     {"always-2000", MEMORY_ALWAYS, 2000},
		     {"changed-0", MEMORY_CHANGED, 0},
		     {"changed-100", MEMORY_CHANGED, 100},
		     {"changed-20k", MEMORY_CHANGED, 20000}},
};

static void plans_fill(void)
{
	schedule_add(&full.schedules[0]);
	schedule_deploy(&full.schedules[1], BACKENDS);
	schedule_random(&full.schedules[2], "every 10 s", 360, 10);
	schedule_random(&full.schedules[3], "every second", 239, 1);
	schedule_add(&small.schedules[0]);
	schedule_deploy(&small.schedules[1], 5);
	schedule_random(&small.schedules[2], "every 10 s", 9, 10);
}

static double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void unit_step(bool begin)
{
	unit_now++;
	balancer_step();
	flows_step(begin);
}

static void warm_up(const struct policy *policy, uint32_t per_second)
{
	balancer_open(policy);
	flows_open(per_second);
	while (unit_now < units(WARM_SECONDS))
		unit_step(true);
}

/* ---- one schedule, on a pool that is warm ---- */

/* What can be seen at any time, and is looked for after each unit of it. */
static void row_watch(struct row *row, uint32_t last_change)
{
	double since = seconds_of(unit_now - last_change);
	uint32_t entries = balancer_entries();

	if (entries > row->peak_entries)
		row->peak_entries = entries;
	if (!balancer_settled())
		row->settled_seconds = -1;
	else if (row->settled_seconds < 0)
		row->settled_seconds = since;
	if (row->settled_seconds < 0 || entries)
		row->empty_seconds = -1;
	else if (row->empty_seconds < 0)
		row->empty_seconds = since;
}

static void play(struct row *row, const struct schedule *schedule)
{
	uint32_t start = unit_now, last = unit_now, done = 0;

	while (done < schedule->count || unit_now < last + units(AFTER_SECONDS)) {
		if (done < schedule->count && !balancer_changing() &&
		    unit_now >= start + units(schedule->changes[done].second)) {
			balancer_change(&schedule->changes[done++]);
			last = unit_now;
		}
		unit_step(true);
		row_watch(row, last);
	}
	if (row->policy->memory == MEMORY_NONE)
		row->settled_seconds = row->empty_seconds = 0;
	if (row->policy->memory == MEMORY_CHANGED && balancer_agrees()) {
		while (row->empty_seconds < 0 && unit_now < last + units(PATIENCE_SECONDS)) {
			unit_step(false);
			row_watch(row, last);
		}
	}
	row->seconds = seconds_of(unit_now - start);
}

static void row_fill(struct row *row, const struct policy *policy, const struct schedule *schedule)
{
	struct flow_counts before = flow_counts;
	double began = seconds_now();

	*row = (struct row){.policy = policy,
			    .changes = schedule->count,
			    .live = before.live,
			    .settled_seconds = -1,
			    .empty_seconds = -1};
	snprintf(row->schedule, sizeof(row->schedule), "%s", schedule->name);
	play(row, schedule);
	row->flows = before.live + flow_counts.begun - before.begun;
	row->broken = flow_counts.broken - before.broken;
	row->allowed = flow_counts.allowed - before.allowed;
	row->peak_memory_bytes = report_memory(policy, row->peak_entries);
	row->run_seconds = seconds_now() - began;
}

/* ---- processes: what happens in one leaves the state of its parent as it was ---- */

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Runs the rest in a copy of the process. Returns where to read its rows from, or -1 in the copy,
 * whose rows go to *out. */
static int copy_begin(pid_t *child, int *out)
{
	int ends[2];

	fflush(NULL);
	if (pipe(ends))
		die("pipe");
	*child = fork();
	if (*child < 0)
		die("fork");
	close(ends[*child ? 1 : 0]);
	*out = ends[1];
	return *child ? ends[0] : -1;
}

static void rows_write(int out, const struct row *rows, uint32_t count)
{
	size_t size = count * sizeof(*rows);

	/* Fits a pipe's buffer. */
	if (write(out, rows, size) != (ssize_t)size)
		die("write");
	exit(0);
}

static uint32_t rows_read(int in, pid_t child, struct row *rows, uint32_t room)
{
	ssize_t size = 0, more;
	int status;

	while ((more = read(in, (char *)rows + size, room * sizeof(*rows) - (size_t)size)) > 0)
		size += more;
	close(in);
	if (waitpid(child, &status, 0) < 0 || status != 0 || size % (ssize_t)sizeof(*rows))
		exit(2);
	return (uint32_t)((size_t)size / sizeof(*rows));
}

static uint32_t policy_run(const struct plan *plan, const struct policy *policy, struct row *rows)
{
	uint32_t count = 0;

	warm_up(policy, plan->per_second);
	for (int i = 0; i < SCHEDULES_MAX && plan->schedules[i].count; i++) {
		pid_t child;
		int out, in = copy_begin(&child, &out);

		if (in < 0) {
			row_fill(rows, policy, &plan->schedules[i]);
			rows_write(out, rows, 1);
		}
		count += rows_read(in, child, rows + count, 1);
	}
	return count;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"short", no_argument, NULL, 's'},
						     {"policy", required_argument, NULL, 'p'},
						     {"json", required_argument, NULL, 'j'},
						     {NULL, 0, NULL, 0}};
	static struct row rows[POLICIES_MAX * SCHEDULES_MAX];
	const struct plan *plan = &full;
	const char *json = NULL, *only = NULL;
	uint32_t count = 0, more, missed = 0;
	int option;

	plans_fill();
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's')
			plan = &small;
		else if (option == 'p')
			only = optarg;
		else if (option == 'j')
			json = optarg;
		else
			return 2;
	}
	report_header();
	for (int i = 0; i < POLICIES_MAX && plan->policies[i].name; i++) {
		const struct policy *policy = &plan->policies[i];
		pid_t child;
		int out, in;

		if (only && strcmp(only, policy->name) != 0)
			continue;
		in = copy_begin(&child, &out);
		if (in < 0)
			rows_write(out, rows, policy_run(plan, policy, rows));
		for (more = rows_read(in, child, rows + count, SCHEDULES_MAX); more; more--) {
			report_row(&rows[count]);
			missed += report_missed(&rows[count++]) != NULL;
		}
	}
	if (json && report_json(json, rows, count)) {
		fprintf(stderr, "churn: %s cannot be written\n", json);
		return 2;
	}
	return missed || !count;
}
