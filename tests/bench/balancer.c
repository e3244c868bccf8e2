/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * balancer: see balancer.h. Pools of the IPv4 services send IPv4 in IPv4, those of the IPv6
 * services IPv6 in IPv6, where not said otherwise, so that a row meets the floor with an outer
 * header of its size.
 */
#include "balancer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/maglev.h"
#include "../../user/slots.h"

enum {
	FAMILIES = 2,
	POOLS = BALANCER_MANY * FAMILIES + BALANCER_MANY_POOLS,
	SERVICES = BALANCER_MANY * FAMILIES + BALANCER_MANY_SERVICES,
	SERVICES_MAX = 1024,
	COUNTERS = BALANCER_BACKENDS + 1, /* of a service; the first: packets without a backend */
	SLOTS = (BALANCER_TABLE_SIZE + LB_SLOT_BLOCK - 1) / LB_SLOT_BLOCK * LB_SLOT_BLOCK,
	NEVER = 1U << 30, /* ticks: no entry grows old while we measure */
	GUE_PORT = 6080,
};

/* In what owner and fallback of its slots differ. */
enum slot_state { SETTLED, MOVED, SETTLING };

static const struct kind {
	uint32_t flags;
	uint32_t client_timeout;
	enum lb_forward forward_v4, forward_v6; /* LB_FORWARD_NONE: no such service */
	enum slot_state slots;
} kinds[BALANCER_POOLS] = {
	[BALANCER_CHANGED] = {.forward_v4 = LB_FORWARD_IPIP_V4, .forward_v6 = LB_FORWARD_IPIP_V6},
	[BALANCER_ALWAYS] = {.flags = LB_POOL_TRACK_ALWAYS,
			     .forward_v4 = LB_FORWARD_IPIP_V4,
			     .forward_v6 = LB_FORWARD_IPIP_V6},
	[BALANCER_CLIENT] = {.flags = LB_POOL_SOURCE,
			     .client_timeout = NEVER,
			     .forward_v4 = LB_FORWARD_IPIP_V4,
			     .forward_v6 = LB_FORWARD_IPIP_V6},
	[BALANCER_MOVED] = {.forward_v4 = LB_FORWARD_IPIP_V4, .slots = MOVED},
	[BALANCER_SETTLING] = {.forward_v4 = LB_FORWARD_IPIP_V4, .slots = SETTLING},
	[BALANCER_GUE] = {.forward_v4 = LB_FORWARD_GUE_V4},
	[BALANCER_L2] = {.forward_v4 = LB_FORWARD_L2},
	[BALANCER_NAT] = {.forward_v4 = LB_FORWARD_NAT_V4},
	[BALANCER_OVER_V6] = {.flags = LB_POOL_TRACK_ALWAYS, .forward_v4 = LB_FORWARD_IPIP_V6},
	[BALANCER_MANY] = {.forward_v4 = LB_FORWARD_IPIP_V4},
};

/* What one pool is made of. */
struct place {
	enum balancer_pool kind;
	uint8_t family;
	uint32_t pool; /* from 0, as the rest */
	uint32_t first_service, services;
};

/* The first one, if there are many. */
static struct place place_of(enum balancer_pool kind, uint8_t family)
{
	uint32_t number = (uint32_t)kind * FAMILIES + (family == 6);
	struct place place = {.kind = kind,
			      .family = family,
			      .pool = number,
			      .first_service = number,
			      .services = 1};

	if (kind == BALANCER_MANY)
		place.services = BALANCER_MANY_SERVICES / BALANCER_MANY_POOLS;
	return place;
}

static struct addr vip_of(const struct place *place, uint32_t number)
{
	struct addr vip = balancer_vip(place->kind, place->family);

	if (place->family == 4)
		vip.ip.v4 = htonl(ntohl(vip.ip.v4) + number);
	return vip;
}

struct addr balancer_vip(enum balancer_pool pool, uint8_t family)
{
	struct addr vip = {.family = family};

	if (family == 4)
		inet_pton(AF_INET, pool == BALANCER_MANY ? "198.18.0.0" : "192.0.2.1", &vip.ip);
	else
		inet_pton(AF_INET6, "2001:db8::1", &vip.ip);
	if (pool != BALANCER_MANY)
		vip.ip.bytes[family == 4 ? 3 : 15] += (uint8_t)pool;
	return vip;
}

