/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat: sends a packet to its backend under the backend's own address, and the backend's answers to
 * the client under the VIP. With forward and encap, the only files that change a packet; nat_table
 * has the entries that say what is made of it.
 *
 * Both directions are one rewriting: other addresses, ports and MACs, one hop less to live, and
 * checksums brought up to date by the difference, so that a packet that came damaged leaves as
 * damaged as it was. Across families (RFC 7915) the IP header is replaced: options and extension
 * headers end here, and a UDP checksum that was left out in IPv4 is made, for IPv6 wants one.
 */
#ifndef LB_NAT_H
#define LB_NAT_H

#include "checksum.h"
#include "env.h"
#include "nat_frame.h"
#include "nat_icmp.h"
#include "nat_open.h"
#include "nat_scratch.h"
#include "nat_table.h"
#include "parse.h"
#include "pick.h"

enum {
	/* RFC 7915, section 5.1: what fits IPv6's least MTU anyway may be fragmented in IPv4. */
	NAT_FRAGMENTABLE_MAX = 1260,
};

/* ---- the transport header ---- */

/* Ports, and the checksum by their difference and that of the addresses. `*check` becomes what it
 * is then. */
static __always_inline bool nat_transport(void *l4, void *end, __u8 proto, const struct rewrite *to,
					  __u64 difference, __u16 *check)
{
	__be16 *ports = l4;
	struct tcphdr *tcp = l4;
	struct udphdr *udp = l4;

	if (l4 + sizeof(*udp) > end)
		return false;
	difference += checksum_difference((__u64)ports[0] + ports[1],
					  (__u64)to->source_port + to->destination_port);
	ports[0] = to->source_port;
	ports[1] = to->destination_port;
	if (proto == IPPROTO_UDP) {
		*check = udp->check = checksum_update_udp(udp->check, difference);
		return true;
	}
	if (l4 + sizeof(*tcp) > end)
		return false;
	*check = tcp->check = checksum_update(tcp->check, difference);
	return true;
}

/* ---- the IP header, in the same family ---- */

static __always_inline bool nat_ipv4(void *l3, void *end, const struct rewrite *to,
				     __u64 difference)
{
	struct iphdr *ip = l3;

	if (l3 + sizeof(*ip) > end)
		return false;
	ip->ttl--;
	/* The TTL is the high byte of its word. */
	ip->check = checksum_update(ip->check, difference + (__u16)~bpf_htons(0x0100));
	ip->saddr = to->source.v4;
	ip->daddr = to->destination.v4;
	return true;
}

static __always_inline bool nat_ipv6(void *l3, void *end, const struct rewrite *to)
{
	struct ipv6hdr *ip = l3;

	if (l3 + sizeof(*ip) > end)
		return false;
	ip->hop_limit--;
	__builtin_memcpy(&ip->saddr, &to->source, sizeof(to->source));
	__builtin_memcpy(&ip->daddr, &to->destination, sizeof(to->destination));
	return true;
}

/* ---- the IP header, in the other family ---- */

static __always_inline enum lb_verdict nat_replace(struct xdp_md *ctx, const struct packet *packet,
						   const struct rewrite *to, __u8 hops,
						   __u16 number)
{
	__u32 old = nat_l4(packet) - nat_l3(packet), at = nat_l3(packet);
	__u32 new = to->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct nat_header header = {
		.source = &to->source,
		.destination = &to->destination,
		.payload = packet->l3_length - old,
		.traffic_class = packet->traffic_class,
		.hops = hops,
		.proto = packet->proto,
		.id_and_df = IPV4_DF,
	};
	void *data, *end;

	/* The transport's checksum will do for a number: another packet has another. */
	if (header.payload + sizeof(struct iphdr) <= NAT_FRAGMENTABLE_MAX)
		header.id_and_df = (__u32)bpf_ntohs(number) << 16;
	if (!nat_resize(ctx, (int)old - (int)new, packet))
		return LB_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (to->family == 4) {
		if (data + at + sizeof(struct iphdr) > end)
			return LB_DROP_INTERNAL;
		nat_put_ipv4(data + at, &header);
	} else {
		if (data + at + sizeof(struct ipv6hdr) > end)
			return LB_DROP_INTERNAL;
		nat_put_ipv6(data + at, &header);
	}
	return LB_CONTINUE;
}

