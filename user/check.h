/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check: what the texts of a check (struct check) mean. Pure. config refuses what these refuse, so
 * that a probe never meets it.
 */
#ifndef LIMPET_CHECK_H
#define LIMPET_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

/* Statuses of HTTP: "200-299", "200,301-303"; "" stands for 200-299. Returns NULL,
 * or what is wrong with the text. */
const char *check_statuses_problem(const char *text);
/* Whether `status` is one of them. `text` has no problem. */
bool check_statuses_have(const char *text, unsigned status);

/*
 * Bytes to send or to expect (struct check: send, answer): text, in which \xHH is a byte, \n, \r,
 * \t and \\ what they are everywhere. Writes at most CHECK_TEXT_SIZE bytes to `out` and their
 * number to `size`. Returns NULL, or what is wrong with the text.
 */
const char *check_bytes(const char *text, uint8_t out[CHECK_TEXT_SIZE], size_t *size);

/* The next word of a command: `word` NULL gives the first; NULL behind the last. */
const char *check_command_next(const struct check *check, const char *word);
/* Appends a word; false if there is no room. */
bool check_command_add(struct check *check, const char *word);

#endif
