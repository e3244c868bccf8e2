/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* machine_memory: see machine.h. What is remembered, as the maps hold it, and back. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <string.h>

#include "machine.h"

union any_key {
	union machine_flow_key flow;
	struct lb_client_key_v4 client_v4;
	struct lb_client_key_v6 client_v6;
	struct lb_fragment_key fragment;
};

union any_value {
	struct lb_birth birth;
	struct lb_flow flow;
	struct lb_client client;
	struct lb_fragment fragment;
};

enum table { BIRTHS, FLOWS, CLIENTS, TABLES };

static int map_of(const struct machine *machine, enum table table, bool six)
{
	static const enum dataplane_map maps[TABLES][2] = {
		[BIRTHS] = {MAP_births_v4, MAP_births_v6},
		[FLOWS] = {MAP_flows_v4, MAP_flows_v6},
		[CLIENTS] = {MAP_clients_v4, MAP_clients_v6},
	};

	return machine->dp->fds[maps[table][six]];
}

/* ---- keys: they return whether it is IPv6 ---- */

static struct model_address address_of(bool six, const void *bytes)
{
	struct model_address address = {.family = six ? 6 : 4};

	memcpy(address.bytes, bytes, six ? 16 : 4);
	return address;
}

bool machine_flow_key(const struct model_flow *flow, union machine_flow_key *key)
{
	memset(key, 0, sizeof(*key));
	if (flow->source.family == 4) {
		memcpy(&key->v4.source, flow->source.bytes, 4);
		memcpy(&key->v4.destination, flow->destination.bytes, 4);
		key->v4.source_port = htons(flow->source_port);
		key->v4.destination_port = htons(flow->destination_port);
		key->v4.proto = flow->proto;
		return false;
	}
	memcpy(&key->v6.source, flow->source.bytes, 16);
	memcpy(&key->v6.destination, flow->destination.bytes, 16);
	key->v6.source_port = htons(flow->source_port);
	key->v6.destination_port = htons(flow->destination_port);
	key->v6.proto = flow->proto;
	return true;
}

struct model_flow machine_flow_of(bool six, const union machine_flow_key *key)
{
	if (six)
		return (struct model_flow){.source = address_of(true, &key->v6.source),
					   .destination = address_of(true, &key->v6.destination),
					   .source_port = ntohs(key->v6.source_port),
					   .destination_port = ntohs(key->v6.destination_port),
					   .proto = key->v6.proto};
	return (struct model_flow){.source = address_of(false, &key->v4.source),
				   .destination = address_of(false, &key->v4.destination),
				   .source_port = ntohs(key->v4.source_port),
				   .destination_port = ntohs(key->v4.destination_port),
				   .proto = key->v4.proto};
}

static bool flow_key(const struct model_flow *flow, union any_key *key)
{
	memset(key, 0, sizeof(*key));
	return machine_flow_key(flow, &key->flow);
}

static bool client_key(uint32_t pool, const struct model_address *network, union any_key *key)
{
	memset(key, 0, sizeof(*key));
	key->client_v4.pool = pool; /* the same place in both */
	if (network->family == 4)
		memcpy(&key->client_v4.address, network->bytes, 4);
	else
		memcpy(&key->client_v6.address, network->bytes, 16);
	return network->family == 6;
}

/* ---- values ---- */

uint32_t machine_seen(uint32_t seen, uint8_t fate)
{
	return seen | (fate != MODEL_KEPT ? LB_DOOMED : 0U) |
	       (fate == MODEL_CLAIMED ? LB_CLAIMED : 0U);
}

uint8_t machine_fate(uint32_t word)
{
	return word & LB_CLAIMED ? MODEL_CLAIMED : word & LB_DOOMED ? MODEL_DOOMED : MODEL_KEPT;
}

uint8_t machine_state_value(uint8_t state)
{
	static const uint8_t states[MODEL_STATES] = {[MODEL_OPENING] = LB_FLOW_OPENING,
						     [MODEL_OPEN] = LB_FLOW_OPEN,
						     [MODEL_CLOSING] = LB_FLOW_CLOSING,
						     [MODEL_RESET] = LB_FLOW_RESET};

	return states[state];
}

