/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* interfaces: see interfaces.h. */
#include "interfaces.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attach.h"
#include "clock.h"
#include "log.h"
#include "neighbour_netlink.h"

enum {
	/* lbload records what it does after the kernel told of it. */
	LOOK_AGAIN_US = 1000 * 1000,
	LOOK_ACCURACY_US = 100 * 1000,
	DOUBT_MS = 500,
};

struct interfaces {
	struct dataplane *dp;
	struct neighbours *neighbours;
	interface_changed changed;
	void *context;
	sd_event_source *again;
	uint64_t doubt_ms; /* since when a program may be gone; CLOCK_MONOTONIC, 0: no such */
	struct interface_state known[INTERFACES_MAX];
	size_t count;
};

/* ---- as they are ---- */

const char *interface_condition_name(enum interface_condition condition)
{
	static const char *const names[] = {
		[INTERFACE_UP] = "up",
		[INTERFACE_DOWN] = "down",
		[INTERFACE_NO_CARRIER] = "no carrier",
		[INTERFACE_NO_PROGRAM] = "program gone",
		[INTERFACE_GONE] = "gone",
		[INTERFACE_BACK] = "back without the program",
		[INTERFACE_ELSEWHERE] = "elsewhere",
	};

	return names[condition];
}

bool interface_attached(const struct interface_state *state)
{
	return state->condition <= INTERFACE_NO_CARRIER || state->condition == INTERFACE_ELSEWHERE;
}

/* The kernel does not let everybody look into a dispatcher, or at names: then what is there is
 * taken for ours. */
static bool program_there(const char *name, uint32_t program_id)
{
	struct attach_state state;

	if (attach_query(name, LB_PROGRAM_NAME, &state, NULL))
		return true;
	if (!state.present)
		return false;
	return state.program_id == program_id || !state.program_name[0] ||
	       attach_is_on(name, program_id);
}

static struct interface_state interface_read(struct netlink *netlink, uint32_t ifindex,
					     const struct lb_attachment *record, uint64_t netns)
{
	struct interface_state state = {.ifindex = ifindex, .mode = record->mode};
	struct netlink_link link;

	snprintf(state.name, sizeof(state.name), "%.15s", record->interface);
	if (record->netns != netns) {
		state.condition = INTERFACE_ELSEWHERE;
		return state;
	}
	if (netlink_link_get(netlink, ifindex, &link)) {
		state.condition = if_nametoindex(state.name) ? INTERFACE_BACK : INTERFACE_GONE;
		return state;
	}
	memcpy(state.name, link.name, sizeof(state.name));
	state.mtu = link.mtu;
	state.peer = link.peer;
	state.condition = !program_there(link.name, record->program_id) ? INTERFACE_NO_PROGRAM
			  : !link.up                                    ? INTERFACE_DOWN
			  : !link.carrier                               ? INTERFACE_NO_CARRIER
									: INTERFACE_UP;
	return state;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct interface_state *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int interfaces_read(struct dataplane *dp, struct interface_state out[INTERFACES_MAX])
{
	struct lb_attachment records[INTERFACES_MAX];
	uint32_t ifindexes[INTERFACES_MAX];
	int count = dataplane_attachments(dp, ifindexes, records, INTERFACES_MAX), err;
	struct netlink netlink;
	struct stat here = {0};

	if (count < 0)
		return count;
	if (count > INTERFACES_MAX)
		count = INTERFACES_MAX;
	err = netlink_open(&netlink);
	if (err)
		return err;
	stat("/proc/self/ns/net", &here);
	for (int i = 0; i < count; i++)
		out[i] = interface_read(&netlink, ifindexes[i], &records[i], here.st_ino);
	netlink_close(&netlink);
	qsort(out, (size_t)count, sizeof(*out), by_ifindex);
	return count;
}

/* ---- what changed ---- */

static void tell_condition(const struct interface_state *before, const struct interface_state *now)
{
	const char *from = interface_condition_name(before->condition);
	const char *to = interface_condition_name(now->condition);

	switch (now->condition) {
	case INTERFACE_GONE:
		log_err("interface %s: %s -> %s, and the data plane's program with it: `lbload "
			"attach %s` when it is back",
			now->name, from, to, now->name);
		break;
	case INTERFACE_BACK:
	case INTERFACE_NO_PROGRAM:
		log_err("interface %s: %s -> %s: no packet is forwarded that comes by it; `lbload "
			"attach %s`",
			now->name, from, to, now->name);
		break;
	case INTERFACE_DOWN:
	case INTERFACE_NO_CARRIER:
		log_warn("interface %s: %s -> %s", now->name, from, to);
		break;
	default:
		log_info("interface %s: %s -> %s", now->name, from, to);
		break;
	}
}

static bool differ(const struct interface_state *a, const struct interface_state *b)
{
	return strcmp(a->name, b->name) != 0 || a->mtu != b->mtu || a->condition != b->condition;
}

static void tell(const struct interface_state *before, const struct interface_state *now)
{
	if (strcmp(before->name, now->name) != 0)
		log_info("interface %s: it is called %s now", before->name, now->name);
	if (before->mtu && now->mtu && before->mtu != now->mtu)
		log_info("interface %s: MTU %u -> %u", now->name, before->mtu, now->mtu);
	if (before->condition != now->condition)
		tell_condition(before, now);
}

static void tell_new(const struct interface_state *now)
{
	const struct interface_state up = {.condition = INTERFACE_UP, .mtu = now->mtu};

	log_info("interface %s: the data plane is attached, in %s mode", now->name,
		 attach_mode_name(now->mode));
	if (now->condition != INTERFACE_UP)
		tell_condition(&up, now);
}

static const struct interface_state *find(const struct interface_state *list, size_t count,
					  uint32_t ifindex)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].ifindex == ifindex)
			return &list[i];
	}
	return NULL;
}

