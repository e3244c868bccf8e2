/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_fragment: "Fragments after the first: with the first." The first fragment of a packet
 * leaves its ports for as long as receivers wait for the rest; one that is alone goes by its source
 * where all that its VIP does with the protocol is keyed by source, for then it needs no ports.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum { WAITED_TICKS = 56 /* a minute */ };

static bool same_packet(const struct model_packet *packet, const struct model_fragment *fragment)
{
	/* IPv6 has one number for all protocols of a pair, IPv4 one for each (RFC 8200, RFC 791).
	 */
	return fragment->there && fragment->identification == packet->identification &&
	       (packet->family == 6 || fragment->flow.proto == packet->flow.proto) &&
	       !memcmp(&fragment->flow.source, &packet->flow.source, sizeof(packet->flow.source)) &&
	       !memcmp(&fragment->flow.destination, &packet->flow.destination,
		       sizeof(packet->flow.destination));
}

static struct model_fragment *find(struct model_memory *memory, const struct model_packet *packet)
{
	for (int i = 0; i < MODEL_FRAGMENTS; i++)
		if (same_packet(packet, &memory->fragments[i]))
			return &memory->fragments[i];
	return NULL;
}

static void remember(struct model_memory *memory, const struct model_packet *packet, uint32_t now)
{
	struct model_fragment *place = find(memory, packet);

	for (int i = 0; !place && i < MODEL_FRAGMENTS; i++)
		if (!memory->fragments[i].there)
			place = &memory->fragments[i];
	if (place)
		*place = (struct model_fragment){.there = true,
						 .identification = packet->identification,
						 .seen = now,
						 .sequence = packet->sequence,
						 .flow = packet->flow};
}

/* A port of the VIP that all packets of the protocol may be taken for; 0: their ports count. */
uint16_t model_vip_port(const struct model_config *config, const struct model_address *vip,
			uint8_t proto)
{
	const struct model_listener *first = NULL;

	for (int i = 0; i < MODEL_LISTENERS; i++) {
		const struct model_listener *listener = &config->listeners[i];
		uint32_t pool = config->service_pools[listener->service];

		if (listener->proto != proto || memcmp(&listener->vip, vip, sizeof(*vip)) != 0)
			continue;
		if (!config->pools[pool].by_source ||
		    (first && pool != config->service_pools[first->service]))
			return 0;
		if (!first)
			first = listener;
	}
	if (!first)
		return 0;
	return first->first || !first->last ? first->first : 1;
}

/* What has no ports, and is no ICMP, is the kernel's: the number says so, but in IPv6 that of an
 * extension header, behind which anything may come. */
static bool may_be_ours(const struct model_packet *packet)
{
	uint32_t proto = packet->flow.proto;

	if (proto == PROTO_TCP || proto == PROTO_UDP)
		return true;
	return packet->family == 4 ? proto == PROTO_ICMP
				   : proto == PROTO_ICMPV6 || model_is_extension(proto);
}

enum model_verdict model_fragment_follow(const struct model_config *config,
					 struct model_memory *memory, struct model_packet *packet,
					 uint32_t now)
{
	struct model_fragment *first;
	uint16_t port;

	if (packet->part == MODEL_FIRST) {
		/* To a VIP, whether a service has the port or the kernel. */
		if (model_is_vip(config, &packet->flow.destination) ||
		    model_nat_answers(config, memory, &packet->flow))
			remember(memory, packet, now);
		return MODEL_GOES_ON;
	}
	first = find(memory, packet);
	if (first && (int32_t)(now - first->seen) <= WAITED_TICKS) {
		packet->flow = first->flow;
		packet->sequence = first->sequence;
		return MODEL_GOES_ON;
	}
	port = packet->flow.proto == PROTO_TCP || packet->flow.proto == PROTO_UDP
		       ? model_vip_port(config, &packet->flow.destination, packet->flow.proto)
		       : 0;
	if (!port)
		return may_be_ours(packet) ? MODEL_drop_fragment : MODEL_pass_no_service;
	packet->flow.source_port = 0;
	packet->flow.destination_port = port;
	return MODEL_GOES_ON;
}
