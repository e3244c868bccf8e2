/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* generate_config: see generate.h. */
#include <string.h>

#include "generate.h"
#include "machine.h"
#include "model_bytes.h"

static void address_random(struct random *r, uint8_t family, struct model_address *address)
{
	memset(address, 0, sizeof(*address));
	address->family = family;
	for (int i = 0; i < (family == 4 ? 4 : 16); i++)
		address->bytes[i] = (uint8_t)random_next(r);
}

/* ---- backends ---- */

/* The varying bits are zero, as the controller leaves them. */
static void source_mask(struct model_backend *backend)
{
	int last = backend->outer_source.family == 4 ? 3 : 15;

	for (uint32_t bit = 0; bit < backend->source_bits; bit++)
		backend->outer_source.bytes[last - (int)(bit / 8)] &= (uint8_t) ~(1U << bit % 8);
}

static void backend_random(struct random *r, struct model_backend *backend)
{
	static const uint16_t mtus[] = {0, 0, 0, 1500, 1500, 1600, 1540, 576, 1280, 68, 9000};
	static const uint8_t ways[] = {MODEL_L2,    MODEL_L2,    MODEL_L2,   MODEL_IPIP4,
				       MODEL_IPIP4, MODEL_IPIP6, MODEL_GUE4, MODEL_GUE6};
	static const uint32_t bits[] = {0, 0, 0, 8, 16, 20, 31, 32, 1};
	uint8_t family;

	memset(backend, 0, sizeof(*backend));
	backend->way = random_percent(r, 1) ? MODEL_NO_WAY : RANDOM_OF(r, ways);
	family = backend->way == MODEL_IPIP6 || backend->way == MODEL_GUE6 ? 6 : 4;
	backend->usable = random_percent(r, 80);
	backend->takes_clients = backend->usable && random_percent(r, 75);
	/* Records keep half of it. */
	backend->incarnation =
		random_percent(r, 10) ? (uint32_t)random_next(r) : random_below(r, 4);
	backend->mtu = RANDOM_OF(r, mtus);
	backend->ifindex = random_percent(r, 70) ? MACHINE_NEAR : MACHINE_FAR;
	backend->source_bits = RANDOM_OF(r, bits);
	backend->gue_port = (uint16_t)random_next(r);
	for (int i = 0; i < 6; i++) {
		backend->next_hop[i] = (uint8_t)random_next(r);
		backend->egress_mac[i] = (uint8_t)random_next(r);
	}
	address_random(r, family, &backend->outer_source);
	address_random(r, family, &backend->outer_destination);
	source_mask(backend);
}

/* ---- pools ---- */

/* Of a few of them, so that slots and entries meet the same ones. */
static uint32_t backend_of(struct random *r)
{
	if (random_percent(r, 2))
		return 0;
	return 1 + random_below(r, random_percent(r, 75) ? 4 : MODEL_BACKENDS - 1);
}

static struct model_slot slot_random(struct random *r, uint32_t unsettled_percent)
{
	struct model_slot slot = {.owner = backend_of(r)};

	slot.fallback = slot.owner;
	slot.changed = random_percent(r, unsettled_percent);
	if (slot.changed && random_percent(r, 80))
		slot.fallback = backend_of(r);
	return slot;
}

static void pool_random(struct random *r, struct model_pool *pool)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 7, 13, 31, 61, 64};
	static const uint8_t prefixes_v4[] = {32, 32, 24, 16, 31, 1, 20};
	static const uint8_t prefixes_v6[] = {64, 64, 128, 48, 127, 1, 65, 33};
	static const uint32_t idles[] = {3, 12, 34, 40, 0};
	static const uint32_t shares[] = {0, 20, 60, 100};
	uint32_t share = RANDOM_OF(r, shares);

	memset(pool, 0, sizeof(*pool));
	pool->table_size = RANDOM_OF(r, sizes);
	pool->usable = random_percent(r, 70);
	pool->by_source = random_percent(r, 50);
	pool->track_always = random_percent(r, 20);
	pool->prefix_v4 = RANDOM_OF(r, prefixes_v4);
	pool->prefix_v6 = RANDOM_OF(r, prefixes_v6);
	pool->idle_tcp = RANDOM_OF(r, idles);
	pool->idle_udp = RANDOM_OF(r, idles);
	pool->idle_closing = RANDOM_OF(r, idles);
	if (pool->by_source && random_percent(r, 60))
		pool->client_timeout = 1 + random_below(r, 40);
	for (int i = 0; i < MODEL_SLOTS; i++)
		pool->slots[i] = slot_random(r, share);
}

