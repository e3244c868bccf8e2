/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench: what is measured, in which order, for whom. Started by tests/bench/run, which makes the
 * network it works in. Neighbours: rows (what), measure (rows of packets), memory, scale,
 * peer_kernel (other figures), result (what it says), serve (rounds for tests/bench/compare.py),
 * lines (for tests/bench/profile.py).
 */
#include <err.h>
#include <getopt.h>
#include <net/if.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "measure.h"
#include "memory.h"
#include "peer_kernel.h"
#include "scale.h"
#include "serve.h"

enum { RESULTS_MAX = 128, ROUNDS = 15, TINY = 640 };

static struct result results[RESULTS_MAX];
static int results_count;

/* ---- which rows ---- */

static regex_t pattern;

static bool wanted(const char *name)
{
	return regexec(&pattern, name, 0, NULL, 0) == 0;
}

/* The group that begins with the first wanted row from `*at` on; `*at` is then behind it. */
static int next_group(int *at, enum lane_way way, const struct row **group)
{
	int count = 0;

	for (; *at < rows_count; ++*at) {
		const struct row *row = &rows[*at];

		if (row->way != way || !wanted(row->name))
			continue;
		if (count && !rows_alike(group[0], row))
			break;
		group[count++] = row;
	}
	return count;
}

/* ---- what is measured ---- */

static void way_measure(const struct measure *measure, enum lane_way way, const char *title)
{
	const struct row *group[RESULTS_MAX];
	int first = results_count, at = 0, count;

	while ((count = next_group(&at, way, group)) > 0) {
		measure_group(measure, group, count, &results[results_count]);
		results_count += count;
	}
	result_print(title, &results[first], (size_t)(results_count - first));
}

static void others_measure(const struct measure *measure, unsigned int ifindex, const char *pin_dir)
{
	char other_pin_dir[256];
	int first = results_count;
	const char *why;

	snprintf(other_pin_dir, sizeof(other_pin_dir), "%s-other", pin_dir);
	results_count +=
		memory_measure(measure, ifindex, other_pin_dir, &results[results_count], wanted);
	if (wanted("scale-2cores")) {
		if (scale_measure(measure, &results[results_count], &why))
			results_count++;
		else
			printf("\nscale-2cores SKIPPED: %s\n", why);
	}
	result_print_values("Memory and scaling", &results[first], (size_t)(results_count - first));
}

/*
 * The last core, because interrupts and other work like the first; and before every ordinary
 * process, because one that takes a turn in the middle of a run counts as slow packets.
 */
static void take_one_core(void)
{
	const struct sched_param first = {.sched_priority = 1};
	cpu_set_t allowed, one;
	size_t last = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		err(1, "reading the CPU affinity");
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
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

static void measure_begin(struct measure *measure, char **network)
{
	struct fault fault = {0};

	measure->dp =
		balancer_create(network[2], if_nametoindex(network[1]), BALANCER_ROOM, &fault);
	if (!measure->dp)
		errx(1, "balancer: %s", fault.message);
	measure->lane = lane_create(network[0], network[1], &fault);
	if (!measure->lane)
		errx(1, "lane: %s", fault.message);
}

static void all_measure(const struct measure *measure, char **network)
{
	const char *path = network[3];
	int error, first;

	way_measure(measure, LANE_PATH,
		    "Whole path: generator, veth, program, veth, sink, on one core");
	first = results_count;
	results_count += peer_kernel_measure(measure, &results[first], wanted);
	result_print("The same path with a balancer of the kernel's in place of the program",
		     &results[first], (size_t)(results_count - first));
	way_measure(measure, LANE_LOOP,
		    "Program alone, called in a loop, the writing of each packet included");
	others_measure(measure, if_nametoindex(network[1]), network[2]);
	error = result_write(path, results, (size_t)results_count);
	if (error)
		errx(1, "%s: writing it: %s", path, strerror(-error));
	printf("\nMedians of %d rounds; spread: between the quartiles. ratio: to the floor, which "
	       "is\nreflect+encap, or what the row stands in for: rows without an outer header "
	       "reflect, those\nleft to the kernel a program that returns at once.\n",
	       measure->rounds);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'}, {"rows", required_argument, NULL, 'n'},
		{"tiny", no_argument, NULL, 't'},         {"serve", no_argument, NULL, 's'},
		{"lines", required_argument, NULL, 'l'},  {0}};
	struct measure measure = {
		.rounds = ROUNDS, .packets_max = UINT64_MAX, .flows_max = UINT32_MAX};
	const char *names = "", *lines = NULL;
	bool serves = false;
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			measure.rounds = atoi(optarg);
		else if (option == 'n')
			names = optarg;
		else if (option == 't')
			measure.packets_max = measure.flows_max = TINY;
		else if (option == 's')
			serves = true;
		else if (option == 'l')
			lines = optarg;
		else
			return 2;
	}
	if (argc - optind != 4 || measure.rounds < 1 || measure.rounds > RESULT_ROUNDS_MAX)
		errx(2,
		     "usage: bench [--rounds 1-%d] [--rows REGEX] [--tiny] [--serve] "
		     "[--lines FILE] NEAR FAR PIN_DIR JSON_FILE",
		     RESULT_ROUNDS_MAX);
	if (regcomp(&pattern, names, REG_EXTENDED | REG_NOSUB))
		errx(2, "--rows: '%s' is no extended regular expression", names);
	take_one_core();
	measure_begin(&measure, argv + optind);
	error = lines ? lines_write(dataplane_program_fd(measure.dp), lines) : 0;
	if (error)
		errx(1, "%s: writing the program's lines: %s", lines, strerror(-error));
	if (serves)
		serve(&measure, wanted);
	else
		all_measure(&measure, argv + optind);
	lane_free(measure.lane);
	dataplane_close(measure.dp);
	regfree(&pattern);
	return 0;
}
