/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.bpf: the packet programs around the one that is measured. Knows nothing of the balancer.
 *
 *   generate   in live-frames mode, at the near end of a veth: writes a packet of the next flow
 *   reflect    floor: swaps the MACs and sends the frame back
 *   encap_v4   floor: the same with a constant outer IPv4 header (encap_v6: IPv6)
 *   pass       floor: leaves the frame to the kernel at once
 *   sink       at the near end: counts what came back, and drops it
 *   loop       calls the program in `under_test` for BENCH_LOOP packets, without devices
 *
 * Live frames come round again as they were left, and so does the loop's. So every packet is
 * written anew from end to end; one that kept an outer header would take another, cheaper way.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "traffic.h"

struct bench_traffic traffic;
struct bench_state states[BENCH_CPUS] __attribute__((aligned(64)));

/* The floors' constant outer headers. */
__u32 outer_v4[sizeof(struct iphdr) / 4];
__u32 outer_v6[sizeof(struct ipv6hdr) / 4];

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_seen);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* ---- packets ---- */

static __always_inline __u32 next_flow(void)
{
	struct bench_state *state = &states[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)];
	__u32 flow = state->position;
	__u64 random = state->random;

	if (traffic.in_order) {
		state->position = flow + 1 < traffic.flows ? flow + 1 : 0;
		return flow;
	}
	/* Marsaglia, "Xorshift RNGs", 2003. */
	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	state->random = random;
	return (random >> 32) * traffic.flows >> 32;
}

/* In words: the compiler, which knows no alignment here, would copy bytes. */
static __always_inline void copy_words(void *to, const void *from, __u32 size)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < size / 8; i++)
		((__u64 *)to)[i] = ((const __u64 *)from)[i];
}

static __always_inline __be16 flow_port(__u32 flow)
{
	return bpf_htons(0x8000 | (flow & 0x7fff));
}

/* Always the same one for a flow. */
static __always_inline __u32 flow_service(__u32 flow)
{
	return (__u64)(flow * 0x9e3779b1U) * traffic.services >> 32;
}

static __always_inline void vary_v4(struct iphdr *ip, __u32 flow)
{
	struct tcphdr *tcp = (void *)(ip + 1);
	__be32 source = bpf_htonl(bpf_ntohl(ip->saddr) + flow);
	__be32 destination = bpf_htonl(bpf_ntohl(ip->daddr) + flow_service(flow));
	__u64 sum = (__u64)traffic.checksum + source + destination;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->saddr = source;
	ip->daddr = destination;
	ip->check = ~sum;
	tcp->source = flow_port(flow);
}

static __always_inline bool write_v4(void *data, void *end, __u32 flow)
{
	if (data + BENCH_FRAME_V4 > end)
		return false;
	copy_words(data, traffic.frame, BENCH_FRAME_V4);
	if (traffic.flows)
		vary_v4(data + sizeof(struct ethhdr), flow);
	return true;
}

static __always_inline bool write_v6(void *data, void *end, __u32 flow)
{
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);

	if (data + BENCH_FRAME_V6 > end)
		return false;
	copy_words(data, traffic.frame, BENCH_FRAME_V6);
	if (!traffic.flows)
		return true;
	ip->saddr.s6_addr32[3] = bpf_htonl(flow);
	tcp->source = flow_port(flow);
	return true;
}

static __always_inline bool write_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 flow = next_flow();

	return traffic.family == 4 ? write_v4(data, end, flow) : write_v6(data, end, flow);
}

static __always_inline bool looks_right(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 ethertype;

	if (data + BENCH_FRAME_V4 > end || end - data != traffic.length)
		return false;
	ethertype = *(__be16 *)(data + 2 * ETH_ALEN);
	data += sizeof(struct ethhdr);
	return ethertype == traffic.ethertype &&
	       traffic.outer_proto == (ethertype == bpf_htons(ETH_P_IP)
					       ? ((struct iphdr *)data)->protocol
					       : ((struct ipv6hdr *)data)->nexthdr);
}

