/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* privileges: see privileges.h. */
#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"

static const struct {
	cap_value_t value;
	const char *name;
} wanted[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_PERFMON, "CAP_PERFMON"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_NET_RAW, "CAP_NET_RAW"},
};

enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };

static int attempt_fault(struct fault *fault, const char *attempt)
{
	return fault_set(fault, fault_code_of_errno(errno), "privileges: %s: %s", attempt,
			 strerror(errno));
}

/* The name of the first that this process has no right to, or NULL. */
static const char *first_lacking(void)
{
	const char *lacking = NULL;
	cap_t have = cap_get_proc();

	for (int i = 0; i < WANTED && !lacking; i++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (!have || cap_get_flag(have, wanted[i].value, CAP_PERMITTED, &value) < 0 ||
		    value != CAP_SET)
			lacking = wanted[i].name;
	}
	cap_free(have);
	return lacking;
}

static int lacking_fault(const char *lacking, struct fault *fault)
{
	fault_set(fault, FAULT_PERMISSION, "privileges: %s is lacking", lacking);
	return fault_hint(fault, "start lbd as root (with --user, it goes on as another user), or "
				 "give its user CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and "
				 "CAP_NET_RAW, as the systemd unit does");
}

/* ---- another user ---- */

/* Only what is root's, so that nobody can have others' files given to lbd by a link. */
static void give_file(int directory, const char *name, const struct passwd *user)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == 0 && st.st_nlink == 1)
		(void)!fchownat(directory, name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW);
}

static int give_directory(const char *path, const struct passwd *user, struct fault *fault)
{
	struct dirent *entry;
	struct stat st;
	DIR *directory;
	int fd;

	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return fault_set(fault, fault_code_of_errno(errno), "%s: making it: %s", path,
				 strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory || fstat(fd, &st) < 0)
		return fault_set(fault, fault_code_of_errno(errno), "%s: opening it: %s", path,
				 strerror(errno));
	/* One that others use too, as /run, is not lbd's. */
	if (st.st_uid == 0 && !(st.st_mode & S_IXOTH)) {
		while ((entry = readdir(directory)))
			give_file(fd, entry->d_name, user);
		(void)!fchown(fd, user->pw_uid, user->pw_gid);
	}
	closedir(directory);
	return 0;
}

static int become(const struct passwd *user, struct fault *fault)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(user->pw_name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return attempt_fault(fault, "becoming the user");
	/* Its own /proc would be root's otherwise. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

/* Root keeps no right to give files away, but may give them to a group that it is in. */
static void join_group(void)
{
	gid_t groups[NGROUPS_MAX];
	int count = getgroups(NGROUPS_MAX - 1, groups);

	if (count >= 0 && guard_group(&groups[count]))
		(void)!setgroups((size_t)count + 1, groups);
}

/* ---- capabilities ---- */

/* None can come back: not by a program that it runs, nor by one that is root's. */
static void drop_bounds(void)
{
	for (cap_value_t value = 0; value <= CAP_LAST_CAP; value++) {
		bool keep = false;

		for (int i = 0; i < WANTED; i++)
			keep = keep || wanted[i].value == value;
		if (!keep)
			(void)cap_drop_bound(value);
	}
}

static int keep_wanted(struct fault *fault)
{
	cap_value_t values[WANTED];
	cap_t set = cap_init();
	int rc = -1;

	for (int i = 0; i < WANTED; i++)
		values[i] = wanted[i].value;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (set && cap_set_flag(set, CAP_PERMITTED, WANTED, values, CAP_SET) == 0 &&
	    cap_set_flag(set, CAP_EFFECTIVE, WANTED, values, CAP_SET) == 0 &&
	    cap_set_proc(set) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		rc = 0;
	else
		attempt_fault(fault, "giving up all but four capabilities");
	cap_free(set);
	return rc;
}

int privileges_take(const char *user, const char *const *directories, struct fault *fault)
{
	const struct passwd *entry = user ? getpwnam(user) : NULL;
	const char *lacking = first_lacking();

	if (user && !entry) {
		fault_set(fault, FAULT_USAGE, "option --user: there is no user %s", user);
		return fault_hint(fault, "`useradd --system %s` makes one", user);
	}
	if (lacking)
		return lacking_fault(lacking, fault);
	if (entry && entry->pw_uid == geteuid())
		entry = NULL;
	if (entry && geteuid() != 0) {
		fault_set(fault, FAULT_PERMISSION, "option --user: only root may become %s", user);
		return fault_hint(fault, "start lbd as root, or as %s without --user", user);
	}
	for (size_t i = 0; entry && directories[i]; i++) {
		if (give_directory(directories[i], entry, fault) < 0)
			return -1;
	}
	drop_bounds();
	if (!entry && geteuid() == 0)
		join_group();
	if (entry && become(entry, fault) < 0)
		return -1;
	return keep_wanted(fault);
}
