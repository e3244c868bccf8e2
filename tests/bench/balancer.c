/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * balancer: see balancer.h. Pools of the IPv4 services send IPv4 in IPv4, those of the IPv6
 * services IPv6 in IPv6, so that a row meets the floor with an outer header of its size.
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
	SERVICES = BALANCER_POOLS * FAMILIES,
	COUNTERS = BALANCER_BACKENDS + 1, /* of a service; the first: packets without a backend */
	SLOTS = (BALANCER_TABLE_SIZE + LB_SLOT_BLOCK - 1) / LB_SLOT_BLOCK * LB_SLOT_BLOCK,
	NEVER = 1U << 30, /* ticks: no entry grows old while we measure */
	SERVICES_MAX = 1024,
};

static const uint32_t pool_flags[BALANCER_POOLS] = {
	[BALANCER_CHANGED] = 0,
	[BALANCER_ALWAYS] = LB_POOL_TRACK_ALWAYS,
};

struct addr balancer_vip(enum balancer_pool pool, uint8_t family)
{
	struct addr vip = {.family = family};
	uint8_t host = (uint8_t)(pool + 1);

	inet_pton(family == 4 ? AF_INET : AF_INET6,
		  family == 4 ? "192.0.2.0" : "2001:db8::", &vip.ip);
	vip.ip.bytes[family == 4 ? 3 : 15] = host;
	return vip;
}

static void backend_write(struct lb_backend *backend, uint8_t family, uint16_t number,
			  unsigned int ifindex)
{
	const char *source = family == 4 ? "198.51.100.1" : "2001:db8:1::1";
	const char *destination = family == 4 ? "198.51.100.0" : "2001:db8:2::";
	int af = family == 4 ? AF_INET : AF_INET6;

	*backend = (struct lb_backend){
		.destination_mac = {2, 0, 0, 0, 1, (uint8_t)number},
		.source_mac = {2, 0, 0, 0, 0, 1},
		.counter = number,
		.mtu = 1500,
		.ifindex = ifindex,
	};
	inet_pton(af, source, &backend->outer_source);
	inet_pton(af, destination, &backend->outer_destination);
	backend->outer_destination.bytes[family == 4 ? 3 : 15] = (uint8_t)(100 + number);
	backend->status = LB_STATUS(1, family == 4 ? LB_FORWARD_IPIP_V4 : LB_FORWARD_IPIP_V6,
				    LB_BACKEND_USABLE);
}

/* Fills the table's slots from `first_slot` with the backends from `first_backend`. */
static int table_write(struct dataplane *dp, uint32_t first_slot, uint32_t first_backend)
{
	struct maglev_backend backends[BALANCER_BACKENDS];
	char names[BALANCER_BACKENDS][8];
	int32_t *table = malloc(BALANCER_TABLE_SIZE * sizeof(*table));
	int err;

	if (!table)
		return -ENOMEM;
	for (int i = 0; i < BALANCER_BACKENDS; i++) {
		snprintf(names[i], sizeof(names[i]), "b%d", i);
		backends[i] = (struct maglev_backend){.name = names[i], .weight = 100};
	}
	err = maglev_build(dataplane_settings(dp)->hash_seed, backends, BALANCER_BACKENDS, table,
			   BALANCER_TABLE_SIZE);
	for (uint32_t i = 0; !err && i < BALANCER_TABLE_SIZE; i++) {
		uint32_t owner = first_backend + (uint32_t)table[i];

		dataplane_slots(dp)[first_slot + i] = LB_SLOT(owner, owner, false);
	}
	free(table);
	return err;
}

/* From 0. */
static uint32_t pool_number(enum balancer_pool kind, uint8_t family)
{
	return (uint32_t)kind * FAMILIES + (family == 6);
}

