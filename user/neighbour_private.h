/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_private: what the files of `neighbour` share; nobody else's to include.
 *
 * Three kinds of objects. A *watch* is one caller's interest in an address. A *target* is a watched
 * address with the kernel's route to it; watches share it. A *peer* is the host a route leads to
 * next, on one interface; targets behind the same gateway share it.
 *
 *     neighbour.c         watches, notifications, the order of things
 *     neighbour_target.c  from an address to route, link, peer and the next hop
 *     neighbour_peer.c    keeps each peer's MAC right, by the judgement of neighbour_verify.c
 *     neighbour_netlink.c the messages
 */
#ifndef LIMPET_NEIGHBOUR_PRIVATE_H
#define LIMPET_NEIGHBOUR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "log.h"
#include "neighbour.h"
#include "neighbour_netlink.h"
#include "neighbour_verify.h"

enum { NEIGHBOUR_TIMER_ACCURACY_US = 5 * 1000 };

struct peer {
	struct netlink_entry entry; /* key: ifindex and addr */
	struct neighbours *neighbours;
	struct verify verify;
	int error;     /* of the last request, a negative errno; 0: it went out */
	uint32_t hash; /* spreads the peers over the interval */
	sd_event_source *timer;
	LIST_HEAD(, target) targets;
};

struct target {
	struct addr addr; /* key */
	struct neighbours *neighbours;
	struct netlink_route route;
	struct netlink_link link; /* the last one that a route named, kept to explain its loss */
	char why[sizeof(((struct next_hop *)0)->why)]; /* no peer: the cause */
	struct peer *peer;
	struct next_hop hop; /* as last reported, if known */
	bool known;
	bool stale; /* to be looked up in the next refresh */
	LIST_HEAD(, neighbour_watch) watches;
	LIST_ENTRY(target) of_peer;
	LIST_ENTRY(target) of_all;
};

struct neighbour_watch {
	struct target *target;
	neighbour_changed changed;
	void *context;
	bool queued;
	LIST_ENTRY(neighbour_watch) of_target;
	TAILQ_ENTRY(neighbour_watch) of_queue;
};

struct neighbours {
	sd_event *event;
	struct netlink netlink;
	struct mnl_socket *news;
	sd_event_source *news_source;
	sd_event_source *refresh_timer;
	sd_event_source *report_source;
	void (*links_told)(void *context); /* see neighbours_on_links */
	void *links_context;
	bool links_changed;
	uint64_t refreshed_us;
	uint64_t paced_us; /* the time up to which requests are used up */
	size_t peer_count;
	void *peers_by_key; /* tsearch(3) */
	void *targets_by_addr;
	LIST_HEAD(, target) targets;
	TAILQ_HEAD(, neighbour_watch) queue; /* watches to be told */
	struct netlink_link *links;          /* as read in this refresh */
	size_t link_count;
	struct log_limit overflow_log;
};

/* CLOCK_MONOTONIC. */
uint64_t neighbour_now_us(void);

/* Tells the target's watches, from the loop, if `hop` differs from what they know. */
void target_report(struct target *target, const struct next_hop *hop);

/* Reads the target's route and link afresh, and evaluates it. */
void target_refresh(struct target *target);
/* From what is known to the next hop, or to the cause of there being none; reports it. */
void target_evaluate(struct target *target);
/* Parts with its peer, and frees that with its last target. */
void target_leave(struct target *target);

/* The peer of this interface and address, borrowed (see target_leave); made where there is none.
 * NULL: out of memory. */
struct peer *peer_get(struct neighbours *neighbours, uint32_t ifindex, const struct addr *addr);
struct peer *peer_find(struct neighbours *neighbours, const struct netlink_entry *key);
void peer_free(struct peer *peer);
/* The kernel's entry as it is now: judges it, and evaluates the peer's targets. */
void peer_entry(struct peer *peer, const struct netlink_entry *entry);
/* Reads the entries of all peers. */
void peers_reread(struct neighbours *neighbours);

#endif
