/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_table: the two entries of a NAT flow (see struct lb_nat_flow): found and told apart. Called
 * by nat.h, by nat_open.h, which makes and moves them, and by sweeps; changes no packet.
 *
 * The return is made first, by an insertion that fails where the tuple is taken: that claims the
 * source port. Then comes the flow's entry, which is counted. Sweeps judge the flow's entry by what
 * both say, doom it, and claim it before they delete its return and then itself; a packet that
 * finds it doomed, and not claimed, takes it over with its return (see flow_table.h). So a flow
 * that is found and not claimed has a return.
 */
#ifndef LB_NAT_TABLE_H
#define LB_NAT_TABLE_H

#include "env.h"
#include "flow_table.h"
#include "parse.h"

/* A tuple in the shape of its table's key; `family` says which. */
union nat_key {
	struct lb_flow_key_v4 v4;
	struct lb_flow_key_v6 v6;
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
	return LOAD_ONCE(control.flags) & LB_CONTROL_NAT;
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

#endif
