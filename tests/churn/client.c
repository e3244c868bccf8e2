/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client run CONTROL REPORT GROUP...   keeps flows going until it is told to quit; see client.h
 * client ask CONTROL COMMAND...        tells it to do something, and prints what it says
 *
 * A GROUP is KEY=VALUE,...: see client_group.c. Commands: see client_control.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { EVENTS = 512, OPEN_PER_SECOND = 2000 };

struct flow *flows;
uint64_t *due;
uint32_t flow_count;
uint64_t now_ms;
int client_epoll = -1;

static uint32_t random_state = 0x2545f491;

uint32_t client_random(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return bound ? random_state % bound : 0;
}

void client_die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void take_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void make_flows(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < group_count; i++)
		flow_count += groups[i].count;
	flows = calloc(flow_count, sizeof(*flows));
	due = calloc(flow_count, sizeof(*due));
	if (!flows || !due)
		client_die("making flows");
	for (uint32_t i = 0; i < group_count; i++) {
		for (uint32_t j = 0; j < groups[i].count; j++, n++) {
			flow_init(&flows[n], &groups[i], j % groups[i].sources);
			due[n] = now_ms + (uint64_t)n * 1000 / OPEN_PER_SECOND;
		}
	}
}

static void run_due(void)
{
	for (uint32_t i = 0; i < flow_count; i++) {
		if (due[i] <= now_ms)
			flow_due(&flows[i]);
	}
}

static void loop(void)
{
	struct epoll_event events[EVENTS];
	uint64_t looked_ms = 0;

	while (!control_quit) {
		int count = epoll_wait(client_epoll, events, EVENTS, TICK_MS);

		take_time();
		for (int i = 0; i < count; i++) {
			if (!control_event(events[i].data.ptr))
				flow_event(events[i].data.ptr, events[i].events);
		}
		if (now_ms - looked_ms < TICK_MS)
			continue;
		looked_ms = now_ms;
		run_due();
		control_tick();
	}
}

static void write_report(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		client_die(path);
	record_write(out);
	if (fclose(out) != 0)
		client_die(path);
}

static int run(const char *control, const char *report, char **texts, int count)
{
	for (int i = 0; i < count; i++) {
		if (!group_parse(texts[i]))
			return 2;
	}
	client_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (client_epoll < 0)
		client_die("epoll");
	take_time();
	random_state ^= (uint32_t)now_ms;
	random_state += random_state == 0;
	make_flows();
	control_listen(control);
	loop();
	write_report(report);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3], argv + 4, argc - 4);
	if (argc >= 4 && strcmp(argv[1], "ask") == 0)
		return control_ask(argv[2], argv + 3, argc - 3);
	fprintf(stderr, "usage: client run CONTROL REPORT GROUP...\n"
			"       client ask CONTROL COMMAND...\n");
	return 2;
}
