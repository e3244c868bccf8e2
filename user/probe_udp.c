/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_udp: a datagram, and what its answer contains. See probe_type.h; probe.c keeps the time.
 *
 * The socket is connected, so that the kernel tells of ICMP errors and keeps others' datagrams
 * away. Each probe has a socket, and so a port, of its own: a late answer to an earlier one is not
 * taken for this one's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "check.h"
#include "probe_type.h"

enum { ANSWER_SIZE = 65536 };

struct udp_probe {
	int fd;
	sd_event_source *source;
};

static void udp_cancel(struct probe_attempt *attempt)
{
	struct udp_probe *udp = attempt->state;

	if (!udp)
		return;
	attempt->state = NULL;
	sd_event_source_disable_unref(udp->source);
	if (udp->fd >= 0)
		close(udp->fd);
	free(udp);
}

static void udp_fail(struct probe_attempt *attempt, int error)
{
	udp_cancel(attempt);
	probe_failed(attempt, error);
}

static void judge_answer(struct probe_attempt *attempt, const uint8_t *answer, size_t size)
{
	uint8_t expected[CHECK_TEXT_SIZE];
	size_t expected_size;
	char reason[96];
	bool good;

	check_bytes(attempt->check->answer, expected, &expected_size);
	good = !expected_size || memmem(answer, size, expected, expected_size);
	probe_step(attempt, "an answer of %zu bytes, %s", size,
		   !expected_size ? "and any will do"
		   : good         ? "with what is expected"
				  : "without what is expected");
	snprintf(reason, sizeof(reason), "%s",
		 good ? "answered" : "an answer without what is expected");
	udp_cancel(attempt);
	probe_done(attempt, good, reason);
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *context)
{
	static uint8_t answer[ANSWER_SIZE]; /* lbd has one thread */
	struct probe_attempt *attempt = context;
	ssize_t size = recv(fd, answer, sizeof(answer), 0);

	(void)source;
	(void)events;
	if (size >= 0)
		judge_answer(attempt, answer, (size_t)size);
	else if (errno != EAGAIN && errno != EINTR)
		udp_fail(attempt, errno);
	return 0;
}

/* 0: on_answer will tell; else an errno. */
static int udp_send(struct probe_attempt *attempt)
{
	struct udp_probe *udp = attempt->state;
	char text[PROBE_TARGET_TEXT_SIZE];
	uint8_t data[CHECK_TEXT_SIZE];
	struct sockaddr_storage to;
	socklen_t to_size = probe_sockaddr(attempt, &to);
	size_t size;
	int err;

	udp->fd = probe_socket(attempt, SOCK_DGRAM, IPPROTO_UDP);
	if (udp->fd < 0 || connect(udp->fd, (struct sockaddr *)&to, to_size) < 0)
		return errno;
	err = sd_event_add_io(attempt->event, &udp->source, udp->fd, EPOLLIN, on_answer, attempt);
	if (err < 0)
		return -err;
	check_bytes(attempt->check->send, data, &size);
	probe_step(attempt, "sending %zu bytes to %s over UDP", size,
		   probe_target_text(attempt, text));
	return send(udp->fd, data, size, 0) < 0 ? errno : 0;
}

static void udp_start(struct probe_attempt *attempt)
{
	struct udp_probe *udp = calloc(1, sizeof(*udp));
	int error;

	if (!udp) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	udp->fd = -1;
	attempt->state = udp;
	error = udp_send(attempt);
	if (error)
		udp_fail(attempt, error);
}

const struct probe_type probe_type_udp = {.start = udp_start, .cancel = udp_cancel};
