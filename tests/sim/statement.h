/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * statement: what stickiness means, told by flows and clients that know nothing of the rules:
 *
 *   A flow, once answered by a backend that stays usable, and while it is not idle past its
 *   timeout, is never sent elsewhere. A client, once known, keeps its backend for new flows
 *   likewise, for as long as that takes them.
 *
 * Flows send packets through the engine and remember who answered. The first that is sent where it
 * does not belong is told in `failure`. Neighbours: engine.h below, history.h above.
 */
#ifndef SIM_STATEMENT_H
#define SIM_STATEMENT_H

#include <inttypes.h>

#define HOST_BACKENDS    7
#define HOST_SLOT_BLOCKS 4
#define HOST_BUCKETS     8
#include "engine.h"

enum {
	FLOWS = 24,
	CLIENTS = 6,
	IDLE_TCP = 300,
	IDLE_UDP = 60,
	IDLE_CLOSING = 56,
	FLIGHT = 40000,       /* bytes between two packets of a flow: it leaves its SYN's window */
	LIFE_APART = 1 << 20, /* between the sequence numbers of two lives of a flow */
};

enum phase { IDLE, OPENING, OPEN, CLOSING };

struct flow {
	struct packet packet;
	bool udp;
	enum phase phase;
	uint32_t sequence; /* initial */
	uint32_t last;     /* backend of the life before, or 0 if that was idle past its timeout */
	uint32_t sent;     /* packets of this life */
	uint32_t answers;  /* bit per backend that answered its SYN */
	uint32_t backend;  /* that answered last */
	uint32_t life;     /* of that backend, see backend_life */
	uint32_t seen;     /* tick of the last answer */
	bool reset; /* somebody forged one since: a flow that then is quiet counts as closed */
};

/* What a client was told: the backend of its last new flow. */
struct client {
	uint32_t backend, life, takes_life;
	uint32_t seen;
	bool known; /* more than one packet was seen */
};

static struct flow flows[FLOWS];
static struct client clients[CLIENTS];
/* How often a backend stopped to be usable, and to take known clients, as the maps have it. */
static uint32_t backend_life[HOST_BACKENDS], takes_life[HOST_BACKENDS];
static const struct sim_options *options;
static char failure[256];
static bool verbose; /* print each packet */
static uint64_t flows_opened;

static bool usable_now(uint32_t index)
{
	return backends_host[index].status & LB_BACKEND_USABLE;
}

static void fail(const struct flow *flow, const char *what, uint32_t to)
{
	snprintf(failure, sizeof(failure), "flow %d (%s): %s: was with %u, sent to %u",
		 (int)(flow - flows), flow->udp ? "UDP" : "TCP", what, flow->backend, to);
}

/* Notes what the maps say after a store, so that "stays usable" has a meaning of its own. */
static void lives_update(void)
{
	static bool was_usable[HOST_BACKENDS], was_taking[HOST_BACKENDS];

	for (uint32_t i = 1; i < HOST_BACKENDS; i++) {
		bool usable = usable_now(i);
		bool taking = backends_host[i].status & LB_BACKEND_TAKES_CLIENTS;

		backend_life[i] += was_usable[i] && !usable;
		takes_life[i] += was_taking[i] && !taking;
		was_usable[i] = usable;
		was_taking[i] = taking;
	}
}

/* Far from what flows really send, and the two from each other: a guess that hits is a different
 * matter, and so is who forges a handshake whole. */
static uint32_t real_sequence(uint32_t number)
{
	return number & 0x3fffffff;
}
static uint32_t forged_syn_sequence(uint32_t number)
{
	return 0x80000000 | (number * 0x9e3779b1 & 0x1fffffff);
}
static uint32_t forged_ack_sequence(uint32_t number)
{
	return 0xc0000000 | (number * 0x9e3779b1 & 0x1fffffff);
}

static uint32_t idle_limit(const struct flow *flow)
{
	return flow->udp ? IDLE_UDP : flow->phase == OPEN && !flow->reset ? IDLE_TCP : IDLE_CLOSING;
}

