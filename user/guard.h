/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard: whether others could change what lbd trusts (pins, state), and the group that its files
 * are for. A leaf.
 */
#ifndef LIMPET_GUARD_H
#define LIMPET_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"

#define GUARD_GROUP "lbd"

/* The group `lbd`: false where there is none. */
bool guard_group(gid_t *group);

/*
 * FAULT_PERMISSION if somebody else than its owner can write the file or directory at `path`, or it
 * belongs neither to root nor to this process' user. `group_may`: its group may write if it is lbd.
 * What is not there, or cannot be looked at, is another's to report: 0.
 */
int guard_check(const char *path, bool group_may, struct fault *fault);

#endif
