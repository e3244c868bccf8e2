/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * histories: random histories of packets, changes and sweeps, interleaved at any point, against a
 * statement of stickiness that knows nothing of the rules:
 *
 *   A flow, once answered by a backend that stays usable, and while it is not idle past its
 * timeout, is never sent elsewhere. A client, once known, keeps its backend for new flows likewise,
 * for as long as that takes them.
 *
 * A history is a list of events drawn from a seed, so that a failing one can be shortened: events
 * are left out for as long as it still fails. The shortest is printed.
 *
 *   histories [--seed N] [--count N] [--events N]    exits with 1 at the first that fails
 */
#include <getopt.h>
#include <inttypes.h>

#define HOST_BACKENDS    7
#define HOST_SLOT_BLOCKS 4
#define HOST_BUCKETS     8
#include "engine.h"

enum {
	FLOWS = 24,
	CLIENTS = 6,
	EVENTS_MAX = 4000,
	IDLE_TCP = 300,
	IDLE_UDP = 60,
	IDLE_CLOSING = 56,
	FLIGHT = 40000, /* bytes between two packets of a flow: it leaves its SYN's window */
};

enum event_kind {
	EV_TICK,
	EV_PACKET, /* the flow goes on in whichever way its state allows */
	EV_OPEN,   /* a new life of the flow, whatever became of the last one */
	EV_CLOSE,
	EV_FORGED_SYN,
	EV_FORGED_ACK,
	EV_STRANGERS, /* SYNs, ACKs, datagrams of flows that nobody has */
	EV_DOWN,
	EV_UP,
	EV_DRAIN,
	EV_READY,
	EV_WEIGHT,
	EV_STORE_DOWN,
	EV_COMPUTE,
	EV_SWITCH,
	EV_STORE_UP,
	EV_PUBLISH,
	EV_SWEEP_STEP,
	EV_SWEEP,
	EV_KINDS
};

struct event {
	uint8_t kind;
	uint8_t object; /* flow or backend */
	uint16_t number;
};

/* How often each kind is drawn. */
static const uint16_t odds[EV_KINDS] = {
	[EV_TICK] = 60,       [EV_PACKET] = 300,    [EV_OPEN] = 60,      [EV_CLOSE] = 12,
	[EV_FORGED_SYN] = 20, [EV_FORGED_ACK] = 10, [EV_STRANGERS] = 12, [EV_DOWN] = 6,
	[EV_UP] = 14,         [EV_DRAIN] = 6,       [EV_READY] = 10,     [EV_WEIGHT] = 6,
	[EV_STORE_DOWN] = 20, [EV_COMPUTE] = 24,    [EV_SWITCH] = 24,    [EV_STORE_UP] = 20,
	[EV_PUBLISH] = 24,    [EV_SWEEP_STEP] = 60, [EV_SWEEP] = 20,
};

static const char *const kind_names[EV_KINDS] = {
	"tick",   "packet",   "open",    "close",      "forged SYN", "forged ACK", "strangers",
	"down",   "up",       "drain",   "ready",      "weight",     "store down", "compute",
	"switch", "store up", "publish", "sweep step", "sweep",
};

/* ---- the statement ---- */

enum phase { IDLE, OPENING, OPEN, CLOSING };

struct flow {
	struct packet packet;
	bool udp;
	enum phase phase;
	uint32_t sequence; /* initial */
	uint32_t sent;     /* packets of this life */
	uint32_t answers;  /* bit per backend that answered its SYN */
	uint32_t backend;  /* that answered last */
	uint32_t life;     /* of that backend, see backend_life */
	uint32_t seen;     /* tick of the last answer */
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
static bool verbose;
static uint64_t flows_opened;

/* The step of a change that comes next: in the controller's order, whatever order they are drawn
 * in. NEXT_DOWN: no change is under way. */
static enum {
	NEXT_DOWN,
	NEXT_COMPUTE_1,
	NEXT_SWITCH_1,
	NEXT_UP,
	NEXT_COMPUTE_2,
	NEXT_SWITCH_2
} next;

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * below >> 32);
}

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

