/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* counters, what lbd keeps in maps for its successor, and sweeps: part of lb_abi.h. */
#ifndef LB_ABI_KEEP_H
#define LB_ABI_KEEP_H

#include "abi_base.h"

/* ---- counting ---- */

/*
 * One entry per CPU and (service, backend) pair: `counters[cpu * stride + service.counter_base +
 * backend.counter]`. Offset 0 of a service's run counts what ended without a backend. Readers add
 * up what they want to know: a service is the sum of its run, a backend the sum over its pool's
 * services.
 *
 * Not a per-CPU array: that one keeps a pointer for each entry, one more load that misses the cache
 * where pairs are many, and is read by system calls; this one is mapped into lbd's memory.
 */
struct lb_counter {
	__u64 packets;
	__u64 bytes;     /* L3 bytes as received, without the outer header */
	__u64 new_flows; /* TCP SYNs without ACK; tracked pools: new UDP flows too */
};

/* Entries of a CPU: whole cache lines, so that no two CPUs write the same one. */
#define LB_COUNTER_STRIDE(limits) (((limits)->counters + 7) / 8 * 8)

struct lb_verdict_counter {
	__u64 packets;
	__u64 bytes; /* frame bytes as received */
};

/* ---- identities: written and read by the controller alone, so that a new one can adopt ---- */

struct lb_pool_identity {
	char name[LB_NAME_SIZE];
	__u64 digest;        /* of the table published last */
	__u32 counter_count; /* offsets in use or free to use in the runs of its services */
	__u32 unused;
};

struct lb_service_identity {
	char name[LB_NAME_SIZE];
	__u32 pool;
	__u32 counter_base;
	__u32 counter_count;
	__u32 unused;
};

struct lb_backend_identity {
	char name[LB_NAME_SIZE];
	union lb_addr address;
	__u32 pool;
	__u16 port;   /* 0 where the mode has none */
	__u8 family;  /* 4 or 6 */
	__u8 forward; /* enum lb_forward */
	__u8 admin;   /* enum admin_state of the controller's model */
	__u8 health;  /* enum health_state of the controller's model */
	__u16 unused;
	__u32 weight;
	/* What its checks went through, so that a restart of the controller forgives no flapping:
	 */
	__u64 since_ms;    /* CLOCK_REALTIME of the last change of health; 0: not known */
	__u64 up_since_ms; /* CLOCK_MONOTONIC, as maps live no longer than that; 0: it is not up */
	__u64 held_until_ms; /* the same clock; 0: it is not held down */
	__u32 short_lives;
	__u32 unused_too;
};

/* ---- sweeps: what lbd asks of bpf/sweep.bpf.c, and what it learns ---- */

enum lb_sweep_table {
	LB_SWEEP_BIRTHS, /* births first: see bpf/sweep.h */
	LB_SWEEP_FLOWS,
	LB_SWEEP_CLIENTS,
	LB_SWEEP_NAT_FLOWS,
	LB_SWEEP_NAT_RETURNS,
	LB_SWEEP_TABLE_COUNT
};

struct lb_sweep {
	__u32 table;                 /* enum lb_sweep_table */
	__u32 now;                   /* tick at which the whole sweep began */
	__u32 read, doomed, deleted; /* out: entries */
	__u32 unused;
};

/* Live entries by backend and by pool, as of the last sweep. */
struct lb_tally {
	__u32 flows; /* not closing; a flow in both tables counts once */
	__u32 clients;
	__u32 nat_flows; /* of NAT; all that have an entry, closing or not */
	__u32 unused;
};

LB_ASSERT_SIZE(struct lb_counter, 24);
LB_ASSERT_SIZE(struct lb_verdict_counter, 16);
LB_ASSERT_SIZE(struct lb_pool_identity, 80);
LB_ASSERT_SIZE(struct lb_service_identity, 80);
LB_ASSERT_SIZE(struct lb_backend_identity, 128);
LB_ASSERT_SIZE(struct lb_sweep, 24);
LB_ASSERT_SIZE(struct lb_tally, 16);

#endif
