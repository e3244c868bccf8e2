/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_counters: what the program counted, summed over the CPUs.
 *
 * Arrays are read in batches: a counter costs a copy, not a system call. Which counters belong to
 * which service is the controller's to know; only the total of all that was forwarded is made here.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane_private.h"

enum { BATCH = 256 };

/* Reads `count` (up to BATCH) elements of an array from `first` on. */
static int array_read(int fd, uint32_t first, uint32_t count, void *values)
{
	uint32_t keys[BATCH], got = count, before = first - 1, next;

	if (bpf_map_lookup_batch(fd, first ? &before : NULL, &next, keys, values, &got, NULL) &&
	    errno != ENOENT)
		return -errno;
	return got == count ? 0 : -ENOENT;
}

static void counter_add(struct lb_counter *to, const struct lb_counter *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
	to->new_flows += from->new_flows;
}

/*
 * What was carried over is nothing for nearly all counters, and only this process writes it: what
 * was seen to be nothing is not read again, block by block. Not known yet is 0.
 */
enum carried { CARRIED_NOTHING = 1, CARRIED_SOMETHING };

static bool is_zero(const struct lb_counter *counters, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (counters[i].packets || counters[i].bytes || counters[i].new_flows)
			return false;
	return true;
}

/* Within one block. */
static int carried_read(struct dataplane *dp, uint32_t first, uint32_t count,
			struct lb_counter *out)
{
	uint8_t *known = &dp->carried[first / BATCH];
	int err;

	if (*known == CARRIED_NOTHING) {
		memset(out, 0, count * sizeof(*out));
		return 0;
	}
	err = array_read(dp->fds[MAP_counters_carried], first, count, out);
	if (!err && count == BATCH)
		*known = is_zero(out, count) ? CARRIED_NOTHING : CARRIED_SOMETHING;
	return err;
}

/* Within one block. */
static int counters_batch(struct dataplane *dp, uint32_t first, uint32_t count,
			  struct lb_counter *cells, struct lb_counter *out)
{
	size_t cpus = (size_t)dp->cpu_count;
	int err = array_read(dp->fds[MAP_counters], first, count, cells);

	if (!err)
		err = carried_read(dp, first, count, out);
	for (uint32_t i = 0; !err && i < count; i++)
		for (size_t cpu = 0; cpu < cpus; cpu++)
			counter_add(&out[i], &cells[i * cpus + cpu]);
	return err;
}

/* Room for what is known of the blocks. */
static int carried_begin(struct dataplane *dp)
{
	if (!dp->carried)
		dp->carried = calloc(dp->settings.limits.counters / BATCH + 1, 1);
	return dp->carried ? 0 : -ENOMEM;
}

int dataplane_counters(struct dataplane *dp, uint32_t first, uint32_t count, struct lb_counter *out)
{
	struct lb_counter *cells;
	int err = carried_begin(dp);

	if (count > dp->settings.limits.counters || first > dp->settings.limits.counters - count)
		return -EINVAL;
	cells = calloc((size_t)dp->cpu_count * (count < BATCH ? count : BATCH), sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	for (uint32_t done = 0; !err && done < count;) {
		uint32_t at = first + done, now = BATCH - at % BATCH;

		if (now > count - done)
			now = count - done;
		err = counters_batch(dp, at, now, cells, out + done);
		done += now;
	}
	free(cells);
	return err;
}

int dataplane_counter_carry(struct dataplane *dp, uint32_t index, const struct lb_counter *amount)
{
	int fd = dp->fds[MAP_counters_carried];
	struct lb_counter sum;
	int err = carried_begin(dp);

	if (err)
		return err;
	if (bpf_map_lookup_elem(fd, &index, &sum))
		return -errno;
	counter_add(&sum, amount);
	dp->carried[index / BATCH] = CARRIED_SOMETHING;
	return bpf_map_update_elem(fd, &index, &sum, BPF_ANY) ? -errno : 0;
}

int dataplane_counters_clear(struct dataplane *dp, uint32_t first, uint32_t count)
{
	struct lb_counter *zero = calloc((size_t)dp->cpu_count, sizeof(*zero));
	int err = zero ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < count; i++) {
		uint32_t index = first + i;

		if (bpf_map_update_elem(dp->fds[MAP_counters], &index, zero, BPF_ANY) ||
		    bpf_map_update_elem(dp->fds[MAP_counters_carried], &index, zero, BPF_ANY))
			err = -errno;
	}
	free(zero);
	return err;
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
