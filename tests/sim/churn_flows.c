/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * churn_flows: flows that live and send, whether their packets still go where they were answered,
 * and how many did not.
 *
 * Half of the flows live for 5 s, four in ten for 2 min, one in ten for 2 h and is idle for up to
 * an hour in between; all give or take a tenth. One in ten is UDP. One TCP flow in a hundred ends
 * without a FIN: its client is gone. One in 64 ends and comes again with the same ports.
 *
 * What a flow does depends on its own random numbers alone, so that every balancer meets the same
 * flows. A broken one ends there.
 *
 * Whoever has a packet to send is in the calendar's list for that unit of time. Lists are in the
 * order in which flows were put, last first, which says nothing about them.
 */
#include <stdlib.h>

#include "churn.h"

enum { CALENDAR = 1 << 16 }; /* more than the longest gap: 2.4 h */

enum phase { PHASE_NEW, PHASE_OPENING, PHASE_OPEN };
enum life { LIFE_SHORT, LIFE_MIDDLE, LIFE_LONG };

struct flow {
	uint64_t random;
	uint32_t number; /* of its 5-tuple */
	uint32_t next;   /* 1 + index in the same list; 0: none */
	uint32_t end;
	uint32_t seen; /* when it was last answered */
	uint32_t sequence;
	entry_hint hint;
	uint16_t backend; /* that answered last */
	uint16_t backend_life;
	uint8_t phase; /* enum phase */
	uint8_t life;  /* enum life */
	bool udp;
	bool vanishes;
};

struct flow_counts flow_counts;
uint32_t unit_now;

static struct flow *flows;
static uint32_t flows_made, flows_room, vacant;
static uint32_t calendar[CALENDAR];
static uint32_t tuples;
static uint64_t owed, rate; /* new flows, in 2^-32 */

void flows_open(uint32_t per_second)
{
	rate = (((uint64_t)per_second << 32) / 1000000000) << UNIT_SHIFT;
}

static uint32_t draw(struct flow *flow, uint32_t below)
{
	flow->random ^= flow->random << 13;
	flow->random ^= flow->random >> 7;
	flow->random ^= flow->random << 17;
	return (uint32_t)((flow->random >> 32) * below >> 32);
}

/* Between so many seconds. */
static uint32_t draw_time(struct flow *flow, uint32_t from, uint32_t to)
{
	return units(from) + draw(flow, units(to) - units(from) + 1);
}

static void wait(struct flow *flow, uint32_t span)
{
	uint32_t *list = &calendar[(unit_now + span) % CALENDAR];

	flow->next = *list;
	*list = (uint32_t)(flow - flows) + 1;
}

/* ---- beginning and end ---- */

static struct flow *flow_room(void)
{
	struct flow *flow;

	if (vacant) {
		flow = &flows[vacant - 1];
		vacant = flow->next;
		return flow;
	}
	if (flows_made == flows_room) {
		flows_room = flows_room ? 2 * flows_room : 4096;
		flows = realloc(flows, flows_room * sizeof(*flows));
		if (!flows)
			abort();
	}
	return &flows[flows_made++];
}

static void flow_arrive(void)
{
	struct flow *flow = flow_room();

	*flow = (struct flow){.number = ++tuples};
	flow->random = tuples * 0x9e3779b97f4a7c15ULL;
	draw(flow, 2);
	flow->udp = draw(flow, 10) == 0;
	wait(flow, 0);
}

static void flow_end(struct flow *flow)
{
	flow_counts.live -= flow->phase != PHASE_NEW;
	flow->phase = PHASE_NEW;
	if (draw(flow, 64) == 0) {
		wait(flow, draw_time(flow, 1, 90));
		return;
	}
	flow->next = vacant;
	vacant = (uint32_t)(flow - flows) + 1;
}

static void flow_plan(struct flow *flow)
{
	static const uint32_t lives[] = {5, 120, 7200};
	uint32_t luck = draw(flow, 10), seconds;

	flow->life = luck < 5 ? LIFE_SHORT : luck < 9 ? LIFE_MIDDLE : LIFE_LONG;
	seconds = lives[flow->life];
	flow->end = unit_now + units(seconds * 9 / 10) + draw(flow, units(seconds / 5));
	flow->vanishes = flow->udp || draw(flow, 100) == 0;
	flow->sequence = draw(flow, UINT32_MAX);
}

static uint32_t draw_gap(struct flow *flow)
{
	switch (flow->life) {
	case LIFE_SHORT:
		return draw_time(flow, 1, 3);
	case LIFE_MIDDLE:
		return draw_time(flow, 10, 40);
	}
	if (flow->udp)
		/* What is silent for longer than the timeout is a new flow. */
		return draw(flow, 16) ? draw_time(flow, 20, 55) : draw_time(flow, 61, 300);
	return draw(flow, 2) ? draw_time(flow, 5, 60) : draw_time(flow, 300, 3600);
}

/* ---- packets ---- */

/* So that nobody has to know the flow any more. TCP flows here never are idle for so long. */
static bool is_forgotten(const struct flow *flow)
{
	return flow->udp && unit_now - flow->seen > units(60);
}

static void flow_answered(struct flow *flow, uint32_t by)
{
	flow->backend = (uint16_t)by;
	flow->backend_life = balancer_life(by);
	flow->seen = unit_now;
}

/* A SYN that nobody answers is sent again. */
static void flow_begin(struct flow *flow)
{
	uint32_t to;

	flow_plan(flow);
	to = balancer_send(flow->number, flow->udp, PACKET_OPEN, flow->sequence, &flow->hint);
	if (!to) {
		wait(flow, units(1));
		return;
	}
	flow_answered(flow, to);
	flow->phase = flow->udp ? PHASE_OPEN : PHASE_OPENING;
	flow_counts.begun++;
	flow_counts.live++;
	wait(flow, flow->udp ? draw_gap(flow) : 1);
}

static void flow_broken(struct flow *flow, bool allowed)
{
	flow_counts.broken++;
	flow_counts.allowed += allowed;
	flow_end(flow);
}

static void flow_send(struct flow *flow)
{
	bool closing = !flow->udp && unit_now >= flow->end;
	/* As the backend is before the packet: it answered, and has been there ever since. */
	bool stayed = balancer_usable(flow->backend) &&
		      balancer_life(flow->backend) == flow->backend_life;
	uint32_t gap, to;

	flow->sequence += flow->phase == PHASE_OPENING ? 1 : 30000;
	to = balancer_send(flow->number, flow->udp, closing ? PACKET_CLOSE : PACKET_DATA,
			   flow->sequence, &flow->hint);
	if (!is_forgotten(flow) && (!stayed || to != flow->backend)) {
		flow_broken(flow, !stayed);
		return;
	}
	if (closing || !to) {
		flow_end(flow);
		return;
	}
	flow_answered(flow, to);
	flow->phase = PHASE_OPEN;
	gap = draw_gap(flow);
	if (unit_now + gap < flow->end)
		wait(flow, gap);
	else if (!flow->vanishes)
		wait(flow, flow->end > unit_now ? flow->end - unit_now : 1);
	else
		flow_end(flow);
}

void flows_step(bool begin)
{
	uint32_t *list = &calendar[unit_now % CALENDAR];
	uint32_t at;

	for (owed += begin ? rate : 0; owed >> 32; owed -= 1ULL << 32)
		flow_arrive();
	at = *list;
	*list = 0;
	while (at) {
		struct flow *flow = &flows[at - 1];

		at = flow->next;
		if (flow->phase != PHASE_NEW)
			flow_send(flow);
		else if (begin)
			flow_begin(flow);
	}
}
