/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vip_netlink: see vip_netlink.h. Neighbours: vip. */
#include "vip_netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	/* Who put an address: a number that no routing daemon or the kernel uses. `ip address`
	 * shows it as "proto 76"; kernels before 5.18 know none, and are not ours. */
	VIP_PROTO = 76,
	MESSAGE_SIZE = 32768,
};

struct mnl_socket *vip_netlink_open(void)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return socket;
	if (socket)
		mnl_socket_close(socket);
	return NULL;
}

/* Sends and reads until the end. */
static int talk(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t each, void *context)
{
	char buffer[MESSAGE_SIZE];
	unsigned int port = mnl_socket_get_portid(socket);
	ssize_t size;
	int rc = MNL_CB_OK;

	request->nlmsg_seq = 1;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (rc == MNL_CB_OK) {
		size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (size < 0)
			return -errno;
		rc = mnl_cb_run(buffer, (size_t)size, 1, port, each, context);
	}
	return rc < 0 ? -errno : 0;
}

static bool read_ip(const struct nlattr *attr, uint8_t family, struct addr *out)
{
	size_t size = family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attr) != size)
		return false;
	out->family = family == AF_INET ? 4 : 6;
	memcpy(&out->ip, mnl_attr_get_payload(attr), size);
	return true;
}

static int on_address(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct vip_addresses *out = context;
	struct vip_address one = {.length = header->ifa_prefixlen, .ifindex = header->ifa_index};
	struct vip_address *items;
	const struct nlattr *attr;
	bool local = false;

	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL: /* before IFA_ADDRESS, which is the peer's where there is one */
			local = read_ip(attr, header->ifa_family, &one.addr);
			break;
		case IFA_ADDRESS:
			if (!local)
				read_ip(attr, header->ifa_family, &one.addr);
			break;
		case IFA_PROTO:
			one.ours = mnl_attr_get_u8(attr) == VIP_PROTO;
			break;
		}
	}
	items = realloc(out->items, (out->count + 1) * sizeof(*items));
	if (!items)
		return MNL_CB_ERROR;
	out->items = items;
	items[out->count++] = one;
	return MNL_CB_OK;
}

int vip_netlink_read(struct mnl_socket *socket, struct vip_addresses *out)
{
	char buffer[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct ifaddrmsg))];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	*out = (struct vip_addresses){0};
	request->nlmsg_type = RTM_GETADDR;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->ifa_family = AF_UNSPEC;
	return talk(socket, request, on_address, out);
}

static int change(struct mnl_socket *socket, uint16_t type, uint16_t flags, uint32_t ifindex,
		  const struct addr *addr)
{
	/* Deprecated from the first: IPv6 does not send from such. */
	const struct ifa_cacheinfo lifetime = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
	bool four = addr->family == 4;
	size_t size = four ? 4 : 16;
	char buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	header->ifa_family = four ? AF_INET : AF_INET6;
	header->ifa_prefixlen = four ? 32 : 128;
	/* IPv4 does not send to others from an address that is only for the link. */
	header->ifa_scope = four ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	header->ifa_index = ifindex;
	mnl_attr_put(request, IFA_LOCAL, size, &addr->ip);
	mnl_attr_put(request, IFA_ADDRESS, size, &addr->ip);
	if (type == RTM_NEWADDR) {
		mnl_attr_put_u8(request, IFA_PROTO, VIP_PROTO);
		/* Another node may have it still: it is told, not asked. */
		mnl_attr_put_u32(request, IFA_FLAGS, four ? 0 : IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
		if (!four)
			mnl_attr_put(request, IFA_CACHEINFO, sizeof(lifetime), &lifetime);
	}
	return talk(socket, request, NULL, NULL);
}

int vip_netlink_add(struct mnl_socket *socket, uint32_t ifindex, const struct addr *addr)
{
	return change(socket, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr);
}

int vip_netlink_del(struct mnl_socket *socket, uint32_t ifindex, const struct addr *addr)
{
	return change(socket, RTM_DELADDR, 0, ifindex, addr);
}
