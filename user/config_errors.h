/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_errors: the list of what is wrong with a configuration, kept in the order of the file.
 *
 * Used by the rooms of config; its public half (format, free) is in config.h. Knows positions and
 * text, nothing of YAML or keys.
 */
#ifndef LIMPET_CONFIG_ERRORS_H
#define LIMPET_CONFIG_ERRORS_H

#include <stdarg.h>

#include "config.h"

/* More than anyone reads; what is found beyond is dropped, and the printed list says so. */
enum { CONFIG_ERRORS_MAX = 1000 };

/* Adds an error in its place in the file's order. Line 0: it concerns the file as a whole. What
 * a terminal would not show as text becomes '?': messages quote what an untrusted file says. */
void config_errors_addv(struct config_errors *errors, unsigned line, unsigned column,
			const char *format, va_list arguments);
void config_errors_add(struct config_errors *errors, unsigned line, unsigned column,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What the text says, as messages show it: shortened, in quotes. */
enum { CONFIG_QUOTE_SIZE = 64 };
const char *config_quote(const char *text, char out[CONFIG_QUOTE_SIZE]);

/* The length in bytes of the line break at `text`, as YAML counts them; 0 if there is none. */
size_t config_line_break(const char *text);

#endif
