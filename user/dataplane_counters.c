/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_counters: what the program counted, summed over the CPUs.
 *
 * Which counters belong to which service is the controller's to know; only the total of all that
 * was forwarded is made here.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane_private.h"

/* The program may be adding: each number is read whole. */
static void counter_add(struct lb_counter *to, const struct lb_counter *from)
{
	to->packets += __atomic_load_n(&from->packets, __ATOMIC_RELAXED);
	to->bytes += __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
	to->new_flows += __atomic_load_n(&from->new_flows, __ATOMIC_RELAXED);
}

static struct lb_counter *counters_of_cpu(struct dataplane *dp, uint32_t cpu)
{
	return dp->counters + (size_t)cpu * LB_COUNTER_STRIDE(&dp->settings.limits);
}

static bool are_counters(const struct dataplane *dp, uint32_t first, uint32_t count)
{
	uint32_t limit = dp->settings.limits.counters;

	return count <= limit && first <= limit - count;
}

int dataplane_counters(struct dataplane *dp, uint32_t first, uint32_t count, struct lb_counter *out)
{
	if (!are_counters(dp, first, count))
		return -EINVAL;
	memcpy(out, dp->counters_carried + first, count * sizeof(*out));
	for (uint32_t cpu = 0; cpu < cpu_list_possible_end(); cpu++) {
		const struct lb_counter *counters = counters_of_cpu(dp, cpu) + first;

		for (uint32_t i = 0; i < count; i++)
			counter_add(&out[i], &counters[i]);
	}
	return 0;
}

int dataplane_counter_carry(struct dataplane *dp, uint32_t index, const struct lb_counter *amount)
{
	if (!are_counters(dp, index, 1))
		return -EINVAL;
	counter_add(&dp->counters_carried[index], amount);
	return 0;
}

int dataplane_counters_clear(struct dataplane *dp, uint32_t first, uint32_t count)
{
	if (!are_counters(dp, first, count))
		return -EINVAL;
	for (uint32_t cpu = 0; cpu < cpu_list_possible_end(); cpu++)
		memset(counters_of_cpu(dp, cpu) + first, 0, count * sizeof(*dp->counters));
	memset(dp->counters_carried + first, 0, count * sizeof(*dp->counters_carried));
	return 0;
}

/* ---- verdicts ---- */

/* Which counters are at offset 0 of a run, where what was not forwarded is counted. */
struct bases {
	bool *at;
	uint32_t count;
};

static void base_mark(void *context, const struct addr *vip, uint8_t proto,
		      const struct port_block *block, const struct lb_service *service)
{
	struct bases *bases = context;

	(void)vip, (void)proto, (void)block;
	if (service->counter_base < bases->count)
		bases->at[service->counter_base] = true;
}

static int forwarded_sum(struct dataplane *dp, struct lb_verdict_counter *out)
{
	uint32_t count = dp->settings.limits.counters;
	struct lb_counter *all = calloc(count, sizeof(*all));
	struct bases bases = {calloc(count, sizeof(*bases.at)), count};
	int err = all && bases.at ? dataplane_listeners(dp, base_mark, &bases) : -ENOMEM;

	if (!err)
		err = dataplane_counters(dp, 0, count, all);
	for (uint32_t i = 0; !err && i < count; i++) {
		if (bases.at[i])
			continue;
		out->packets += all[i].packets;
		out->bytes += all[i].bytes;
	}
	free(bases.at);
	free(all);
	return err;
}

int dataplane_verdicts_ended(struct dataplane *dp, struct lb_verdict_counter *out)
{
	size_t cpus = (size_t)dp->cpu_count;
	struct lb_verdict_counter *cells = calloc(cpus, sizeof(*cells));
	int err = cells ? 0 : -ENOMEM;

	memset(out, 0, LB_VERDICT_COUNT * sizeof(*out));
	for (uint32_t verdict = 0; !err && verdict < LB_VERDICT_COUNT; verdict++) {
		if (bpf_map_lookup_elem(dp->fds[MAP_verdicts], &verdict, cells))
			err = -errno;
		for (size_t cpu = 0; !err && cpu < cpus; cpu++) {
			out[verdict].packets += cells[cpu].packets;
			out[verdict].bytes += cells[cpu].bytes;
		}
	}
	free(cells);
	out[LB_FORWARDED] = (struct lb_verdict_counter){};
	return err;
}

int dataplane_verdicts(struct dataplane *dp, struct lb_verdict_counter *out)
{
	int err = dataplane_verdicts_ended(dp, out);

	return err ? err : forwarded_sum(dp, &out[LB_FORWARDED]);
}

int dataplane_notes(struct dataplane *dp, uint64_t *out)
{
	uint64_t *cells = calloc((size_t)dp->cpu_count, sizeof(*cells));
	int err = cells ? 0 : -ENOMEM;

	for (uint32_t note = 0; !err && note < LB_NOTE_COUNT; note++) {
		out[note] = 0;
		if (bpf_map_lookup_elem(dp->fds[MAP_notes], &note, cells))
			err = -errno;
		for (int cpu = 0; !err && cpu < dp->cpu_count; cpu++)
			out[note] += cells[cpu];
	}
	free(cells);
	return err;
}