/* Whether the statement still holds the balancer to the flow's backend. */
static bool bound(const struct flow *flow)
{
	return flow->phase != IDLE && usable_now(flow->backend) &&
	       backend_life[flow->backend] == flow->life &&
	       sim_now() - flow->seen <= idle_limit(flow);
}

static void answered(struct flow *flow, uint32_t by)
{
	flow->backend = by;
	flow->life = backend_life[by];
	flow->seen = sim_now();
	flow->reset = false;
}

static struct client *client_of(const struct flow *flow)
{
	return &clients[(flow - flows) % CLIENTS];
}

static bool client_bound(const struct client *client)
{
	return client->known && usable_now(client->backend) &&
	       backend_life[client->backend] == client->life &&
	       takes_life[client->backend] == client->takes_life &&
	       backends_host[client->backend].status & LB_BACKEND_TAKES_CLIENTS &&
	       sim_now() - client->seen <= options->client_timeout;
}

/* What the operator has said of the flow's client: its new flows go to that backend, if it takes
 * clients; 0: nothing that counts now. */
static uint32_t pinned_to(const struct flow *flow)
{
	const struct lb_client_key_v4 key = {.pool = SIM_POOL,
					     .address = flow->packet.flow.v4.source};
	const struct lb_pin *pin = bpf_map_lookup_elem(&pins_v4, &key);

	return pin && (int32_t)(pin->until - sim_now()) > 0 && usable_now(pin->backend) &&
			       backends_host[pin->backend].status & LB_BACKEND_TAKES_CLIENTS
		       ? pin->backend
		       : 0;
}

/* The backends, a bit each, that entries of the flow name. */
static uint32_t remembered(const struct flow *flow)
{
	const struct lb_birth *birth = birth_find(&flow->packet);
	const struct lb_flow *entry = flow_find(&flow->packet);

	return (birth ? 1U << birth->flow.backend : 0) | (entry ? 1U << entry->backend : 0);
}

/* A new flow of a pinned client goes where that says, or where it is taken for one of before. */
static void pin_kept(const struct flow *flow, uint32_t before, uint32_t by)
{
	if (by && by != pinned_to(flow) && !(before >> by & 1))
		snprintf(failure, sizeof(failure),
			 "flow %d: its client is pinned to %u, sent to %u", (int)(flow - flows),
			 pinned_to(flow), by);
}

/* Every packet of a client keeps it known; a new flow tells where it belongs. */
static void client_seen(const struct flow *flow, bool syn, bool new_flow, uint32_t by)
{
	struct client *client = client_of(flow);

	uint32_t life = options->client_timeout > IDLE_TCP ? options->client_timeout : IDLE_TCP;

	if (!options->client_timeout || !options->clients || !by)
		return;
	/* Forgotten; and only a new flow makes it known again. */
	if (sim_now() - client->seen > (client->known ? life : (uint32_t)IDLE_UDP))
		*client = (struct client){0};
	/* A flow that begins with the ports of one that has just ended may be taken for that one,
	 * and tells nothing of where the client is. */
	if (new_flow && flow->last == by)
		new_flow = false;
	/* Where a pinned client's new flow goes tells nothing of where it belongs. */
	if (syn && pinned_to(flow))
		return;
	if (new_flow && client_bound(client) && client->backend != by)
		snprintf(failure, sizeof(failure), "client %d: was with %u, new flow sent to %u",
			 (int)(client - clients), client->backend, by);
	if (new_flow && !client_bound(client))
		*client = (struct client){
			.backend = by, .life = backend_life[by], .takes_life = takes_life[by]};
	else if (syn && !client_bound(client))
		*client = (struct client){0}; /* a repeated one may move it as well */
	else if (!syn && client->backend == by && backend_life[by] == client->life)
		client->known = true;
	client->seen = sim_now();
}

/* ---- packets ---- */

