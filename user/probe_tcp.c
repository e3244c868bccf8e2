/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_tcp: a TCP connection that is made and dropped. See probe_type.h; probe.c keeps the time.
 *
 * The connection ends with a reset: thousands of probes would otherwise leave thousands of sockets
 * in TIME_WAIT, and use up the ports.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_type.h"

struct tcp_probe {
	int fd;
	sd_event_source *source;
};

static void tcp_cancel(struct probe_attempt *attempt)
{
	struct tcp_probe *tcp = attempt->state;

	if (!tcp)
		return;
	attempt->state = NULL;
	sd_event_source_disable_unref(tcp->source);
	if (tcp->fd >= 0)
		close(tcp->fd);
	free(tcp);
}

static void tcp_end(struct probe_attempt *attempt, int error)
{
	tcp_cancel(attempt);
	if (error)
		probe_failed(attempt, error);
	else
		probe_done(attempt, true, "connected");
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *context)
{
	socklen_t size = sizeof(int);
	int error = 0;

	(void)source;
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	tcp_end(context, error);
	return 0;
}

/* 0: connected; EINPROGRESS: on_connected will tell; any other errno: failed. */
static int tcp_connect(struct probe_attempt *attempt)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct tcp_probe *tcp = attempt->state;
	char text[PROBE_TARGET_TEXT_SIZE];
	struct sockaddr_storage to;
	socklen_t size = probe_sockaddr(attempt, &to);
	int err;

	probe_step(attempt, "connecting to %s over TCP", probe_target_text(attempt, text));
	tcp->fd = probe_socket(attempt, SOCK_STREAM, IPPROTO_TCP);
	if (tcp->fd < 0 || setsockopt(tcp->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		return errno;
	if (!connect(tcp->fd, (struct sockaddr *)&to, size))
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	err = sd_event_add_io(attempt->event, &tcp->source, tcp->fd, EPOLLOUT, on_connected,
			      attempt);
	return err < 0 ? -err : EINPROGRESS;
}

static void tcp_start(struct probe_attempt *attempt)
{
	struct tcp_probe *tcp = calloc(1, sizeof(*tcp));
	int error;

	if (!tcp) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	tcp->fd = -1;
	attempt->state = tcp;
	error = tcp_connect(attempt);
	if (error != EINPROGRESS)
		tcp_end(attempt, error);
}

const struct probe_type probe_type_tcp = {.start = tcp_start, .cancel = tcp_cancel};
