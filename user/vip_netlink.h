/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vip_netlink: addresses of interfaces, read and changed through netlink. See vip.h, which decides.
 */
#ifndef LIMPET_VIP_NETLINK_H
#define LIMPET_VIP_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/* One address of an interface of this network namespace. */
struct vip_address {
	struct addr addr;
	uint8_t length; /* of its prefix */
	bool ours;      /* it bears lbd's mark (IFA_PROTO) */
	uint32_t ifindex;
};

struct vip_addresses {
	struct vip_address *items;
	size_t count;
};

struct mnl_socket;

struct mnl_socket *vip_netlink_open(void); /* NULL with errno */
/* All addresses; to be freed (items) in any case. 0 or a negative errno. */
int vip_netlink_read(struct mnl_socket *socket, struct vip_addresses *out);
/* A host address with lbd's mark, that nothing is sent from unless it is asked to be: -EEXIST if
 * the interface has it. */
int vip_netlink_add(struct mnl_socket *socket, uint32_t ifindex, const struct addr *addr);
int vip_netlink_del(struct mnl_socket *socket, uint32_t ifindex, const struct addr *addr);

#endif
