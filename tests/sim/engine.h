/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine: a data plane and its controller in memory, for the simulators. The rules are those that
 * run: bpf/pick.h and bpf/sweep.h over tests/host/host_env.h, user/slots.c and user/maglev.c. The
 * engine adds only the order in which the controller does things, in steps between which packets
 * and sweeps may come:
 *
 *   backend state -> (status words that lose "usable") -> table computed -> table switched
 *                 -> (status words that gain it)       -> table computed -> table switched
 *
 * Sizes (HOST_*) may be defined before this is included; it is one translation unit.
 */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include <assert.h>
#include <stdio.h>

#include "../../bpf/pick.h"
/* pick first: it brings the environment. */
#include "../../bpf/sweep.h"
#include "../../user/maglev.h"
#include "../../user/pin_judge.h"
#include "../../user/slots.h"

enum { SIM_POOL = 1, SIM_TABLE_MAX = HOST_SLOT_BLOCKS / 2 * LB_SLOT_BLOCK };

/* A backend as the operator and the checks have it; index 0 is none. */
struct sim_backend {
	bool exists, up, drain;
	uint32_t weight;
};

struct sim {
	struct sim_backend backends[HOST_BACKENDS];
	bool keep;          /* on_down: keep */
	bool drain_clients; /* drain_mode: clients */
	uint32_t table_size;
	uint32_t half;                 /* of `slots` that is in force: 0 or 1 */
	uint32_t words[SIM_TABLE_MAX]; /* computed, to be switched to */
	bool computed;
	bool changing; /* a change is under way: the controller does one thing at a time */
	uint32_t sweep_began, sweep_table, sweep_bucket;
	bool sweeping;
};

HOST struct sim sim;

HOST uint32_t sim_now(void)
{
	return (uint32_t)(host_now_ns >> 30);
}
HOST void sim_tick(uint32_t ticks)
{
	host_now_ns += (uint64_t)ticks << 30;
}

/* ---- what the controller derives (user/model_state.c says the same of its model) ---- */

HOST bool sim_usable(uint32_t index)
{
	const struct sim_backend *b = &sim.backends[index];

	return b->exists && (b->up || sim.keep);
}

HOST bool sim_takes_new(uint32_t index)
{
	const struct sim_backend *b = &sim.backends[index];

	return b->exists && b->up && !b->drain && b->weight;
}

HOST bool sim_takes_clients(uint32_t index)
{
	const struct sim_backend *b = &sim.backends[index];

	return sim_takes_new(index) ||
	       (b->exists && b->drain && sim.drain_clients && sim_usable(index));
}

HOST bool sim_status_usable(const void *context, uint32_t index)
{
	(void)context;
	return backends_host[index].status & LB_BACKEND_USABLE;
}

HOST void sim_status_store(uint32_t index, bool usable, bool takes_clients)
{
	uint64_t old = backends_host[index].status;
	uint32_t incarnation = LB_STATUS_INCARNATION(old);

	if (!usable && old & LB_BACKEND_USABLE)
		incarnation++;
	backends_host[index].status = LB_STATUS(
		incarnation, LB_FORWARD_L2,
		(usable ? LB_BACKEND_USABLE : 0) | (takes_clients ? LB_BACKEND_TAKES_CLIENTS : 0));
}

HOST void sim_store_down(void)
{
	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		if (!sim_usable(i))
			sim_status_store(i, false, false);
}

HOST void sim_store_up(void)
{
	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		if (sim.backends[i].exists)
			sim_status_store(i, sim_usable(i), sim_takes_clients(i));
}

HOST uint32_t *sim_table(uint32_t half)
{
	return (uint32_t *)slots_host + half * SIM_TABLE_MAX;
}

/* ---- steps of a change ---- */

