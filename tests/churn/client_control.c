/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client_control: a Unix socket that takes a line, does what it says, and answers with a line of
 * JSON when that is done:
 *
 *   round           has every flow ask (but those of `fresh` and `alone` groups); done when each
 * had an answer to a question from after the command, or broke arrivals N      done when N more
 * clients of `fresh` groups were answered finish BACKEND  has the flows on that backend close in
 * order, and come again; done at once mark NAME       writes where things stand into the record
 *   status
 *   quit            ends the client, which then writes its report
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

enum { ROUND_PER_SECOND = 3000, FINISH_PER_SECOND = 2000, LINE_SIZE = 128 };

bool control_quit;

static int listener = -1;

/* What somebody waits for. */
static struct {
	int fd;
	uint64_t start_ms;
	uint32_t asked, left, broken;
} round_state = {.fd = -1};

static struct {
	int fd;
	size_t until;
} arrivals_state = {.fd = -1};

static socklen_t path_fill(const char *path, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(out->sun_path)) {
		errno = ENAMETOOLONG;
		client_die(path);
	}
	strcpy(out->sun_path, path);
	return sizeof(*out);
}

void control_listen(const char *path)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
	struct sockaddr_un address;
	socklen_t size = path_fill(path, &address);

	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(listener, 16) < 0 ||
	    epoll_ctl(client_epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		client_die(path);
}

static void reply(int *fd, const char *line)
{
	/* Whoever asked may be gone; that is his affair. */
	if (send(*fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		fprintf(stderr, "client: nobody takes: %s", line);
	close(*fd);
	*fd = -1;
}

/* ---- rounds ---- */

uint64_t control_round_start(void)
{
	return round_state.start_ms;
}

static void round_begin(int fd)
{
	round_state.fd = fd;
	round_state.start_ms = now_ms;
	round_state.asked = round_state.left = round_state.broken = 0;
	for (uint32_t i = 0; i < flow_count; i++) {
		uint64_t when = now_ms + (uint64_t)round_state.asked * 1000 / ROUND_PER_SECOND;

		if (flows[i].group->fresh || flows[i].group->alone)
			continue;
		flows[i].round_due = true;
		round_state.asked++;
		if ((flows[i].state == FLOW_RESTING || flows[i].state == FLOW_CLOSED) &&
		    due[i] > when)
			due[i] = when;
	}
	round_state.left = round_state.asked;
}

void control_round_answered(struct flow *flow)
{
	/* Time goes in steps: a question of the very millisecond may be one from before. */
	if (!flow->round_due || flow->asked_ms <= round_state.start_ms)
		return;
	flow->round_due = false;
	round_state.left--;
}

void control_round_broken(struct flow *flow)
{
	if (!flow->round_due)
		return;
	flow->round_due = false;
	round_state.left--;
	round_state.broken++;
}

static uint32_t live(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < group_count; i++)
		count += groups[i].asks ? 0 : groups[i].live;
	return count;
}

void control_tick(void)
{
	char line[LINE_SIZE];

	if (round_state.fd >= 0 && round_state.left == 0) {
		snprintf(line, sizeof(line), "{\"asked\": %u, \"broken\": %u, \"live\": %u}\n",
			 round_state.asked, round_state.broken, live());
		reply(&round_state.fd, line);
	}
	if (arrivals_state.fd >= 0 && record_arrivals() >= arrivals_state.until) {
		snprintf(line, sizeof(line), "{\"arrivals\": %zu}\n", record_arrivals());
		reply(&arrivals_state.fd, line);
	}
}

/* ---- the other commands ---- */

static void finish(int *fd, const char *name)
{
	int backend = record_backend_find(name);
	char line[LINE_SIZE];
	uint32_t count = 0;

	for (uint32_t i = 0; i < flow_count; i++) {
		if (flows[i].backend == NO_BACKEND || flows[i].backend != backend)
			continue;
		flow_finish(&flows[i], now_ms + (uint64_t)count * 1000 / FINISH_PER_SECOND);
		count++;
	}
	snprintf(line, sizeof(line), "{\"finishing\": %u}\n", count);
	reply(fd, line);
}

static void status(int *fd)
{
	char line[LINE_SIZE];

	snprintf(line, sizeof(line), "{\"flows\": %u, \"live\": %u, \"breaks\": %zu}\n", flow_count,
		 live(), record_breaks());
	reply(fd, line);
}

static void obey(int fd, char *line)
{
	char *rest = line, *verb = strsep(&rest, " ");

	if (strcmp(verb, "round") == 0 && round_state.fd < 0) {
		round_begin(fd);
	} else if (strcmp(verb, "arrivals") == 0 && rest && arrivals_state.fd < 0) {
		arrivals_state.fd = fd;
		arrivals_state.until = record_arrivals() + strtoul(rest, NULL, 10);
	} else if (strcmp(verb, "finish") == 0 && rest) {
		finish(&fd, rest);
	} else if (strcmp(verb, "mark") == 0 && rest) {
		record_mark(rest);
		reply(&fd, "{}\n");
	} else if (strcmp(verb, "status") == 0) {
		status(&fd);
	} else if (strcmp(verb, "quit") == 0) {
		control_quit = true;
		reply(&fd, "{}\n");
	} else {
		reply(&fd, "{\"error\": \"no such command, or it is on already\"}\n");
	}
}

bool control_event(void *pointer)
{
	char line[LINE_SIZE];
	ssize_t got;
	int fd;

	if (pointer != &listener)
		return false;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return true;
	/* Our own scripts send the line at once. */
	got = recv(fd, line, sizeof(line) - 1, 0);
	if (got <= 0 || line[got - 1] != '\n') {
		close(fd);
		return true;
	}
	line[got - 1] = '\0';
	obey(fd, line);
	return true;
}

/* ---- who asks ---- */

int control_ask(const char *path, char **words, int count)
{
	struct sockaddr_un address;
	socklen_t size = path_fill(path, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[LINE_SIZE] = "";
	ssize_t got;

	for (int i = 0; i < count; i++) {
		size_t used = strlen(line);

		snprintf(line + used, sizeof(line) - used, "%s%s", words[i],
			 i + 1 < count ? " " : "\n");
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0 ||
	    send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		client_die(path);
	got = recv(fd, line, sizeof(line) - 1, 0);
	close(fd);
	if (got <= 0)
		client_die("no answer");
	line[got] = '\0';
	fputs(line, stdout);
	return strstr(line, "\"error\"") != NULL;
}
