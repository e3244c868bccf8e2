/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* machine_nat: see machine.h. What is remembered of NAT, as the maps hold it, and back. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <string.h>

#include "machine.h"

static int flows_map(const struct machine *machine, bool six)
{
	return machine->dp->fds[six ? MAP_nat_flows_v6 : MAP_nat_flows_v4];
}

static int returns_map(const struct machine *machine, bool six)
{
	return machine->dp->fds[six ? MAP_nat_returns_v6 : MAP_nat_returns_v4];
}

/* ---- values ---- */

static struct lb_nat_hop hop_value(const struct model_hop *hop)
{
	struct lb_nat_hop value = {.ifindex = hop->ifindex};

	memcpy(value.peer_mac, hop->peer_mac, 6);
	memcpy(value.own_mac, hop->own_mac, 6);
	return value;
}

static struct model_hop hop_of(const struct lb_nat_hop *value)
{
	struct model_hop hop = {.ifindex = value->ifindex};

	memcpy(hop.peer_mac, value->peer_mac, 6);
	memcpy(hop.own_mac, value->own_mac, 6);
	return hop;
}

static union lb_addr address_value(const struct model_address *address)
{
	union lb_addr value;

	memcpy(value.bytes, address->bytes, sizeof(value.bytes));
	return value;
}

static struct model_address address_of(uint8_t family, const union lb_addr *value)
{
	struct model_address address = {.family = family};

	/* All sixteen: of an IPv4 address the others are zero. */
	memcpy(address.bytes, value->bytes, sizeof(address.bytes));
	return address;
}

static struct model_nat_flow flow_of(bool six, const union machine_flow_key *key,
				     const struct lb_nat_flow *value)
{
	return (struct model_nat_flow){.there = true,
				       .fate = machine_fate(value->seen),
				       .state = machine_state(value->state),
				       .port = ntohs(LB_NAT_PORT(value->to)),
				       .backend = LB_NAT_BACKEND(value->to),
				       .incarnation = LB_NAT_INCARNATION(value->to),
				       .pool = value->pool,
				       .seen = value->seen & ~(LB_DOOMED | LB_CLAIMED),
				       .source = address_of(value->family, &value->source),
				       .hop = hop_of(&value->hop),
				       .flow = machine_flow_of(six, key)};
}

static struct model_nat_return return_of(bool six, const union machine_flow_key *key,
					 const struct lb_nat_return *value)
{
	return (struct model_nat_return){.there = true,
					 .fate = machine_fate(value->seen),
					 .state = machine_state(value->state),
					 .client_port = ntohs(value->client_port),
					 .vip_port = ntohs(value->vip_port),
					 .seen = value->seen & ~(LB_DOOMED | LB_CLAIMED),
					 .client = address_of(value->family, &value->client),
					 .vip = address_of(value->family, &value->vip),
					 .hop = hop_of(&value->hop),
					 .flow = machine_flow_of(six, key)};
}

static void flow_put(struct machine *machine, const struct model_nat_flow *flow)
{
	struct lb_nat_flow value = {
		.to = LB_NAT_TO(flow->backend, htons(flow->port), flow->incarnation),
		.seen = machine_seen(flow->seen, flow->fate),
		.pool = (uint16_t)flow->pool,
		.state = machine_state_value(flow->state),
		.family = flow->source.family,
		.source = address_value(&flow->source),
		.hop = hop_value(&flow->hop)};
	union machine_flow_key key;
	bool six = machine_flow_key(&flow->flow, &key);

	if (bpf_map_update_elem(flows_map(machine, six), &key, &value, BPF_NOEXIST))
		err(1, "making the entry of a NAT flow");
}

static void return_put(struct machine *machine, const struct model_nat_return *entry)
{
	struct lb_nat_return value = {.seen = machine_seen(entry->seen, entry->fate),
				      .state = machine_state_value(entry->state),
				      .family = entry->client.family,
				      .client_port = htons(entry->client_port),
				      .vip_port = htons(entry->vip_port),
				      .client = address_value(&entry->client),
				      .vip = address_value(&entry->vip),
				      .hop = hop_value(&entry->hop)};
	union machine_flow_key key;
	bool six = machine_flow_key(&entry->flow, &key);

	if (bpf_map_update_elem(returns_map(machine, six), &key, &value, BPF_NOEXIST))
		err(1, "making the return of a NAT flow");
}

