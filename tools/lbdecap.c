/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbdecap: puts the backend's side of the tunnel (bpf/decap.bpf.c) on an interface and tells what
 * came through it.
 *
 * Nothing is pinned: the attached program keeps its maps alive, and `status` finds them through it.
 * So there is nothing to clean up, and the same name of an interface in two network namespaces is
 * no conflict.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bpf/decap_abi.h"
#include "../user/attach.h"
#include "../user/dataplane_log.h"
#include "decap.skel.h"
#include "loader.h"

enum fate { FATE_PASS, FATE_STRIP, FATE_DROP };

static const struct {
	const char *name;
	enum fate fate;
	const char *text;
} ends[DECAP_END_COUNT] = {
#define END(name, fate, text) [DECAP_##name] = {#name, FATE_##fate, text},
	DECAP_ENDS(END)
#undef END
};

/* ---- loading ---- */

static int load_fault(int error, struct fault *fault)
{
	if (loader_permitted("loading the decapsulation", fault))
		return -1;
	dataplane_log_show();
	return fault_set(fault, fault_code_of_errno(error), "loading the decapsulation: %s",
			 strerror(error));
}

static struct decap_bpf *open_copy(const struct loader *loader, struct fault *fault)
{
	struct decap_bpf *copy;

	dataplane_log_begin();
	copy = decap_bpf__open();
	if (!copy) {
		load_fault(errno, fault);
		return NULL;
	}
	if (loader->port)
		copy->rodata->gue_port = htons(loader->port);
	copy->rodata->check_local = loader->local_count > 0;
	return copy;
}

/* What attach asks for: the program in its two forms, on the same maps. */
struct decap {
	const struct loader *loader;
	struct decap_bpf *loaded;
	struct decap_bpf *opened;
};

static struct bpf_object *opened_copy(void *context, struct fault *fault)
{
	struct decap *decap = context;

	decap->opened = open_copy(decap->loader, fault);
	if (!decap->opened)
		return NULL;
	if (bpf_map__reuse_fd(decap->opened->maps.decap_counts,
			      bpf_map__fd(decap->loaded->maps.decap_counts)) ||
	    bpf_map__reuse_fd(decap->opened->maps.decap_locals,
			      bpf_map__fd(decap->loaded->maps.decap_locals))) {
		load_fault(errno, fault);
		return NULL;
	}
	return decap->opened->obj;
}

static int locals_put(const struct decap *decap, struct fault *fault)
{
	const uint8_t one = 1;

	for (size_t i = 0; i < decap->loader->local_count; i++) {
		const struct addr *local = &decap->loader->locals[i];
		struct decap_address key = {.family = local->family};

		memcpy(key.bytes, local->ip.bytes, local->family == 4 ? 4 : 16);
		if (bpf_map_update_elem(bpf_map__fd(decap->loaded->maps.decap_locals), &key, &one,
					BPF_ANY))
			return load_fault(errno, fault);
	}
	return 0;
}

/* ---- attach ---- */

/* The stack takes the larger of the two settings. */
static int rp_filter(const char *interface)
{
	const char *const scopes[] = {"all", interface};
	int worst = 0;

	for (int i = 0; i < 2; i++) {
		char path[96];
		int value = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", scopes[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%d", &value) == 1 && value > worst)
			worst = value;
		fclose(file);
	}
	return worst;
}

static const char *rp_filter_warning(const char *interface)
{
	switch (rp_filter(interface)) {
	case 0:
		return NULL;
	case 2:
		return "rp_filter is 2: inner packets from sources this host has no route to are "
		       "dropped";
	default:
		return "rp_filter is 1: inner packets from sources that this host would not answer "
		       "through this interface are dropped";
	}
}

static void attach_tell(const struct loader *loader, const char *interface,
			const struct attach_result *result)
{
	const char *mode = attach_mode_name(loader->mode), *warning = rp_filter_warning(interface);

	loader_say(loader, "%s: attached in %s mode, program id %u", interface, mode,
		   result->program_id);
	if (result->single)
		loader_note(loader, "attached alone: this kernel refuses libxdp's dispatcher (%s)",
			    result->why_single);
	if (warning)
		loader_note(loader,
			    "%s: %s; `sysctl net.ipv4.conf.all.rp_filter=0 "
			    "net.ipv4.conf.%s.rp_filter=0` lets them in",
			    interface, warning, interface);
	loader_json(loader, json_pack("{s:s, s:s, s:I, s:b, s:o}", "interface", interface, "mode",
				      mode, "program_id", (json_int_t)result->program_id, "single",
				      result->single, "warnings",
				      warning ? json_pack("[s]", warning) : json_array()));
}

static int attach(struct loader *loader, struct fault *fault)
{
	const char *interface = loader->arguments[0];
	struct decap decap = {.loader = loader};
	struct attach_program program = {.object = opened_copy, .context = &decap};
	struct attach_state there;
	struct attach_result result;
	int err;

	if (attach_query(interface, DECAP_PROGRAM_NAME, &there, fault))
		return -1;
	if (there.ours) {
		fault_set(fault, FAULT_CONFLICT,
			  "interface %s: the decapsulation is attached to it already (program id "
			  "%u)",
			  interface, there.program_id);
		return fault_hint(fault, "lbdecap detach %s", interface);
	}
	if (loader_permitted("attaching", fault))
		return -1;
	decap.loaded = open_copy(loader, fault);
	if (!decap.loaded)
		return -1;
	err = -decap_bpf__load(decap.loaded);
	if (err)
		err = load_fault(err, fault);
	else
		err = locals_put(&decap, fault);
	if (!err) {
		program.fd = bpf_program__fd(decap.loaded->progs.limpet_decap);
		err = attach_program(&program, interface, loader->mode, &result, fault);
	}
	if (!err)
		attach_tell(loader, interface, &result);
	decap_bpf__destroy(decap.opened);
	decap_bpf__destroy(decap.loaded);
	return err;
}

