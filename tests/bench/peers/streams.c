/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * streams: TCP connections for tests/bench/peers/run, as many or as full as one core gives.
 *
 *   streams serve ADDRESS:PORT...                 answers a byte and closes, or takes what comes
 *   streams open ADDRESS:PORT SECONDS COUNT       so many at a time; each a byte, an answer, an end
 *   streams send ADDRESS:PORT SECONDS COUNT       as many bytes as pass through so many
 *
 * The last two print how many connections, or bytes, a second passed. A connection that fails ends
 * the process: a refused one would be a fast one.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, CHUNK = 128 * 1024, STREAMS_MAX = 1024 };

static char chunk[CHUNK];
static int loop;
static int last_listener; /* they are the first sockets */

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct sockaddr_in endpoint(char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char *colon = strrchr(text, ':');

	if (!colon)
		errx(2, "%s: no port", text);
	*colon = '\0';
	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		errx(2, "%s: not an IPv4 address", text);
	address.sin_port = htons((uint16_t)atoi(colon + 1));
	return address;
}

static void watch(int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(loop, operation, fd, &event))
		err(1, "watching a socket");
}

/* ---- serving ---- */

static void listen_at(char *text)
{
	struct sockaddr_in address = endpoint(text);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096))
		err(1, "listening at %s", text);
	watch(EPOLL_CTL_ADD, fd, EPOLLIN);
	last_listener = fd;
}

static void answer(int fd)
{
	ssize_t got = recv(fd, chunk, 1, 0);

	if (got == 1 && chunk[0] == 'b') {
		/* Bytes that nobody looks at need not be copied. */
		while (recv(fd, NULL, CHUNK, MSG_TRUNC) > 0)
			;
		if (errno == EAGAIN)
			return;
	} else if (got == 1 && chunk[0] == 'q') {
		if (send(fd, "a", 1, MSG_NOSIGNAL) != 1)
			warn("answering");
	} else if (got < 0 && errno == EAGAIN) {
		return;
	}
	close(fd);
}

static void serve(char **texts, int count)
{
	struct epoll_event events[EVENTS];

	for (int i = 0; i < count; i++)
		listen_at(texts[i]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(loop, events, EVENTS, -1);

		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;

			if (fd > last_listener)
				answer(fd);
			else if ((fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
				watch(EPOLL_CTL_ADD, fd, EPOLLIN);
		}
	}
}

/* ---- opening, sending ---- */

static void begin(const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(1, "making a socket");
	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) && errno != EINPROGRESS)
		err(1, "connecting");
	watch(EPOLL_CTL_ADD, fd, EPOLLOUT);
}

/* Whether the connection went through to its end with this event. */
static bool advance(int fd, uint32_t events)
{
	char got;
	ssize_t size;

	if (events & EPOLLOUT) {
		if (send(fd, "q", 1, MSG_NOSIGNAL) != 1)
			err(1, "asking");
		watch(EPOLL_CTL_MOD, fd, EPOLLIN);
		return false;
	}
	size = recv(fd, &got, 1, 0);
	if (size < 0 && errno != EAGAIN)
		err(1, "waiting for the answer");
	if (size != 0)
		return false;
	close(fd);
	return true;
}

static double open_for(const struct sockaddr_in *server, double seconds, int count)
{
	struct epoll_event events[EVENTS];
	double begun = now_s(), now = begun;
	uint64_t done = 0;

	for (int i = 0; i < count; i++)
		begin(server);
	while ((now = now_s()) < begun + seconds) {
		int ready = epoll_wait(loop, events, EVENTS, 1000);

		if (ready == 0)
			errx(1, "no connection moved for a second");
		for (int i = 0; i < ready; i++) {
			if (!advance(events[i].data.fd, events[i].events))
				continue;
			done++;
			begin(server);
		}
	}
	return (double)done / (now - begun);
}

static double send_for(const struct sockaddr_in *server, double seconds, int count)
{
	struct epoll_event events[EVENTS];
	double begun, now;
	uint64_t sent = 0;

	memset(chunk, 'b', sizeof(chunk));
	for (int i = 0; i < count; i++)
		begin(server);
	begun = now_s();
	while ((now = now_s()) < begun + seconds) {
		int ready = epoll_wait(loop, events, EVENTS, 1000);

		if (ready == 0)
			errx(1, "no byte moved for a second");
		for (int i = 0; i < ready; i++) {
			ssize_t size = send(events[i].data.fd, chunk, CHUNK, MSG_NOSIGNAL);

			if (size < 0 && errno != EAGAIN)
				err(1, "sending");
			sent += size > 0 ? (uint64_t)size : 0;
		}
	}
	return (double)sent / (now - begun);
}

int main(int argc, char **argv)
{
	struct sockaddr_in server;
	bool opens;
	int count;

	loop = epoll_create1(0);
	if (loop < 0)
		err(1, "making an epoll instance");
	if (argc > 2 && !strcmp(argv[1], "serve"))
		serve(argv + 2, argc - 2);
	if (argc != 5)
		errx(2,
		     "usage: streams serve ADDRESS:PORT... | open|send ADDRESS:PORT SECONDS COUNT");
	opens = !strcmp(argv[1], "open");
	server = endpoint(argv[2]);
	count = atoi(argv[4]);
	if (count < 1 || count > STREAMS_MAX)
		errx(2, "%s: not 1 to %d connections", argv[4], STREAMS_MAX);
	printf("%.0f\n", opens ? open_for(&server, atof(argv[3]), count)
			       : send_for(&server, atof(argv[3]), count));
	return 0;
}
