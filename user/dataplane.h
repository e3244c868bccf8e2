/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane: the packet program and its maps, seen from userspace. With attach, the only files that
 * include libbpf, libxdp or the skeleton.
 *
 * The maps are pinned under the instance's directory and outlive every process. `lbload` makes them
 * (dataplane_create); `lbd` opens what is there (dataplane_open) and never makes or attaches
 * anything. Arrays that the packet path reads are mapped into memory: a store of an aligned word is
 * seen whole by the program, at once. Everything else goes through system calls.
 */
#ifndef LIMPET_DATAPLANE_H
#define LIMPET_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"
#include "addr.h"
#include "fault.h"

struct dataplane;

#define DATAPLANE_PIN_DIR "/sys/fs/bpf/lbd"

/*
 * Makes and pins the maps for `settings` (layout, made_ns, pin_dir and version are filled in here;
 * a zero hash_seed is replaced by a random one), mounting nothing. Where there is a group lbd, the
 * directory (mode 0750) and the pins (0660) are its, too; else they are root's alone.
 * FAULT_CONFLICT if the directory holds a data plane already; on any other failure nothing is left
 * behind. The result holds a loaded program, see dataplane_program_fd.
 */
struct dataplane *dataplane_create(const char *pin_dir, const struct lb_settings *settings,
				   struct fault *fault);

/* Opens the maps and, if `load_program`, loads this build's program on them (for `lbload replace`
 * and a further `attach`). FAULT_NOT_FOUND if nothing is there (hint: lbload attach),
 * FAULT_CONFLICT if the layout is another one (hint says how to move), FAULT_PERMISSION, also for
 * pins that others than root and group lbd can write. */
struct dataplane *dataplane_open(const char *pin_dir, bool load_program, struct fault *fault);

void dataplane_close(struct dataplane *dp); /* maps stay; NULL is fine */

/* Removes all pins of the directory and the directory. The maps are gone when no program uses them.
 */
int dataplane_unpin(const char *pin_dir, struct fault *fault);

/* Of the program loaded by create or open, or -1. */
int dataplane_program_fd(const struct dataplane *dp);

/* Loads this build's program on the maps of a handle opened without it. `flags`: enum
 * lb_setting_flag that the installation has from here on; dataplane_program_publish writes them
 * down. 0, or -1 with `fault` set. */
int dataplane_program_load(struct dataplane *dp, uint32_t flags, struct fault *fault);

/* This build's program, opened on the maps but not loaded yet: libxdp's dispatcher wants to load it
 * its own way (see attach.h). Owned by `dp`, valid until the next call. NULL with `fault` set. */
struct bpf_object;
struct bpf_object *dataplane_object(struct dataplane *dp, struct fault *fault);

/* Pins the loaded program in place of the one pinned before and notes its version in the settings:
 * to be called once it is attached. */
int dataplane_program_publish(struct dataplane *dp, struct fault *fault);

/* Whether the program that was attached last is machine code: 1 or 0, or a negative errno. */
int dataplane_program_jited(const struct dataplane *dp);

const struct lb_settings *dataplane_settings(const struct dataplane *dp);

/* Kernel memory that the maps take, as the kernel accounts it; entries of the hashes, which are
 * made as they come, included as far as the kernel tells. */
uint64_t dataplane_memory_bytes(const struct dataplane *dp);

/* ---- attachments (lbload writes, everyone reads) ---- */

int dataplane_attachment_put(struct dataplane *dp, uint32_t ifindex, const struct lb_attachment *a);
int dataplane_attachment_del(struct dataplane *dp, uint32_t ifindex);
/* Fills up to `max` and returns how many there are, or a negative errno. */
int dataplane_attachments(struct dataplane *dp, uint32_t *ifindexes, struct lb_attachment *out,
			  size_t max);

/* ---- mapped arrays: valid until dataplane_close ---- */

