/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_private: what the files of dataplane share: the list of maps and the open handle.
 *
 * One list gives each map's key, value and size; making, pinning, opening and checking them follow
 * it, so that a new map is one line here and its definition in bpf/maps.h.
 */
#ifndef LIMPET_DATAPLANE_PRIVATE_H
#define LIMPET_DATAPLANE_PRIVATE_H

#include "cpu_list.h"
#include "dataplane.h"

/* X(name, key, value, entries for `l`, the limits). `settings` comes first: it is pinned last, and
 * so says that the others are complete. */
#define DATAPLANE_MAPS(X)                                                                          \
	X(settings, __u32, struct lb_settings, 1)                                                  \
	X(attachments, __u32, struct lb_attachment, DATAPLANE_ATTACHMENTS_MAX)                     \
	X(data_control, __u32, struct lb_control, 1)                                               \
	X(services_v4, struct lb_service_key_v4, struct lb_service, (l)->services * 32)            \
	X(services_v6, struct lb_service_key_v6, struct lb_service, (l)->services * 32)            \
	X(vips, struct lb_vip_key, struct lb_vip, (l)->services * 8)                               \
	X(fragments, struct lb_fragment_key, struct lb_fragment, LB_FRAGMENTS)                     \
	X(error_bucket, __u32, struct lb_bucket, 1)                                                \
	X(sources_v4, struct lb_source_key_v4, __u32, LB_SOURCES_MAX)                              \
	X(sources_v6, struct lb_source_key_v6, __u32, LB_SOURCES_MAX)                              \
	X(new_flow_limits, __u32, struct lb_new_flow_limit, (l)->services + 1)                     \
	X(openers, struct lb_opener_key, __u64, LB_OPENERS_MAX)                                    \
	X(pools, __u32, struct lb_pool, (l)->services + 1)                                         \
	X(slots, __u32, struct lb_slot_block, (l)->slots / LB_SLOT_BLOCK)                          \
	X(backends, __u32, struct lb_backend, (l)->backends + 1)                                   \
	X(slot_times, __u32, struct lb_times, (l)->slots)                                          \
	X(births_v4, struct lb_flow_key_v4, struct lb_birth, HASH_ENTRIES((l)->flows / 2))         \
	X(births_v6, struct lb_flow_key_v6, struct lb_birth, HASH_ENTRIES((l)->flows / 2))         \
	X(flows_v4, struct lb_flow_key_v4, struct lb_flow, HASH_ENTRIES((l)->flows))               \
	X(flows_v6, struct lb_flow_key_v6, struct lb_flow, HASH_ENTRIES((l)->flows))               \
	X(clients_v4, struct lb_client_key_v4, struct lb_client, HASH_ENTRIES((l)->clients))       \
	X(clients_v6, struct lb_client_key_v6, struct lb_client, HASH_ENTRIES((l)->clients))       \
	X(nat_flows_v4, struct lb_flow_key_v4, struct lb_nat_flow, HASH_ENTRIES((l)->nat_flows))   \
	X(nat_flows_v6, struct lb_flow_key_v6, struct lb_nat_flow, HASH_ENTRIES((l)->nat_flows))   \
	X(nat_returns_v4, struct lb_flow_key_v4, struct lb_nat_return,                             \
	  HASH_ENTRIES(NAT_RETURNS((l)->nat_flows)))                                               \
	X(nat_returns_v6, struct lb_flow_key_v6, struct lb_nat_return,                             \
	  HASH_ENTRIES(NAT_RETURNS((l)->nat_flows)))                                               \
	X(nat_pressure, __u32, struct lb_nat_pressure, (l)->backends + 1)                          \
	X(usage, __u32, struct lb_usage, 1)                                                        \
	X(probes, __u32, struct lb_probe, (l)->backends + 1)                                       \
	X(notes, __u32, __u64, LB_NOTE_COUNT)                                                      \
	X(counters, __u32, struct lb_counter, COUNTER_CELLS(l))                                    \
	X(counters_carried, __u32, struct lb_counter, (l)->counters)                               \
	X(verdicts, __u32, struct lb_verdict_counter, LB_VERDICT_COUNT)                            \
	X(pool_identities, __u32, struct lb_pool_identity, (l)->services + 1)                      \
	X(service_identities, __u32, struct lb_service_identity, (l)->services + 1)                \
	X(backend_identities, __u32, struct lb_backend_identity, (l)->backends + 1)                \
	X(trace_cpus, __u32, struct lb_trace_cpu, 1)                                               \
	X(trace_events, char[0], char[0], LB_TRACE_RING_SIZE)                                      \
	X(data_trace, __u32, struct lb_trace, 1)                                                   \
	X(pins_v4, struct lb_client_key_v4, struct lb_pin, LB_PINS_MAX)                            \
	X(pins_v6, struct lb_client_key_v6, struct lb_pin, LB_PINS_MAX)

/* What is missing where a version that lacked it made the maps, until a program is loaded by this
 * one: from this map of the list on. Until then its descriptor is -1. */
#define DATAPLANE_MAP_ADDED MAP_trace_cpus