/* A UDP checksum that the client left out, as IPv4 allows: IPv6 does not. */
static __always_inline enum lb_verdict
nat_udp_complete(struct xdp_md *ctx, const struct packet *packet, const struct rewrite *to)
{
	__u32 at = nat_l3(packet) + sizeof(struct ipv6hdr);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct udphdr *udp = data + at;
	__u16 check;

	if ((void *)(udp + 1) > end)
		return LB_DROP_INTERNAL;
	/* What the datagram says of its length counts (RFC 768): the packet may go on behind it. */
	check = nat_checksum(ctx, at, bpf_ntohs(udp->len), to, IPPROTO_UDP);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	udp = data + at;
	if (!check || (void *)(udp + 1) > end)
		return LB_DROP_INTERNAL;
	udp->check = check;
	return LB_CONTINUE;
}

/* ---- both ---- */

static __always_inline bool nat_ethernet(struct xdp_md *ctx, const struct packet *packet,
					 const struct rewrite *to)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	/* Before the IP header, and behind VLAN tags. */
	__u32 at = (packet->l3_offset - sizeof(__be16)) & HEADERS_MASK;
	struct ethhdr *ethernet = data;
	__be16 *proto = data + at;

	if ((void *)(ethernet + 1) > end || (void *)(proto + 1) > end)
		return false;
	__builtin_memcpy(ethernet->h_dest, to->destination_mac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, to->source_mac, ETH_ALEN);
	*proto = to->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return true;
}

/* Before anything is changed: the hops that the packet has left, once one is taken; 0 if none is.
 */
static __always_inline __u8 nat_hops_left(void *l3, void *end, __u8 family)
{
	struct iphdr *ipv4 = l3;
	struct ipv6hdr *ipv6 = l3;
	__u8 hops;

	if (family == 4) {
		if ((void *)(ipv4 + 1) > end)
			return 0;
		hops = ipv4->ttl;
	} else {
		if ((void *)(ipv6 + 1) > end)
			return 0;
		hops = ipv6->hop_limit;
	}
	return hops ? hops - 1 : 0;
}

static __always_inline __u32 nat_length_after(const struct packet *packet, __u8 family)
{
	if (packet->family == family)
		return packet->l3_length;
	return packet->l3_length - (nat_l4(packet) - nat_l3(packet)) +
	       (family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* LB_CONTINUE: the packet says what `to` says. */
LB_VERIFIED_ALONE int nat_rewrite(struct xdp_md *ctx, const struct packet *packet,
				  const struct rewrite *to)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	enum lb_verdict verdict = LB_CONTINUE;
	__u64 difference;
	__u16 check = 0;
	__u8 hops;

	if (!packet || !to)
		return LB_DROP_INTERNAL;
	if (to->mtu && nat_length_after(packet, to->family) > to->mtu)
		return LB_DROP_TOO_BIG;
	hops = nat_hops_left(data + nat_l3(packet), end, packet->family);
	if (!hops)
		return LB_DROP_TTL;
	/* The fragment header would have to become a part of the IP header, or the other way round.
	 */
	if (packet->part != PACKET_WHOLE && packet->family != to->family)
		return LB_DROP_FRAGMENT;
	difference = nat_difference(packet, to);
	/* The transport header is in the first fragment. */
	if (packet->part != PACKET_LATER &&
	    !nat_transport(data + nat_l4(packet), end, packet->proto, to, difference, &check))
		return LB_DROP_INTERNAL;
	if (packet->family != to->family) {
		verdict = nat_replace(ctx, packet, to, hops, check);
		if (verdict == LB_CONTINUE && !check && to->family == 6 &&
		    packet->proto == IPPROTO_UDP)
			verdict = nat_udp_complete(ctx, packet, to);
	} else if (packet->family == 4) {
		if (!nat_ipv4(data + nat_l3(packet), end, to, difference))
			return LB_DROP_INTERNAL;
	} else {
		if (!nat_ipv6(data + nat_l3(packet), end, to))
			return LB_DROP_INTERNAL;
	}
	if (verdict == LB_CONTINUE && !nat_ethernet(ctx, packet, to))
		return LB_DROP_INTERNAL;
	return verdict;
}

/* The same for an error about a packet of the flow. */
LB_VERIFIED_ALONE int nat_rewrite_error(struct xdp_md *ctx, const struct packet *packet,
					const struct rewrite *to)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct nat_scratch *scratch = nat_scratch();
	int verdict;
	__u8 hops;

	if (!packet || !to || !scratch)
		return LB_DROP_INTERNAL;
	hops = nat_hops_left(data + nat_l3(packet), end, packet->family);
	if (!hops)
		return LB_DROP_TTL;
	if (packet->family == to->family) {
		verdict = packet->family == 4 ? nat_error_within_ipv4(ctx, packet, to)
					      : nat_error_within_ipv6(ctx, packet, to);
	} else {
		verdict = nat_error_across(ctx, packet, to, hops);
		if (verdict == LB_CONTINUE)
			verdict = nat_error_seal(ctx, packet, to, scratch->old.length);
	}
	if (verdict == LB_CONTINUE && !nat_ethernet(ctx, packet, to))
		return LB_DROP_INTERNAL;
	return verdict;
}

