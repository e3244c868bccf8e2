/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer_nft: see peer_nft.h.
 */
#include "peer_nft.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

/* The service that the table knows: see tests/bench/run. */
static const char vip[] = "192.0.2.200";

static const struct {
	const char *name;
	uint32_t flows;
} peers[PEER_NFT_RESULTS] = {
	{"peer-nftables-1", 1},
	{"peer-nftables-1k", 1000},
	{"peer-nftables-100k", 100000},
	{"peer-nftables-1m", 1000000},
};

static double lane_ns(const struct measure *measure, const struct frame_traffic *traffic,
		      enum lane_floor floor, uint64_t packets)
{
	struct fault fault = {0};
	double ns;

	if (lane_floor(measure->lane, floor, &fault) ||
	    lane_run(measure->lane, LANE_PATH, traffic, &packets, &ns, &fault))
		errx(1, "nftables: %s", fault.message);
	return ns;
}

static double warm_ns(const struct measure *measure, struct frame_traffic *traffic,
		      enum lane_floor floor)
{
	uint64_t packets = 200000 < measure->packets_max ? 200000 : measure->packets_max;

	/* What is left to the kernel comes back as it went. */
	traffic->outcome = floor == LANE_PASS ? FRAME_SENT_BACK : lane_floor_outcome(floor);
	lane_ns(measure, traffic, floor, packets / 8);
	return lane_ns(measure, traffic, floor, packets);
}

static void peer_measure(const struct measure *measure, uint32_t flows, struct result *result)
{
	struct frame_traffic traffic = {
		.destination = {.family = 4}, .port = BALANCER_PORT, .flows = flows};
	struct series own, floor, reflect;

	inet_pton(AF_INET, vip, &traffic.destination.ip);
	if (traffic.flows > measure->flows_max)
		traffic.flows = measure->flows_max;
	traffic.in_order = true; /* so that each is known */
	traffic.outcome = FRAME_SENT_BACK;
	lane_ns(measure, &traffic, LANE_PASS, traffic.flows);
	traffic.in_order = false;
	for (int i = 0; i < measure->rounds; i++) {
		reflect.ns[i] = warm_ns(measure, &traffic, LANE_REFLECT);
		floor.ns[i] = warm_ns(measure, &traffic, LANE_ENCAP_V4);
		own.ns[i] = warm_ns(measure, &traffic, LANE_PASS);
	}
	result_fill(result, measure->rounds, &own, &floor, &reflect);
}

int peer_nft_measure(const struct measure *measure, struct result *results,
		     bool (*wanted)(const char *name))
{
	/* Set by tests/bench/run: flows that the kernel has room for, 0 if there is no table. */
	const char *room_text = getenv("BENCH_NFT_FLOWS");
	long room = room_text ? atol(room_text) : 0;
	int count = 0;

	for (int i = 0; i < PEER_NFT_RESULTS; i++) {
		if (!wanted(peers[i].name))
			continue;
		if (room < (long)peers[i].flows) {
			printf("\n%s SKIPPED: %s\n", peers[i].name,
			       room ? "net.netfilter.nf_conntrack_max is lower, and cannot be set"
				    : "no nftables here");
			continue;
		}
		results[count] = (struct result){.name = peers[i].name};
		peer_measure(measure, peers[i].flows, &results[count++]);
	}
	return count;
}
