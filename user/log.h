/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log: lines to stderr with a level, in the form systemd understands when stderr is the journal.
 *
 * Levels: err: the operator must act; warn: degraded; info: lifecycle and changes of state (from,
 * to, reason); debug. What a packet or a probe can trigger goes through a log_limit.
 */
#ifndef LIMPET_LOG_H
#define LIMPET_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };

/* Lines above `level` are dropped. `journal`: prefix lines with "<N>" (sd-daemon(3)) rather than
 * time and level. */
void log_init(enum log_level level, bool journal);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_write(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A token bucket: `burst` lines at once, one more per `interval_ms`. Zero the rest. */
struct log_limit {
	uint32_t burst;
	uint32_t interval_ms;
	uint32_t tokens_used;
	uint32_t suppressed;
	uint64_t refilled_ms;
};

/* True if a line may be written at `now_ms`. Where lines were suppressed before it, `*suppressed`
 * says how many, so that the line can tell. */
bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint32_t *suppressed);

#endif
