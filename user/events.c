/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* events: see events.h. */
#include "events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct events {
	char *lines[EVENTS_KEPT]; /* event N at N % EVENTS_KEPT; the first is 1 */
	uint64_t next;            /* number of the one to come */
	struct {
		void (*there_is_more)(void *context);
		void *context;
	} listeners[EVENTS_LISTENERS_MAX];
};

struct events *events_create(void)
{
	struct events *events = calloc(1, sizeof(*events));

	if (events)
		events->next = 1;
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(events->lines[i]);
	free(events);
}

static uint64_t oldest(const struct events *events)
{
	return events->next > EVENTS_KEPT ? events->next - EVENTS_KEPT : 1;
}

static void format_time(uint64_t now_ms, char out[32])
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	size_t used;

	gmtime_r(&seconds, &tm);
	used = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + used, 32 - used, ".%03uZ", (unsigned)(now_ms % 1000));
}

void events_add(struct events *events, const char *kind, json_t *fields, uint64_t now_ms)
{
	char when[32], **place = &events->lines[events->next % EVENTS_KEPT];
	json_t *line;

	format_time(now_ms, when);
	line = json_pack("{s:i, s:I, s:s, s:s}", "schema", 1, "seq", (json_int_t)events->next,
			 "time", when, "event", kind);
	if (line && fields)
		json_object_update_missing(line, fields);
	free(*place);
	*place = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	json_decref(fields);
	events->next++;
	for (size_t i = 0; i < EVENTS_LISTENERS_MAX; i++)
		if (events->listeners[i].there_is_more)
			events->listeners[i].there_is_more(events->listeners[i].context);
}

bool events_listen(struct events *events, void (*there_is_more)(void *context), void *context)
{
	for (size_t i = 0; i < EVENTS_LISTENERS_MAX; i++) {
		if (events->listeners[i].there_is_more)
			continue;
		events->listeners[i].there_is_more = there_is_more;
		events->listeners[i].context = context;
		return true;
	}
	return false;
}

void events_ignore(struct events *events, void *context)
{
	for (size_t i = 0; i < EVENTS_LISTENERS_MAX; i++)
		if (events->listeners[i].context == context)
			memset(&events->listeners[i], 0, sizeof(events->listeners[i]));
}

/* ---- reading ---- */

json_t *events_last(const struct events *events, size_t count)
{
	uint64_t next = oldest(events);
	json_t *list = json_array();

	if (events->next - next > count)
		next = events->next - count;
	for (; list && next < events->next; next++) {
		const char *line = events->lines[next % EVENTS_KEPT];
		json_t *event = line ? json_loads(line, 0, NULL) : NULL;

		if (event)
			json_array_append_new(list, event);
	}
	return list;
}

void events_reader_init(const struct events *events, struct events_reader *reader, bool from_now)
{
	*reader = (struct events_reader){.next = from_now ? events->next : oldest(events)};
}

void events_reader_destroy(struct events_reader *reader)
{
	free(reader->line);
	reader->line = NULL;
}

static char *lost_line(uint64_t count)
{
	char *line;

	if (asprintf(&line,
		     "{\"schema\":1,\"event\":\"lost\",\"count\":%" PRIu64
		     ",\"reason\":\"read too slowly\"}\n",
		     count) < 0)
		return NULL;
	return line;
}

/* The next line with its end, of the reader's own: the ring may go round while it is half read. */
static char *take_line(const struct events *events, struct events_reader *reader)
{
	uint64_t first = oldest(events), lost = 0;
	const char *kept;
	char *line;

	if (reader->next < first) {
		lost = first - reader->next;
		reader->next = first;
		return lost_line(lost);
	}
	while (reader->next < events->next) {
		kept = events->lines[reader->next++ % EVENTS_KEPT];
		/* What there was no memory for is lost, too. */
		if (!kept)
			return lost_line(1);
		return asprintf(&line, "%s\n", kept) < 0 ? NULL : line;
	}
	return NULL;
}

size_t events_read(const struct events *events, struct events_reader *reader, char *out,
		   size_t size)
{
	size_t used = 0;

	while (used < size) {
		size_t left;

		if (!reader->line) {
			reader->line = take_line(events, reader);
			reader->offset = 0;
		}
		if (!reader->line)
			break;
		left = strlen(reader->line) - reader->offset;
		if (left > size - used)
			left = size - used;
		memcpy(out + used, reader->line + reader->offset, left);
		used += left;
		reader->offset += left;
		if (!reader->line[reader->offset])
			events_reader_destroy(reader);
	}
	return used;
}
