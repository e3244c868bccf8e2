/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * grace: waits for the kernel's grace periods on a thread of its own, so that the loop, with its
 * checks and changes, need not. A leaf beside dataplane.
 */
#ifndef LIMPET_GRACE_H
#define LIMPET_GRACE_H

#include <systemd/sd-event.h>

#include "dataplane.h"

struct grace;

/* `over` is called from the loop once no packet is being processed that began before grace_begin.
 * NULL with `fault` set. */
struct grace *grace_create(sd_event *event, struct dataplane *dp, void (*over)(void *context),
			   void *context, struct fault *fault);
void grace_free(struct grace *grace); /* waits for one under way; NULL is fine */

bool grace_under_way(const struct grace *grace);
/* To be called while none is under way. Without a thread for it, nothing comes of it. */
void grace_begin(struct grace *grace);

#endif