/* Those that are usable in the maps, as publish_table.c has it. */
HOST void sim_table_compute(void)
{
	static const uint8_t seed[LB_SEED_SIZE] = {1};
	static char names[HOST_BACKENDS][16];
	static int32_t table[SIM_TABLE_MAX];
	struct maglev_backend wanted[HOST_BACKENDS];
	uint32_t indices[HOST_BACKENDS], count = 0;
	bool any = pools_host[SIM_POOL].table;

	for (uint32_t i = 1; i < HOST_BACKENDS; i++) {
		if (!sim.backends[i].exists)
			continue;
		snprintf(names[i], sizeof(names[i]), "backend%u", i);
		indices[count] = i;
		wanted[count].name = names[i];
		wanted[count++].weight =
			sim_status_usable(NULL, i) && sim_takes_new(i) ? sim.backends[i].weight : 0;
	}
	if (maglev_build(seed, wanted, count, table, sim.table_size))
		abort();
	for (uint32_t i = 0; i < sim.table_size; i++)
		sim.words[i] = table[i] < 0 ? 0 : indices[table[i]];
	slots_change(any ? sim_table(sim.half) : NULL, sim.words, sim.words, slot_times_host,
		     sim_now(), sim.table_size, sim_status_usable, NULL);
	sim.computed = true;
}

HOST void sim_table_switch(void)
{
	struct lb_pool *pool = &pools_host[SIM_POOL];

	if (!sim.computed)
		return;
	sim.half ^= 1;
	memcpy(sim_table(sim.half), sim.words, sim.table_size * sizeof(*sim.words));
	if (slots_unsettled(sim.words, sim.table_size))
		pool->flags |= LB_POOL_UNSETTLED;
	pool->table = LB_TABLE(sim.half * SIM_TABLE_MAX, sim.table_size);
	sim.computed = false;
}

/* A whole change with nothing in between. */
HOST void sim_publish(void)
{
	sim_store_down();
	sim_table_compute();
	sim_table_switch();
	sim_store_up();
	sim_table_compute();
	sim_table_switch();
}

/* ---- sweeps ---- */

/* NAT is not simulated. */
enum { SIM_SWEEP_TABLES = LB_SWEEP_NAT_FLOWS };

#define SIM_SWEEP_BUCKET(map, each, context)                                                       \
	do {                                                                                       \
		uint32_t next_ = (map)->buckets[sim.sweep_bucket];                                 \
		while (next_) {                                                                    \
			struct host_element *at_ = host_element(map, next_ - 1);                   \
			next_ = at_->next;                                                         \
			each(map, host_key(at_), host_value(map, at_), context);                   \
		}                                                                                  \
	} while (0)

/* Pins that are over and no more needed go, as user/pins.c has it. */
HOST void sim_pins_purge(void)
{
	struct lb_pool *pool = &pools_host[SIM_POOL];

	for (uint32_t bucket = 0; bucket < HOST_BUCKETS; bucket++) {
		uint32_t next = pins_v4.buckets[bucket];

		while (next) {
			struct host_element *at = host_element(&pins_v4, next - 1);

			next = at->next;
			if (pin_needless(host_value(&pins_v4, at), sim.sweep_began))
				bpf_map_delete_elem(&pins_v4, host_key(at));
		}
	}
	if (!pins_v4.count)
		pool->flags &= ~(uint32_t)LB_POOL_PINS;
}

/* `backend` 0: it ends now. */
HOST void sim_pin(__be32 address, uint32_t backend, uint32_t ticks)
{
	const struct lb_client_key_v4 key = {.pool = SIM_POOL, .address = address};
	struct lb_pin *old = bpf_map_lookup_elem(&pins_v4, &key);
	struct lb_pin pin = {.backend = backend, .until = sim_now() + ticks, .since = sim_now()};

	if (!backend && old)
		old->until = sim_now();
	if (!backend)
		return;
	if (old)
		pin.kept = sim_now(); /* the entries of the one before */
	bpf_map_update_elem(&pins_v4, &key, &pin, BPF_ANY);
	pools_host[SIM_POOL].flags |= LB_POOL_PINS;
}

HOST uint32_t sim_settle(void)
{
	struct lb_pool *pool = &pools_host[SIM_POOL];
	uint32_t unsettled = slots_settle(sim_table(sim.half), slot_times_host, sim.table_size,
					  sim.sweep_began, sim_now(), pool->idle_longest);

	if (!unsettled)
		pool->flags &= ~(uint32_t)LB_POOL_UNSETTLED;
	return unsettled;
}

