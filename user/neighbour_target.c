/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_target: from a watched address to its next hop. See neighbour_private.h.
 *
 * Reads the kernel's route and link, finds the peer, and words the cause where packets cannot
 * leave. Knows neither timers nor notifications.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neighbour_private.h"

/* ---- from route and peer to the next hop ---- */

static void explain_silence(const struct target *target, char *why, size_t size)
{
	const struct peer *peer = target->peer;
	const struct addr *next = &peer->entry.addr;
	char text[ADDR_TEXT_SIZE];

	addr_format(next, text);
	if (peer->error == -ENOBUFS)
		snprintf(why, size, "%s: the neighbour table is full (gc_thresh3)", text);
	else if (peer->error)
		snprintf(why, size, "%s: asking for its MAC: %s", text, strerror(-peer->error));
	else
		snprintf(why, size, "%s%s: no answer to %s on %s",
			 addr_equal(next, &target->addr) ? "" : "gateway ", text,
			 next->family == 4 ? "ARP" : "NDP", target->link.name);
}

/* Where ARP is off, the kernel makes up entries from the interface's own address. */
static bool mac_usable(const struct target *target, const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return memcmp(mac, zero, sizeof(zero)) && memcmp(mac, target->link.mac, sizeof(zero));
}

void target_evaluate(struct target *target)
{
	uint32_t mtu = target->route.mtu ? target->route.mtu : target->link.mtu;
	struct next_hop hop = {0};

	if (!target->peer) {
		memcpy(hop.why, target->why, sizeof(hop.why));
		target_report(target, &hop);
		return;
	}
	switch (target->peer->verify.verdict) {
	case VERIFY_UNKNOWN:
		/* What was reported stands until the new way is known to work, or not to. */
		return;
	case VERIFY_SILENT:
		explain_silence(target, hop.why, sizeof(hop.why));
		break;
	case VERIFY_ANSWERS:
		if (!mac_usable(target, target->peer->verify.mac)) {
			snprintf(hop.why, sizeof(hop.why), "interface %s: ARP is off",
				 target->link.name);
			break;
		}
		hop.resolved = true;
		hop.ifindex = target->link.ifindex;
		hop.mtu = mtu < UINT16_MAX ? mtu : UINT16_MAX;
		hop.source = target->route.source;
		hop.on_link = addr_equal(&target->peer->entry.addr, &target->addr);
		memcpy(hop.source_mac, target->link.mac, sizeof(hop.source_mac));
		memcpy(hop.destination_mac, target->peer->verify.mac, sizeof(hop.destination_mac));
		break;
	}
	target_report(target, &hop);
}

void target_leave(struct target *target)
{
	struct peer *peer = target->peer;

	if (!peer)
		return;
	LIST_REMOVE(target, of_peer);
	target->peer = NULL;
	if (LIST_EMPTY(&peer->targets))
		peer_free(peer);
}

/* 0 or -ENOMEM. */
static int target_join(struct target *target)
{
	struct peer *peer = peer_get(target->neighbours, target->link.ifindex, &target->route.next);

	if (!peer)
		return -ENOMEM;
	if (peer == target->peer)
		return 0;
	target_leave(target);
	target->peer = peer;
	LIST_INSERT_HEAD(&peer->targets, target, of_peer);
	return 0;
}

/* ---- routes and links ---- */

/* Each link is read once in a refresh, however many targets lie behind it. */
static int link_get(struct neighbours *neighbours, uint32_t ifindex, struct netlink_link *out)
{
	struct netlink_link *grown;
	size_t i;
	int err;

	for (i = 0; i < neighbours->link_count; i++) {
		if (neighbours->links[i].ifindex == ifindex) {
			*out = neighbours->links[i];
			return 0;
		}
	}
	err = netlink_link_get(&neighbours->netlink, ifindex, out);
	if (err)
		return err;
	grown = reallocarray(neighbours->links, neighbours->link_count + 1, sizeof(*grown));
	if (grown) {
		neighbours->links = grown;
		grown[neighbours->link_count++] = *out;
	}
	return 0;
}

/* The kernel drops routes with their interface; that interface is then the better answer. */
static bool explain_link_loss(struct target *target)
{
	struct netlink_link link;
	int err;

	if (!target->link.ifindex)
		return false;
	err = link_get(target->neighbours, target->link.ifindex, &link);
	if (err != -ENODEV && (err || link.up))
		return false;
	snprintf(target->why, sizeof(target->why), "interface %s is %s", target->link.name,
		 err ? "gone" : "down");
	return true;
}

static void explain_no_route(struct target *target, int err)
{
	const char *why;

	if (err == -ENETUNREACH && explain_link_loss(target))
		return;
	switch (err) {
	case -ENETUNREACH:
		why = "no route to host";
		break;
	case -EHOSTUNREACH:
		why = "its route says unreachable";
		break;
	case -EACCES:
		why = "its route says prohibit";
		break;
	case -EINVAL:
		why = "its route says blackhole";
		break;
	default:
		snprintf(target->why, sizeof(target->why), "looking up the route: %s",
			 strerror(-err));
		return;
	}
	snprintf(target->why, sizeof(target->why), "%s", why);
}

static void explain_route_type(struct target *target)
{
	char text[ADDR_TEXT_SIZE];
	const char *why;

	switch (target->route.type) {
	case RTN_LOCAL:
		why = "is this host itself";
		break;
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_BLACKHOLE:
		explain_no_route(target, target->route.type == RTN_UNREACHABLE ? -EHOSTUNREACH
					 : target->route.type == RTN_PROHIBIT  ? -EACCES
									       : -EINVAL);
		return;
	default:
		why = "is not the address of one host";
		break;
	}
	snprintf(target->why, sizeof(target->why), "%s %s", addr_format(&target->addr, text), why);
}

/* True if packets can leave by the link; says why not otherwise. */
static bool link_usable(struct target *target)
{
	const struct netlink_link *link = &target->link;

	if (link->up && link->carrier && link->ethernet)
		return true;
	snprintf(target->why, sizeof(target->why), "interface %s %s", link->name,
		 !link->up         ? "is down"
		 : !link->ethernet ? "has no MAC address: not an Ethernet"
				   : "has no carrier");
	return false;
}

/* Reads route and link of the target. True if there is a peer to talk to; says why not otherwise.
 */
static bool target_lookup(struct target *target)
{
	struct netlink_link link;
	int err = netlink_route_get(&target->neighbours->netlink, &target->addr, 0, &target->route);

	if (err) {
		explain_no_route(target, err);
		return false;
	}
	if (target->route.type != RTN_UNICAST) {
		explain_route_type(target);
		return false;
	}
	err = link_get(target->neighbours, target->route.ifindex, &link);
	if (err) {
		snprintf(target->why, sizeof(target->why), "interface %u: %s",
			 target->route.ifindex, strerror(-err));
		return false;
	}
	target->link = link;
	return link_usable(target);
}

void target_refresh(struct target *target)
{
	target->stale = false;
	if (!target_lookup(target)) {
		target_leave(target);
	} else if (target_join(target)) {
		target_leave(target);
		snprintf(target->why, sizeof(target->why), "%s", strerror(ENOMEM));
	}
	target_evaluate(target);
}
