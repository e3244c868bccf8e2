/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clauses: directed histories, for clauses of the rules that random ones (histories.c) meet too
 * seldom, and checks of what the rules cost rather than whom they move. Speaks TAP.
 *
 *   clauses [NAME]      all, or the one; `mutations.txt` says which clause each is for
 */
#include "history.h"

/* Flow and number of the sweep cut, and number of the sweep step before, are varied. */
enum { STEPS_MAX = 2 * HOST_BUCKETS, LOOKS_MAX = 64, EVENTS = 24 };

struct directed {
	const char *name;
	enum world world;
	bool varied;
	struct event events[EVENTS];
};

/* Backends 1 to 4 are up when a history begins, 5 and 6 are down. */
enum { BACKEND_1, BACKEND_2, BACKEND_3, BACKEND_4, BACKEND_5 };

/* clang-format off: an event a line */
static const struct directed directed[] = {
	/* A port is used again at the very moment at which a sweep finds its entry dead. */
	{"port-reused-under-a-sweep",
	 WORLD_PLAIN,
	 true,
	 {{EV_UP, BACKEND_5, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_TICK, 0, 60},
	  {EV_SWEEP_STEP, 0, 0},
	  {EV_SWEEP_CUT, 0, 0},
	  {EV_SWEEP, 0, 0},
	  {EV_PACKET, EACH, 0}}},
	/* The same when the next sweep deletes what the last one doomed, and in between. */
	{"port-reused-under-a-second-sweep",
	 WORLD_PLAIN,
	 true,
	 {{EV_UP, BACKEND_5, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_TICK, 0, 60},
	  {EV_SWEEP, 0, 0},
	  {EV_SWEEP_STEP, 0, 0},
	  {EV_SWEEP_CUT, 0, 0},
	  {EV_SWEEP, 0, 0},
	  {EV_PACKET, EACH, 0}}},
	{"port-reused-between-sweeps",
	 WORLD_PLAIN,
	 false,
	 {{EV_UP, BACKEND_5, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_TICK, 0, 60},
	  {EV_SWEEP, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_SWEEP, 0, 0},
	  {EV_PACKET, EACH, 0}}},
	/* A backend takes a SYN for part of the connection that had the ports before, and asks. */
	{"reset-after-syn",
	 WORLD_PLAIN,
	 false,
	 {{EV_OPEN, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_UP, BACKEND_5, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_RESET, EACH, 0},
	  {EV_REPEAT, EACH, 0},
	  {EV_PACKET, EACH, 0}}},
	/* The same where no birth is needed; then the flow is quiet for longer than closed ones
	 * are remembered, and its first life's birth is gone. */
	{"reset-closes-nothing",
	 WORLD_PLAIN,
	 false,
	 {{EV_UP, BACKEND_5, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_RESET, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_TICK, 0, 40},
	  {EV_SWEEP, 0, 0},
	  {EV_TICK, 0, 160},
	  {EV_PACKET, EACH, 0}}},
	/* A client stays with a draining backend (4, which the hash gives to most here) until its
	 * slot has settled for another, goes there with a new flow, and that backend (3) dies. The
	 * slot knows nothing of its old flow. */
	{"renewed-record-asks-for-entries",
	 WORLD_CLIENTS,
	 false,
	 {{EV_OPEN, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_DRAIN, BACKEND_4, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_TICK, 0, 290},
	  {EV_PACKET, EACH, 0},
	  {EV_TICK, 0, 20},
	  {EV_SWEEP, 0, 0},
	  {EV_TICK, 0, 10},
	  {EV_SWEEP, 0, 0},
	  {EV_FORGED_SYN, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_TICK, 0, 290},
	  {EV_PACKET, EACH, 0},
	  {EV_TICK, 0, 20},
	  {EV_SWEEP, 0, 0},
	  {EV_DOWN, BACKEND_3, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_PACKET, EACH, 0}}},
	/* Clients come while the owner of their slot (4) is down already, and not replaced yet.
	 * Theirs are answered later by what their slot falls back to; then 4 is there again. */
	{"no-record-of-a-dead-owner",
	 WORLD_CLIENTS,
	 false,
	 {{EV_DOWN, BACKEND_4, 0},
	  {EV_CHANGE_STEP, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_UP, BACKEND_5, 0},
	  {EV_DRAIN, BACKEND_3, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_DOWN, BACKEND_1, 0},
	  {EV_DOWN, BACKEND_2, 0},
	  {EV_CHANGE_STEP, 0, 0},
	  {EV_OPEN, EACH, 0},
	  {EV_PACKET, EACH, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_UP, BACKEND_4, 0},
	  {EV_PUBLISH, 0, 0},
	  {EV_PACKET, EACH, 0}}},
};
/* clang-format on */

enum { DIRECTED = sizeof(directed) / sizeof(*directed) };

