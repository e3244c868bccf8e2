/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_nat: flows of NAT (RFC 3022, RFC 4787, RFC 5382): what a client's packets become for the
 * backend that was picked, and a backend's packets for the client. A flow has two entries, one
 * under the tuple that the client sends, one under that which the backend sends; the second one
 * claims the source port, which is the client's own where that is free, and any other of the range
 * where not. The tables are told of in bpf/lb_abi.h (struct lb_nat_flow) and user/dataplane.h; what
 * NAT makes of the bytes is in model_translate.c.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum { PORT_FIRST = 1024, PORT_LAST = 65535 };

struct model_nat_flow *model_nat_flow_find(struct model_memory *memory,
					   const struct model_flow *flow)
{
	for (int i = 0; i < MODEL_NAT_FLOWS; i++)
		if (memory->nat_flows[i].there && model_same_flow(&memory->nat_flows[i].flow, flow))
			return &memory->nat_flows[i];
	return NULL;
}

struct model_nat_return *model_nat_return_find(struct model_memory *memory,
					       const struct model_flow *flow)
{
	for (int i = 0; i < MODEL_NAT_RETURNS; i++)
		if (memory->nat_returns[i].there &&
		    model_same_flow(&memory->nat_returns[i].flow, flow))
			return &memory->nat_returns[i];
	return NULL;
}

/* One packet from a client on its way to a backend. */
struct forwarding {
	const struct model_config *config;
	struct model_memory *memory;
	const struct model_packet *packet;
	const struct model_backend *backend;
	struct model_hop hop;
	uint32_t now, entropy;
	struct model_port port;
	struct model_answer *answer;
};

static struct model_hop hop_of(const struct model_frame *frame)
{
	struct model_hop hop = {.ifindex = frame->ifindex};

	memcpy(hop.peer_mac, frame->bytes + 6, 6);
	memcpy(hop.own_mac, frame->bytes, 6);
	return hop;
}

static uint16_t backend_port(const struct model_backend *backend, const struct model_flow *flow)
{
	return backend->gue_port ? backend->gue_port : flow->destination_port;
}

/* What the backend sends of a flow that it sees under `source` and `port`. */
static struct model_flow back_of(const struct model_backend *backend, const struct model_flow *flow,
				 const struct model_address *source, uint16_t port)
{
	return (struct model_flow){.source = backend->outer_destination,
				   .destination = *source,
				   .source_port = backend_port(backend, flow),
				   .destination_port = port,
				   .proto = flow->proto};
}

static struct model_flow back_of_entry(const struct forwarding *f, const struct model_nat_flow *e)
{
	return back_of(&f->config->backends[e->backend], &f->packet->flow, &e->source, e->port);
}

/* ---- the source that the backend sees ---- */

static bool source_choose(const struct forwarding *f, struct model_address *source)
{
	const struct model_backend *backend = f->backend;
	uint8_t *last;

	if (!backend->snat) {
		*source = f->packet->flow.source;
		return source->family == backend->outer_destination.family;
	}
	*source = backend->outer_source;
	last = source->bytes + (source->family == 4 ? 0 : 12);
	for (uint32_t bit = 0; bit < backend->source_bits && bit < 32; bit++)
		if (f->entropy >> bit & 1)
			last[3 - bit / 8] |= (uint8_t)(1 << bit % 8);
	return true;
}

/* Ports that a backend may see: where it sees the clients, their own, whatever that is, and else
 * none below 1024, nor, of the host's own address, such as the host gives out. */
static bool port_in_range(const struct forwarding *f, uint32_t port)
{
	bool host = f->backend->snat && f->backend->host_source;

	if (port < PORT_FIRST)
		return false;
	return !host || port < f->config->host_first ||
	       port >= (uint32_t)f->config->host_first + f->config->host_count;
}

/* No other flow has it. One that was this flow's before is. */
static bool port_free(const struct forwarding *f, const struct model_address *source, uint16_t port)
{
	struct model_flow back = back_of(f->backend, &f->packet->flow, source, port);
	const struct model_nat_return *there = model_nat_return_find(f->memory, &back);

	return !there ||
	       (there->fate != MODEL_CLAIMED && there->client_port == f->packet->flow.source_port &&
		there->vip_port == f->packet->flow.destination_port &&
		model_same_address(&there->client, &f->packet->flow.source) &&
		model_same_address(&there->vip, &f->packet->flow.destination));
}

static bool any_free(const struct forwarding *f, const struct model_address *source, uint16_t *port)
{
	for (uint32_t p = PORT_FIRST; p <= PORT_LAST; p++) {
		if (port_in_range(f, p) && port_free(f, source, (uint16_t)p)) {
			*port = (uint16_t)p;
			return true;
		}
	}
	return false;
}

static void object(const struct forwarding *f, const char *why)
{
	if (!f->answer->objection)
		f->answer->objection = why;
}

