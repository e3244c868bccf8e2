/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_table: entries of single flows, in `births` and `flows` of both families. Called by pick and
 * sweep, which decide; this looks up, puts and counts.
 *
 * Two rules keep a sweep from deleting what a packet just made: a doomed entry is never written and
 * never replaced, and only what an earlier sweep doomed is deleted. Whatever is not doomed may be
 * replaced: the kernel swaps the element whole.
 */
#ifndef LB_FLOW_TABLE_H
#define LB_FLOW_TABLE_H

#include "env.h"
#include "parse.h"

static __always_inline __u32 flow_tick(void)
{
	return bpf_ktime_get_coarse_ns() >> 30;
}

static __always_inline struct lb_birth *birth_find(const struct packet *packet)
{
	if (packet->family == 4)
		return bpf_map_lookup_elem(&births_v4, &packet->flow.v4);
	return bpf_map_lookup_elem(&births_v6, &packet->flow.v6);
}

static __always_inline struct lb_flow *flow_find(const struct packet *packet)
{
	if (packet->family == 4)
		return bpf_map_lookup_elem(&flows_v4, &packet->flow.v4);
	return bpf_map_lookup_elem(&flows_v6, &packet->flow.v6);
}

static __always_inline __u64 backend_status(__u32 index)
{
	const struct lb_backend *backend = bpf_map_lookup_elem(&backends, &index);

	return backend ? LOAD_ONCE(backend->status) : 0;
}

/* ---- whether an entry still speaks for its flow ---- */

/* Ticks without a packet after which the entry is dead. */
static __always_inline __u32 entry_idle_limit(const struct lb_flow *entry,
					      const struct lb_pool *pool, __u8 proto)
{
	if (proto == IPPROTO_UDP)
		return pool->idle_udp;
	return entry->state == LB_FLOW_OPEN ? pool->idle_tcp : pool->idle_closing;
}

/* Ticks since the entry was seen. Signed: another CPU may have stored a later tick than this
 * one's `now`. */
static __always_inline __s32 entry_age(__u32 seen, __u32 now)
{
	return now - (seen & ~LB_DOOMED);
}

/* False once its backend cannot be used, or could not be since the entry was made. */
static __always_inline bool entry_valid(const struct lb_flow *entry, __u32 pool_index)
{
	__u64 status;

	if (entry->pool != pool_index)
		return false;
	status = backend_status(entry->backend);
	return status & LB_BACKEND_USABLE && entry->incarnation == LB_STATUS_INCARNATION(status);
}

static __always_inline bool entry_live(const struct lb_flow *entry, __u32 pool_index,
				       const struct lb_pool *pool, __u8 proto, __u32 now)
{
	__u32 seen = LOAD_ONCE(entry->seen);

	return !(seen & LB_DOOMED) &&
	       entry_age(seen, now) <= (__s32)entry_idle_limit(entry, pool, proto) &&
	       entry_valid(entry, pool_index);
}

/* ---- what packets write ---- */

/* Stores only what differs: the line stays shared between CPUs while a flow is busy. */
static __always_inline void entry_refresh(struct lb_flow *entry, __u8 state, __u32 now)
{
	if (read_only)
		return;
	if (entry->state != state)
		entry->state = state;
	if (entry->seen != now)
		STORE_ONCE(entry->seen, now);
}

/* The quota of all entries of the protocol; that of its births comes next, then of recorded ones.
 */
static __always_inline __u32 quota_of(__u8 proto)
{
	return proto == IPPROTO_UDP ? LB_QUOTA_UDP : LB_QUOTA_TCP;
}

static __always_inline bool quota_left(const struct lb_usage *use, __u32 quota)
{
	return LOAD_ONCE(use->count[quota]) < quotas[quota];
}

/* Whether a birth can be put where `old` is (NULL: no entry). */
static __always_inline bool birth_room(const struct packet *packet, const struct lb_birth *old)
{
	__u32 zero = 0, quota = quota_of(packet->proto);
	const struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);

	if (old)
		return !(old->flow.seen & LB_DOOMED);
	return use && quota_left(use, quota) && quota_left(use, quota + 1);
}

/* Puts an entry in place of `old`. False if there is no room. */
static __always_inline bool birth_put(const struct packet *packet, const struct lb_birth *old,
				      const struct lb_birth *birth)
{
	__u64 how = old ? BPF_EXIST : BPF_NOEXIST;
	__u32 zero = 0, quota = quota_of(packet->proto);
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	long err;

	if (!use || !birth_room(packet, old))
		return false;
	if (read_only)
		return true;
	err = packet->family == 4 ? bpf_map_update_elem(&births_v4, &packet->flow.v4, birth, how)
				  : bpf_map_update_elem(&births_v6, &packet->flow.v6, birth, how);
	if (!err && !old) {
		__sync_fetch_and_add(&use->count[quota], 1);
		__sync_fetch_and_add(&use->count[quota + 1], 1);
	}
	return !err;
}

static __always_inline bool flow_put(const struct packet *packet, const struct lb_flow *old,
				     const struct lb_flow *flow)
{
	__u64 how = old ? BPF_EXIST : BPF_NOEXIST;
	__u32 zero = 0, quota = quota_of(packet->proto);
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	bool was_recorded = old && old->flags & LB_FLOW_RECORDED;
	bool recorded = flow->flags & LB_FLOW_RECORDED;
	long err;

	if (!use || (old && old->seen & LB_DOOMED) || (!old && !quota_left(use, quota)) ||
	    (recorded && !was_recorded && !quota_left(use, LB_QUOTA_TCP_RECORDED)))
		return false;
	if (read_only)
		return true;
	err = packet->family == 4 ? bpf_map_update_elem(&flows_v4, &packet->flow.v4, flow, how)
				  : bpf_map_update_elem(&flows_v6, &packet->flow.v6, flow, how);
	if (err)
		return false;
	if (!old)
		__sync_fetch_and_add(&use->count[quota], 1);
	if (recorded != was_recorded)
		__sync_fetch_and_add(&use->count[LB_QUOTA_TCP_RECORDED], recorded ? 1 : -1);
	return true;
}

#endif
