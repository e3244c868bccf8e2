/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What decap.bpf.c and lbdecap agree on: where a frame can end, its counter and its words.
 */
#ifndef DECAP_ABI_H
#define DECAP_ABI_H

#include <linux/types.h>

#define DECAP_PROGRAM_NAME "limpet_decap"

/*
 * X(name, fate, text). Each frame is counted once. PASS: left to the kernel untouched; STRIP: the
 * outer header is taken off and the kernel gets the inner packet; DROP: a non-zero counter is worth
 * a look.
 */
#define DECAP_ENDS(X)                                                                              \
	X(OTHER, PASS, "not a tunnel packet")                                                      \
	X(NOT_LOCAL, PASS, "a tunnel packet to an address not given with --local")                 \
	X(IPV4_IN_IPV4, STRIP, "IPIP, IPv4 in IPv4")                                               \
	X(IPV6_IN_IPV4, STRIP, "IPIP, IPv6 in IPv4")                                               \
	X(IPV4_IN_IPV6, STRIP, "IPIP, IPv4 in IPv6")                                               \
	X(IPV6_IN_IPV6, STRIP, "IPIP, IPv6 in IPv6")                                               \
	X(IPV4_IN_GUE, STRIP, "GUE, IPv4")                                                         \
	X(IPV6_IN_GUE, STRIP, "GUE, IPv6")                                                         \
	X(DROP_TRUNCATED, DROP, "the frame ends inside a header, or before the packet does")       \
	X(DROP_BAD_OUTER, DROP, "a length, version or checksum of the outer header is wrong")      \
	X(DROP_BAD_INNER, DROP, "the inner header contradicts the outer one or itself")            \
	X(DROP_FRAGMENT, DROP, "a fragment of a tunnel packet: raise the MTU on its path")         \
	X(DROP_GUE, DROP, "a GUE version, control message or protocol that is not handled")        \
	X(DROP_ECN, DROP, "congestion was met by a packet that cannot carry the mark (RFC 6040)")  \
	X(DROP_INTERNAL, DROP, "the driver refused to move the packet's start")

enum decap_end {
	DECAP_CONTINUE, /* not an end */
#define DECAP_END_ENUM(name, fate, text) DECAP_##name,
	DECAP_ENDS(DECAP_END_ENUM)
#undef DECAP_END_ENUM
		DECAP_END_COUNT
};

struct decap_counter {
	__u64 packets;
	__u64 bytes; /* of the frame as received */
};

/* A local address; IPv4 ones with twelve zero bytes behind. */
struct decap_address {
	__u8 family; /* 4 or 6 */
	__u8 zero[3];
	__u8 bytes[16];
};

_Static_assert(sizeof(struct decap_counter) == 16, "size of struct decap_counter");
_Static_assert(sizeof(struct decap_address) == 20, "size of struct decap_address");

#endif
