/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbload_tunnel: the program of probes beside the balancer's own, on the egress of the same
 * interfaces and of the loopback. Traffic does without it: a failure here is told, and fails
 * nothing.
 */
#include "../user/attach_probe.h"
#include "lbload.h"

static int put(struct dataplane *dp, const char *interface, struct fault *fault)
{
	if (dataplane_probe_load(dp, fault))
		return -1;
	return attach_probe(interface, dataplane_probe_fd(dp), dataplane_probe_mark(dp), fault);
}

void lbload_tunnel_put(const struct loader *loader, struct dataplane *dp, const char *interface)
{
	struct fault fault = {};

	if (put(dp, interface, &fault) || put(dp, LBLOAD_LOOPBACK, &fault))
		loader_note(loader, "%s; checks through the tunnel will fail and say so",
			    fault.message);
}

void lbload_tunnel_off(const struct loader *loader, struct dataplane *dp, const char *interface)
{
	struct fault fault = {};

	if (attach_probe_off(interface, dataplane_probe_mark(dp), &fault))
		loader_note(loader, "%s", fault.message);
}
