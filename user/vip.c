/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vip: see vip.h. Neighbours: vip_wanted (which addresses, pure), vip_netlink (the kernel's),
 * vip_announce (frames), vip_node (the state that is kept). The controller tells when to look.
 */
#include "vip.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "clock.h"
#include "dataplane.h"
#include "vip_announce.h"
#include "vip_netlink.h"
#include "vip_node.h"
#include "vip_wanted.h"
#include <libmnl/libmnl.h>

enum {
	INTERFACES_MAX = 64,
	/* Somebody else may take an address off, and a link that goes down loses those of IPv6. */
	LOOK_INTERVAL_US = 5 * 1000 * 1000,
	/* One frame may be lost, or the neighbours' switch not yet be listening. */
	ANNOUNCEMENTS = 3,
	ANNOUNCE_INTERVAL_US = 1000 * 1000,
};

struct announcement {
	struct addr addr;
	uint32_t ifindex;
	int left;
};

/* Interfaces that the data plane is on. */
struct attached {
	uint32_t ifindexes[INTERFACES_MAX];
	size_t count;
};

struct vips {
	struct dataplane *dp;
	char *node_path;
	enum node_state node;
	struct mnl_socket *socket;
	struct vip_wanted wanted; /* as of the last look */
	struct vip_addresses there;
	struct attached attached; /* likewise */
	bool looked;
	struct announcement *announcements;
	size_t announcement_count;
	sd_event_source *announce_timer;
	sd_event_source *look_timer;
	struct log_limit complaints;
};

static const char *interface_name(uint32_t ifindex, char out[IF_NAMESIZE])
{
	if (!if_indextoname(ifindex, out))
		snprintf(out, IF_NAMESIZE, "%u", ifindex);
	return out;
}

static void complain(struct vips *vips, const struct addr *addr, uint32_t ifindex,
		     const char *attempt, int error)
{
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE];
	uint32_t suppressed;

	if (log_allowed(&vips->complaints, clock_ms(CLOCK_MONOTONIC), &suppressed))
		log_err("VIP %s: %s %s: %s", addr_format(addr, text), attempt,
			interface_name(ifindex, name), strerror(error));
}

/* ---- announcing ---- */

static int on_announce(sd_event_source *source, uint64_t due, void *context)
{
	struct vips *vips = context;
	size_t kept = 0;

	(void)due;
	for (size_t i = 0; i < vips->announcement_count; i++) {
		struct announcement *one = &vips->announcements[i];
		int err = vip_announce(one->ifindex, &one->addr);

		if (err < 0 && one->left == ANNOUNCEMENTS)
			complain(vips, &one->addr, one->ifindex, "announcing it on", -err);
		if (--one->left > 0)
			vips->announcements[kept++] = *one;
	}
	vips->announcement_count = kept;
	if (!kept)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_time_relative(source, ANNOUNCE_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void announce(struct vips *vips, uint32_t ifindex, const struct addr *addr)
{
	size_t count = vips->announcement_count + 1;
	struct announcement *items = realloc(vips->announcements, count * sizeof(*items));

	if (!items)
		return;
	vips->announcements = items;
	items[vips->announcement_count++] =
		(struct announcement){.addr = *addr, .ifindex = ifindex, .left = ANNOUNCEMENTS};
	/* At once; those that were begun before come again with it. */
	sd_event_source_set_time_relative(vips->announce_timer, 0);
	sd_event_source_set_enabled(vips->announce_timer, SD_EVENT_ONESHOT);
}

static void announce_no_more(struct vips *vips, uint32_t ifindex, const struct addr *addr)
{
	for (size_t i = 0; i < vips->announcement_count; i++) {
		struct announcement *one = &vips->announcements[i];

		if (one->ifindex == ifindex && addr_equal(&one->addr, addr)) {
			*one = vips->announcements[--vips->announcement_count];
			return;
		}
	}
}

/* ---- making it so ---- */

static bool is_attached(const struct attached *attached, uint32_t ifindex)
{
	for (size_t i = 0; i < attached->count; i++) {
		if (attached->ifindexes[i] == ifindex)
			return true;
	}
	return false;
}

static const struct vip_address *find_there(const struct vips *vips, uint32_t ifindex,
					    const struct addr *addr)
{
	for (size_t i = 0; i < vips->there.count; i++) {
		const struct vip_address *one = &vips->there.items[i];

		if (one->ifindex == ifindex && addr_equal(&one->addr, addr))
			return one;
	}
	return NULL;
}

/* Whether another address of the interface has a prefix that `vip` lies under. */
static bool is_on_link(const struct vips *vips, uint32_t ifindex, const struct addr *vip)
{
	for (size_t i = 0; i < vips->there.count; i++) {
		const struct vip_address *one = &vips->there.items[i];
		struct addr network, other;

		if (one->ifindex != ifindex || one->ours || one->addr.family != vip->family ||
		    one->length == (vip->family == 4 ? 32 : 128))
			continue;
		network = addr_mask(&one->addr, one->length);
		other = addr_mask(vip, one->length);
		if (addr_equal(&network, &other))
			return true;
	}
	return false;
}

/* Where it belongs: interfaces on whose link it is, or all if there is no such. */
static bool belongs_on(const struct vips *vips, uint32_t ifindex, const struct addr *vip)
{
	bool anywhere = false;

	for (size_t i = 0; i < vips->attached.count; i++)
		anywhere = anywhere || is_on_link(vips, vips->attached.ifindexes[i], vip);
	return !anywhere || is_on_link(vips, ifindex, vip);
}

static void put(struct vips *vips, uint32_t ifindex, const struct addr *vip)
{
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE];
	int err = vip_netlink_add(vips->socket, ifindex, vip);

	if (err == -EEXIST)
		return; /* somebody was faster: theirs */
	if (err < 0) {
		complain(vips, vip, ifindex, "putting it on", -err);
		return;
	}
	log_info("VIP %s: put on %s", addr_format(vip, text), interface_name(ifindex, name));
	announce(vips, ifindex, vip);
}

static void take_off(struct vips *vips, const struct vip_address *one, const char *why)
{
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE];
	int err = vip_netlink_del(vips->socket, one->ifindex, &one->addr);

	announce_no_more(vips, one->ifindex, &one->addr);
	if (err < 0 && err != -EADDRNOTAVAIL)
		complain(vips, &one->addr, one->ifindex, "taking it off", -err);
	else
		log_info("VIP %s: taken off %s: %s", addr_format(&one->addr, text),
			 interface_name(one->ifindex, name), why);
}

