/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memory: see memory.h.
 */
#include "memory.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	PASSING = 10000000, /* flows */
	REMEMBERED = 1000000,
	TRACKED = 10000000,
	TRACKED_MB = 4096, /* free memory that they and their table are sure to fit in */
	SWEEPS = 9,
	POOL_SLOTS = (BALANCER_TABLE_SIZE + LB_SLOT_BLOCK - 1) / LB_SLOT_BLOCK * LB_SLOT_BLOCK,
};

static double bytes(const struct measure *measure)
{
	return (double)dataplane_memory_bytes(measure->dp);
}

static void figure(struct result *result, const char *name, const char *metric, const char *unit,
		   double value, double floor)
{
	const struct series values = {.ns = {value}}, floors = {.ns = {floor}};

	*result = (struct result){.name = name, .metric = metric, .unit = unit};
	result_of_values(result, 1, &values, &floors);
}

/* Each flow sends a packet and is to leave nothing, if `memory` says so. */
static double growth(const struct measure *measure, enum balancer_pool pool, uint8_t family,
		     uint32_t flows, enum row_memory memory)
{
	const struct row row = {.name = "memory",
				.way = LANE_PATH,
				.pool = pool,
				.family = family,
				.outcome = family == 4 ? FRAME_IPIP_V4 : FRAME_IPIP_V6,
				.verdict = LB_FORWARDED,
				.flows = flows,
				.memory = memory};
	const struct row *group[] = {&row};
	double before;

	if (balancer_forget(measure->dp))
		errx(1, "cannot empty the tables");
	before = bytes(measure);
	measure_prepare(measure, group, 1);
	return bytes(measure) - before;
}

static void passing(const struct measure *measure, const char *name, uint32_t flows,
		    struct result *result)
{
	double before = bytes(measure);

	figure(result, name, "growth", "bytes",
	       growth(measure, BALANCER_CHANGED, 4, flows, ROW_NOTHING), before);
	result->remark = "while so many flows pass through a settled pool; floor: all maps";
}

static void remembered(const struct measure *measure, const char *name, enum balancer_pool pool,
		       uint8_t family, struct result *result)
{
	uint32_t flows = REMEMBERED < measure->flows_max ? REMEMBERED : measure->flows_max;
	double grown = growth(measure, pool, family, flows,
			      pool == BALANCER_CLIENT ? ROW_OPENED : ROW_MET);

	figure(result, name, "each", "bytes", grown / flows, 0);
}

/* ---- ten million entries ---- */

/* A line of /proc/meminfo, in bytes; 0 if there is none of that name. */
static double meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	double kilobytes = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %lf kB", &kilobytes);
	}
	if (file)
		fclose(file);
	return kilobytes * 1024;
}

/*
 * In a data plane of its own, with room for so many. What the allocator takes is more than what the
 * maps say they have: it rounds up. Whatever else the machine does meanwhile is in that figure.
 */
static int tracked(const struct measure *measure, uint32_t flows, unsigned int ifindex,
		   const char *pin_dir, struct result *results)
{
	struct fault fault = {0};
	struct measure large = *measure;
	double slab, grown;

	large.dp = balancer_create(pin_dir, ifindex, 2 * flows, &fault);
	if (!large.dp)
		errx(1, "memory-10m-tracked: %s", fault.message);
	slab = meminfo("SUnreclaim");
	figure(&results[0], "memory-10m-tracked-v4", "each", "bytes", 0, bytes(&large));
	grown = growth(&large, BALANCER_ALWAYS, 4, flows, ROW_OPENED);
	slab = meminfo("SUnreclaim") - slab;
	results[0].value = grown / flows;
	results[0].remark = "half of them births; floor: all maps, with room for them and empty";
	figure(&results[1], "memory-10m-tracked-v4-slab", "each", "bytes", slab / flows, 0);
	results[1].remark = "what the kernel's allocator took for them";
	if (lane_leave(measure->lane, &fault))
		errx(1, "memory-10m-tracked: %s", fault.message);
	dataplane_close(large.dp);
	if (dataplane_unpin(pin_dir, &fault))
		errx(1, "memory-10m-tracked: %s", fault.message);
	return 2;
}

