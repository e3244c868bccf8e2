/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_sweep: runs the program that walks the tables of flows and clients (bpf/sweep.bpf.c).
 * When that is done, and what its counts mean, is the caller's.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "dataplane_log.h"
#include "dataplane_private.h"
#include "siphash.h"
#include "sweep.skel.h"

uint32_t dataplane_tick(void)
{
	/* What the programs read; the other clock may be a tick ahead of it. */
	return (uint32_t)(clock_ns(CLOCK_MONOTONIC_COARSE) >> 30);
}

int dataplane_maps_share(struct dataplane *dp, struct bpf_object *object)
{
	for (int i = 0; i < MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, dataplane_map_name(i));
		int err = map && dp->fds[i] >= 0 ? bpf_map__reuse_fd(map, dp->fds[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int sweeper_load(struct dataplane *dp, struct sweep_bpf *sweeper)
{
	const struct lb_limits *limits = &dp->settings.limits;
	const uint32_t quotas[LB_QUOTA_COUNT] = LB_QUOTAS(limits);
	uint64_t keys[LB_HASH_KEYS];
	int err;

	siphash_expand(dp->settings.hash_seed, keys);
	for (int i = 0; i < LB_HASH_KEYS; i++)
		sweeper->rodata->hash_keys[i] = keys[i];
	memcpy(sweeper->rodata->quotas, quotas, sizeof(quotas));
	bpf_map__set_max_entries(sweeper->maps.backend_tallies, limits->backends + 1);
	bpf_map__set_max_entries(sweeper->maps.pool_tallies, limits->services + 1);
	err = dataplane_maps_share(dp, sweeper->obj);
	return err ? err : sweep_bpf__load(sweeper);
}

static int tallies_map(struct dataplane *dp)
{
	const struct lb_limits *limits = &dp->settings.limits;

	dp->backend_tallies = dataplane_array_map(bpf_map__fd(dp->sweeper->maps.backend_tallies),
						  sizeof(struct lb_tally), limits->backends + 1UL);
	dp->pool_tallies = dataplane_array_map(bpf_map__fd(dp->sweeper->maps.pool_tallies),
					       sizeof(struct lb_tally), limits->services + 1UL);
	return dp->backend_tallies && dp->pool_tallies ? 0 : -ENOMEM;
}

int dataplane_sweep_prepare(struct dataplane *dp, struct fault *fault)
{
	int err = 0;

	dataplane_log_begin();
	dp->sweeper = sweep_bpf__open();
	if (!dp->sweeper)
		err = -errno;
	if (!err)
		err = sweeper_load(dp, dp->sweeper);
	if (!err)
		err = tallies_map(dp);
	if (!err)
		return 0;
	dataplane_sweeper_free(dp);
	if (err != -EPERM && err != -EACCES)
		dataplane_log_show();
	return fault_set(fault, fault_code_of_errno(-err),
			 "%s: loading the program that sweeps the flow tables: %s", dp->pin_dir,
			 strerror(-err));
}

void dataplane_sweeper_free(struct dataplane *dp)
{
	const struct lb_limits *limits = &dp->settings.limits;

	dataplane_array_unmap(dp->backend_tallies, sizeof(struct lb_tally), limits->backends + 1UL);
	dataplane_array_unmap(dp->pool_tallies, sizeof(struct lb_tally), limits->services + 1UL);
	dp->backend_tallies = NULL;
	dp->pool_tallies = NULL;
	sweep_bpf__destroy(dp->sweeper);
	dp->sweeper = NULL;
}

int dataplane_sweep(struct dataplane *dp, struct lb_sweep *sweep)
{
	/* The kernel writes what the program leaves in its context back to where it came from. */
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = sweep, .ctx_size_in = sizeof(*sweep));

	return bpf_prog_test_run_opts(bpf_program__fd(dp->sweeper->progs.limpet_sweep), &run) < 0
		       ? -errno
		       : 0;
}

struct lb_tally *dataplane_backend_tallies(struct dataplane *dp)
{
	return dp->backend_tallies;
}

struct lb_tally *dataplane_pool_tallies(struct dataplane *dp)
{
	return dp->pool_tallies;
}
