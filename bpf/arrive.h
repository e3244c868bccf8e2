/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * arrive: whose flow a frame belongs to. The common packet costs parse_common; for all else there
 * is one function, verified alone, that may take its time.
 */
#ifndef LB_ARRIVE_H
#define LB_ARRIVE_H

#include "answer.h"
#include "env.h"
#include "fragment.h"
#include "icmp.h"
#include "parse.h"
#include "service.h"

/* LB_ANSWERED_ECHO: it is to be answered, which the caller does. */
LB_VERIFIED_ALONE int arrive_icmp(struct xdp_md *ctx, struct packet *packet)
{
	struct frame frame = {.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};
	const struct lb_vip *vip;
	enum lb_verdict verdict;

	if (!packet)
		return LB_DROP_INTERNAL;
	verdict = icmp_parse(&frame, packet);
	if (verdict != LB_ANSWERED_ECHO)
		return verdict;
	vip = service_vip(packet);
	if (!vip)
		return LB_PASS_NO_SERVICE;
	return LOAD_ONCE(vip->usable) ? LB_ANSWERED_ECHO : LB_DROP_ECHO;
}

LB_VERIFIED_ALONE int arrive_rare(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	enum lb_verdict verdict;

	if (!packet)
		return LB_DROP_INTERNAL;
	verdict = parse_rare(data, end, bpf_xdp_get_buff_len(ctx), packet);
	if (verdict == LB_CONTINUE && packet->part != PACKET_WHOLE)
		verdict = fragment_follow(packet);
	else if (verdict == LB_PASS_ICMP)
		return arrive_icmp(ctx, packet);
	return verdict;
}

/* Any verdict but LB_CONTINUE speaks of a packet that has no flow: see parse_rare. The frame is as
 * it came in: whoever is to be answered is not yet. */
static __always_inline enum lb_verdict arrive(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int verdict;

	if (parse_common(data, end, packet))
		return LB_CONTINUE;
	verdict = arrive_rare(ctx, packet);
	/* The verifier takes any number for possible. */
	return verdict == LB_FORWARDED ? LB_DROP_INTERNAL : verdict;
}

#endif
