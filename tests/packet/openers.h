/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * openers: the buckets of new flows (bpf/admit.h) that a case finds, and leaves. One world at a
 * time.
 */
#ifndef PACKET_OPENERS_H
#define PACKET_OPENERS_H

#include "case.h"

/* All of these end the process with a message if they fail. */
void openers_open(const char *pin_dir);
void openers_close(void);

/* Leaves no bucket but the one that the case begins with, that of its source. */
void openers_prepare(const struct packet_case *row, const struct subject *subject);
/* Whether the source's bucket has counted that many, and there is no other. Says what differs,
 * `what` in front. */
bool openers_check(const struct subject *subject, int opened, const char *what);

#endif
