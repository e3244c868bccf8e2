/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_file: the state file. A reader of it sees the set before a change or after it, whenever
 * the machine stops. Knows the set's parts, not what they mean to a model.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "overrides.h"
#include "overrides_set.h"

/* 2 has overrides of pools' keys and of `global`, which 1 had not; what 1 had is the same. */
enum { FILE_VERSION_FIRST = 1, FILE_VERSION = 2 };

/* ---- the set as JSON ---- */

static json_t *override_json(const struct override *override)
{
	return json_pack(
		"{s:s, s:s*, s:s, s:b, s:O*, s:O*}", "object", override_kind_names[override->kind],
		"pool", override->pool[0] ? override->pool : NULL, "name", override->name,
		"removes", override->removes, "body", override->body, "was", override->was);
}

static int kind_of_word(const char *word)
{
	for (int kind = 0; kind < OVERRIDE_KIND_COUNT; kind++)
		if (!strcmp(word, override_kind_names[kind]))
			return kind;
	return -1;
}

/* False if `item` is nothing that override_json writes. */
static bool override_read(struct overrides *overrides, json_t *item)
{
	const char *object, *name, *pool = "";
	json_t *body = NULL, *was = NULL;
	struct override *override;
	int removes, kind;

	if (json_unpack(item, "{s:s, s?s, s:s, s:b, s?o, s?o !}", "object", &object, "pool", &pool,
			"name", &name, "removes", &removes, "body", &body, "was", &was) != 0)
		return false;
	kind = kind_of_word(object);
	if (kind < 0 || !model_name_valid(name) ||
	    (kind == OVERRIDE_BACKEND) != model_name_valid(pool) || (body && !json_is_object(body)))
		return false;
	override = overrides_append(overrides, (enum override_kind)kind, pool, name);
	if (!override)
		return false;
	override->removes = removes;
	override->body = json_incref(body);
	override->was = json_incref(was);
	return true;
}

static json_t *drain_json(const struct drain *drain)
{
	return json_pack("{s:s, s:s, s:I, s:I}", "pool", drain->pool, "backend", drain->backend,
			 "began_ms", (json_int_t)drain->began_ms, "until_ms",
			 (json_int_t)drain->until_ms);
}

/* False if `item` is nothing that drain_json writes. */
static bool drain_read(struct overrides *overrides, json_t *item)
{
	const char *pool, *backend;
	json_int_t began_ms, until_ms;
	struct drain *drain;

	if (json_unpack(item, "{s:s, s:s, s:I, s:I !}", "pool", &pool, "backend", &backend,
			"began_ms", &began_ms, "until_ms", &until_ms) != 0 ||
	    !model_name_valid(pool) || !model_name_valid(backend) || began_ms < 0 || until_ms < 0)
		return false;
	drain = overrides_drain_append(overrides, pool, backend);
	if (!drain)
		return false;
	drain->began_ms = (uint64_t)began_ms;
	drain->until_ms = (uint64_t)until_ms;
	return true;
}

/* NULL if `root` is no set of overrides. */
static struct overrides *overrides_read(json_t *root)
{
	struct overrides *overrides = overrides_create();
	json_t *items = json_object_get(root, "overrides"), *item;
	json_t *drains = json_object_get(root, "drains"); /* older files have none */
	size_t i;

	if (!overrides || !json_is_array(items) || (drains && !json_is_array(drains)))
		goto bad;
	json_array_foreach (items, i, item)
		if (!override_read(overrides, item))
			goto bad;
	json_array_foreach (drains, i, item)
		if (!drain_read(overrides, item))
			goto bad;
	return overrides;
bad:
	overrides_free(overrides);
	return NULL;
}

/* ---- reading ---- */

static struct overrides *out_of_memory(struct fault *fault)
{
	fault_set(fault, FAULT_FAILED, "state: reading it: out of memory");
	return NULL;
}

/* What somebody else can write may hold anything, and lbd would make it so. */
static bool file_is_ours(int fd, const char *path, struct fault *fault)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		fault_set(fault, FAULT_FAILED, "%s: reading its mode: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		fault_set(fault, FAULT_FAILED, "%s: reading it: not a regular file", path);
		return false;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		fault_set(fault, FAULT_PERMISSION,
			  "%s: reading it: others than its owner can write it (mode %04o)", path,
			  (unsigned)st.st_mode & 07777);
		fault_hint(fault, "look at what it holds, then: chmod 0600 %s", path);
		return false;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		fault_set(fault, FAULT_PERMISSION,
			  "%s: reading it: it belongs to uid %u, and lbd runs as uid %u", path,
			  (unsigned)st.st_uid, (unsigned)geteuid());
		fault_hint(fault, "look at what it holds, then: chown %u %s", (unsigned)geteuid(),
			   path);
		return false;
	}
	return true;
}

static struct overrides *set_aside(const char *path, const char *why, struct fault *fault)
{
	char aside[PATH_MAX];
	struct overrides *overrides;

