/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * build_info: see build_info.h. The Makefile says what it alone knows, in build_facts.h: the git
 * revision ("" where there is no repository), the compiler of the packet programs, and libraries.
 * Linked to each program by itself, because the revision changes with each commit.
 */
#include "build_info.h"

#include <stdio.h>

#include "../bpf/lb_abi.h"
#include "build_facts.h"
#include "version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

void build_info_print(const char *program)
{
	printf("%s %s\n", program, LIMPET_VERSION);
	printf("revision %s, data plane layout %u\n",
	       BUILD_REVISION[0] ? BUILD_REVISION : "unknown", LB_LAYOUT);
	printf("built with %s, packet programs with %s, libbpf %s, libxdp %s\n", COMPILER,
	       BUILD_BPF_COMPILER, BUILD_LIBBPF, BUILD_LIBXDP);
}
