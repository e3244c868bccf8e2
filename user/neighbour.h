/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour: next hops from the kernel's route and neighbour tables, kept current through netlink.
 *
 * A watch follows one backend's address: it looks up the route (egress interface, gateway,
 * preferred source, MTU), makes the kernel resolve the gateway's or the address's MAC, and reports
 * each change. Runs on the caller's sd-event loop and thread; changes nothing in the kernel but
 * neighbour entries.
 */
#ifndef LIMPET_NEIGHBOUR_H
#define LIMPET_NEIGHBOUR_H

#include <systemd/sd-event.h>

#include "fault.h"
#include "model.h"

struct neighbours;
struct neighbour_watch;

/* Called with each change, the first included; `hop` is borrowed for the call. */
typedef void (*neighbour_changed)(void *context, const struct next_hop *hop);

/* NULL with `fault` set on failure. */
struct neighbours *neighbours_create(sd_event *event, struct fault *fault);
void neighbours_free(struct neighbours *neighbours); /* all watches must be gone; NULL is fine */

/* `changed` is called from the loop after links came, went or changed, once for all that did
 * meanwhile. There may be one; NULL for none. */
void neighbours_on_links(struct neighbours *neighbours, void (*changed)(void *context),
			 void *context);

/* Watches of the same address share one look-up. NULL with errno set on failure. The first report
 * comes from the loop, not from within this call. */
struct neighbour_watch *neighbour_watch_create(struct neighbours *neighbours,
					       const struct addr *address,
					       neighbour_changed changed, void *context);
void neighbour_watch_free(struct neighbour_watch *watch); /* NULL is fine */

#endif
