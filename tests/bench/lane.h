/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane: sends packets of many flows through a packet program and says what one took. In two ways:
 *
 *   path   generator -> veth -> program -> veth -> sink; everything a packet costs on one core
 *   loop   the program alone, called over and over in one run; no devices
 *
 * Neighbours: bench.bpf.c (what runs), bench.c (what is to be run). Knows nothing of the
 * balancer.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../user/addr.h"
#include "../../user/fault.h"

enum lane_way { LANE_PATH, LANE_LOOP };

enum lane_floor { LANE_REFLECT, LANE_ENCAP, LANE_FLOORS };

/* TCP segments from `flows` sources to one destination. */
struct lane_traffic {
	struct addr destination;
	uint16_t port;
	uint32_t flows;
};

struct lane;

/* Between two ends of a veth pair in this network namespace, both up. NULL with `fault` set. */
struct lane *lane_create(const char *near, const char *far, struct fault *fault);
void lane_free(struct lane *lane); /* NULL is fine */

/* The program to measure next, which sends back what it gets, unless `encapsulates` in an outer
 * header of the packet's own family. */
int lane_program(struct lane *lane, int program_fd, bool encapsulates, struct fault *fault);
int lane_floor(struct lane *lane, enum lane_floor floor, uint8_t family, struct fault *fault);

/* Takes the lane's own program off the far end, for one that somebody else puts there, which
 * encapsulates: LANE_PATH only, until a program is given again. */
int lane_leave(struct lane *lane, struct fault *fault);

/*
 * Sends at least `*packets` packets, and sets `*packets` to how many, and `*ns` to what one took.
 * `in_order`: flow after flow from the first, instead of at random. Fails unless every packet comes
 * back as the program should send it: one that takes another way is usually a fast one.
 */
int lane_run(struct lane *lane, enum lane_way way, const struct lane_traffic *traffic,
	     bool in_order, uint64_t *packets, double *ns, struct fault *fault);

#endif
