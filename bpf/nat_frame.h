/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat_frame: what NAT does to a frame whatever is in it: headers written, room made or taken, sums
 * over what lies behind. Neighbours: nat.h and nat_icmp.h know what the packet is.
 */
#ifndef LB_NAT_FRAME_H
#define LB_NAT_FRAME_H

#include "checksum.h"
#include "env.h"
#include "nat_scratch.h"
#include "nat_table.h"
#include "parse.h"

static __always_inline __u32 nat_l3(const struct packet *packet)
{
	return packet->l3_offset & HEADERS_MASK;
}

static __always_inline __u32 nat_l4(const struct packet *packet)
{
	return packet->l4_offset & HEADERS_MASK;
}

/* ---- checksums ---- */

static __always_inline __u64 nat_sum_of_flow(const struct packet *packet)
{
	if (packet->family == 4)
		return (__u64)packet->flow.v4.source + packet->flow.v4.destination;
	return checksum_sum_v6(packet->flow.v6.source.v6) +
	       checksum_sum_v6(packet->flow.v6.destination.v6);
}

/* What the pseudo-header changes by; length and protocol do not. Which address is whose does not
 * matter, and so it is the same for a packet that an error quotes, which goes the other way. */
static __always_inline __u64 nat_difference(const struct packet *packet, const struct rewrite *to)
{
	return checksum_difference(nat_sum_of_flow(packet),
				   checksum_sum_address(to->family, &to->source) +
					   checksum_sum_address(to->family, &to->destination));
}

static long nat_sum_chunk(__u32 n, struct xdp_md **ctx)
{
	struct nat_scratch *scratch = nat_scratch();
	struct nat_sum *run;
	__u64 sum;
	__u32 size;

	(void)n;
	if (!scratch)
		return 1;
	run = &scratch->sum;
	if (!run->left)
		return 1;
	size = size_below(run->left, NAT_SUM_CHUNK);
	__builtin_memset(run->words, 0, sizeof(run->words));
	if (bpf_xdp_load_bytes(*ctx, run->offset, run->words, size))
		return 1;
	sum = run->sum;
#pragma clang loop unroll(disable) /* all words at once would not fit the stack of Linux 6.1 */
	for (int i = 0; i < NAT_SUM_CHUNK / 4; i++)
		sum += run->words[i];
	run->sum = sum;
	run->offset += size;
	run->left -= size;
	return 0;
}

/* The checksum of `length` bytes at `offset`, whose own checksum field is zero, and, unless `proto`
 * is 0, of the pseudo-header by the addresses of `to`. 0: they could not be read. */
LB_VERIFIED_ALONE int nat_checksum(struct xdp_md *ctx, __u32 offset, __u32 length,
				   const struct rewrite *to, __u32 proto)
{
	struct nat_scratch *scratch = nat_scratch();
	struct nat_sum *run;
	__u16 check;

	if (!to || !scratch)
		return 0;
	run = &scratch->sum;
	run->offset = offset;
	run->left = length;
	run->sum = 0;
	if (proto)
		run->sum = checksum_sum_address(to->family, &to->source) +
			   checksum_sum_address(to->family, &to->destination) + bpf_htons(length) +
			   bpf_htons(proto);
	bpf_loop((length + NAT_SUM_CHUNK - 1) / NAT_SUM_CHUNK, nat_sum_chunk, &ctx, 0);
	if (run->left)
		return 0;
	check = ~checksum_fold(run->sum);
	return check ? check : 0xffff;
}

/* ---- headers ---- */

/* An IP header to be written. */
struct nat_header {
	const union lb_addr *source;
	const union lb_addr *destination;
	__u32 id_and_df; /* host order; IPv4 */
	__u32 payload;   /* bytes behind it */
	__u8 traffic_class;
	__u8 hops;
	__u8 proto;
};

static __always_inline void nat_put_ipv4(__u32 *ip, const struct nat_header *header)
{
	__u64 sum;

	ip[0] = bpf_htonl(4U << 28 | 5U << 24 | (__u32)header->traffic_class << 16 |
			  (header->payload + sizeof(struct iphdr)));
	ip[1] = bpf_htonl(header->id_and_df);
	ip[2] = bpf_htonl((__u32)header->hops << 24 | (__u32)header->proto << 16);
	ip[3] = header->source->v4;
	ip[4] = header->destination->v4;
	sum = (__u64)ip[0] + ip[1] + ip[2] + ip[3] + ip[4];
	/* The checksum is the last two bytes of its word. */
	ip[2] |= bpf_htonl(bpf_ntohs((__u16)~checksum_fold(sum)));
}

static __always_inline void nat_put_ipv6(__u32 *ip, const struct nat_header *header)
{
	ip[0] = bpf_htonl(6U << 28 | (__u32)header->traffic_class << 20);
	ip[1] = bpf_htonl(header->payload << 16 | (__u32)header->proto << 8 | header->hops);
	__builtin_memcpy(&ip[2], header->source, sizeof(*header->source));
	__builtin_memcpy(&ip[6], header->destination, sizeof(*header->destination));
}

/* What a packet without options or extension headers becomes longer by. */
static __always_inline __s32 nat_growth(__u8 family, __u8 to)
{
	return to == family ? 0 : to == 6 ? 20 : -20;
}

/* Makes the frame shorter by `less` bytes (longer if negative) and keeps VLAN tags, which lie
 * between the MACs and what names the IP header. */
static __always_inline bool nat_resize(struct xdp_md *ctx, int less, const struct packet *packet)
{
	void *data, *end;

	if (bpf_xdp_adjust_head(ctx, less))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) + sizeof(packet->tags) > end)
		return false;
	if (packet->l3_offset > sizeof(struct ethhdr))
		__builtin_memcpy(data + 2 * ETH_ALEN, &packet->tags[0], sizeof(packet->tags[0]));
	if (packet->l3_offset > sizeof(struct ethhdr) + sizeof(packet->tags[0]))
		__builtin_memcpy(data + 2 * ETH_ALEN + sizeof(packet->tags[0]), &packet->tags[1],
				 sizeof(packet->tags[1]));
	return true;
}

#endif
