/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_socket: the Unix socket that the API listens on. Whoever may connect to the first one may
 * change everything, so its mode is the access control; what is said on the second is api.c's.
 * Knows nothing of what is said on it.
 */
#include "api_socket.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static int path_fault(const char *path, const char *attempt, int error, struct fault *fault)
{
	return fault_set(fault, fault_code_of_errno(error), "socket %s: %s: %s", path, attempt,
			 strerror(error));
}

static bool fill_address(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	return snprintf(address->sun_path, sizeof(address->sun_path), "%s", path) <
	       (int)sizeof(address->sun_path);
}

/* 0 if the path is free or holds a socket that nobody listens on. */
static int check_nobody(const char *path, struct fault *fault)
{
	struct sockaddr_un address;
	struct stat st;
	int fd, error = 0;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : path_fault(path, "looking at it", errno, fault);
	if (!S_ISSOCK(st.st_mode)) {
		fault_set(fault, FAULT_CONFLICT,
			  "socket %s: listening: something else is there, and no socket", path);
		return fault_hint(fault, "give another path with --socket, or remove it");
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return path_fault(path, "asking whether somebody listens", errno, fault);
	fill_address(&address, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		error = errno;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	/* EAGAIN: somebody listens, and has more to do than they can. */
	if (error && error != EAGAIN)
		return path_fault(path, "asking whether somebody listens", error, fault);
	fault_set(fault, FAULT_CONFLICT, "socket %s: listening: another lbd answers there", path);
	return fault_hint(fault, "stop it, or give this instance paths of its own "
				 "(--socket, --pin-dir, --state-dir)");
}

/* Made with no access for anyone: the umask is the only way to say so, and there is one thread. */
static int bind_closed(int fd, const char *path, const struct sockaddr_un *address)
{
	mode_t old = umask(0777);
	int error = 0;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		error = errno;
	umask(old);
	if (error == ENOENT) {
		char parent[PATH_MAX];

		/* /run is empty after each start of the machine. */
		snprintf(parent, sizeof(parent), "%s", path);
		if (mkdir(dirname(parent), 0755) == 0)
			return bind_closed(fd, path, address);
	}
	return error;
}

/* Group lbd, where it exists and this process may give it away; root alone otherwise. */
static int open_to_group(const char *path)
{
	const struct group *group = getgrnam("lbd");

	if (group && chown(path, (uid_t)-1, group->gr_gid) != 0 && errno != EPERM)
		return errno;
	return chmod(path, 0660) == 0 ? 0 : errno;
}

static int open_to_all(const char *path)
{
	return chmod(path, 0666) == 0 ? 0 : errno;
}

int api_socket_open(const char *path, bool to_all, struct fault *fault)
{
	char temporary[PATH_MAX];
	struct sockaddr_un address;
	int fd, error;

	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	if (!fill_address(&address, temporary)) {
		fault_set(fault, FAULT_USAGE, "socket %s: listening: the path is too long", path);
		return fault_hint(fault, "a Unix socket's path has about 100 bytes");
	}
	if (check_nobody(path, fault) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return path_fault(path, "listening", errno, fault);
	unlink(temporary);
	error = bind_closed(fd, temporary, &address);
	if (!error && listen(fd, BACKLOG) != 0)
		error = errno;
	if (!error)
		error = to_all ? open_to_all(temporary) : open_to_group(temporary);
	if (!error && rename(temporary, path) != 0)
		error = errno;
	if (!error)
		return fd;
	unlink(temporary);
	close(fd);
	return path_fault(path, "listening", error, fault);
}

uid_t api_socket_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return (uid_t)-1;
	return peer.uid;
}
