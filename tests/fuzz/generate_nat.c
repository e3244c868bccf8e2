/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* generate_nat: see generate.h. */
#include <string.h>

#include "generate.h"
#include "machine.h"
#include "model_bytes.h"

static bool is_nat(const struct model_backend *backend)
{
	return backend->way == MODEL_NAT4 || backend->way == MODEL_NAT6;
}

/* ---- backends ---- */

static struct model_address address_in(struct random *r, uint8_t family, uint8_t net)
{
	if (family == 4)
		return (struct model_address){
			.family = 4,
			.bytes = {10, net, (uint8_t)random_next(r), (uint8_t)random_next(r)}};
	return (struct model_address){
		.family = 6,
		.bytes = {0xfd, net, (uint8_t)random_next(r), [14] = (uint8_t)random_next(r),
			  [15] = (uint8_t)random_next(r)}};
}

static void backend_nat(struct random *r, struct model_backend *backend)
{
	static const uint16_t ports[] = {0, 0, 80, 8080, 1, 65535};
	static const uint32_t bits[] = {0, 0, 0, 1, 8, 32};
	uint8_t family = random_percent(r, 50) ? 4 : 6;

	backend->way = family == 4 ? MODEL_NAT4 : MODEL_NAT6;
	backend->snat = random_percent(r, 65);
	backend->host_source = random_percent(r, 70);
	backend->gue_port = RANDOM_OF(r, ports);
	backend->outer_destination = address_in(r, family, 1);
	backend->outer_source = address_in(r, family, 2);
	backend->source_bits = RANDOM_OF(r, bits);
	for (uint32_t bit = 0; bit < backend->source_bits; bit++)
		backend->outer_source.bytes[(family == 4 ? 3 : 15) - bit / 8] &=
			(uint8_t) ~(1U << bit % 8);
}

/* The host gives out no port, the usual ones, or nearly all of them. */
static void host_ports(struct random *r, struct model_config *config)
{
	uint32_t left = 1 + random_below(r, 3);

	switch (random_below(r, 4)) {
	case 0:
		config->host_first = config->host_count = 0;
		break;
	case 1:
		config->host_first = (uint16_t)(1024 + left);
		config->host_count = (uint16_t)(64512 - left);
		break;
	default:
		config->host_first = 32768;
		config->host_count = 28232;
	}
}

void generate_nat_config(struct random *r, struct model_config *config)
{
	config->nat = random_percent(r, 40);
	host_ports(r, config);
	for (int i = 1; i < MODEL_BACKENDS && config->nat; i++)
		if (random_percent(r, 80))
			backend_nat(r, &config->backends[i]);
	/* Answers still come for a while, of backends that are gone. */
	config->nat |= random_percent(r, 5);
}

/* ---- what is remembered ---- */

static struct model_hop hop_random(struct random *r)
{
	uint8_t byte = (uint8_t)(2 + 2 * random_below(r, 2));
	struct model_hop hop = {.ifindex = random_percent(r, 80) ? MACHINE_NEAR : MACHINE_FAR};

	memset(hop.peer_mac, byte, 6);
	memset(hop.own_mac, byte, 6);
	return hop;
}

/* One of the pool's, mostly. */
static uint32_t backend_of(struct random *r, const struct model_config *config, uint32_t pool)
{
	uint32_t owner = config->pools[pool].slots[random_below(r, 8)].owner;

	return owner && random_percent(r, 80) ? owner : 1 + random_below(r, MODEL_BACKENDS - 1);
}

/* What the backend sends. */
static struct model_flow back_of(const struct model_nat_flow *flow,
				 const struct model_backend *backend)
{
	uint16_t port = backend->gue_port ? backend->gue_port : flow->flow.destination_port;

	return (struct model_flow){.source = backend->outer_destination,
				   .destination = flow->source,
				   .source_port = port,
				   .destination_port = flow->port,
				   .proto = flow->flow.proto};
}

static void return_add(struct random *r, const struct model_nat_flow *flow,
		       const struct model_backend *backend, struct model_memory *memory)
{
	struct model_nat_return entry = {.there = true,
					 .fate = flow->fate,
					 .state = (uint8_t)random_below(r, MODEL_STATES),
					 .client_port = flow->flow.source_port,
					 .vip_port = flow->flow.destination_port,
					 .seen = flow->seen,
					 .client = flow->flow.source,
					 .vip = flow->flow.destination,
					 .hop = flow->hop};

	if (random_percent(r, 10))
		entry.fate = generate_fate(r);
	entry.flow = back_of(flow, backend);
	for (int i = 0; i < MODEL_NAT_RETURNS; i++) {
		if (memory->nat_returns[i].there)
			continue;
		memory->nat_returns[i] = entry;
		return;
	}
}

static void flow_add(struct random *r, const struct model_config *config, const struct crowd *crowd,
		     uint32_t now, struct model_memory *memory)
{
	struct model_nat_flow flow = {.there = true,
				      .fate = generate_fate(r),
				      .state = (uint8_t)random_below(r, MODEL_STATES),
				      .seen = generate_tick(r, now),
				      .hop = hop_random(r),
				      .flow = generate_flow(r, config, crowd)};
	uint32_t service = model_service(config, &flow.flow);
	const struct model_backend *backend;
	struct model_flow back;

	flow.pool = service ? config->service_pools[service] : 1;
	flow.backend = backend_of(r, config, flow.pool);
	backend = &config->backends[flow.backend];
	flow.incarnation = backend->incarnation - (random_percent(r, 10) ? 1 : 0);
	flow.source = backend->snat ? backend->outer_source : flow.flow.source;
	flow.port = random_percent(r, 50) ? flow.flow.source_port
					  : (uint16_t)(1024 + random_below(r, 4));
	back = back_of(&flow, backend);
	if (!is_nat(backend) || flow.source.family != backend->outer_destination.family ||
	    model_nat_flow_find(memory, &flow.flow) || model_nat_return_find(memory, &back) ||
	    !model_quota_left(config, memory,
			      flow.flow.proto == PROTO_UDP ? MODEL_QUOTA_NAT_UDP
							   : MODEL_QUOTA_NAT_TCP))
		return;
	/* Claimed ones have lost their return. Of some only that is left: their flow moved. */
	if (flow.fate != MODEL_CLAIMED)
		return_add(r, &flow, backend, memory);
	if (flow.fate == MODEL_DOOMED && random_percent(r, 30))
		return;
	for (int i = 0; i < MODEL_NAT_FLOWS; i++) {
		if (memory->nat_flows[i].there)
			continue;
		memory->nat_flows[i] = flow;
		return;
	}
}

void generate_nat_memory(struct random *r, const struct model_config *config,
			 const struct crowd *crowd, uint32_t now, struct model_memory *memory)
{
	uint32_t count = random_below(r, 30);

	for (uint32_t i = 0; i < count && config->nat; i++)
		flow_add(r, config, crowd, now, memory);
}

bool generate_nat_flow(struct random *r, const struct model_memory *memory, struct model_flow *flow)
{
	for (int tries = 0; tries < 8; tries++) {
		uint32_t at = random_below(r, 24);

		if (random_percent(r, 60) && memory->nat_returns[at].there) {
			*flow = memory->nat_returns[at].flow;
			return true;
		}
		if (memory->nat_flows[at].there) {
			*flow = memory->nat_flows[at].flow;
			return true;
		}
	}
	return false;
}
