/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * program: another build of the packet program in the place of the one that dataplane.c carries,
 * for cases that have to fail on it (mutations.py). Needs the linker's help: the Makefile has
 * bpf_object__open_skeleton wrapped.
 */
#ifndef PACKET_PROGRAM_H
#define PACKET_PROGRAM_H

/* From now on, the object in that file is loaded; ends the process with a message if it cannot be
 * read. Once. */
void program_replace(const char *path);

#endif
