/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_peer: the hosts that routes lead to, each kept verified. See neighbour_private.h.
 *
 * Carries out what neighbour_verify asks for, each peer by its own timer, all of them together at a
 * bounded rate. Knows targets only to have them evaluated; knows no routes.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <time.h>

#include "neighbour_private.h"
#include "siphash.h"

enum {
	/* Requests to verify peers: so many a second at most, and so many at once. */
	PACE_PER_SECOND = 2000,
	/* Of these, what checks may take; the rest is for peers that need resolving. */
	PACE_CHECKS_PER_SECOND = 1500,
	PACE_BURST = 100,
	PACE_WAIT_US = 20 * 1000,
};

static int peer_compare(const void *a, const void *b)
{
	const struct netlink_entry *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return addr_compare(&x->addr, &y->addr);
}

/* The more peers, the longer each one's turn takes to come. The hash keeps peers that were found at
 * the same time from being asked in step. */
static uint64_t peer_interval(const struct peer *peer)
{
	uint64_t interval = peer->neighbours->peer_count * 1000000 / PACE_CHECKS_PER_SECOND;

	if (interval < VERIFY_INTERVAL_US)
		interval = VERIFY_INTERVAL_US;
	return interval - peer->hash % (interval / 4);
}

static void peer_arm(struct peer *peer)
{
	if (peer->verify.due_us == UINT64_MAX) {
		sd_event_source_set_enabled(peer->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(peer->timer, peer->verify.due_us);
	sd_event_source_set_enabled(peer->timer, SD_EVENT_ONESHOT);
}

void peer_entry(struct peer *peer, const struct netlink_entry *entry)
{
	struct target *target;

	peer->entry.managed = entry->managed;
	verify_entry(&peer->verify, entry->state, entry->mac, neighbour_now_us(),
		     peer_interval(peer));
	peer_arm(peer);
	LIST_FOREACH (target, &peer->targets, of_peer)
		target_evaluate(target);
}

static void peer_read(struct peer *peer)
{
	struct netlink_entry entry;

	if (!netlink_entry_get(&peer->neighbours->netlink, peer->entry.ifindex, &peer->entry.addr,
			       &entry))
		peer_entry(peer, &entry);
}

static void peer_use(struct peer *peer)
{
	peer->error = netlink_entry_use(&peer->neighbours->netlink, &peer->entry);
	/* The kernel does not tell of an entry that it makes up because ARP is off. */
	if (!peer->error)
		peer_read(peer);
}

static void peer_act(struct peer *peer, enum verify_action action)
{
	struct netlink *netlink = &peer->neighbours->netlink;
	const struct netlink_entry none = {.managed = peer->entry.managed};

	switch (action) {
	case VERIFY_PROBE:
		/* Refused: the entry went away, which the next turn makes good. */
		if (netlink_entry_probe(netlink, &peer->entry))
			peer_entry(peer, &none);
		break;
	case VERIFY_RESOLVE:
		peer->error = netlink_entry_forget(netlink, &peer->entry);
		if (!peer->error)
			peer_use(peer);
		break;
	case VERIFY_REVIVE:
		peer_use(peer);
		break;
	case VERIFY_NOTHING:
		break;
	}
}

/* True if a request may go out now: a bucket of PACE_BURST, filled PACE_PER_SECOND. */
static bool pace(struct neighbours *neighbours, uint64_t now)
{
	const uint64_t each = 1000000 / PACE_PER_SECOND;

	if (neighbours->paced_us + PACE_BURST * each < now)
		neighbours->paced_us = now - PACE_BURST * each;
	if (neighbours->paced_us + each > now)
		return false;
	neighbours->paced_us += each;
	return true;
}

static int on_peer_due(sd_event_source *source, uint64_t due, void *context)
{
	struct peer *peer = context;
	enum verify_action action;
	struct target *target;
	uint64_t now = neighbour_now_us();

	(void)source;
	(void)due;
	if (!pace(peer->neighbours, now)) {
		peer->verify.due_us = now + PACE_WAIT_US / 2 + peer->hash % PACE_WAIT_US;
		peer_arm(peer);
		return 0;
	}
	action = verify_due(&peer->verify, now);
	peer_act(peer, action);
	peer_arm(peer);
	LIST_FOREACH (target, &peer->targets, of_peer)
		target_evaluate(target);
	return 0;
}

static uint32_t peer_hash(const struct netlink_entry *key)
{
	static const uint8_t seed[LB_SEED_SIZE];

	return siphash(seed, &key->addr, sizeof(key->addr)) ^ key->ifindex;
}

static struct peer *peer_create(struct neighbours *neighbours, const struct netlink_entry *key)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->entry = *key;
	peer->neighbours = neighbours;
	peer->hash = peer_hash(key);
	verify_init(&peer->verify, neighbour_now_us());
	if (sd_event_add_time(neighbours->event, &peer->timer, CLOCK_MONOTONIC, peer->verify.due_us,
			      NEIGHBOUR_TIMER_ACCURACY_US, on_peer_due, peer) < 0)
		goto fail;
	if (!tsearch(peer, &neighbours->peers_by_key, peer_compare))
		goto fail;
	neighbours->peer_count++;
	peer_read(peer);
	return peer;
fail:
	sd_event_source_disable_unref(peer->timer);
	free(peer);
	return NULL;
}

struct peer *peer_find(struct neighbours *neighbours, const struct netlink_entry *key)
{
	struct peer **found = tfind(key, &neighbours->peers_by_key, peer_compare);

	return found ? *found : NULL;
}

struct peer *peer_get(struct neighbours *neighbours, uint32_t ifindex, const struct addr *addr)
{
	struct netlink_entry key = {.ifindex = ifindex, .addr = *addr};
	struct peer *peer = peer_find(neighbours, &key);

	return peer ? peer : peer_create(neighbours, &key);
}

void peer_free(struct peer *peer)
{
	tdelete(peer, &peer->neighbours->peers_by_key, peer_compare);
	peer->neighbours->peer_count--;
	sd_event_source_disable_unref(peer->timer);
	free(peer);
}

static void peer_reread(const void *node, VISIT visit, void *context)
{
	struct peer *const *peer = node;

	(void)context;
	if (visit == postorder || visit == leaf)
		peer_read(*peer);
}

void peers_reread(struct neighbours *neighbours)
{
	twalk_r(neighbours->peers_by_key, peer_reread, NULL);
}
