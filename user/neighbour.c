/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour: watches of next hops, and the notifications that keep them current. See neighbour.h
 * for the promise, neighbour_private.h for the parts.
 *
 * Notifications only say that something may have changed. Routes and links are then read afresh, in
 * one refresh for all that changed meanwhile, so that a burst of changes costs one look. Entries of
 * neighbours are taken from their notifications.
 *
 * Must not know backends, pools or the data plane.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "neighbour_private.h"

enum {
	/* Between two refreshes; the first after a quiet time comes at once. */
	REFRESH_GAP_US = 20 * 1000,
	NOTIFICATIONS_PER_TURN = 64,
	NOTIFICATION_SIZE = 32768,
	/* News is read before timers are judged: an answer that waits in the socket is no silence.
	 */
	PRIORITY_NEWS = -20,
	PRIORITY_REFRESH = -19,
};

uint64_t neighbour_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* ---- telling watches ---- */

static void watch_queue(struct neighbour_watch *watch)
{
	struct neighbours *neighbours = watch->target->neighbours;

	if (watch->queued)
		return;
	watch->queued = true;
	TAILQ_INSERT_TAIL(&neighbours->queue, watch, of_queue);
	sd_event_source_set_enabled(neighbours->report_source, SD_EVENT_ONESHOT);
}

static int on_report(sd_event_source *source, void *context)
{
	struct neighbours *neighbours = context;
	struct neighbour_watch *watch;
	struct next_hop hop;

	(void)source;
	/* The callback may free any watch, and with the last one its target. */
	while ((watch = TAILQ_FIRST(&neighbours->queue))) {
		TAILQ_REMOVE(&neighbours->queue, watch, of_queue);
		watch->queued = false;
		hop = watch->target->hop;
		watch->changed(watch->context, &hop);
	}
	return 0;
}

static bool hop_equal(const struct next_hop *a, const struct next_hop *b)
{
	return a->resolved == b->resolved && a->on_link == b->on_link && a->ifindex == b->ifindex &&
	       a->mtu == b->mtu && !memcmp(a->source_mac, b->source_mac, sizeof(a->source_mac)) &&
	       !memcmp(a->destination_mac, b->destination_mac, sizeof(a->destination_mac)) &&
	       addr_equal(&a->source, &b->source) && !strcmp(a->why, b->why);
}

void target_report(struct target *target, const struct next_hop *hop)
{
	struct neighbour_watch *watch;

	if (target->known && hop_equal(&target->hop, hop))
		return;
	target->hop = *hop;
	target->known = true;
	LIST_FOREACH (watch, &target->watches, of_target)
		watch_queue(watch);
}

/* ---- refreshing ---- */

static int on_refresh(sd_event_source *source, uint64_t due, void *context)
{
	struct neighbours *neighbours = context;
	struct target *target;

	(void)source;
	(void)due;
	neighbours->refreshed_us = neighbour_now_us();
	neighbours->link_count = 0;
	LIST_FOREACH (target, &neighbours->targets, of_all) {
		if (target->stale)
			target_refresh(target);
	}
	if (neighbours->links_changed && neighbours->links_told)
		neighbours->links_told(neighbours->links_context);
	neighbours->links_changed = false;
	return 0;
}

static void refresh_arm(struct neighbours *neighbours)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(neighbours->refresh_timer, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time(neighbours->refresh_timer,
				 neighbours->refreshed_us + REFRESH_GAP_US);
	sd_event_source_set_enabled(neighbours->refresh_timer, SD_EVENT_ONESHOT);
}

/* What lies under the prefix is to be looked up again; NULL: everything. */
static void refresh_under(struct neighbours *neighbours, const struct prefix *prefix)
{
	struct target *target;
	struct addr masked;

	LIST_FOREACH (target, &neighbours->targets, of_all) {
		if (prefix) {
			if (target->addr.family != prefix->addr.family)
				continue;
			masked = addr_mask(&target->addr, prefix->length);
			if (!addr_equal(&masked, &prefix->addr))
				continue;
		}
		target->stale = true;
		refresh_arm(neighbours);
	}
}

/* ---- notifications ---- */

static void news_link(struct neighbours *neighbours, const struct nlmsghdr *message)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

	/* Bridges tell of their ports in messages of their own family. */
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*header) &&
	    header->ifi_family == AF_UNSPEC) {
		neighbours->links_changed = true;
		refresh_arm(neighbours);
		refresh_under(neighbours, NULL);
	}
}

static int on_message(const struct nlmsghdr *message, void *context)
{
	struct neighbours *neighbours = context;
	struct netlink_entry entry;
	struct prefix prefix;
	struct peer *peer;

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		peer = netlink_read_entry(message, &entry) ? peer_find(neighbours, &entry) : NULL;
		if (peer)
			peer_entry(peer, &entry);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (netlink_read_route(message, &prefix))
			refresh_under(neighbours, &prefix);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		news_link(neighbours, message);
		break;
	default:
		refresh_under(neighbours, NULL);
		break;
	}
	return MNL_CB_OK;
}