uint8_t machine_state(uint8_t value)
{
	return value == LB_FLOW_OPENING   ? MODEL_OPENING
	       : value == LB_FLOW_OPEN    ? MODEL_OPEN
	       : value == LB_FLOW_CLOSING ? MODEL_CLOSING
					  : MODEL_RESET;
}

static struct lb_birth entry_value(const struct model_entry *entry)
{
	return (struct lb_birth){
		.flow = {.seen = machine_seen(entry->seen, entry->fate),
			 .incarnation = entry->incarnation,
			 .backend = (uint16_t)entry->backend,
			 .pool = (uint16_t)entry->pool,
			 .state = machine_state_value(entry->state),
			 .flags = (uint8_t)((entry->reborn ? LB_FLOW_REBORN : 0U) |
					    (entry->recorded ? LB_FLOW_RECORDED : 0U))},
		.sequence = entry->sequence};
}

static struct model_entry entry_of(bool six, const union any_key *key, const struct lb_birth *value)
{
	const struct lb_flow *flow = &value->flow;

	return (struct model_entry){.there = true,
				    .state = machine_state(flow->state),
				    .fate = machine_fate(flow->seen),
				    .reborn = flow->flags & LB_FLOW_REBORN,
				    .recorded = flow->flags & LB_FLOW_RECORDED,
				    .backend = flow->backend,
				    .incarnation = flow->incarnation,
				    .pool = flow->pool,
				    .seen = flow->seen & ~(LB_DOOMED | LB_CLAIMED),
				    .sequence = value->sequence,
				    .flow = machine_flow_of(six, &key->flow)};
}

static struct lb_times times_value(const struct model_times *times)
{
	return (struct lb_times){.since = times->since,
				 .used = times->used,
				 .full = times->full,
				 .kept = times->kept};
}

static struct model_times times_of(const struct lb_times *times)
{
	return (struct model_times){.since = times->since,
				    .used = times->used,
				    .full = times->full,
				    .kept = times->kept};
}

static struct lb_client client_value(const struct model_client *client)
{
	return (struct lb_client){
		.pair = LB_CLIENT_PAIR(LB_SLOT(client->owner, client->fallback, client->changed),
				       client->owner_incarnation, client->fallback_incarnation),
		.times = times_value(&client->times),
		.seen = machine_seen(client->seen, client->fate),
		.known = client->known};
}

static struct model_client client_of(bool six, const union any_key *key,
				     const struct lb_client *value)
{
	uint32_t word = LB_CLIENT_WORD(value->pair);

	return (struct model_client){
		.there = true,
		.fate = machine_fate(value->seen),
		.changed = word & LB_SLOT_CHANGED,
		.known = value->known,
		.pool = key->client_v4.pool,
		.owner = LB_SLOT_OWNER(word),
		.fallback = LB_SLOT_FALLBACK(word),
		.owner_incarnation = LB_CLIENT_OWNER_INCARNATION(value->pair),
		.fallback_incarnation = LB_CLIENT_FALLBACK_INCARNATION(value->pair),
		.seen = value->seen & ~(LB_DOOMED | LB_CLAIMED),
		.times = times_of(&value->times),
		.network = address_of(six, six ? (const void *)&key->client_v6.address
					       : (const void *)&key->client_v4.address)};
}

static void fragment_key(const struct model_fragment *fragment, union any_key *key)
{
	const struct model_flow *flow = &fragment->flow;
	bool six = flow->source.family == 6;

	memset(key, 0, sizeof(*key));
	memcpy(key->fragment.source.bytes, flow->source.bytes, six ? 16 : 4);
	memcpy(key->fragment.destination.bytes, flow->destination.bytes, six ? 16 : 4);
	/* As it stands in the packet, which has 16 bits of it in IPv4. */
	key->fragment.identification =
		six ? htonl(fragment->identification) : htons((uint16_t)fragment->identification);
	key->fragment.proto = six ? 0 : flow->proto;
	key->fragment.family = flow->source.family;
}

static struct model_fragment fragment_of(const union any_key *key, const struct lb_fragment *value)
{
	bool six = key->fragment.family == 6;

