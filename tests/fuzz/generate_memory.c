/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* generate_memory: see generate.h. */
#include <string.h>

#include "generate.h"
#include "model_bytes.h"

void generate_crowd(struct random *r, struct crowd *crowd)
{
	uint8_t net = (uint8_t)random_next(r);

	for (int i = 0; i < GENERATE_CLIENTS; i++) {
		/* Some of one network, some of others. */
		uint8_t apart = random_percent(r, 50) ? 0 : (uint8_t)random_next(r);

		crowd->clients[0][i] = (struct model_address){
			.family = 4, .bytes = {198, 51, net ^ apart, (uint8_t)random_next(r)}};
		crowd->clients[1][i] = (struct model_address){
			.family = 6,
			.bytes = {0x20, 1, 0x0d, 0xb8, apart,
				  net, [7] = apart & 3, [15] = (uint8_t)random_next(r)}};
	}
	for (int i = 0; i < GENERATE_PORTS; i++) {
		crowd->ports[i] = (uint16_t)random_next(r);
		crowd->sequences[i] = (uint32_t)random_next(r);
		crowd->numbers[i] = (uint32_t)random_next(r);
	}
}

static uint16_t port_near(struct random *r, const struct model_listener *listener)
{
	switch (random_below(r, 8)) {
	case 0:
		return (uint16_t)(listener->first - 1);
	case 1:
		return (uint16_t)(listener->last + 1);
	case 2:
	case 3:
		return listener->last;
	case 4:
		return (uint16_t)(listener->first +
				  random_below(r,
					       (uint32_t)(listener->last - listener->first) + 1));
	default:
		return listener->first;
	}
}

/* One that is there; the first is, nearly always. */
static const struct model_listener *listener_of(struct random *r, const struct model_config *config)
{
	const struct model_listener *listener;

	for (int tries = 0; tries < 8; tries++) {
		listener = &config->listeners[random_below(r, 16)];
		if (listener->vip.family)
			return listener;
	}
	return &config->listeners[0];
}

struct model_flow generate_flow(struct random *r, const struct model_config *config,
				const struct crowd *crowd)
{
	const struct model_listener *listener = listener_of(r, config);
	struct model_flow flow = {.destination = listener->vip,
				  .destination_port = port_near(r, listener),
				  .source_port = RANDOM_OF(r, crowd->ports),
				  .proto = listener->proto};

	if (!flow.destination.family)
		flow.destination = (struct model_address){.family = 4, .bytes = {192, 0, 2, 1}};
	flow.source =
		crowd->clients[flow.destination.family == 6][random_below(r, GENERATE_CLIENTS)];
	return flow;
}

/* ---- entries ---- */

/* Recent ones most of all, and such that are about to be too old. */
uint32_t generate_tick(struct random *r, uint32_t now)
{
	static const uint32_t edges[] = {0, 0, 1, 2, 3, 4, 11, 12, 13, 33, 34, 35, 39, 40, 41};

	return now -
	       (random_percent(r, 80) ? RANDOM_OF(r, edges) : random_below(r, GENERATE_OLDEST));
}

static uint32_t tick_or_never(struct random *r, uint32_t now)
{
	return random_percent(r, 60) ? 0 : generate_tick(r, now);
}

uint8_t generate_fate(struct random *r)
{
	uint32_t at = random_below(r, 100);

	return at < 85 ? MODEL_KEPT : at < 95 ? MODEL_DOOMED : MODEL_CLAIMED;
}

static uint32_t backend_random(struct random *r)
{
	return 1 + random_below(r, random_percent(r, 75) ? 4 : MODEL_BACKENDS - 1);
}

static struct model_times times_random(struct random *r, uint32_t now)
{
	return (struct model_times){.since = tick_or_never(r, now),
				    .used = tick_or_never(r, now),
				    .full = tick_or_never(r, now),
				    .kept = tick_or_never(r, now)};
}

static struct model_entry entry_random(struct random *r, const struct model_config *config,
				       const struct crowd *crowd, uint32_t now)
{
	struct model_entry entry = {.there = true,
				    .state = (uint8_t)random_below(r, MODEL_STATES),
				    .fate = generate_fate(r),
				    .backend = backend_random(r),
				    .seen = generate_tick(r, now),
				    .flow = generate_flow(r, config, crowd)};
	uint32_t service = model_service(config, &entry.flow);

	entry.incarnation = config->backends[entry.backend].incarnation;
	if (random_percent(r, 10))
		entry.incarnation--;
	entry.pool = service && random_percent(r, 95) ? config->service_pools[service]
						      : 1 + random_below(r, MODEL_POOLS - 1);
	return entry;
}

static void birth_add(struct random *r, const struct model_config *config,
		      const struct crowd *crowd, uint32_t now, struct model_memory *memory)
{
	struct model_entry birth = entry_random(r, config, crowd, now);
	bool udp = birth.flow.proto == PROTO_UDP;

	birth.sequence = udp ? 0 : RANDOM_OF(r, crowd->sequences);
	if (udp && birth.state == MODEL_OPENING)
		birth.state = MODEL_OPEN;
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		if (memory->births[i].there)
			continue;
		if (!model_entry_find(memory->births, &birth.flow) &&
		    model_quota_left(config, memory, udp ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP) &&
		    model_quota_left(config, memory,
				     udp ? MODEL_QUOTA_UDP_BIRTHS : MODEL_QUOTA_TCP_BIRTHS))
			memory->births[i] = birth;
		return;
	}
}

