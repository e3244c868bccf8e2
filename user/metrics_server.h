/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_server: `/metrics` at global.metrics, for Prometheus. Follows the model: a reload that
 * names another address moves the listener, and one that names an address that cannot be listened
 * on is refused. Reads, and changes nothing.
 */
#ifndef LIMPET_METRICS_SERVER_H
#define LIMPET_METRICS_SERVER_H

#include <systemd/sd-event.h>

#include "controller.h"
#include "fault.h"

struct metrics_server;

/* Listens where the model says, if it does, and follows the controller, of which it is the one
 * follower. To be freed before the controller. NULL with `fault` set: FAULT_CONFLICT if the address
 * is in use, FAULT_PERMISSION, FAULT_FAILED. */
struct metrics_server *metrics_server_create(sd_event *event, struct controller *controller,
					     struct fault *fault);
void metrics_server_free(struct metrics_server *server); /* NULL is fine */

#endif
