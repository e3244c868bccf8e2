/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * run_nat: conversations through NAT (nat_case.h), each with empty tables, on a data plane of their
 * own pinned under `pin_dir`. Prints TAP, counting `number` up; returns how many failed.
 * `first_only`: the first one that fails is the last that is run. `reached`[LB_VERDICT_COUNT]: of
 * each verdict that a packet is to end in becomes true.
 */
#ifndef PACKET_RUN_NAT_H
#define PACKET_RUN_NAT_H

#include <stdbool.h>

unsigned int nat_run(const char *pin_dir, bool first_only, bool *reached, unsigned int *number);

#endif
