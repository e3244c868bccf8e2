/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_table: the two entries of a NAT flow (see struct lb_nat_flow): found, made, moved. Called by
 * nat.h and by sweeps; changes no packet.
 *
 * The return is made first, by an insertion that fails where the tuple is taken: that claims the
 * source port. Then comes the flow's entry, which is counted. Sweeps judge the flow's entry by what
 * both say, doom it, and claim it before they delete its return and then itself; a packet that
 * finds it doomed, and not claimed, takes it over with its return (see flow_table.h). So a flow
 * that is found and not claimed has a return.
 */
#ifndef LB_NAT_TABLE_H
#define LB_NAT_TABLE_H

#include <linux/errno.h>

#include "encap.h"
#include "env.h"
#include "flow_table.h"
#include "hash.h"
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

/* A tuple in the shape of its table's key; `family` says which. */
union nat_key {
	struct lb_flow_key_v4 v4;
	struct lb_flow_key_v6 v6;
};

/* What a flow that has no entries, or others, is to get. */
struct nat_request {
	__u32 backend;
	__u32 pool;
	__u64 status; /* of the backend */
	__u32 entropy;
	__u32 now;
	struct lb_nat_hop hop;
};

/* What a packet is to say instead. */
struct rewrite {
	union lb_addr source;
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u16 mtu; /* of the way out, L3 bytes; 0: not known */
	__u8 family;
	bool keeps_source; /* an error in the same family: who sent it stays */
	__u8 destination_mac[6];
	__u8 source_mac[6];
};

/* ---- look-ups; for copies of keys see flow_table.h ---- */

static __always_inline struct lb_nat_flow *nat_flow_find(const struct packet *packet)
{
	if (packet->family == 4) {
		struct lb_flow_key_v4 key = packet->flow.v4;
		return bpf_map_lookup_elem(&nat_flows_v4, &key);
	}
	struct lb_flow_key_v6 key = packet->flow.v6;
	return bpf_map_lookup_elem(&nat_flows_v6, &key);
}

static __always_inline struct lb_nat_return *nat_return_find(__u8 family, const union nat_key *key)
{
	if (family == 4)
		return bpf_map_lookup_elem(&nat_returns_v4, &key->v4);
	return bpf_map_lookup_elem(&nat_returns_v6, &key->v6);
}

static __always_inline bool nat_in_use(void)
{
	__u32 zero = 0;
	const struct lb_control *installation = bpf_map_lookup_elem(&control, &zero);

	return installation && LOAD_ONCE(installation->flags) & LB_CONTROL_NAT;
}

/* That of a packet from a backend, or NULL: none of NAT's. */
static __always_inline struct lb_nat_return *nat_return_of(const struct packet *packet)
{
	struct lb_nat_return *entry;
	union nat_key key;

	__builtin_memcpy(&key, &packet->flow, sizeof(key));
	entry = nat_return_find(packet->family, &key);
	return entry && !(LOAD_ONCE(entry->seen) & LB_DOOMED) ? entry : NULL;
}

static __always_inline bool nat_forwards(__u64 status)
{
	return LB_STATUS_FORWARD(status) == LB_FORWARD_NAT_V4 ||
	       LB_STATUS_FORWARD(status) == LB_FORWARD_NAT_V6;
}

static __always_inline __u8 nat_family(__u64 status)
{
	return LB_STATUS_FORWARD(status) == LB_FORWARD_NAT_V6 ? 6 : 4;
}

static __always_inline __be16 packet_source_port(const struct packet *packet)
{
	return packet->family == 4 ? packet->flow.v4.source_port : packet->flow.v6.source_port;
}

static __always_inline __be16 packet_destination_port(const struct packet *packet)
{
	return packet->family == 4 ? packet->flow.v4.destination_port
				   : packet->flow.v6.destination_port;
}

static __always_inline void packet_addresses(const struct packet *packet, union lb_addr *source,
					     union lb_addr *destination)
{
	if (packet->family == 4) {
		/* All of them: an empty initializer is of a union's first member alone. */
		__builtin_memset(source, 0, sizeof(*source));
		__builtin_memset(destination, 0, sizeof(*destination));
		source->v4 = packet->flow.v4.source;
		destination->v4 = packet->flow.v4.destination;
	} else {
		*source = packet->flow.v6.source;
		*destination = packet->flow.v6.destination;
	}
}

/* Where the backend listens. */
static __always_inline __be16 nat_backend_port(const struct lb_backend *backend,
					       const struct packet *packet)
{
	return backend->port ? backend->port : packet_destination_port(packet);
}

/* ---- the return's key ---- */

