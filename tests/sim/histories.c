/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * histories: random histories of packets, changes and sweeps, interleaved at any point, against the
 * statement of stickiness (statement.h).
 *
 * A history is a list of events drawn from a seed. Events of one that fails are left out for as
 * long as it still fails; the shortest is printed.
 *
 *   histories [--seed N] [--count N] [--events N] [--all]
 *
 * Exits with 1 at the first that fails; --all goes on to the end.
 */
#include <getopt.h>

#include "history.h"

enum { EVENTS_MAX = 4000 };

/* How often each kind is drawn. */
static const uint16_t odds[EV_KINDS] = {
	[EV_TICK] = 60,         [EV_PACKET] = 270,    [EV_OPEN] = 60,       [EV_REPEAT] = 30,
	[EV_RESET] = 10,        [EV_CLOSE] = 12,      [EV_FORGED_SYN] = 20, [EV_FORGED_ACK] = 10,
	[EV_FORGED_RESET] = 10, [EV_STRANGERS] = 12,  [EV_DOWN] = 6,        [EV_UP] = 14,
	[EV_DRAIN] = 6,         [EV_READY] = 10,      [EV_WEIGHT] = 6,      [EV_CHANGE_STEP] = 88,
	[EV_PUBLISH] = 24,      [EV_SWEEP_STEP] = 50, [EV_SWEEP] = 20,      [EV_SWEEP_CUT] = 30,
	[EV_PIN] = 6,
};

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * below >> 32);
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
		uint32_t at = draw(sum), value;
		uint8_t kind = 0;

		while (at >= odds[kind])
			at -= odds[kind++];
		events[i] = (struct event){kind, (uint8_t)draw(240), 0};
		value = draw(65536);
		if (kind == EV_TICK) /* mostly a little, sometimes past a timeout */
			value %= draw(8) ? 20 : 400;
		if (kind == EV_SWEEP_STEP)
			value %= 9;
		events[i].number = (uint16_t)value;
	}
}

/* Leaves out runs of events for as long as the history still fails. */
static uint32_t history_shrink(struct event *events, uint32_t count)
{
	static struct event shorter[EVENTS_MAX];

	for (uint32_t run = count / 2; run > 0; run = run > 1 ? (run + 1) / 2 : 0) {
		for (uint32_t at = 0; at + run <= count;) {
			uint32_t left = count - run, failed;

			memcpy(shorter, events, at * sizeof(*events));
			memcpy(shorter + at, events + at + run, (left - at) * sizeof(*events));
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

static void report(struct event *events, uint32_t count, uint64_t seed)
{
	printf("seed %" PRIu64 ": %s\n", seed, failure);
	count = history_shrink(events, count);
	verbose = true;
	history_run(events, count);
	verbose = false;
	printf("world \"%s\", %u events: %s\n", world_names[options - worlds], count, failure);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"seed", required_argument, NULL, 's'},
						     {"count", required_argument, NULL, 'c'},
						     {"events", required_argument, NULL, 'e'},
						     {"all", no_argument, NULL, 'a'},
						     {NULL, 0, NULL, 0}};
	static struct event events[EVENTS_MAX];
	uint64_t seed = 1, count = 2000, broken = 0;
	uint32_t length = 1000, failed;
	bool all = false;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's')
			seed = number(optarg);
		else if (option == 'c')
			count = number(optarg);
		else if (option == 'e' && number(optarg) <= EVENTS_MAX)
			length = (uint32_t)number(optarg);
		else if (option == 'a')
			all = true;
		else
			return 2;
	}
	for (uint64_t i = seed; i < seed + count && (all || !broken); i++) {
		options = &worlds[i % WORLDS];
		events_draw(events, length, i);
		failed = history_run(events, length);
		if (!failed)
			continue;
		broken++;
		report(events, failed, i);
	}
	printf("%" PRIu64 " flows, %" PRIu64 " histories of up to %" PRIu64 " broken\n",
	       flows_opened, broken, count);
	return broken ? 1 : 0;
}
