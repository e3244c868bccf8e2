/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach: the writing half of attach.h: two roads, libxdp's dispatcher and the kernel's plain
 * attachment, and what their errors mean.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "attach.h"
#include "capability.h"
#include "dataplane_log.h"

static uint32_t mode_flag(enum lb_attach_mode mode)
{
	return mode == LB_ATTACH_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static enum xdp_attach_mode mode_libxdp(enum lb_attach_mode mode)
{
	return mode == LB_ATTACH_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
}

/* ---- errors in the user's words ---- */

static int fault_busy(struct fault *fault, const char *interface)
{
	struct attach_state there;

	if (attach_query(interface, "", &there, NULL) || !there.present) {
		fault_set(fault, FAULT_CONFLICT,
			  "interface %s: busy: another XDP program was being attached", interface);
		return fault_hint(fault, "try again; `ip -d link show %s` shows what is there",
				  interface);
	}
	fault_set(fault, FAULT_CONFLICT,
		  "interface %s: busy: the XDP program `%s` (id %u, %s) is attached to it",
		  interface, there.program_name, there.program_id, attach_mode_name(there.mode));
	return fault_hint(fault,
			  "take it off with the tool that attached it, or with `ip link set dev %s "
			  "%s off`",
			  interface, there.mode == LB_ATTACH_GENERIC ? "xdpgeneric" : "xdpdrv");
}

static int fault_permission(struct fault *fault, const char *interface, int error)
{
	const char *lacking = capability_lacking();

	fault_set(fault, FAULT_PERMISSION, "interface %s: attaching: %s%s%s", interface,
		  strerror(error), lacking ? ", lacking " : "", lacking ? lacking : "");
	return fault_hint(fault, "run it as root");
}

static int interface_mtu(const char *interface)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd >= 0 && !ioctl(fd, SIOCGIFMTU, &request))
		mtu = request.ifr_mtu;
	if (fd >= 0)
		close(fd);
	return mtu;
}

static int fault_mtu(struct fault *fault, const char *interface, const char *why)
{
	fault_set(fault, FAULT_FAILED,
		  "interface %s: attaching in native mode: the MTU (%d here) is too large: %s",
		  interface, interface_mtu(interface), why);
	return fault_hint(fault, "a driver without XDP for several buffers takes packets of one "
				 "page, an MTU of 3498 in most; or attach with --mode generic "
				 "(slower)");
}

/* `why`: the driver's own words, or NULL. */
static int fault_native(struct fault *fault, const char *interface, int error, const char *why)
{
	bool veth = why && !strncasecmp(why, "veth", 4);

	if (why && strcasestr(why, "mtu"))
		return fault_mtu(fault, interface, why);
	if (why && strcasestr(why, "queue")) {
		fault_set(fault, FAULT_FAILED,
			  "interface %s: attaching in native mode: too few queues: %s", interface,
			  why);
		return fault_hint(fault, "`ethtool -L %s rx N` with as many as %s", interface,
				  veth ? "its peer has tx queues" : "the driver asks for");
	}
	fault_set(fault, FAULT_FAILED, "interface %s: attaching in native mode: %s%s", interface,
		  error == EOPNOTSUPP ? "its driver cannot: " : "", why ? why : strerror(error));
	return fault_hint(fault, "%sattach with --mode generic (slower)",
			  error == EOPNOTSUPP ? "" : "its MTU or number of queues may matter; or ");
}

/* `error` is a positive errno; the kernel's own words are in the log. */
static int fault_attach(struct fault *fault, const char *interface, enum lb_attach_mode mode,
			int error)
{
	const char *why = dataplane_log_find("Kernel error message: ");
	char copy[160];

	if (error == EPERM || error == EACCES)
		return fault_permission(fault, interface, error);
	if (error == EBUSY || error == EEXIST)
		return fault_busy(fault, interface);
	snprintf(copy, sizeof(copy), "%s", why ? why : "");
	if (mode == LB_ATTACH_NATIVE)
		return fault_native(fault, interface, error, why ? copy : NULL);
	return fault_set(fault, FAULT_FAILED, "interface %s: attaching in generic mode: %s",
			 interface, why ? copy : strerror(error));
}

static int fault_not_there(struct fault *fault, const char *interface, uint32_t id)
{
	fault_set(fault, FAULT_NOT_FOUND,
		  "interface %s: the program (id %u) is not attached to it any more", interface,
		  id);
	return fault_hint(fault, "`ip -d link show %s` shows what is", interface);
}

/* ---- alone ---- */

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static int alone_attach(int fd, const char *interface, enum lb_attach_mode mode,
			struct fault *fault)
{
	int err;

	dataplane_log_begin();
	err = bpf_xdp_attach((int)if_nametoindex(interface), fd,
			     XDP_FLAGS_UPDATE_IF_NOEXIST | mode_flag(mode), NULL);
	return err ? fault_attach(fault, interface, mode, -err) : 0;
}

/* Puts `fd` in the place of program `old_id`; -1 takes it off. */
static int alone_swap(int fd, uint32_t old_id, const char *interface, enum lb_attach_mode mode,
		      struct fault *fault)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = bpf_prog_get_fd_by_id(old_id));
	int err;

	if (opts.old_prog_fd < 0)
		return errno == ENOENT ? fault_not_there(fault, interface, old_id)
				       : fault_attach(fault, interface, mode, errno);
	dataplane_log_begin();
	err = bpf_xdp_attach((int)if_nametoindex(interface), fd,
			     XDP_FLAGS_REPLACE | mode_flag(mode), &opts);
	close(opts.old_prog_fd);
	return err ? fault_attach(fault, interface, mode, -err) : 0;
}

