/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_client: clients' records, of pools with an affinity timeout. "To its client it is what a
 * slot is": owner, fallback, changed, and times of its own.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

struct model_address model_masked(const struct model_address *address, uint32_t prefix)
{
	struct model_address network = *address;

	for (uint32_t bit = prefix; bit < (address->family == 4 ? 32 : 128); bit++)
		network.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return network;
}

struct model_address model_network(const struct model_pool *pool,
				   const struct model_address *address)
{
	return model_masked(address, address->family == 4 ? pool->prefix_v4 : pool->prefix_v6);
}

/* "It lives for the longer of the affinity timeout and the idle timeouts." */
uint32_t model_client_life(const struct model_pool *pool)
{
	const uint32_t times[] = {pool->client_timeout, pool->idle_tcp, pool->idle_udp,
				  pool->idle_closing};
	uint32_t longest = 0;

	for (int i = 0; i < 4; i++)
		longest = times[i] > longest ? times[i] : longest;
	return longest;
}

/* What one packet was seen of, perhaps forged, lives as long as such a flow does. */
static uint32_t life_of(const struct model_pool *pool, const struct model_client *client)
{
	if (client->known)
		return model_client_life(pool);
	return pool->idle_udp > pool->idle_closing ? pool->idle_udp : pool->idle_closing;
}

static bool live(const struct model_pick *pick, const struct model_client *client)
{
	return client && client->fate == MODEL_KEPT &&
	       (int32_t)(pick->now - client->seen) <= (int32_t)life_of(pick->pool, client);
}

static struct model_client *find(struct model_pick *pick, const struct model_address *network)
{
	struct model_client *clients = pick->memory->clients;

	for (int i = 0; i < MODEL_CLIENTS; i++)
		if (clients[i].there && clients[i].pool == pick->pool_index &&
		    clients[i].network.family == network->family &&
		    !memcmp(clients[i].network.bytes, network->bytes, sizeof(network->bytes)))
			return &clients[i];
	return NULL;
}

/* Records hold half of the incarnation. */
static uint16_t incarnation(const struct model_pick *pick, uint32_t backend)
{
	return backend < MODEL_BACKENDS ? (uint16_t)pick->config->backends[backend].incarnation : 0;
}

/* Whether the backend can be used, and could be ever since the record named it. */
static bool valid(const struct model_pick *pick, uint32_t backend, uint16_t then)
{
	return model_usable(pick->config, backend) && incarnation(pick, backend) == then;
}

static void name(const struct model_pick *pick, struct model_client *client, uint32_t owner,
		 uint32_t fallback, bool changed)
{
	client->owner = owner;
	client->owner_incarnation = incarnation(pick, owner);
	client->fallback = fallback;
	client->fallback_incarnation = incarnation(pick, fallback);
	client->changed = changed;
}

/* "A copy of the slot's pair, bit and times." A backend that cannot be used is not copied. */
static bool copy_slot(const struct model_pick *pick, struct model_client *client, bool changed)
{
	uint32_t owner = pick->slot.owner, fallback = pick->slot.fallback;

	if (!model_usable(pick->config, owner))
		return false;
	name(pick, client, owner, model_usable(pick->config, fallback) ? fallback : owner, changed);
	client->times = pick->memory->times[pick->pool_index][pick->slot_index];
	return true;
}

/* The packet is judged by what can still be used of what the record names. With nothing left it is
 * judged by the slot, but the client may have entries. */
static bool take(struct model_pick *pick, struct model_client *client, bool known_before)
{
	uint32_t owner = valid(pick, client->owner, client->owner_incarnation) ? client->owner : 0;
	uint32_t fallback =
		valid(pick, client->fallback, client->fallback_incarnation) ? client->fallback : 0;

	pick->times = &client->times;
	if (!owner && !fallback) {
		pick->changed = true;
		return false;
	}
	pick->owner = owner;
	pick->fallback = fallback;
	pick->changed = client->changed;
	pick->by_client = known_before;
	return true;
}

static struct model_client *free_place(struct model_pick *pick)
{
	for (int i = 0; i < MODEL_CLIENTS; i++)
		if (!pick->memory->clients[i].there)
			return &pick->memory->clients[i];
	return NULL;
}

/* "A SYN (or a datagram of an unknown client) makes the record." `old`: a dead one in its place. */
static struct model_client *make(struct model_pick *pick, struct model_client *old,
				 const struct model_address *network)
{
	struct model_client made = {
		.there = true, .pool = pick->pool_index, .network = *network, .seen = pick->now};
	bool counted_new = old && !old->known;

	if (!copy_slot(pick, &made, pick->slot.changed) || (old && old->fate == MODEL_CLAIMED) ||
	    (!old && !model_quota_left(pick->config, pick->memory, MODEL_QUOTA_CLIENTS)) ||
	    (!counted_new &&
	     !model_quota_left(pick->config, pick->memory, MODEL_QUOTA_CLIENTS_NEW)))
		return NULL;
	if (!old)
		old = free_place(pick);
	if (old)
		*old = made;
	return old;
}

/*
 * "New owner = the slot's: at once if the owner died; at a new flow if the owner takes no new
 * flows, or the record was idle past the timeout."
 */
static void follow(struct model_pick *pick, struct model_client *client, bool new_flow)
{
	bool owner_lives = valid(pick, client->owner, client->owner_incarnation);
	bool fallback_lives = valid(pick, client->fallback, client->fallback_incarnation);
	bool leaves = new_flow &&
		      (!pick->config->backends[client->owner].takes_clients ||
		       (int32_t)(pick->now - client->seen) > (int32_t)pick->pool->client_timeout);
	uint32_t owner = pick->slot.owner;

	if (!owner_lives && !fallback_lives) {
		/* Nothing is left: it becomes what that of a new client would be. */
		if (copy_slot(pick, client, true))
			client->times.kept = pick->now;
		return;
	}
	if (owner_lives && (!leaves || owner == client->owner))
		return;
	if (!model_usable(pick->config, owner))
		return;
	/* A change, as that of a slot: `since` is set when the owner leaves the fallback. */
	if (client->owner == client->fallback || !fallback_lives)
		client->times.since = client->seen;
	client->times.kept = pick->now;
	name(pick, client, owner,
	     client->changed && fallback_lives ? client->fallback : client->owner, true);
}

void model_pick_client(struct model_pick *pick)
{
	const struct model_packet *packet = pick->packet;
	bool opens = packet->syn || (packet->flow.proto == PROTO_UDP && !packet->quoted);
	struct model_address network = model_network(pick->pool, &packet->flow.source);
	struct model_client *client = find(pick, &network);

	if (live(pick, client)) {
		struct model_times *of_slot = pick->times;

		follow(pick, client, opens);
		if (!packet->syn)
			client->known = true;
		client->seen = pick->now;
		if (take(pick, client, true))
			return;
		/* It goes by its slot. */
		pick->times = of_slot;
		if (opens)
			pick->answer->notes[MODEL_CLIENT_UNTRACKED] = true;
		return;
	}
	if (!opens)
		return;
	client = make(pick, client, &network);
	if (!client)
		pick->answer->notes[MODEL_CLIENT_UNTRACKED] = true;
	else
		take(pick, client, false);
}
