/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat: packets of NAT pools, judged by what must hold of them rather than by the model, for which
 * source port a flow gets is the program's choice. Neighbours: fuzz.c runs it, generate*.c make the
 * packets.
 */
#ifndef FUZZ_NAT_H
#define FUZZ_NAT_H

#include "machine.h"

/* A round of `frames` packets. False, and told, if one is not what it has to be. */
bool nat_round(struct machine *machine, uint64_t seed, uint64_t number, uint32_t frames,
	       uint64_t *forwarded);

#endif