/* ---- to the maps ---- */

static void clear(int map)
{
	union machine_flow_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		if (bpf_map_delete_elem(map, &key))
			err(1, "emptying a table of NAT");
}

void machine_nat_remember(struct machine *machine, const struct model_memory *memory)
{
	for (int six = 0; six < 2; six++) {
		clear(flows_map(machine, six));
		clear(returns_map(machine, six));
	}
	for (int i = 0; i < MODEL_NAT_FLOWS; i++)
		if (memory->nat_flows[i].there)
			flow_put(machine, &memory->nat_flows[i]);
	for (int i = 0; i < MODEL_NAT_RETURNS; i++)
		if (memory->nat_returns[i].there)
			return_put(machine, &memory->nat_returns[i]);
	for (uint32_t i = 0; i < MODEL_BACKENDS; i++) {
		struct lb_nat_pressure pressure = {.refused = memory->nat_refused[i]};

		if (bpf_map_update_elem(machine->dp->fds[MAP_nat_pressure], &i, &pressure, BPF_ANY))
			err(1, "writing how often no port was free");
	}
}

/* ---- and back ---- */

bool machine_nat_flow(struct machine *machine, const struct model_flow *flow,
		      struct model_nat_flow *out)
{
	struct lb_nat_flow value;
	union machine_flow_key key;
	bool six = machine_flow_key(flow, &key);

	if (bpf_map_lookup_elem(flows_map(machine, six), &key, &value))
		return false;
	*out = flow_of(six, &key, &value);
	return true;
}

bool machine_nat_return(struct machine *machine, const struct model_flow *flow,
			struct model_nat_return *out)
{
	struct lb_nat_return value;
	union machine_flow_key key;
	bool six = machine_flow_key(flow, &key);

	if (bpf_map_lookup_elem(returns_map(machine, six), &key, &value))
		return false;
	*out = return_of(six, &key, &value);
	return true;
}

static void recall_flows(struct machine *machine, bool six, struct model_memory *memory, int *count)
{
	union machine_flow_key key, *last = NULL;
	struct lb_nat_flow value;

	for (; !bpf_map_get_next_key(flows_map(machine, six), last, &key); last = &key) {
		if (*count == MODEL_NAT_FLOWS)
			errx(1, "more NAT flows than any quota allows");
		if (bpf_map_lookup_elem(flows_map(machine, six), &key, &value))
			err(1, "reading the table of NAT flows");
		memory->nat_flows[(*count)++] = flow_of(six, &key, &value);
	}
}

static void recall_returns(struct machine *machine, bool six, struct model_memory *memory,
			   int *count)
{
	union machine_flow_key key, *last = NULL;
	struct lb_nat_return value;

	for (; !bpf_map_get_next_key(returns_map(machine, six), last, &key); last = &key) {
		if (*count == MODEL_NAT_RETURNS)
			errx(1, "more returns of NAT flows than there is room for");
		if (bpf_map_lookup_elem(returns_map(machine, six), &key, &value))
			err(1, "reading the table of returns");
		memory->nat_returns[(*count)++] = return_of(six, &key, &value);
	}
}

void machine_nat_recall(struct machine *machine, struct model_memory *memory)
{
	int flows = 0, returns = 0;

	for (int six = 0; six < 2; six++) {
		recall_flows(machine, six, memory, &flows);
		recall_returns(machine, six, memory, &returns);
	}
	for (uint32_t i = 0; i < MODEL_BACKENDS; i++) {
		struct lb_nat_pressure pressure;

		if (bpf_map_lookup_elem(machine->dp->fds[MAP_nat_pressure], &i, &pressure))
			err(1, "reading how often no port was free");
		memory->nat_refused[i] = (uint32_t)pressure.refused;
	}
}
