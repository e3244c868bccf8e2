/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * finish: checksums that the sender left to hardware which is not there. A frame that another
 * system on this machine sent (veth, tap, virtio) may carry in place of the TCP or UDP checksum
 * that of the pseudo-header alone; a mark beside the frame says so to the kernel, but not to XDP,
 * and what XDP sends has no such mark. Only where an interface is of that kind (lbload attach
 * knows) is this in the program.
 *
 * No mark is needed to tell: of finished checksums one in 65,536 happens to equal that of the
 * pseudo-header, and what is then made of it is the same again.
 */
#ifndef LB_FINISH_H
#define LB_FINISH_H

#include "checksum.h"
#include "env.h"
#include "flow_table.h"
#include "parse.h"

struct finish_walk {
	struct xdp_md *ctx;
	__u32 at;  /* offset in the frame */
	__u32 end; /* where the packet ends */
	__u32 sum;
	__u32 failed;
};

enum {
	/* What the kernel adds up in one call. Even, so that pieces add up like the whole. */
	FINISH_STEP = 512,
	FINISH_STEPS = IP_LENGTH_MAX / FINISH_STEP + 1,
};

static long finish_step(__u32 number __attribute__((unused)), void *context)
{
	struct finish_walk *walk = context;
	__u32 left = walk->end - walk->at, zero = 0;
	struct lb_scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

	if (!left)
		return 1;
	walk->failed = 1;
	if (!scratch)
		return 1;
	/* By way of a map the verifier does not follow where the number comes from, which would
	 * have it tell every step from every other. */
	STORE_ONCE(*(__u32 *)scratch->bytes, left);
	left = size_below(LOAD_ONCE(*(__u32 *)scratch->bytes), FINISH_STEP);
	/* The last word is filled up with zeros. */
	*(__u32 *)(scratch->bytes + ((left - 1) & (FINISH_STEP - 4))) = 0;
	if (bpf_xdp_load_bytes(walk->ctx, walk->at, scratch->bytes, left))
		return 1;
	walk->failed = 0;
	walk->sum = bpf_csum_diff(NULL, 0, (void *)scratch->bytes, (left + 3) & ~3U, walk->sum);
	walk->at += left;
	return 0;
}

/* Where the checksum is in the frame, or 0: the packet has none, or is but a part. */
static __always_inline __u32 finish_offset(const struct packet *packet)
{
	if (packet->part != PACKET_WHOLE || packet->quoted)
		return 0;
	if (packet->proto == IPPROTO_TCP)
		return packet->l4_offset + offsetof(struct tcphdr, check);
	return packet->proto == IPPROTO_UDP ? packet->l4_offset + offsetof(struct udphdr, check)
					    : 0;
}

/* Of the pseudo-header, folded: what the sender of an unfinished checksum left. */
static __always_inline __u16 finish_pseudo(const struct packet *packet)
{
	__u64 sum = bpf_htonl(packet_left(packet)) + (__u64)bpf_htonl(packet->proto);

	if (packet->family == 4)
		return checksum_fold(sum + packet->flow.v4.source + packet->flow.v4.destination);
	return checksum_fold(sum + checksum_sum_v6(packet->flow.v6.source.v6) +
			     checksum_sum_v6(packet->flow.v6.destination.v6));
}

/* LB_CONTINUE, whether there was something to finish or not. */
LB_VERIFIED_ALONE int finish(struct xdp_md *ctx, const struct packet *packet)
{
	struct finish_walk walk = {.ctx = ctx};
	__u32 offset;
	__u16 *check;

	if (!packet)
		return LB_DROP_INTERNAL;
	offset = finish_offset(packet);
	check = (void *)(long)ctx->data + (offset & HEADERS_MASK);
	if (!offset || (void *)(check + 1) > (void *)(long)ctx->data_end)
		return LB_CONTINUE;
	if (*check != finish_pseudo(packet))
		return LB_CONTINUE;
	walk.at = packet->l4_offset;
	walk.end = packet->l3_offset + packet->l3_length;
	bpf_loop(FINISH_STEPS, finish_step, &walk, 0);
	check = (void *)(long)ctx->data + (offset & HEADERS_MASK);
	if (walk.failed || (void *)(check + 1) > (void *)(long)ctx->data_end)
		return LB_CONTINUE;
	*check = ~checksum_fold(walk.sum);
	/* Of UDP, where zero says that there is none; to TCP both are the same. */
	if (!*check)
		*check = 0xffff;
	return LB_CONTINUE;
}

#endif