static void pair_print(const char *of, uint32_t word)
{
	printf("  %s %u/%u%s", of, LB_SLOT_OWNER(word), LB_SLOT_FALLBACK(word),
	       word & LB_SLOT_CHANGED ? " changed" : "");
}

/* Where it went, and what the slot and the client's record say afterwards. */
static void packet_print(const struct packet *packet, uint32_t to)
{
	const struct lb_pool *pool = &pools_host[SIM_POOL];
	uint32_t entropy, slot = hash_reduce(pick_hash(packet, pool, &entropy), sim.table_size);
	union client_key key = {};
	const struct lb_client *client;
	const struct lb_pin *pin;

	printf("          %s %s%s%u to %u", packet->proto == IPPROTO_TCP ? "TCP" : "UDP",
	       packet->syn       ? "SYN "
	       : packet->reset   ? "RST "
	       : packet->closing ? "FIN "
				 : "",
	       packet->proto == IPPROTO_TCP ? "sequence " : "", packet->sequence, to);
	pair_print("slot", sim_table(sim.half)[slot]);
	client_key_fill(packet, SIM_POOL, pool, &key);
	client = client_find(4, &key);
	if (client)
		pair_print(client->known ? "client" : "new client", LB_CLIENT_WORD(client->pair));
	pin = pin_find(packet, SIM_POOL);
	if (pin)
		printf("  pin to %u until %u kept %u", pin->backend, pin->until, pin->kept);
	putchar('\n');
}

static uint32_t send(const struct flow *flow, bool syn, bool closing, bool reset, uint32_t sequence)
{
	struct packet packet = flow->packet;
	uint32_t to;

	packet.syn = syn;
	packet.closing = closing;
	packet.reset = reset;
	packet.sequence = sequence;
	to = sim_send(&packet);
	if (verbose)
		packet_print(&packet, to);
	return to;
}

static void packet_udp(struct flow *flow)
{
	bool was_bound = bound(flow);
	uint32_t to = send(flow, false, false, false, 0);

	if (was_bound && to != flow->backend)
		fail(flow, "datagram", to);
	flow->phase = to ? OPEN : IDLE;
	answered(flow, to);
}

/* As the table in force has it. */
static bool anyone_takes_new(void)
{
	return LB_SLOT_OWNER(sim_table(sim.half)[0]);
}

/* A SYN, first or repeated. Repeated across a change it may be answered twice. */
static void packet_syn(struct flow *flow)
{
	uint64_t untracked =
		notes_host[LB_NOTE_CLIENT_UNTRACKED] + notes_host[LB_NOTE_NEW_FLOW_UNTRACKED];
	uint32_t to, before = remembered(flow);

	if (flow->phase == OPENING && sim_now() - flow->seen > IDLE_CLOSING)
		flow->answers = 0; /* so late that it is a new flow */
	to = send(flow, true, false, false, flow->sequence);

	/* What the balancer says it could not remember it is not held to; nor to where a new flow
	 * goes while its owner is down and the table does not say so yet, or nobody takes any. */
	if (!sim.changing && anyone_takes_new() &&
	    untracked ==
		    notes_host[LB_NOTE_CLIENT_UNTRACKED] + notes_host[LB_NOTE_NEW_FLOW_UNTRACKED]) {
		client_seen(flow, true, flow->answers == 0, to);
		if (flow->answers == 0 && pinned_to(flow))
			pin_kept(flow, before, to);
	} else
		*client_of(flow) = (struct client){0};
	if (!to)
		return;
	flow->phase = OPENING;
	flow->answers |= 1U << to;
	answered(flow, to);
}

/* The backend whose answer the client takes, if the packet goes to one that answered. */
static void packet_first(struct flow *flow, uint32_t to)
{
	bool once = (flow->answers & (flow->answers - 1)) == 0;

	if (once && bound(flow) && to != flow->backend)
		fail(flow, "first packet after the SYN", to);
	/* Answered with a reset; or so late that the half-open flow was forgotten. */
	if (!(flow->answers >> to & 1) || sim_now() - flow->seen > IDLE_CLOSING) {
		flow->phase = IDLE;
		return;
	}
	flow->phase = OPEN;
	answered(flow, to);
}

