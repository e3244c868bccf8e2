/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * service: flow to service. Reads `services_v4`, `services_v6`, `control` and, for packets without
 * ports, `vips`.
 */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include "env.h"
#include "parse.h"

enum { PORT_BLOCK_BITS_MAX = 16 };

/* Port, protocol and width as they stand in a key, in one word: the kernel hashes words, and would
 * wait for the stores of their parts. */
static __always_inline __u32 service_listener(const struct packet *packet, __be16 port, __u32 bits)
{
	__u32 block = bpf_ntohs(port) & 0xffffU << bits;

	return bpf_htonl(block << 16 | (__u32)packet->proto << 8 | bits);
}

/* The service that listens on the block of 2^bits ports around the packet's destination port. */
static __always_inline struct lb_service *service_in_block(const struct packet *packet, __u32 bits)
{
	if (packet->family == 4) {
		struct lb_service_key_v4 key = {.vip = packet->flow.v4.destination};

		*(__u32 *)&key.port =
			service_listener(packet, packet->flow.v4.destination_port, bits);
		return bpf_map_lookup_elem(&services_v4, &key);
	}
	struct lb_service_key_v6 key = {.vip = packet->flow.v6.destination};

	*(__u32 *)&key.port = service_listener(packet, packet->flow.v6.destination_port, bits);
	return bpf_map_lookup_elem(&services_v6, &key);
}

/*
 * The bits of the narrowest block wider than one port that a service listens on, or -1. A function
 * of its own, because the verifier then walks the loop once and not once for each way into it.
 */
__attribute__((noinline)) int service_wide_block(const struct packet *packet, __u32 blocks)
{
	if (!packet)
		return -1;
#pragma clang loop unroll(disable)
	for (__u32 bits = 1; bits <= PORT_BLOCK_BITS_MAX; bits++) {
		if (blocks >> bits & 1 && service_in_block(packet, bits))
			return bits;
	}
	return -1;
}

/* The narrowest listener wins: exact port, then ranges, then any port. */
static __always_inline enum lb_verdict service_lookup(const struct packet *packet,
						      struct lb_service **service)
{
	__u32 zero = 0;
	const struct lb_control *installation;
	__u32 blocks;
	int bits;

	*service = service_in_block(packet, 0);
	if (*service)
		return LB_CONTINUE;
	installation = bpf_map_lookup_elem(&control, &zero);
	if (!installation)
		return LB_DROP_INTERNAL;
	blocks = LOAD_ONCE(installation->port_blocks);
	if (!(blocks >> 1)) /* none but exact ports anywhere */
		return LB_PASS_NO_SERVICE;
	bits = service_wide_block(packet, blocks);
	if (bits < 0)
		return LB_PASS_NO_SERVICE;
	*service = service_in_block(packet, bits);
	return *service ? LB_CONTINUE : LB_PASS_NO_SERVICE;
}

/* What is known of the packet's destination, if that is one of our VIPs; or NULL. */
static __always_inline const struct lb_vip *service_vip(const struct packet *packet)
{
	struct lb_vip_key vip = {.family = packet->family};

	if (packet->family == 4)
		vip.addr.v4 = packet->flow.v4.destination;
	else if (packet->family == 6)
		vip.addr = packet->flow.v6.destination;
	else
		return NULL;
	return bpf_map_lookup_elem(&vips, &vip);
}

#endif
