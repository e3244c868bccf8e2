/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_socket: the TCP socket that metrics are served on. Knows nothing of what is said there.
 */
#include "metrics_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"

enum { BACKLOG = 64 };

static int address_fault(const char *address, int error, struct fault *fault)
{
	enum fault_code code = error == EADDRINUSE ? FAULT_CONFLICT : fault_code_of_errno(error);

	fault_set(fault, code, "metrics %s: listening: %s", address, strerror(error));
	switch (error) {
	case EADDRINUSE:
		return fault_hint(fault, "`ss -ltnp` names who listens there; stop it, or give "
					 "global.metrics another port");
	case EADDRNOTAVAIL:
	case EINVAL: /* what the kernel says to an IPv6 address of one link */
		return fault_hint(fault, "this host (its network namespace) has no such address: "
					 "`ip address` lists those it has; set global.metrics to "
					 "one of them, or to 127.0.0.1 or 0.0.0.0");
	case EACCES:
	case EPERM:
		return fault_hint(fault, "ports below 1024 take CAP_NET_BIND_SERVICE: give it to "
					 "lbd, or set global.metrics to a higher port");
	default:
		return -1;
	}
}

static socklen_t fill(const struct addr *addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (addr->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, &addr->ip, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, &addr->ip, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

static int option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? errno : 0;
}

static int listen_at(int fd, const struct sockaddr_storage *at, socklen_t size)
{
	/* Connections of an earlier lbd that linger are no obstacle. */
	int error = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	/* [::] is every address, whatever the system's default. */
	if (!error && at->ss_family == AF_INET6)
		error = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (!error && bind(fd, (const struct sockaddr *)at, size) < 0)
		error = errno;
	if (!error && listen(fd, BACKLOG) < 0)
		error = errno;
	return error;
}

static bool has_port(int fd, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return false;
	/* The port is at the same place in both families. */
	return ((const struct sockaddr_in *)&at)->sin_port == htons(port);
}

/*
 * 127.0.0.1 and 0.0.0.0 exclude each other on one port, so that a move from one to the other would
 * find its own listener in the way. Sockets that both ask for SO_REUSEPORT do not; and both ask for
 * no longer than this, so that a stranger's socket is a conflict at any time.
 */
static int listen_beside(int fd, const struct sockaddr_storage *at, socklen_t size, int other)
{
	int error = option_set(other, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!error)
		error = option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = listen_at(fd, at, size);
	option_set(fd, SOL_SOCKET, SO_REUSEPORT, 0);
	option_set(other, SOL_SOCKET, SO_REUSEPORT, 0);
	return error;
}

int metrics_socket_open(const char *address, int moving_from, struct fault *fault)
{
	struct sockaddr_storage at;
	const char *why;
	struct addr addr;
	socklen_t size;
	uint16_t port;
	int fd, error;

	if (addr_port_parse(address, &addr, &port, &why) < 0)
		return fault_set(fault, FAULT_USAGE, "metrics %s: listening: %s", address, why);
	size = fill(&addr, port, &at);
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return address_fault(address, errno, fault);
	error = listen_at(fd, &at, size);
	if (error == EADDRINUSE && moving_from >= 0 && has_port(moving_from, port))
		error = listen_beside(fd, &at, size, moving_from);
	if (!error)
		return fd;
	close(fd);
	return address_fault(address, error, fault);
}
