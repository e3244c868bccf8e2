/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_directory: the directory of a data plane's pins, how it is made, changed and removed.
 * It is complete once `settings` is in it, which is pinned last and removed first.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dataplane_private.h"
#include "guard.h"
#include "version.h"

#define DATAPLANE_NEXT "-next" /* behind the name of a pin that is to take its place */

int dataplane_pin_path(char out[DATAPLANE_PATH_SIZE], const char *pin_dir, const char *name)
{
	int size = snprintf(out, DATAPLANE_PATH_SIZE, "%s/%s", pin_dir, name);

	return size < DATAPLANE_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int dataplane_directory_valid(const char *pin_dir, struct fault *fault)
{
	char parent[DATAPLANE_PATH_SIZE];
	struct statfs fs;
	size_t size = strlen(pin_dir);

	if (pin_dir[0] != '/' || size < 2 || pin_dir[size - 1] == '/')
		return fault_set(fault, FAULT_USAGE,
				 "pin directory %s: it must be an absolute path without a slash at "
				 "its end",
				 pin_dir);
	if (size >= sizeof(((struct dataplane *)NULL)->pin_dir))
		return fault_set(fault, FAULT_USAGE, "pin directory %s: the path is too long",
				 pin_dir);
	snprintf(parent, sizeof(parent), "%s", pin_dir);
	*(strrchr(parent, '/') + (strrchr(parent, '/') == parent)) = '\0';
	if (statfs(parent, &fs) < 0)
		return dataplane_fault(fault, errno, pin_dir, "looking for its parent directory");
	if (fs.f_type != BPF_FS_MAGIC) {
		fault_set(fault, FAULT_FAILED,
			  "pin directory %s: %s is not on a BPF file system, which pins need",
			  pin_dir, parent);
		return fault_hint(fault, "mount -t bpf bpf %s",
				  strncmp(parent, "/sys/fs/bpf", 11) ? parent : "/sys/fs/bpf");
	}
	return 0;
}

/* Removes what dataplane_pin makes, `settings` first: without it, the rest is only a leftover. */
static int pins_remove(const char *pin_dir)
{
	static const char *const programs[] = {DATAPLANE_PROGRAM_PIN, DATAPLANE_PROBE_PIN,
					       DATAPLANE_PROGRAM_PIN DATAPLANE_NEXT,
					       DATAPLANE_PROBE_PIN DATAPLANE_NEXT};
	char path[DATAPLANE_PATH_SIZE];
	int err = 0;

	for (int i = 0; i < MAP_COUNT; i++)
		if (!dataplane_pin_path(path, pin_dir, dataplane_map_name(i)) && unlink(path) < 0 &&
		    errno != ENOENT)
			err = -errno;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!dataplane_pin_path(path, pin_dir, programs[i]) && unlink(path) < 0 &&
		    errno != ENOENT)
			err = -errno;
	return err;
}

/* Root's, and the group's where there is one, so that lbd need not be root. 0 or -1 with errno. */
static int share(const char *path, mode_t alone, mode_t shared)
{
	gid_t group;

	if (!guard_group(&group))
		return chmod(path, alone);
	return chown(path, (uid_t)-1, group) || chmod(path, shared) ? -1 : 0;
}

int dataplane_directory_claim(const char *pin_dir, bool *made, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE];

	*made = mkdir(pin_dir, 0700) == 0;
	if (!*made && errno != EEXIST)
		return dataplane_fault(fault, errno, pin_dir, "making the pin directory");
	if (share(pin_dir, 0700, 0750))
		return dataplane_fault(fault, errno, pin_dir, "sharing it with group " GUARD_GROUP);
	if (*made)
		return 0;
	if (!dataplane_pin_path(path, pin_dir, dataplane_map_name(MAP_settings)) &&
	    access(path, F_OK) == 0) {
		fault_set(fault, FAULT_CONFLICT,
			  "pin directory %s: there is a data plane in it already", pin_dir);
		return fault_hint(fault, "give this instance a directory of its own with "
					 "--pin-dir, or remove the old one with `lbload clean`");
	}
	/* Somebody died half-way through dataplane_create or dataplane_unpin. */
	if (pins_remove(pin_dir))
		return dataplane_fault(fault, EBUSY, pin_dir, "removing leftovers in it");
	return 0;
}