struct lb_backend *dataplane_backends(struct dataplane *dp); /* [settings.limits.backends + 1] */
struct lb_pool *dataplane_pools(struct dataplane *dp);       /* [settings.limits.services + 1] */
/* [settings.limits.services + 1] */
struct lb_new_flow_limit *dataplane_new_flow_limits(struct dataplane *dp);
uint32_t *dataplane_slots(struct dataplane *dp); /* [settings.limits.slots] */
struct lb_control *dataplane_control(struct dataplane *dp);
struct lb_times *dataplane_slot_times(struct dataplane *dp); /* [settings.limits.slots] */
const struct lb_usage *dataplane_usage(struct dataplane *dp);
/* [settings.limits.backends + 1]; for a backend that is new they begin at zero. */
struct lb_nat_pressure *dataplane_nat_pressures(struct dataplane *dp);

/* Returns once no packet is being processed that began before the call (an RCU grace period, some
 * 10 ms): what was switched away from may be written again. */
int dataplane_wait_grace(struct dataplane *dp);

/* ---- services; all return 0 or a negative errno ---- */

int dataplane_listener_put(struct dataplane *dp, const struct addr *vip, uint8_t proto,
			   const struct port_block *block, const struct lb_service *service);
int dataplane_listener_del(struct dataplane *dp, const struct addr *vip, uint8_t proto,
			   const struct port_block *block);
/* Calls `each` for every listener block that is there. `each` must not change listeners. */
typedef void (*dataplane_listener_each)(void *context, const struct addr *vip, uint8_t proto,
					const struct port_block *block,
					const struct lb_service *service);
int dataplane_listeners(struct dataplane *dp, dataplane_listener_each each, void *context);

/* The set of all VIPs, whatever the port. */
int dataplane_vip_put(struct dataplane *dp, const struct addr *vip, const struct lb_vip *value);
int dataplane_vip_del(struct dataplane *dp, const struct addr *vip);
typedef void (*dataplane_vip_each)(void *context, const struct addr *vip);
int dataplane_vips(struct dataplane *dp, dataplane_vip_each each, void *context);

/* Allow and deny lists, by index of the service: 0 or a negative errno. `each` ends a walk by
 * returning other than 0. */
int dataplane_source_put(struct dataplane *dp, uint32_t service, const struct prefix *prefix,
			 bool allow);
int dataplane_source_del(struct dataplane *dp, uint32_t service, const struct prefix *prefix);
typedef int (*dataplane_source_each)(void *context, uint32_t service, const struct prefix *prefix,
				     bool allow);
int dataplane_sources(struct dataplane *dp, dataplane_source_each each, void *context);

/* ---- identities: index 1 to the limit; a zero name is a free index; 0 or a negative errno ---- */

int dataplane_pool_identity(struct dataplane *dp, uint32_t index, struct lb_pool_identity *out);
int dataplane_pool_identity_put(struct dataplane *dp, uint32_t index,
				const struct lb_pool_identity *in);
int dataplane_service_identity(struct dataplane *dp, uint32_t index,
			       struct lb_service_identity *out);
int dataplane_service_identity_put(struct dataplane *dp, uint32_t index,
				   const struct lb_service_identity *in);
int dataplane_backend_identity(struct dataplane *dp, uint32_t index,
			       struct lb_backend_identity *out);
int dataplane_backend_identity_put(struct dataplane *dp, uint32_t index,
				   const struct lb_backend_identity *in);

/* ---- counters ---- */

/* Sums over the CPUs, plus what was carried over (see dataplane_counters_carry), for `count`
 * entries from `first`. */
int dataplane_counters(struct dataplane *dp, uint32_t first, uint32_t count,
		       struct lb_counter *out);
/* Adds `amount` to entry `index` as readers see it, without touching what the program writes. */
int dataplane_counter_carry(struct dataplane *dp, uint32_t index, const struct lb_counter *amount);
/* Zeroes entries, carried amounts included. Nothing may be counting there. */
int dataplane_counters_clear(struct dataplane *dp, uint32_t first, uint32_t count);
/* out[LB_VERDICT_COUNT]. FORWARDED is the sum of all counters of services (L3 bytes). */
int dataplane_verdicts(struct dataplane *dp, struct lb_verdict_counter *out);
/* The same with FORWARDED left zero: that one takes a walk over all counters. */
int dataplane_verdicts_ended(struct dataplane *dp, struct lb_verdict_counter *out);

