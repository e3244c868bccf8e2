/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api: HTTP/1.1 and JSON on a Unix socket, for lbctl and anyone with curl. Translates requests to
 * calls of the controller and its model to JSON; decides nothing.
 */
#ifndef LIMPET_API_H
#define LIMPET_API_H

#include <systemd/sd-event.h>

#include "controller.h"
#include "fault.h"

struct api;

/* Listens on `socket_path` (mode 0660, group lbd where it exists; `read_only`: 0666, and nothing
 * but GET is answered). A socket that somebody answers on is FAULT_CONFLICT; a stale one is
 * replaced. NULL with `fault` set on failure. */
struct api *api_create(sd_event *event, struct controller *controller, const char *socket_path,
		       bool read_only, struct fault *fault);
void api_free(struct api *api); /* removes the socket; NULL is fine */

#endif
