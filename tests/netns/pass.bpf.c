/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pass: an XDP program that lets everything pass. A veth delivers what its peer sends by XDP_TX or
 * redirect only if it has a program itself; this is that program, for the far ends of the
 * balancer's interfaces in the tests and the demo. Stands alone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

/* The same, for frames of more than a page. */
SEC("xdp.frags")
int pass_frags(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
