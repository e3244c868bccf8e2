/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_nat: what NAT needs to know of the installation: whether any packet can be the answer of
 * a NAT backend, and which ports are the host's. And whether there is room for NAT flows at all.
 */
#include "host_ports.h"
#include "publish_private.h"

static void fail_no_room(struct publish *publish, const struct pool *pool)
{
	struct fault fault;

	fault_set(&fault, FAULT_FAILED,
		  "pool %s: forward: nat: the data plane has no room for NAT flows", pool->name);
	fault_hint(&fault, "raise global.limits.nat_flows, then attach the data plane anew");
	publish_fail(publish, &fault);
}

void publish_nat(struct publish *publish, const struct model *model)
{
	struct lb_control *control = dataplane_control(publish->dp);
	uint16_t first = 0, count = 0;
	uint32_t flags = 0;

	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		if (pool->forward != FORWARD_MODE_NAT)
			continue;
		flags |= LB_CONTROL_NAT;
		if (pool->snat && !count)
			host_ports_read(&first, &count);
		if (!publish->limits.nat_flows)
			fail_no_room(publish, pool);
	}
	/* A search for a port between the two stores may take one of the kernel's: so may one
	 * before the kernel was told of another range. */
	if (control->host_ports_first != first || control->host_ports_count != count) {
		__atomic_store_n(&control->host_ports_first, first, __ATOMIC_RELAXED);
		__atomic_store_n(&control->host_ports_count, count, __ATOMIC_RELAXED);
	}
	if ((control->flags & LB_CONTROL_NAT) != flags)
		__atomic_store_n(&control->flags, (control->flags & ~LB_CONTROL_NAT) | flags,
				 __ATOMIC_RELEASE);
}