/* ---- detach ---- */

/* The state of an interface that has the decapsulation. */
static int find(const char *interface, struct attach_state *there, struct fault *fault)
{
	if (attach_query(interface, DECAP_PROGRAM_NAME, there, fault))
		return -1;
	if (there->ours)
		return 0;
	if (there->present && !there->program_name[0] && loader_permitted("looking", fault))
		return -1;
	fault_set(fault, FAULT_NOT_FOUND,
		  "interface %s: the decapsulation is not attached to it%s%s", interface,
		  there->present ? ", but another XDP program is: " : "", there->program_name);
	return fault_hint(fault, "lbdecap attach %s", interface);
}

static int detach(struct loader *loader, struct fault *fault)
{
	const char *interface = loader->arguments[0];
	struct attach_state there;

	if (find(interface, &there, fault) || loader_permitted("detaching", fault) ||
	    attach_detach(there.program_id, interface, fault))
		return -1;
	loader_say(loader, "%s: detached", interface);
	loader_json(loader, json_pack("{s:s}", "detached", interface));
	return 0;
}

/* ---- status ---- */

/* Sums over the CPUs, by enum decap_end. */
static int counts_read(uint32_t program_id, struct decap_counter *out, struct fault *fault)
{
	int cpus = libbpf_num_possible_cpus(), fd = attach_map_fd(program_id, "decap_counts");
	struct decap_counter *cells = calloc((size_t)cpus, sizeof(*cells));
	int err = fd < 0 ? fd : cells ? 0 : -ENOMEM;

	for (uint32_t end = 0; !err && end < DECAP_END_COUNT; end++) {
		if (bpf_map_lookup_elem(fd, &end, cells))
			err = -errno;
		for (int cpu = 0; !err && cpu < cpus; cpu++) {
			out[end].packets += cells[cpu].packets;
			out[end].bytes += cells[cpu].bytes;
		}
	}
	free(cells);
	if (fd >= 0)
		close(fd);
	return err ? fault_set(fault, fault_code_of_errno(-err),
			       "program id %u: reading its counters: %s", program_id,
			       strerror(-err))
		   : 0;
}

static const char *fate_name(enum fate fate)
{
	static const char *const names[] = {"passed", "decapsulated", "dropped"};

	return names[fate];
}

static void name_lower(const char *name, char out[32])
{
	size_t i;

	for (i = 0; name[i] && i < 31; i++)
		out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
	out[i] = '\0';
}

static void counts_json(const struct loader *loader, const char *interface,
			const struct attach_state *there, const struct decap_counter *counts)
{
	json_t *list = json_array();
	char name[32];

	for (int end = DECAP_CONTINUE + 1; end < DECAP_END_COUNT; end++) {
		name_lower(ends[end].name, name);
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "name", name,
						      "fate", fate_name(ends[end].fate), "packets",
						      (json_int_t)counts[end].packets, "bytes",
						      (json_int_t)counts[end].bytes, "meaning",
						      ends[end].text));
	}
	loader_json(loader, json_pack("{s:s, s:s, s:I, s:b, s:o}", "interface", interface, "mode",
				      attach_mode_name(there->mode), "program_id",
				      (json_int_t)there->program_id, "dispatcher",
				      there->dispatcher, "counters", list));
}

static int status(struct loader *loader, struct fault *fault)
{
	struct decap_counter counts[DECAP_END_COUNT] = {};
	const char *interface = loader->arguments[0];
	struct attach_state there;
	char name[32];

	if (find(interface, &there, fault) || counts_read(there.program_id, counts, fault))
		return -1;
	loader_say(loader, "%s: attached in %s mode, program id %u\n", interface,
		   attach_mode_name(there.mode), there.program_id);
	loader_say(loader, "%-14s %14s %18s  %-16s %s", "FATE", "PACKETS", "BYTES", "KIND",
		   "MEANING");
	for (int end = DECAP_CONTINUE + 1; end < DECAP_END_COUNT; end++) {
		name_lower(ends[end].name, name);
		if (counts[end].packets || loader->output == LOADER_WIDE ||
		    ends[end].fate == FATE_STRIP)
			loader_say(loader, "%-14s %14llu %18llu  %-16s %s",
				   fate_name(ends[end].fate),
				   (unsigned long long)counts[end].packets,
				   (unsigned long long)counts[end].bytes, name, ends[end].text);
	}
	counts_json(loader, interface, &there, counts);
	return 0;
}

/* ---- the program ---- */

static const struct loader_command commands[] = {
	{"attach", "IF", "take outer headers off what comes in there", 1, 1, attach},
	{"detach", "IF", "leave them on again", 1, 1, detach},
	{"status", "IF", "packets by kind, drops with reasons", 1, 1, status},
};

int main(int argc, char **argv)
{
	const struct loader_program lbdecap = {
		.name = "lbdecap",
		.is = "takes the balancer's outer headers off, for backends without tunnel devices",
		.options_text = "  --mode native|generic     native unless asked\n"
				"  --local ADDRESS           only packets to this outer address, "
				"and to others\n"
				"                            given so; absent: to any\n"
				"  --port PORT               of GUE (UDP), 6080\n",
		.options = LOADER_OPTION_LOCAL | LOADER_OPTION_PORT,
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return loader_main(&lbdecap, argc, argv);
}