static void interfaces_read(struct vips *vips)
{
	struct lb_attachment attachments[INTERFACES_MAX];
	struct attached *attached = &vips->attached;
	int count =
		dataplane_attachments(vips->dp, attached->ifindexes, attachments, INTERFACES_MAX);

	attached->count = count < 0 ? 0 : count > INTERFACES_MAX ? INTERFACES_MAX : (size_t)count;
}

static int addresses_read(struct vips *vips)
{
	struct vip_addresses there;
	int err = vip_netlink_read(vips->socket, &there);

	if (err < 0) {
		free(there.items);
		return err;
	}
	free(vips->there.items);
	vips->there = there;
	return 0;
}

/* The interface asked about last: the kernel lists addresses by interface. */
struct asked {
	uint32_t ifindex;
	bool left_alone;
};

/* No instance's program is there: who put an address on it is detached, or ended before. */
static bool is_left_alone(struct asked *asked, uint32_t ifindex)
{
	struct attach_state state;
	char name[IF_NAMESIZE];
	struct fault fault;

	if (asked->ifindex != ifindex)
		*asked = (struct asked){.ifindex = ifindex,
					.left_alone = if_indextoname(ifindex, name) &&
						      !attach_query(name, "", &state, &fault) &&
						      !state.present};
	return asked->left_alone;
}

/* Why an address of ours is to go; NULL: it is not, or is another instance's. */
static const char *why_not(const struct vips *vips, const struct attached *before,
			   const struct vip_address *one, struct asked *asked)
{
	const char *why = vip_wanted_not(&vips->wanted, &one->addr);

	if (is_attached(&vips->attached, one->ifindex)) {
		if (why[0])
			return why;
		return belongs_on(vips, one->ifindex, &one->addr)
			       ? NULL
			       : "it belongs to another interface";
	}
	if (!why[0] && is_attached(before, one->ifindex))
		return "the data plane is detached from it";
	return is_left_alone(asked, one->ifindex)
		       ? "it was left behind: no program is attached there"
		       : NULL;
}

/* Both ways, by what the kernel says now. */
static void look(struct vips *vips)
{
	struct attached before = vips->attached;
	struct asked asked = {0};

	interfaces_read(vips);
	if (addresses_read(vips) < 0) {
		vips->attached = before;
		return;
	}
	for (size_t i = 0; i < vips->there.count; i++) {
		const struct vip_address *one = &vips->there.items[i];
		const char *why = one->ours ? why_not(vips, &before, one, &asked) : NULL;

		if (why)
			take_off(vips, one, why);
	}
	for (size_t i = 0; i < vips->wanted.count; i++) {
		const struct vip_want *want = &vips->wanted.items[i];

		for (size_t n = 0; !want->why_not[0] && n < vips->attached.count; n++) {
			uint32_t ifindex = vips->attached.ifindexes[n];

			if (!find_there(vips, ifindex, &want->addr) &&
			    belongs_on(vips, ifindex, &want->addr))
				put(vips, ifindex, &want->addr);
		}
	}
	addresses_read(vips);
	vips->looked = true;
}