static void flow_add(struct random *r, const struct model_config *config, const struct crowd *crowd,
		     uint32_t now, struct model_memory *memory)
{
	struct model_entry flow = entry_random(r, config, crowd, now);
	bool udp = flow.flow.proto == PROTO_UDP;
	const struct model_entry *birth = &memory->births[random_below(r, 4)];

	/* Of a flow that has a birth, too. */
	if (birth->there && random_percent(r, 40)) {
		flow.flow = birth->flow;
		flow.pool = birth->pool;
		udp = flow.flow.proto == PROTO_UDP;
	}
	if (flow.state == MODEL_OPENING)
		flow.state = MODEL_OPEN;
	flow.reborn = random_percent(r, 40);
	flow.recorded = !udp && random_percent(r, 40) &&
			model_quota_left(config, memory, MODEL_QUOTA_TCP_RECORDED);
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		if (memory->flows[i].there)
			continue;
		if (!model_entry_find(memory->flows, &flow.flow) &&
		    model_quota_left(config, memory, udp ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP))
			memory->flows[i] = flow;
		return;
	}
}

/* ---- clients ---- */

static bool client_known(const struct model_memory *memory, const struct model_client *client)
{
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		const struct model_client *other = &memory->clients[i];

		if (other->there && other->pool == client->pool &&
		    !memcmp(&other->network, &client->network, sizeof(client->network)))
			return true;
	}
	return false;
}

static void client_add(struct random *r, const struct model_config *config,
		       const struct crowd *crowd, uint32_t now, struct model_memory *memory)
{
	struct model_client client = {.there = true,
				      .fate = generate_fate(r),
				      .changed = random_percent(r, 50),
				      .known = random_percent(r, 80),
				      .pool = 1 + random_below(r, MODEL_POOLS - 1),
				      .owner = backend_random(r),
				      .seen = generate_tick(r, now),
				      .times = times_random(r, now)};
	const struct model_pool *pool = &config->pools[client.pool];

	client.fallback = client.changed ? backend_random(r) : client.owner;
	client.owner_incarnation = (uint16_t)config->backends[client.owner].incarnation;
	client.fallback_incarnation = (uint16_t)config->backends[client.fallback].incarnation;
	if (random_percent(r, 10))
		client.owner_incarnation--;
	/* Both are written at a time: of one and the same backend they say the same. */
	if (client.fallback == client.owner)
		client.fallback_incarnation = client.owner_incarnation;
	else if (random_percent(r, 10))
		client.fallback_incarnation--;
	client.network = model_network(
		pool, &crowd->clients[random_below(r, 2)][random_below(r, GENERATE_CLIENTS)]);
	if (!pool->client_timeout || client_known(memory, &client) ||
	    !model_quota_left(config, memory, MODEL_QUOTA_CLIENTS) ||
	    (!client.known && !model_quota_left(config, memory, MODEL_QUOTA_CLIENTS_NEW)))
		return;
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		if (memory->clients[i].there)
			continue;
		memory->clients[i] = client;
		return;
	}
}

/* ---- fragments ---- */

static void fragment_add(struct random *r, const struct model_config *config,
			 const struct crowd *crowd, uint32_t now, struct model_memory *memory)
{
	struct model_fragment fragment = {.there = true,
					  .identification = RANDOM_OF(r, crowd->numbers),
					  .seen = generate_tick(r, now),
					  .sequence = RANDOM_OF(r, crowd->sequences),
					  .flow = generate_flow(r, config, crowd)};

	if (fragment.flow.source.family == 4)
		fragment.identification &= 0xffff;
	for (int i = 0; i < MODEL_FRAGMENTS; i++) {
		const struct model_fragment *other = &memory->fragments[i];

		if (!other->there) {
			memory->fragments[i] = fragment;
			return;
		}
		if (other->identification == fragment.identification)
			return;
	}
}

void generate_memory(struct random *r, const struct model_config *config, const struct crowd *crowd,
		     uint32_t now, struct model_memory *memory)
{
	uint32_t count = random_below(r, 24);

	memset(memory, 0, sizeof(*memory));
	for (uint32_t i = 0; i < count; i++)
		birth_add(r, config, crowd, now, memory);
	for (uint32_t i = 0; i < count; i++)
		flow_add(r, config, crowd, now, memory);
	for (uint32_t i = 0; i < count; i++)
		client_add(r, config, crowd, now, memory);
	for (uint32_t i = 0; i < count / 3; i++)
		fragment_add(r, config, crowd, now, memory);
	generate_nat_memory(r, config, crowd, now, memory);
	for (int p = 1; p < MODEL_POOLS; p++)
		for (int s = 0; s < MODEL_SLOTS; s++)
			if (random_percent(r, 50))
				memory->times[p][s] = times_random(r, now);
}
