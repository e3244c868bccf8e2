/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel: why a probe through the tunnel fails although its backend may be well: routes, filters
 * and settings of this host. Asks the kernel; changes nothing.
 */
#ifndef LIMPET_TUNNEL_H
#define LIMPET_TUNNEL_H

#include "probe.h"

/* net.ipv4.conf.INTERFACE.KEY; 0 if it cannot be read. */
int tunnel_ipv4_conf(const char *interface, const char *key);

/* See struct probe_tunnel. */
void tunnel_explain(const struct probe_tunnel *tunnel, const struct addr *vip, bool left,
		    char out[PROBE_WHY_SIZE]);

#endif
