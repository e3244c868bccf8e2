/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the packet program and the controller agree on: keys, values, limits and verdicts.
 *
 * Included by both sides and copied by none. Everything here is memory in BPF maps that outlives
 * both the program and the controller, so a change of any size, offset or meaning raises LB_LAYOUT;
 * a controller that finds another layout refuses the maps. A map that is only added does not: where
 * an older program made the maps, it is missing until `lbload replace` adds it.
 *
 * Conventions: index 0 of backends, pools and services means "none". `__be` types are in network
 * order, all others in host order. A "tick" is 2^30 ns (1.07 s) of CLOCK_MONOTONIC, so that the
 * program gets one with a shift.
 */
#ifndef LB_ABI_H
#define LB_ABI_H

#include "abi_base.h"
#include "abi_forward.h"
#include "abi_keep.h"
#include "abi_pick.h"
#include "abi_service.h"
#include "abi_trace.h"

#define LB_LAYOUT 5

#define LB_PROGRAM_NAME "limpet" /* of the XDP program: how instances recognise each other */

#endif
