/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify: tells a service manager (sd_notify(3)) when lbd is ready, how it stands, and that its
 * loop turns. Without one, it does nothing.
 */
#ifndef LIMPET_NOTIFY_H
#define LIMPET_NOTIFY_H

#include <systemd/sd-event.h>

struct controller;
struct notify;

/* Says READY once the first round is published, and a new STATUS when it has changed; the watchdog
 * is fed by `event`. The controller has to outlive it. NULL with errno set. */
struct notify *notify_create(sd_event *event, const struct controller *controller);
void notify_free(struct notify *notify); /* NULL is fine */

/* Around a reload. */
void notify_reload_begin(struct notify *notify);
void notify_reload_end(struct notify *notify);

/* The end is near. */
void notify_stopping(struct notify *notify);

#endif
