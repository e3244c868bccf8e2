/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_table: entries of single flows, in `births` and `flows` of both families. Called by pick and
 * sweep, which decide; this looks up, puts and counts.
 *
 * An entry goes in two steps: a sweep dooms it, and the next one claims and deletes it, each by
 * compare-and-set on `seen`, so that a packet that has written it meanwhile wins. Whoever needs an
 * entry where a doomed one is fills that and sets `seen`, unless it is claimed. So no sweep deletes
 * what a packet just made. What is neither may be replaced: the kernel swaps the element whole.
 */
#ifndef LB_FLOW_TABLE_H
#define LB_FLOW_TABLE_H

#include "env.h"
#include "parse.h"

static __always_inline __u32 flow_tick(void)
{
	return bpf_ktime_get_coarse_ns() >> 30;
}

/*
 * Keys and values are copied to the stack first: before Linux 6.2 no map function takes what a
 * function that is verified alone was given a pointer to.
 */
static __always_inline struct lb_birth *birth_find(const struct packet *packet)
{
	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		return bpf_map_lookup_elem(&births_v4, &key);
	}
	struct lb_flow_key_v6 key = packet->flow.v6;
	return bpf_map_lookup_elem(&births_v6, &key);
}

static __always_inline struct lb_flow *flow_find(const struct packet *packet)
{
	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		return bpf_map_lookup_elem(&flows_v4, &key);
	}
	struct lb_flow_key_v6 key = packet->flow.v6;
	return bpf_map_lookup_elem(&flows_v6, &key);
}

LB_VERIFIED_ALONE __u64 backend_status(__u32 index)
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
	return now - (seen & ~(LB_DOOMED | LB_CLAIMED));
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

LB_VERIFIED_ALONE int entry_live(const struct lb_flow *entry, __u32 pool_index,
				 const struct lb_pool *pool, __u8 proto, __u32 now)
{
	__u32 seen;

	if (!entry || !pool)
		return false;
	seen = LOAD_ONCE(entry->seen);
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

/* Makes a doomed entry, whose other fields were just written, one that lives. */
static __always_inline bool entry_take_over(__u32 *seen, __u32 now)
{
	__u32 before = LOAD_ONCE(*seen);

	return before & LB_DOOMED && !(before & LB_CLAIMED) &&
	       __sync_val_compare_and_swap(seen, before, now) == before;
}

/* All but `seen`. */
static __always_inline void entry_fill(struct lb_flow *entry, const struct lb_flow *from)
{
	entry->incarnation = from->incarnation;
	entry->backend = from->backend;
	entry->pool = from->pool;
	entry->state = from->state;
	entry->flags = from->flags;
}

static __always_inline bool birth_write(const struct packet *packet, const struct lb_birth *birth,
					__u64 how)
{
	struct lb_birth value = *birth;

	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		return !bpf_map_update_elem(&births_v4, &key, &value, how);
	}
	struct lb_flow_key_v6 key = packet->flow.v6;
	return !bpf_map_update_elem(&births_v6, &key, &value, how);
}

static __always_inline bool flow_write(const struct packet *packet, const struct lb_flow *flow,
				       __u64 how)
{
	struct lb_flow value = *flow;

	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		return !bpf_map_update_elem(&flows_v4, &key, &value, how);
	}
	struct lb_flow_key_v6 key = packet->flow.v6;
	return !bpf_map_update_elem(&flows_v6, &key, &value, how);
}

/* Puts an entry in place of `old` (NULL: there is none). False if there is no room. */
LB_VERIFIED_ALONE int birth_put(const struct packet *packet, struct lb_birth *old,
				const struct lb_birth *birth)
{
	__u64 how = old ? BPF_EXIST : BPF_NOEXIST;
	__u32 zero = 0, quota;
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	bool put;

	if (!packet || !birth)
		return false;
	quota = quota_of(packet->proto);
	if (!use || (old && old->flow.seen & LB_CLAIMED) ||
	    (!old && !(quota_left(use, quota) && quota_left(use, quota + 1))))
		return false;
	if (read_only)
		return true;
	if (old && old->flow.seen & LB_DOOMED) {
		entry_fill(&old->flow, &birth->flow);
		old->sequence = birth->sequence;
		return entry_take_over(&old->flow.seen, birth->flow.seen);
	}
	put = birth_write(packet, birth, how);
	if (put && !old) {
		__sync_fetch_and_add(&use->count[quota], 1);
		__sync_fetch_and_add(&use->count[quota + 1], 1);
	}
	return put;
}

LB_VERIFIED_ALONE int flow_put(const struct packet *packet, struct lb_flow *old,
			       const struct lb_flow *flow)
{
	__u64 how = old ? BPF_EXIST : BPF_NOEXIST;
	__u32 zero = 0, quota;
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	bool was_recorded, recorded, put;

	if (!packet || !flow)
		return false;
	quota = quota_of(packet->proto);
	was_recorded = old && old->flags & LB_FLOW_RECORDED;
	recorded = flow->flags & LB_FLOW_RECORDED;
	if (!use || (old && old->seen & LB_CLAIMED) || (!old && !quota_left(use, quota)) ||
	    (recorded && !was_recorded && !quota_left(use, LB_QUOTA_TCP_RECORDED)))
		return false;
	if (read_only)
		return true;
	if (old && old->seen & LB_DOOMED) {
		entry_fill(old, flow);
		put = entry_take_over(&old->seen, flow->seen);
	} else {
		put = flow_write(packet, flow, how);
	}
	if (put && !old)
		__sync_fetch_and_add(&use->count[quota], 1);
	if (put && recorded != was_recorded)
		__sync_fetch_and_add(&use->count[LB_QUOTA_TCP_RECORDED], recorded ? 1 : -1);
	return put;
}

#endif