/* out[LB_NOTE_COUNT]: what could not be remembered, summed over the CPUs. 0 or a negative errno. */
int dataplane_notes(struct dataplane *dp, uint64_t *out);
/* Name and meaning of a note: "new_flow_untracked", "a new flow found no room ...". */
const char *dataplane_note_name(enum lb_note note);
const char *dataplane_note_text(enum lb_note note);

/* ---- flow and client tables ---- */

/* Loads the program that sweeps, on these maps. */
int dataplane_sweep_prepare(struct dataplane *dp, struct fault *fault);
/*
 * Runs it over one table, both families: some 0.1 s for a million entries, during which the caller
 * waits. `sweep->table` and `now` say what to do, the rest is filled in. May be called from another
 * thread than the rest, one call at a time. 0 or a negative errno.
 */
int dataplane_sweep(struct dataplane *dp, struct lb_sweep *sweep);
/* What sweeps count, by index; cleared by the caller before a sweep. [limits.backends + 1] and
 * [limits.services + 1]; NULL before dataplane_sweep_prepare. */
struct lb_tally *dataplane_backend_tallies(struct dataplane *dp);
struct lb_tally *dataplane_pool_tallies(struct dataplane *dp);

/* ---- probes through the tunnel: see bpf/probe.bpf.c ---- */

/* Loads this build's program for them on these maps and pins it, in place of the one pinned before:
 * for lbload, which puts it on interfaces (attach_probe.h). */
int dataplane_probe_load(struct dataplane *dp, struct fault *fault);
/* Of that program, or -1. */
int dataplane_probe_fd(const struct dataplane *dp);
/* What marks this instance's probes, without a backend's index. */
uint32_t dataplane_probe_mark(const struct dataplane *dp);
/* [settings.limits.backends + 1], valid until dataplane_close. */
const struct lb_probe *dataplane_probes(const struct dataplane *dp);

/* ---- reading these tables, a batch at a time ---- */

enum {
	DATAPLANE_FLOW_TABLES = 4, /* births and flows of each family */
	DATAPLANE_CLIENT_TABLES = 2,
	/* No bucket of a hash has as many entries: a batch of this size always gets on. */
	DATAPLANE_BATCH_MAX = 4096,
};

/* Where to read on; starts as zeroes. All is read when `table` is the number of tables. What is
 * made or deleted meanwhile may be read or not, the rest is read once. */
struct dataplane_cursor {
	uint32_t table;
	uint32_t bucket;
};

struct dataplane_flow {
	struct addr source, destination;
	uint16_t source_port, destination_port; /* host order */
	uint8_t proto;
	bool birth;
	struct lb_flow entry;
};

struct dataplane_client {
	uint32_t pool;
	struct addr address; /* masked */
	struct lb_client record;
};

/* Fill `out` with up to `max` (at least DATAPLANE_BATCH_MAX) entries and move the cursor. Return
 * their number, which may be 0 before the end, or a negative errno. */
int dataplane_flows_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			 struct dataplane_flow *out, uint32_t max);
int dataplane_clients_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			   struct dataplane_client *out, uint32_t max);
/* The entries of one flow, up to one of each kind, and the record of a client, by its masked
 * address: how many there are, or a negative errno. `wanted`: its addresses, ports and protocol. */
int dataplane_flow_find(struct dataplane *dp, const struct dataplane_flow *wanted,
			struct dataplane_flow out[2]);
int dataplane_client_find(struct dataplane *dp, uint32_t pool, const struct addr *address,
			  struct dataplane_client *out);
/* Deletes the record of a client, by its masked address: 0, -ENOENT or another negative errno. */
int dataplane_client_forget(struct dataplane *dp, uint32_t pool, const struct addr *address);

/* Now, in ticks (see lb_abi.h). */
uint32_t dataplane_tick(void);

/* ---- pinned clients: see bpf/pin_table.h ---- */

