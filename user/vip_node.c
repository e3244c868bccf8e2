/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vip_node: see vip_node.h. Neighbours: vip. */
#include "vip_node.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard.h"
#include "log.h"

int vip_node_load(const char *path, bool *drained, struct fault *fault)
{
	const char *admin = NULL;
	json_error_t error;
	json_t *root;
	int version;

	*drained = false;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (guard_check(path, false, fault) < 0)
		return -1;
	root = json_load_file(path, 0, &error);
	if (json_unpack(root, "{s:i, s:s}", "version", &version, "admin", &admin) != 0 ||
	    version != 1 || (strcmp(admin, "drain") != 0 && strcmp(admin, "ready") != 0))
		log_err("%s: it cannot be read%s%s: this node is taken to be ready", path,
			root ? "" : ": ", root ? "" : error.text);
	else
		*drained = strcmp(admin, "drain") == 0;
	json_decref(root);
	return 0;
}

static int write_whole(int fd, const char *text)
{
	size_t size = strlen(text);

	if (write(fd, text, size) != (ssize_t)size)
		return errno ? -errno : -EIO;
	return fsync(fd) < 0 ? -errno : 0;
}

/* So that the new name is there after a crash, too. */
static void sync_directory(const char *path)
{
	char directory[PATH_MAX];
	int fd;

	snprintf(directory, sizeof(directory), "%s", path);
	fd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int vip_node_save(const char *path, bool drained, struct fault *fault)
{
	char next[PATH_MAX];
	int fd, err;

	snprintf(next, sizeof(next), "%s.new", path);
	unlink(next);
	errno = 0;
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	err = fd < 0 ? -errno
		     : write_whole(fd, drained ? "{\"version\": 1, \"admin\": \"drain\"}\n"
					       : "{\"version\": 1, \"admin\": \"ready\"}\n");
	if (fd >= 0)
		close(fd);
	if (!err && rename(next, path) < 0)
		err = -errno;
	if (!err) {
		sync_directory(path);
		return 0;
	}
	unlink(next);
	return fault_set(fault, fault_code_of_errno(-err), "%s: writing it: %s", path,
			 strerror(-err));
}