	errno = ENAMETOOLONG;
	if (snprintf(aside, sizeof(aside), "%s.damaged", path) >= (int)sizeof(aside) ||
	    rename(path, aside) != 0)
		log_err("state %s is damaged (%s): changes made at run time are lost, and the "
			"configuration is used; it could not be renamed to %s: %s",
			path, why, aside, strerror(errno));
	else
		log_err("state %s is damaged (%s): changes made at run time are lost, and the "
			"configuration is used; it is kept as %s",
			path, why, aside);
	overrides = overrides_create();
	return overrides ? overrides : out_of_memory(fault);
}

static struct overrides *read_root(const char *path, json_t *root, const json_error_t *error,
				   struct fault *fault)
{
	struct overrides *overrides;
	json_int_t version;

	if (!root)
		return set_aside(path, error->text, fault);
	if (json_unpack(root, "{s:I}", "version", &version) != 0)
		return set_aside(path, "no version", fault);
	if (version < FILE_VERSION_FIRST || version > FILE_VERSION) {
		fault_set(fault, FAULT_CONFLICT,
			  "%s: reading it: its format is version %lld, and this lbd knows %d", path,
			  (long long)version, FILE_VERSION);
		fault_hint(fault, "start the lbd that wrote it, or move the file away to lose what "
				  "was changed at run time");
		return NULL;
	}
	overrides = overrides_read(root);
	return overrides ? overrides : set_aside(path, "no list of overrides", fault);
}

struct overrides *overrides_load(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct overrides *overrides = NULL;
	json_error_t error;
	json_t *root;
	FILE *in;

	if (fd < 0 && errno == ENOENT) {
		overrides = overrides_create();
		return overrides ? overrides : out_of_memory(fault);
	}
	if (fd < 0) {
		fault_set(fault, fault_code_of_errno(errno), "%s: reading it: %s", path,
			  strerror(errno));
		return NULL;
	}
	in = fdopen(fd, "r");
	if (!in) {
		close(fd);
		return out_of_memory(fault);
	}
	if (file_is_ours(fd, path, fault)) {
		/* Not json_loadfd: that reads byte by byte. */
		root = json_loadf(in, JSON_REJECT_DUPLICATES, &error);
		overrides = read_root(path, root, &error, fault);
		json_decref(root);
	}
	fclose(in);
	return overrides;
}

/* ---- writing ---- */

/* A new file every time: an existing one may have somebody else's mode, or be a link. */
static int create_temporary(const char *path, const char *directory)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd;

	unlink(path);
	fd = open(path, flags, 0600);
	if (fd < 0 && errno == ENOENT && mkdir(directory, 0700) == 0)
		fd = open(path, flags, 0600);
	return fd;
}

/* Without it a crash may bring the old name's content back. */
static int sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		error = -errno;
	close(fd);
	return error;
}

/* As a whole: a disk that is full takes a part of it first, and says why at the next. */
static int write_text(int fd, const char *text)
{
	size_t size = strlen(text);

	while (size) {
		ssize_t done = write(fd, text, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		size -= (size_t)done;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

static int write_file(const char *path, const char *temporary, const char *directory,
		      const char *text)
{
	int fd = create_temporary(temporary, directory);
	int error;

	if (fd < 0)
		return -errno;
	error = write_text(fd, text);
	if (close(fd) != 0 && !error)
		error = -errno;
	if (!error && rename(temporary, path) != 0)
		error = -errno;
	if (error) {
		unlink(temporary);
		return error;
	}
	/* What is renamed is what the next start reads: it is not to be refused any more. */
	error = sync_directory(directory);
	if (error)
		log_warn("state %s: syncing its directory: %s; if the machine stops now, the last "
			 "change may be lost",
			 path, strerror(-error));
	return 0;
}

int overrides_save(const struct overrides *overrides, const char *path, struct fault *fault)
{
	char temporary[PATH_MAX], parent[PATH_MAX], *text;
	json_t *items = json_array(), *drains = json_array(), *root;
	int error;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary)) {
		json_decref(items);
		json_decref(drains);
		return fault_set(fault, FAULT_USAGE, "state: writing it: its path is too long");
	}
	snprintf(parent, sizeof(parent), "%s", path);
	for (size_t i = 0; i < overrides->count; i++)
		json_array_append_new(items, override_json(&overrides->items[i]));
	for (size_t i = 0; i < overrides->drain_count; i++)
		json_array_append_new(drains, drain_json(&overrides->drains[i]));
	root = json_pack("{s:i, s:o, s:o}", "version", FILE_VERSION, "overrides", items, "drains",
			 drains);
	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	error = text ? write_file(path, temporary, dirname(parent), text) : -ENOMEM;
	free(text);
	json_decref(root);
	if (!error)
		return 0;
	fault_set(fault, fault_code_of_errno(-error), "%s: writing it: %s", path, strerror(-error));
	return fault_hint(fault, "the change was not made: it would be lost with a restart; see "
				 "that lbd's user can write the state directory");
}
