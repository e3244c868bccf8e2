/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * httpd: libmicrohttpd as a source of the caller's event loop; see httpd.h. Its epoll descriptor is
 * one source, its next deadline a timer. Knows no request.
 */
#include "httpd.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

/* 0 would let the loop be 250 ms late, between two parts of a body, too. */
enum { TIMER_ACCURACY_US = 1 };

struct httpd {
	struct httpd_options options;
	struct MHD_Daemon *daemon;
	sd_event_source *io;
	sd_event_source *timer;
	/* Of the connections that there are, the oldest first. */
	struct httpd_place {
		int fd;
		bool kept;
	} * places;
	unsigned count;
	bool woken;
};

/* Any peer can make these lines come: they are for whoever looks for them. */
__attribute__((format(printf, 2, 0))) static void on_log(void *context, const char *format,
							 va_list args)
{
	const struct httpd *httpd = context;
	char line[256];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s: %s", httpd->options.name, line);
}

/* ---- places ---- */

static int socket_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static bool is_full(const struct httpd *httpd)
{
	return httpd->count == httpd->options.connections_max;
}

static void place_take(struct httpd *httpd, int fd)
{
	unsigned oldest = 0;

	if (!is_full(httpd))
		httpd->places[httpd->count++] = (struct httpd_place){.fd = fd};
	if (!is_full(httpd) || !httpd->options.oldest_yields)
		return;
	while (oldest < httpd->count && httpd->places[oldest].kept)
		oldest++;
	/* The library sees the end of it in its next turn. */
	if (oldest < httpd->count)
		shutdown(httpd->places[oldest].fd, SHUT_RDWR);
}

static void place_leave(struct httpd *httpd, int fd)
{
	unsigned at = 0;

	while (at < httpd->count && httpd->places[at].fd != fd)
		at++;
	if (at == httpd->count)
		return;
	httpd->count--;
	memmove(&httpd->places[at], &httpd->places[at + 1],
		(httpd->count - at) * sizeof(*httpd->places));
}

void httpd_keep(struct httpd *httpd, struct MHD_Connection *connection, unsigned timeout_s)
{
	int fd = socket_of(connection);

	MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, timeout_s);
	for (unsigned i = 0; i < httpd->count; i++)
		if (httpd->places[i].fd == fd)
			httpd->places[i].kept = true;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct httpd *httpd = context;

	(void)socket_context;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		place_take(httpd, socket_of(connection));
	else
		place_leave(httpd, socket_of(connection));
}

/* ---- the loop ---- */

static int run(struct httpd *httpd)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	bool was_full;

	/* With all places taken, the library takes the listener out of its epoll set, and puts it
	 * back when it is called after one became free: nothing would make that call but us. */
	do {
		was_full = is_full(httpd);
		httpd->woken = false;
		MHD_run(httpd->daemon);
	} while ((was_full && !is_full(httpd)) || httpd->woken);
	if (MHD_get_timeout(httpd->daemon, &wait_ms) != MHD_YES)
		return sd_event_source_set_enabled(httpd->timer, SD_EVENT_OFF);
	sd_event_source_set_time_relative(httpd->timer, (uint64_t)wait_ms * 1000);
	return sd_event_source_set_enabled(httpd->timer, SD_EVENT_ONESHOT);
}

void httpd_wake(struct httpd *httpd)
{
	httpd->woken = true;
	sd_event_source_set_time_relative(httpd->timer, 0);
	sd_event_source_set_enabled(httpd->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	return run(context);
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	(void)source;
	(void)now_us;
	return run(context);
}

static int join_loop(struct httpd *httpd, sd_event *event)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int error;

	if (!info)
		return -ENOTSUP;
	error = sd_event_add_io(event, &httpd->io, info->epoll_fd, EPOLLIN, on_io, httpd);
	if (error < 0)
		return error;
	error = sd_event_add_time_relative(event, &httpd->timer, CLOCK_MONOTONIC, 0,
					   TIMER_ACCURACY_US, on_timer, httpd);
	return error < 0 ? error : 0;
}

static struct MHD_Daemon *start(struct httpd *httpd)
{
	const struct httpd_options *options = &httpd->options;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG |
					(options->suspends ? MHD_ALLOW_SUSPEND_RESUME : 0),
				0, NULL, NULL, options->on_request, options->context,
				MHD_OPTION_EXTERNAL_LOGGER, on_log, httpd, MHD_OPTION_LISTEN_SOCKET,
				options->listener, MHD_OPTION_CONNECTION_LIMIT,
				options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
				options->idle_timeout_s, MHD_OPTION_NOTIFY_COMPLETED,
				options->on_completed, options->context,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_END);
}

static void leave_loop(struct httpd *httpd)
{
	sd_event_source_disable_unref(httpd->io);
	sd_event_source_disable_unref(httpd->timer);
}

static void release(struct httpd *httpd)
{
	free(httpd->places);
	free(httpd);
}

struct httpd *httpd_create(sd_event *event, const struct httpd_options *options)
{
	struct httpd *httpd = calloc(1, sizeof(*httpd));
	int error = ENOMEM;

	if (!httpd)
		return NULL;
	httpd->options = *options;
	httpd->places = calloc(options->connections_max, sizeof(*httpd->places));
	if (!httpd->places)
		goto fail;
	errno = 0;
	httpd->daemon = start(httpd);
	if (!httpd->daemon) {
		error = errno ? errno : EIO;
		goto fail;
	}
	error = -join_loop(httpd, event);
	if (!error)
		return httpd;
	leave_loop(httpd);
	/* The caller keeps the listener. */
	MHD_quiesce_daemon(httpd->daemon);
	MHD_stop_daemon(httpd->daemon);
fail:
	release(httpd);
	errno = error;
	return NULL;
}

bool httpd_peer_gone(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd end = {.fd = info ? info->connect_fd : -1};

	return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

void httpd_free(struct httpd *httpd)
{
	if (!httpd)
		return;
	leave_loop(httpd);
	/* What was resumed just now is so only after a turn, and none may be left suspended. */
	if (httpd->options.suspends)
		MHD_run(httpd->daemon);
	MHD_stop_daemon(httpd->daemon);
	release(httpd);
}