/* The tuple of what the backend sends to `source` and `port`. All of `key` is written. */
static __always_inline void nat_key_fill(union nat_key *key, __u8 family,
					 const struct lb_backend *backend, __be16 backend_port,
					 const union lb_addr *source, __be16 port, __u8 proto)
{
	__builtin_memset(key, 0, sizeof(*key));
	if (family == 4) {
		key->v4.source = backend->outer_destination.v4;
		key->v4.destination = source->v4;
		key->v4.source_port = backend_port;
		key->v4.destination_port = port;
		key->v4.proto = proto;
	} else {
		key->v6.source = backend->outer_destination;
		key->v6.destination = *source;
		key->v6.source_port = backend_port;
		key->v6.destination_port = port;
		key->v6.proto = proto;
	}
}

static __always_inline bool nat_key_same(const union nat_key *a, const union nat_key *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	for (__u32 i = 0; i < sizeof(*a) / sizeof(*x); i++) {
		if (x[i] != y[i])
			return false;
	}
	return true;
}

static __always_inline void nat_key_set_port(union nat_key *key, __u8 family, __be16 port)
{
	if (family == 4)
		key->v4.destination_port = port;
	else
		key->v6.destination_port = port;
}

/* The return of a flow's entry, if it has one. `backend`: the one that the entry names. */
static __always_inline void nat_key_of(union nat_key *key, const struct packet *packet,
				       const struct lb_nat_flow *flow,
				       const struct lb_backend *backend)
{
	nat_key_fill(key, flow->family, backend, nat_backend_port(backend, packet), &flow->source,
		     LB_NAT_PORT(flow->to), packet->proto);
}

/* Whether both are of the same flow. */
static __always_inline bool nat_return_same(const struct lb_nat_return *a,
					    const struct lb_nat_return *b)
{
	if (a->family != b->family || a->client_port != b->client_port ||
	    a->vip_port != b->vip_port)
		return false;
	for (int i = 0; i < 4; i++) {
		if (a->client.v6[i] != b->client.v6[i] || a->vip.v6[i] != b->vip.v6[i])
			return false;
	}
	return true;
}

static __always_inline void nat_return_delete(__u8 family, const union nat_key *key)
{
	if (family == 4)
		bpf_map_delete_elem(&nat_returns_v4, &key->v4);
	else
		bpf_map_delete_elem(&nat_returns_v6, &key->v6);
}

/* A backend whose flow goes elsewhere sends nothing of it to the client any more. */
static __always_inline void nat_return_doom(__u8 family, const union nat_key *key)
{
	struct lb_nat_return *entry = nat_return_find(family, key);
	__u32 seen;

	if (!entry)
		return;
	seen = LOAD_ONCE(entry->seen);
	__sync_val_compare_and_swap(&entry->seen, seen, seen | LB_DOOMED);
}

static __always_inline long nat_return_put(__u8 family, const union nat_key *key,
					   const struct lb_nat_return *value)
{
	return family == 4 ? bpf_map_update_elem(&nat_returns_v4, &key->v4, value, BPF_NOEXIST)
			   : bpf_map_update_elem(&nat_returns_v6, &key->v6, value, BPF_NOEXIST);
}

/* ---- a port for a flow ---- */

struct nat_search {
	union nat_key key; /* with the port that was found, or tried last */
	struct lb_nat_return value;
	__u32 entropy;
	__u16 hole_first, hole_count; /* ports that are not given out */
	__be16 own_port;              /* the client's, tried first */
	__u8 family;                  /* of the backend */
	bool own_fits;
	bool found;
	bool full; /* the table is */
};

/* A sum over the frame, a chunk at a time. */
enum { NAT_SUM_CHUNK = 32 };

struct nat_sum {
	__u64 sum;
	__u32 words[NAT_SUM_CHUNK / 4];
	__u32 offset; /* in the frame */
	__u32 left;   /* bytes */
};

/* What is read of an error before its headers are replaced. */
struct nat_old {
	__u64 message;       /* as nat_error_word has it */
	__u32 quote_size;    /* of the quoted IP header */
	__u32 quote_payload; /* that it speaks of */
	__u32 length;        /* of the message, as it is then */
	__u8 quote_hops;
	__u8 quote_class;
};

/*
 * What the search for a port and the rewriting work on: more than the stack has room for. One
 * packet at a time on each CPU. Never pinned.
 */
struct nat_scratch {
	struct nat_request request;
	struct nat_search search;
	struct lb_nat_flow flow;
	struct rewrite to;
	struct nat_sum sum;
	struct nat_old old;
	__u32 ifindex; /* where a backend's answer leaves */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_scratch);
} nat_scratches SEC(".maps");

static __always_inline struct nat_scratch *nat_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nat_scratches, &zero);
}

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
	__u32 zero = 0, own = bpf_ntohs(packet_source_port(packet));
	const struct lb_control *installation = bpf_map_lookup_elem(&control, &zero);

	search->own_port = bpf_htons(own);
	search->own_fits = true;
	if (!(status & LB_BACKEND_SNAT))
		return;
	if (installation && status & LB_BACKEND_HOST_SOURCE) {
		search->hole_first = LOAD_ONCE(installation->host_ports_first);
		search->hole_count = LOAD_ONCE(installation->host_ports_count);
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