	return (struct model_fragment){
		.there = true,
		.identification = six ? ntohl(key->fragment.identification)
				      : ntohs((uint16_t)key->fragment.identification),
		.seen = value->seen,
		.sequence = value->sequence,
		.flow = {.source = address_of(six, key->fragment.source.bytes),
			 .destination = address_of(six, key->fragment.destination.bytes),
			 .source_port = ntohs(value->source_port),
			 .destination_port = ntohs(value->destination_port),
			 .proto = value->proto}};
}

/* ---- to the maps ---- */

static void fragments_clear(struct machine *machine)
{
	int map = machine->dp->fds[MAP_fragments];
	union any_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		if (bpf_map_delete_elem(map, &key))
			err(1, "emptying the table of fragments");
}

static void fragment_put(struct machine *machine, const struct model_fragment *fragment)
{
	const struct model_flow *flow = &fragment->flow;
	struct lb_fragment value = {.seen = fragment->seen,
				    .sequence = fragment->sequence,
				    .source_port = htons(flow->source_port),
				    .destination_port = htons(flow->destination_port),
				    .proto = flow->proto};
	union any_key key;

	fragment_key(fragment, &key);
	if (bpf_map_update_elem(machine->dp->fds[MAP_fragments], &key, &value, BPF_ANY))
		err(1, "making a fragment's entry");
}

static void tables_clear(struct machine *machine)
{
	union any_key key;

	for (int t = 0; t < TABLES; t++)
		for (int six = 0; six < 2; six++)
			while (!bpf_map_get_next_key(map_of(machine, t, six), NULL, &key))
				if (bpf_map_delete_elem(map_of(machine, t, six), &key))
					err(1, "emptying a table");
}

static void put(struct machine *machine, enum table table, bool six, const union any_key *key,
		const void *value)
{
	if (bpf_map_update_elem(map_of(machine, table, six), key, value, BPF_NOEXIST))
		err(1, "making an entry");
}

static void usage_put(struct machine *machine, const struct model_memory *memory)
{
	struct lb_usage use = {0};
	uint32_t count[MODEL_QUOTAS], zero = 0;

	model_quota_count(memory, count);
	for (int i = 0; i < MODEL_QUOTAS; i++)
		use.count[i] = count[i]; /* in the same order: machine_usage_is */
	if (bpf_map_update_elem(machine->dp->fds[MAP_usage], &zero, &use, BPF_ANY))
		err(1, "writing the usage");
}

void machine_remember(struct machine *machine, const struct model_memory *memory)
{
	struct lb_times *times = dataplane_slot_times(machine->dp);
	union any_key key;

	tables_clear(machine);
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		const struct model_entry *both[] = {&memory->births[i], &memory->flows[i]};

		for (int t = BIRTHS; t <= FLOWS; t++) {
			struct lb_birth value = entry_value(both[t]);

			if (both[t]->there)
				put(machine, t, flow_key(&both[t]->flow, &key), &key, &value);
		}
	}
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		const struct model_client *client = &memory->clients[i];
		struct lb_client value = client_value(client);

		if (client->there)
			put(machine, CLIENTS, client_key(client->pool, &client->network, &key),
			    &key, &value);
	}
	fragments_clear(machine);
	for (int i = 0; i < MODEL_FRAGMENTS; i++)
		if (memory->fragments[i].there)
			fragment_put(machine, &memory->fragments[i]);
	for (int p = 0; p < MODEL_POOLS; p++)
		for (int s = 0; s < MODEL_SLOTS; s++)
			times[p * MODEL_SLOTS + s] = times_value(&memory->times[p][s]);
	machine_openers_remember(machine, memory);
	machine_nat_remember(machine, memory);
	usage_put(machine, memory);
}

/* ---- and back ---- */

bool machine_entry(struct machine *machine, bool birth, const struct model_flow *flow,
		   struct model_entry *out)
{
	union any_key key;
	struct lb_birth value = {0};
	bool six = flow_key(flow, &key);

	if (bpf_map_lookup_elem(map_of(machine, birth ? BIRTHS : FLOWS, six), &key, &value))
		return false;
	*out = entry_of(six, &key, &value);
	return true;
}

bool machine_client(struct machine *machine, uint32_t pool, const struct model_address *network,
		    struct model_client *out)
{
	union any_key key;
	struct lb_client value;
	bool six = client_key(pool, network, &key);

