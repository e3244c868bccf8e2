/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_trace: turns showing packets on and off, and fetches what the program shows (see
 * bpf/trace.h). Who wants to see them is the caller's.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "dataplane_private.h"

/* What one call of the library brings, and where it is to end. */
struct fetch {
	struct dataplane *dp;
	dataplane_trace_each each;
	void *context;
	unsigned left;
	unsigned count;
};

static int on_event(void *context, void *data, size_t size)
{
	struct fetch *fetch = context;
	const struct lb_trace_event *event = data;

	/* The rest of a trace before may still be there. */
	if (fetch->each && size >= sizeof(*event) && event->trace == fetch->dp->trace->id) {
		fetch->each(fetch->context, event);
		fetch->count++;
	}
	return --fetch->left ? 0 : -ECANCELED;
}

void dataplane_trace_free(struct dataplane *dp)
{
	ring_buffer__free(dp->trace_ring);
	dp->trace_ring = NULL;
	dataplane_array_unmap(dp->trace, sizeof(*dp->trace), 1);
	dp->trace = NULL;
	free(dp->trace_fetch);
	dp->trace_fetch = NULL;
}

/* Maps variable and ring into memory, if they are not. */
static int trace_ready(struct dataplane *dp, struct fault *fault)
{
	int err = 0;

	if (dp->trace_ring)
		return 0;
	/* `lbload replace` may have made them since. */
	if (dataplane_added_open(dp, fault))
		return -1;
	if (dp->fds[MAP_data_trace] < 0 || dp->fds[MAP_trace_events] < 0 ||
	    dp->fds[MAP_trace_cpus] < 0) {
		fault_set(fault, FAULT_CONFLICT,
			  "trace: %s: the program attached is one of version %s, which cannot",
			  dp->pin_dir, dp->settings.version);
		return fault_hint(fault, "`lbload replace` swaps in this version's; no packet is "
					 "lost");
	}
	dp->trace_fetch = calloc(1, sizeof(*dp->trace_fetch));
	dp->trace = dataplane_array_map(dp->fds[MAP_data_trace], sizeof(*dp->trace), 1);
	if (dp->trace && dp->trace_fetch)
		dp->trace_ring = ring_buffer__new(dp->fds[MAP_trace_events], on_event,
						  dp->trace_fetch, NULL);
	if (dp->trace_ring)
		return 0;
	err = errno;
	dataplane_trace_free(dp);
	return fault_set(fault, fault_code_of_errno(err), "trace: %s: mapping its ring: %s",
			 dp->pin_dir, strerror(err));
}

unsigned dataplane_trace_read(struct dataplane *dp, unsigned most, dataplane_trace_each each,
			      void *context)
{
	if (!dp->trace_ring || !most)
		return 0;
	*dp->trace_fetch = (struct fetch){.dp = dp, .each = each, .context = context, .left = most};
	ring_buffer__consume(dp->trace_ring);
	return dp->trace_fetch->count;
}

/* The clock of which the program reads the coarse form: close enough for seconds. */
static uint64_t trace_end(void)
{
	return clock_ns(CLOCK_MONOTONIC) + (uint64_t)DATAPLANE_TRACE_S * 1000000000;
}

int dataplane_trace_start(struct dataplane *dp, const struct lb_trace *what, struct fault *fault)
{
	if (trace_ready(dp, fault))
		return -1;
	dataplane_trace_stop(dp);
	dp->trace->interval_ns = what->interval_ns;
	dp->trace->filter = what->filter;
	dp->trace->id++;
	/* What is left of others is of no use to anybody. */
	dataplane_trace_read(dp, LB_TRACE_RING_SIZE / sizeof(struct lb_trace_event), NULL, NULL);
	dataplane_trace_prolong(dp);
	return 0;
}

void dataplane_trace_prolong(struct dataplane *dp)
{
	__atomic_store_n(&dp->trace->until_ns, trace_end(), __ATOMIC_RELEASE);
}

void dataplane_trace_stop(struct dataplane *dp)
{
	if (dp->trace)
		__atomic_store_n(&dp->trace->until_ns, 0, __ATOMIC_RELEASE);
}

int dataplane_trace_missed(struct dataplane *dp, struct dataplane_trace_missed *out)
{
	struct lb_trace_cpu *cpus = calloc((size_t)dp->cpu_count, sizeof(*cpus));
	const uint32_t zero = 0;
	int err;

	if (!cpus)
		return -ENOMEM;
	err = bpf_map_lookup_elem(dp->fds[MAP_trace_cpus], &zero, cpus) ? -errno : 0;
	*out = (struct dataplane_trace_missed){0};
	for (int i = 0; !err && i < dp->cpu_count; i++) {
		out->limited += cpus[i].limited;
		out->lost += cpus[i].lost;
	}
	free(cpus);
	return err;
}