/* ---- from the client ---- */

/* Where the packet came from: its answers go back there. */
static __always_inline bool nat_hop_read(struct xdp_md *ctx, struct lb_nat_hop *hop)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = data;

	if ((void *)(ethernet + 1) > end)
		return false;
	hop->ifindex = ctx->ingress_ifindex;
	__builtin_memcpy(hop->peer_mac, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(hop->own_mac, ethernet->h_dest, ETH_ALEN);
	return true;
}

static __always_inline bool nat_hop_same(const struct lb_nat_hop *a, const struct lb_nat_hop *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/* What the client's packet changes in the return: its way, and, where it opens the flow anew, what
 * the backend's last packets said. */
static __always_inline void nat_return_follow(const struct packet *packet,
					      const struct lb_nat_flow *flow,
					      const struct lb_backend *backend)
{
	struct lb_nat_return *entry;
	union nat_key key;

	nat_key_of(&key, packet, flow, backend);
	entry = nat_return_find(flow->family, &key);
	if (!entry)
		return;
	entry->hop = flow->hop;
	if (packet->syn)
		entry->state = LB_FLOW_OPENING;
}

static __always_inline void nat_flow_refresh(const struct packet *packet, struct lb_nat_flow *flow,
					     const struct nat_request *request,
					     const struct lb_backend *backend)
{
	__u64 to = LB_NAT_TO(request->backend, LB_NAT_PORT(flow->to),
			     LB_STATUS_INCARNATION(request->status));
	__u8 state = packet->syn ? LB_FLOW_OPENING : state_after(packet, flow->state);
	bool follow = !nat_hop_same(&flow->hop, &request->hop) ||
		      (packet->syn && flow->state != LB_FLOW_OPENING);

	if (read_only)
		return;
	if (flow->to != to)
		STORE_ONCE(flow->to, to);
	if (flow->state != state)
		flow->state = state;
	if (flow->seen != request->now)
		STORE_ONCE(flow->seen, request->now);
	if (!follow)
		return;
	flow->hop = request->hop;
	nat_return_follow(packet, flow, backend);
}

/* An entry that says what becomes of the packet; else the packet needs one. */
static __always_inline bool nat_flow_serves(const struct lb_nat_flow *flow, __u32 backend)
{
	return flow && !(LOAD_ONCE(flow->seen) & LB_DOOMED) && LB_NAT_BACKEND(flow->to) == backend;
}

static __always_inline void nat_to_backend(struct rewrite *to, const struct packet *packet,
					   const struct lb_nat_flow *flow,
					   const struct lb_backend *backend)
{
	to->source = flow->source;
	to->destination = backend->outer_destination;
	to->source_port = LB_NAT_PORT(flow->to);
	to->destination_port = nat_backend_port(backend, packet);
	to->family = flow->family;
	/* A router on the client's side is known to backends that see the clients. */
	to->keeps_source = !(backend->status & LB_BACKEND_SNAT);
	to->mtu = backend->mtu;
	__builtin_memcpy(to->destination_mac, backend->destination_mac, ETH_ALEN);
	__builtin_memcpy(to->source_mac, backend->source_mac, ETH_ALEN);
}

/* To the backend that was chosen. `pool_and_backend`: the pool's index is the high half. */
LB_VERIFIED_ALONE int nat_forward(struct xdp_md *ctx, const struct packet *packet,
				  __u64 pool_and_backend, __u64 status, __u32 entropy)
{
	__u32 index = (__u32)pool_and_backend;
	const struct lb_backend *backend;
	struct nat_scratch *scratch = nat_scratch();
	struct nat_request *request;
	struct lb_nat_flow *flow;
	enum lb_verdict verdict;

	if (!packet || !scratch)
		return LB_DROP_INTERNAL;
	request = &scratch->request;
	request->backend = index;
	request->pool = pool_and_backend >> 32;
	request->status = status;
	request->entropy = entropy;
	if (!nat_hop_read(ctx, &request->hop))
		return LB_DROP_INTERNAL;
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend)
		return LB_DROP_INTERNAL;
	request->now = flow_tick();
	flow = nat_flow_find(packet);
	if (nat_flow_serves(flow, index)) {
		if (!packet->quoted)
			nat_flow_refresh(packet, flow, request, backend);
		nat_to_backend(&scratch->to, packet, flow, backend);
	} else {
		if (packet->reset || packet->quoted || packet->part == PACKET_LATER)
			return LB_DROP_NAT_UNKNOWN;
		verdict = nat_open(packet);
		if (verdict == LB_DROP_NAT_FULL)
			note(LB_NOTE_NAT_FULL);
		if (verdict != LB_CONTINUE)
			return verdict;
		nat_to_backend(&scratch->to, packet, &scratch->flow, backend);
	}
	verdict = packet->quoted ? nat_rewrite_error(ctx, packet, &scratch->to)
				 : nat_rewrite(ctx, packet, &scratch->to);
	return verdict == LB_CONTINUE ? LB_FORWARDED : verdict;
}

