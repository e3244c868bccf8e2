/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * host_ports: the ports that the kernel hands out by itself to sockets of this host, so that NAT
 * from one of the host's own addresses takes others. A leaf.
 */
#ifndef LIMPET_HOST_PORTS_H
#define LIMPET_HOST_PORTS_H

#include <stdint.h>

/* First and number of them, of the network namespace we are in. Where the kernel does not tell, its
 * default: 32768 to 60999. */
void host_ports_read(uint16_t *first, uint16_t *count);

#endif
