/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* what the other parts of lb_abi.h are made of: limits, verdicts, addresses. */
#ifndef LB_ABI_BASE_H
#define LB_ABI_BASE_H

#include <linux/types.h>
#include <stddef.h>

enum lb_limit {
	LB_BACKENDS_MAX = 32766, /* what 15 bits of a slot can name, less "none" and one spare */
	LB_TABLE_SIZE_MAX = 1048573, /* the largest prime below 2^20 */
	LB_SLOT_BLOCK = 16,          /* slots per array element, see struct lb_slot_block */
	LB_NAME_SIZE = 64,           /* bytes of a name with its NUL */
	LB_HASH_KEYS = 12,
	LB_SEED_SIZE = 16,
	LB_SOURCES_MAX = 1 << 20,   /* prefixes of all services' lists, of each family */
	LB_OPENERS_MAX = 1 << 16,   /* buckets */
	LB_NEW_FLOWS_MAX = 1000000, /* the highest limit, per second, and the longest burst */
};

/*
 * Why processing of a packet ended. X(name, action, text): the action is what the kernel is told
 * (see lb_action), the text is what `lbctl drops` and the metrics say. Appending keeps the layout;
 * reordering does not.
 */
#define LB_VERDICTS(X)                                                                             \
	X(FORWARDED, TX, "sent to a backend")                                                      \
	X(PASS_NOT_IP, PASS, "neither IPv4 nor IPv6: left to the kernel")                          \
	X(PASS_NO_SERVICE, PASS, "addressed to no configured service: left to the kernel")         \
	X(PASS_ICMP, PASS, "ICMP to a VIP: left to the kernel")                                    \
	X(DROP_TRUNCATED, DROP,                                                                    \
	  "the frame ends inside a header, or its headers go on behind the first buffer of many")  \
	X(DROP_BAD_HEADER, DROP, "a length or version field contradicts the packet")               \
	X(DROP_FRAGMENT, DROP,                                                                     \
	  "a fragment without its first one (that was not seen, or not yet), or of an ICMP "       \
	  "message")                                                                               \
	X(DROP_NO_BACKEND, DROP, "the service's pool has no usable backend")                       \
	X(DROP_TTL, DROP, "TTL or hop limit ran out at the balancer, and nobody may be told")      \
	X(DROP_TOO_BIG, DROP,                                                                      \
	  "does not fit the path to the backend, and nobody may be told: it "                      \
	  "may be fragmented, or is smaller than any MTU that hosts believe")                      \
	X(DROP_NO_ROOM, DROP, "the driver left no room for the outer header")                      \
	X(DROP_INTERNAL, DROP, "maps contradict each other: a bug, please report it")              \
	X(DROP_BAD_FRAGMENT, DROP,                                                                 \
	  "a fragment that cannot be: without the transport header that "                          \
	  "belongs in it, or beyond the longest packet")                                           \
	X(DROP_EXTENSION, DROP,                                                                    \
	  "IPv6 extension headers that are not followed: too many, out of "                        \
	  "order, or a route that goes on from here")                                              \
	X(ANSWERED_ECHO, ANSWER, "a ping to a VIP: answered")                                      \
	X(REFUSED_TTL, REFUSE, "TTL or hop limit ran out at the balancer: the sender was told")    \
	X(REFUSED_TOO_BIG, REFUSE,                                                                 \
	  "does not fit the path to the backend once encapsulated: the sender was told the MTU")   \
	X(DROP_UNTOLD, DROP,                                                                       \
	  "TTL ran out or it does not fit, and the sender was not told, for too many just were")   \
	X(DROP_ECHO, DROP,                                                                         \
	  "a ping to a VIP of which no service has a usable backend, or one that is not answered") \
	X(DROP_QUOTE, DROP,                                                                        \
	  "an ICMP error to a VIP that quotes no packet of a TCP or UDP flow from there")          \
	X(RETURNED, RETURN, "the answer of a NAT backend, sent to its client")                     \
	X(DROP_NAT_FULL, DROP, "a new flow of a NAT pool found no room in the NAT table")          \
	X(DROP_NAT_PORTS, DROP, "no source port toward the NAT backend was free for a new flow")   \
	X(DROP_NAT_UNKNOWN, DROP, "belongs to a flow that NAT does not know, and opens none")      \
	X(DROP_DENIED, DROP, "the service's allow and deny lists do not take the source")          \
	X(DROP_NEW_FLOW_LIMIT, DROP, "the source opens more new flows than new_flow_limit allows")

enum lb_verdict {
	LB_CONTINUE, /* not an end: the next stage goes on */
#define LB_VERDICT_ENUM(name, action, text) LB_##name,
	LB_VERDICTS(LB_VERDICT_ENUM)
#undef LB_VERDICT_ENUM
		LB_VERDICT_COUNT
};

/* What chose the backend. */
enum lb_decided_by {
	LB_BY_NONE,
	LB_BY_SLOT,     /* the slot's owner */
	LB_BY_FALLBACK, /* the slot's or the client's fallback */
	LB_BY_FLOW,     /* an entry of the flow tables */
	LB_BY_CLIENT,   /* the owner that a client's record names */
	LB_BY_COUNT
};

/*
 * What could not be remembered while a packet was forwarded all the same; but NAT, which forwards
 * nothing that it cannot remember. X(name, text). None of them breaks a flow; counts that grow say
 * that `limits` are too small, or that somebody floods.
 */
#define LB_NOTES(X)                                                                                \
	X(NEW_FLOW_UNTRACKED, "a new flow found no room in the flow table: it went where flows "   \
			      "without an entry go, and a new backend gets its share later")       \
	X(OLD_FLOW_UNTRACKED, "an established flow found no room in the flow table: its slot "     \
			      "settles later, and a drain does not count it")                      \
	X(CLIENT_UNTRACKED, "a new client found no room in the client table, or no backend that "  \
			    "takes clients: it goes by its slot")                                  \
	X(NAT_FULL, "a new flow found no room in the NAT table, and was dropped: raise "           \
		    "global.limits.nat_flows")                                                     \
	X(NAT_PORTS, "no source port toward the NAT backend was free for a new flow, and it was "  \
		     "dropped: more backends, or a wider global.snat_source")

enum lb_note {
#define LB_NOTE_ENUM(name, text) LB_NOTE_##name,
	LB_NOTES(LB_NOTE_ENUM)
#undef LB_NOTE_ENUM
		LB_NOTE_COUNT
};

union lb_addr {
	__be32 v4;
	__be32 v6[4];
	__u8 bytes[16];
};

#define LB_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define LB_ASSERT_OFFSET(type, field, at)                                                          \
	_Static_assert(offsetof(type, field) == (at), "offset of " #type "." #field)

LB_ASSERT_SIZE(union lb_addr, 16);

#endif
