/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_log: what libbpf and libxdp have to say goes through our log, and is kept for a moment,
 * so that it can be shown in full, or quoted, when what was attempted fails.
 */
#ifndef LIMPET_DATAPLANE_LOG_H
#define LIMPET_DATAPLANE_LOG_H

/* Makes both libraries talk to us and forgets what they said before. To be called before each
 * attempt that may be worth telling about. */
void dataplane_log_begin(void);

/* Forgets all, before a thread ends: what is kept is of each thread its own. */
void dataplane_log_end(void);

/* Writes all that was said since dataplane_log_begin as errors. */
void dataplane_log_show(void);

/* The rest of the last line said since dataplane_log_begin that has `marker` in it, behind the
 * marker; or NULL. Valid until the next line is said. */
const char *dataplane_log_find(const char *marker);

#endif
