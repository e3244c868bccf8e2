/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* notify: see notify.h. Neighbours: main, which owns it. Decides nothing. */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "controller.h"

enum { STATUS_INTERVAL_US = 1000 * 1000, STATUS_SIZE = 160 };

struct notify {
	const struct controller *controller;
	sd_event_source *until_ready; /* after each turn of the loop, as long as it is not ready */
	sd_event_source *look;        /* whether the status has changed */
	char said[STATUS_SIZE];
};

static void status_text(const struct model *model, char out[STATUS_SIZE])
{
	size_t up = 0, backends = 0;

	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		backends += pool->backend_count;
		for (size_t b = 0; b < pool->backend_count; b++)
			up += backend_usable(pool, pool->backends[b]);
	}
	snprintf(out, STATUS_SIZE, "%zu services, %zu of %zu backends usable", model->service_count,
		 up, backends);
}

/* `with`: what else there is to say, each line with its end. */
static void say(struct notify *notify, const char *with)
{
	char text[STATUS_SIZE];

	status_text(controller_model(notify->controller), text);
	if (!with[0] && strcmp(text, notify->said) == 0)
		return;
	memcpy(notify->said, text, sizeof(text));
	sd_notifyf(0, "%sSTATUS=%s", with, text);
}

static int on_look(sd_event_source *source, uint64_t due, void *context)
{
	(void)due;
	say(context, "");
	sd_event_source_set_time_relative(source, STATUS_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, void *context)
{
	struct notify *notify = context;

	if (!controller_facts(notify->controller).published)
		return 0;
	say(notify, "READY=1\n");
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

struct notify *notify_create(sd_event *event, const struct controller *controller)
{
	struct notify *notify = calloc(1, sizeof(*notify));
	int rc;

	if (!notify)
		return NULL;
	notify->controller = controller;
	rc = sd_event_add_post(event, &notify->until_ready, on_turn, notify);
	if (rc >= 0 && getenv("NOTIFY_SOCKET"))
		rc = sd_event_add_time_relative(event, &notify->look, CLOCK_MONOTONIC,
						STATUS_INTERVAL_US, 0, on_look, notify);
	if (rc >= 0)
		rc = sd_event_set_watchdog(event, true);
	if (rc >= 0)
		return notify;
	notify_free(notify);
	errno = -rc;
	return NULL;
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	sd_event_source_disable_unref(notify->until_ready);
	sd_event_source_disable_unref(notify->look);
	free(notify);
}

void notify_reload_begin(struct notify *notify)
{
	(void)notify;
	/* By which the manager tells this reload from one before. */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_us(CLOCK_MONOTONIC));
}

void notify_reload_end(struct notify *notify)
{
	say(notify, "READY=1\n");
}

void notify_stopping(struct notify *notify)
{
	(void)notify;
	sd_notify(0, "STOPPING=1\nSTATUS=stopping; the data plane goes on forwarding");
}
