/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * events: what happened last, as lines of JSON, for any number of readers at their own pace.
 *
 * One ring of lines holds the memory down: a reader is a place in it, costs nobody anything however
 * slow it is, and is told how many lines it lost when the ring went round past it. Knows neither
 * what happens nor who reads. One thread.
 */
#ifndef LIMPET_EVENTS_H
#define LIMPET_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENTS_KEPT = 1024, EVENTS_LISTENERS_MAX = 4 };

struct events;

struct events *events_create(void); /* NULL if out of memory */
void events_free(struct events *events);

/* Adds {"schema", "seq", "time", "event": kind} with `fields`, whose reference it takes (NULL: out
 * of memory, and the event is lost). `now_ms`: CLOCK_REALTIME. */
void events_add(struct events *events, const char *kind, json_t *fields, uint64_t now_ms);

/* `there_is_more` is called after each one that is added. False: there are too many listeners. */
bool events_listen(struct events *events, void (*there_is_more)(void *context), void *context);
void events_ignore(struct events *events, void *context);

/* The last `count`, or as many as are kept, the newest at the end: a new reference to an array;
 * NULL if out of memory. */
json_t *events_last(const struct events *events, size_t count);

/* A place in the ring, and what is left of the line that is being read. */
struct events_reader {
	uint64_t next; /* number of the event to read next */
	char *line;
	size_t offset;
};

/* At the oldest event that is kept, or (`from_now`) behind the newest. */
void events_reader_init(const struct events *events, struct events_reader *reader, bool from_now);
void events_reader_destroy(struct events_reader *reader);

/* Copies whole or parts of lines, up to `size` bytes. Returns how many; 0: there is no more yet. */
size_t events_read(const struct events *events, struct events_reader *reader, char *out,
		   size_t size);

#endif