enum { DATAPLANE_PINS_MAX = 2 * LB_PINS_MAX };

struct dataplane_pin {
	uint32_t pool;
	struct addr address; /* whole */
	struct lb_pin value;
};

/* False, with a fault, if the program attached is older and has none. */
bool dataplane_pins_known(struct dataplane *dp, struct fault *fault);
/* Makes it, or gives it another value; -E2BIG where there are too many. 0 or a negative errno. */
int dataplane_pin_put(struct dataplane *dp, const struct dataplane_pin *pin);
int dataplane_pin_get(struct dataplane *dp, uint32_t pool, const struct addr *address,
		      struct dataplane_pin *out); /* -ENOENT: there is none */
int dataplane_pin_del(struct dataplane *dp, const struct dataplane_pin *pin);
/* All there are; returns their number. Nobody may make or delete any meanwhile. */
size_t dataplane_pins(struct dataplane *dp, struct dataplane_pin out[DATAPLANE_PINS_MAX]);
/* The pool has none any more: its packets need not look for one. */
void dataplane_pins_none(struct dataplane *dp, uint32_t pool);

/* ---- showing packets: see bpf/trace.h ---- */

/*
 * Has the program show packets that `what` (id and until_ns are filled in here) speaks of, for
 * DATAPLANE_TRACE_S, unless that is put off. One trace at a time: it takes the place of one before.
 * FAULT_CONFLICT if the program attached is older and cannot.
 */
int dataplane_trace_start(struct dataplane *dp, const struct lb_trace *what, struct fault *fault);
void dataplane_trace_prolong(struct dataplane *dp); /* by DATAPLANE_TRACE_S from now */
void dataplane_trace_stop(struct dataplane *dp);
enum { DATAPLANE_TRACE_S = 3 };

/* Calls `each` for up to `most` events of the trace, in the order of their CPU. Returns how many
 * there were. */
typedef void (*dataplane_trace_each)(void *context, const struct lb_trace_event *event);
unsigned dataplane_trace_read(struct dataplane *dp, unsigned most, dataplane_trace_each each,
			      void *context);

/* What was not shown, of all traces since the maps were made: packets for the rate, events for lack
 * of room. 0 or a negative errno. */
struct dataplane_trace_missed {
	uint64_t limited, lost;
};
int dataplane_trace_missed(struct dataplane *dp, struct dataplane_trace_missed *out);

/* ---- asking the program ---- */

/* Has a thread load what the two below ask, for tables as large as there are; what is asked before
 * that is done waits for it. Without this, or for a larger table, the first question loads it: 0.1
 * s. */
void dataplane_explain_prepare(struct dataplane *dp);
/*
 * Runs a read-only second copy of the program (same code, same maps) on
 * `frame` as if received on `ifindex` (0: any). Fills `explanation`, and, unless NULL, `out` (of
 * `out_size` bytes) with what would be sent; `*out_size` becomes its length. Counts nothing,
 * changes no map but its own.
 */
int dataplane_explain(struct dataplane *dp, const void *frame, size_t size, uint32_t ifindex,
		      struct lb_explanation *explanation, void *out, size_t *out_size,
		      struct fault *fault);

/* What the maps would hold of a pool and its backends. */
struct dataplane_supposed {
	uint32_t pool;
	uint32_t size; /* of its table */
	const uint32_t *words;
	const struct lb_times *times;
	const uint64_t *statuses; /* of all backends: [settings.limits.backends + 1] */
};

/* The same as if the maps held that: on maps of the copy's own, with the entries of flows and
 * clients that there are. */
int dataplane_explain_supposed(struct dataplane *dp, const struct dataplane_supposed *supposed,
			       const void *frame, size_t size, uint32_t ifindex,
			       struct lb_explanation *explanation, void *out, size_t *out_size,
			       struct fault *fault);

/* Name and meaning of a verdict: "drop_truncated", "the frame ends inside a header". */
const char *dataplane_verdict_name(uint32_t verdict);
const char *dataplane_verdict_text(uint32_t verdict);

#endif