/* ---- from the backend ---- */

/* Where the packet leaves that nat_return has just made. A function's own result has no room for
 * it, and the caller's stack neither. */
static __always_inline __u32 nat_return_ifindex(void)
{
	struct nat_scratch *scratch = nat_scratch();

	return scratch ? scratch->ifindex : 0;
}

/* LB_RETURNED (see nat_return_ifindex), or LB_PASS_NO_SERVICE if it is no answer of a NAT flow. */
LB_VERIFIED_ALONE int nat_return(struct xdp_md *ctx, const struct packet *packet)
{
	struct nat_scratch *scratch = nat_scratch();
	struct lb_nat_return *entry;
	struct rewrite *to;
	enum lb_verdict verdict;
	__u32 now = flow_tick();
	__u8 state;

	if (!packet || !scratch)
		return LB_DROP_INTERNAL;
	to = &scratch->to;
	entry = nat_return_of(packet);
	if (!entry)
		return LB_PASS_NO_SERVICE;
	state = state_after(packet, entry->state);
	if (!read_only && !packet->quoted) {
		if (entry->state != state)
			entry->state = state;
		if (entry->seen != now)
			STORE_ONCE(entry->seen, now);
	}
	to->source = entry->vip;
	to->destination = entry->client;
	to->source_port = entry->vip_port;
	to->destination_port = entry->client_port;
	to->family = entry->family;
	__builtin_memcpy(to->destination_mac, entry->hop.peer_mac, ETH_ALEN);
	__builtin_memcpy(to->source_mac, entry->hop.own_mac, ETH_ALEN);
	to->keeps_source = false;
	to->mtu = 0;
	scratch->ifindex = entry->hop.ifindex;
	verdict =
		packet->quoted ? nat_rewrite_error(ctx, packet, to) : nat_rewrite(ctx, packet, to);
	return verdict == LB_CONTINUE ? LB_RETURNED : verdict;
}

#endif
