/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * duration: times as people write them. A leaf; pure.
 */
#ifndef LIMPET_DURATION_H
#define LIMPET_DURATION_H

#include <stdbool.h>
#include <stdint.h>

enum { DURATION_TEXT_SIZE = 32 };

/* 2h10m, 500ms, 0s; each unit (h, m, s, ms) once, from large to small. A bare 0 needs no unit.
 * False if `text` is nothing of that kind. */
bool duration_parse(const char *text, uint64_t *ms);
/* In the largest unit that needs no fraction. Returns `out`. */
const char *duration_format(uint64_t ms, char out[DURATION_TEXT_SIZE]);

#endif
