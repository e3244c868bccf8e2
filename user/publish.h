/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish: makes the maps say what the model says, in an order that keeps every packet right.
 *
 * A round writes backends, then tables, then services; what goes is removed in the reverse order.
 * It compares with what the maps hold and writes only what differs, so a round after a failed one,
 * or the first round of a new controller over a living data plane, is like any other. What is
 * remembered between rounds was read from the maps or written to them; losing it loses nothing.
 */
#ifndef LIMPET_PUBLISH_H
#define LIMPET_PUBLISH_H

#include "dataplane.h"
#include "fault.h"
#include "model.h"

struct publish;

/* Reads what the maps hold. NULL with `fault` set on failure. `dp` must outlive the result. */
struct publish *publish_create(struct dataplane *dp, struct fault *fault);
void publish_free(struct publish *publish); /* NULL is fine; the maps stay as they are */

/* What the maps hold: pools that have a table, their backends, services and listeners, without what
 * only the configuration knows (checks, times). The caller's; NULL with errno set. */
struct model *publish_held(const struct publish *publish);

/*
 * Gives the model's objects that the maps hold already (the same pool, name, address, port and mode
 * of forwarding) their indices and state: health, next hop, and what the table in force gives them.
 * A new controller starts from there, so that its start moves nobody and what it tells is true
 * before its first round. To be called once, before that.
 */
void publish_adopt(struct publish *publish, struct model *model);

/*
 * One round. Fills the model's `index`, `slots`, `table_digest` and `unsettled_slots`. An object
 * that cannot be published is left as it was and the others go on; the first such failure is in
 * `fault` and -1 is returned.
 */
int publish_run(struct publish *publish, struct model *model, struct fault *fault);

/*
 * After a complete sweep that began at tick `began`: settles what it shows to be settled, in the
 * maps and in the model's `unsettled_slots` and `left_slots`.
 */
void publish_settle(struct publish *publish, struct model *model, uint32_t began);

/* Around a grace period that the caller waits for: what rounds switched away from before it begins
 * may be used again when it is over, so that a later round need not wait. Begin returns whether
 * there is anything. */
bool publish_grace_begin(struct publish *publish);
void publish_grace_over(struct publish *publish);

/* What building a pool's table took last, in nanoseconds; 0: none was built yet. */
uint64_t publish_build_ns(const struct publish *publish);

#endif
