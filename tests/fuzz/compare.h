/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare: one frame through the program and the model, and whatever differs afterwards.
 * Neighbours: compare_memory.c knows of memories, machine.c has the program, model.c the model;
 * text.c writes scenarios down, shrink.c makes them smaller.
 */
#ifndef FUZZ_COMPARE_H
#define FUZZ_COMPARE_H

#include "machine.h"
#include "model.h"

/* All that a frame's fate depends on. */
struct scenario {
	struct model_config config;
	struct model_memory memory; /* before the frame */
	struct model_frame frame;
	uint32_t now;     /* tick to which the memory's ticks relate */
	uint32_t verdict; /* enum model_verdict that a kept case insists on; 0: any */
};

/* What differed first. */
enum aspect {
	SAME,
	ACTION,
	COUNTERS,
	BYTES,
	ENTRY,
	CLIENT,
	TIMES,
	USAGE,
	NAT,
	PORT,
	EXPLANATION,
	MEMORY, /* something that the frame has nothing to do with */
	EXPECTED,
	ASPECTS
};

struct difference {
	enum aspect aspect;
	struct model_answer model;
	struct machine_answer program;
	uint32_t program_verdict; /* enum lb_verdict, as it was counted */
	char text[256];
};

/* A run of frames: what should have been counted so far is summed up. */
struct run {
	struct machine *machine;
	const struct model_config *config;
	struct model_memory memory;
	struct machine_tally tally;
};

/* Brings configuration and memory about. `config` must last as long as the run. */
void run_begin(struct run *run, struct machine *machine, const struct model_config *config,
	       const struct model_memory *memory);
/* False, with `difference` filled, if the two disagree about the frame. `explain`: the read-only
 * copy of the program is asked first. */
bool run_step(struct run *run, const struct model_frame *frame, bool explain,
	      struct difference *difference);
/* All that is remembered and counted, not only what the frames before were about. */
bool run_check(struct run *run, struct difference *difference);

/* The scenario's frame through both, everything compared. */
bool scenario_run(struct machine *machine, const struct scenario *scenario,
		  struct difference *difference);

#endif
