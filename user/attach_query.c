/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* attach_query: what is on an interface; the reading half of attach.h. Changes nothing. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "attach.h"
#include "dataplane_log.h"

const char *attach_mode_name(enum lb_attach_mode mode)
{
	return mode == LB_ATTACH_GENERIC ? "generic" : "native";
}

/* Of the interface's programs, notes the one called `name`, else the first. True: look no further.
 */
static bool state_note(struct attach_state *state, uint32_t id, const char *program_name,
		       const char *name)
{
	if (!state->program_id) {
		state->program_id = id;
		snprintf(state->program_name, sizeof(state->program_name), "%s", program_name);
	}
	if (strncmp(program_name, name, sizeof(state->program_name) - 1))
		return false;
	state->ours = true;
	state->program_id = id;
	snprintf(state->program_name, sizeof(state->program_name), "%s", program_name);
	return true;
}

static void program_name_read(uint32_t id, char out[ATTACH_NAME_SIZE])
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	out[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		snprintf(out, ATTACH_NAME_SIZE, "%s", info.name);
	close(fd);
}

/* Looks into libxdp's dispatcher, if the program on the interface is one. */
static void dispatcher_read(uint32_t ifindex, const char *name, struct attach_state *state)
{
	struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *each = NULL;

	if (libxdp_get_error(programs))
		return;
	state->dispatcher = !xdp_multiprog__is_legacy(programs);
	while (state->dispatcher && (each = xdp_multiprog__next_prog(each, programs)))
		if (state_note(state, xdp_program__id(each), xdp_program__name(each), name))
			break;
	xdp_multiprog__close(programs);
}

int attach_query(const char *interface, const char *name, struct attach_state *state,
		 struct fault *fault)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t ifindex = if_nametoindex(interface);
	char program_name[ATTACH_NAME_SIZE];
	uint32_t id;
	int err;

	memset(state, 0, sizeof(*state));
	if (!ifindex) {
		fault_set(fault, FAULT_NOT_FOUND, "interface %s: there is no such interface",
			  interface);
		return fault_hint(fault, "`ip link` lists those of this network namespace");
	}
	dataplane_log_begin();
	err = -bpf_xdp_query((int)ifindex, 0, &query);
	if (err)
		return fault_set(fault, fault_code_of_errno(err),
				 "interface %s: asking for its XDP programs: %s", interface,
				 strerror(err));
	id = query.drv_prog_id ? query.drv_prog_id : query.prog_id;
	id = id ? id : query.skb_prog_id;
	id = id ? id : query.hw_prog_id;
	if (!id)
		return 0;
	state->present = true;
	state->mode = id == query.skb_prog_id ? LB_ATTACH_GENERIC : LB_ATTACH_NATIVE;
	dispatcher_read(ifindex, name, state);
	if (!state->dispatcher) {
		program_name_read(id, program_name);
		state_note(state, id, program_name, name);
	}
	return 0;
}

bool attach_is_on(const char *interface, uint32_t program_id)
{
	struct xdp_multiprog *programs;
	struct xdp_program *each = NULL;
	struct attach_state state;
	bool found = false;

	if (attach_query(interface, "", &state, NULL))
		return false;
	/* Who may not look at programs (lbd has no CAP_SYS_ADMIN) sees that there is one, which may
	 * be the dispatcher that calls it. */
	if (!state.dispatcher)
		return state.present && (state.program_id == program_id || !state.program_name[0]);
	programs = xdp_multiprog__get_from_ifindex((int)if_nametoindex(interface));
	if (libxdp_get_error(programs))
		return false;
	while (!found && (each = xdp_multiprog__next_prog(each, programs)))
		found = xdp_program__id(each) == program_id;
	xdp_multiprog__close(programs);
	return found;
}

int attach_map_fd(uint32_t program_id, const char *name)
{
	uint32_t maps[64] = {};
	struct bpf_prog_info info = {.map_ids = (uintptr_t)maps, .nr_map_ids = 64};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id), err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &size) ? -errno : -ENOENT;
	close(fd);
	for (uint32_t i = 0; err == -ENOENT && i < info.nr_map_ids && i < 64; i++) {
		struct bpf_map_info map = {};

		size = sizeof(map);
		fd = bpf_map_get_fd_by_id(maps[i]);
		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &map, &size) && !strcmp(map.name, name))
			return fd;
		close(fd);
	}
	return err;
}

int attach_instance(uint32_t program_id, struct lb_settings *settings)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info), zero = 0;
	int fd = attach_map_fd(program_id, "settings");
	bool found;

	if (fd < 0)
		return fd;
	found = !bpf_obj_get_info_by_fd(fd, &info, &size) && info.max_entries == 1 &&
		info.value_size == sizeof(*settings) && !bpf_map_lookup_elem(fd, &zero, settings);
	close(fd);
	return found ? 0 : -ENOENT;
}
