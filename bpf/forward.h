/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * forward: sends the packet to the backend that was picked: by a new MAC (l2), in new outer headers
 * (ipip, gue), or under other addresses (nat.h). The controller keeps the next hop in the backend,
 * so no route is looked up here.
 */
#ifndef LB_FORWARD_H
#define LB_FORWARD_H

#include "encap.h"
#include "env.h"
#include "nat.h"
#include "parse.h"
#include "pick.h"

/* Where the IP header is. The mask says to the verifier that this is near. */
static __always_inline void *forward_l3(void *data, const struct packet *packet)
{
	return data + (packet->l3_offset & 0x1f);
}

/* In words: the compiler, which does not know how frames are aligned, would copy bytes. */
static __always_inline void forward_mac(__u8 *to, const __u8 *from)
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}

/* False if the frame is too short, which the verifier wants to hear. */
static __always_inline bool forward_macs(void *data, void *end, const struct lb_backend *backend)
{
	struct ethhdr *ethernet = data;

	if (data + sizeof(*ethernet) > end)
		return false;
	forward_mac(ethernet->h_dest, backend->destination_mac);
	forward_mac(ethernet->h_source, backend->source_mac);
	return true;
}

/* The whole link header of a frame that begins elsewhere now: VLAN tags stay where they were, in
 * front of the type. */
static __always_inline bool forward_link(void *data, void *end, const struct packet *packet,
					 const struct lb_backend *backend, __be16 type)
{
	struct ethhdr *ethernet = data;
	__u32 *tags = data + offsetof(struct ethhdr, h_proto);

	if (!forward_macs(data, end, backend))
		return false;
	if (packet->l3_offset == sizeof(*ethernet)) {
		ethernet->h_proto = type;
		return true;
	}
	if ((void *)(tags + VLAN_TAGS_MAX) + sizeof(type) > end)
		return false;
	tags[0] = packet->tags[0];
	if (packet->l3_offset == sizeof(*ethernet) + sizeof(struct vlan_tag)) {
		*(__be16 *)(tags + 1) = type;
	} else {
		tags[1] = packet->tags[1];
		*(__be16 *)(tags + 2) = type;
	}
	return true;
}

/*
 * Takes one from the inner TTL, as a router does that sends a packet into a tunnel (RFC 2003
 * section 3.1, RFC 2473 section 3.1), and notes what the outer header is to say.
 */
static __always_inline enum lb_verdict
forward_inner_ipv4(void *l3, void *end, const struct packet *packet, struct inner *inner)
{
	struct iphdr *ip = l3;
	__u32 check;

	if (l3 + sizeof(*ip) > end)
		return LB_DROP_INTERNAL;
	if (ip->ttl <= 1)
		return LB_DROP_TTL;
	inner->proto = IPPROTO_IPIP;
	inner->id_and_df = ((__be32 *)ip)[1] & bpf_htonl(0xffff0000 | IPV4_DF);
	/* Fragments have one number, but are a packet each in the tunnel. */
	if (packet->part != PACKET_WHOLE)
		inner->id_and_df ^=
			bpf_htonl((__u32)(bpf_ntohs(ip->frag_off) & IPV4_OFFSET_MASK) << 16);
	/* RFC 1141: the sum of 16-bit words falls by 0x0100, so the checksum grows by it. */
	check = ip->check + (__u32)bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict forward_inner_ipv6(void *l3, void *end, struct inner *inner)
{
	struct ipv6hdr *ip = l3;

	if (l3 + sizeof(*ip) > end)
		return LB_DROP_INTERNAL;
	if (ip->hop_limit <= 1)
		return LB_DROP_TTL;
	inner->proto = IPPROTO_IPV6;
	inner->id_and_df = bpf_htonl(IPV4_DF);
	ip->hop_limit--;
	return LB_CONTINUE;
}

/* `outer`: size of the outer IP header; a constant in each call, so that one body serves both. */
static __always_inline enum lb_verdict forward_ipip(struct xdp_md *ctx, const struct packet *packet,
						    const struct lb_backend *backend,
						    const struct choice *choice, __u32 outer)
{
	struct inner inner = {.length = packet->l3_length, .traffic_class = packet->traffic_class};
	void *end = (void *)(long)ctx->data_end;
	void *l3 = forward_l3((void *)(long)ctx->data, packet);
	enum lb_verdict verdict;
	void *data;

	if (backend->mtu && packet->l3_length + outer > backend->mtu)
		return LB_DROP_TOO_BIG;
	verdict = packet->family == 4 ? forward_inner_ipv4(l3, end, packet, &inner)
				      : forward_inner_ipv6(l3, end, &inner);
	if (verdict != LB_CONTINUE)
		return verdict;

	/* The new link header comes to lie before the outer header, over the old one's place. */
	if (bpf_xdp_adjust_head(ctx, -(int)outer))
		return LB_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	l3 = forward_l3(data, packet);
	if (l3 + outer > end)
		return LB_DROP_INTERNAL;
	if (outer == sizeof(struct iphdr))
		encap_ipv4(l3, backend, &inner, choice->entropy);
	else
		encap_ipv6(l3, backend, &inner, choice->entropy);
	if (!forward_link(data, end, packet, backend,
			  outer == sizeof(struct iphdr) ? bpf_htons(ETH_P_IP)
							: bpf_htons(ETH_P_IPV6)))
		return LB_DROP_INTERNAL;
	return LB_FORWARDED;
}

/*
 * In UDP over an IP header of `outer` bytes. A function of its own, which costs the other ways of
 * forwarding nothing; `index`: of the backend, for pointers do not cross.
 */
LB_VERIFIED_ALONE int forward_gue(struct xdp_md *ctx, const struct packet *packet, __u32 index,
				  __u32 entropy, __u32 outer)
{
	const struct lb_backend *backend = bpf_map_lookup_elem(&backends, &index);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *l3;
	struct inner inner = {};
	enum lb_verdict verdict;
	bool four = outer == sizeof(struct iphdr);
	__u32 room = (four ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + sizeof(struct udphdr);
	bool summed;
	__u64 sum = 0;

	if (!packet || !backend)
		return LB_DROP_INTERNAL;
	if (backend->mtu && packet->l3_length + room > backend->mtu)
		return LB_DROP_TOO_BIG;
	l3 = forward_l3(data, packet);
	if (packet->family == 4) {
		verdict = forward_inner_ipv4(l3, end, packet, &inner);
		summed = verdict == LB_CONTINUE && !four && inner_sum_ipv4(l3, end, &sum);
	} else {
		verdict = forward_inner_ipv6(l3, end, &inner);
		summed = verdict == LB_CONTINUE && !four && inner_sum_ipv6(l3, end, &sum);
	}
	if (verdict != LB_CONTINUE)
		return verdict;
	inner.length = packet->l3_length + sizeof(struct udphdr);
	inner.traffic_class = packet->traffic_class;
	inner.proto = IPPROTO_UDP;

	if (bpf_xdp_adjust_head(ctx, -(int)room))
		return LB_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	l3 = forward_l3(data, packet);
	if (l3 + sizeof(struct ipv6hdr) + sizeof(struct udphdr) > end)
		return LB_DROP_INTERNAL;
	if (four) {
		encap_ipv4(l3, backend, &inner, entropy);
		encap_gue(l3 + sizeof(struct iphdr), backend, packet->l3_length, entropy);
	} else {
		encap_ipv6(l3, backend, &inner, entropy);
		encap_gue(l3 + sizeof(struct ipv6hdr), backend, packet->l3_length, entropy);
		if (summed)
			encap_gue_check(l3 + sizeof(struct ipv6hdr), l3, sum);
	}
	return forward_link(data, end, packet, backend,
			    four ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6))
		       ? LB_FORWARDED
		       : LB_DROP_INTERNAL;
}

static __always_inline enum lb_verdict forward_l2(struct xdp_md *ctx,
						  const struct lb_backend *backend)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return forward_macs(data, end, backend) ? LB_FORWARDED : LB_DROP_INTERNAL;
}

