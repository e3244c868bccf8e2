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
#include <stdint.h>
#include <systemd/sd-event.h>

#include "model.h"

struct prober;

/* `good`; `reason` in words ("connected in 0.4 ms", "connection refused", "no answer within 1 s");
 * `duration_us` from the start of the probe. The callback may free the prober. */
typedef void (*probe_result)(void *context, bool good, const char *reason, uint32_t duration_us);

/* Starts probing `address`:`port` (host order) as `check` says (copied). The first probe starts
 * within min(interval, 200 ms), so that a new backend takes traffic soon. NULL with errno set on
 * failure. */
struct prober *prober_create(sd_event *event, const struct check *check, const struct addr *address,
			     uint16_t port, probe_result result, void *context);
void prober_free(struct prober *prober); /* stops; NULL is fine */

#endif
