/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_netlink: requests and notifications of routing netlink. See neighbour_netlink.h; used
 * by neighbour.c only. Judges nothing.
 */
#include "neighbour_netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	ATTRIBUTE_MAX = 127, /* above every type that is read here */
	REQUEST_SIZE = 512,
	ANSWER_SIZE = 32768,
	NOTIFICATION_BUFFER_SIZE = 1 << 20,
};

typedef const struct nlattr *attributes[ATTRIBUTE_MAX + 1];

static int keep_attribute(const struct nlattr *attribute, void *data)
{
	const struct nlattr **table = data;

	/* A newer kernel may send types that these headers do not know. */
	if (mnl_attr_type_valid(attribute, ATTRIBUTE_MAX) > 0)
		table[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static void read_attributes(const struct nlmsghdr *message, size_t offset, attributes table)
{
	memset(table, 0, sizeof(attributes));
	mnl_attr_parse(message, offset, keep_attribute, table);
}

static int family_of(const struct addr *addr)
{
	return addr->family == 4 ? AF_INET : AF_INET6;
}

static size_t addr_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static bool addr_from(int family, const void *bytes, size_t size, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	if ((family != AF_INET && family != AF_INET6) || size < addr_size(family))
		return false;
	out->family = family == AF_INET ? 4 : 6;
	memcpy(&out->ip, bytes, addr_size(family));
	return true;
}

static bool addr_read(int family, const struct nlattr *attribute, struct addr *out)
{
	if (!attribute) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	return addr_from(family, mnl_attr_get_payload(attribute),
			 mnl_attr_get_payload_len(attribute), out);
}

static uint32_t read_u32(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
		return 0;
	return mnl_attr_get_u32(attribute);
}

static void addr_put(struct nlmsghdr *message, uint16_t type, const struct addr *addr)
{
	mnl_attr_put(message, type, addr_size(family_of(addr)), &addr->ip);
}

/* ---- requests ---- */

static struct nlmsghdr *request_begin(void *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return message;
}

/* Sends the request, hands its answers to `read` (NULL: none are expected), and returns what the
 * kernel acknowledged. */
static int request_run(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t read,
		       void *context)
{
	uint32_t sequence = ++netlink->sequence;
	char answer[ANSWER_SIZE];
	ssize_t size;
	int step;

	request->nlmsg_seq = sequence;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		size = mnl_socket_recvfrom(netlink->socket, answer, sizeof(answer));
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		/* The rest of a request that was given up. */
		if (((struct nlmsghdr *)answer)->nlmsg_seq != sequence)
			continue;
		step = mnl_cb_run(answer, size, sequence, 0, read, context);
		if (step < 0)
			return -errno;
		if (step == MNL_CB_STOP)
			return 0;
	}
}

static bool may_change(struct netlink *netlink)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message = request_begin(buffer, RTM_DELNEIGH, 0);

	/* The kernel looks at the privilege before it looks at the (empty, so invalid) request. */
	return request_run(netlink, message, NULL, NULL) != -EPERM;
}

int netlink_open(struct netlink *netlink)
{
	/* The kernel answers at once. Should an answer be lost for want of memory, don't hang. */
	struct timeval patience = {.tv_sec = 1};
	int err;

	netlink->sequence = 0;
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!netlink->socket)
		return -errno;
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0)
		err = -errno;
	else
		err = may_change(netlink) ? 0 : -EPERM;
	if (err)
		netlink_close(netlink);
	return err;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

/* ---- routes ---- */

/* An IPv4 route through an IPv6 gateway carries the gateway's family with its address. */
static bool via_read(const struct nlattr *attribute, struct addr *out)
{
	const struct rtvia *via;
	size_t size;

	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(*via))
		return false;
	via = mnl_attr_get_payload(attribute);
	size = mnl_attr_get_payload_len(attribute) - sizeof(*via);
	return addr_from(via->rtvia_family, via->rtvia_addr, size, out);
}

static uint32_t metric_mtu(const struct nlattr *metrics)
{
	attributes table = {0};

	if (!metrics)
		return 0;
	mnl_attr_parse_nested(metrics, keep_attribute, table);
	return read_u32(table[RTAX_MTU]);
}

static int route_read(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_route *out = context;
	attributes table;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	read_attributes(message, sizeof(*header), table);
	out->type = header->rtm_type;
	out->ifindex = read_u32(table[RTA_OIF]);
	out->mtu = metric_mtu(table[RTA_METRICS]);
	addr_read(header->rtm_family, table[RTA_PREFSRC], &out->source);
	if (!addr_read(header->rtm_family, table[RTA_GATEWAY], &out->next) &&
	    !via_read(table[RTA_VIA], &out->next))
		addr_read(header->rtm_family, table[RTA_DST], &out->next);
	return MNL_CB_OK;
}

int netlink_route_get(struct netlink *netlink, const struct addr *to, uint32_t mark,
		      struct netlink_route *out)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message = request_begin(buffer, RTM_GETROUTE, 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	int err;

	header->rtm_family = family_of(to);
	header->rtm_dst_len = addr_size(header->rtm_family) * 8;
	addr_put(message, RTA_DST, to);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	memset(out, 0, sizeof(*out));
	err = request_run(netlink, message, route_read, out);
	if (err)
		return err;
	return out->type == RTN_UNICAST && (!out->ifindex || !out->next.family) ? -ENETUNREACH : 0;
}

