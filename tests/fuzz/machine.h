/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine: the real program on its maps, with the model's configuration and memory brought into
 * them and read back. The only files of tests/fuzz that know how maps look. compare.c asks here.
 *
 *   machine.c         the program: loaded, run, its counters
 *   machine_config.c  configuration to maps
 *   machine_memory.c  what is remembered, to maps and back
 *   machine_nat.c     and of NAT
 *   machine_opener.c  and of limits of new flows
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "../../user/dataplane.h"
#include "../../user/dataplane_private.h"
#include "model.h"

enum {
	MACHINE_NEAR = 1, /* lo of the namespace: where all frames come in */
	MACHINE_FAR = 7,
	MACHINE_NAT_FLOWS = 32,
	MACHINE_FRAME_MAX = 9300 /* a jumbo frame: the kernel hands it over in several buffers */
};

/* In which room for another new flow comes back: longer than any test takes. */
#define MACHINE_FLOW_NS (3600ULL * 1000000000)

/* All that is counted. */
struct machine_tally {
	struct lb_counter services[MODEL_SERVICES * MODEL_BACKENDS];
	struct lb_verdict_counter verdicts[LB_VERDICT_COUNT];
	uint64_t notes[LB_NOTE_COUNT];
};

struct machine {
	struct dataplane *dp;
	uint8_t seed[MODEL_SEED];
	uint32_t flows, clients;
	bool finish;
	struct model_config loaded; /* what the maps hold */
};

struct machine_answer {
	uint32_t action; /* enum xdp_action */
	uint32_t size;
	uint8_t bytes[MODEL_FRAME];
};

/* Namespaces of their own for the process; ends it with a message if that fails, as all here do. */
void machine_enter(void);
/* Whether a test may say how much of a frame the first buffer holds: since Linux 6.18. */
bool machine_buffers_settable(void);
/* `finish`: checksums that are not finished. */
struct machine *machine_create(const uint8_t seed[MODEL_SEED], uint32_t flows, uint32_t clients,
			       bool finish);
void machine_free(struct machine *machine); /* NULL is fine */

/* Now, as the program's clock says: that one takes longer steps than the controller's. */
uint32_t machine_tick(void);

/* Waits if that is about to change: the program may read its clock more than once for a packet. */
void machine_tick_settle(void);

/* Verdict as the program numbers it. */
uint32_t machine_verdict(enum model_verdict verdict);

/* How many ICMP errors may be sent, until the next call. */
void machine_errors_left(struct machine *machine, uint32_t tokens);

void machine_run(struct machine *machine, const struct model_frame *frame,
		 struct machine_answer *answer);
/* The read-only copy of the program. `frame` is without metadata. */
void machine_explain(struct machine *machine, const struct model_frame *frame,
		     struct lb_explanation *said, struct machine_answer *answer);

/* All counters, and single ones. */
void machine_tally(struct machine *machine, struct machine_tally *tally);
struct lb_counter machine_counter(struct machine *machine, uint32_t service, uint32_t backend);
struct lb_verdict_counter machine_verdict_counter(struct machine *machine, uint32_t verdict);
uint32_t machine_counter_index(uint32_t service, uint32_t backend);

/* ---- machine_config.c ---- */

void machine_load(struct machine *machine, const struct model_config *config);
/* Only backends and pools, which are memory. */
void machine_store(struct machine *machine, const struct model_config *config);

/* ---- machine_memory.c ---- */

/* Makes the maps hold `memory` and nothing else. */
void machine_remember(struct machine *machine, const struct model_memory *memory);
/* What the maps hold of one flow or client; false: nothing. */
bool machine_entry(struct machine *machine, bool birth, const struct model_flow *flow,
		   struct model_entry *out);
bool machine_client(struct machine *machine, uint32_t pool, const struct model_address *network,
		    struct model_client *out);
bool machine_fragment(struct machine *machine, const struct model_fragment *of,
		      struct model_fragment *out);
struct model_times machine_times(struct machine *machine, uint32_t pool, uint32_t slot);
/* Whether the program's own count of entries is that. */
bool machine_usage_is(struct machine *machine, const uint32_t count[MODEL_QUOTAS]);
/* All of it, in no particular order. */
void machine_recall(struct machine *machine, struct model_memory *memory);

/* ---- machine_opener.c ---- */

/* Flows that were counted; 0: none. */
uint32_t machine_opener(struct machine *machine, uint32_t service,
			const struct model_address *network);

/* ---- machine_nat.c ---- */

bool machine_nat_flow(struct machine *machine, const struct model_flow *flow,
		      struct model_nat_flow *out);
/* `flow`: as the backend sends it. */
bool machine_nat_return(struct machine *machine, const struct model_flow *flow,
			struct model_nat_return *out);

/* ---- between those three ---- */

union machine_flow_key {
	struct lb_flow_key_v4 v4;
	struct lb_flow_key_v6 v6;
};

/* Returns whether it is IPv6. */
bool machine_flow_key(const struct model_flow *flow, union machine_flow_key *key);
struct model_flow machine_flow_of(bool six, const union machine_flow_key *key);
/* What entries have in common: when they were seen, and how far a sweep is; the flow's state. */
uint32_t machine_seen(uint32_t seen, uint8_t fate);
uint8_t machine_fate(uint32_t word);
uint8_t machine_state_value(uint8_t state);
uint8_t machine_state(uint8_t value);
void machine_openers_remember(struct machine *machine, const struct model_memory *memory);
void machine_nat_remember(struct machine *machine, const struct model_memory *memory);
void machine_nat_recall(struct machine *machine, struct model_memory *memory);

#endif
