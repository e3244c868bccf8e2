/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_trace: see api_trace.h. Events are fetched by a timer, a bounded number a time, so that a
 * trace takes a bounded share of the loop, whatever it shows; each becomes a line in a buffer, from
 * which the reader is given what it takes.
 */
#include "api_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dataplane.h"
#include "log.h"
#include "trace_line.h"

enum {
	TURN_US = 50 * 1000,
	TURN_ACCURACY_US = 5 * 1000,
	TURN_EVENTS = 500,
	TURNS_OF_SECOND = 20,
	BUFFER_SIZE = 512 * 1024,
	BUFFER_RESERVE = 1024, /* for the line that says what is missing */
	STREAM_BLOCK_SIZE = 8192,
	STREAM_TIMEOUT_S = 600, /* of a reader that does not take what is there for it */
};

/* One reply. */
struct stream {
	struct api_trace *trace;
	struct MHD_Connection *connection;
	bool suspended;
	bool over; /* what is in the buffer is the rest */
	bool gone; /* nobody takes it */
	size_t offset, size;
	char buffer[BUFFER_SIZE];
};

struct api_trace {
	struct controller *controller;
	struct httpd *const *httpd;
	sd_event_source *timer;
	/* The one that goes on; NULL: none does. */
	struct stream *stream;
	struct trace_question question;
	char who[32];
	uint64_t began_ns, unix_ns, told;
	struct dataplane_trace_missed before; /* what was missed until the last line about it */
	uint64_t unread;                      /* events for which the buffer had no room since */
	unsigned turn;
};

static void wake(struct stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
	httpd_wake(*stream->trace->httpd);
}

/* ---- lines ---- */

/* Takes the line. False if there is no room for it, with `reserve` bytes to be left. */
static bool add_line(struct stream *stream, json_t *line, size_t reserve)
{
	const size_t room = BUFFER_SIZE - reserve;
	size_t size = 0;

	if (stream->offset) {
		stream->size -= stream->offset;
		memmove(stream->buffer, stream->buffer + stream->offset, stream->size);
		stream->offset = 0;
	}
	if (line && stream->size < room)
		size = json_dumpb(line, stream->buffer + stream->size, room - stream->size,
				  JSON_COMPACT);
	json_decref(line);
	/* The size is that which it would have had. */
	if (!size || size >= room - stream->size)
		return false;
	stream->size += size;
	stream->buffer[stream->size++] = '\n';
	return true;
}

static void tell_missed(struct api_trace *trace)
{
	struct dataplane_trace_missed now;
	struct trace_missed missed = {.reader = trace->unread};

	if (dataplane_trace_missed(controller_dataplane(trace->controller), &now) != 0)
		return;
	missed.rate = now.limited - trace->before.limited;
	missed.ring = now.lost - trace->before.lost;
	if (!missed.rate && !missed.ring && !missed.reader)
		return;
	if (!add_line(trace->stream, trace_line_missed(&missed, clock_ns(CLOCK_REALTIME)), 0))
		return; /* what there is no room to tell is told later */
	trace->before = now;
	trace->unread = 0;
}

/* ---- begin and end ---- */

/* The reply goes on until its buffer is empty. */
static void finish(struct api_trace *trace)
{
	struct stream *stream = trace->stream;

	if (!stream)
		return;
	dataplane_trace_stop(controller_dataplane(trace->controller));
	sd_event_source_set_enabled(trace->timer, SD_EVENT_OFF);
	tell_missed(trace);
	log_info("trace for %s: ended after %" PRIu64 " packets", trace->who, trace->told);
	trace->stream = NULL;
	stream->over = true;
	wake(stream);
}

static void finish_if_gone(struct api_trace *trace)
{
	if (!trace->stream || !httpd_peer_gone(trace->stream->connection))
		return;
	trace->stream->gone = true;
	finish(trace);
}

static void on_packet(void *context, const struct lb_trace_event *event)
{
	struct api_trace *trace = context;
	json_t *line;

	if (trace->question.count && trace->told == trace->question.count)
		return;
	line = trace_line_packet(controller_model(trace->controller), event, trace->unix_ns,
				 trace->question.frames);
	if (add_line(trace->stream, line, BUFFER_RESERVE))
		trace->told++;
	else
		trace->unread++;
}