static __always_inline void count(bool good)
{
	__u32 zero = 0;
	struct bench_seen *counter = bpf_map_lookup_elem(&seen, &zero);

	if (!counter)
		return;
	if (good)
		counter->good++;
	else
		counter->other++;
}

/* ---- around the program that is measured ---- */

SEC("xdp.frags")
int generate(struct xdp_md *ctx)
{
	return write_packet(ctx) ? XDP_TX : XDP_ABORTED;
}

SEC("xdp.frags")
int sink(struct xdp_md *ctx)
{
	count(looks_right(ctx));
	return XDP_DROP;
}

static __always_inline long frame_length(struct xdp_md *ctx)
{
	long length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	/* The verifier forbids the 32-bit subtraction that the compiler would make of it. */
	asm volatile("" : "+r"(length));
	return length;
}

/* A tail call out of a subprogram comes back to the subprogram's caller. */
static __attribute__((noinline)) int call_under_test(struct xdp_md *ctx)
{
	volatile int none = -1; /* else the compiler takes -1 for the only result */

	bpf_tail_call(ctx, &under_test, 0);
	return none;
}

SEC("xdp.frags")
int loop(struct xdp_md *ctx)
{
	long size = traffic.family == 4 ? BENCH_FRAME_V4 : BENCH_FRAME_V6;

	/* In 64 bits: of the stack the verifier remembers whole words alone. */
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < BENCH_LOOP; i++) {
		__u32 action;

		if (!write_packet(ctx))
			return XDP_ABORTED;
		action = call_under_test(ctx);
		count(action == traffic.action && looks_right(ctx));
		/* Always, so that what puts the head back costs every program the same. */
		if (bpf_xdp_adjust_head(ctx, frame_length(ctx) - size))
			return XDP_ABORTED;
	}
	return XDP_PASS;
}

/* ---- floors ---- */

SEC("xdp.frags")
int pass(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

/* Both addresses, in words for the same reason. */
struct macs {
	__u64 first;
	__u32 rest;
};

static __always_inline struct macs macs_swapped(const void *data)
{
	__u64 first = *(const __u64 *)data;
	__u32 rest = *(const __u32 *)(data + 8);

	return (struct macs){.first = first >> 48 | (__u64)rest << 16 | first << 48,
			     .rest = first >> 16};
}

static __always_inline void macs_write(void *data, struct macs macs)
{
	*(__u64 *)data = macs.first;
	*(__u32 *)(data + 8) = macs.rest;
}

SEC("xdp.frags")
int reflect(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + sizeof(struct ethhdr) > end)
		return XDP_ABORTED;
	macs_write(data, macs_swapped(data));
	return XDP_TX;
}

static __always_inline int reflect_encap(struct xdp_md *ctx, const __u32 *header, __u32 outer,
					 __be16 ethertype)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct macs macs;
	__u32 *ip;

	if (data + sizeof(struct ethhdr) > end)
		return XDP_ABORTED;
	macs = macs_swapped(data);
	if (bpf_xdp_adjust_head(ctx, -(int)outer))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = data + sizeof(struct ethhdr);
	if ((void *)ip + outer > end)
		return XDP_ABORTED;
	macs_write(data, macs);
	*(__be16 *)(data + 2 * ETH_ALEN) = ethertype;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < outer / 4; i++)
		ip[i] = header[i];
	return XDP_TX;
}

SEC("xdp.frags")
int encap_v4(struct xdp_md *ctx)
{
	return reflect_encap(ctx, outer_v4, sizeof(struct iphdr), bpf_htons(ETH_P_IP));
}

SEC("xdp.frags")
int encap_v6(struct xdp_md *ctx)
{
	return reflect_encap(ctx, outer_v6, sizeof(struct ipv6hdr), bpf_htons(ETH_P_IPV6));
}

char bench_license[] SEC("license") = "Dual BSD/GPL";
