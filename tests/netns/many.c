/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * many: very many TCP connections at a time, each of which is used twice.
 *
 *   many serve ADDRESS PORT                       echoes, until it is ended
 *   many open ADDRESS PORT COUNT SOURCE...        opens COUNT connections, from the sources in
 * turn, and sends a number of its own over each; when all are answered, another one; says how many
 * answers were right, and exits with 0 if all were
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS = 256, AT_A_TIME = 64, PATIENCE_MS = 60 * 1000, SERVERS = 4 };

static struct sockaddr_in address_of(const char *text, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", text);
	return address;
}

static void watch(int epoll_fd, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = {.events = events, .data.u64 = what};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		err(1, "watching a connection");
}

/* ---- the server ---- */

static void echo(int fd)
{
	char data[64];
	ssize_t size = recv(fd, data, sizeof(data), 0);

	if (size <= 0 || send(fd, data, (size_t)size, MSG_NOSIGNAL) != size)
		close(fd);
}

static void serve(const char *text, const char *port)
{
	const struct sockaddr_in address = address_of(text, port);
	int epoll_fd = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 4096))
		err(1, "listening");
	watch(epoll_fd, listener, EPOLLIN, (uint64_t)listener);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = (int)events[i].data.u64;

			if (fd != listener) {
				echo(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			if (fd < 0)
				err(1, "accepting");
			watch(epoll_fd, fd, EPOLLIN, (uint64_t)fd);
		}
	}
}

/* ---- the client ---- */

struct client {
	int epoll_fd;
	int count;
	int *fds;
	int waiting; /* connections whose answer is awaited */
	int right;
};

static void open_one(struct client *client, int number, const struct sockaddr_in *to,
		     const char *source)
{
	const struct sockaddr_in from = address_of(source, "0");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	/* The port is chosen when it is known where to: else each source has too few. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)) ||
	    (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS))
		err(1, "connection %d", number);
	client->fds[number] = fd;
	client->waiting++;
	watch(client->epoll_fd, fd, EPOLLOUT, (uint64_t)number);
}

static void ask(struct client *client, int number, int round)
{
	const uint64_t question = (uint64_t)number << 8 | (uint64_t)round;

	if (send(client->fds[number], &question, sizeof(question), MSG_NOSIGNAL) !=
	    sizeof(question))
		err(1, "connection %d: sending", number);
}

static void hear(struct client *client, int number, int round)
{
	uint64_t answer = 0;
	ssize_t size = recv(client->fds[number], &answer, sizeof(answer), 0);

	if (size < 0)
		err(1, "connection %d: receiving", number);
	client->waiting--;
	client->right += size == sizeof(answer) && answer >> 8 == (uint64_t)number &&
			 (answer & 0xff) == (uint64_t)round;
}

/* What has come, or can be sent. */
static void step(struct client *client, int round)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(client->epoll_fd, events, EVENTS, PATIENCE_MS);

	if (count <= 0)
		errx(1, "round %d: %d connections wait in vain", round, client->waiting);
	for (int i = 0; i < count; i++) {
		int number = (int)events[i].data.u64;
		struct epoll_event in = {.events = EPOLLIN, .data.u64 = (uint64_t)number};

		if (events[i].events & EPOLLOUT) {
			ask(client, number, round);
			epoll_ctl(client->epoll_fd, EPOLL_CTL_MOD, client->fds[number], &in);
		} else {
			hear(client, number, round);
		}
	}
}

static void round_end(struct client *client, int round)
{
	while (client->waiting)
		step(client, round);
}

/* `ready` is written when all are open, and read back when all of the others are. */
static int open_many(const struct sockaddr_in *to, int count, const char *source, int ready, int go)
{
	struct client client = {.epoll_fd = epoll_create1(0),
				.count = count,
				.fds = calloc((size_t)count, sizeof(int))};
	char byte = 0;

	for (int i = 0; i < count; i++) {
		open_one(&client, i, to, source);
		while (client.waiting >= AT_A_TIME)
			step(&client, 1);
	}
	round_end(&client, 1);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		err(1, "waiting for the others");
	for (int i = 0; i < count; i++) {
		ask(&client, i, 2);
		client.waiting++;
		while (client.waiting >= AT_A_TIME)
			step(&client, 2);
	}
	round_end(&client, 2);
	printf("%s: %d of %d answers were right\n", source, client.right, 2 * count);
	return client.right == 2 * count ? 0 : 1;
}

static int open_all(char **arguments, int sources)
{
	const struct sockaddr_in to = address_of(arguments[0], arguments[1]);
	int ready[2], go[2], count = atoi(arguments[2]), failed = 0, status;
	char byte;

	if (pipe(ready) || pipe(go))
		err(1, "a pipe");
	for (int i = 0; i < sources; i++) {
		pid_t child = fork();

		if (child < 0)
			err(1, "a process");
		if (child)
			continue;
		close(ready[0]);
		close(go[1]);
		exit(open_many(&to, count, arguments[3 + i], ready[1], go[0]));
	}
	close(ready[1]);
	/* One that fails closes its end; then the others go on, and say so. */
	for (int i = 0; i < sources && read(ready[0], &byte, 1) == 1; i++)
		;
	close(go[1]);
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve")) {
		for (int i = 1; i < SERVERS; i++) {
			if (!fork()) {
				prctl(PR_SET_PDEATHSIG, SIGTERM);
				break;
			}
		}
		serve(argv[2], argv[3]);
	}
	if (argc < 6 || strcmp(argv[1], "open") != 0)
		errx(2, "many serve ADDRESS PORT | many open ADDRESS PORT COUNT SOURCE...");
	return open_all(argv + 2, argc - 5);
}
