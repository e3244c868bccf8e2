/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* build_info: what --version tells of a program: its version, and what it was made of and with. */
#ifndef LIMPET_BUILD_INFO_H
#define LIMPET_BUILD_INFO_H

/* To stdout; the first line is "PROGRAM VERSION". */
void build_info_print(const char *program);

#endif