/* The largest packet of a client that fits the path to the backend. */
static __always_inline __u32 forward_mtu(const struct packet *packet,
					 const struct lb_backend *backend,
					 const struct choice *choice)
{
	__s32 outer = 0;

	switch (__builtin_expect(LB_STATUS_FORWARD(choice->status), LB_FORWARD_IPIP_V4)) {
	case LB_FORWARD_IPIP_V4:
		outer = sizeof(struct iphdr);
		break;
	case LB_FORWARD_IPIP_V6:
		outer = sizeof(struct ipv6hdr);
		break;
	case LB_FORWARD_GUE_V4:
		outer = sizeof(struct iphdr) + sizeof(struct udphdr);
		break;
	case LB_FORWARD_GUE_V6:
		outer = sizeof(struct ipv6hdr) + sizeof(struct udphdr);
		break;
	case LB_FORWARD_NAT_V4:
	case LB_FORWARD_NAT_V6:
		outer = nat_growth(packet->family, nat_family(choice->status));
		break;
	}
	return backend->mtu > outer ? (__u32)(backend->mtu - outer) : 0;
}

static __always_inline enum lb_verdict forward_nat(struct xdp_md *ctx, const struct packet *packet,
						   const struct choice *choice,
						   const struct lb_service *service)
{
	return nat_forward(ctx, packet, (__u64)service->pool << 32 | choice->index, choice->status,
			   choice->entropy);
}

static __always_inline enum lb_verdict forward(struct xdp_md *ctx, const struct packet *packet,
					       const struct lb_backend *backend,
					       const struct choice *choice,
					       const struct lb_service *service)
{
	switch (LB_STATUS_FORWARD(choice->status)) {
	case LB_FORWARD_IPIP_V4:
		return forward_ipip(ctx, packet, backend, choice, sizeof(struct iphdr));
	case LB_FORWARD_IPIP_V6:
		return forward_ipip(ctx, packet, backend, choice, sizeof(struct ipv6hdr));
	case LB_FORWARD_L2:
		return forward_l2(ctx, backend);
	case LB_FORWARD_GUE_V4:
		return forward_gue(ctx, packet, choice->index, choice->entropy,
				   sizeof(struct iphdr));
	case LB_FORWARD_GUE_V6:
		return forward_gue(ctx, packet, choice->index, choice->entropy,
				   sizeof(struct ipv6hdr));
	case LB_FORWARD_NAT_V4:
	case LB_FORWARD_NAT_V6:
		return forward_nat(ctx, packet, choice, service);
	default:
		return LB_DROP_INTERNAL;
	}
}

#endif
