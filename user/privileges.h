/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * privileges: what lbd may do. It holds four capabilities and nothing else, whoever starts it:
 *
 *   CAP_BPF         to open and change the maps, to load what sweeps and what explains
 *   CAP_PERFMON     for the verifier to take these programs
 *   CAP_NET_ADMIN   to run them on a packet, to have the kernel look for neighbours; addresses
 *   CAP_NET_RAW     for ICMP checks, and to announce addresses
 */
#ifndef LIMPET_PRIVILEGES_H
#define LIMPET_PRIVILEGES_H

#include "fault.h"

/*
 * Makes `user` (NULL: who it is) this process' user, for good, with these capabilities alone. For a
 * `user`, root makes each of `directories` (up to a NULL) that is missing and gives it to the user,
 * with the files of root that are in it. Before there is a second thread. 0, or -1 with
 * FAULT_PERMISSION if a capability is lacking, FAULT_USAGE if there is no such user.
 */
int privileges_take(const char *user, const char *const *directories, struct fault *fault);

#endif