static int pin(const struct dataplane *dp, int fd, const char *name, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE];

	if (dataplane_pin_path(path, dp->pin_dir, name) || bpf_obj_pin(fd, path) ||
	    share(path, 0600, 0660))
		return dataplane_fault(fault, errno, dp->pin_dir, name);
	return 0;
}

int dataplane_pin_swap(const struct dataplane *dp, int fd, const char *name, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE], next[DATAPLANE_PATH_SIZE], next_name[64];

	snprintf(next_name, sizeof(next_name), "%s" DATAPLANE_NEXT, name);
	if (dataplane_pin_path(path, dp->pin_dir, name) ||
	    dataplane_pin_path(next, dp->pin_dir, next_name))
		return dataplane_fault(fault, ENAMETOOLONG, dp->pin_dir, "pinning a program");
	unlink(next);
	if (pin(dp, fd, next_name, fault))
		return -1;
	if (rename(next, path))
		return dataplane_fault(fault, errno, dp->pin_dir, "pinning a program");
	return 0;
}

/* Maps that were made with the program, because there were none. */
static int pin_added(const struct dataplane *dp, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE];

	for (int i = DATAPLANE_MAP_ADDED; i < MAP_COUNT; i++) {
		if (dataplane_pin_path(path, dp->pin_dir, dataplane_map_name(i)) ||
		    access(path, F_OK))
			if (pin(dp, dp->fds[i], dataplane_map_name(i), fault))
				return -1;
	}
	return 0;
}

int dataplane_program_publish(struct dataplane *dp, struct fault *fault)
{
	const uint32_t zero = 0;

	if (pin_added(dp, fault) ||
	    dataplane_pin_swap(dp, dataplane_program_fd(dp), DATAPLANE_PROGRAM_PIN, fault))
		return -1;
	memset(dp->settings.version, 0, sizeof(dp->settings.version));
	snprintf(dp->settings.version, sizeof(dp->settings.version), "%s", LIMPET_VERSION);
	if (bpf_map_update_elem(dp->fds[MAP_settings], &zero, &dp->settings, BPF_ANY))
		return dataplane_fault(fault, errno, dp->pin_dir, "writing the settings");
	return 0;
}

static int pin_all(struct dataplane *dp, struct fault *fault)
{
	const uint32_t zero = 0;

	if (pin(dp, dataplane_program_fd(dp), DATAPLANE_PROGRAM_PIN, fault))
		return -1;
	if (bpf_map_update_elem(dp->fds[MAP_settings], &zero, &dp->settings, BPF_ANY))
		return dataplane_fault(fault, errno, dp->pin_dir, "writing the settings");
	for (int i = MAP_COUNT - 1; i >= 0; i--)
		if (pin(dp, dp->fds[i], dataplane_map_name(i), fault))
			return -1;
	return 0;
}

int dataplane_directory_fill(struct dataplane *dp, bool made, struct fault *fault)
{
	if (pin_all(dp, fault) == 0)
		return 0;
	pins_remove(dp->pin_dir);
	if (made)
		rmdir(dp->pin_dir);
	return -1;
}

int dataplane_unpin(const char *pin_dir, struct fault *fault)
{
	int err;

	if (dataplane_directory_valid(pin_dir, fault))
		return -1;
	err = pins_remove(pin_dir);
	if (!err && rmdir(pin_dir) < 0 && errno != ENOENT)
		err = -errno;
	return err ? dataplane_fault(fault, -err, pin_dir, "removing the pins") : 0;
}