static void backend_write(struct lb_backend *backend, enum lb_forward forward, uint16_t number,
			  unsigned int ifindex)
{
	bool four = forward != LB_FORWARD_IPIP_V6;
	int af = four ? AF_INET : AF_INET6;

	*backend = (struct lb_backend){
		.destination_mac = {2, 0, 0, 0, 1, (uint8_t)number},
		.source_mac = {2, 0, 0, 0, 0, 1},
		.counter = number,
		.mtu = 1500,
		.ifindex = ifindex,
		.port = forward == LB_FORWARD_GUE_V4 ? htons(GUE_PORT) : 0,
	};
	inet_pton(af, four ? "198.51.100.1" : "2001:db8:1::1", &backend->outer_source);
	inet_pton(af, four ? "198.51.100.0" : "2001:db8:2::", &backend->outer_destination);
	backend->outer_destination.bytes[four ? 3 : 15] = (uint8_t)(100 + number);
	backend->status = LB_STATUS(1, forward, LB_BACKEND_USABLE | LB_BACKEND_TAKES_CLIENTS);
}

/* Maglev's table of any pool here: their backends have the same names. */
static int32_t *table_build(const uint8_t seed[LB_SEED_SIZE])
{
	struct maglev_backend backends[BALANCER_BACKENDS];
	char names[BALANCER_BACKENDS][8];
	int32_t *table = malloc(BALANCER_TABLE_SIZE * sizeof(*table));

	for (int i = 0; i < BALANCER_BACKENDS; i++) {
		snprintf(names[i], sizeof(names[i]), "b%d", i);
		backends[i] = (struct maglev_backend){.name = names[i], .weight = 100};
	}
	if (!table || !maglev_build(seed, backends, BALANCER_BACKENDS, table, BALANCER_TABLE_SIZE))
		return table;
	free(table);
	return NULL;
}

static void slots_write(uint32_t *slots, const int32_t *table, uint32_t first_backend,
			enum slot_state state)
{
	for (uint32_t i = 0; i < BALANCER_TABLE_SIZE; i++) {
		uint32_t owner = (uint32_t)table[i];
		uint32_t fallback = state == MOVED ? (owner + 1) % BALANCER_BACKENDS : owner;

		slots[i] =
			LB_SLOT(first_backend + owner, first_backend + fallback, state != SETTLED);
	}
}

static int services_write(struct dataplane *dp, const struct place *place)
{
	const struct port_block block = {.port = BALANCER_PORT};
	int err = 0;

	for (uint32_t i = 0; !err && i < place->services; i++) {
		uint32_t number = place->first_service + i;
		uint32_t in_kind = number - place_of(place->kind, place->family).first_service;
		struct addr vip = vip_of(place, in_kind);
		const struct lb_service service = {.index = 1 + number,
						   .pool = 1 + place->pool,
						   .counter_base = number * COUNTERS};

		err = dataplane_vip_put(dp, &vip, &(struct lb_vip){});
		if (!err)
			err = dataplane_listener_put(dp, &vip, IPPROTO_TCP, &block, &service);
		if (!err)
			err = dataplane_listener_put(dp, &vip, IPPROTO_UDP, &block, &service);
	}
	return err;
}

static int pool_write(struct dataplane *dp, const struct place *place, const int32_t *table,
		      unsigned int ifindex)
{
	const struct kind *kind = &kinds[place->kind];
	enum lb_forward forward = place->family == 4 ? kind->forward_v4 : kind->forward_v6;
	uint32_t first_backend = 1 + place->pool * BALANCER_BACKENDS;
	uint32_t first_slot = place->pool * SLOTS;
	struct lb_pool *pool = &dataplane_pools(dp)[1 + place->pool];

	if (forward == LB_FORWARD_NONE)
		return 0;
	for (uint16_t i = 0; i < BALANCER_BACKENDS; i++)
		backend_write(&dataplane_backends(dp)[first_backend + i], forward, i + 1, ifindex);
	slots_write(&dataplane_slots(dp)[first_slot], table, first_backend, kind->slots);
	pool->flags = kind->flags;
	memset(&pool->mask_v6, 0xff, sizeof(pool->mask_v6));
	pool->mask_v4 = pool->mask_v6.v4;
	pool->idle_tcp = pool->idle_udp = pool->idle_closing = pool->idle_longest = NEVER;
	pool->client_timeout = kind->client_timeout;
	pool->client_life = NEVER;
	pool->times_base = first_slot;
	pool->table = LB_TABLE(first_slot, BALANCER_TABLE_SIZE);
	return services_write(dp, place);
}

