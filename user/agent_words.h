/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agent_words: what a backend's agent says of it, in the words of HAProxy's agent-check. Pure.
 */
#ifndef LIMPET_AGENT_WORDS_H
#define LIMPET_AGENT_WORDS_H

#include "model.h"

/*
 * Takes one line into what was said before: words that are not in it change nothing. `up`, `down`
 * (or `fail`, `failed`, `stopped`), `ready`, `drain`, `maint`, and `N%` or `weight:N%` of the
 * weight, above 100 taken for 100; separated by blanks or commas, in any case; behind a # is a
 * remark. Returns false if no word of the line is known; then nothing is changed.
 */
bool agent_words_take(const char *line, struct agent_says *says);

#endif
