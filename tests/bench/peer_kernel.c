/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer_kernel: see peer_kernel.h.
 */
#include "peer_kernel.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

/* What tests/bench/run sets up, one of them at a time: each would cost the other's packets. */
static const struct kind {
	const char *vip;
	enum frame_outcome outcome;
	const char *room; /* environment: flows that it has room for; not there if it is not */
	const char *absent;
} nftables = {"192.0.2.200", FRAME_SENT_BACK, "BENCH_NFT_FLOWS", "no nftables here"},
  ipvs = {"192.0.2.201", FRAME_IPIP_V4, "BENCH_IPVS_FLOWS",
	  "no IPVS in this run: make bench-ipvs has it, on another kernel"};

static const struct peer {
	const char *name;
	const struct kind *kind;
	uint32_t flows;
} peers[PEER_KERNEL_RESULTS] = {
	{"peer-nftables-1", &nftables, 1},
	{"peer-nftables-1k", &nftables, 1000},
	{"peer-nftables-100k", &nftables, 100000},
	{"peer-nftables-1m", &nftables, 1000000},
	{"peer-ipvs-1", &ipvs, 1},
	{"peer-ipvs-1k", &ipvs, 1000},
	{"peer-ipvs-100k", &ipvs, 100000},
	{"peer-ipvs-1m", &ipvs, 1000000},
};

static double lane_ns(const struct measure *measure, const struct peer *peer,
		      const struct frame_traffic *traffic, enum lane_floor floor, uint64_t packets)
{
	struct fault fault = {0};
	double ns;

	if (lane_floor(measure->lane, floor, &fault) ||
	    lane_run(measure->lane, LANE_PATH, traffic, &packets, &ns, &fault))
		errx(1, "%s: %s", peer->name, fault.message);
	return ns;
}

static double warm_ns(const struct measure *measure, const struct peer *peer,
		      struct frame_traffic *traffic, enum lane_floor floor)
{
	uint64_t packets = 200000 < measure->packets_max ? 200000 : measure->packets_max;

	/* What is left to the kernel comes back as the peer sends it. */
	traffic->outcome = floor == LANE_PASS ? peer->kind->outcome : lane_floor_outcome(floor);
	lane_ns(measure, peer, traffic, floor, packets / 8);
	return lane_ns(measure, peer, traffic, floor, packets);
}

static void peer_measure(const struct measure *measure, const struct peer *peer,
			 struct result *result)
{
	struct frame_traffic traffic = {
		.destination = {.family = 4}, .port = BALANCER_PORT, .flows = peer->flows};
	struct series own, floor, reflect;

	inet_pton(AF_INET, peer->kind->vip, &traffic.destination.ip);
	if (traffic.flows > measure->flows_max)
		traffic.flows = measure->flows_max;
	traffic.in_order = true; /* so that each is known */
	traffic.outcome = peer->kind->outcome;
	lane_ns(measure, peer, &traffic, LANE_PASS, traffic.flows);
	traffic.in_order = false;
	for (int i = 0; i < measure->rounds; i++) {
		reflect.ns[i] = warm_ns(measure, peer, &traffic, LANE_REFLECT);
		floor.ns[i] = warm_ns(measure, peer, &traffic, LANE_ENCAP_V4);
		own.ns[i] = warm_ns(measure, peer, &traffic, LANE_PASS);
	}
	*result = (struct result){.name = peer->name};
	result_fill(result, measure->rounds, &own, &floor, &reflect);
}

int peer_kernel_measure(const struct measure *measure, struct result *results,
			bool (*wanted)(const char *name))
{
	int count = 0;

	for (int i = 0; i < PEER_KERNEL_RESULTS; i++) {
		const struct peer *peer = &peers[i];
		const char *room = getenv(peer->kind->room);

		if (!wanted(peer->name))
			continue;
		if (room && atol(room) >= (long)peer->flows)
			peer_measure(measure, peer, &results[count++]);
		else
			printf("\n%s SKIPPED: %s\n", peer->name,
			       room ? "the kernel has room for fewer flows" : peer->kind->absent);
	}
	return count;
}
