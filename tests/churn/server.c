/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * server NAME PORT CHECK_PORT ADDRESS...: a backend for thousands of connections. Answers each
 * question of message.h, over TCP and UDP, with its name.
 *
 * UDP sockets are bound to each address, because an answer has to come from the VIP. Connections to
 * the other port are accepted and closed, for health checks: SIGUSR1 closes that port, SIGUSR2
 * opens it again, so that a backend can fail its checks while it serves. Says "ready" when it is.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

enum { EVENTS = 256, BACKLOG = 4096, DATAGRAMS = 64 };

enum kind { LISTENER, CHECK_LISTENER, SIGNALS, DATAGRAM, CONNECTION };

/* What an epoll event points at. */
struct source {
	enum kind kind;
	int fd;
};

struct connection {
	struct source source;
	size_t have; /* bytes of the question */
	size_t owed; /* bytes of the answer that are still to be sent */
	size_t sent;
	union {
		struct message message;
		uint8_t bytes[MESSAGE_SIZE_MAX];
	};
};

static const char *name;
static uint16_t check_port;
static int epoll = -1;
static struct source check = {.kind = CHECK_LISTENER, .fd = -1};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static void watch(struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event) < 0)
		die("epoll");
}

static struct source *source_new(enum kind kind, int fd)
{
	struct source *source = malloc(sizeof(*source));

	if (!source || fd < 0)
		die("opening a socket");
	*source = (struct source){.kind = kind, .fd = fd};
	return source;
}

/* Both families. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		die("listening");
	return fd;
}

static int datagram_socket(const char *text, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool six = inet_pton(AF_INET6, text, &v6.sin6_addr) == 1;
	int fd, room = 4 << 20;

	if (!six && inet_pton(AF_INET, text, &v4.sin_addr) != 1) {
		fprintf(stderr, "%s: %s is no address\n", name, text);
		exit(2);
	}
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* A flood shall fill this socket's queue as late as may be. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		 six ? sizeof(v6) : sizeof(v4)) < 0)
		die(text);
	return fd;
}

/* Makes the answer of a whole question, in its place. */
static void answer(struct message *message)
{
	message->kind = message_data_right(message) ? MESSAGE_ANSWER : MESSAGE_REFUSAL;
	snprintf(message->backend, sizeof(message->backend), "%s", name);
}

/* ---- connections ---- */

static void connection_close(struct connection *connection)
{
	close(connection->source.fd);
	free(connection);
}

/* False: it is gone. */
static bool connection_send(struct connection *connection)
{
	while (connection->owed > 0) {
		ssize_t sent = send(connection->source.fd, connection->bytes + connection->sent,
				    connection->owed, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return true;
		if (sent <= 0) {
			connection_close(connection);
			return false;
		}
		connection->sent += (size_t)sent;
		connection->owed -= (size_t)sent;
	}
	connection->sent = 0;
	return true;
}

static size_t connection_wants(const struct connection *connection)
{
	return connection->have < MESSAGE_HEADER_SIZE ? (size_t)MESSAGE_HEADER_SIZE
						      : message_size(&connection->message);
}

/* One question at a time is read: whoever does not take answers is asked nothing more. */
static void connection_serve(struct connection *connection)
{
	if (!connection_send(connection))
		return;
	while (connection->owed == 0) {
		ssize_t got = recv(connection->source.fd, connection->bytes + connection->have,
				   connection_wants(connection) - connection->have, 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			connection_close(connection);
			return;
		}
		connection->have += (size_t)got;
		if (connection->have < MESSAGE_HEADER_SIZE)
			continue;
		if (!message_sound(&connection->message)) {
			connection_close(connection);
			return;
		}
		if (connection->have < message_size(&connection->message))
			continue;
		answer(&connection->message);
		connection->owed = connection->have;
		connection->have = 0;
		if (!connection_send(connection))
			return;
	}
}

static void accept_all(int listener)
{
	struct connection *connection;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		connection = calloc(1, sizeof(*connection));
		if (!connection)
			die("accepting");
		connection->source = (struct source){.kind = CONNECTION, .fd = fd};
		watch(&connection->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accepting");
}

/* ---- datagrams ---- */

/* What is no question, such as a flood's packet, gets no answer. */
static void datagrams_answer(int fd)
{
	union {
		struct message message;
		uint8_t bytes[MESSAGE_SIZE_MAX + 1];
	} in;
	struct sockaddr_storage from;
	socklen_t size;
	ssize_t got;

	for (int i = 0; i < DATAGRAMS; i++) {
		size = sizeof(from);
		got = recvfrom(fd, &in, sizeof(in), 0, (struct sockaddr *)&from, &size);
		if (got < 0)
			return;
		if (got < MESSAGE_HEADER_SIZE || !message_sound(&in.message) ||
		    (size_t)got != message_size(&in.message))
			continue;
		answer(&in.message);
		sendto(fd, &in, (size_t)got, 0, (struct sockaddr *)&from, size);
	}
}

/* ---- health checks ---- */

static void check_accept(void)
{
	int fd;

	while ((fd = accept(check.fd, NULL, NULL)) >= 0)
		close(fd);
}

static void check_open(void)
{
	if (check.fd >= 0)
		return;
	check.fd = listen_on(check_port);
	watch(&check, EPOLLIN);
}

static void check_close(void)
{
	if (check.fd >= 0)
		close(check.fd);
	check.fd = -1;
}

static void on_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		check_close();
	else
		check_open();
}

static void serve(struct source *source)
{
	switch (source->kind) {
	case LISTENER:
		accept_all(source->fd);
		break;
	case CHECK_LISTENER:
		if (source->fd >= 0)
			check_accept();
		break;
	case SIGNALS:
		on_signal(source->fd);
		break;
	case DATAGRAM:
		datagrams_answer(source->fd);
		break;
	case CONNECTION:
		connection_serve((struct connection *)source);
		break;
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	uint16_t port;
	sigset_t set;

	if (argc < 5) {
		fprintf(stderr, "usage: server NAME PORT CHECK_PORT ADDRESS...\n");
		return 2;
	}
	name = argv[1];
	port = (uint16_t)atoi(argv[2]);
	check_port = (uint16_t)atoi(argv[3]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch(source_new(SIGNALS, signalfd(-1, &set, SFD_NONBLOCK)), EPOLLIN);
	watch(source_new(LISTENER, listen_on(port)), EPOLLIN);
	for (int i = 4; i < argc; i++)
		watch(source_new(DATAGRAM, datagram_socket(argv[i], port)), EPOLLIN);
	check.fd = -1;
	check_open();
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++)
			serve(events[i].data.ptr);
	}
}
