/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_events: `lbctl events`. See lbctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

/* What it happened to: a backend, a pool, an interface, what a change names. */
static void object_text(const json_t *event, char out[256])
{
	const char *pool = ctl_text(event, "pool"), *backend = ctl_text(event, "backend");
	const char *other = ctl_text(event, "object");

	if (!other[0])
		other = ctl_text(event, "interface");
	if (pool[0])
		snprintf(out, 256, "%s%s%s", pool, backend[0] ? "/" : "", backend);
	else
		snprintf(out, 256, "%s", other);
}

/* Whatever an event has, in the order in which people would say it. */
static void print_event(const json_t *event)
{
	const char *from = ctl_text(event, "from"), *to = ctl_text(event, "to");
	const char *reason = ctl_text(event, "reason"), *detail = ctl_text(event, "detail");
	const char *who = ctl_text(event, "who"), *change = ctl_text(event, "change");
	const json_t *good = json_object_get(event, "good");
	char object[256];

	object_text(event, object);
	printf("%-24s  %-9s", ctl_text(event, "time"), ctl_text(event, "event"));
	if (!strcmp(ctl_text(event, "event"), "lost"))
		printf("  %llu events", (unsigned long long)ctl_integer(event, "count"));
	if (change[0])
		printf("  %s", change);
	if (object[0])
		printf("%s%s", change[0] ? " " : "  ", object);
	if (ctl_text(event, "client")[0])
		printf("  client %s", ctl_text(event, "client"));
	if (from[0])
		printf("  %s -> %s", from, to);
	if (good)
		printf("  %s", json_is_true(good) ? "good" : "failed");
	if (json_object_get(event, "took_us"))
		printf("  %.1f ms", (double)ctl_integer(event, "took_us") / 1000);
	if (json_object_get(event, "mode"))
		printf("  %s", ctl_text(event, "mode"));
	if (detail[0])
		printf("  %s", detail);
	if (reason[0])
		printf("  (%s)", reason);
	if (who[0])
		printf("  by %s", who);
	putchar('\n');
}

static void on_line(const struct ctl *ctl, char *line, void *context)
{
	json_t *event;

	(void)context;
	if (ctl->output == CTL_JSON) {
		puts(line);
	} else {
		event = json_loads(line, 0, NULL);
		if (event)
			print_event(event);
		json_decref(event);
	}
	fflush(stdout);
}

int ctl_events(struct ctl *ctl, struct fault *fault)
{
	bool watch = ctl_value(ctl, "watch");
	const struct ctl_request request = {
		.method = "GET",
		.path = {"events"},
		.query = {{"history", "1"}, {"follow", watch ? "1" : "0"}},
	};

	if (ctl_stream(ctl, &request, on_line, fault) != 0)
		return -1;
	if (!watch)
		return 0;
	return fault_set(fault, FAULT_UNREACHABLE, "lbd: listening to it: it ended the connection");
}
