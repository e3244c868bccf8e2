/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture: what the code under test writes to stderr, as a string. For unit tests only; cmocka.h
 * must have been included.
 */
#ifndef LIMPET_TEST_CAPTURE_H
#define LIMPET_TEST_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
	FILE *file;
	int stderr_fd;
};

/* Between begin and end nothing may fail an assertion: its message would be captured too. */
static inline struct capture capture_begin(void)
{
	struct capture capture = {tmpfile(), dup(STDERR_FILENO)};

	assert_non_null(capture.file);
	assert_int_not_equal(capture.stderr_fd, -1);
	dup2(fileno(capture.file), STDERR_FILENO);
	return capture;
}

/* Returns what was written, up to `size` - 1 bytes, in `out`. */
static inline const char *capture_end(struct capture *capture, char *out, size_t size)
{
	dup2(capture->stderr_fd, STDERR_FILENO);
	close(capture->stderr_fd);
	rewind(capture->file);
	out[fread(out, 1, size - 1, capture->file)] = '\0';
	fclose(capture->file);
	return out;
}

#endif
