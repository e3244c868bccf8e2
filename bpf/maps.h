/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps: every map of the data plane, with its writer, its readers, and what a full one means.
 * Sizes of 1 are set from the settings when the maps are made (user/dataplane.c).
 *
 * Arrays that the program reads for each packet are BPF_F_MMAPABLE: the controller writes them with
 * plain aligned stores, and the kernel inlines the program's look-ups.
 */
#ifndef LB_MAPS_H
#define LB_MAPS_H

#include "lb_abi.h"

/* lbload attach writes once; lbload and lbd read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_settings);
} settings SEC(".maps");

/* Key: ifindex. lbload writes; lbload and lbd read. Full (64 interfaces): lbload refuses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct lb_attachment);
} attachments SEC(".maps");

/* lbd writes; the program reads for packets of which bpf/service_memo.h does not know who they are
 * for. Full: lbd refuses the service. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_service_key_v4);
	__type(value, struct lb_service);
} services_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_service_key_v6);
	__type(value, struct lb_service);
} services_v6 SEC(".maps");

/*
 * The addresses of all services. lbd writes; the program reads only for packets whose ports cannot
 * be told. Full: lbd refuses the service.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_vip_key);
	__type(value, struct lb_vip);
} vips SEC(".maps");

/*
 * Ports of packets that come in fragments, by the first one. The program writes and reads. The one
 * table that evicts: what is lost is one packet, which its sender has to expect of the network.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LB_FRAGMENTS);
	__type(key, struct lb_fragment_key);
	__type(value, struct lb_fragment);
} fragments SEC(".maps");

/* What is left of each CPU's share of ICMP errors. The program alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_bucket);
} error_bucket SEC(".maps");

/*
 * Allow and deny lists of all services, see struct lb_source_key_v4. lbd writes; the program reads
 * for each packet of a service that has lists. Full: lbd says so; prefixes that are new are not in
 * force.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LB_SOURCES_MAX);
	__type(key, struct lb_source_key_v4);
	__type(value, __u32);
} sources_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LB_SOURCES_MAX);
	__type(key, struct lb_source_key_v6);
	__type(value, __u32);
} sources_v6 SEC(".maps");

/* lbd writes; the program reads for packets of services that have a limit of new flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_new_flow_limit);
} new_flow_limits SEC(".maps");

/*
 * Who opens flows of such services. The program reads and writes. Full: the bucket that was used
 * longest ago goes, and is then a full one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LB_OPENERS_MAX);
	__type(key, struct lb_opener_key);
	__type(value, __u64);
} openers SEC(".maps");

/* lbd writes; the program reads for each packet of a service. Full: lbd refuses the pool. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_pool);
} pools SEC(".maps");

/*
 * The tables of all pools, one after the other, with room to write a new one beside those in use.
 * lbd writes; the program reads one word for each packet of a service. Full: lbd refuses the pool.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_slot_block);
} slots SEC(".maps");

/* lbd writes; the program reads for each packet of a service. Full: lbd refuses the backend. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_backend);
} backends SEC(".maps");

/*
 * struct lb_times of each slot of each pool; not swapped with the tables. The program reads and
 * writes it for packets of changed slots; sweeps and lbd write. Full: lbd refuses the pool.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_times);
} slot_times SEC(".maps");

/*
 * Flows whose slot does not say where they belong, or all flows of a pool with `track: always`.
 * `births` are new ones, `flows` those known to live. The program reads and writes; sweeps doom and
 * delete. Plain hashes, because an entry that is evicted would move its flow. Full (by quota, see
 * enum lb_quota): a new flow goes where flows without an entry go.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v4);
	__type(value, struct lb_birth);
} births_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v6);
	__type(value, struct lb_birth);
} births_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v4);
	__type(value, struct lb_flow);
} flows_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v6);
	__type(value, struct lb_flow);
} flows_v6 SEC(".maps");

/*
 * Records of clients of pools with a client timeout. The program reads and writes; sweeps settle,
 * doom and delete. Full: a new client goes by its slot, and is counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_client_key_v4);
	__type(value, struct lb_client);
} clients_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_client_key_v6);
	__type(value, struct lb_client);
} clients_v6 SEC(".maps");

/*
 * Clients that are pinned to a backend, and those that were while their flows live: see
 * bpf/pin_table.h. lbd makes and deletes; the program reads for each packet of a pool that has some
 * (LB_POOL_PINS). Full: lbd refuses the pin.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LB_PINS_MAX);
	__type(key, struct lb_client_key_v4);
	__type(value, struct lb_pin);
} pins_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LB_PINS_MAX);
	__type(key, struct lb_client_key_v6);
	__type(value, struct lb_pin);
} pins_v6 SEC(".maps");

/*
 * NAT flows: by the client's tuple what becomes of its packets, and by the backend's whose answers
 * they are. The program reads and writes; sweeps doom and delete. Full (by quota): a new flow is
 * dropped and counted, for without its entries nothing of it could come back.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v4);
	__type(value, struct lb_nat_flow);
} nat_flows_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v6);
	__type(value, struct lb_nat_flow);
} nat_flows_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v4);
	__type(value, struct lb_nat_return);
} nat_returns_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_flow_key_v6);
	__type(value, struct lb_nat_return);
} nat_returns_v6 SEC(".maps");

/* By backend. The program writes where no port was free for a new flow; lbd reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_nat_pressure);
} nat_pressure SEC(".maps");

/* How many entries the tables above hold. The program and sweeps add and subtract. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_usage);
} usage SEC(".maps");

/* Index: backend. The program of probes adds; lbd reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_probe);
} probes SEC(".maps");

/* Index: enum lb_note. The program adds; lbd reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_NOTE_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} notes SEC(".maps");

/* See struct lb_counter. The program adds; lbd reads, and clears runs that nobody uses. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_counter);
} counters SEC(".maps");

/* What readers add to the counter of the same index: what was counted elsewhere before a service's
 * run of counters moved or a backend went. lbd alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_counter);
} counters_carried SEC(".maps");

/* Index: enum lb_verdict. The program adds; FORWARDED is not counted here but derived from
 * `counters`. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, struct lb_verdict_counter);
} verdicts SEC(".maps");

/* Names and addresses behind the indices. lbd alone, so that the next one can adopt what is there.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_pool_identity);
} pool_identities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_service_identity);
} service_identities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_backend_identity);
} backend_identities SEC(".maps");

/* The program's own, while it works on one packet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_scratch);
} scratches SEC(".maps");

/* The program alone; lbd reads what was not shown. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_trace_cpu);
} trace_cpus SEC(".maps");

/* struct lb_trace_event. The program writes; lbd reads. Full: the event is lost, and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LB_TRACE_RING_SIZE);
} trace_events SEC(".maps");

/* Written only by the read-only copy that `lbctl flow lookup` runs; private to it, never pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_explanation);
} explanation SEC(".maps");

#endif
