/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * history: packets, changes and sweeps as a list of events, and worlds to run them in. What an
 * event does depends on nothing but itself and the state it meets, so that a list can be shortened.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "statement.h"

enum event_kind {
	EV_TICK,
	EV_PACKET, /* the flow goes on as its state allows */
	EV_OPEN,   /* a new life of the flow, whatever became of the last one */
	EV_REPEAT, /* the SYN again, while nothing else was sent */
	EV_RESET,  /* of an earlier connection, while nothing but the SYN was sent */
	EV_CLOSE,
	EV_FORGED_SYN,
	EV_FORGED_ACK,
	EV_FORGED_RESET,
	EV_STRANGERS,
	EV_DOWN,
	EV_UP,
	EV_DRAIN,
	EV_READY,
	EV_WEIGHT,
	EV_PIN,         /* the flow's client to a backend, or no more, by the number */
	EV_CHANGE_STEP, /* what the controller does next of a change, see publish_step */
	EV_PUBLISH,     /* all that is left of it */
	EV_SWEEP_STEP,
	EV_SWEEP,
	EV_SWEEP_CUT, /* a step, in the midst of which another CPU has a packet of the flow */
	EV_KINDS
};

struct event {
	uint8_t kind;
	uint8_t object; /* flow (EACH: all of them) or backend, from 0 */
	uint16_t number;
};

enum { EACH = 255 };

static const char *const kind_names[EV_KINDS] = {
	"tick",       "packet",     "open",        "repeat",  "reset",      "close", "forged SYN",
	"forged ACK", "forged RST", "strangers",   "down",    "up",         "drain", "ready",
	"weight",     "pin",        "change step", "publish", "sweep step", "sweep", "sweep cut",
};

/* The step of a change that comes next, in the controller's order. NEXT_DOWN: none is under way. */
static enum {
	NEXT_DOWN,
	NEXT_COMPUTE_1,
	NEXT_SWITCH_1,
	NEXT_UP,
	NEXT_COMPUTE_2,
	NEXT_SWITCH_2
} next;

/* ---- changes ---- */

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

static void publish(void)
{
	do
		publish_step();
	while (next != NEXT_DOWN);
}

/* ---- packets ---- */

static void packet_event(struct flow *flow, const struct event *event)
{
	switch (event->kind) {
	case EV_PACKET:
		packet_any(flow);
		break;
	case EV_OPEN:
		flow_open(flow);
		break;
	case EV_REPEAT:
		if (flow->phase == OPENING)
			packet_syn(flow);
		break;
	case EV_RESET:
		if (flow->phase == OPENING)
			packet_reset(flow);
		break;
	case EV_CLOSE:
		if (!flow->udp && (flow->phase == OPEN || flow->phase == CLOSING))
			packet_tcp(flow, true);
		break;
	case EV_FORGED_SYN:
		/* Between a SYN and the packet that confirms it there is room for one sequence
		 * number: whoever forges at that very moment breaks the flow. */
		if (!flow->udp && flow->phase != OPENING)
			forged_syn(flow, event->number);
		break;
	case EV_FORGED_ACK:
		if (!flow->udp && !options->client_timeout)
			send(flow, false, false, false, forged_ack_sequence(event->number));
		break;
	case EV_FORGED_RESET:
		if (!flow->udp && !options->client_timeout)
			forged_reset(flow, event->number);
		break;
	}
}

/* The packet that another CPU has while a step of a sweep looks into the maps. */
static struct {
	struct event event;
	uint32_t looks; /* before it comes */
} cut;

static void cut_run(void)
{
	if (cut.looks--)
		return;
	host_meanwhile = NULL;
	packet_event(&flows[cut.event.object % FLOWS], &cut.event);
}

static void sweep_cut(const struct event *event)
{
	static const uint8_t kinds[] = {EV_PACKET, EV_OPEN, EV_REPEAT, EV_FORGED_SYN};
	uint32_t left = event->number / 4;

	cut.looks = left % 16;
	cut.event = *event;
	cut.event.kind = kinds[event->number % 4];
	host_meanwhile = cut_run;
	sim_sweep_step();
	host_meanwhile = NULL;
}

/* ---- events ---- */

static void event_run(const struct event *event)
{
	switch (event->kind) {
	case EV_TICK:
		/* The controller computes a table and switches to it within a second. */
		if (!sim.computed)
			sim_tick(event->number);
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
	case EV_PIN:
		sim_pin(flows[event->object % FLOWS].packet.flow.v4.source,
			event->number % HOST_BACKENDS, event->number / HOST_BACKENDS % 200);
		break;
	case EV_CHANGE_STEP:
		publish_step();
		break;
	case EV_PUBLISH:
		publish();
		break;
	case EV_SWEEP_STEP:
		for (uint32_t i = 0; i <= event->number; i++)
			sim_sweep_step();
		break;
	case EV_SWEEP:
		sim_sweep();
		break;
	case EV_SWEEP_CUT:
		sweep_cut(event);
		break;
	default:
		if (event->object != EACH)
			packet_event(&flows[event->object % FLOWS], event);
		for (uint32_t i = 0; event->object == EACH && i < FLOWS && !failure[0]; i++)
			packet_event(&flows[i], event);
	}
}

