/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows: see rows.h. A table; columns are named where a row differs from what is usual.
 */
#include "rows.h"

#include <arpa/inet.h>

enum {
	DIVERSE = 4096,        /* flows, as the kernel's benchmark has them */
	MANY_FLOWS = 16777216, /* more than any table holds */
	ROUND = 200000,        /* packets */
	WARMING_ROUND = 6500,  /* of DIVERSE flows, half are met for the first time */
};

/* ---- whole path ---- */

/* clang-format off */
#define PATH(title, v, kind_of_pool, count, how)                                              \
	{.name = "path-" title, .way = LANE_PATH, .floor = LANE_ENCAP_V##v,                   \
	 .pool = kind_of_pool, .family = v, .outcome = FRAME_IPIP_V##v,                       \
	 .verdict = LB_FORWARDED, .flows = count, .memory = how, .packets = ROUND}

#define PATHS(text, v, count)                                                                 \
	PATH("v" #v "-changed-" text, v, BALANCER_CHANGED, count, ROW_NOTHING),               \
	PATH("v" #v "-always-" text, v, BALANCER_ALWAYS, count, ROW_MET),                     \
	PATH("v" #v "-client-" text, v, BALANCER_CLIENT, count, ROW_OPENED)

/* ---- the program alone ---- */

#define PROGRAM(title, v, kind_of_pool, count, how, ...)                                      \
	{.name = title, .way = LANE_LOOP, .floor = LANE_ENCAP_V##v, .pool = kind_of_pool,     \
	 .family = v, .outcome = FRAME_IPIP_V##v, .verdict = LB_FORWARDED, .flows = count,    \
	 .memory = how, .packets = ROUND, ##__VA_ARGS__}

/* Left to the kernel. */
#define PASS(title, v, kind_of_frame, why, ...)                                               \
	{.name = title, .way = LANE_LOOP, .floor = LANE_PASS, .pool = BALANCER_CHANGED,       \
	 .family = v, .kind = kind_of_frame, .outcome = FRAME_PASSED, .verdict = why,         \
	 .flows = 1, .packets = ROUND, ##__VA_ARGS__}

/* Sent back without an outer header. */
#define PLAIN(title, kind_of_pool, how)                                                       \
	{.name = title, .way = LANE_LOOP, .floor = LANE_REFLECT, .pool = kind_of_pool,        \
	 .family = 4, .outcome = FRAME_SENT_BACK, .verdict = LB_FORWARDED, .flows = DIVERSE,  \
	 .memory = how, .packets = ROUND}

#define FORWARDS "Limpet forwards it"

const struct row rows[] = {
	PATHS("1", 4, 1),
	PATHS("1k", 4, 1000),
	PATHS("100k", 4, 100000),
	PATHS("1m", 4, 1000000),
	PATH("v4-changed-1m-1000svc", 4, BALANCER_MANY, 1000000, ROW_NOTHING),
	{.name = "path-v4-syn-1m", .way = LANE_PATH, .floor = LANE_ENCAP_V4,
	 .pool = BALANCER_CHANGED, .family = 4, .kind = FRAME_SYN, .outcome = FRAME_IPIP_V4,
	 .verdict = LB_FORWARDED, .flows = 1000000, .packets = ROUND},
	PATHS("1", 6, 1),
	PATHS("1k", 6, 1000),
	PATHS("100k", 6, 100000),
	PATHS("1m", 6, 1000000),

	PROGRAM("tcp-v4-lru-hit", 4, BALANCER_ALWAYS, 1, ROW_MET),
	PROGRAM("tcp-v4-ch", 4, BALANCER_CHANGED, 1, ROW_NOTHING),
	PROGRAM("udp-v4-lru-hit", 4, BALANCER_ALWAYS, 1, ROW_MET, .kind = FRAME_UDP),
	PROGRAM("drop-v4-frag", 4, BALANCER_CHANGED, 1, ROW_NOTHING,
		.kind = FRAME_FIRST_FRAGMENT, .remark = FORWARDS),
	PROGRAM("drop-v4-options", 4, BALANCER_CHANGED, 1, ROW_NOTHING,
		.kind = FRAME_OPTIONS, .remark = FORWARDS),
	PROGRAM("tcp-v4-syn", 4, BALANCER_ALWAYS, 1, ROW_MET, .kind = FRAME_SYN, .alone = true,
		.remark = "the same one again and again; Limpet writes its entry anew"),
	PROGRAM("tcp-v6-lru-hit", 6, BALANCER_ALWAYS, 1, ROW_MET),
	PROGRAM("tcp-v6-ch", 6, BALANCER_CHANGED, 1, ROW_NOTHING),
	PROGRAM("udp-v6-lru-hit", 6, BALANCER_ALWAYS, 1, ROW_MET, .kind = FRAME_UDP),
	PROGRAM("drop-v6-frag", 6, BALANCER_CHANGED, 1, ROW_NOTHING,
		.kind = FRAME_LONE_FRAGMENT, .remark = FORWARDS),
	{.name = "tcp-v4v6-lru-hit", .way = LANE_LOOP, .floor = LANE_ENCAP_V6,
	 .pool = BALANCER_OVER_V6, .family = 4, .outcome = FRAME_IPIP_V6,
	 .verdict = LB_FORWARDED, .flows = 1, .memory = ROW_MET, .packets = ROUND},

	PROGRAM("tcp-v4-lru-diverse", 4, BALANCER_ALWAYS, DIVERSE, ROW_MET),
	PROGRAM("tcp-v4-ch-diverse", 4, BALANCER_CHANGED, DIVERSE, ROW_NOTHING),
	PROGRAM("udp-v4-lru-diverse", 4, BALANCER_ALWAYS, DIVERSE, ROW_MET, .kind = FRAME_UDP),
	PROGRAM("unsettled-entry", 4, BALANCER_MOVED, DIVERSE, ROW_MET),
	PROGRAM("unsettled-fallback", 4, BALANCER_SETTLING, DIVERSE, ROW_NOTHING),
	PROGRAM("known-client", 4, BALANCER_CLIENT, DIVERSE, ROW_OPENED),
	{.name = "gue", .way = LANE_LOOP, .floor = LANE_ENCAP_V4, .pool = BALANCER_GUE,
	 .family = 4, .outcome = FRAME_GUE_V4, .verdict = LB_FORWARDED, .flows = DIVERSE,
	 .packets = ROUND},
	PROGRAM("tcp-v6-lru-diverse", 6, BALANCER_ALWAYS, DIVERSE, ROW_MET),
	PROGRAM("tcp-v6-ch-diverse", 6, BALANCER_CHANGED, DIVERSE, ROW_NOTHING),
	PLAIN("l2", BALANCER_L2, ROW_NOTHING),
	PLAIN("nat", BALANCER_NAT, ROW_OPENED),

	PROGRAM("tcp-v4-lru-miss", 4, BALANCER_ALWAYS, MANY_FLOWS, ROW_COLD),
	PROGRAM("udp-v4-lru-miss", 4, BALANCER_ALWAYS, MANY_FLOWS, ROW_COLD, .kind = FRAME_UDP),
	PROGRAM("tcp-v4-rst-miss", 4, BALANCER_ALWAYS, MANY_FLOWS, ROW_COLD, .kind = FRAME_RST,
		.remark = "Limpet makes an entry, which does not last"),
	PROGRAM("new-client", 4, BALANCER_CLIENT, MANY_FLOWS, ROW_COLD, .kind = FRAME_SYN),
	{.name = "tcp-v4-lru-warmup", .way = LANE_LOOP, .floor = LANE_ENCAP_V4,
	 .pool = BALANCER_ALWAYS, .family = 4, .outcome = FRAME_IPIP_V4,
	 .verdict = LB_FORWARDED, .flows = DIVERSE, .memory = ROW_WARMING,
	 .packets = WARMING_ROUND, .alone = true},

	PASS("pass-v4-no-vip", 4, FRAME_ACK, LB_PASS_NO_SERVICE, .strange = true),
	PASS("pass-v4-icmp", 4, FRAME_ICMP, LB_PASS_ICMP),
	PASS("pass-non-ip", 4, FRAME_NOT_IP, LB_PASS_NOT_IP),
	PASS("pass-v6-no-vip", 6, FRAME_ACK, LB_PASS_NO_SERVICE, .strange = true),
};
/* clang-format on */

const int rows_count = sizeof(rows) / sizeof(rows[0]);

bool rows_alike(const struct row *a, const struct row *b)
{
	return a->way == b->way && a->floor == b->floor && a->family == b->family &&
	       a->flows == b->flows && !a->alone && !b->alone;
}

struct frame_traffic row_traffic(const struct row *row)
{
	struct frame_traffic traffic = {
		.kind = row->kind,
		.destination = balancer_vip(row->pool, row->family),
		.port = BALANCER_PORT,
		.flows = row->flows,
		.services = row->pool == BALANCER_MANY ? BALANCER_MANY_SERVICES : 1,
		.in_order = row->memory == ROW_COLD,
		.outcome = row->outcome,
	};

	if (row->strange)
		inet_pton(row->family == 4 ? AF_INET : AF_INET6,
			  row->family == 4 ? "203.0.113.1" : "2001:db8:ffff::1",
			  &traffic.destination.ip);
	return traffic;
}