static int tracked_if_room(const struct measure *measure, unsigned int ifindex, const char *pin_dir,
			   struct result *results)
{
	const uint32_t flows = TRACKED < measure->flows_max ? TRACKED : measure->flows_max;
	const double free_mb = meminfo("MemAvailable") / 1048576;

	if (free_mb >= (double)TRACKED_MB * flows / TRACKED)
		return tracked(measure, flows, ifindex, pin_dir, results);
	printf("\nmemory-10m-tracked-v4 SKIPPED: %.0f MB of memory are free, %d are needed\n",
	       free_mb, TRACKED_MB);
	return 0;
}

/* ---- the rest ---- */

/* CPU time of a sweep over what `remembered` left there. */
static void sweeps(const struct measure *measure, struct result *result)
{
	struct series ms = {0};

	for (int i = 0; i < SWEEPS; i++) {
		struct timespec begin, end;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
		if (balancer_sweep(measure->dp, dataplane_tick()) < 0)
			errx(1, "cannot sweep the tables");
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		ms.ns[i] = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
			   (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	}
	*result = (struct result){.name = "sweep-1m-flows", .metric = "cpu_time", .unit = "ms"};
	result_of_values(result, SWEEPS, &ms, NULL);
	result->remark = "lbd sweeps once in ten seconds";
}

/* Of a data plane with room for so many pools. */
static double plane_bytes(const char *pin_dir, uint32_t pools)
{
	const struct lb_settings settings = {
		.limits = {.flows = 1000,
			   .clients = 1000,
			   .backends = pools * BALANCER_BACKENDS,
			   .services = pools,
			   .slots = pools * POOL_SLOTS,
			   .counters = pools * (BALANCER_BACKENDS + 1)},
	};
	struct fault fault = {0};
	struct dataplane *dp = dataplane_create(pin_dir, &settings, &fault);
	double size;

	if (!dp)
		errx(1, "memory of a pool: %s", fault.message);
	size = (double)dataplane_memory_bytes(dp);
	dataplane_close(dp);
	if (dataplane_unpin(pin_dir, &fault))
		errx(1, "memory of a pool: %s", fault.message);
	return size;
}

static void pool(const char *pin_dir, struct result *result)
{
	double few = plane_bytes(pin_dir, 8), more = plane_bytes(pin_dir, 16);

	figure(result, "memory-pool", "each", "bytes", (more - few) / 8, 0);
	result->remark = "65,537 slots, 100 backends, a service";
}

int memory_measure(const struct measure *measure, unsigned int ifindex, const char *pin_dir,
		   struct result *results, bool (*wanted)(const char *name))
{
	int count = 0;

	if (wanted("memory-1m-flows"))
		passing(measure, "memory-1m-flows", REMEMBERED, &results[count++]);
	if (wanted("memory-10m-flows"))
		passing(measure, "memory-10m-flows", PASSING, &results[count++]);
	if (wanted("memory-client-v4"))
		remembered(measure, "memory-client-v4", BALANCER_CLIENT, 4, &results[count++]);
	if (wanted("memory-flow-v6"))
		remembered(measure, "memory-flow-v6", BALANCER_ALWAYS, 6, &results[count++]);
	if (wanted("memory-flow-v4")) {
		remembered(measure, "memory-flow-v4", BALANCER_ALWAYS, 4, &results[count++]);
		sweeps(measure, &results[count++]);
	}
	if (wanted("memory-10m-tracked-v4"))
		count += tracked_if_room(measure, ifindex, pin_dir, &results[count]);
	if (wanted("memory-pool"))
		pool(pin_dir, &results[count++]);
	return count;
}
