/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* dataplane_log: see dataplane_log.h. Knows nothing of maps and programs. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

#include "dataplane_log.h"
#include "log.h"

/* The verifier's log of a large program is long; its end tells what was wrong. */
enum { KEPT_LINES_MAX = 4096 };

/* Programs are loaded in other threads, too. */
static _Thread_local char **kept;
static _Thread_local size_t kept_count;
static _Thread_local size_t kept_first; /* index of the oldest line once the buffer goes round */

static void keep_line(const char *line, size_t size)
{
	char *copy = strndup(line, size);

	if (!copy)
		return;
	if (!kept)
		kept = calloc(KEPT_LINES_MAX, sizeof(*kept));
	if (!kept) {
		free(copy);
	} else if (kept_count < KEPT_LINES_MAX) {
		kept[kept_count++] = copy;
	} else {
		free(kept[kept_first]);
		kept[kept_first] = copy;
		kept_first = (kept_first + 1) % KEPT_LINES_MAX;
	}
}

static void say(bool keep, const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	for (char *line = text; *line;) {
		size_t size = strcspn(line, "\n");

		if (size) {
			if (keep)
				keep_line(line, size);
			log_debug("%.*s", (int)size, line);
		}
		line += size + (line[size] == '\n');
	}
	free(text);
}

static int say_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static int say_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	say(level != LIBBPF_DEBUG, format, arguments);
	return 0;
}

static int say_libxdp(enum libxdp_print_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static int say_libxdp(enum libxdp_print_level level, const char *format, va_list arguments)
{
	say(level != LIBXDP_DEBUG, format, arguments);
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = kept_first = 0;
}

void dataplane_log_end(void)
{
	forget();
	free(kept);
	kept = NULL;
}

void dataplane_log_begin(void)
{
	forget();
	libbpf_set_print(say_libbpf);
	libxdp_set_print(say_libxdp);
}

void dataplane_log_show(void)
{
	for (size_t i = 0; i < kept_count; i++)
		log_err("%s", kept[(kept_first + i) % kept_count]);
}

const char *dataplane_log_find(const char *marker)
{
	for (size_t i = kept_count; i > 0; i--) {
		const char *found = strstr(kept[(kept_first + i - 1) % kept_count], marker);

		if (found)
			return found + strlen(marker);
	}
	return NULL;
}