	if (bpf_map_lookup_elem(map_of(machine, CLIENTS, six), &key, &value))
		return false;
	*out = client_of(six, &key, &value);
	return true;
}

bool machine_fragment(struct machine *machine, const struct model_fragment *of,
		      struct model_fragment *out)
{
	struct lb_fragment value;
	union any_key key;

	fragment_key(of, &key);
	if (bpf_map_lookup_elem(machine->dp->fds[MAP_fragments], &key, &value))
		return false;
	*out = fragment_of(&key, &value);
	return true;
}

struct model_times machine_times(struct machine *machine, uint32_t pool, uint32_t slot)
{
	return times_of(&dataplane_slot_times(machine->dp)[pool * MODEL_SLOTS + slot]);
}

_Static_assert((int)MODEL_QUOTA_TCP == (int)LB_QUOTA_TCP &&
		       (int)MODEL_QUOTA_TCP_BIRTHS == (int)LB_QUOTA_TCP_BIRTHS &&
		       (int)MODEL_QUOTA_TCP_RECORDED == (int)LB_QUOTA_TCP_RECORDED &&
		       (int)MODEL_QUOTA_UDP == (int)LB_QUOTA_UDP &&
		       (int)MODEL_QUOTA_UDP_BIRTHS == (int)LB_QUOTA_UDP_BIRTHS &&
		       (int)MODEL_QUOTA_CLIENTS == (int)LB_QUOTA_CLIENTS &&
		       (int)MODEL_QUOTA_CLIENTS_NEW == (int)LB_QUOTA_CLIENTS_NEW &&
		       (int)MODEL_QUOTA_NAT_TCP == (int)LB_QUOTA_NAT_TCP &&
		       (int)MODEL_QUOTA_NAT_UDP == (int)LB_QUOTA_NAT_UDP,
	       "the model's quotas are in the program's order");

bool machine_usage_is(struct machine *machine, const uint32_t count[MODEL_QUOTAS])
{
	return !memcmp(dataplane_usage(machine->dp)->count, count, MODEL_QUOTAS * sizeof(*count));
}

static void recall_table(struct machine *machine, enum table table, bool six,
			 struct model_memory *memory, int count[TABLES])
{
	union any_key key, *last = NULL;
	union any_value value = {0};
	int map = map_of(machine, table, six);

	while (!bpf_map_get_next_key(map, last, &key)) {
		int at = count[table]++;

		if (bpf_map_lookup_elem(map, &key, &value))
			err(1, "reading a table");
		if (at >= (table == CLIENTS ? MODEL_CLIENTS : MODEL_ENTRIES))
			errx(1, "more entries than any quota allows");
		if (table == CLIENTS)
			memory->clients[at] = client_of(six, &key, &value.client);
		else if (table == BIRTHS)
			memory->births[at] = entry_of(six, &key, &value.birth);
		else
			memory->flows[at] =
				entry_of(six, &key, &(struct lb_birth){.flow = value.flow});
		last = &key;
	}
}

static void recall_fragments(struct machine *machine, struct model_memory *memory)
{
	int map = machine->dp->fds[MAP_fragments], count = 0;
	union any_key key, *last = NULL;
	struct lb_fragment value;

	while (!bpf_map_get_next_key(map, last, &key)) {
		if (bpf_map_lookup_elem(map, &key, &value))
			err(1, "reading the table of fragments");
		if (count == MODEL_FRAGMENTS)
			errx(1, "more fragments than were sent");
		memory->fragments[count++] = fragment_of(&key, &value);
		last = &key;
	}
}

void machine_recall(struct machine *machine, struct model_memory *memory)
{
	int count[TABLES] = {0};

	memset(memory, 0, sizeof(*memory));
	for (int t = 0; t < TABLES; t++)
		for (int six = 0; six < 2; six++)
			recall_table(machine, t, six, memory, count);
	recall_fragments(machine, memory);
	machine_nat_recall(machine, memory);
	for (uint32_t p = 0; p < MODEL_POOLS; p++)
		for (uint32_t s = 0; s < MODEL_SLOTS; s++)
			memory->times[p][s] = machine_times(machine, p, s);
}
