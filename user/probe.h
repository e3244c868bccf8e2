/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe: asks backends whether they are there. Sockets, no judgement: each result goes to a
 * callback.
 *
 * One prober per backend with a check; it probes every interval (first start jittered over it, so
 * that many backends are not asked at once), never has two probes under way, and gives up after the
 * timeout. Runs on the caller's sd-event loop and thread.
 */
#ifndef LIMPET_PROBE_H
#define LIMPET_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "model.h"

struct probers;
struct prober;

enum { PROBE_WHY_SIZE = 160 };

/*
 * Through the tunnel: the probe goes to a VIP, marked, and bpf/probe.bpf.c sends it to the backend.
 * It counts what it sends, so that an answer from elsewhere is not taken for the backend's. The
 * owner keeps this up to date; it outlives the prober.
 */
struct probe_tunnel {
	struct addr backend;
	uint32_t mark;                        /* 0: the data plane has no entry for it yet */
	const volatile struct lb_probe *sent; /* its counts */
	struct addr source;                   /* where answers reach us; family 0: not known */
	uint32_t ifindex;                     /* by which its packets leave */
	/* Writes why probes to the VIP fail, as far as this host is to blame: where they `left`,
	 * why no answer comes back ("" if that is not known), else why they did not. */
	void (*explain)(const struct probe_tunnel *tunnel, const struct addr *vip, bool left,
			char out[PROBE_WHY_SIZE]);
};

struct probe_target {
	struct addr address;
	uint16_t port;                     /* host order */
	const struct probe_tunnel *tunnel; /* NULL: directly */
	/* What a program that checks is told. Borrowed: they outlive the prober. */
	const char *pool;
	const char *backend;
};

enum { PROBE_STEP_MAX = 12, PROBE_STEP_SIZE = 192 };

/* What one probe did, for people. */
struct probe_steps {
	struct {
		uint32_t at_us; /* from the start of the probe */
		char text[PROBE_STEP_SIZE];
	} items[PROBE_STEP_MAX];
	size_t count;
};

/* `good`; `reason` in words ("connected in 0.4 ms", "connection refused", "no answer within 1 s");
 * `duration_us` from the start of the probe. The callback may free the prober. */
typedef void (*probe_result)(void *context, bool good, const char *reason, uint32_t duration_us);

/* What probers of one loop share. Outlives them all. NULL if out of memory. */
struct probers *probers_create(sd_event *event);
void probers_free(struct probers *probers); /* NULL is fine */

/* Starts probing `target` (copied; a tunnel without a mark is waited for) as `check` says
 * (borrowed: it outlives the prober). The first probe starts within min(interval, 200 ms), so that
 * a new backend takes traffic soon. NULL with errno set on failure. */
struct prober *prober_create(struct probers *probers, const struct check *check,
			     const struct probe_target *target, probe_result result, void *context);

/* The same for the agent of the backend, at the target's port. A good result's reason is the line
 * it said. */
struct prober *prober_create_agent(struct probers *probers, const struct check *check,
				   const struct probe_target *target, probe_result result,
				   void *context);

/* One probe, at once, whose steps are written to `steps`, which outlives it. */
struct prober *prober_once(struct probers *probers, const struct check *check,
			   const struct probe_target *target, struct probe_steps *steps,
			   probe_result result, void *context);

void prober_free(struct prober *prober); /* stops; NULL is fine */

/* From now on, so long from start to start. */
void prober_set_interval(struct prober *prober, uint32_t interval_ms);

/* The next probe starts at once, unless one is under way. */
void prober_hasten(struct prober *prober);

#endif