static int pools_write(struct dataplane *dp, unsigned int ifindex)
{
	int32_t *table = table_build(dataplane_settings(dp)->hash_seed);
	int err = table ? 0 : -ENOMEM;

	for (int kind = 0; !err && kind < BALANCER_MANY; kind++) {
		for (uint8_t family = 4; !err && family <= 6; family += 2) {
			struct place place = place_of(kind, family);

			err = pool_write(dp, &place, table, ifindex);
		}
	}
	for (uint32_t i = 0; !err && i < BALANCER_MANY_POOLS; i++) {
		struct place place = place_of(BALANCER_MANY, 4);

		place.pool += i;
		place.first_service += i * place.services;
		err = pool_write(dp, &place, table, ifindex);
	}
	free(table);
	dataplane_control(dp)->port_blocks = 1;
	return err;
}

struct dataplane *balancer_create(const char *pin_dir, unsigned int ifindex, uint32_t room,
				  struct fault *fault)
{
	const struct lb_settings settings = {
		.limits = {.flows = room,
			   .clients = 8 * BALANCER_NEW_CLIENTS_MAX,
			   .backends = POOLS * BALANCER_BACKENDS,
			   .services = SERVICES_MAX,
			   .slots = POOLS * SLOTS,
			   .counters = SERVICES * COUNTERS,
			   .nat_flows = BALANCER_FLOWS_MAX},
	};
	struct dataplane *dp = dataplane_create(pin_dir, &settings, fault);
	int err;

	if (!dp)
		return NULL;
	err = dataplane_sweep_prepare(dp, fault) ? 1 : pools_write(dp, ifindex);
	if (!err)
		return dp;
	if (err < 0)
		fault_set(fault, FAULT_FAILED, "pools: writing them: %s", strerror(-err));
	dataplane_close(dp);
	return NULL;
}

void balancer_nat(struct dataplane *dp, bool in_use)
{
	dataplane_control(dp)->flags = in_use ? LB_CONTROL_NAT : 0;
}

int balancer_counted(struct dataplane *dp, enum balancer_pool pool, uint8_t family,
		     uint64_t verdicts[LB_VERDICT_COUNT])
{
	static struct lb_counter counters[BALANCER_MANY_SERVICES * COUNTERS];
	struct lb_verdict_counter ended[LB_VERDICT_COUNT];
	struct place place = place_of(pool, family);
	uint32_t count = COUNTERS * (pool == BALANCER_MANY ? BALANCER_MANY_SERVICES : 1);
	int err = dataplane_verdicts_ended(dp, ended);

	if (!err)
		err = dataplane_counters(dp, place.first_service * COUNTERS, count, counters);
	for (int i = 0; !err && i < LB_VERDICT_COUNT; i++)
		verdicts[i] = ended[i].packets;
	for (uint32_t i = 0; !err && i < count; i++)
		verdicts[LB_FORWARDED] += i % COUNTERS ? counters[i].packets : 0;
	return err;
}

uint64_t balancer_entries(struct dataplane *dp)
{
	const uint32_t *count = dataplane_usage(dp)->count;

	return (uint64_t)count[LB_QUOTA_TCP] + count[LB_QUOTA_UDP] + count[LB_QUOTA_CLIENTS] +
	       count[LB_QUOTA_NAT_TCP] + count[LB_QUOTA_NAT_UDP];
}

int64_t balancer_sweep(struct dataplane *dp, uint32_t now)
{
	int64_t read = 0;

	for (uint32_t table = 0; table < LB_SWEEP_TABLE_COUNT; table++) {
		struct lb_sweep sweep = {.table = table, .now = now};
		int err = dataplane_sweep(dp, &sweep);

		if (err)
			return err;
		read += sweep.read;
	}
	return read;
}

int balancer_forget(struct dataplane *dp)
{
	/* When all of them are too old; the first sweep dooms them, the second deletes. */
	const uint32_t late = dataplane_tick() + NEVER + 16;
	int64_t left;

	if (!balancer_entries(dp))
		return 0;
	left = balancer_sweep(dp, late);
	if (left >= 0)
		left = balancer_sweep(dp, late);
	if (left >= 0)
		left = balancer_sweep(dp, dataplane_tick());
	return left > 0 ? -EBUSY : (int)left;
}