/* Returns of flows that moved are left until they are swept: an eighth of the limit, and 16. */
static bool returns_full(const struct forwarding *f, uint8_t family)
{
	uint32_t count = 0, limit = f->config->nat_flows;

	for (int i = 0; i < MODEL_NAT_RETURNS; i++)
		count += f->memory->nat_returns[i].there &&
			 f->memory->nat_returns[i].flow.source.family == family;
	return !f->port.unwritten && count >= limit + limit / 8 + 16;
}

/* MODEL_GOES_ON and the port of a new flow, or why it gets none. */
static enum model_verdict port_choose(const struct forwarding *f,
				      const struct model_address *source, uint16_t *port)
{
	uint16_t own = f->packet->flow.source_port;
	bool full = returns_full(f, f->backend->outer_destination.family);

	*port = own;
	if ((!f->backend->snat || port_in_range(f, own)) && port_free(f, source, own))
		return MODEL_GOES_ON;
	switch (f->port.kind) {
	case MODEL_PORT_NONE:
		/* Not every port is tried, and once none was found fewer are, for a while. */
		if (any_free(f, source, port) && !f->memory->nat_refused[f->answer->backend])
			object(f, "a port was free");
		return MODEL_drop_nat_ports;
	case MODEL_PORT_FULL:
		if (!full)
			object(f, "there was room for a return");
		return MODEL_drop_nat_full;
	case MODEL_PORT_ANY:
		return any_free(f, source, port) ? MODEL_GOES_ON : MODEL_drop_nat_ports;
	default:
		*port = f->port.port;
		if (!port_in_range(f, *port))
			object(f, "the port is not one to be given out");
		else if (!port_free(f, source, *port))
			object(f, "the port is another flow's");
		return MODEL_GOES_ON;
	}
}

/* ---- new entries ---- */

static enum model_verdict refuse(const struct forwarding *f, enum model_verdict verdict)
{
	bool full = verdict == MODEL_drop_nat_full;

	f->answer->notes[full ? MODEL_NAT_FULL : MODEL_NAT_PORTS] = true;
	if (!full)
		f->memory->nat_refused[f->answer->backend]++;
	return verdict;
}

static struct model_nat_return *return_make(const struct forwarding *f,
					    const struct model_flow *back)
{
	struct model_nat_return *place = model_nat_return_find(f->memory, back);

	if (!place && returns_full(f, back->source.family))
		return NULL;
	for (int i = 0; !place && i < MODEL_NAT_RETURNS; i++)
		if (!f->memory->nat_returns[i].there)
			place = &f->memory->nat_returns[i];
	if (place)
		*place = (struct model_nat_return){.there = true,
						   .state = MODEL_OPENING,
						   .client_port = f->packet->flow.source_port,
						   .vip_port = f->packet->flow.destination_port,
						   .seen = f->now,
						   .client = f->packet->flow.source,
						   .vip = f->packet->flow.destination,
						   .hop = f->hop,
						   .flow = *back};
	return place;
}

/* The backend that the flow was with sends nothing of it to the client any more. */
static void return_doom(const struct forwarding *f, const struct model_nat_flow *old)
{
	struct model_flow back = back_of_entry(f, old);
	struct model_nat_return *there = model_nat_return_find(f->memory, &back);

	if (there && there->fate == MODEL_KEPT)
		there->fate = MODEL_DOOMED;
}

/* `old`: the entry that the flow has, of an earlier life or of another backend; or NULL. */
static enum model_verdict flow_open(const struct forwarding *f, struct model_nat_flow *old,
				    struct model_nat_flow **made)
{
	const struct model_packet *packet = f->packet;
	bool udp = packet->flow.proto == PROTO_UDP;
	struct model_nat_flow entry = {
		.there = true,
		.state = packet->syn || udp ? MODEL_OPENING : MODEL_OPEN,
		.backend = f->answer->backend,
		.incarnation = f->backend->incarnation,
		.pool = f->answer->pool,
		.seen = f->now,
		.hop = f->hop,
		.flow = packet->flow,
	};
	enum model_verdict verdict;
	struct model_flow tuple;

	if (!source_choose(f, &entry.source))
		return MODEL_drop_internal;
	/* What is about to be deleted cannot be had. */
	if (old ? old->fate == MODEL_CLAIMED
		: !model_quota_left(f->config, f->memory,
				    udp ? MODEL_QUOTA_NAT_UDP : MODEL_QUOTA_NAT_TCP))
		return refuse(f, MODEL_drop_nat_full);
	verdict = port_choose(f, &entry.source, &entry.port);
	if (verdict != MODEL_GOES_ON)
		return refuse(f, verdict);
	tuple = back_of(f->backend, &packet->flow, &entry.source, entry.port);
	f->answer->nat_back = tuple;
	if (!return_make(f, &tuple))
		return refuse(f, MODEL_drop_nat_full);
	if (old && (old->backend != entry.backend || old->port != entry.port))
		return_doom(f, old);
	for (int i = 0; !old && i < MODEL_NAT_FLOWS; i++)
		if (!f->memory->nat_flows[i].there)
			old = &f->memory->nat_flows[i];
	if (!old)
		return refuse(f, MODEL_drop_nat_full);
	*old = entry;
	*made = old;
	return MODEL_GOES_ON;
}