static uint32_t idle_limit(const struct flow *flow)
{
	return flow->udp ? IDLE_UDP : flow->phase == OPEN ? IDLE_TCP : IDLE_CLOSING;
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

static uint32_t send(struct flow *flow, bool syn, bool closing, bool reset, uint32_t sequence)
{
	struct packet packet = flow->packet;

	packet.syn = syn;
	packet.closing = closing;
	packet.reset = reset;
	packet.sequence = sequence;
	return sim_send(&packet);
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
	uint32_t to;

	if (flow->phase == OPENING && sim_now() - flow->seen > IDLE_CLOSING)
		flow->answers = 0; /* so late that it is a new flow */
	to = send(flow, true, false, false, flow->sequence);

	/* What the balancer says it could not remember it is not held to; nor to where a new flow
	 * goes while its owner is down and the table does not say so yet, or nobody takes any. */
	if (next == NEXT_DOWN && anyone_takes_new() &&
	    untracked ==
		    notes_host[LB_NOTE_CLIENT_UNTRACKED] + notes_host[LB_NOTE_NEW_FLOW_UNTRACKED])
		client_seen(flow, true, flow->answers == 0, to);
	else
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
	uint32_t to, sequence = flow->sequence + 1 + flow->sent * FLIGHT;
	bool was_bound = bound(flow);

	if (flow->phase == OPENING && draw(4) == 0) {
		packet_syn(flow);
		return;
	}
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
	flow->phase = IDLE;
	flow->answers = 0;
	flow->sent = 0;
	flow->sequence = draw(UINT32_MAX);
	packet_syn(flow);
}

/* Far from what the flow really sends, for a guess that hits is a different matter. */
static uint32_t forged_sequence(const struct flow *flow)
{
	return flow->sequence + 0x40000000U + draw(0x40000000U);
}

static void forged_syn(struct flow *flow)
{
	/* To a client that was silent for longer than its affinity lasts it is a new flow. */
	if (sim_now() - client_of(flow)->seen > options->client_timeout)
		*client_of(flow) = (struct client){0};
	send(flow, true, false, false, forged_sequence(flow));
}

static void strangers(uint32_t number)
{
	for (uint32_t i = 0; i < number % 12; i++) {
		struct flow stranger = {0};

		stranger.packet.family = 4;
		stranger.packet.proto = i % 3 == 2 ? IPPROTO_UDP : IPPROTO_TCP;
		stranger.packet.flow.v4 = (struct lb_flow_key_v4){.source = 1000 + draw(5000),
								  .destination = 1,
								  .source_port = (uint16_t)number,
								  .destination_port = 80,
								  .proto = stranger.packet.proto};
		send(&stranger, i % 3 == 0, false, false, draw(UINT32_MAX));
	}
}

/* ---- events ---- */

static void backend_event(const struct event *event)
{
	struct sim_backend *backend = &sim.backends[1 + event->object % (HOST_BACKENDS - 1)];

	switch (event->kind) {
	case EV_DOWN:
		backend->up = false;
		break;
	case EV_UP:
		backend->up = true;
		break;
	case EV_DRAIN:
		backend->drain = true;
		break;
	case EV_READY:
		backend->drain = false;
		break;
	case EV_WEIGHT:
		backend->weight = event->number % 4;
		break;
	}
}

/* Whether a backend that is to come up is still named by the table in force: then the change that
 * followed its going down has to be published first. */
static bool unfinished(void)
{
	const uint32_t *words = sim_table(sim.half);

	for (uint32_t i = 0; i < sim.table_size; i++) {
		uint32_t named[] = {LB_SLOT_OWNER(words[i]), LB_SLOT_FALLBACK(words[i])};

		for (int n = 0; n < 2; n++)
			if (named[n] && !usable_now(named[n]) && sim_usable(named[n]))
				return true;
	}
	return false;
}

static void publish_step(void)
{
	switch (next) {
	case NEXT_DOWN:
		sim_store_down();
		next = unfinished() ? NEXT_COMPUTE_1 : NEXT_UP;
		break;
	case NEXT_COMPUTE_1:
	case NEXT_COMPUTE_2:
		sim_table_compute();
		next++;
		break;
	case NEXT_SWITCH_1:
		sim_table_switch();
		next = NEXT_UP;
		break;
	case NEXT_SWITCH_2:
		sim_table_switch();
		next = NEXT_DOWN;
		break;
	case NEXT_UP:
		sim_store_up();
		next = NEXT_COMPUTE_2;
		break;
	}
	sim.changing = next != NEXT_DOWN;
	lives_update();
}

static void event_run(const struct event *event)
{
	struct flow *flow = &flows[event->object % FLOWS];

	/* What an event draws depends on itself alone, so that others can be left out. */
	random_state = (event->number + 1) * 0x9e3779b97f4a7c15ULL + event->object;
	switch (event->kind) {
	case EV_TICK:
		/* The controller computes a table and switches to it within a second. */
		if (sim.computed)
			break;
		sim_tick(event->number % 8 == 0 ? event->number % 400 : event->number % 20);
		break;
	case EV_PACKET:
		packet_any(flow);
		break;
	case EV_OPEN:
		flow_open(flow);
		break;
	case EV_CLOSE:
		if (!flow->udp && (flow->phase == OPEN || flow->phase == CLOSING))
			packet_tcp(flow, true);
		break;
	case EV_FORGED_SYN:
		/* Between a SYN and the packet that confirms it there is room for one sequence
		 * number: whoever forges at that very moment breaks the flow. */
		if (!flow->udp && flow->phase != OPENING)
			forged_syn(flow);
		break;
	case EV_FORGED_ACK:
		if (!flow->udp && !options->client_timeout)
			send(flow, false, false, false, forged_sequence(flow));
		break;
	case EV_STRANGERS:
		strangers(event->number);
		break;
	case EV_DOWN:
	case EV_UP:
	case EV_DRAIN:
	case EV_READY:
	case EV_WEIGHT:
		/* A change is taken when the last one is through: the model, then a round. */
		if (next == NEXT_DOWN)
			backend_event(event);
		break;
	case EV_STORE_DOWN:
	case EV_COMPUTE:
	case EV_SWITCH:
	case EV_STORE_UP:
		publish_step();
		break;
	case EV_PUBLISH:
		do
			publish_step();
		while (next != NEXT_DOWN);
		break;
	case EV_SWEEP_STEP:
		for (uint32_t i = 0; i <= event->number % 9; i++)
			sim_sweep_step();
		break;
	case EV_SWEEP:
		sim_sweep();
		break;
	}
}

static void world_begin(void)
{
	memset(flows, 0, sizeof(flows));
	memset(clients, 0, sizeof(clients));
	failure[0] = '\0';
	next = NEXT_DOWN;
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
	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		sim.backends[i] = (struct sim_backend){.exists = true, .up = i < 5, .weight = 1};
	do
		publish_step();
	while (next != NEXT_DOWN);
}

/* The number of events until the statement was broken, or 0. */
static uint32_t history_run(const struct event *events, uint32_t count)
{
	sim_reset(options);
	lives_update();
	world_begin();
	for (uint32_t i = 0; i < count; i++) {
		event_run(&events[i]);
		if (verbose)
			printf("  %6u  %-11s %3u %5u\n", sim_now(), kind_names[events[i].kind],
			       events[i].object, events[i].number);
		if (failure[0])
			return i + 1;
	}
	return 0;
}

/* Leaves out runs of events for as long as the history still fails. */
static uint32_t history_shrink(struct event *events, uint32_t count)
{
	static struct event shorter[EVENTS_MAX];

	for (uint32_t run = count / 2; run > 0; run = run > 1 ? (run + 1) / 2 : 0) {
		for (uint32_t at = 0; at + run <= count;) {
			uint32_t left, failed;

			memcpy(shorter, events, at * sizeof(*events));
			memcpy(shorter + at, events + at + run,
			       (count - at - run) * sizeof(*events));
			left = count - run;
			failed = history_run(shorter, left);
			if (!failed) {
				at += run;
				continue;
			}
			count = failed;
			memcpy(events, shorter, count * sizeof(*events));
		}
	}
	return count;
}

static void events_draw(struct event *events, uint32_t count, uint64_t seed)
{
	uint32_t sum = 0;

	for (int kind = 0; kind < EV_KINDS; kind++)
		sum += odds[kind];
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	for (uint32_t i = 0; i < 20; i++)
		draw(2);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = draw(sum);
		uint8_t kind = 0;

		while (at >= odds[kind])
			at -= odds[kind++];
		events[i] = (struct event){kind, (uint8_t)draw(240), (uint16_t)draw(65536)};
	}
}

