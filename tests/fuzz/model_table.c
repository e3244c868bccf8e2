/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_table: entries of flows: found, judged alive or dead, written where the quotas leave room.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

bool model_same_address(const struct model_address *a, const struct model_address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool model_same_flow(const struct model_flow *a, const struct model_flow *b)
{
	return a->proto == b->proto && a->source_port == b->source_port &&
	       a->destination_port == b->destination_port &&
	       model_same_address(&a->source, &b->source) &&
	       model_same_address(&a->destination, &b->destination);
}

struct model_entry *model_entry_find(struct model_entry *table, const struct model_flow *flow)
{
	for (int i = 0; i < MODEL_ENTRIES; i++)
		if (table[i].there && model_same_flow(&table[i].flow, flow))
			return &table[i];
	return NULL;
}

bool model_usable(const struct model_config *config, uint32_t backend)
{
	return backend > 0 && backend < MODEL_BACKENDS && config->backends[backend].usable;
}

/*
 * "An entry is live if it is not doomed, its pool and incarnation match, its backend is usable, and
 * it was seen within the idle timeout (one minute for an unconfirmed birth, and after FIN or RST)."
 */
bool model_entry_live(const struct model_pick *pick, const struct model_entry *entry)
{
	uint32_t limit;

	if (!entry || entry->fate != MODEL_KEPT || entry->pool != pick->pool_index ||
	    !model_usable(pick->config, entry->backend) ||
	    entry->incarnation != pick->config->backends[entry->backend].incarnation)
		return false;
	if (entry->flow.proto == PROTO_UDP)
		limit = pick->pool->idle_udp;
	else
		limit = entry->state == MODEL_OPEN ? pick->pool->idle_tcp
						   : pick->pool->idle_closing;
	return (int32_t)(pick->now - entry->seen) <= (int32_t)limit;
}

/* ---- quotas ---- */

void model_quota_count(const struct model_memory *memory, uint32_t count[MODEL_QUOTAS])
{
	memset(count, 0, MODEL_QUOTAS * sizeof(*count));
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		const struct model_entry *birth = &memory->births[i], *flow = &memory->flows[i];

		if (birth->there) {
			bool udp = birth->flow.proto == PROTO_UDP;

			count[udp ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP]++;
			count[udp ? MODEL_QUOTA_UDP_BIRTHS : MODEL_QUOTA_TCP_BIRTHS]++;
		}
		if (flow->there)
			count[flow->flow.proto == PROTO_UDP ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP]++;
		if (flow->there && flow->recorded)
			count[MODEL_QUOTA_TCP_RECORDED]++;
	}
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		if (!memory->clients[i].there)
			continue;
		count[MODEL_QUOTA_CLIENTS]++;
		if (!memory->clients[i].known)
			count[MODEL_QUOTA_CLIENTS_NEW]++;
	}
	for (int i = 0; i < MODEL_NAT_FLOWS; i++)
		if (memory->nat_flows[i].there)
			count[memory->nat_flows[i].flow.proto == PROTO_UDP ? MODEL_QUOTA_NAT_UDP
									   : MODEL_QUOTA_NAT_TCP]++;
}

/* Half of the flows for each protocol; of each half at most half for births, and with TCP at most
 * half for old flows that were recorded. Of clients an eighth for those of which one packet was
 * seen. Of NAT flows either protocol leaves the other a quarter. */
bool model_quota_left(const struct model_config *config, const struct model_memory *memory,
		      enum model_quota quota)
{
	const uint32_t most[MODEL_QUOTAS] = {
		[MODEL_QUOTA_TCP] = config->flows / 2,
		[MODEL_QUOTA_TCP_BIRTHS] = config->flows / 4,
		[MODEL_QUOTA_TCP_RECORDED] = config->flows / 4,
		[MODEL_QUOTA_UDP] = config->flows / 2,
		[MODEL_QUOTA_UDP_BIRTHS] = config->flows / 4,
		[MODEL_QUOTA_CLIENTS] = config->clients,
		[MODEL_QUOTA_CLIENTS_NEW] = config->clients / 8,
		[MODEL_QUOTA_NAT_TCP] = config->nat_flows - config->nat_flows / 4,
		[MODEL_QUOTA_NAT_UDP] = config->nat_flows - config->nat_flows / 4,
	};
	uint32_t count[MODEL_QUOTAS];

	model_quota_count(memory, count);
	return count[quota] < most[quota];
}

static bool left(const struct model_pick *pick, enum model_quota quota)
{
	return model_quota_left(pick->config, pick->memory, quota);
}

/* ---- writing ---- */

static bool entry_write(struct model_entry *table, struct model_entry *old,
			const struct model_entry *entry)
{
	for (int i = 0; !old && i < MODEL_ENTRIES; i++)
		if (!table[i].there)
			old = &table[i];
	if (!old)
		return false;
	*old = *entry;
	old->there = true;
	return true;
}

bool model_birth_write(struct model_pick *pick, const struct model_entry *entry)
{
	struct model_entry *table = pick->memory->births;
	struct model_entry *old = model_entry_find(table, &entry->flow);
	bool udp = entry->flow.proto == PROTO_UDP;

	if (old && old->fate == MODEL_CLAIMED)
		return false;
	if (!old && !(left(pick, udp ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP) &&
		      left(pick, udp ? MODEL_QUOTA_UDP_BIRTHS : MODEL_QUOTA_TCP_BIRTHS)))
		return false;
	return entry_write(table, old, entry);
}

bool model_flow_write(struct model_pick *pick, const struct model_entry *entry)
{
	struct model_entry *table = pick->memory->flows;
	struct model_entry *old = model_entry_find(table, &entry->flow);
	bool udp = entry->flow.proto == PROTO_UDP;

	if (old && old->fate == MODEL_CLAIMED)
		return false;
	if (!old && !left(pick, udp ? MODEL_QUOTA_UDP : MODEL_QUOTA_TCP))
		return false;
	if (entry->recorded && !(old && old->recorded) && !left(pick, MODEL_QUOTA_TCP_RECORDED))
		return false;
	return entry_write(table, old, entry);
}
