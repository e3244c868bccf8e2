/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows: which traffic through which pool is measured, and what has to become of it. Program rows
 * have the names of the Linux kernel's own benchmark of XDP load balancers
 * (tools/testing/selftests/ bpf, xdp-lb), where that has them. Pure.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "balancer.h"
#include "frame.h"
#include "lane.h"

/* What the tables know of the row's flows before a run. */
enum row_memory {
	ROW_NOTHING, /* and no packet teaches them */
	ROW_MET,     /* an entry for each flow or client, made by one like those measured */
	ROW_OPENED,  /* the same, made by a SYN and confirmed by an ACK */
	ROW_COLD,    /* nothing, and each packet makes an entry: of the next flow */
	ROW_WARMING, /* nothing, and a packet whose flow comes again finds what the first one made
		      */
};

struct row {
	const char *name;
	enum lane_way way;
	enum lane_floor floor;
	enum balancer_pool pool;
	uint8_t family;
	enum frame_kind kind;
	enum frame_outcome outcome;
	enum lb_verdict verdict;
	uint32_t flows;
	enum row_memory memory;
	uint64_t packets;   /* in a round */
	bool strange;       /* addressed to nobody here */
	bool alone;         /* finds what itself left in the tables, and nothing of other rows */
	const char *remark; /* where the name alone would mislead, or NULL */
};

/* Rows with the same floors stand together, fewer flows before more. */
extern const struct row rows[];
extern const int rows_count;

/* Whether they share floors, and so rounds. */
bool rows_alike(const struct row *a, const struct row *b);

struct frame_traffic row_traffic(const struct row *row);

#endif