/* A program that is gone may be one that lbload is about to say it has detached: it is so when it
 * was so a while ago, too. */
static bool in_doubt(const struct interfaces *interfaces, const struct interface_state *before,
		     const struct interface_state *now)
{
	if (now->condition != INTERFACE_NO_PROGRAM ||
	    (before && before->condition == INTERFACE_NO_PROGRAM))
		return false;
	return !interfaces->doubt_ms || clock_ms(CLOCK_MONOTONIC) - interfaces->doubt_ms < DOUBT_MS;
}

static void look_again(struct interfaces *interfaces)
{
	sd_event_source_set_time_relative(interfaces->again, LOOK_AGAIN_US);
	sd_event_source_set_enabled(interfaces->again, SD_EVENT_ONESHOT);
}

static void look(struct interfaces *interfaces)
{
	struct interface_state now[INTERFACES_MAX];
	int count = interfaces_read(interfaces->dp, now);
	bool doubt = false;

	if (count < 0) {
		log_debug("interfaces: reading them: %s", strerror(-count));
		return;
	}
	for (int i = 0; i < count; i++) {
		const struct interface_state *before =
			find(interfaces->known, interfaces->count, now[i].ifindex);

		if (in_doubt(interfaces, before, &now[i])) {
			doubt = true;
			now[i].condition = before ? before->condition : INTERFACE_UP;
		}
		if (before && !differ(before, &now[i]))
			continue;
		if (before)
			tell(before, &now[i]);
		else
			tell_new(&now[i]);
		if (interfaces->changed)
			interfaces->changed(interfaces->context, before, &now[i]);
	}
	for (size_t i = 0; i < interfaces->count; i++) {
		if (find(now, (size_t)count, interfaces->known[i].ifindex))
			continue;
		log_info("interface %s: the data plane is detached", interfaces->known[i].name);
		if (interfaces->changed)
			interfaces->changed(interfaces->context, &interfaces->known[i], NULL);
	}
	if (!doubt || !interfaces->doubt_ms)
		interfaces->doubt_ms = doubt ? clock_ms(CLOCK_MONOTONIC) : 0;
	if (doubt)
		look_again(interfaces);
	memcpy(interfaces->known, now, (size_t)count * sizeof(now[0]));
	interfaces->count = (size_t)count;
}

static void on_links(void *context)
{
	struct interfaces *interfaces = context;

	look(interfaces);
	look_again(interfaces);
}

static int on_again(sd_event_source *source, uint64_t due, void *context)
{
	(void)source;
	(void)due;
	look(context);
	return 0;
}

struct interfaces *interfaces_create(sd_event *event, struct dataplane *dp,
				     struct neighbours *neighbours, interface_changed changed,
				     void *context)
{
	struct interfaces *interfaces = calloc(1, sizeof(*interfaces));

	if (!interfaces)
		return NULL;
	interfaces->dp = dp;
	interfaces->neighbours = neighbours;
	if (sd_event_add_time_relative(event, &interfaces->again, CLOCK_MONOTONIC, LOOK_AGAIN_US,
				       LOOK_ACCURACY_US, on_again, interfaces) < 0) {
		free(interfaces);
		return NULL;
	}
	neighbours_on_links(neighbours, on_links, interfaces);
	look(interfaces);
	interfaces->changed = changed;
	interfaces->context = context;
	return interfaces;
}

void interfaces_free(struct interfaces *interfaces)
{
	if (!interfaces)
		return;
	neighbours_on_links(interfaces->neighbours, NULL, NULL);
	sd_event_source_disable_unref(interfaces->again);
	free(interfaces);
}
