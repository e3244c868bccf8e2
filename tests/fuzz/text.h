/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text: scenarios as text, a line for each thing that is there: the report of a difference, and the
 * form of the cases that are kept (cases/). Ticks are written as ages. What is zero is left out.
 */
#ifndef FUZZ_TEXT_H
#define FUZZ_TEXT_H

#include <stdio.h>

#include "compare.h"

void text_write(FILE *out, const struct scenario *scenario);
/* Ends the process with a message if the file is no such text. Ages relate to the tick now. */
void text_read(const char *path, struct scenario *scenario);

void text_hex(FILE *out, const uint8_t *bytes, uint32_t size);

#endif