static int service_write(struct dataplane *dp, enum balancer_pool kind, uint8_t family,
			 unsigned int ifindex)
{
	uint32_t number = pool_number(kind, family);
	uint32_t first_backend = 1 + number * BALANCER_BACKENDS, first_slot = number * SLOTS;
	struct lb_pool *pool = &dataplane_pools(dp)[1 + number];
	struct lb_service service = {
		.index = 1 + number, .pool = 1 + number, .counter_base = number * COUNTERS};
	struct port_block block = {.port = BALANCER_PORT};
	struct addr vip = balancer_vip(kind, family);
	int err;

	for (uint16_t i = 0; i < BALANCER_BACKENDS; i++)
		backend_write(&dataplane_backends(dp)[first_backend + i], family, i + 1, ifindex);
	err = table_write(dp, first_slot, first_backend);
	if (err)
		return err;
	pool->flags = pool_flags[kind];
	pool->idle_tcp = pool->idle_udp = pool->idle_closing = NEVER;
	pool->table = LB_TABLE(first_slot, BALANCER_TABLE_SIZE);
	dataplane_control(dp)->port_blocks |= 1U << block.bits;
	err = dataplane_vip_put(dp, &vip, &(struct lb_vip){});
	return err ? err : dataplane_listener_put(dp, &vip, IPPROTO_TCP, &block, &service);
}

struct dataplane *balancer_create(const char *pin_dir, unsigned int ifindex, struct fault *fault)
{
	const struct lb_settings settings = {
		/* Flows that were not seen to begin may take a quarter. */
		.limits = {.flows = 4 * BALANCER_FLOWS_MAX,
			   .clients = 1,
			   .backends = SERVICES * BALANCER_BACKENDS,
			   .services = SERVICES_MAX,
			   .slots = SERVICES * SLOTS,
			   .counters = SERVICES * COUNTERS},
	};
	struct dataplane *dp = dataplane_create(pin_dir, &settings, fault);

	if (dp && dataplane_sweep_prepare(dp, fault) < 0) {
		dataplane_close(dp);
		return NULL;
	}
	for (int kind = 0; dp && kind < BALANCER_POOLS; kind++) {
		for (uint8_t family = 4; family <= 6; family += 2) {
			int err = service_write(dp, kind, family, ifindex);

			if (!err)
				continue;
			fault_set(fault, FAULT_FAILED, "service %d of IPv%d: writing it: %s", kind,
				  family, strerror(-err));
			dataplane_close(dp);
			return NULL;
		}
	}
	return dp;
}

int balancer_counted(struct dataplane *dp, uint64_t *forwarded, uint64_t *other)
{
	struct lb_verdict_counter verdicts[LB_VERDICT_COUNT];
	int err = dataplane_verdicts(dp, verdicts);

	*forwarded = *other = 0;
	for (int i = LB_CONTINUE + 1; !err && i < LB_VERDICT_COUNT; i++)
		*(i == LB_FORWARDED ? forwarded : other) += verdicts[i].packets;
	return err;
}

/* Every entry of the flow tables, births first, as a sweep at tick `now` judges it. Returns how
 * many were read, or a negative errno. */
static int64_t tables_sweep(struct dataplane *dp, uint32_t now)
{
	int64_t read = 0;

	memset(dataplane_pool_tallies(dp), 0, (SERVICES_MAX + 1UL) * sizeof(struct lb_tally));
	for (uint32_t table = LB_SWEEP_BIRTHS; table <= LB_SWEEP_FLOWS; table++) {
		struct lb_sweep sweep = {.table = table, .now = now};
		int err = dataplane_sweep(dp, &sweep);

		if (err)
			return err;
		read += sweep.read;
	}
	return read;
}

int64_t balancer_tracked(struct dataplane *dp, uint8_t family)
{
	int64_t total = tables_sweep(dp, dataplane_tick()), tracked = 0;

	for (int kind = 0; total >= 0 && kind < BALANCER_POOLS; kind++)
		tracked += dataplane_pool_tallies(dp)[1 + pool_number(kind, family)].flows;
	return total < 0 ? total : tracked;
}

int balancer_forget(struct dataplane *dp)
{
	/* When all of them are too old; the first sweep dooms them, the second deletes. */
	const uint32_t late = dataplane_tick() + NEVER + 16;
	int64_t left = tables_sweep(dp, late);

	if (left >= 0)
		left = tables_sweep(dp, late);
	if (left >= 0)
		left = tables_sweep(dp, dataplane_tick());
	return left > 0 ? -EBUSY : (int)left;
}
