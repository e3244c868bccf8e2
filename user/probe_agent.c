/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_agent: a TCP connection to a backend's agent, and the line it says. See probe_type.h;
 * probe.c keeps the time, agent_words.c knows the words. The outcome's reason is the line.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "probe_type.h"

enum { LINE_SIZE = 120 };

struct agent_probe {
	int fd;
	sd_event_source *source;
	size_t size;
	char line[LINE_SIZE + 1];
};

static void agent_cancel(struct probe_attempt *attempt)
{
	struct agent_probe *probe = attempt->state;

	if (!probe)
		return;
	attempt->state = NULL;
	sd_event_source_disable_unref(probe->source);
	if (probe->fd >= 0)
		close(probe->fd);
	free(probe);
}

static void agent_fail(struct probe_attempt *attempt, int error)
{
	agent_cancel(attempt);
	probe_failed(attempt, error);
}

/* What may be shown to people and in JSON. */
static void line_end(struct probe_attempt *attempt)
{
	struct agent_probe *probe = attempt->state;
	char line[LINE_SIZE + 1];

	memcpy(line, probe->line, probe->size);
	line[probe->size] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	for (char *at = line; *at; at++) {
		if (*at != '\t' && (*at < ' ' || *at > '~'))
			*at = '?';
	}
	agent_cancel(attempt);
	probe_done(attempt, true, line);
}

static int on_line(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct probe_attempt *attempt = context;
	struct agent_probe *probe = attempt->state;
	ssize_t size = recv(fd, probe->line + probe->size, LINE_SIZE - probe->size, 0);

	(void)source;
	(void)events;
	if (size < 0) {
		if (errno != EAGAIN && errno != EINTR)
			agent_fail(attempt, errno);
		return 0;
	}
	probe->size += (size_t)size;
	if (size == 0 || probe->size == LINE_SIZE || memchr(probe->line, '\n', probe->size))
		line_end(attempt);
	return 0;
}

/* 0: on_line will tell, of a failure to connect too; else an errno. */
static int agent_connect(struct probe_attempt *attempt)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct agent_probe *probe = attempt->state;
	char text[PROBE_TARGET_TEXT_SIZE];
	struct sockaddr_storage to;
	socklen_t size = probe_sockaddr(attempt, &to);
	int err;

	probe_step(attempt, "asking the agent at %s", probe_target_text(attempt, text));
	probe->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (probe->fd < 0 ||
	    setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		return errno;
	if (connect(probe->fd, (struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS)
		return errno;
	err = sd_event_add_io(attempt->event, &probe->source, probe->fd, EPOLLIN, on_line, attempt);
	return err < 0 ? -err : 0;
}

static void agent_start(struct probe_attempt *attempt)
{
	struct agent_probe *probe = calloc(1, sizeof(*probe));
	int error;

	if (!probe) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	probe->fd = -1;
	attempt->state = probe;
	error = agent_connect(attempt);
	if (error)
		agent_fail(attempt, error);
}

const struct probe_type probe_type_agent = {
	.start = agent_start, .cancel = agent_cancel, .verbatim = true};
