/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_probe: the program that sends probes through the tunnel (bpf/probe.bpf.c), and what it
 * counts. Which interfaces it is on is attach_probe.c's.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "dataplane_log.h"
#include "dataplane_private.h"
#include "probe.skel.h"
#include "siphash.h"

uint32_t dataplane_probe_mark(const struct dataplane *dp)
{
	const struct lb_settings *s = &dp->settings;
	static const uint8_t seed[LB_SEED_SIZE];
	uint8_t own[sizeof(s->pin_dir) + sizeof(s->made_ns)];

	memcpy(own, s->pin_dir, sizeof(s->pin_dir));
	memcpy(own + sizeof(s->pin_dir), &s->made_ns, sizeof(s->made_ns));
	return LB_PROBE_MARK((uint32_t)siphash(seed, own, sizeof(own)));
}

int dataplane_probe_load(struct dataplane *dp, struct fault *fault)
{
	int err = 0;

	if (dp->prober)
		return 0;
	dataplane_log_begin();
	dp->prober = probe_bpf__open();
	if (!dp->prober)
		err = -errno;
	if (!err) {
		dp->prober->rodata->probe_mark = dataplane_probe_mark(dp);
		err = dataplane_maps_share(dp, dp->prober->obj);
	}
	if (!err)
		err = probe_bpf__load(dp->prober);
	if (err) {
		dataplane_prober_free(dp);
		if (err != -EPERM && err != -EACCES)
			dataplane_log_show();
		return fault_set(fault, fault_code_of_errno(-err),
				 "%s: loading the program of probes: %s", dp->pin_dir,
				 strerror(-err));
	}
	return dataplane_pin_swap(dp, dataplane_probe_fd(dp), DATAPLANE_PROBE_PIN, fault);
}

int dataplane_probe_fd(const struct dataplane *dp)
{
	return dp->prober ? bpf_program__fd(dp->prober->progs.limpet_probe) : -1;
}

void dataplane_prober_free(struct dataplane *dp)
{
	probe_bpf__destroy(dp->prober);
	dp->prober = NULL;
}

const struct lb_probe *dataplane_probes(const struct dataplane *dp)
{
	return dp->probes;
}
