/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep: walks the tables of flows and clients, one table a run; sweep.h and sweep_nat.h say what
 * is done with an entry. lbd runs it (user/sweep.c) on the maps of its data plane.
 */
#include "env.h"

const volatile __u64 hash_keys[LB_HASH_KEYS];
const volatile __u32 quotas[LB_QUOTA_COUNT];
const volatile bool read_only; /* false: pick.h asks */

/* Private to the lbd that sweeps, which clears them before and reads them after a sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_tally);
} backend_tallies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_tally);
} pool_tallies SEC(".maps");

#include "sweep.h"
#include "sweep_nat.h"

SEC("syscall")
int limpet_sweep(struct lb_sweep *request)
{
	struct lb_sweep sweep = {.table = request->table, .now = request->now};

	if (sweep.table < LB_SWEEP_NAT_FLOWS)
		sweep_table(&sweep);
	else
		sweep_nat_table(&sweep);
	request->read = sweep.read;
	request->doomed = sweep.doomed;
	request->deleted = sweep.deleted;
	return 0;
}

char sweep_license[] SEC("license") = "Dual BSD/GPL";
