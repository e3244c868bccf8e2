/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_stream: see api_stream.h. A reader that has read everything is suspended: the library forgets
 * it until there is more. One that is gone is noticed when something is to be written to it, or
 * when another one needs its place.
 */
#include "api_stream.h"

#include <stdlib.h>

enum {
	STREAMS_MAX = 16,
	STREAM_BLOCK_SIZE = 8192,
	STREAM_TIMEOUT_S = 600, /* of one that does not take what is there for it */
};

struct stream {
	struct api_streams *streams;
	struct MHD_Connection *connection;
	struct events_reader reader;
	bool follow;
	bool suspended;
	bool gone; /* the other end is closed */
};

struct api_streams {
	struct events *events;
	struct httpd *const *httpd;
	struct stream *items[STREAMS_MAX];
	size_t count;
	bool ending;
};

static void wake(struct stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
	httpd_wake(*stream->streams->httpd);
}

static void there_is_more(void *context)
{
	struct api_streams *streams = context;

	for (size_t i = 0; i < streams->count; i++)
		wake(streams->items[i]);
}

struct api_streams *api_streams_create(struct events *events, struct httpd *const *httpd)
{
	struct api_streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return NULL;
	streams->events = events;
	streams->httpd = httpd;
	if (events_listen(events, there_is_more, streams))
		return streams;
	free(streams);
	return NULL;
}

void api_streams_end(struct api_streams *streams)
{
	if (!streams)
		return;
	streams->ending = true;
	there_is_more(streams);
}

void api_streams_free(struct api_streams *streams)
{
	if (!streams)
		return;
	events_ignore(streams->events, streams);
	free(streams);
}

/* Lets go of those whose other end is closed. */
static void weed(struct api_streams *streams)
{
	for (size_t i = 0; i < streams->count; i++) {
		struct stream *stream = streams->items[i];

		if (!httpd_peer_gone(stream->connection))
			continue;
		stream->gone = true;
		wake(stream);
	}
}

bool api_streams_room(struct api_streams *streams)
{
	size_t busy = 0;

	if (streams->count == STREAMS_MAX)
		weed(streams);
	for (size_t i = 0; i < streams->count; i++)
		busy += !streams->items[i]->gone;
	/* Those that are gone leave their places in the next turn: theirs are taken then. */
	return busy < STREAMS_MAX && streams->count < STREAMS_MAX;
}

static ssize_t give(void *context, uint64_t position, char *out, size_t size)
{
	struct stream *stream = context;
	struct api_streams *streams = stream->streams;
	size_t used;

	(void)position;
	if (streams->ending || stream->gone)
		return MHD_CONTENT_READER_END_OF_STREAM;
	used = events_read(streams->events, &stream->reader, out, size);
	if (used)
		return (ssize_t)used;
	if (!stream->follow)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	return 0;
}

static void forget(void *context)
{
	struct stream *stream = context;
	struct api_streams *streams = stream->streams;

	for (size_t i = 0; i < streams->count; i++) {
		if (streams->items[i] != stream)
			continue;
		streams->items[i] = streams->items[--streams->count];
		break;
	}
	events_reader_destroy(&stream->reader);
	free(stream);
}

enum MHD_Result api_stream_start(struct api_streams *streams, struct MHD_Connection *connection,
				 bool history, bool follow)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!stream)
		return MHD_NO;
	*stream = (struct stream){.streams = streams, .connection = connection, .follow = follow};
	events_reader_init(streams->events, &stream->reader, !history);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, give,
						     stream, forget);
	if (!response) {
		free(stream);
		return MHD_NO;
	}
	streams->items[streams->count++] = stream;
	MHD_add_response_header(response, "Content-Type", "application/x-ndjson");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	httpd_keep(*streams->httpd, connection, STREAM_TIMEOUT_S);
	result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}
