/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment: a packet in pieces is one packet: the later ones, which have no ports, go where the
 * first one goes. That leaves its ports in `fragments`; with them a later one is picked for as the
 * first one was, or left to the kernel as the first one was. One that comes before its first has
 * only its addresses to go by, which is enough where all that a VIP does with the protocol is keyed
 * by source, or where it is of a protocol that no service speaks.
 */
#ifndef LB_FRAGMENT_H
#define LB_FRAGMENT_H

#include "env.h"
#include "flow_table.h"
#include "nat_table.h"
#include "parse.h"
#include "service.h"

/* As long as receivers wait for the rest (RFC 8200, section 4.5: a minute); sooner, and a number
 * that is used again would find the ports of another packet. */
enum { FRAGMENT_TICKS = 56 };

static __always_inline void fragment_key_fill(const struct packet *packet,
					      struct lb_fragment_key *key)
{
	key->identification = packet->fragment;
	key->family = packet->family;
	if (packet->family == 4) {
		key->source.v4 = packet->flow.v4.source;
		key->destination.v4 = packet->flow.v4.destination;
		key->proto = packet->proto;
		return;
	}
	key->source = packet->flow.v6.source;
	key->destination = packet->flow.v6.destination;
}

/* Of packets to a VIP, or for NAT as an answer: others are no business of ours, however many come.
 * A VIP's port that no service has is the kernel's, and so are the later fragments then. */
static __always_inline void fragment_remember(const struct packet *packet,
					      const struct lb_fragment_key *key)
{
	struct lb_fragment fragment = {
		.seen = flow_tick(), .sequence = packet->sequence, .proto = packet->proto};

	if (read_only || (!service_vip(packet) && !(nat_in_use() && nat_return_of(packet))))
		return;
	fragment.source_port =
		packet->family == 4 ? packet->flow.v4.source_port : packet->flow.v6.source_port;
	fragment.destination_port = packet->family == 4 ? packet->flow.v4.destination_port
							: packet->flow.v6.destination_port;
	bpf_map_update_elem(&fragments, key, &fragment, BPF_ANY);
}

static __always_inline void fragment_complete(struct packet *packet, __u8 proto, __be16 source_port,
					      __be16 destination_port)
{
	packet->proto = proto;
	if (packet->family == 4) {
		packet->flow.v4.proto = proto;
		packet->flow.v4.source_port = source_port;
		packet->flow.v4.destination_port = destination_port;
		return;
	}
	packet->flow.v6.proto = proto;
	packet->flow.v6.source_port = source_port;
	packet->flow.v6.destination_port = destination_port;
}

/* Whether a service could take it: what follows a fragment header of IPv6 may be anything yet. */
static __always_inline bool fragment_may_be_ours(const struct packet *packet)
{
	__u8 proto = packet->proto;

	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       proto == (packet->family == 4 ? IPPROTO_ICMP : IPV6_NEXT_ICMP) ||
	       (packet->family == 6 && is_extension(proto));
}

/* By the addresses alone, where they are all that counts. */
static __always_inline enum lb_verdict fragment_by_source(struct packet *packet)
{
	const struct lb_vip *vip = service_vip(packet);
	__be16 port = 0;

	if (vip && packet->proto == IPPROTO_TCP)
		port = vip->tcp_port;
	else if (vip && packet->proto == IPPROTO_UDP)
		port = vip->udp_port;
	if (!port)
		return fragment_may_be_ours(packet) ? LB_DROP_FRAGMENT : LB_PASS_NO_SERVICE;
	fragment_complete(packet, packet->proto, 0, port);
	return LB_CONTINUE;
}

/* LB_CONTINUE: `flow` is that of the packet that this is a fragment of. */
static __always_inline enum lb_verdict fragment_follow(struct packet *packet)
{
	struct lb_fragment_key key = {};
	const struct lb_fragment *first;

	fragment_key_fill(packet, &key);
	if (packet->part == PACKET_FIRST) {
		fragment_remember(packet, &key);
		return LB_CONTINUE;
	}
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || entry_age(first->seen, flow_tick()) > FRAGMENT_TICKS)
		return fragment_by_source(packet);
	packet->sequence = first->sequence;
	fragment_complete(packet, first->proto, first->source_port, first->destination_port);
	return LB_CONTINUE;
}

#endif