static void world_begin(void)
{
	sim_reset(options);
	lives_update();
	flows_begin();
	next = NEXT_DOWN;
	for (uint32_t i = 1; i < HOST_BACKENDS; i++)
		sim.backends[i] = (struct sim_backend){.exists = true, .up = i < 5, .weight = 1};
	publish();
}

static void event_print(const struct event *event)
{
	printf("  %6u  %-11s ", sim_now(), kind_names[event->kind]);
	if (event->object == EACH)
		printf("each");
	else
		printf("%4u", event->object);
	printf(" %5u\n", event->number);
}

/* The number of events until the statement was broken, or 0. */
static uint32_t history_run(const struct event *events, uint32_t count)
{
	world_begin();
	for (uint32_t i = 0; i < count; i++) {
		if (verbose)
			event_print(&events[i]);
		event_run(&events[i]);
		if (failure[0])
			return i + 1;
	}
	return 0;
}

/* ---- worlds ---- */

#define WORLD(...)                                                                                 \
	{                                                                                          \
		.table_size = 13, .idle_tcp = IDLE_TCP, .idle_udp = IDLE_UDP, __VA_ARGS__          \
	}

enum world {
	WORLD_PLAIN,
	WORLD_NO_ROOM,
	WORLD_LITTLE_ROOM,
	WORLD_KEEP,
	WORLD_KEEP_LITTLE_ROOM,
	WORLD_ALWAYS,
	WORLD_ALWAYS_LITTLE_ROOM,
	WORLD_SOURCE,
	WORLD_CLIENTS, /* forgotten before their flows */
	WORLD_CLIENTS_LONG,
	WORLD_CLIENTS_NO_FLOWS,
	WORLD_NO_CLIENTS, /* asked for, but there is no room */
	WORLDS
};

static const struct sim_options worlds[WORLDS] = {
	[WORLD_PLAIN] = WORLD(.flows = 4000),
	[WORLD_NO_ROOM] = WORLD(.flows = 0),
	[WORLD_LITTLE_ROOM] = WORLD(.flows = 16),
	[WORLD_KEEP] = WORLD(.flows = 4000, .keep = true),
	[WORLD_KEEP_LITTLE_ROOM] = WORLD(.flows = 40, .keep = true),
	[WORLD_ALWAYS] = WORLD(.flows = 4000, .flags = LB_POOL_TRACK_ALWAYS),
	[WORLD_ALWAYS_LITTLE_ROOM] = WORLD(.flows = 20, .flags = LB_POOL_TRACK_ALWAYS),
	[WORLD_SOURCE] = WORLD(.flows = 4000, .flags = LB_POOL_SOURCE),
	[WORLD_CLIENTS] = WORLD(.flows = 4000, .clients = 20000, .flags = LB_POOL_SOURCE,
				.client_timeout = 100),
	[WORLD_CLIENTS_LONG] = WORLD(.flows = 4000, .clients = 20000, .flags = LB_POOL_SOURCE,
				     .client_timeout = 500, .drain_clients = true),
	[WORLD_CLIENTS_NO_FLOWS] =
		WORLD(.flows = 0, .clients = 20000, .flags = LB_POOL_SOURCE, .client_timeout = 100),
	[WORLD_NO_CLIENTS] =
		WORLD(.flows = 4000, .clients = 0, .flags = LB_POOL_SOURCE, .client_timeout = 100),
};

static const char *const world_names[WORLDS] = {
	[WORLD_PLAIN] = "plain",
	[WORLD_NO_ROOM] = "no room",
	[WORLD_LITTLE_ROOM] = "little room",
	[WORLD_KEEP] = "keep",
	[WORLD_KEEP_LITTLE_ROOM] = "keep, little room",
	[WORLD_ALWAYS] = "track always",
	[WORLD_ALWAYS_LITTLE_ROOM] = "track always, little room",
	[WORLD_SOURCE] = "source",
	[WORLD_CLIENTS] = "clients",
	[WORLD_CLIENTS_LONG] = "clients with a long timeout",
	[WORLD_CLIENTS_NO_FLOWS] = "clients, no room for flows",
	[WORLD_NO_CLIENTS] = "no room for clients",
};

#endif