static int on_turn(sd_event_source *source, uint64_t now_us, void *context)
{
	struct api_trace *trace = context;
	struct dataplane *dp = controller_dataplane(trace->controller);

	(void)now_us;
	finish_if_gone(trace);
	if (!trace->stream)
		return 0;
	dataplane_trace_read(dp, TURN_EVENTS, on_packet, trace);
	if (trace->question.count && trace->told == trace->question.count) {
		finish(trace);
		return 0;
	}
	if (++trace->turn % TURNS_OF_SECOND == 0) {
		dataplane_trace_prolong(dp);
		tell_missed(trace);
	}
	if (trace->stream->size)
		wake(trace->stream);
	sd_event_source_set_time_relative(source, TURN_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- the reply ---- */

static ssize_t give(void *context, uint64_t position, char *out, size_t size)
{
	struct stream *stream = context;
	size_t left = stream->size - stream->offset;

	(void)position;
	if (stream->gone)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (left) {
		left = left < size ? left : size;
		memcpy(out, stream->buffer + stream->offset, left);
		stream->offset += left;
		if (stream->offset == stream->size)
			stream->offset = stream->size = 0;
		return (ssize_t)left;
	}
	if (stream->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	return 0;
}

static void forget(void *context)
{
	struct stream *stream = context;

	stream->suspended = false;
	if (stream->trace->stream == stream) {
		stream->gone = true;
		finish(stream->trace);
	}
	free(stream);
}

static int refuse_second(const struct api_trace *trace, struct fault *fault)
{
	uint64_t age_s = (clock_ns(CLOCK_MONOTONIC) - trace->began_ns) / 1000000000;

	fault_set(fault, FAULT_CONFLICT,
		  "trace: beginning it: one goes on already, for %s, since %" PRIu64 " s",
		  trace->who, age_s);
	return fault_hint(fault, "there can be one at a time, and that one loses nothing: end it, "
				 "or wait for it");
}

static int begin(struct api_trace *trace, struct fault *fault)
{
	const struct trace_question *question = &trace->question;
	struct dataplane *dp = controller_dataplane(trace->controller);
	const struct lb_trace what = {.interval_ns = 1000000000 / question->rate,
				      .filter = question->filter};

	if (dataplane_trace_start(dp, &what, fault) != 0)
		return -1;
	trace->began_ns = clock_ns(CLOCK_MONOTONIC);
	trace->unix_ns = clock_ns(CLOCK_REALTIME) - trace->began_ns;
	trace->told = trace->unread = trace->turn = 0;
	if (dataplane_trace_missed(dp, &trace->before) != 0)
		trace->before = (struct dataplane_trace_missed){0};
	return 0;
}

static int out_of_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_FAILED, "trace: beginning it: out of memory");
}

/* Queues the reply, which from then on frees the stream. 0, or -1 with `fault`. */
static int reply_with(struct stream *stream, enum MHD_Result *result, struct fault *fault)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, give, stream, forget);

	if (!response)
		return out_of_memory(fault);
	stream->trace->stream = stream;
	MHD_add_response_header(response, "Content-Type", "application/x-ndjson");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	httpd_keep(*stream->trace->httpd, stream->connection, STREAM_TIMEOUT_S);
	*result = MHD_queue_response(stream->connection, 200, response);
	MHD_destroy_response(response);
	return 0;
}

int api_trace_start(struct api_trace *trace, struct MHD_Connection *connection,
		    const struct trace_question *question, const char *who, enum MHD_Result *result,
		    struct fault *fault)
{
	struct stream *stream;

	finish_if_gone(trace);
	if (trace->stream)
		return refuse_second(trace, fault);
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return out_of_memory(fault);
	stream->trace = trace;
	stream->connection = connection;
	trace->question = *question;
	snprintf(trace->who, sizeof(trace->who), "%s", who);
	if (begin(trace, fault) != 0) {
		free(stream);
		return -1;
	}
	add_line(stream, trace_line_begin(question->rate, clock_ns(CLOCK_REALTIME)), 0);
	if (reply_with(stream, result, fault) != 0) {
		dataplane_trace_stop(controller_dataplane(trace->controller));
		free(stream);
		return -1;
	}
	log_info("trace for %s: begun", who);
	sd_event_source_set_time_relative(trace->timer, TURN_US);
	sd_event_source_set_enabled(trace->timer, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- start and stop ---- */

struct api_trace *api_trace_create(sd_event *event, struct controller *controller,
				   struct httpd *const *httpd)
{
	struct api_trace *trace = calloc(1, sizeof(*trace));
	int error;

	if (!trace)
		return NULL;
	trace->controller = controller;
	trace->httpd = httpd;
	error = sd_event_add_time_relative(event, &trace->timer, CLOCK_MONOTONIC, 0,
					   TURN_ACCURACY_US, on_turn, trace);
	if (error >= 0)
		error = sd_event_source_set_enabled(trace->timer, SD_EVENT_OFF);
	if (error >= 0)
		return trace;
	api_trace_free(trace);
	errno = -error;
	return NULL;
}

void api_trace_end(struct api_trace *trace)
{
	if (trace)
		finish(trace);
}

void api_trace_free(struct api_trace *trace)
{
	if (!trace)
		return;
	sd_event_source_disable_unref(trace->timer);
	free(trace);
}
