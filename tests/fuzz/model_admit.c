/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_admit: allow and deny lists of a service, of which the longest prefix that has the source
 * decides, and the limit of new flows of the sources that share a prefix. An ICMP error comes from
 * whom the flow is of that it speaks of.
 */
#include "model.h"
#include "model_bytes.h"

static bool covers(const struct model_source *line, uint32_t service,
		   const struct model_address *address)
{
	struct model_address network = model_masked(address, line->prefix);

	return line->service == service && model_same_address(&line->network, &network);
}

static bool denied(const struct model_config *config, uint32_t service,
		   const struct model_address *address)
{
	const struct model_source *longest = NULL;

	for (int i = 0; i < MODEL_SOURCES; i++) {
		const struct model_source *line = &config->sources[i];

		if (covers(line, service, address) && (!longest || line->prefix > longest->prefix))
			longest = line;
	}
	return longest ? longest->deny : config->allowed_only[service];
}

/* A SYN; a datagram only where every flow has an entry, and it has none. */
static bool opens(const struct model_config *config, struct model_memory *memory,
		  const struct model_packet *packet, uint32_t pool)
{
	if (packet->flow.proto != PROTO_UDP || packet->quoted)
		return packet->syn;
	return config->pools[pool].track_always &&
	       !model_entry_find(memory->births, &packet->flow) &&
	       !model_entry_find(memory->flows, &packet->flow);
}

struct model_opener *model_opener_find(struct model_memory *memory, uint32_t service,
				       const struct model_address *network)
{
	for (int i = 0; i < MODEL_OPENERS; i++) {
		struct model_opener *opener = &memory->openers[i];

		if (opener->there && opener->service == service &&
		    model_same_address(&opener->network, network))
			return opener;
	}
	return NULL;
}

/* One more. False if that is too many. */
static bool count(struct model_memory *memory, uint32_t service, uint32_t burst,
		  const struct model_address *network)
{
	struct model_opener *opener = model_opener_find(memory, service, network);

	if (opener) {
		if (opener->flows >= burst)
			return false;
		opener->flows++;
		return true;
	}
	for (int i = 0; i < MODEL_OPENERS; i++) {
		if (memory->openers[i].there)
			continue;
		memory->openers[i] = (struct model_opener){
			.there = true, .service = service, .network = *network, .flows = 1};
		break;
	}
	return true;
}

enum model_verdict model_admit(const struct model_config *config, struct model_memory *memory,
			       const struct model_packet *packet, const struct model_answer *answer)
{
	const struct model_limit *limit = &config->limits[answer->service];
	struct model_address network = model_masked(
		&packet->flow.source, packet->family == 4 ? limit->prefix_v4 : limit->prefix_v6);

	if (denied(config, answer->service, &packet->flow.source))
		return MODEL_drop_denied;
	if (limit->burst && opens(config, memory, packet, answer->pool) &&
	    !count(memory, answer->service, limit->burst, &network))
		return MODEL_drop_new_flow_limit;
	return MODEL_GOES_ON;
}
