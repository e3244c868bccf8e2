/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* table: see table.h. */
#include "table.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STRANGERS4 "203.0.113.1"
#define STRANGERS6 "2001:db8:dead::1"

/* When the entries of the current case were written. */
static uint32_t prepared_tick;

static enum world_service flow_pool(const struct packet_case *row, const struct case_flow *flow)
{
	return flow->pool ? flow->pool : row->service;
}

static uint32_t flow_incarnation(const struct case_flow *flow)
{
	return flow->outlived ? WORLD_INCARNATION - 1 : WORLD_INCARNATION;
}

static void entry_put(const char *pin_dir, const struct packet_case *row,
		      const struct case_flow *flow)
{
	struct lb_flow entry = {.seen = prepared_tick - (uint32_t)flow->age,
				.incarnation = flow_incarnation(flow),
				.backend = (uint16_t)flow->backend,
				.pool = (uint16_t)flow_pool(row, flow),
				.state = (uint8_t)flow->state};
	struct lb_flow_key_v4 key4 = {.source_port = htons((uint16_t)flow->sport),
				      .destination_port = htons((uint16_t)flow->dport),
				      .proto = (uint8_t)flow->proto};
	struct lb_flow_key_v6 key6 = {.source_port = key4.source_port,
				      .destination_port = key4.destination_port,
				      .proto = key4.proto};
	bool four = inet_pton(AF_INET, flow->src, &key4.source) == 1;
	char path[256];
	int fd;

	if (four ? inet_pton(AF_INET, flow->dst, &key4.destination) != 1
		 : inet_pton(AF_INET6, flow->src, &key6.source) != 1 ||
			    inet_pton(AF_INET6, flow->dst, &key6.destination) != 1)
		errx(1, "packet case %s: bad addresses in a flow", row->name);
	snprintf(path, sizeof(path), "%s/flows_v%d", pin_dir, four ? 4 : 6);
	fd = bpf_obj_get(path);
	if (fd < 0 ||
	    bpf_map_update_elem(fd, four ? (void *)&key4 : (void *)&key6, &entry, BPF_ANY))
		err(1, "packet case %s: making a flow in %s", row->name, path);
	close(fd);
}

static bool every_flow(void *context, const struct dataplane_flow *flow)
{
	(void)context, (void)flow;
	return true;
}

void table_prepare(struct dataplane *dp, const char *pin_dir, const struct packet_case *row)
{
	int taken = 0;

	if (dataplane_flows_sweep(dp, every_flow, NULL))
		errx(1, "packet case %s: cannot empty the flow table", row->name);
	prepared_tick = dataplane_tick();
	for (int i = 0; i < CASE_FLOWS_MAX && row->before[i].src; i++, taken++)
		entry_put(pin_dir, row, &row->before[i]);
	for (int i = taken; row->full && i < WORLD_FLOWS_MAX; i++) {
		struct case_flow four = FLOW_TCP(STRANGERS4, 1 + i, V4_S_TRACKED, 80);
		struct case_flow six = FLOW_TCP(STRANGERS6, 1 + i, V6_S_TRACKED, 80);

		entry_put(pin_dir, row, &four);
		entry_put(pin_dir, row, &six);
	}
}

struct check {
	const struct packet_case *row;
	const struct case_flow *expected;
	const char *what;
	bool found[CASE_FLOWS_MAX];
	int strangers;
	bool good;
};

static bool key_matches(const struct case_flow *want, const struct dataplane_flow *flow)
{
	struct addr source, destination;

	return !addr_parse(want->src, &source, NULL) &&
	       !addr_parse(want->dst, &destination, NULL) && addr_equal(&source, &flow->source) &&
	       addr_equal(&destination, &flow->destination) && want->sport == flow->source_port &&
	       want->dport == flow->destination_port && want->proto == flow->proto;
}

static bool entry_matches(const struct check *check, const struct case_flow *want,
			  const struct lb_flow *entry)
{
	uint32_t seen = prepared_tick - (uint32_t)want->age;
	/* The program's clock may be some ms behind ours, and the tick may have changed. */
	bool seen_now = want->age == 0 &&
			entry->seen - (prepared_tick - 1) <= dataplane_tick() - (prepared_tick - 1);

	return (seen_now || entry->seen == seen) && entry->incarnation == flow_incarnation(want) &&
	       entry->backend == want->backend && entry->pool == flow_pool(check->row, want) &&
	       entry->state == want->state;
}

static void print_flow(const struct check *check, const char *problem,
		       const struct dataplane_flow *flow)
{
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE];

	printf("#   %s: %s: %s %u > %s %u, protocol %u, backend %u, pool %u, state %u, "
	       "incarnation %u, age %d\n",
	       check->what, problem, addr_format(&flow->source, source), flow->source_port,
	       addr_format(&flow->destination, destination), flow->destination_port, flow->proto,
	       flow->entry.backend, flow->entry.pool, flow->entry.state, flow->entry.incarnation,
	       (int)(prepared_tick - flow->entry.seen));
}

static bool check_flow(void *context, const struct dataplane_flow *flow)
{
	struct check *check = context;
	struct addr strangers4, strangers6;

	addr_parse(STRANGERS4, &strangers4, NULL);
	addr_parse(STRANGERS6, &strangers6, NULL);
	if (addr_equal(&flow->source, &strangers4) || addr_equal(&flow->source, &strangers6)) {
		check->strangers++;
		return false;
	}
	for (int i = 0; i < CASE_FLOWS_MAX && check->expected[i].src; i++) {
		if (!key_matches(&check->expected[i], flow))
			continue;
		check->found[i] = true;
		if (entry_matches(check, &check->expected[i], &flow->entry))
			return false;
		print_flow(check, "flow entry differs", flow);
		check->good = false;
		return false;
	}
	print_flow(check, "unexpected flow entry", flow);
	check->good = false;
	return false;
}

bool table_check(struct dataplane *dp, const struct packet_case *row,
		 const struct case_flow expected[CASE_FLOWS_MAX], const char *what)
{
	struct check check = {.row = row, .expected = expected, .what = what, .good = true};
	int before = 0;

	if (dataplane_flows_sweep(dp, check_flow, &check) < 0)
		errx(1, "packet case %s: cannot read the flow table", row->name);
	for (int i = 0; i < CASE_FLOWS_MAX; i++) {
		before += row->before[i].src != NULL;
		if (!expected[i].src || check.found[i])
			continue;
		printf("#   %s: no flow entry for %s %d\n", what, expected[i].src,
		       expected[i].sport);
		check.good = false;
	}
	if (row->full && check.strangers != 2 * (WORLD_FLOWS_MAX - before)) {
		printf("#   %s: entries of other flows were lost: %d left\n", what,
		       check.strangers);
		check.good = false;
	}
	return check.good;
}
