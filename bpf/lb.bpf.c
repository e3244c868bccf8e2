/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet's way. Start reading here.
 *
 *   arrive ---> service ----> pick ----> forward
 *   arrive.h    service.h     pick.h     forward.h
 *   bytes to    flow to       flow to    a new MAC or a new
 *   flow        pool          backend    outer header
 *
 * Each stage returns LB_CONTINUE or the verdict that ends the packet's way (LB_VERDICTS in
 * lb_abi.h). This file alone turns a verdict into what the kernel is told, and counts it: a
 * forwarded packet costs one counter, that of its service and backend on its CPU.
 *
 * Look-ups of a forwarded packet: pools, slots, backends, counters (arrays);
 * services (hash) where service_memo.h does not know the destination. Where the service has lists
 * of sources: sources (trie); where it has a limit of new flows, for a SYN: new_flow_limits
 * (array), openers (hash). Where the pool remembers clients: clients (hash), slot_times (array).
 * Where the slot is changed or the pool tracks every flow: flows (hash), and births (hash) if that
 * has none.
 */
#include "admit.h"
#include "answer.h"
#include "arrive.h"
#include "env.h"
#include "finish.h"
#include "forward.h"
#include "parse.h"
#include "pick.h"
#include "service.h"
#include "trace.h"

const volatile __u64 hash_keys[LB_HASH_KEYS];
const volatile __u32 quotas[LB_QUOTA_COUNT];
const volatile bool read_only;
const volatile bool finish_checksums; /* LB_SETTING_FINISH */
const volatile __u32 counter_stride;  /* LB_COUNTER_STRIDE */

/* lbd writes; the program reads for each TCP or UDP packet. A variable and not a look-up: it costs
 * a load. */
struct lb_control control SEC(".data.control");

struct way {
	struct packet packet;
	struct lb_service service; /* index 0: none is known */
	struct lb_backend *backend;
	struct choice choice;
	__u32 came_length; /* of the frame, before it became another one; 0: it did not */
};

/* What no service takes may be the answer of a NAT backend. */
static __always_inline enum lb_verdict walk_back(struct xdp_md *ctx, struct way *way)
{
	enum lb_verdict verdict;

	way->came_length = bpf_xdp_get_buff_len(ctx);
	verdict = nat_return(ctx, &way->packet);
	/* Of what is verified alone the verifier believes that it may say anything. */
	return verdict <= LB_FORWARDED ? LB_DROP_INTERNAL : verdict;
}

static __always_inline enum lb_verdict walk(struct xdp_md *ctx, struct way *way)
{
	enum lb_verdict verdict = arrive(ctx, &way->packet);

	if (trace_on())
		trace_take(ctx, &way->packet);
	if (verdict == LB_ANSWERED_ECHO)
		return answer_echo(ctx, &way->packet);
	if (verdict != LB_CONTINUE)
		/* Malformed, in pieces or without ports: ours to judge only if it was for us. */
		return !way->packet.family || service_vip(&way->packet) ? verdict
									: LB_PASS_NO_SERVICE;
	verdict = service_lookup(&way->packet, &way->service);
	if (verdict == LB_PASS_NO_SERVICE && nat_in_use())
		return walk_back(ctx, way);
	if (verdict == LB_CONTINUE)
		verdict = admit(&way->packet, &way->service);
	if (verdict == LB_CONTINUE)
		verdict = pick(&way->packet, way->service.pool, &way->choice, &way->backend);
	if (verdict == LB_CONTINUE && finish_checksums && finish(ctx, &way->packet))
		return LB_DROP_INTERNAL;
	if (verdict != LB_CONTINUE)
		return verdict;
	verdict = forward(ctx, &way->packet, way->backend, &way->choice, &way->service);
	if (verdict != LB_DROP_TOO_BIG && verdict != LB_DROP_TTL)
		return verdict;
	way->came_length = bpf_xdp_get_buff_len(ctx);
	return answer_error(ctx, &way->packet, verdict,
			    forward_mtu(&way->packet, way->backend, &way->choice));
}

/* Offset 0 of a service's counters is for packets that got no backend. */
static __always_inline void count_service(const struct way *way, bool forwarded)
{
	__u32 index = bpf_get_smp_processor_id() * counter_stride + way->service.counter_base +
		      (forwarded ? way->backend->counter : 0);
	struct lb_counter *counter = bpf_map_lookup_elem(&counters, &index);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += way->packet.l3_length;
	if (way->packet.syn || way->choice.new_udp_flow)
		counter->new_flows++;
}

static __always_inline void count_verdict(struct xdp_md *ctx, const struct way *way, __u32 verdict)
{
	struct lb_verdict_counter *counter = bpf_map_lookup_elem(&verdicts, &verdict);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += way->came_length ? way->came_length : bpf_xdp_get_buff_len(ctx);
}

static __always_inline void say(struct lb_explanation *said, const struct way *way,
				enum lb_verdict verdict)
{
	said->verdict = verdict;
	said->service = way->service.index;
	said->pool = way->service.pool;
	said->slot = way->choice.slot;
	said->slot_word = way->choice.word;
	said->backend = way->choice.index;
	said->decided_by = way->choice.decided_by;
	said->entry_age = way->choice.entry_age;
}

static __always_inline void explain(const struct way *way, enum lb_verdict verdict)
{
	__u32 zero = 0;
	struct lb_explanation *said = bpf_map_lookup_elem(&explanation, &zero);

	if (said)
		say(said, way, verdict);
}

static __always_inline void trace_way(const struct way *way, enum lb_verdict verdict)
{
	struct lb_trace_cpu *cpu = trace_cpu();

	if (!cpu)
		return;
	say(&cpu->event.said, way, verdict);
	trace_tell(&way->packet);
}

static __always_inline int leave(struct xdp_md *ctx, __u32 ifindex)
{
	return ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(ifindex, 0);
}

/* Functions that are verified alone might return any verdict, for all that the verifier knows
 * (Linux 6.1's does not even remember that a number is not another): what was forwarded has a
 * backend. */
static __always_inline int leave_for_backend(struct xdp_md *ctx, const struct lb_backend *backend)
{
	return backend ? leave(ctx, backend->ifindex) : XDP_ABORTED;
}

SEC("xdp.frags")
int limpet(struct xdp_md *ctx)
{
	struct way way = {};
	enum lb_verdict verdict = walk(ctx, &way);

	if (read_only) {
		explain(&way, verdict);
	} else if (verdict == LB_FORWARDED && way.backend) {
		count_service(&way, true);
		if (!way.packet.trace)
			return leave(ctx, way.backend->ifindex);
	} else {
		count_verdict(ctx, &way, verdict);
		if (way.service.index)
			count_service(&way, false);
	}

	if (__builtin_expect(way.packet.trace, 0))
		trace_way(&way, verdict);

	switch (verdict) {
#define VERDICT_ACTION(name, action, text)                                                         \
	case LB_##name:                                                                            \
		return ACTION_##action;
#define ACTION_TX     leave_for_backend(ctx, way.backend)
#define ACTION_RETURN leave(ctx, nat_return_ifindex())
#define ACTION_PASS   XDP_PASS
#define ACTION_DROP   XDP_DROP
#define ACTION_ANSWER XDP_TX /* back where it came from */
#define ACTION_REFUSE XDP_TX
		LB_VERDICTS(VERDICT_ACTION)
	default:
		return XDP_ABORTED; /* no stage returns LB_CONTINUE or the count */
	}
}

char lb_license[] SEC("license") = "Dual BSD/GPL";