/* ---- listeners ---- */

/* A few VIPs, so that several listeners share one. */
static struct model_address vip_of(struct random *r)
{
	uint8_t number = (uint8_t)(1 + random_below(r, 5));

	if (random_percent(r, 50))
		return (struct model_address){.family = 4, .bytes = {192, 0, 2, number}};
	return (struct model_address){.family = 6, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = number}};
}

static void ports_random(struct random *r, struct model_listener *listener)
{
	static const uint16_t exact[] = {80, 443, 53, 8000, 0, 1, 65535};

	switch (random_below(r, 4)) {
	case 0:
		listener->first = 0;
		listener->last = 65535;
		break;
	case 1:
		listener->first = (uint16_t)random_below(r, 9000);
		listener->last = (uint16_t)(listener->first + 1 + random_below(r, 200));
		break;
	default:
		listener->first = listener->last = RANDOM_OF(r, exact);
	}
}

static bool same_address(const struct model_address *a, const struct model_address *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool is_exact(const struct model_listener *l)
{
	return l->first == l->last;
}

static bool is_any(const struct model_listener *l)
{
	return l->first == 0 && l->last == 65535;
}

/* What a configuration may not have: nothing tells the flows of the two apart. */
static bool conflict(const struct model_listener *a, const struct model_listener *b)
{
	if (!same_address(&a->vip, &b->vip) || a->proto != b->proto || a->last < b->first ||
	    b->last < a->first)
		return false;
	if (is_exact(a) || is_exact(b))
		return is_exact(a) && is_exact(b);
	return is_any(a) == is_any(b);
}

static void listener_random(struct random *r, struct model_config *config, int at)
{
	struct model_listener listener = {.vip = vip_of(r),
					  .proto = random_percent(r, 65) ? PROTO_TCP : PROTO_UDP,
					  .service = 1 + random_below(r, MODEL_SERVICES - 1)};

	ports_random(r, &listener);
	for (int i = 0; i < at; i++)
		if (config->listeners[i].vip.family && conflict(&config->listeners[i], &listener))
			return;
	config->listeners[at] = listener;
}

void generate_config(struct random *r, struct model_config *config)
{
	memset(config->backends, 0, sizeof(config->backends));
	memset(config->pools, 0, sizeof(config->pools));
	memset(config->listeners, 0, sizeof(config->listeners));
	for (int i = 1; i < MODEL_BACKENDS; i++)
		backend_random(r, &config->backends[i]);
	generate_nat_config(r, config);
	for (int i = 1; i < MODEL_POOLS; i++)
		pool_random(r, &config->pools[i]);
	for (int i = 1; i < MODEL_SERVICES; i++)
		config->service_pools[i] = 1 + random_below(r, MODEL_POOLS - 1);
	for (int i = 0; i < 4 + (int)random_below(r, 12); i++)
		listener_random(r, config, i);
}

/* ---- changes ---- */

static void backend_change(struct random *r, struct model_backend *backend)
{
	bool usable = random_percent(r, 70);

	if (backend->usable && !usable)
		backend->incarnation++;
	backend->usable = usable;
	backend->takes_clients = usable && random_percent(r, 70);
}

void generate_change(struct random *r, struct model_config *config)
{
	struct model_pool *pool = &config->pools[1 + random_below(r, MODEL_POOLS - 1)];

	if (random_percent(r, 50)) {
		backend_change(r, &config->backends[backend_of(r)]);
		return;
	}
	for (int i = 0; i < MODEL_SLOTS; i++)
		if (random_percent(r, 30))
			pool->slots[i] = slot_random(r, 50);
}
