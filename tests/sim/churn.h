/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * churn: what the parts of the simulator of flows share. See churn.c.
 *
 * Time goes in units of 2^27 ns (0.13 s), an eighth of the data plane's tick: fine enough for
 * packets to come between the steps of a change and of a sweep.
 */
#ifndef SIM_CHURN_H
#define SIM_CHURN_H

#include <stdbool.h>
#include <stdint.h>

enum { UNIT_SHIFT = 27, UNITS_PER_TICK = 8 };

/* Whole units within so many seconds, and the other way round. */
static inline uint32_t units(uint32_t seconds)
{
	return (uint32_t)(seconds * 1000000000ULL >> UNIT_SHIFT);
}

static inline double seconds_of(uint32_t count)
{
	return (double)((uint64_t)count << UNIT_SHIFT) / 1e9;
}

/* ---- what balancers remember of flows ---- */

enum memory {
	MEMORY_NONE,    /* plain Maglev: the owner, whatever was before */
	MEMORY_CLASSIC, /* an entry for each flow in a table that evicts the one least lately used
			 */
	MEMORY_ALWAYS,  /* Limpet, track: always */
	MEMORY_CHANGED, /* Limpet, track: changed */
};

struct policy {
	const char *name;
	enum memory memory;
	uint32_t entries; /* the table's size */
};

/* ---- changes (churn_schedule.c) ---- */

enum change_kind {
	CHANGE_ADD,
	CHANGE_REMOVE,
	CHANGE_WEIGHT,
	CHANGE_DRAIN,
	CHANGE_READY,
	CHANGE_DOWN,
	CHANGE_UP,
};

struct change {
	uint32_t second; /* since the schedule's start */
	uint16_t backend;
	uint8_t kind; /* enum change_kind */
	uint8_t weight;
};

enum { CHANGES_MAX = 400, BACKENDS = 100, BACKENDS_MAX = 240, WEIGHT = 100 };

struct schedule {
	const char *name;
	uint32_t count;
	struct change changes[CHANGES_MAX];
};

/* One backend more. */
void schedule_add(struct schedule *schedule);
/* One after the other, the first `backends`: drained, five minutes later down, up again, ready. */
void schedule_deploy(struct schedule *schedule, uint32_t backends);
/* `count` changes of any kind, `interval` seconds apart: backends come, go, drain, return, and get
 * other weights. */
void schedule_random(struct schedule *schedule, const char *name, uint32_t count,
		     uint32_t interval);

/* ---- the balancer (churn_balancer.c) ---- */

enum packet_kind { PACKET_OPEN, PACKET_DATA, PACKET_CLOSE };

/* What the classic table's entry of a flow is called; kept with the flow, instead of a hash. */
typedef uint32_t entry_hint;

void balancer_open(const struct policy *policy);
/* Where the packet goes, or 0: nowhere. `flow` names the 5-tuple. */
uint32_t balancer_send(uint32_t flow, bool udp, enum packet_kind kind, uint32_t sequence,
		       entry_hint *hint);
/* Whether the backend may be given packets, and how often it stopped to be so. */
bool balancer_usable(uint32_t backend);
uint16_t balancer_life(uint32_t backend);
void balancer_change(const struct change *change);
/* A change is under way: the next one has to wait. */
bool balancer_changing(void);
/* What the controller and its sweeps do in one unit of time. */
void balancer_step(void);
uint32_t balancer_entries(void);
/* All slots name one backend: new flows leave nothing behind any more. */
bool balancer_agrees(void);
/* All slots are settled. */
bool balancer_settled(void);

/* ---- the classic table (churn_classic.c) ---- */

void classic_open(uint32_t entries);
/* The backend that it has for the flow, which is the one used last from now on; 0: none. */
uint32_t classic_find(uint32_t flow, entry_hint hint);
/* In place of what it has for the flow, or of the one least lately used. */
void classic_put(uint32_t flow, uint32_t backend, entry_hint *hint);
uint32_t classic_count(void);

/* ---- flows (churn_flows.c) ---- */

struct flow_counts {
	uint64_t begun;
	uint64_t broken;  /* an answered flow's packet went elsewhere, */
	uint64_t allowed; /* of which because the backend that answered was gone */
	uint32_t live;
};

extern struct flow_counts flow_counts;

void flows_open(uint32_t per_second);
/* What all flows do in one unit of time; `begin`: new ones come. */
void flows_step(bool begin);

extern uint32_t unit_now; /* in units */

/* ---- rows (churn_report.c) ---- */

struct row {
	const struct policy *policy;
	char schedule[16];
	uint32_t changes;
	uint64_t flows; /* live at its start or begun since */
	uint32_t live;  /* at its start */
	uint64_t broken, allowed;
	uint32_t peak_entries;
	uint64_t peak_memory_bytes;
	double settled_seconds; /* since the last change: all slots are settled; < 0: never */
	double empty_seconds;   /* and the table is empty; < 0: never while there is traffic */
	double seconds;         /* simulated */
	double run_seconds;     /* of this machine's time */
};

/* Bytes that a table with so many entries takes at most in the kernel. */
uint64_t report_memory(const struct policy *policy, uint32_t entries);
/* Says why the row misses its goal; NULL: it has none, or meets it. */
const char *report_missed(const struct row *row);
/* `broken` is what broke needlessly, `(gone)` what broke with its backend. */
void report_header(void);
void report_row(const struct row *row);
/* Returns 0 or a negative errno. */
int report_json(const char *path, const struct row *rows, uint32_t count);

#endif
