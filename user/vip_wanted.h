/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vip_wanted: which of the services' addresses this node should hold, and why not the others.
 * Pure.
 */
#ifndef LIMPET_VIP_WANTED_H
#define LIMPET_VIP_WANTED_H

#include "model.h"

struct vip_want {
	struct addr addr;
	const char *why_not; /* a constant; "": it is wanted */
};

struct vip_wanted {
	struct vip_want *items; /* ordered by address, each once */
	size_t count;
};

/* All VIPs of the model where `global.vip` is interface, else none. One is held for each service
 * on it that has a backend to send new flows to, or does not say `withdraw`; none if `drained`. 0
 * or -ENOMEM; to be destroyed. */
int vip_wanted_read(struct vip_wanted *wanted, const struct model *model, bool drained);
void vip_wanted_destroy(struct vip_wanted *wanted);

bool vip_wanted_equal(const struct vip_wanted *a, const struct vip_wanted *b);
/* Why `vip` is not to be held: "" if it is, words for those that no service has. */
const char *vip_wanted_not(const struct vip_wanted *wanted, const struct addr *vip);

#endif