/* ---- known flows ---- */

static bool same_hop(const struct model_hop *a, const struct model_hop *b)
{
	return a->ifindex == b->ifindex && !memcmp(a->peer_mac, b->peer_mac, 6) &&
	       !memcmp(a->own_mac, b->own_mac, 6);
}

/* Answers follow the client's packets; and a SYN opens the flow anew for both sides. */
static void flow_refresh(const struct forwarding *f, struct model_nat_flow *entry)
{
	bool moved = !same_hop(&entry->hop, &f->hop);
	bool anew = f->packet->syn && entry->state != MODEL_OPENING;
	struct model_flow tuple = back_of_entry(f, entry);
	struct model_nat_return *back = model_nat_return_find(f->memory, &tuple);

	entry->incarnation = f->backend->incarnation;
	entry->state = f->packet->syn ? MODEL_OPENING : model_state_after(f->packet, entry->state);
	entry->seen = f->now;
	entry->hop = f->hop;
	if (back && (moved || anew)) {
		back->hop = f->hop;
		if (f->packet->syn)
			back->state = MODEL_OPENING;
	}
}

enum model_verdict model_nat_forward(const struct model_config *config, struct model_memory *memory,
				     const struct model_packet *packet,
				     const struct model_frame *frame, uint32_t now,
				     uint32_t entropy, struct model_port port,
				     struct model_answer *answer)
{
	const struct model_backend *backend = &config->backends[answer->backend];
	struct forwarding f = {.config = config,
			       .memory = memory,
			       .packet = packet,
			       .backend = backend,
			       .hop = hop_of(frame),
			       .now = now,
			       .entropy = entropy,
			       .port = port,
			       .answer = answer};
	struct model_nat_flow *entry = model_nat_flow_find(memory, &packet->flow);
	struct model_translation to = {.destination = backend->outer_destination,
				       .destination_port = backend_port(backend, &packet->flow),
				       .mtu = backend->mtu,
				       .keeps_source = !backend->snat,
				       .next_hop = backend->next_hop,
				       .egress_mac = backend->egress_mac};
	enum model_verdict verdict = MODEL_GOES_ON;

	answer->nat_flow = true;
	if (entry && entry->fate == MODEL_KEPT && entry->backend == answer->backend) {
		if (!packet->quoted)
			flow_refresh(&f, entry);
		answer->nat_back = back_of_entry(&f, entry);
	} else {
		/* What opens no flow: it may be of one that is over, or was never there. */
		if (packet->reset || packet->quoted || packet->part == MODEL_LATER)
			return MODEL_drop_nat_unknown;
		verdict = flow_open(&f, entry, &entry);
	}
	answer->nat_return = answer->nat_back.proto != 0;
	if (verdict != MODEL_GOES_ON)
		return verdict;
	to.source = entry->source;
	to.source_port = entry->port;
	verdict = packet->quoted ? model_translate_error(&to, packet, frame, answer)
				 : model_translate(&to, packet, frame, answer);
	return verdict == MODEL_GOES_ON ? MODEL_forwarded : verdict;
}

/* ---- from a backend ---- */

bool model_nat_answers(const struct model_config *config, struct model_memory *memory,
		       const struct model_flow *flow)
{
	const struct model_nat_return *entry = model_nat_return_find(memory, flow);

	return config->nat && entry && entry->fate == MODEL_KEPT;
}

enum model_verdict model_nat_return(const struct model_config *config, struct model_memory *memory,
				    const struct model_packet *packet,
				    const struct model_frame *frame, uint32_t now,
				    struct model_answer *answer)
{
	struct model_nat_return *entry = model_nat_return_find(memory, &packet->flow);
	struct model_translation to;
	enum model_verdict verdict;

	if (!model_nat_answers(config, memory, &packet->flow))
		return MODEL_pass_no_service;
	answer->nat_return = true;
	answer->nat_back = packet->flow;
	answer->redirected = entry->hop.ifindex != frame->ifindex;
	if (!packet->quoted) {
		entry->state = model_state_after(packet, entry->state);
		entry->seen = now;
	}
	to = (struct model_translation){.source = entry->vip,
					.destination = entry->client,
					.source_port = entry->vip_port,
					.destination_port = entry->client_port,
					.next_hop = entry->hop.peer_mac,
					.egress_mac = entry->hop.own_mac};
	verdict = packet->quoted ? model_translate_error(&to, packet, frame, answer)
				 : model_translate(&to, packet, frame, answer);
	return verdict == MODEL_GOES_ON ? MODEL_returned : verdict;
}
