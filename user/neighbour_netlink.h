/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_netlink: what `neighbour` asks the kernel, as calls and plain values. The only place
 * that knows routing netlink messages. No loop, no state but the socket and its sequence number.
 *
 * The kernel answers a request within the system call that brings it, so a call waits for nothing
 * but its own work (a few microseconds).
 */
#ifndef LIMPET_NEIGHBOUR_NETLINK_H
#define LIMPET_NEIGHBOUR_NETLINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "neighbour_verify.h"

struct mnl_socket;

/* For requests and their answers. */
struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

struct netlink_route {
	uint8_t type; /* RTN_UNICAST, RTN_LOCAL, ... */
	uint32_t ifindex;
	struct addr next;   /* gateway, or the destination itself where it is on the link */
	struct addr source; /* family 0: the kernel named none */
	uint32_t mtu;       /* 0: the route sets none */
};

struct netlink_link {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	uint32_t mtu;
	bool up;
	bool carrier;
	bool ethernet; /* has MAC addresses, and resolves its neighbours' */
	uint8_t mac[6];
	uint32_t
		peer; /* the interface behind it (veth: its other end); 0: none in this namespace */
};

struct netlink_entry {
	uint32_t ifindex;
	struct addr addr;
	enum verify_entry state;
	bool managed; /* kept fresh by the kernel for somebody else */
	uint8_t mac[6];
};

/* All return 0 or negative errno; the kernel's own where it refused. */

/* -EPERM where neighbour entries may not be changed. */
int netlink_open(struct netlink *netlink);
void netlink_close(struct netlink *netlink); /* a zeroed one is fine */

/* The route the kernel would take now. -ENETUNREACH: none; -EHOSTUNREACH, -EACCES, -EINVAL: a route
 * that says unreachable, prohibit, blackhole (IPv6 may say so in `type` too). */
int netlink_route_get(struct netlink *netlink, const struct addr *to, uint32_t mark,
		      struct netlink_route *out);
int netlink_link_get(struct netlink *netlink, uint32_t ifindex, struct netlink_link *out);
/* VERIFY_ENTRY_NONE where there is none. */
int netlink_entry_get(struct netlink *netlink, uint32_t ifindex, const struct addr *addr,
		      struct netlink_entry *out);

/* Makes the kernel send a unicast probe to the MAC it knows. -EINVAL or -ENOENT: it knows none. */
int netlink_entry_probe(struct netlink *netlink, const struct netlink_entry *entry);
/* Makes the kernel forget the MAC; nothing to do is no error. */
int netlink_entry_forget(struct netlink *netlink, const struct netlink_entry *entry);
/* Makes the kernel resolve the address, unless it knows the MAC or is at it. -ENOBUFS: its table is
 * full. */
int netlink_entry_use(struct netlink *netlink, const struct netlink_entry *entry);

/* A socket, not blocking, that is told of every change of links, addresses, neighbours, routes,
 * rules and next-hop groups. */
int netlink_subscribe(struct mnl_socket **out);

/* Readers of notifications; false where the message is not for us. */
bool netlink_read_entry(const struct nlmsghdr *message, struct netlink_entry *out);
/* Whose ways a changed route may alter. */
bool netlink_read_route(const struct nlmsghdr *message, struct prefix *out);

#endif
