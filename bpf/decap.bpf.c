/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * decap: the backend's side of the tunnel, for hosts without tunnel devices: takes the outer header
 * off IPIP (all four pairs of families) and GUE packets and lets the local stack have the inner
 * one.
 *
 * A frame's way: link -> outer header -> (UDP and GUE) -> inner header -> congestion mark -> strip.
 * Each step continues or ends in a named way; decap_abi.h lists the ends. Stands alone: shares
 * nothing with the balancer but the words.
 *
 * Frames to another host's MAC may be stripped too (a switch that floods); they keep that MAC, and
 * the stack drops them as it would have done. What is a tunnel packet and cannot be stripped is
 * dropped here, because the stack has nothing that could make more of it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "decap_abi.h"

enum {
	IPV4_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	VLAN_TAGS_MAX = 2,
	ECN_MASK = 3,
	ECN_NOT_ECT = 0,
	ECN_ECT_1 = 1,
	ECN_ECT_0 = 2,
	ECN_CE = 3,
	GUE_CONTROL = 1 << 5,  /* of the first byte */
	GUE_WORDS_MASK = 0x1f, /* of the first byte: optional fields, in words */
};

/* Set before load. */
const volatile __be16 gue_port = bpf_htons(6080);
const volatile bool check_local; /* only packets to an address in `locals` */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_END_COUNT);
	__type(key, __u32);
	__type(value, struct decap_counter);
} decap_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct decap_address);
	__type(value, __u8);
} decap_locals SEC(".maps");

/* In a dispatcher: early, for the others want the inner packet, and what we let pass is theirs. */
struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(limpet_decap);

struct vlan_tag {
	__be16 tci;
	__be16 protocol;
};

/* What is known of a frame on its way. `at` only moves forward. */
struct frame {
	void *at;
	void *end;
	void *network;   /* the outer IP header */
	__u32 length;    /* of the whole frame, which may go on behind `end` */
	__u32 link_size; /* Ethernet header and tags */
	__be16 protocol; /* of what follows the link header */
	__u16 payload;   /* bytes from `at` to the end of the outer packet */
	__u8 next;       /* IP protocol at `at` */
	__u8 ecn;        /* of the outer header */
	bool gue;
};

static __always_inline enum decap_end link_parse(struct frame *f)
{
	struct ethhdr *ethernet = f->at;

	if ((void *)(ethernet + 1) > f->end)
		return DECAP_OTHER;
	f->protocol = ethernet->h_proto;
	f->at = ethernet + 1;
	f->link_size = sizeof(*ethernet);
#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		struct vlan_tag *tag = f->at;

		if (f->protocol != bpf_htons(ETH_P_8021Q) && f->protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > f->end)
			return DECAP_OTHER;
		f->protocol = tag->protocol;
		f->at = tag + 1;
		f->link_size += sizeof(*tag);
	}
	f->network = f->at;
	return DECAP_CONTINUE;
}

/* ---- the outer header ---- */

static __always_inline bool is_tunnel(const struct frame *f)
{
	return f->next == IPPROTO_IPIP || f->next == IPPROTO_IPV6;
}

/* Whether the UDP header at `at` says GUE; not when it is cut off. */
static __always_inline bool is_gue(const struct frame *f)
{
	const struct udphdr *udp = f->at;

	return f->next == IPPROTO_UDP && (void *)(udp + 1) <= f->end && udp->dest == gue_port;
}

static __always_inline bool is_local(__u8 family, const void *address, unsigned int size)
{
	struct decap_address key = {.family = family};

	if (!check_local)
		return true;
	__builtin_memcpy(key.bytes, address, size);
	return bpf_map_lookup_elem(&decap_locals, &key) != NULL;
}