bool netlink_read_route(const struct nlmsghdr *message, struct prefix *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	attributes table;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
	    (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return false;
	read_attributes(message, sizeof(*header), table);
	memset(out, 0, sizeof(*out));
	/* The default route names no destination. */
	if (!addr_read(header->rtm_family, table[RTA_DST], &out->addr))
		out->addr.family = header->rtm_family == AF_INET ? 4 : 6;
	out->length = header->rtm_dst_len;
	return true;
}

/* ---- links ---- */

static int link_read(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_link *out = context;
	attributes table;

	if (message->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	read_attributes(message, sizeof(*header), table);
	out->ifindex = header->ifi_index;
	out->mtu = read_u32(table[IFLA_MTU]);
	if (!table[IFLA_LINK_NETNSID])
		out->peer = read_u32(table[IFLA_LINK]);
	out->up = header->ifi_flags & IFF_UP;
	out->carrier = header->ifi_flags & IFF_LOWER_UP;
	if (table[IFLA_IFNAME])
		strncpy(out->name, mnl_attr_get_str(table[IFLA_IFNAME]), sizeof(out->name) - 1);
	if (header->ifi_type == ARPHRD_ETHER && table[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(table[IFLA_ADDRESS]) == sizeof(out->mac)) {
		out->ethernet = true;
		memcpy(out->mac, mnl_attr_get_payload(table[IFLA_ADDRESS]), sizeof(out->mac));
	}
	return MNL_CB_OK;
}

int netlink_link_get(struct netlink *netlink, uint32_t ifindex, struct netlink_link *out)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message = request_begin(buffer, RTM_GETLINK, 0);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifi_family = AF_UNSPEC;
	header->ifi_index = ifindex;
	memset(out, 0, sizeof(*out));
	return request_run(netlink, message, link_read, out);
}

/* ---- neighbour entries ---- */

static enum verify_entry entry_state(const struct ndmsg *header)
{
	/* What a routing daemon learned (EVPN) is its own to keep right, and a change by us would
	 * take its mark off. */
	if (header->ndm_state & (NUD_PERMANENT | NUD_NOARP) || header->ndm_flags & NTF_EXT_LEARNED)
		return VERIFY_ENTRY_FIXED;
	if (header->ndm_state & NUD_REACHABLE)
		return VERIFY_ENTRY_CURRENT;
	if (header->ndm_state & (NUD_STALE | NUD_DELAY | NUD_PROBE))
		return VERIFY_ENTRY_STALE;
	return VERIFY_ENTRY_NONE;
}

bool netlink_read_entry(const struct nlmsghdr *message, struct netlink_entry *out)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *mac;
	attributes table;

	memset(out, 0, sizeof(*out));
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return false;
	read_attributes(message, sizeof(*header), table);
	/* Bridges tell of their forwarding tables in the same messages. */
	if (header->ndm_flags & NTF_PROXY ||
	    !addr_read(header->ndm_family, table[NDA_DST], &out->addr))
		return false;
	out->ifindex = header->ndm_ifindex;
	out->managed = read_u32(table[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED;
	mac = table[NDA_LLADDR];
	if (message->nlmsg_type != RTM_NEWNEIGH || !mac ||
	    mnl_attr_get_payload_len(mac) != sizeof(out->mac))
		return true;
	out->state = entry_state(header);
	memcpy(out->mac, mnl_attr_get_payload(mac), sizeof(out->mac));
	return true;
}

static int entry_read(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWNEIGH)
		netlink_read_entry(message, context);
	return MNL_CB_OK;
}

static struct nlmsghdr *entry_request(void *buffer, uint16_t type, uint16_t flags, uint32_t ifindex,
				      const struct addr *addr)
{
	struct nlmsghdr *message = request_begin(buffer, type, flags);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = family_of(addr);
	header->ndm_ifindex = ifindex;
	addr_put(message, NDA_DST, addr);
	return message;
}

int netlink_entry_get(struct netlink *netlink, uint32_t ifindex, const struct addr *addr,
		      struct netlink_entry *out)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message = entry_request(buffer, RTM_GETNEIGH, 0, ifindex, addr);
	int err;

	memset(out, 0, sizeof(*out));
	err = request_run(netlink, message, entry_read, out);
	out->ifindex = ifindex;
	out->addr = *addr;
	return err == -ENOENT ? 0 : err;
}

int netlink_entry_use(struct netlink *netlink, const struct netlink_entry *entry)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message =
		entry_request(buffer, RTM_NEWNEIGH, NLM_F_CREATE, entry->ifindex, &entry->addr);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);

	header->ndm_flags = NTF_USE;
	/* Left out, the mark would be taken off. */
	if (entry->managed)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return request_run(netlink, message, NULL, NULL);
}

/* The kernel takes no state for an entry with the managed mark: the mark goes, and comes back. */
static int entry_set(struct netlink *netlink, const struct netlink_entry *entry, uint16_t state)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *message =
		entry_request(buffer, RTM_NEWNEIGH, 0, entry->ifindex, &entry->addr);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);
	int err;

	header->ndm_state = state;
	err = request_run(netlink, message, NULL, NULL);
	if (!err && entry->managed)
		err = netlink_entry_use(netlink, entry);
	return err;
}

int netlink_entry_probe(struct netlink *netlink, const struct netlink_entry *entry)
{
	return entry_set(netlink, entry, NUD_PROBE);
}

int netlink_entry_forget(struct netlink *netlink, const struct netlink_entry *entry)
{
	int err = entry_set(netlink, entry, NUD_FAILED);

	return err == -ENOENT ? 0 : err;
}

/* ---- notifications ---- */

int netlink_subscribe(struct mnl_socket **out)
{
	static const int groups[] = {
		RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP,
	};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = NOTIFICATION_BUFFER_SIZE;
	size_t i;
	int err;

	if (!socket)
		return -errno;
	/* A smaller buffer only overflows, and is recovered from, more often. */
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
		    0)
			goto fail;
	}
	*out = socket;
	return 0;
fail:
	err = -errno;
	mnl_socket_close(socket);
	return err;
}