/* One bucket of one table; a sweep ends with settling. Returns true at its end. */
HOST bool sim_sweep_step(void)
{
	struct lb_sweep sweep = {.table = sim.sweep_table};

	if (!sim.sweeping) {
		sim.sweeping = true;
		sim.sweep_began = sim_now();
		sim.sweep_table = sim.sweep_bucket = 0;
		memset(backend_tallies_host, 0, sizeof(backend_tallies_host));
		memset(pool_tallies_host, 0, sizeof(pool_tallies_host));
		return false;
	}
	sweep.now = sim.sweep_began;
	switch (sim.sweep_table) {
	case LB_SWEEP_BIRTHS:
		SIM_SWEEP_BUCKET(&births_v4, each_birth_v4, &sweep);
		break;
	case LB_SWEEP_FLOWS:
		SIM_SWEEP_BUCKET(&flows_v4, each_flow_v4, &sweep);
		break;
	case LB_SWEEP_CLIENTS:
		SIM_SWEEP_BUCKET(&clients_v4, each_client_v4, &sweep);
		break;
	}
	if (sim.sweep_table < SIM_SWEEP_TABLES && ++sim.sweep_bucket == HOST_BUCKETS) {
		sim.sweep_bucket = 0;
		sim.sweep_table++;
	}
	if (sim.sweep_table < SIM_SWEEP_TABLES || sim.changing)
		return false;
	sim.sweeping = false;
	sim_settle();
	sim_pins_purge();
	return true;
}

HOST void sim_sweep(void)
{
	while (!sim_sweep_step())
		if (sim.changing && sim.sweep_table == SIM_SWEEP_TABLES)
			return; /* settling has to wait */
}

/* ---- the rest ---- */

struct sim_options {
	uint32_t table_size;
	uint32_t flags; /* enum lb_pool_flag */
	uint32_t flows, clients;
	uint32_t idle_tcp, idle_udp, client_timeout; /* ticks */
	bool keep, drain_clients;
};

HOST void sim_reset(const struct sim_options *options)
{
	const struct lb_limits limits = {.flows = options->flows, .clients = options->clients};
	const uint32_t all[LB_QUOTA_COUNT] = LB_QUOTAS(&limits);
	struct lb_pool *pool = &pools_host[SIM_POOL];
	struct host_map *hashes[] = {&births_v4, &flows_v4, &clients_v4, &pins_v4};

	memset(&sim, 0, sizeof(sim));
	sim.table_size = options->table_size;
	sim.keep = options->keep;
	sim.drain_clients = options->drain_clients;
	memcpy(quotas, all, sizeof(quotas));
	memset(usage_host, 0, sizeof(usage_host));
	memset(notes_host, 0, sizeof(notes_host));
	memset(backends_host, 0, sizeof(backends_host));
	memset(slot_times_host, 0, options->table_size * sizeof(*slot_times_host));
	for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
		host_map_clear(hashes[i]);
	for (int i = 0; i < LB_HASH_KEYS; i++)
		hash_keys[i] = 0x9e3779b97f4a7c15ULL * (uint64_t)(2 * i + 1);
	host_now_ns = 1000000ULL << 30;
	*pool = (struct lb_pool){.flags = options->flags,
				 .mask_v4 = 0xffffffff,
				 .idle_tcp = options->idle_tcp,
				 .idle_udp = options->idle_udp,
				 .idle_closing = 56,
				 .client_timeout = options->client_timeout};
	pool->idle_longest = pool->idle_tcp > pool->idle_udp ? pool->idle_tcp : pool->idle_udp;
	if (pool->idle_longest < pool->idle_closing)
		pool->idle_longest = pool->idle_closing;
	pool->client_life = pool->client_timeout > pool->idle_longest ? pool->client_timeout
								      : pool->idle_longest;
}

/* The backend that the packet is sent to, or 0. */
HOST uint32_t sim_send(const struct packet *packet)
{
	struct choice choice = {};
	struct lb_backend *backend;

	return pick(packet, SIM_POOL, &choice, &backend) == LB_CONTINUE ? choice.index : 0;
}

#endif
