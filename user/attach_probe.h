/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach_probe: puts the program of probes (bpf/probe.bpf.c) on the egress of an interface, as a
 * filter of tc, and takes it off. Filters of others, and those of other instances on the same
 * interface, stay as they are: an instance's mark (dataplane_probe_mark) names its filter.
 */
#ifndef LIMPET_ATTACH_PROBE_H
#define LIMPET_ATTACH_PROBE_H

#include <stdint.h>

#include "fault.h"

/* In one step where an older program is there. */
int attach_probe(const char *interface, int program_fd, uint32_t mark, struct fault *fault);

/* Nothing to do if it is not there. Takes the clsact qdisc off, too, if no filter is left in it. */
int attach_probe_off(const char *interface, uint32_t mark, struct fault *fault);

/* The id of the instance's program on the interface; 0: it is not there. */
uint32_t attach_probe_id(const char *interface, uint32_t mark);

#endif
