/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * churn_balancer: a pool behind the real rules (engine.h), or behind what it is compared with: the
 * same tables, read without the rules. Its controller does one thing in a unit of time, and a sweep
 * takes eight of them, so that packets come in between.
 */
#include <netinet/in.h>

#define HOST_BACKENDS    (BACKENDS_MAX + 1)
#define HOST_SLOT_BLOCKS 8194 /* twice 65537 slots */
#define HOST_BUCKETS     (1 << 17)
#include "churn.h"
#include "engine.h"

enum {
	TABLE_SIZE = 65537,
	SWEEP_SECONDS = 10,
	SWEEP_STEPS = HOST_BUCKETS * SIM_SWEEP_TABLES / UNITS_PER_TICK,
};

/* The steps of a change, in the controller's order. */
enum step { STEP_NONE, STEP_DOWN, STEP_UP, STEP_COMPUTE, STEP_SWITCH };

static struct policy policy;
static enum step next;
static uint32_t next_sweep;
static uint16_t lives[HOST_BACKENDS];

static uint32_t ticks(uint32_t seconds)
{
	return (uint32_t)((seconds * 1000000000ULL + (1U << 30) - 1) >> 30);
}

static bool has_rules(void)
{
	return policy.memory == MEMORY_ALWAYS || policy.memory == MEMORY_CHANGED;
}

void balancer_open(const struct policy *wanted)
{
	bool always = wanted->memory == MEMORY_ALWAYS;
	struct sim_options options = {.table_size = TABLE_SIZE,
				      .flags = always ? LB_POOL_TRACK_ALWAYS : 0,
				      .flows = wanted->entries,
				      .idle_tcp = ticks(7800),
				      .idle_udp = ticks(60)};

	policy = *wanted;
	sim_reset(&options);
	if (policy.memory == MEMORY_CLASSIC)
		classic_open(policy.entries);
	for (uint32_t i = 1; i <= BACKENDS; i++)
		sim.backends[i] =
			(struct sim_backend){.exists = true, .up = true, .weight = WEIGHT};
	sim_publish();
}

/* ---- packets ---- */

/* A number for a number, each once. */
static uint32_t scatter(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x85ebca6bU;
	x ^= x >> 13;
	x *= 0xc2b2ae35U;
	return x ^ x >> 16;
}

static struct packet packet_of(uint32_t flow, bool udp, enum packet_kind kind, uint32_t sequence)
{
	uint8_t proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	struct packet packet = {.family = 4,
				.proto = proto,
				.sequence = udp ? 0 : sequence,
				.syn = !udp && kind == PACKET_OPEN,
				.closing = !udp && kind == PACKET_CLOSE};

	packet.flow.v4 =
		(struct lb_flow_key_v4){.source = scatter(flow),
					.destination = bpf_htonl(0xc000020a),
					.source_port = (__be16)(1024 + scatter(~flow) % 60000),
					.destination_port = bpf_htons(443),
					.proto = proto};
	return packet;
}

static uint32_t owner_of(const struct packet *packet)
{
	const struct lb_pool *pool = &pools_host[SIM_POOL];
	uint32_t entropy, word = 0;

	slot_read(pool->table,
		  hash_reduce(pick_hash(packet, pool, &entropy), LB_TABLE_SIZE(pool->table)),
		  &word);
	return balancer_usable(LB_SLOT_OWNER(word)) ? LB_SLOT_OWNER(word) : 0;
}

static uint32_t classic_send(const struct packet *packet, uint32_t flow, entry_hint *hint)
{
	uint32_t backend = packet->syn ? 0 : classic_find(flow, *hint);

	if (balancer_usable(backend))
		return backend;
	backend = owner_of(packet);
	if (backend)
		classic_put(flow, backend, hint);
	return backend;
}

uint32_t balancer_send(uint32_t flow, bool udp, enum packet_kind kind, uint32_t sequence,
		       entry_hint *hint)
{
	struct packet packet = packet_of(flow, udp, kind, sequence);

	switch (policy.memory) {
	case MEMORY_NONE:
		return owner_of(&packet);
	case MEMORY_CLASSIC:
		return classic_send(&packet, flow, hint);
	default:
		return sim_send(&packet);
	}
}

bool balancer_usable(uint32_t backend)
{
	return sim_status_usable(NULL, backend);
}

uint16_t balancer_life(uint32_t backend)
{
	return lives[backend];
}

/* ---- the controller ---- */

void balancer_change(const struct change *change)
{
	struct sim_backend *backend = &sim.backends[change->backend];

	switch ((enum change_kind)change->kind) {
	case CHANGE_ADD:
		*backend =
			(struct sim_backend){.exists = true, .up = true, .weight = change->weight};
		break;
	case CHANGE_REMOVE:
		backend->exists = false;
		break;
	case CHANGE_WEIGHT:
		backend->weight = change->weight;
		break;
	case CHANGE_DRAIN:
	case CHANGE_READY:
		backend->drain = change->kind == CHANGE_DRAIN;
		break;
	case CHANGE_DOWN:
	case CHANGE_UP:
		backend->up = change->kind == CHANGE_UP;
		break;
	}
	next = STEP_DOWN;
	sim.changing = true;
}

bool balancer_changing(void)
{
	return next != STEP_NONE;
}

static void store_down(void)
{
	bool was[HOST_BACKENDS];

	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		was[i] = balancer_usable(i);
	sim_store_down();
	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		lives[i] += was[i] && !balancer_usable(i);
}

static void change_step(void)
{
	switch (next) {
	case STEP_NONE:
		return;
	case STEP_DOWN:
		store_down();
		next = STEP_UP;
		break;
	case STEP_UP:
		sim_store_up();
		next = STEP_COMPUTE;
		break;
	case STEP_COMPUTE:
		sim_table_compute();
		next = STEP_SWITCH;
		break;
	case STEP_SWITCH:
		sim_table_switch();
		next = STEP_NONE;
		break;
	}
	sim.changing = next != STEP_NONE;
}

/* ---- sweeps ---- */

/* A table without entries is swept at once. */
static bool is_table_empty(void)
{
	switch (sim.sweep_table) {
	case LB_SWEEP_BIRTHS:
		return !births_v4.count;
	case LB_SWEEP_FLOWS:
		return !flows_v4.count;
	}
	return true;
}

static void sweep_step(void)
{
	if (!sim.sweeping && unit_now < next_sweep)
		return;
	for (uint32_t i = 0; i < SWEEP_STEPS; i++) {
		if (sim.sweeping && is_table_empty())
			sim.sweep_bucket = HOST_BUCKETS - 1;
		if (sim_sweep_step()) {
			next_sweep = unit_now + units(SWEEP_SECONDS);
			return;
		}
		if (sim.sweep_table == SIM_SWEEP_TABLES)
			return; /* settling has to wait for a change */
	}
}

void balancer_step(void)
{
	host_now_ns += 1ULL << UNIT_SHIFT;
	change_step();
	if (has_rules())
		sweep_step();
}

/* ---- how things stand ---- */

uint32_t balancer_entries(void)
{
	return policy.memory == MEMORY_CLASSIC ? classic_count() : births_v4.count + flows_v4.count;
}

bool balancer_agrees(void)
{
	const uint32_t *words = sim_table(sim.half);

	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		if (LB_SLOT_OWNER(words[i]) != LB_SLOT_FALLBACK(words[i]))
			return false;
	return true;
}

bool balancer_settled(void)
{
	return next == STEP_NONE && !(pools_host[SIM_POOL].flags & LB_POOL_UNSETTLED);
}
