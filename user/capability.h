/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capability: which capability this process lacks, for messages. A leaf.
 */
#ifndef LIMPET_CAPABILITY_H
#define LIMPET_CAPABILITY_H

/* What loading and attaching XDP programs asks for and the process does not have: "CAP_BPF",
 * "CAP_NET_ADMIN" or "CAP_PERFMON"; NULL if none of them is lacking. */
const char *capability_lacking(void);

#endif
