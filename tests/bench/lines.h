/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lines: which line of the source a loaded program's machine code came from, for
 * tests/bench/profile.py. The kernel keeps that for programs that came with BTF.
 */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

/*
 * Writes to `path` a line for each function, "function ADDRESS LENGTH", and one for each place from
 * which another line of source holds, "line ADDRESS FILE:LINE TEXT"; addresses in hexadecimal.
 * 0 or a negative errno.
 */
int lines_write(int program_fd, const char *path);

#endif
