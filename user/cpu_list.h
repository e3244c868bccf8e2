/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cpu_list: lists of CPUs as the kernel writes them, such as "0-3,8". */
#ifndef LIMPET_CPU_LIST_H
#define LIMPET_CPU_LIST_H

#include <stdint.h>

/* One more than the highest number in the list, which is in ascending order; 0: it is no list. */
uint32_t cpu_list_end(const char *list);

/* The same of the CPUs that this machine can have; at least 1. Numbers may be left out, so this can
 * be more than there are. */
uint32_t cpu_list_possible_end(void);

#endif
