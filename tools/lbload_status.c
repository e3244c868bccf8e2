/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbload status: what was attached, and what the kernel says is there now. Changes nothing. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../user/attach.h"
#include "../user/attach_probe.h"
#include "lbload.h"

static int by_ifindex(const void *a, const void *b)
{
	const struct lbload_attachment *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

/* Compares the record with what the kernel says. */
static void attachment_judge(const struct dataplane *dp, struct lbload_attachment *a)
{
	struct attach_state now;
	char name[IF_NAMESIZE];

	snprintf(a->interface, sizeof(a->interface), "%s", a->record.interface);
	if (a->record.netns != loader_netns()) {
		a->where = LBLOAD_ELSEWHERE;
		snprintf(a->why, sizeof(a->why), "it is in another network namespace (%llu)",
			 (unsigned long long)a->record.netns);
		return;
	}
	a->where = LBLOAD_GONE;
	if (!if_indextoname(a->ifindex, name)) {
		snprintf(a->why, sizeof(a->why), "the interface is gone");
		return;
	}
	snprintf(a->interface, sizeof(a->interface), "%s", name);
	a->probe_id = attach_probe_id(name, dataplane_probe_mark(dp));
	if (attach_is_on(name, a->record.program_id))
		a->where = LBLOAD_ATTACHED;
	else if (!attach_query(name, LB_PROGRAM_NAME, &now, NULL) && now.present)
		snprintf(a->why, sizeof(a->why),
			 "another program was put in its place: `%s` (id %u)", now.program_name,
			 now.program_id);
	else
		snprintf(a->why, sizeof(a->why), "the program was taken off by hand");
}

int lbload_attachments(struct dataplane *dp, struct lbload_attachment *out, struct fault *fault)
{
	uint32_t ifindexes[LBLOAD_ATTACHMENTS_MAX];
	struct lb_attachment records[LBLOAD_ATTACHMENTS_MAX];
	int count = dataplane_attachments(dp, ifindexes, records, LBLOAD_ATTACHMENTS_MAX);

	if (count < 0)
		return fault_set(fault, FAULT_FAILED,
				 "data plane: reading what it is attached to: %s",
				 strerror(-count));
	for (int i = 0; i < count; i++) {
		out[i] = (struct lbload_attachment){.ifindex = ifindexes[i], .record = records[i]};
		attachment_judge(dp, &out[i]);
	}
	qsort(out, (size_t)count, sizeof(*out), by_ifindex);
	return count;
}

static const char *where_name(enum lbload_where where)
{
	static const char *const names[] = {
		[LBLOAD_ATTACHED] = "attached",
		[LBLOAD_GONE] = "gone",
		[LBLOAD_ELSEWHERE] = "elsewhere",
	};

	return names[where];
}

static const char *time_text(uint64_t ns, char out[32])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm utc;

	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	return out;
}

static json_t *attachment_json(const struct lbload_attachment *a, const struct lb_settings *s)
{
	char when[32];
	json_t *json = json_pack(
		"{s:s, s:I, s:s, s:I, s:s, s:I, s:s, s:s, s:s, s:o}", "interface", a->interface,
		"ifindex", (json_int_t)a->ifindex, "mode", attach_mode_name(a->record.mode),
		"program_id", (json_int_t)a->record.program_id, "pin_dir", s->pin_dir, "layout",
		(json_int_t)s->layout, "version", s->version, "state", where_name(a->where),
		"attached_at", time_text(a->record.attached_ns, when), "probe_program_id",
		a->probe_id ? json_integer(a->probe_id) : json_null());

	if (a->where != LBLOAD_ATTACHED)
		json_object_set_new(json, "why", json_string(a->why));
	return json;
}

static json_t *limits_json(const struct lb_limits *l)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "flows", (json_int_t)l->flows,
			 "clients", (json_int_t)l->clients, "nat_flows", (json_int_t)l->nat_flows,
			 "backends", (json_int_t)l->backends, "services", (json_int_t)l->services,
			 "slots", (json_int_t)l->slots, "counters", (json_int_t)l->counters);
}

static void status_json(const struct loader *loader, struct dataplane *dp,
			const struct lbload_attachment *all, int count)
{
	const struct lb_settings *s = dataplane_settings(dp);
	json_t *list = json_array();
	char when[32];

	for (int i = 0; i < count; i++)
		json_array_append_new(list, attachment_json(&all[i], s));
	loader_json(loader, json_pack("{s:o, s:s, s:I, s:s, s:s, s:o, s:I}", "attachments", list,
				      "pin_dir", s->pin_dir, "layout", (json_int_t)s->layout,
				      "version", s->version, "made_at", time_text(s->made_ns, when),
				      "limits", limits_json(&s->limits), "kernel_memory_bytes",
				      (json_int_t)dataplane_memory_bytes(dp)));
}

static void status_table(const struct loader *loader, struct dataplane *dp,
			 const struct lbload_attachment *all, int count)
{
	const struct lb_settings *s = dataplane_settings(dp);
	const struct lb_limits *l = &s->limits;
	char when[32];

	loader_say(loader, "%-16s %-8s %-10s %-9s %s", "INTERFACE", "MODE", "PROGRAM-ID", "STATE",
		   "SINCE");
	for (int i = 0; i < count; i++)
		loader_say(loader, "%-16s %-8s %-10u %-9s %s", all[i].interface,
			   attach_mode_name(all[i].record.mode), all[i].record.program_id,
			   where_name(all[i].where), time_text(all[i].record.attached_ns, when));
	loader_say(loader, "\npins in %s, layout %u, version %s, made %s", s->pin_dir, s->layout,
		   s->version, time_text(s->made_ns, when));
	loader_say(loader, "maps take %.1f MiB of kernel memory",
		   (double)dataplane_memory_bytes(dp) / (1 << 20));
	if (loader->output == LOADER_WIDE)
		loader_say(loader,
			   "limits: flows %u, clients %u, backends %u, services %u, slots %u, "
			   "counters %u",
			   l->flows, l->clients, l->backends, l->services, l->slots, l->counters);
}

int lbload_status(struct loader *loader, struct fault *fault)
{
	struct lbload_attachment all[LBLOAD_ATTACHMENTS_MAX];
	struct dataplane *dp = dataplane_open(lbload_pin_dir(loader), false, fault);
	int count;

	if (!dp)
		return -1;
	count = lbload_attachments(dp, all, fault);
	if (count >= 0 && loader->output == LOADER_JSON)
		status_json(loader, dp, all, count);
	else if (count >= 0)
		status_table(loader, dp, all, count);
	for (int i = 0; i < count; i++) {
		if (all[i].where != LBLOAD_ATTACHED)
			loader_note(loader, "%s: %s", all[i].interface, all[i].why);
		else if (!all[i].probe_id)
			loader_note(loader,
				    "%s: the program of probes is not on it: checks through the "
				    "tunnel cannot leave by it (`lbload replace %s` puts it there)",
				    all[i].interface, all[i].interface);
	}
	dataplane_close(dp);
	return count < 0 ? -1 : 0;
}
