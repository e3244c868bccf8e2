/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log: see log.h. A leaf. Whether a message is worth writing is the caller's business.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static enum log_level log_level_max = LOG_LEVEL_INFO;
static bool log_to_journal;

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERR] = {"err", 3},
	[LOG_LEVEL_WARN] = {"warn", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_init(enum log_level level, bool journal)
{
	log_level_max = level;
	log_to_journal = journal;
}

static void format_prefix(enum log_level level, char *out, size_t size)
{
	struct timeval now;
	struct tm utc;
	char seconds[32];

	if (log_to_journal) {
		snprintf(out, size, "<%d>", levels[level].priority);
		return;
	}
	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, size, "%s.%03dZ %s: ", seconds, (int)(now.tv_usec / 1000),
		 levels[level].name);
}

/*
 * A message can quote what someone else sent, so nothing in it may pass for a line of ours or steer
 * a terminal: other control characters are masked, and lines after the first are indented.
 */
static void write_lines(const char *prefix, char *text)
{
	const char *indent = "";

	for (char *line = text, *next; line; line = next, indent = "  ") {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (next && !*next)
			next = NULL;
		for (char *c = line; *c; c++) {
			if ((unsigned char)*c < 0x20 && *c != '\t')
				*c = '?';
			else if (*c == 0x7f)
				*c = '?';
		}
		fprintf(stderr, "%s%s%s\n", prefix, indent, line);
	}
}

void log_write(enum log_level level, const char *format, ...)
{
	char prefix[64], *text = NULL;
	va_list arguments;
	int size;

	if (level > log_level_max || level >= LOG_LEVEL_COUNT)
		return;
	format_prefix(level, prefix, sizeof(prefix));
	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0) {
		fprintf(stderr, "%sa message was lost: out of memory\n", prefix);
		return;
	}
	write_lines(prefix, text);
	free(text);
}

static void refill(struct log_limit *limit, uint64_t now_ms)
{
	uint64_t tokens;

	/* The clock was set back: begin a new interval rather than be silent until it caught up. */
	if (now_ms < limit->refilled_ms)
		limit->refilled_ms = now_ms;
	tokens = (now_ms - limit->refilled_ms) / limit->interval_ms;
	if (tokens >= limit->tokens_used) {
		limit->tokens_used = 0;
		limit->refilled_ms = now_ms;
		return;
	}
	limit->tokens_used -= (uint32_t)tokens;
	limit->refilled_ms += tokens * limit->interval_ms;
}

bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint32_t *suppressed)
{
	*suppressed = 0;
	if (limit->interval_ms)
		refill(limit, now_ms);
	else
		limit->tokens_used = 0;
	if (limit->tokens_used >= limit->burst) {
		if (limit->suppressed < UINT32_MAX)
			limit->suppressed++;
		return false;
	}
	limit->tokens_used++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
