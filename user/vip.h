/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vip: keeps the services' addresses on the interfaces that the data plane is attached to, where
 * `global.vip` says so, and announces them; and the node's own state, ready or drained, which takes
 * them off and survives restarts.
 *
 * What it puts bears a mark, by which it and the next lbd know it: an address without the mark is
 * somebody else's and never touched. What is there is compared with what should be, and only the
 * difference made, so that a restart changes nothing. When lbd stops the addresses stay, as the
 * data plane does.
 */
#ifndef LIMPET_VIP_H
#define LIMPET_VIP_H

#include <systemd/sd-event.h>

#include "fault.h"
#include "model.h"

struct dataplane;
struct vips;

enum node_state { NODE_READY, NODE_DRAIN };

/* Reads the node's state from `state_dir`. NULL with `fault` set. */
struct vips *vips_create(sd_event *event, struct dataplane *dp, const char *state_dir,
			 struct fault *fault);
void vips_free(struct vips *vips); /* addresses stay; NULL is fine */

/* After each round of publishing: makes addresses what the model wants. Logs what it does. */
void vips_follow(struct vips *vips, const struct model *model);
/* After the data plane was attached to an interface, or detached. */
void vips_look(struct vips *vips);

/* Kept before it takes effect. 0, or -1 with `fault` set. `who`: for the log. */
int vips_node_set(struct vips *vips, const struct model *model, enum node_state state,
		  const char *who, bool dry_run, struct fault *fault);
enum node_state vips_node(const struct vips *vips);

struct vip_wanted;
/* Which VIPs should be held, and why not the others; borrowed until the next change. */
const struct vip_wanted *vips_wanted(const struct vips *vips);
/* Whether this node has the address on one of its interfaces, as of the last look, whoever put it.
 */
bool vips_holds(const struct vips *vips, const struct addr *vip);

#endif
