/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pin_judge: what becomes of pinned clients as time goes by (bpf/pin_table.h says what a pin is).
 * Pure; times are ticks.
 */
#ifndef LIMPET_PIN_JUDGE_H
#define LIMPET_PIN_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"

/* Whether its time has come. */
bool pin_over(const struct lb_pin *pin, uint32_t now);

/* At the end of a complete sweep that began at tick `began`: whether it is over since before that,
 * and the sweep has read no entry that needs it. */
bool pin_needless(const struct lb_pin *pin, uint32_t began);

#endif
