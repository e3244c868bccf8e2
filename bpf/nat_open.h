/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_open: finds a source port for a flow and makes its two entries (see nat_table.h). Called by
 * nat.h.
 */
#ifndef LB_NAT_OPEN_H
#define LB_NAT_OPEN_H

#include <linux/errno.h>

#include "encap.h"
#include "env.h"
#include "flow_table.h"
#include "hash.h"
#include "nat_scratch.h"
#include "nat_table.h"
#include "parse.h"
#include "pick.h"

enum {
	NAT_PORT_FIRST = 1024,  /* of those that are given out */
	NAT_PORT_COUNT = 64512, /* up to 65535 */
	/* Of a flow's own port and those that its hash leads to. With 60,000 of 64,512 taken all
	 * fail once in 10^8. */
	NAT_TRIES = 256,
	/* After all failed the next flows try fewer for a while, so that a flood against a backend
	 * without ports is cheap. */
	NAT_TRIES_PRESSED = 8,
	NAT_PRESSED_NS = 8 * 1000 * 1000,
};

/* ---- a port for a flow ---- */

static __always_inline __be16 nat_search_port(const struct nat_search *search)
{
	return search->family == 4 ? search->key.v4.destination_port
				   : search->key.v6.destination_port;
}

/* The n-th port to try. */
static __always_inline __be16 nat_candidate(const struct nat_search *search, __u32 n)
{
	__u32 port;

	if (!n && search->own_fits)
		return search->own_port;
	port = NAT_PORT_FIRST + hash_reduce((search->entropy ^ n * 0x85ebca6bU) * 0x9e3779b1U,
					    NAT_PORT_COUNT - search->hole_count);
	if (port >= search->hole_first)
		port += search->hole_count;
	return bpf_htons(port);
}

/* 1 ends the search. */
static long nat_try(__u32 n, void *unused)
{
	struct nat_scratch *scratch = nat_scratch();
	struct nat_search *search;
	struct lb_nat_return *there;
	__u32 seen;
	long err;

	(void)unused;
	if (!scratch)
		return 1;
	search = &scratch->search;
	nat_key_set_port(&search->key, search->family, nat_candidate(search, n));
	there = nat_return_find(search->family, &search->key);
	if (there) {
		seen = LOAD_ONCE(there->seen);
		/* The flow's own: another CPU's, or one that no sweep has come to yet. */
		if (!nat_return_same(there, &search->value) || seen & LB_CLAIMED)
			return 0;
		if (!read_only) {
			/* Its flow was elsewhere meanwhile, and may have come another way since. */
			there->hop = search->value.hop;
			there->state = search->value.state;
		}
		search->found =
			read_only ||
			__sync_val_compare_and_swap(&there->seen, seen, search->value.seen) == seen;
		return search->found;
	}
	err = read_only ? 0 : nat_return_put(search->family, &search->key, &search->value);
	search->found = !err;
	search->full = err && err != -EEXIST; /* else another CPU was faster */
	return search->found || search->full;
}

/* The port range, and the client's own port if it may keep that. */
static __always_inline void nat_search_range(struct nat_search *search, const struct packet *packet,
					     __u64 status)
{
	__u32 own = bpf_ntohs(packet_source_port(packet));

	search->own_port = bpf_htons(own);
	search->own_fits = true;
	if (!(status & LB_BACKEND_SNAT))
		return;
	if (status & LB_BACKEND_HOST_SOURCE) {
		search->hole_first = LOAD_ONCE(control.host_ports_first);
		search->hole_count = LOAD_ONCE(control.host_ports_count);
	}
	search->own_fits = own >= NAT_PORT_FIRST && own - search->hole_first >= search->hole_count;
}

/* Finds a port and claims it with a return. LB_CONTINUE, or why there is none. */
static __always_inline enum lb_verdict nat_search_run(struct nat_search *search, __u32 backend)
{
	struct lb_nat_pressure *pressure = bpf_map_lookup_elem(&nat_pressure, &backend);
	__u64 now_ns = bpf_ktime_get_coarse_ns();

	if (!pressure)
		return LB_DROP_INTERNAL;
	bpf_loop(now_ns - LOAD_ONCE(pressure->last_ns) < NAT_PRESSED_NS ? NAT_TRIES_PRESSED
									: NAT_TRIES,
		 nat_try, NULL, 0);
	if (search->found)
		return LB_CONTINUE;
	if (search->full)
		return LB_DROP_NAT_FULL;
	note(LB_NOTE_NAT_PORTS);
	if (!read_only) {
		__sync_fetch_and_add(&pressure->refused, 1);
		STORE_ONCE(pressure->last_ns, now_ns);
	}
	return LB_DROP_NAT_PORTS;
}

/* ---- a flow's entry ---- */

