/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fault: one failure, in the words a user needs: which object, what was attempted, the cause, and
 * what to do about it. Lower layers fill it, whoever talks to the user prints it, once.
 */
#ifndef LIMPET_FAULT_H
#define LIMPET_FAULT_H

#include <stddef.h>

/* The numbers are the exit status of every program. */
enum fault_code {
	FAULT_NONE = 0,
	FAULT_FAILED = 1,
	FAULT_USAGE = 2, /* or a wrong configuration */
	FAULT_UNREACHABLE = 3,
	FAULT_NOT_FOUND = 4,
	FAULT_CONFLICT = 5,
	FAULT_PERMISSION = 6,
	FAULT_TIMEOUT = 7,
};

struct fault {
	enum fault_code code;
	char message[512]; /* "object: attempt: cause" */
	char hint[512];    /* what to do; may be empty */
};

/* Sets code and message (and clears the hint). Returns -1, so that `return fault_set(...)` reads
 * well. NULL for `fault` is allowed: the caller does not want to know. */
int fault_set(struct fault *fault, enum fault_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what to do about it. Returns -1. */
int fault_hint(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The word for the code in JSON errors: "failed", "usage", "unreachable", "not_found", "conflict",
 * "permission", "timeout". */
const char *fault_code_name(enum fault_code code);

/* FAULT_PERMISSION for EPERM and EACCES, FAULT_FAILED otherwise. `error` is a positive errno. */
enum fault_code fault_code_of_errno(int error);

/* Prints "PROGRAM: message" and, where there is one, the hint on a line of its own, to stderr.
 * Returns the code, to be used as the exit status. */
int fault_print(const struct fault *fault, const char *program);

/* The nearest of `count` words to `word` by edit distance, for "did you mean"; NULL if none is
 * near. */
const char *fault_nearest(const char *word, const char *const *words, size_t count);

#endif
