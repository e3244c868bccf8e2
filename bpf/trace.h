/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace: shows single packets as they pass, for `lbctl trace`. Called by lb.bpf.c.
 *
 * Off, it costs a load and a branch that is foreseen. On, a packet's flow is compared first, while
 * the frame still is as it came in; its beginning is kept if it may be one to show. What became of
 * the packet is compared at the end. Each CPU shows so many a second and no more: the rest costs
 * the comparison, and is counted.
 *
 * Whoever traces says until when, and has to say so again and again: when nobody does, the program
 * turns itself off. It wakes nobody up: events are fetched.
 */
#ifndef LB_TRACE_H
#define LB_TRACE_H

#include "env.h"
#include "parse.h"

/*
 * What is traced, if something is. lbd writes, and the program when nobody put the end off; the
 * program reads for each packet. A variable and not a look-up: it costs a load.
 */
struct lb_trace trace SEC(".data.trace");

enum packet_trace {
	TRACE_NOT,     /* off, or not asked for */
	TRACE_TAKEN,   /* its frame is kept */
	TRACE_LIMITED, /* the CPU has shown enough for now */
};

static __always_inline struct lb_trace_cpu *trace_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&trace_cpus, &zero);
}

/* Whether somebody still listens; turned off if not, once. */
LB_VERIFIED_ALONE int trace_goes_on(void)
{
	__u64 until = LOAD_ONCE(trace.until_ns);

	if (read_only)
		return false;
	if ((__s64)(until - bpf_ktime_get_coarse_ns()) > 0)
		return true;
	__sync_val_compare_and_swap(&trace.until_ns, until, 0);
	return false;
}

static __always_inline bool trace_on(void)
{
	return __builtin_expect(LOAD_ONCE(trace.until_ns) != 0, 0) && trace_goes_on();
}

static __always_inline bool trace_address_matches(const struct packet *packet,
						  const struct lb_trace_filter *filter)
{
	const union lb_addr *source = &packet->flow.v6.source, *destination = source + 1;
	__u32 other = 0, more = 0;

	if (packet->family == 4)
		return (packet->flow.v4.source & filter->mask.v4) == filter->address.v4 ||
		       (packet->flow.v4.destination & filter->mask.v4) == filter->address.v4;
	for (int i = 0; i < 4; i++) {
		other |= (source->v6[i] & filter->mask.v6[i]) ^ filter->address.v6[i];
		more |= (destination->v6[i] & filter->mask.v6[i]) ^ filter->address.v6[i];
	}
	return !other || !more;
}

static __always_inline bool trace_flow_matches(const struct packet *packet,
					       const struct lb_trace_filter *filter)
{
	bool four = packet->family == 4;
	__be16 source = four ? packet->flow.v4.source_port : packet->flow.v6.source_port;
	__be16 destination =
		four ? packet->flow.v4.destination_port : packet->flow.v6.destination_port;

	if (filter->family &&
	    (packet->family != filter->family || !trace_address_matches(packet, filter)))
		return false;
	if (filter->proto && (!packet->family || packet->proto != filter->proto))
		return false;
	return !filter->port ||
	       (packet->family && (source == filter->port || destination == filter->port));
}

static __always_inline bool trace_end_matches(const struct lb_explanation *said,
					      const struct lb_trace_filter *filter)
{
	if (filter->verdicts && !(filter->verdicts >> (said->verdict & 63) & 1))
		return false;
	if (filter->service && filter->service != said->service)
		return false;
	return !filter->backend || filter->backend == said->backend;
}

/* Keeps the beginning of the frame if the packet may be one to show, and says so in it. */
LB_VERIFIED_ALONE int trace_take(struct xdp_md *ctx, struct packet *packet)
{
	struct lb_trace_cpu *cpu = trace_cpu();
	__u32 length;

	if (!packet || !cpu || !trace_flow_matches(packet, &trace.filter))
		return 0;
	packet->trace = TRACE_LIMITED;
	if ((__s64)(cpu->due_ns - bpf_ktime_get_coarse_ns()) > LB_TRACE_BURST_NS)
		return 0;
	length = bpf_xdp_get_buff_len(ctx);
	cpu->event.length = length;
	cpu->event.captured = size_below(length, LB_TRACE_FRAME);
	cpu->event.ifindex = ctx->ingress_ifindex;
	/* Shorter than an Ethernet header no frame is. */
	if (length &&
	    !bpf_xdp_load_bytes(ctx, 0, cpu->event.frame, size_below(length, LB_TRACE_FRAME)))
		packet->trace = TRACE_TAKEN;
	return 0;
}

static __always_inline void trace_flow(struct lb_trace_event *event, const struct packet *packet)
{
	bool four = packet->family == 4;

	__builtin_memset(&event->source, 0, 2 * sizeof(union lb_addr));
	if (four) {
		event->source.v4 = packet->flow.v4.source;
		event->destination.v4 = packet->flow.v4.destination;
	} else if (packet->family) {
		event->source = packet->flow.v6.source;
		event->destination = packet->flow.v6.destination;
	}
	event->source_port = four ? packet->flow.v4.source_port : packet->flow.v6.source_port;
	event->destination_port =
		four ? packet->flow.v4.destination_port : packet->flow.v6.destination_port;
	event->family = packet->family;
	event->proto = packet->proto;
	event->flags = (packet->syn ? LB_TRACE_SYN : 0) | (packet->closing ? LB_TRACE_CLOSING : 0) |
		       (packet->reset ? LB_TRACE_RESET : 0) |
		       (packet->quoted ? LB_TRACE_QUOTED : 0) |
		       (packet->part != PACKET_WHOLE ? LB_TRACE_FRAGMENT : 0);
}

/* The packet's way has ended as the CPU's event says. */
LB_VERIFIED_ALONE int trace_tell(const struct packet *packet)
{
	struct lb_trace_cpu *cpu = trace_cpu();
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!packet || !cpu || !trace_end_matches(&cpu->event.said, &trace.filter))
		return 0;
	if (packet->trace == TRACE_LIMITED) {
		cpu->limited++;
		return 0;
	}
	trace_flow(&cpu->event, packet);
	cpu->event.trace = trace.id;
	cpu->event.time_ns = bpf_ktime_get_ns();
	/* Counted against the limit in any case: it is not to cost more when nobody fetches. */
	cpu->due_ns = ((__s64)(cpu->due_ns - now) > 0 ? cpu->due_ns : now) + trace.interval_ns;
	if (bpf_ringbuf_output(&trace_events, &cpu->event, sizeof(cpu->event), BPF_RB_NO_WAKEUP))
		cpu->lost++;
	return 0;
}

#endif
