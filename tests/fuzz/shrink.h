/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* shrink: a scenario in which program and model differ, made smaller for those who read it. */
#ifndef FUZZ_SHRINK_H
#define FUZZ_SHRINK_H

#include "compare.h"

/* Takes away what the difference does not need. `scenario` stays one that differs; `difference` is
 * then that of the result. False, and nothing is changed, if it does not differ by itself. */
bool shrink(struct machine *machine, struct scenario *scenario, struct difference *difference);

#endif