static int on_look(sd_event_source *source, uint64_t due, void *context)
{
	(void)due;
	look(context);
	sd_event_source_set_time_relative(source, LOOK_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void vips_look(struct vips *vips)
{
	if (vips->wanted.count)
		look(vips);
}

void vips_follow(struct vips *vips, const struct model *model)
{
	struct vip_wanted wanted = {0};
	bool used = model->global.vip == VIP_INTERFACE;

	if (!used && vips->looked && !vips->wanted.count)
		return; /* nobody wants any, and what an lbd before this one left is gone */
	if (vip_wanted_read(&wanted, model, vips->node == NODE_DRAIN) < 0)
		return;
	if (vips->looked && vip_wanted_equal(&vips->wanted, &wanted)) {
		vip_wanted_destroy(&wanted);
		return;
	}
	vip_wanted_destroy(&vips->wanted);
	vips->wanted = wanted;
	look(vips);
	sd_event_source_set_time_relative(vips->look_timer, LOOK_INTERVAL_US);
	sd_event_source_set_enabled(vips->look_timer, used ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* ---- the node ---- */

int vips_node_set(struct vips *vips, const struct model *model, enum node_state state,
		  const char *who, bool dry_run, struct fault *fault)
{
	if (model->global.vip != VIP_INTERFACE) {
		fault_set(fault, FAULT_CONFLICT,
			  "node: %s it: global.vip is none: lbd holds no addresses",
			  state == NODE_DRAIN ? "draining" : "readying");
		return fault_hint(fault,
				  "where a router sends VIPs here, it is the router that has to "
				  "be told; or set global.vip: interface");
	}
	if (dry_run)
		return 0;
	if (vip_node_save(vips->node_path, state == NODE_DRAIN, fault) < 0)
		return -1;
	if (vips->node != state)
		log_info("%s: node: %s -> %s", who, vips->node == NODE_DRAIN ? "drain" : "ready",
			 state == NODE_DRAIN ? "drain" : "ready");
	vips->node = state;
	vips_follow(vips, model);
	return 0;
}

enum node_state vips_node(const struct vips *vips)
{
	return vips->node;
}

const struct vip_wanted *vips_wanted(const struct vips *vips)
{
	return &vips->wanted;
}

bool vips_holds(const struct vips *vips, const struct addr *vip)
{
	for (size_t i = 0; i < vips->attached.count; i++) {
		if (find_there(vips, vips->attached.ifindexes[i], vip))
			return true;
	}
	return false;
}

/* ---- begin and end ---- */

static int timers_add(struct vips *vips, sd_event *event)
{
	int rc = sd_event_add_time(event, &vips->announce_timer, CLOCK_MONOTONIC, 0, 0, on_announce,
				   vips);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(vips->announce_timer, SD_EVENT_OFF);
	if (rc >= 0)
		rc = sd_event_add_time(event, &vips->look_timer, CLOCK_MONOTONIC, 0, 0, on_look,
				       vips);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(vips->look_timer, SD_EVENT_OFF);
	return rc < 0 ? rc : 0;
}

struct vips *vips_create(sd_event *event, struct dataplane *dp, const char *state_dir,
			 struct fault *fault)
{
	struct vips *vips = calloc(1, sizeof(*vips));
	bool drained;
	int err;

	if (!vips || asprintf(&vips->node_path, "%s/node.json", state_dir) < 0) {
		free(vips);
		fault_set(fault, FAULT_FAILED, "VIPs: %s", strerror(ENOMEM));
		return NULL;
	}
	vips->dp = dp;
	vips->complaints = (struct log_limit){.burst = 5, .interval_ms = 60 * 1000};
	if (vip_node_load(vips->node_path, &drained, fault) < 0)
		goto fail;
	vips->node = drained ? NODE_DRAIN : NODE_READY;
	vips->socket = vip_netlink_open();
	err = vips->socket ? timers_add(vips, event) : -errno;
	if (!err)
		return vips;
	fault_set(fault, fault_code_of_errno(-err), "VIPs: netlink: %s", strerror(-err));
fail:
	vips_free(vips);
	return NULL;
}

void vips_free(struct vips *vips)
{
	if (!vips)
		return;
	sd_event_source_disable_unref(vips->announce_timer);
	sd_event_source_disable_unref(vips->look_timer);
	if (vips->socket)
		mnl_socket_close(vips->socket);
	vip_wanted_destroy(&vips->wanted);
	free(vips->announcements);
	free(vips->there.items);
	free(vips->node_path);
	free(vips);
}