/* The socket overflowed: whatever it told is incomplete. */
static void news_lost(struct neighbours *neighbours)
{
	uint32_t suppressed;

	if (log_allowed(&neighbours->overflow_log, neighbour_now_us() / 1000, &suppressed))
		log_info("neighbour: the kernel's notifications came too fast (%u times more "
			 "before): reading routes and neighbours afresh",
			 suppressed);
	neighbours->links_changed = true;
	refresh_arm(neighbours);
	refresh_under(neighbours, NULL);
	peers_reread(neighbours);
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct neighbours *neighbours = context;
	char buffer[NOTIFICATION_SIZE];
	ssize_t size;
	int i;

	(void)source;
	(void)fd;
	(void)events;
	for (i = 0; i < NOTIFICATIONS_PER_TURN; i++) {
		size = mnl_socket_recvfrom(neighbours->news, buffer, sizeof(buffer));
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		/* ENOBUFS: some were dropped; ENOSPC: one was longer than the buffer. */
		if (size < 0)
			news_lost(neighbours);
		else
			mnl_cb_run(buffer, size, 0, 0, on_message, neighbours);
	}
	return 0;
}

/* ---- the public side ---- */

void neighbours_on_links(struct neighbours *neighbours, void (*changed)(void *context),
			 void *context)
{
	neighbours->links_told = changed;
	neighbours->links_context = context;
}

static int sources_add(struct neighbours *neighbours)
{
	sd_event *event = neighbours->event;
	int err;

	err = sd_event_add_io(event, &neighbours->news_source, mnl_socket_get_fd(neighbours->news),
			      EPOLLIN, on_news, neighbours);
	if (err >= 0)
		err = sd_event_source_set_priority(neighbours->news_source, PRIORITY_NEWS);
	if (err >= 0)
		err = sd_event_add_time(event, &neighbours->refresh_timer, CLOCK_MONOTONIC, 0,
					NEIGHBOUR_TIMER_ACCURACY_US, on_refresh, neighbours);
	if (err >= 0)
		err = sd_event_source_set_priority(neighbours->refresh_timer, PRIORITY_REFRESH);
	if (err >= 0)
		err = sd_event_source_set_enabled(neighbours->refresh_timer, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_defer(event, &neighbours->report_source, on_report, neighbours);
	if (err >= 0)
		err = sd_event_source_set_enabled(neighbours->report_source, SD_EVENT_OFF);
	return err < 0 ? err : 0;
}

struct neighbours *neighbours_create(sd_event *event, struct fault *fault)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));
	int err;

	if (!neighbours) {
		fault_set(fault, FAULT_FAILED, "netlink: %s", strerror(ENOMEM));
		return NULL;
	}
	neighbours->event = sd_event_ref(event);
	neighbours->overflow_log = (struct log_limit){.burst = 1, .interval_ms = 60 * 1000};
	LIST_INIT(&neighbours->targets);
	TAILQ_INIT(&neighbours->queue);
	err = netlink_open(&neighbours->netlink);
	if (!err)
		err = netlink_subscribe(&neighbours->news);
	if (!err)
		err = sources_add(neighbours);
	if (!err)
		return neighbours;
	fault_set(fault, fault_code_of_errno(-err), "netlink: following routes and neighbours: %s",
		  strerror(-err));
	if (err == -EPERM)
		fault_hint(fault, "run it as root, or give it CAP_NET_ADMIN");
	neighbours_free(neighbours);
	return NULL;
}

void neighbours_free(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	sd_event_source_disable_unref(neighbours->report_source);
	sd_event_source_disable_unref(neighbours->refresh_timer);
	sd_event_source_disable_unref(neighbours->news_source);
	if (neighbours->news)
		mnl_socket_close(neighbours->news);
	netlink_close(&neighbours->netlink);
	sd_event_unref(neighbours->event);
	free(neighbours->links);
	free(neighbours);
}

static int target_compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

static struct target *target_get(struct neighbours *neighbours, const struct addr *addr)
{
	struct target key = {.addr = *addr};
	struct target **found = tfind(&key, &neighbours->targets_by_addr, target_compare);
	struct target *target;

	if (found)
		return *found;
	target = calloc(1, sizeof(*target));
	if (!target)
		return NULL;
	target->addr = *addr;
	target->neighbours = neighbours;
	if (!tsearch(target, &neighbours->targets_by_addr, target_compare)) {
		free(target);
		return NULL;
	}
	LIST_INSERT_HEAD(&neighbours->targets, target, of_all);
	target->stale = true;
	refresh_arm(neighbours);
	return target;
}

static void target_free(struct target *target)
{
	target_leave(target);
	tdelete(target, &target->neighbours->targets_by_addr, target_compare);
	LIST_REMOVE(target, of_all);
	free(target);
}

struct neighbour_watch *neighbour_watch_create(struct neighbours *neighbours,
					       const struct addr *address,
					       neighbour_changed changed, void *context)
{
	struct neighbour_watch *watch;
	struct target *target;

	if (address->family != 4 && address->family != 6) {
		errno = EINVAL;
		return NULL;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	target = target_get(neighbours, address);
	if (!target) {
		free(watch);
		errno = ENOMEM;
		return NULL;
	}
	watch->target = target;
	watch->changed = changed;
	watch->context = context;
	LIST_INSERT_HEAD(&target->watches, watch, of_target);
	if (target->known)
		watch_queue(watch);
	return watch;
}

void neighbour_watch_free(struct neighbour_watch *watch)
{
	if (!watch)
		return;
	if (watch->queued)
		TAILQ_REMOVE(&watch->target->neighbours->queue, watch, of_queue);
	LIST_REMOVE(watch, of_target);
	if (LIST_EMPTY(&watch->target->watches))
		target_free(watch->target);
	free(watch);
}