static const struct sim_options worlds[] = {
	{.table_size = 13, .flows = 4000, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP},
	{.table_size = 13, .flows = 0, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP},
	{.table_size = 13, .flows = 16, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP},
	{.table_size = 13, .flows = 4000, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP, .keep = true},
	{.table_size = 13, .flows = 40, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP, .keep = true},
	{.table_size = 13,
	 .flows = 4000,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_TRACK_ALWAYS},
	{.table_size = 13,
	 .flows = 20,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_TRACK_ALWAYS},
	{.table_size = 13,
	 .flows = 4000,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_SOURCE},
	{.table_size = 13,
	 .flows = 4000,
	 .clients = 20000,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_SOURCE,
	 .client_timeout = 100},
	{.table_size = 13,
	 .flows = 4000,
	 .clients = 20000,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_SOURCE,
	 .client_timeout = 500,
	 .drain_clients = true},
	{.table_size = 13,
	 .flows = 0,
	 .clients = 20000,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_SOURCE,
	 .client_timeout = 100},
	{.table_size = 13,
	 .flows = 4000,
	 .clients = 0,
	 .idle_tcp = IDLE_TCP,
	 .idle_udp = IDLE_UDP,
	 .flags = LB_POOL_SOURCE,
	 .client_timeout = 100},
};

enum { WORLDS = sizeof(worlds) / sizeof(*worlds) };

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static int report(struct event *events, uint32_t count, uint64_t seed)
{
	printf("seed %" PRIu64 ": %s\n", seed, failure);
	count = history_shrink(events, count);
	verbose = true;
	history_run(events, count);
	printf("world %d, %u events: %s\n", (int)(options - worlds), count, failure);
	return 1;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"seed", required_argument, NULL, 's'},
						     {"count", required_argument, NULL, 'c'},
						     {"events", required_argument, NULL, 'e'},
						     {NULL, 0, NULL, 0}};
	static struct event events[EVENTS_MAX];
	uint64_t seed = 1, count = 2000;
	uint32_t length = 1000, failed;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's')
			seed = number(optarg);
		else if (option == 'c')
			count = number(optarg);
		else if (option == 'e' && number(optarg) <= EVENTS_MAX)
			length = (uint32_t)number(optarg);
		else
			return 2;
	}
	for (uint64_t i = seed; i < seed + count; i++) {
		options = &worlds[i % WORLDS];
		events_draw(events, length, i);
		failed = history_run(events, length);
		if (failed)
			return report(events, failed, i);
	}
	printf("%" PRIu64 " histories, %" PRIu64 " flows: none moved\n", count, flows_opened);
	return 0;
}
