/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vip_node: the node's own state, kept in a file of the state directory. See vip.h. */
#ifndef LIMPET_VIP_NODE_H
#define LIMPET_VIP_NODE_H

#include <stdbool.h>

#include "fault.h"

/* A missing file says that it is ready; a damaged one, too, after a complaint. FAULT_PERMISSION if
 * others can write it. */
int vip_node_load(const char *path, bool *drained, struct fault *fault);
/* Whole or not at all, whenever the machine stops. 0, or -1 with `fault` set. */
int vip_node_save(const char *path, bool drained, struct fault *fault);

#endif