/* A good header adds up to all ones (RFC 1071); the stack will not look at this one any more. */
static __always_inline bool ipv4_sum_good(const struct iphdr *ip, const void *end)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (unsigned int i = 0; i < 30; i++) {
		if (i >= ip->ihl * 2U)
			break;
		if ((const void *)(word + i + 1) > end)
			return false;
		sum += word[i];
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static __always_inline enum decap_end ipv4_parse(struct frame *f)
{
	struct iphdr *ip = f->at;
	__u32 size, total;

	if ((void *)(ip + 1) > f->end)
		return DECAP_OTHER;
	size = ip->ihl * 4U;
	total = bpf_ntohs(ip->tot_len);
	f->next = ip->protocol;
	f->ecn = ip->tos & ECN_MASK;
	f->at = (void *)ip + size;
	if (!is_tunnel(f) && !is_gue(f))
		return DECAP_OTHER;
	if (!is_local(4, &ip->daddr, sizeof(ip->daddr)))
		return DECAP_NOT_LOCAL;
	if (ip->version != 4 || size < sizeof(*ip) || total < size)
		return DECAP_DROP_BAD_OUTER;
	if (total + f->link_size > f->length)
		return DECAP_DROP_TRUNCATED;
	if (!ipv4_sum_good(ip, f->end))
		return DECAP_DROP_BAD_OUTER;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return DECAP_DROP_FRAGMENT;
	f->payload = total - size;
	return DECAP_CONTINUE;
}

static __always_inline enum decap_end ipv6_parse(struct frame *f)
{
	struct ipv6hdr *ip = f->at;
	__u32 total, options = 0;

	if ((void *)(ip + 1) > f->end)
		return DECAP_OTHER;
	total = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	f->next = ip->nexthdr;
	f->ecn = bpf_ntohs(*(__be16 *)ip) >> 4 & ECN_MASK;
	f->at = ip + 1;
	/* RFC 2473 tunnels put their encapsulation limit here. */
	if (f->next == IPPROTO_DSTOPTS) {
		struct ipv6_opt_hdr *header = f->at;

		if ((void *)(header + 1) > f->end)
			return DECAP_OTHER;
		options = 8 + header->hdrlen * 8U;
		f->next = header->nexthdr;
		f->at += options;
	}
	if (!is_tunnel(f) && !is_gue(f))
		return DECAP_OTHER;
	if (!is_local(6, &ip->daddr, sizeof(ip->daddr)))
		return DECAP_NOT_LOCAL;
	if (ip->version != 6 || total < sizeof(*ip) + options)
		return DECAP_DROP_BAD_OUTER;
	if (total + f->link_size > f->length)
		return DECAP_DROP_TRUNCATED;
	f->payload = total - sizeof(*ip) - options;
	return DECAP_CONTINUE;
}

/*
 * Behind the UDP header. Two bits of version: in version 1 an IP header follows at once, and they
 * are the first ones of its own version, 4 or 6. Version 0 has a header with the protocol.
 */
static __always_inline enum decap_end gue_parse(struct frame *f)
{
	struct udphdr *udp = f->at;
	__u8 *gue;
	__u32 size, length;

	if (f->next != IPPROTO_UDP)
		return DECAP_CONTINUE;
	gue = (void *)(udp + 1);
	if ((void *)(gue + 4) > f->end)
		return DECAP_DROP_TRUNCATED;
	length = bpf_ntohs(udp->len);
	if (length < sizeof(*udp) || length > f->payload)
		return DECAP_DROP_BAD_OUTER;
	f->gue = true;
	f->payload = length - sizeof(*udp);
	f->at = gue;
	if (gue[0] >> 6 == 1) {
		f->next = gue[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
		return gue[0] >> 4 == 4 || gue[0] >> 4 == 6 ? DECAP_CONTINUE : DECAP_DROP_GUE;
	}
	f->next = gue[1];
	if (gue[0] >> 6 || gue[0] & GUE_CONTROL || !is_tunnel(f))
		return DECAP_DROP_GUE;
	size = 4 + (gue[0] & GUE_WORDS_MASK) * 4U;
	if (size > f->payload)
		return DECAP_DROP_BAD_OUTER;
	f->payload -= size;
	f->at += size;
	return DECAP_CONTINUE;
}

/* ---- the inner header ---- */

/* RFC 6040, section 4.2: what the inner packet's mark becomes, or -1 to drop it. */
static __always_inline int ecn_merge(__u8 inner, __u8 outer)
{
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? -1 : ECN_CE;
	if (outer == ECN_ECT_1 && inner == ECN_ECT_0)
		return ECN_ECT_1;
	return inner;
}

static __always_inline enum decap_end inner_ipv4(struct frame *f)
{
	struct iphdr *ip = f->at;
	__u32 total, sum;
	int ecn;

	if ((void *)(ip + 1) > f->end)
		return DECAP_DROP_TRUNCATED;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4U || total > f->payload)
		return DECAP_DROP_BAD_INNER;
	ecn = ecn_merge(ip->tos & ECN_MASK, f->ecn);
	if (ecn < 0)
		return DECAP_DROP_ECN;
	if (ecn != (ip->tos & ECN_MASK)) {
		__be16 *word = (void *)ip;
		__be16 before = *word;

		ip->tos = (ip->tos & ~ECN_MASK) | ecn;
		/* RFC 1624, equation 3 */
		sum = (__u16)~ip->check + (__u32)(__u16)~before + *word;
		sum = (sum & 0xffff) + (sum >> 16);
		ip->check = ~((sum & 0xffff) + (sum >> 16));
	}
	return f->gue                               ? DECAP_IPV4_IN_GUE
	       : f->protocol == bpf_htons(ETH_P_IP) ? DECAP_IPV4_IN_IPV4
						    : DECAP_IPV4_IN_IPV6;
}

static __always_inline enum decap_end inner_ipv6(struct frame *f)
{
	struct ipv6hdr *ip = f->at;
	__be16 *word = f->at;
	int ecn;

	if ((void *)(ip + 1) > f->end)
		return DECAP_DROP_TRUNCATED;
	if (ip->version != 6 || sizeof(*ip) + bpf_ntohs(ip->payload_len) > f->payload)
		return DECAP_DROP_BAD_INNER;
	ecn = ecn_merge(bpf_ntohs(*word) >> 4 & ECN_MASK, f->ecn);
	if (ecn < 0)
		return DECAP_DROP_ECN;
	*word = (*word & bpf_htons(~(ECN_MASK << 4))) | bpf_htons(ecn << 4);
	return f->gue                               ? DECAP_IPV6_IN_GUE
	       : f->protocol == bpf_htons(ETH_P_IP) ? DECAP_IPV6_IN_IPV4
						    : DECAP_IPV6_IN_IPV6;
}

/* Moves the link header up to the inner one. `end` is what the frame counts as if that works. */
static __always_inline enum decap_end strip(struct xdp_md *ctx, const struct frame *f,
					    enum decap_end end)
{
	__u32 size = f->at - f->network;
	__be16 protocol = bpf_htons(f->next == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6);
	struct vlan_tag tags[VLAN_TAGS_MAX] = {};
	struct ethhdr *ethernet = (void *)(long)ctx->data, saved;
	struct vlan_tag *tag;

	if ((void *)(ethernet + 1) > f->end)
		return DECAP_DROP_INTERNAL;
	saved = *ethernet;
	tag = (void *)(ethernet + 1);
#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++)
		if (f->link_size > sizeof(saved) + i * sizeof(*tag) &&
		    (void *)(tag + i + 1) <= f->end)
			tags[i] = tag[i];
	if (bpf_xdp_adjust_head(ctx, size))
		return DECAP_DROP_INTERNAL;
	ethernet = (void *)(long)ctx->data;
	tag = (void *)(ethernet + 1);
	if ((void *)(tag + VLAN_TAGS_MAX) > (void *)(long)ctx->data_end)
		return DECAP_DROP_INTERNAL;
	*ethernet = saved;
	if (f->link_size == sizeof(saved)) {
		ethernet->h_proto = protocol;
	} else if (f->link_size == sizeof(saved) + sizeof(*tag)) {
		tag[0] = tags[0];
		tag[0].protocol = protocol;
	} else {
		tag[0] = tags[0];
		tag[1] = tags[1];
		tag[1].protocol = protocol;
	}
	return end;
}

/* ---- entry ---- */

static __always_inline enum decap_end decap(struct xdp_md *ctx)
{
	struct frame f = {.at = (void *)(long)ctx->data,
			  .end = (void *)(long)ctx->data_end,
			  .length = bpf_xdp_get_buff_len(ctx)};
	enum decap_end end = link_parse(&f);

	if (!end && f.protocol == bpf_htons(ETH_P_IP))
		end = ipv4_parse(&f);
	else if (!end && f.protocol == bpf_htons(ETH_P_IPV6))
		end = ipv6_parse(&f);
	else
		return DECAP_OTHER;
	if (!end)
		end = gue_parse(&f);
	if (end)
		return end;
	end = f.next == IPPROTO_IPIP ? inner_ipv4(&f) : inner_ipv6(&f);
	return end >= DECAP_DROP_TRUNCATED ? end : strip(ctx, &f, end);
}

static __always_inline int action(enum decap_end end)
{
	return end >= DECAP_DROP_TRUNCATED ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int limpet_decap(struct xdp_md *ctx)
{
	__u32 size = bpf_xdp_get_buff_len(ctx), end = decap(ctx);
	struct decap_counter *counter = bpf_map_lookup_elem(&decap_counts, &end);

	if (counter) {
		counter->packets++;
		counter->bytes += size;
	}
	return action(end);
}

char decap_license[] SEC("license") = "Dual BSD/GPL";