/* Each flow, at each place of a sweep, at each look into the maps that its step takes. */
static bool vary(const struct directed *test, uint32_t count)
{
	struct event events[EVENTS];

	memcpy(events, test->events, sizeof(events));
	for (uint32_t i = 0; i < FLOWS * STEPS_MAX * LOOKS_MAX; i++) {
		for (uint32_t at = 0; at < count; at++) {
			if (events[at].kind == EV_SWEEP_STEP)
				events[at].number = (uint16_t)(i / FLOWS % STEPS_MAX);
			if (events[at].kind != EV_SWEEP_CUT)
				continue;
			events[at].object = (uint8_t)(i % FLOWS);
			events[at].number = (uint16_t)(i / FLOWS / STEPS_MAX);
		}
		if (history_run(events, count))
			return false;
	}
	return true;
}

static bool directed_run(const struct directed *test)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < EVENTS; i++)
		if (memcmp(&test->events[i], &(struct event){0}, sizeof(struct event)))
			count = i + 1;
	options = &worlds[test->world];
	return test->varied ? vary(test, count) : !history_run(test->events, count);
}

/* ---- what the rules cost ---- */

static struct flow new_flow(bool udp, uint32_t number)
{
	struct flow flow = {.udp = udp, .packet.family = 4};

	flow.packet.proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	flow.packet.flow.v4 = (struct lb_flow_key_v4){.source = 10000 + number,
						      .destination = 1,
						      .source_port = 7,
						      .destination_port = 80,
						      .proto = flow.packet.proto};
	return flow;
}

/* However often a slot changes its owner: once old datagrams' flows have had their time, none goes
 * to a backend that drains. Backend 1 drains; backend 2 goes and comes. */
static bool draining_backend_is_left(void)
{
	options = &worlds[WORLD_PLAIN];
	world_begin();
	sim.backends[1].drain = true;
	for (uint32_t second = 0; second < 600; second++) {
		if (second % 50 == 0) {
			sim.backends[2].drain = second / 50 % 2;
			publish();
		}
		if (second % 10 == 0)
			sim_sweep();
		for (uint32_t i = 0; i < 20; i++) {
			struct flow flow = new_flow(true, second * 20 + i);
			uint32_t to = send(&flow, false, false, false, 0);

			if (to == 1 && second > IDLE_UDP + 1) {
				snprintf(failure, sizeof(failure),
					 "a new UDP flow at a draining backend after %u s", second);
				return false;
			}
		}
		sim_tick(1);
	}
	return true;
}

/* Of ten a second: some only send a SYN, the others live for five seconds, and end with FIN or
 * RST. None has an entry later than a minute, and what sweeps take, after that. */
static bool closed_flows_are_freed(void)
{
	enum { SECONDS = 300, PER_SECOND = 10, LIFE = 5, GONE = LIFE + 60 + 3 * 10 };
	static uint32_t with_entry[SECONDS];
	uint32_t entries = 0, peak = 0;

	options = &worlds[WORLD_PLAIN];
	world_begin();
	sim.backends[1].drain = true;
	publish();
	for (uint32_t second = 0; second < SECONDS; second++) {
		uint32_t before = births_v4.count, lived = second - LIFE;

		for (uint32_t i = 0; i < PER_SECOND; i++) {
			struct flow flow = new_flow(false, second * PER_SECOND + i);

			send(&flow, true, false, false, 1);
			if (i % 3)
				send(&flow, false, false, false, 2);
			flow = new_flow(false, lived * PER_SECOND + i);
			if (second >= LIFE && i % 3)
				send(&flow, false, true, i % 3 == 2, 3);
		}
		with_entry[second] = births_v4.count - before;
		entries += with_entry[second] - (second > GONE ? with_entry[second - GONE - 1] : 0);
		if (second % 10 == 0)
			sim_sweep();
		sim_tick(1);
		peak = births_v4.count > peak ? births_v4.count : peak;
		if (births_v4.count > entries || flows_v4.count > entries) {
			snprintf(failure, sizeof(failure),
				 "after %u s %u births and %u flows, of %u that were there within "
				 "%d s",
				 second, births_v4.count, flows_v4.count, entries, GONE);
			return false;
		}
	}
	return peak > 0;
}

static const struct {
	const char *name;
	bool (*run)(void);
} checks[] = {
	{"draining-backend-is-left", draining_backend_is_left},
	{"closed-flows-are-freed", closed_flows_are_freed},
};

enum { CHECKS = sizeof(checks) / sizeof(*checks) };

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	uint32_t ran = 0, bad = 0;

	for (uint32_t i = 0; i < DIRECTED + CHECKS; i++) {
		const char *name = i < DIRECTED ? directed[i].name : checks[i - DIRECTED].name;
		bool good;

		if (only && strcmp(only, name) != 0)
			continue;
		good = i < DIRECTED ? directed_run(&directed[i]) : checks[i - DIRECTED].run();
		printf("%s %u %s\n", good ? "ok" : "not ok", ++ran, name);
		if (!good)
			printf("# %s\n", failure);
		bad += !good;
	}
	printf("1..%u\n", ran);
	return ran == 0 ? 2 : bad ? 1 : 0;
}
