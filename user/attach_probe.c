/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* attach_probe: see attach_probe.h. */
#include "attach_probe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "dataplane_log.h"

enum {
	PRIORITY = 60, /* among the filters of the interface; the first one that decides ends it */
	ANSWER_SIZE = 32768,
};

static struct bpf_tc_hook hook_of(const char *interface)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = (int)if_nametoindex(interface),
				    .attach_point = BPF_TC_EGRESS};
}

static struct bpf_tc_opts opts_of(uint32_t mark)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts), .handle = mark >> 16, .priority = PRIORITY};
}

static int fault_probe(struct fault *fault, const char *interface, const char *attempt, int error)
{
	return fault_set(fault, fault_code_of_errno(error), "interface %s: %s: %s", interface,
			 attempt, strerror(error));
}

int attach_probe(const char *interface, int program_fd, uint32_t mark, struct fault *fault)
{
	struct bpf_tc_hook hook = hook_of(interface);
	struct bpf_tc_opts opts = opts_of(mark);
	int err;

	opts.prog_fd = program_fd;
	opts.flags = BPF_TC_F_REPLACE;
	dataplane_log_begin();
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return fault_probe(fault, interface, "adding the qdisc clsact", -err);
	err = bpf_tc_attach(&hook, &opts);
	return err ? fault_probe(fault, interface, "attaching the program of probes", -err) : 0;
}

/* ---- taking it off ---- */

static int count_filter(const struct nlmsghdr *message, void *context)
{
	*(unsigned *)context += message->nlmsg_type == RTM_NEWTFILTER;
	return MNL_CB_OK;
}

/* How many filters clsact has at `parent`; a failure counts as one, so that nothing of others goes.
 */
static unsigned filter_count(int ifindex, uint32_t parent)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buffer[ANSWER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	unsigned count = 0;
	struct tcmsg *head;
	ssize_t size = -1;
	int step = MNL_CB_OK;

	message->nlmsg_type = RTM_GETTFILTER;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->tcm_ifindex = ifindex;
	head->tcm_parent = parent;
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		step = MNL_CB_ERROR;
	while (step == MNL_CB_OK) {
		size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		step = size < 0 ? MNL_CB_ERROR
				: mnl_cb_run(buffer, (size_t)size, 1, mnl_socket_get_portid(socket),
					     count_filter, &count);
	}
	if (socket)
		mnl_socket_close(socket);
	return step == MNL_CB_STOP ? count : 1;
}

int attach_probe_off(const char *interface, uint32_t mark, struct fault *fault)
{
	struct bpf_tc_hook hook = hook_of(interface);
	struct bpf_tc_opts opts = opts_of(mark);
	int err;

	if (!attach_probe_id(interface, mark))
		return 0;
	dataplane_log_begin();
	err = bpf_tc_detach(&hook, &opts);
	if (err && err != -ENOENT)
		return fault_probe(fault, interface, "detaching the program of probes", -err);
	if (filter_count(hook.ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)) ||
	    filter_count(hook.ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)))
		return 0;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	err = bpf_tc_hook_destroy(&hook);
	return err && err != -ENOENT
		       ? fault_probe(fault, interface, "removing the qdisc clsact", -err)
		       : 0;
}

uint32_t attach_probe_id(const char *interface, uint32_t mark)
{
	struct bpf_tc_hook hook = hook_of(interface);
	struct bpf_tc_opts opts = opts_of(mark);

	dataplane_log_begin();
	return hook.ifindex && !bpf_tc_query(&hook, &opts) ? opts.prog_id : 0;
}
