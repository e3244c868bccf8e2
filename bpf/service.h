/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * service: flow to service. Reads lb_control, where service_memo does not know `services_v4` and
 * `services_v6`, and, for packets without ports, `vips`.
 */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include "env.h"
#include "parse.h"
#include "service_memo.h"

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
	union {
		struct lb_service_key_v4 v4;
		struct lb_service_key_v6 v6;
	} key;

	if (packet->family == 4) {
		key.v4.vip = packet->flow.v4.destination;
		*(__u32 *)&key.v4.port =
			service_listener(packet, packet->flow.v4.destination_port, bits);
		return bpf_map_lookup_elem(&services_v4, &key.v4);
	}
	key.v6.vip = packet->flow.v6.destination;
	*(__u32 *)&key.v6.port = service_listener(packet, packet->flow.v6.destination_port, bits);
	return bpf_map_lookup_elem(&services_v6, &key.v6);
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

static __always_inline __u32 service_exact(const struct packet *packet)
{
	return service_listener(packet,
				packet->family == 4 ? packet->flow.v4.destination_port
						    : packet->flow.v6.destination_port,
				0);
}

/*
 * The narrowest listener wins: exact port, then ranges, then any port. LB_CONTINUE: `found` is the
 * service. A function of its own, for most packets need none of it.
 */
LB_VERIFIED_ALONE int service_search(const struct packet *packet, struct lb_service *found)
{
	__u64 order = 0, state;
	const struct lb_service *service;
	int bits;

	if (!packet || !found)
		return LB_DROP_INTERNAL;
	/* A full barrier, as it returns a value: what is looked up is no older than this state. */
	state = memo_state() + __sync_fetch_and_add(&order, 1);
	service = service_in_block(packet, 0);
	if (!service && state >> 33) { /* not only exact ports */
		bits = service_wide_block(packet, state >> 32);
		if (bits >= 0)
			service = service_in_block(packet, bits);
	}
	memo_write(packet, service_exact(packet), state, service);
	if (!service)
		return LB_PASS_NO_SERVICE;
	*found = *service;
	return LB_CONTINUE;
}

static __always_inline enum lb_verdict service_lookup(const struct packet *packet,
						      struct lb_service *found)
{
	if (memo_recall(packet, service_exact(packet), memo_state(), found))
		return found->index ? LB_CONTINUE : LB_PASS_NO_SERVICE;
	return service_search(packet, found) == LB_CONTINUE ? LB_CONTINUE : LB_PASS_NO_SERVICE;
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