/* `old` goes elsewhere from now on, or lives again. */
static __always_inline bool nat_flow_move(const struct packet *packet, struct lb_nat_flow *old,
					  const struct lb_nat_flow *flow)
{
	__u32 index = LB_NAT_BACKEND(old->to);
	const struct lb_backend *backend = bpf_map_lookup_elem(&backends, &index);
	__u32 seen = LOAD_ONCE(old->seen);
	union nat_key key;

	if (seen & LB_CLAIMED)
		return false;
	if (backend &&
	    (index != LB_NAT_BACKEND(flow->to) || LB_NAT_PORT(old->to) != LB_NAT_PORT(flow->to))) {
		nat_key_of(&key, packet, old, backend);
		nat_return_doom(old->family, &key);
	}
	old->pool = flow->pool;
	old->state = flow->state;
	old->family = flow->family;
	old->source = flow->source;
	old->hop = flow->hop;
	STORE_ONCE(old->to, flow->to);
	return __sync_val_compare_and_swap(&old->seen, seen, flow->seen) == seen ||
	       !(LOAD_ONCE(old->seen) & LB_CLAIMED);
}

/* `flow` lies in a map: map functions take its values. */
static __always_inline bool nat_flow_make(const struct packet *packet,
					  const struct lb_nat_flow *flow, struct lb_usage *use,
					  __u32 quota)
{
	long err;

	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		err = bpf_map_update_elem(&nat_flows_v4, &key, flow, BPF_NOEXIST);
	} else {
		struct lb_flow_key_v6 key = packet->flow.v6;
		err = bpf_map_update_elem(&nat_flows_v6, &key, flow, BPF_NOEXIST);
	}
	if (!err)
		__sync_fetch_and_add(&use->count[quota], 1);
	return !err || err == -EEXIST; /* another CPU was faster, with the same */
}

/* All of `flow` but its port. */
static __always_inline bool nat_flow_fill(struct lb_nat_flow *flow, const struct packet *packet,
					  const struct nat_request *request,
					  const struct lb_backend *backend)
{
	union lb_addr vip;

	flow->to = LB_NAT_TO(request->backend, 0, LB_STATUS_INCARNATION(request->status));
	flow->seen = request->now;
	flow->pool = request->pool;
	flow->state = packet->syn || packet->proto != IPPROTO_TCP ? LB_FLOW_OPENING : LB_FLOW_OPEN;
	flow->family = nat_family(request->status);
	flow->hop = request->hop;
	if (!(request->status & LB_BACKEND_SNAT)) {
		packet_addresses(packet, &flow->source, &vip);
		return flow->family == packet->family;
	}
	flow->source = backend->outer_source;
	if (flow->family == 4)
		flow->source.v4 |= outer_source_bits(backend, request->entropy);
	else
		flow->source.v6[3] |= outer_source_bits(backend, request->entropy);
	return true;
}

static __always_inline void nat_return_fill(struct lb_nat_return *entry,
					    const struct packet *packet,
					    const struct nat_request *request)
{
	entry->seen = request->now;
	entry->family = packet->family;
	entry->client_port = packet_source_port(packet);
	entry->vip_port = packet_destination_port(packet);
	packet_addresses(packet, &entry->client, &entry->vip);
	entry->hop = request->hop;
}

/*
 * Makes the entries of the packet's flow, or leads those that it has to the backend that is asked
 * for: the scratch's request. Its `flow` becomes what the flow's entry says. LB_CONTINUE, or why
 * there is none.
 */
LB_VERIFIED_ALONE int nat_open(const struct packet *packet)
{
	__u32 zero = 0, quota, index;
	struct lb_usage *use = bpf_map_lookup_elem(&usage, &zero);
	struct nat_scratch *scratch = nat_scratch();
	const struct nat_request *request;
	const struct lb_backend *backend;
	struct nat_search *search;
	struct lb_nat_flow *flow, *old;
	enum lb_verdict verdict;
	bool put;

	if (!packet || !use || !scratch)
		return LB_DROP_INTERNAL;
	request = &scratch->request;
	flow = &scratch->flow;
	search = &scratch->search;
	*search = (struct nat_search){};
	index = request->backend;
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend || !nat_flow_fill(flow, packet, request, backend))
		return LB_DROP_INTERNAL;
	old = nat_flow_find(packet);
	quota = packet->proto == IPPROTO_UDP ? LB_QUOTA_NAT_UDP : LB_QUOTA_NAT_TCP;
	/* One that a sweep is about to delete is no room, either. */
	if (old ? LOAD_ONCE(old->seen) & LB_CLAIMED : !quota_left(use, quota))
		return LB_DROP_NAT_FULL;
	search->family = flow->family;
	search->entropy = request->entropy;
	nat_return_fill(&search->value, packet, request);
	nat_search_range(search, packet, request->status);
	nat_key_fill(&search->key, search->family, backend, nat_backend_port(backend, packet),
		     &flow->source, 0, packet->proto);
	verdict = nat_search_run(search, index);
	if (verdict != LB_CONTINUE)
		return verdict;
	flow->to |= LB_NAT_TO(0, nat_search_port(search), 0);
	if (read_only)
		return LB_CONTINUE;
	put = old ? nat_flow_move(packet, old, flow) : nat_flow_make(packet, flow, use, quota);
	if (!put) {
		nat_return_delete(search->family, &search->key);
		return LB_DROP_NAT_FULL;
	}
	/* A sweep that was about to delete an earlier life of the flow may have taken the return
	 * along. */
	if (!nat_return_find(search->family, &search->key))
		nat_return_put(search->family, &search->key, &search->value);
	return LB_CONTINUE;
}

#endif
