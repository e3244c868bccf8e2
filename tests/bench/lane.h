/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane: sends packets of many flows through a packet program and says what one took. In two ways:
 *
 *   path   generator -> veth -> program -> veth -> sink; everything a packet costs on one core
 *   loop   the program alone, called over and over in one run; no devices
 *
 * Neighbours: bench.bpf.c (what runs), frame (what is sent), measure.c (what is to be run). Knows
 * nothing of the balancer.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../user/fault.h"
#include "frame.h"

enum lane_way { LANE_PATH, LANE_LOOP };

enum lane_floor {
	LANE_REFLECT,
	LANE_ENCAP_V4, /* reflect, and a constant outer IPv4 header */
	LANE_ENCAP_V6,
	LANE_PASS, /* returns at once; the loop only */
	LANE_FLOORS
};

struct lane;

/* Between two ends of a veth pair in this network namespace, both up. NULL with `fault` set. */
struct lane *lane_create(const char *near, const char *far, struct fault *fault);
void lane_free(struct lane *lane); /* NULL is fine */

/* The program to measure next. */
int lane_program(struct lane *lane, int program_fd, struct fault *fault);
int lane_floor(struct lane *lane, enum lane_floor floor, struct fault *fault);

/* What becomes of a packet at a floor. */
enum frame_outcome lane_floor_outcome(enum lane_floor floor);

/* Takes the lane's own program off the far end, for one that somebody else puts there: LANE_PATH
 * only, until a program is given again. */
int lane_leave(struct lane *lane, struct fault *fault);

/*
 * Sends at least `*packets` packets, and sets `*packets` to how many, and `*ns` to what one took.
 * Fails unless every packet comes back as `traffic` says: one that takes another way is usually a
 * fast one.
 */
int lane_run(struct lane *lane, enum lane_way way, const struct frame_traffic *traffic,
	     uint64_t *packets, double *ns, struct fault *fault);

/* The three steps of it, so that several threads, each on a CPU of its own, can send at a time. */
int lane_begin(struct lane *lane, const struct frame_traffic *traffic, struct fault *fault);
int lane_send(struct lane *lane, enum lane_way way, uint64_t *packets, double *ns,
	      struct fault *fault);
int lane_end(struct lane *lane, uint64_t packets, struct fault *fault);

/* How many packets found no room in the rings of the veth pair since it was made, which is none of
 * the program's doing: on a busy machine whoever empties them may wait for its turn. */
int lane_dropped(const struct lane *lane, uint64_t *packets, struct fault *fault);

#endif
