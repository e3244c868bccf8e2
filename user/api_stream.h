/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_stream: replies that go on: events as lines, as they happen. Each reader costs a place among
 * the connections and a place in the events' ring, and nobody waits for one.
 */
#ifndef LIMPET_API_STREAM_H
#define LIMPET_API_STREAM_H

#include "events.h"
#include "httpd.h"

struct api_streams;

/* NULL if out of memory. `httpd`: where the connections are, set by the caller before the first. */
struct api_streams *api_streams_create(struct events *events, struct httpd *const *httpd);
/* Lets all end: to be called before the connections are closed. NULL is fine. */
void api_streams_end(struct api_streams *streams);
/* To be called after that. NULL is fine. */
void api_streams_free(struct api_streams *streams);

/* False if there are too many already. */
bool api_streams_room(struct api_streams *streams);
/* Answers. `history`: from the oldest event kept, else from now; `follow`: without an end. */
enum MHD_Result api_stream_start(struct api_streams *streams, struct MHD_Connection *connection,
				 bool history, bool follow);

#endif