const char *attach_why_single(void)
{
	static char why[96];
	/* Where extensions are allowed, this one is refused for what it wants to extend. */
	struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
				     {.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .attach_btf_id = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_EXT, "limpet_ext", "GPL", nothing, 2, &opts);

	if (fd >= 0)
		close(fd);
	else if (errno == EPERM || errno == EACCES) {
		snprintf(why, sizeof(why), "extension programs are refused: %s", strerror(errno));
		return why;
	}
	return NULL;
}

/* ---- in libxdp's dispatcher ---- */

/* Binds the object's `settings`, if it has some, to its program, as dataplane does with its own. */
static void settings_bind(struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__next_program(object, NULL);
	int map = bpf_object__find_map_fd_by_name(object, "settings");

	if (program && map >= 0)
		bpf_prog_bind_map(bpf_program__fd(program), map, NULL);
}

static int dispatcher_attach(const struct attach_program *program, const char *interface,
			     enum lb_attach_mode mode, struct attach_result *result,
			     struct fault *fault)
{
	struct bpf_object *object = program->object(program->context, fault);
	uint32_t ifindex = if_nametoindex(interface);
	struct xdp_program *copy;
	struct attach_state now;
	const char *why;
	int err;

	if (!object)
		return -1;
	dataplane_log_begin();
	copy = xdp_program__from_bpf_obj(object, NULL);
	err = -(int)libxdp_get_error(copy);
	if (err)
		return fault_attach(fault, interface, mode, err);
	err = -xdp_program__attach(copy, (int)ifindex, mode_libxdp(mode), 0);
	if (!err)
		result->program_id = xdp_program__id(copy);
	xdp_program__close(copy);
	if (err)
		return fault_attach(fault, interface, mode, err);
	settings_bind(object);
	/* libxdp attaches alone where its dispatcher does not work, and tells only its log. */
	why = dataplane_log_find("Compatibility check for dispatcher program failed: ");
	if (!why)
		why = dataplane_log_find("libxdp: ");
	snprintf(result->why_single, sizeof(result->why_single), "%s", why ? why : "");
	if (attach_query(interface, "", &now, fault))
		return -1;
	result->single = !now.dispatcher;
	if (result->single)
		result->program_id = now.program_id;
	return 0;
}

static int dispatcher_detach(uint32_t id, const char *interface, enum lb_attach_mode mode,
			     struct fault *fault)
{
	struct xdp_program *program = xdp_program__from_id(id);
	int err = -(int)libxdp_get_error(program);

	if (err)
		return err == ENOENT ? fault_not_there(fault, interface, id)
				     : fault_attach(fault, interface, mode, err);
	dataplane_log_begin();
	err = -xdp_program__detach(program, (int)if_nametoindex(interface), mode_libxdp(mode), 0);
	xdp_program__close(program);
	if (!err)
		return 0;
	return err == ENOENT ? fault_not_there(fault, interface, id)
			     : fault_attach(fault, interface, mode, err);
}

/* ---- attach.h ---- */

int attach_program(const struct attach_program *program, const char *interface,
		   enum lb_attach_mode mode, struct attach_result *result, struct fault *fault)
{
	const char *why_single;
	struct attach_state there;

	memset(result, 0, sizeof(*result));
	if (attach_query(interface, "", &there, fault))
		return -1;
	if (there.present && (!there.dispatcher || there.mode != mode))
		return fault_busy(fault, interface);
	if (capability_lacking())
		return fault_permission(fault, interface, EPERM);
	why_single = attach_why_single();
	if (!why_single)
		return dispatcher_attach(program, interface, mode, result, fault);
	if (alone_attach(program->fd, interface, mode, fault))
		return -1;
	result->single = true;
	result->program_id = program_id(program->fd);
	snprintf(result->why_single, sizeof(result->why_single), "%s", why_single);
	return 0;
}

int attach_replace(const struct attach_program *program, uint32_t old_id, const char *interface,
		   struct attach_result *result, struct fault *fault)
{
	struct attach_state there;

	memset(result, 0, sizeof(*result));
	if (attach_query(interface, "", &there, fault))
		return -1;
	if (!attach_is_on(interface, old_id))
		return fault_not_there(fault, interface, old_id);
	if (there.dispatcher) {
		if (dispatcher_attach(program, interface, there.mode, result, fault))
			return -1;
		return dispatcher_detach(old_id, interface, there.mode, fault);
	}
	if (alone_swap(program->fd, old_id, interface, there.mode, fault))
		return -1;
	result->single = true;
	result->program_id = program_id(program->fd);
	return 0;
}

int attach_detach(uint32_t id, const char *interface, struct fault *fault)
{
	struct attach_state there;

	if (attach_query(interface, "", &there, fault))
		return -1;
	if (!attach_is_on(interface, id))
		return fault_not_there(fault, interface, id);
	if (there.dispatcher)
		return dispatcher_detach(id, interface, there.mode, fault);
	return alone_swap(-1, id, interface, there.mode, fault);
}

int attach_try(const char *interface, enum lb_attach_mode mode, struct fault *fault)
{
	struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT}};
	int err, fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "limpet_probe", "GPL", pass, 2, NULL);

	if (fd < 0)
		return fault_attach(fault, interface, mode, errno);
	err = alone_attach(fd, interface, mode, fault);
	if (!err)
		err = alone_swap(-1, program_id(fd), interface, mode, fault);
	close(fd);
	return err;
}