/* Of a flow that moved to another backend the old one is left until the next sweep. */
#define NAT_RETURNS(limit) ((limit) + (limit) / 8)

#define COUNTER_CELLS(limits) (LB_COUNTER_STRIDE(limits) * cpu_list_possible_end())

/* Quotas (enum lb_quota) bound what these hold; this is the ceiling behind them. */
#define HASH_ENTRIES(limit) ((limit) + 16)

enum { DATAPLANE_ATTACHMENTS_MAX = 64, DATAPLANE_PATH_SIZE = 192 };

enum dataplane_map {
#define DATAPLANE_MAP_ENUM(name, key, value, entries) MAP_##name,
	DATAPLANE_MAPS(DATAPLANE_MAP_ENUM)
#undef DATAPLANE_MAP_ENUM
		MAP_COUNT
};

#define DATAPLANE_PROGRAM_PIN "program"
#define DATAPLANE_PROBE_PIN   "probe" /* the program of probes */

struct lb_bpf;
struct sweep_bpf;
struct probe_bpf;
struct fetch;
struct ring_buffer;
struct explainers;

struct dataplane {
	char pin_dir[sizeof(((struct lb_settings *)NULL)->pin_dir)];
	struct lb_settings settings;
	int fds[MAP_COUNT];
	struct lb_bpf *program;    /* loaded by create or open, or NULL */
	struct lb_bpf *unloaded;   /* lent out by dataplane_object */
	struct sweep_bpf *sweeper; /* loaded by dataplane_sweep_prepare */
	struct probe_bpf *prober;  /* loaded by dataplane_probe_load */
	int cpu_count;
	struct lb_backend *backends;
	struct lb_pool *pools;
	struct lb_new_flow_limit *new_flow_limits;
	uint32_t *slots;
	struct lb_control *control;
	struct lb_times *slot_times;
	struct lb_usage *usage;
	struct lb_nat_pressure *nat_pressures;
	struct lb_probe *probes;
	struct lb_counter *counters, *counters_carried;
	struct explainers *explainers; /* of dataplane_explain.c; NULL: none yet */
	struct lb_trace *trace;        /* NULL until dataplane_trace_start */
	struct ring_buffer *trace_ring;
	struct fetch *trace_fetch;                       /* what on_event works on */
	struct lb_tally *backend_tallies, *pool_tallies; /* of the sweeper */
};

/* Opens a copy of the program that will use the maps of `dp`, with its constants set; not loaded
 * yet. NULL with `fault` set. */
struct lb_bpf *dataplane_copy_open(struct dataplane *dp, bool read_only, struct fault *fault);
void dataplane_copy_free(struct lb_bpf *copy); /* NULL is fine */
/* Loads it; what libbpf says is logged in full if that fails. */
int dataplane_copy_load(const struct dataplane *dp, struct lb_bpf *copy, struct fault *fault);

/* dataplane_sweep.c */
void dataplane_sweeper_free(struct dataplane *dp);

/* dataplane_probe.c */
void dataplane_prober_free(struct dataplane *dp);

/* dataplane_explain.c */
void dataplane_explainers_free(struct dataplane *dp);

/* dataplane_trace.c */
void dataplane_trace_free(struct dataplane *dp);

/* Opens maps that were added since, as far as they are pinned by now. 0, or -1 with `fault` set. */
int dataplane_added_open(struct dataplane *dp, struct fault *fault);

/* Makes maps that another program's object shares with the data plane those of `dp`: 0 or a
 * negative errno. */
struct bpf_object;
int dataplane_maps_share(struct dataplane *dp, struct bpf_object *object);

/* "object: attempt: cause" for an errno, with the capability that lacks where that is the cause.
 * -1. */
int dataplane_fault(struct fault *fault, int error, const char *object, const char *attempt);

/* ---- dataplane_directory.c ---- */

/* 0, or -1 with `fault` set, as all of these. */
int dataplane_directory_valid(const char *pin_dir, struct fault *fault);
/* Makes the directory, or takes one that holds no data plane. `*made` says which. */
int dataplane_directory_claim(const char *pin_dir, bool *made, struct fault *fault);
/* Pins what `dp` has; if that fails, nothing is left, nor the directory if it was `made`. */
int dataplane_directory_fill(struct dataplane *dp, bool made, struct fault *fault);
/* The file of a pin: 0 or -ENAMETOOLONG. */
int dataplane_pin_path(char out[DATAPLANE_PATH_SIZE], const char *pin_dir, const char *name);
/* Pins `fd` under `name`, in place of what was pinned there. */
int dataplane_pin_swap(const struct dataplane *dp, int fd, const char *name, struct fault *fault);

/* An array map of `count` values in memory, or NULL with errno set. */
void *dataplane_array_map(int fd, size_t value_size, size_t count);
void dataplane_array_unmap(void *memory, size_t value_size, size_t count); /* NULL is fine */

/* What libbpf needs to know of a map by its place in the list. */
const char *dataplane_map_name(enum dataplane_map map);

/* Maps the arrays into memory. 0, or a negative errno with nothing left mapped. */
int dataplane_arrays_map(struct dataplane *dp);
void dataplane_arrays_unmap(struct dataplane *dp);

#endif
