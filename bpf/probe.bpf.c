/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe: lets checks take the way that traffic takes. lbd connects to the VIP with a mark on its
 * socket; here, where the packet leaves the host, the mark names the backend, and the packet goes
 * to that one as forward.h would have sent it: from the same entry of `backends`, in the same outer
 * header, to the same next hop. The answer comes straight to the address that lbd asked from.
 *
 * On the egress of each interface that the balancer's program is on, and of `lo`, where packets to
 * a VIP go that is the host's own. All other packets pass untouched, and cost the look at their
 * mark.
 *
 * A backend that is down is probed too, so its flags do not matter here.
 */
#include <linux/pkt_cls.h>

#include "encap.h"
#include "env.h"

/* Set before load: LB_PROBE_MARK of the instance. */
const volatile __u32 probe_mark;

/* What outer headers are to say of the packet, and what it adds up to (see encap.h), if that can be
 * told. False if it is no IP packet. */
static __always_inline bool inner_read(struct __sk_buff *skb, struct inner *inner, __u64 *sum,
				       bool *summed)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *v4 = data + sizeof(struct ethhdr);
	struct ipv6hdr *v6 = data + sizeof(struct ethhdr);

	if (skb->protocol == bpf_htons(ETH_P_IP) && (void *)(v4 + 1) <= end) {
		inner->length = bpf_ntohs(v4->tot_len);
		inner->traffic_class = v4->tos;
		inner->proto = IPPROTO_IPIP;
		inner->id_and_df = ((__be32 *)v4)[1] & bpf_htonl(0xffff0000 | IPV4_DF);
		*summed = inner_sum_ipv4(v4, end, sum);
		return true;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && (void *)(v6 + 1) <= end) {
		inner->length = bpf_ntohs(v6->payload_len) + sizeof(*v6);
		inner->traffic_class = bpf_ntohl(*(__be32 *)v6) >> 20;
		inner->proto = IPPROTO_IPV6;
		inner->id_and_df = bpf_htonl(IPV4_DF);
		*summed = inner_sum_ipv6(v6, end, sum);
		return true;
	}
	return false;
}

static __always_inline enum lb_probe_end
next_hop_write(struct __sk_buff *skb, const struct lb_backend *backend, __be16 proto)
{
	struct ethhdr *ethernet = (void *)(long)skb->data;

	if ((void *)(ethernet + 1) > (void *)(long)skb->data_end)
		return LB_PROBE_INTERNAL;
	__builtin_memcpy(ethernet->h_dest, backend->destination_mac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, backend->source_mac, ETH_ALEN);
	ethernet->h_proto = proto;
	return LB_PROBE_SENT;
}

/* `outer`: size of the outer IP header, and whether GUE's UDP header is behind it; constants in
 * each call. */
static __always_inline enum lb_probe_end
encapsulate(struct __sk_buff *skb, const struct lb_backend *backend, __u32 outer, bool gue)
{
	bool v4 = outer == sizeof(struct iphdr), summed = false;
	__u32 entropy = bpf_get_hash_recalc(skb), room = outer + (gue ? sizeof(struct udphdr) : 0);
	__u64 flags = (v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) |
		      (gue ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0);
	struct inner inner = {};
	__u64 sum = 0;
	__u16 length;
	void *l3;

	if (!inner_read(skb, &inner, &sum, &summed))
		return LB_PROBE_INTERNAL;
	length = inner.length;
	/* What the host has yet to cut into segments is cut to fit. */
	if (!skb->gso_size && backend->mtu && length + room > backend->mtu)
		return LB_PROBE_TOO_BIG;
	if (bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, flags))
		return LB_PROBE_INTERNAL;
	l3 = (void *)(long)skb->data + sizeof(struct ethhdr);
	if (l3 + room > (void *)(long)skb->data_end)
		return LB_PROBE_INTERNAL;
	if (gue) {
		inner.length += sizeof(struct udphdr);
		inner.proto = IPPROTO_UDP;
		encap_gue(l3 + outer, backend, length, entropy);
	}
	if (v4)
		encap_ipv4(l3, backend, &inner, entropy);
	else
		encap_ipv6(l3, backend, &inner, entropy);
	/* Of segments that are not cut yet nothing can be said. */
	if (gue && !v4 && summed && !skb->gso_size)
		encap_gue_check(l3 + outer, l3, sum);
	return next_hop_write(skb, backend, v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6));
}

static __always_inline enum lb_probe_end probe_send(struct __sk_buff *skb,
						    const struct lb_backend *backend, bool plain)
{
	if (!backend->ifindex)
		return LB_PROBE_NO_HOP;
	/* Of the interface that the kernel meant the packet for. */
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return LB_PROBE_INTERNAL;
	if (bpf_skb_pull_data(skb, sizeof(struct ethhdr) +
					   (skb->protocol == bpf_htons(ETH_P_IPV6)
						    ? sizeof(struct ipv6hdr)
						    : sizeof(struct iphdr)) +
					   sizeof(struct udphdr)))
		return LB_PROBE_INTERNAL;
	if (plain)
		return next_hop_write(skb, backend, skb->protocol);
	switch (LB_STATUS_FORWARD(backend->status)) {
	case LB_FORWARD_IPIP_V4:
		return encapsulate(skb, backend, sizeof(struct iphdr), false);
	case LB_FORWARD_IPIP_V6:
		return encapsulate(skb, backend, sizeof(struct ipv6hdr), false);
	case LB_FORWARD_GUE_V4:
		return encapsulate(skb, backend, sizeof(struct iphdr), true);
	case LB_FORWARD_GUE_V6:
		return encapsulate(skb, backend, sizeof(struct ipv6hdr), true);
	case LB_FORWARD_L2:
		return next_hop_write(skb, backend, skb->protocol);
	default:
		return LB_PROBE_NO_BACKEND;
	}
}

SEC("tc")
int limpet_probe(struct __sk_buff *skb)
{
	__u32 index = skb->mark & LB_PROBE_INDEX_MASK;
	const struct lb_backend *backend;
	struct lb_probe *counts;
	enum lb_probe_end end;
	bool plain;

	if ((skb->mark & LB_PROBE_MARK_MASK) != probe_mark)
		return TC_ACT_UNSPEC;
	backend = bpf_map_lookup_elem(&backends, &index);
	counts = bpf_map_lookup_elem(&probes, &index);
	if (!backend || !counts)
		return TC_ACT_SHOT;
	/* Else the packet would meet this program again on the interface it is sent to. */
	plain = skb->mark & LB_PROBE_PLAIN;
	skb->mark = 0;
	end = probe_send(skb, backend, plain);
	if ((__u32)end >= LB_PROBE_END_COUNT)
		return TC_ACT_SHOT;
	__sync_fetch_and_add(&counts->ends[end], 1);
	if (end != LB_PROBE_SENT)
		return TC_ACT_SHOT;
	return backend->ifindex == skb->ifindex ? TC_ACT_OK : bpf_redirect(backend->ifindex, 0);
}

char probe_license[] SEC("license") = "Dual BSD/GPL";
