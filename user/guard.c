/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* guard: see guard.h. */
#include "guard.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

bool guard_group(gid_t *group)
{
	const struct group *entry = getgrnam(GUARD_GROUP);

	if (entry)
		*group = entry->gr_gid;
	return entry != NULL;
}

int guard_check(const char *path, bool group_may, struct fault *fault)
{
	gid_t group = 0;
	struct stat st;
	bool ours;

	if (stat(path, &st) < 0)
		return 0;
	ours = group_may && guard_group(&group) && st.st_gid == group;
	if (st.st_mode & S_IWOTH || (st.st_mode & S_IWGRP && !ours)) {
		fault_set(fault, FAULT_PERMISSION,
			  "%s: using it: others than its owner%s can write it (mode %04o)", path,
			  group_may ? " and group " GUARD_GROUP : "", (unsigned)st.st_mode & 07777);
		return fault_hint(fault, "look at what became of it, then: chmod %s %s",
				  ours ? "o-w" : "go-w", path);
	}
	if (st.st_uid == 0 || st.st_uid == geteuid())
		return 0;
	fault_set(fault, FAULT_PERMISSION,
		  "%s: using it: it belongs to uid %u, not to root or uid %u", path,
		  (unsigned)st.st_uid, (unsigned)geteuid());
	return fault_hint(fault, "look at what became of it, then: chown %u %s",
			  (unsigned)geteuid(), path);
}
