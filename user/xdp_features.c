/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp_features: the generic netlink family "netdev". Its numbers are given here, because the
 * kernel headers of a build host may be older than the kernel it runs on.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <time.h>

#include "xdp_features.h"

enum {
	NETDEV_VERSION = 1,
	NETDEV_DEV_GET = 1,
	NETDEV_ATTR_IFINDEX = 1,
	NETDEV_ATTR_XDP_FEATURES = 3,
};

const char *xdp_feature_name(unsigned bit)
{
	static const char *const names[] = {"basic",
					    "redirect",
					    "redirect-target",
					    "zero-copy",
					    "offload",
					    "multi-buffer",
					    "redirect-target-multi-buffer"};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

struct wanted {
	uint16_t type;
	void *out;
	size_t size;
	int found;
};

static int attribute_take(const struct nlattr *attribute, void *data)
{
	struct wanted *wanted = data;

	if (mnl_attr_get_type(attribute) != wanted->type ||
	    mnl_attr_get_payload_len(attribute) < wanted->size)
		return MNL_CB_OK;
	__builtin_memcpy(wanted->out, mnl_attr_get_payload(attribute), wanted->size);
	wanted->found = 1;
	return MNL_CB_OK;
}

static int message_take(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), attribute_take, data);
}

static struct nlmsghdr *request_begin(char *buffer, uint16_t family, uint8_t command,
				      uint8_t version)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *head;

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = (uint32_t)time(NULL);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->cmd = command;
	head->version = version;
	return message;
}

static int ask(struct mnl_socket *socket, struct nlmsghdr *message, struct wanted *wanted)
{
	char buffer[8192];
	uint32_t sequence = message->nlmsg_seq;
	ssize_t size;
	int status = MNL_CB_OK;

	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (status == MNL_CB_OK) {
		size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (size < 0)
			return -errno;
		status = mnl_cb_run(buffer, (size_t)size, sequence, mnl_socket_get_portid(socket),
				    message_take, wanted);
	}
	if (status < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	return wanted->found ? 0 : -EOPNOTSUPP;
}

int xdp_features(uint32_t ifindex, uint64_t *features)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_GENERIC);
	char buffer[256];
	struct nlmsghdr *message;
	uint16_t family = 0;
	struct wanted id = {CTRL_ATTR_FAMILY_ID, &family, sizeof(family), 0};
	struct wanted bits = {NETDEV_ATTR_XDP_FEATURES, features, sizeof(*features), 0};
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!err) {
		message = request_begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
		mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, "netdev");
		err = ask(socket, message, &id);
	}
	if (!err) {
		message = request_begin(buffer, family, NETDEV_DEV_GET, NETDEV_VERSION);
		mnl_attr_put_u32(message, NETDEV_ATTR_IFINDEX, ifindex);
		err = ask(socket, message, &bits);
	}
	mnl_socket_close(socket);
	return err;
}