static void packet_tcp(struct flow *flow, bool closing)
{
	uint32_t to, sequence = real_sequence(flow->sequence + 1 + flow->sent * FLIGHT);
	bool was_bound = bound(flow);

	to = send(flow, false, closing, false, sequence);
	client_seen(flow, false, false, to);
	flow->sent++;
	if (flow->phase == OPENING) {
		packet_first(flow, to);
	} else {
		if (was_bound && to != flow->backend)
			fail(flow, closing ? "FIN" : "packet", to);
		if (!was_bound && to != flow->backend)
			flow->phase = IDLE;
		else
			answered(flow, to);
	}
	if (closing && flow->phase != IDLE)
		flow->phase = CLOSING;
}

static void packet_any(struct flow *flow)
{
	if (flow->udp)
		packet_udp(flow);
	else if (flow->phase != IDLE)
		packet_tcp(flow, false);
}

static void flow_open(struct flow *flow)
{
	flows_opened++;
	if (flow->udp) {
		packet_udp(flow);
		return;
	}
	flow->last = sim_now() - flow->seen <= IDLE_TCP ? flow->backend : 0;
	flow->sequence = real_sequence(flow->sequence + flow->sent * FLIGHT + LIFE_APART);
	flow->phase = IDLE;
	flow->answers = 0;
	flow->sent = 0;
	packet_syn(flow);
}

/* The backend takes the SYN for part of a connection that it still has, and asks; the client
 * answers with a reset of that connection, which has to find the one that asked. */
static void packet_reset(struct flow *flow)
{
	bool once = (flow->answers & (flow->answers - 1)) == 0;
	uint32_t to = send(flow, false, true, true, real_sequence(flow->sequence - LIFE_APART / 2));

	client_seen(flow, false, false, to);
	if (once && bound(flow) && to != flow->backend)
		fail(flow, "reset after the SYN", to);
}

static void forged_syn(struct flow *flow, uint32_t number)
{
	/* To a client that was silent for longer than its affinity lasts it is a new flow. */
	if (sim_now() - client_of(flow)->seen > options->client_timeout)
		*client_of(flow) = (struct client){0};
	send(flow, true, false, false, forged_syn_sequence(number));
}

static void forged_reset(struct flow *flow, uint32_t number)
{
	send(flow, false, true, true, forged_ack_sequence(number));
	flow->reset = true;
}

/* SYNs, ACKs and datagrams of flows that nobody has. */
static void strangers(uint32_t number)
{
	for (uint32_t i = 0; i < number % 12; i++) {
		struct flow stranger = {0};
		uint32_t hash = (number * 12 + i) * 0x9e3779b1U;

		stranger.packet.family = 4;
		stranger.packet.proto = i % 3 == 2 ? IPPROTO_UDP : IPPROTO_TCP;
		stranger.packet.flow.v4 =
			(struct lb_flow_key_v4){.source = 1000 + (hash >> 16) % 5000,
						.destination = 1,
						.source_port = (uint16_t)number,
						.destination_port = 80,
						.proto = stranger.packet.proto};
		send(&stranger, i % 3 == 0, false, false, hash);
	}
}

static void flows_begin(void)
{
	memset(flows, 0, sizeof(flows));
	memset(clients, 0, sizeof(clients));
	failure[0] = '\0';
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow *flow = &flows[i];

		flow->udp = i % 4 == 3;
		flow->packet.family = 4;
		flow->packet.proto = flow->udp ? IPPROTO_UDP : IPPROTO_TCP;
		flow->packet.flow.v4 = (struct lb_flow_key_v4){
			/* A datagram does not say whether it begins a flow, so what clients
			 * are held to is told by TCP alone. */
			.source = 1 + i % CLIENTS + (flow->udp ? 100 : 0),
			.destination = 1,
			.source_port = (uint16_t)(i + 1),
			.destination_port = 80,
			.proto = flow->packet.proto,
		};
	}
}

#endif
