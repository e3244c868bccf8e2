/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the packet program and the controller agree on: keys, values, limits and verdicts.
 *
 * Included by both sides and copied by none. Everything here is memory in BPF maps that outlives
 * both the program and the controller, so a change of any size, offset or meaning raises LB_LAYOUT;
 * a controller that finds another layout refuses the maps. A map that is only added does not: where
 * an older program made the maps, it is missing until `lbload replace` adds it.
 *
 * Conventions: index 0 of backends, pools and services means "none". `__be` types are in network
 * order, all others in host order. A "tick" is 2^30 ns (1.07 s) of CLOCK_MONOTONIC, so that the
 * program gets one with a shift.
 */
#ifndef LB_ABI_H
#define LB_ABI_H

#include <linux/types.h>
#include <stddef.h>

#define LB_LAYOUT 3

#define LB_PROGRAM_NAME "limpet" /* of the XDP program: how instances recognise each other */

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

/* ---- installation: written once by `lbload attach` ---- */

struct lb_limits {
	__u32 flows;     /* entries of all flow tables together, see enum lb_quota; 0 is fine */
	__u32 clients;   /* records of clients of both families together; 0 is fine */
	__u32 backends;  /* of all pools */
	__u32 services;  /* of services, and of pools */
	__u32 slots;     /* of all tables, a multiple of LB_SLOT_BLOCK */
	__u32 counters;  /* (service, backend) pairs counted apart */
	__u32 nat_flows; /* entries of NAT flows of both families together; 0 is fine */
};

enum lb_setting_flag {
	/* Some interface hands over frames with unfinished checksums: see bpf/finish.h. */
	LB_SETTING_FINISH = 1 << 0,
};

struct lb_settings {
	__u32 layout; /* LB_LAYOUT of the program that made the maps */
	struct lb_limits limits;
	__u8 hash_seed[LB_SEED_SIZE];
	__u32 flags; /* enum lb_setting_flag */
	__u32 unused;
	__u64 made_ns;     /* CLOCK_REALTIME when the maps were made */
	char pin_dir[128]; /* of the instance, so that another one can name it */
	char version[32];  /* of the program attached last */
};

/* An interface the data plane is attached to; key: ifindex. */
struct lb_attachment {
	char interface[16];
	__u32 program_id;
	__u32 mode;        /* enum lb_attach_mode */
	__u64 attached_ns; /* CLOCK_REALTIME */
	__u64 netns; /* inode of the network namespace: an ifindex means nothing in another one */
};

enum lb_attach_mode { LB_ATTACH_NATIVE, LB_ATTACH_GENERIC };

/* ---- service: flow to pool ---- */

/*
 * A listener covers ports in aligned blocks of 2^block_bits: an exact port is a block of 2^0, any
 * port one of 2^16, a range a handful between. `port` is the block's first. The narrowest block
 * that is present wins. lb_control.port_blocks says which widths are in use anywhere, so that an
 * installation with exact ports alone pays for one look-up.
 */
struct lb_service_key_v4 {
	__be32 vip;
	__be16 port;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 block_bits;
};

struct lb_service_key_v6 {
	union lb_addr vip;
	__be16 port;
	__u8 proto;
	__u8 block_bits;
};

struct lb_service {
	__u32 index;
	__u32 pool;
	__u32 counter_base; /* of the service's run in `counters`, see struct lb_counter */
	__u32 flags;        /* enum lb_service_flag */
};

enum lb_service_flag {
	LB_SERVICE_LISTED = 1 << 0,       /* `sources` have prefixes of it */
	LB_SERVICE_ALLOWED_ONLY = 1 << 1, /* who is in none of them is denied */
	LB_SERVICE_LIMITED = 1 << 2,      /* `new_flow_limits` have a limit of it */
};
#define LB_SERVICE_GUARDED (LB_SERVICE_LISTED | LB_SERVICE_LIMITED)

/*
 * Allow and deny lists: keys of tries of the longest prefix, in which the service comes first and
 * always counts whole. Value: enum lb_source_rule.
 */
struct lb_source_key_v4 {
	__u32 prefix_length; /* LB_SOURCE_LENGTH */
	__u32 service;
	__be32 address;
};

struct lb_source_key_v6 {
	__u32 prefix_length;
	__u32 service;
	union lb_addr address;
};

#define LB_SOURCE_LENGTH(bits) (32 + (bits))

enum lb_source_rule { LB_SOURCE_ALLOW, LB_SOURCE_DENY };

/* At `new_flow_limits[service.index]`. */
struct lb_new_flow_limit {
	__u64 flow_ns;   /* in which room for one more flow comes back; 0: there is no limit */
	__u64 bucket_ns; /* in which an empty bucket fills: flow_ns times the burst */
	__be32 mask_v4;  /* of sources that share a bucket */
	__u32 unused;
	union lb_addr mask_v6;
};

/* Of a bucket in `openers`; its value is the time (CLOCK_MONOTONIC, ns) at which it is full again.
 */
struct lb_opener_key {
	__u32 service;
	__u32 family;         /* 4 or 6 */
	union lb_addr source; /* masked; IPv4 with twelve zero bytes behind */
};

/* An address of some service, whatever the port. */
struct lb_vip_key {
	union lb_addr addr;
	__u32 family; /* 4 or 6: no IPv4 address is a short IPv6 one */
};

/* What is true of the whole installation and may change while it runs. */
struct lb_control {
	__u32 port_blocks; /* bit b: some listener has a block of 2^b ports */
	__u32 flags;       /* enum lb_control_flag */
	/* Ports that the kernel hands out by itself, host order: NAT takes none of them where it
	 * sends from the host's own address. */
	__u16 host_ports_first;
	__u16 host_ports_count;
	/* Counts up after each change of a listener, and when a controller begins: see
	 * bpf/service_memo.h. */
	__u32 listener_changes;
};

/* What a fragment without ports goes by, where all services of a VIP and protocol share a pool that
 * is keyed by source: a port of one of them. 0: nothing. */
struct lb_vip {
	__be16 tcp_port;
	__be16 udp_port;
	__u32 usable; /* some service of it has a usable backend */
};

/* ---- answer: ICMP errors that the balancer sends, per CPU ---- */

struct lb_bucket {
	__u64 filled_ns; /* CLOCK_MONOTONIC, coarse */
	__u32 tokens;    /* each is an error that may be sent */
	__u32 unused;
};

enum { LB_ERRORS_PER_SECOND = 1000, LB_ERRORS_BURST = 200 };

/* ---- fragment: what the first fragment of a packet tells of those behind it ---- */

struct lb_fragment_key {
	union lb_addr source;
	union lb_addr destination;
	__u32 identification; /* as it stands */
	__u8 proto;           /* IPv4: what the header says. IPv6, where it does not count: 0 */
	__u8 family;
	__u8 zero[2];
};

struct lb_fragment {
	__u32 seen;     /* tick of the first one */
	__u32 sequence; /* TCP, host order */
	__be16 source_port;
	__be16 destination_port;
	__u8 proto;
	__u8 zero[3];
};

enum { LB_FRAGMENTS = 16384 /* packets whose later fragments are awaited; the oldest give way */ };

enum lb_control_flag {
	LB_CONTROL_NAT = 1 << 0, /* there are NAT backends: what no service takes may be an answer
				  * of one */
};

/* ---- pick: pool, slot, flow tables, clients ---- */

enum lb_pool_flag {
	LB_POOL_SOURCE = 1 << 0,       /* affinity by source address, not 5-tuple */
	LB_POOL_TRACK_ALWAYS = 1 << 1, /* an entry for each flow, settled slot or not */
	LB_POOL_UNSETTLED = 1 << 2,    /* some slot is changed: only sweeps read this */
	LB_POOL_PINS = 1 << 3,         /* `pins_v4` or `pins_v6` have some of it */
};

struct lb_pool {
	/*
	 * Low 32 bits: the first slot, a multiple of LB_SLOT_BLOCK; high 32 bits: table size, 0 for
	 * a pool without a table yet. One aligned store switches a pool to another table.
	 */
	__u64 table;
	__u32 flags;    /* enum lb_pool_flag */
	__be32 mask_v4; /* of the source address, where affinity is by source */
	union lb_addr mask_v6;
	__u32 idle_tcp; /* ticks without a packet after which an entry is dead */
	__u32 idle_udp;
	__u32 idle_closing;   /* the same for half-open and closed TCP flows */
	__u32 client_timeout; /* ticks; 0: clients are not remembered */
	/* Of the pool's run in `slot_times`: element times_base + slot, whichever table is in
	 * force, so that a use noted while tables are swapped is not forgotten. */
	__u32 times_base;
	__u32 idle_longest; /* the longest of the idle times */
	__u32 client_life;  /* the longer of client_timeout and idle_longest */
	__u32 unused;
};

#define LB_TABLE(base, size) ((__u64)(size) << 32 | (base))
#define LB_TABLE_BASE(table) ((__u32)(table))
#define LB_TABLE_SIZE(table) ((__u32)((table) >> 32))

/*
 * A slot is one aligned word: two backend indices and a bit, so that a reader always sees a pair
 * that belongs together. Only the controller writes slots. A client's record holds such a pair too.
 *   owner: the backend that Maglev gives the slot now
 *   fallback: where the slot's established flows without an entry belong
 *   changed: owner and fallback differ, or a live entry may name another backend than they do
 */
#define LB_SLOT_INDEX_MASK 0x7fffU
#define LB_SLOT_CHANGED    (1U << 30)
#define LB_SLOT(owner, fallback, changed)                                                          \
	((__u32)(owner) | (__u32)(fallback) << 15 | ((changed) ? LB_SLOT_CHANGED : 0U))
#define LB_SLOT_OWNER(slot)    ((slot)&LB_SLOT_INDEX_MASK)
#define LB_SLOT_FALLBACK(slot) ((slot) >> 15 & LB_SLOT_INDEX_MASK)

/* Array elements are rounded up to eight bytes: a cache line of slots keeps each at four. */
struct lb_slot_block {
	__u32 slot[LB_SLOT_BLOCK];
};

struct lb_flow_key_v4 {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 proto;
	__u8 zero[3];
};

struct lb_flow_key_v6 {
	union lb_addr source;
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 proto;
	__u8 zero[3];
};

/*
 * When things last happened to a pair that is changed; in ticks, 0: never. The packet program and
 * the controller store whole words; a lost race between two stores of the same tick loses nothing.
 */
struct lb_times {
	__u32 since; /* the owner left the fallback */
	__u32 used;  /* a flow went to the fallback and no entry says so */
	__u32 full;  /* a new flow could not be given an entry */
	__u32 kept;  /* the pair was written, or a sweep read an entry naming another backend */
};

/* Ticks between the last write of a pair and a sweep that may settle it: no packet is under way for
 * as long as that with a pair that it read before. */
enum { LB_SETTLED_TICKS = 2 };

enum lb_flow_state {
	LB_FLOW_OPENING, /* births: a SYN was seen, and nothing that belongs to it */
	LB_FLOW_OPEN,
	LB_FLOW_CLOSING, /* FIN was seen */
	LB_FLOW_RESET,   /* RST was seen, and nothing since: else it closed nothing */
};

enum lb_flow_flag {
	LB_FLOW_REBORN = 1 << 0,   /* `births` may know of a later life of the flow */
	LB_FLOW_RECORDED = 1 << 1, /* an old flow, met at its fallback: counts against that quota */
};

/*
 * In `seen`, by a sweep; ticks need 30 bits for 36 years. Doomed: the entry is dead, and the next
 * sweep deletes it; until then it is no entry to anybody, but a packet that needs one in its place
 * takes it over. Claimed: it is being deleted.
 */
#define LB_DOOMED  0x80000000U
#define LB_CLAIMED 0x40000000U

/*
 * An entry of `flows`. It is live if it is not doomed, pool and incarnation match, its backend is
 * usable and `seen` is recent.
 */
struct lb_flow {
	__u32 seen; /* tick of the last packet, written only when it changes */
	__u32 incarnation;
	__u16 backend;
	__u16 pool;
	__u8 state; /* enum lb_flow_state */
	__u8 flags; /* enum lb_flow_flag */
	__u8 zero[2];
};

/* An entry of `births`: made by a SYN, and confirmed by a packet that belongs to it, or made by the
 * first datagram of a UDP flow. */
struct lb_birth {
	struct lb_flow flow;
	__u32 sequence; /* initial sequence number, host order; UDP: 0 */
};

/*
 * How many entries there are, as the quotas count them. Half of limits.flows is for TCP and half
 * for UDP, so that a flood of one leaves the other its room; and of each half at most half for
 * births and, with TCP, at most half for old flows that were recorded, so that neither SYNs alone
 * nor ACKs alone of strangers take all of it. Both at once can: then births find no room for their
 * copies, and serve without. Of NAT flows either protocol leaves the other a quarter.
 */
enum lb_quota {
	LB_QUOTA_TCP,
	LB_QUOTA_TCP_BIRTHS,
	LB_QUOTA_TCP_RECORDED,
	LB_QUOTA_UDP,
	LB_QUOTA_UDP_BIRTHS,
	LB_QUOTA_CLIENTS,
	LB_QUOTA_CLIENTS_NEW, /* of which no packet but the first was seen: perhaps forged */
	LB_QUOTA_NAT_TCP,
	LB_QUOTA_NAT_UDP,
	LB_QUOTA_COUNT
};

#define LB_QUOTAS(limits)                                                                          \
	{                                                                                          \
		[LB_QUOTA_TCP] = (limits)->flows / 2, [LB_QUOTA_TCP_BIRTHS] = (limits)->flows / 4, \
		[LB_QUOTA_TCP_RECORDED] = (limits)->flows / 4,                                     \
		[LB_QUOTA_UDP] = (limits)->flows / 2, [LB_QUOTA_UDP_BIRTHS] = (limits)->flows / 4, \
		[LB_QUOTA_CLIENTS] = (limits)->clients,                                            \
		[LB_QUOTA_CLIENTS_NEW] = (limits)->clients / 8,                                    \
		[LB_QUOTA_NAT_TCP] = (limits)->nat_flows - (limits)->nat_flows / 4,                \
		[LB_QUOTA_NAT_UDP] = (limits)->nat_flows - (limits)->nat_flows / 4,                \
	}

struct lb_usage {
	__u32 count[LB_QUOTA_COUNT];
	__u32 unused;
};

struct lb_client_key_v4 {
	__u32 pool;
	__be32 address; /* masked */
};

struct lb_client_key_v6 {
	__u32 pool;
	union lb_addr address; /* masked */
};

/*
 * A client's record: to its client it is what a slot is. The pair and the two incarnations are one
 * word, so that they change together, by compare-and-set. A backend whose incarnation is another
 * one by now went down since, and is to this client as if it were not usable.
 */
struct lb_client {
	__u64 pair; /* LB_CLIENT_PAIR */
	struct lb_times times;
	__u32 seen;  /* tick of the last packet; LB_DOOMED as in struct lb_flow */
	__u32 known; /* 0: only the first packet was seen */
};

#define LB_CLIENT_PAIR(word, owner_incarnation, fallback_incarnation)                              \
	((__u64)(word) | (__u64)((owner_incarnation)&0xffff) << 32 |                               \
	 (__u64)((fallback_incarnation)&0xffff) << 48)
#define LB_CLIENT_WORD(pair)                 ((__u32)(pair))
#define LB_CLIENT_OWNER_INCARNATION(pair)    ((__u16)((pair) >> 32))
#define LB_CLIENT_FALLBACK_INCARNATION(pair) ((__u16)((pair) >> 48))

/*
 * A client address that an operator sends to one backend for a while: see bpf/pin_table.h. Its key
 * is that of a client (struct lb_client_key_v4), with the address whole. In ticks; lbd writes all
 * but `off` and `kept`.
 */
struct lb_pin {
	__u32 backend; /* 0: it has been deleted */
	__u32 until;
	__u32 since; /* it was made, or given another backend */
	__u32 off;   /* a packet of the client last came while it was not in force; 0: never */
	__u32 kept;  /* a sweep last read an entry that the client's usual pair does not tell; 0:
			never */
	__u32 flags; /* enum lb_pin_flag */
};

enum lb_pin_flag { LB_PIN_TOLD = 1 << 0 /* that it is over */ };

enum { LB_PINS_MAX = 1024 /* of each family */ };

/* ---- forward: backend ---- */

enum lb_forward {
	LB_FORWARD_NONE,
	LB_FORWARD_L2,
	LB_FORWARD_IPIP_V4, /* in an IPv4 header */
	LB_FORWARD_IPIP_V6,
	LB_FORWARD_GUE_V4, /* in UDP over IPv4 */
	LB_FORWARD_GUE_V6,
	LB_FORWARD_NAT_V4, /* the backend's address is an IPv4 one, whatever the client's */
	LB_FORWARD_NAT_V6,
};

/* The low half of lb_backend.status. */
enum lb_backend_flag {
	/* May be given packets: ready, draining, or down under `keep`. */
	LB_BACKEND_USABLE = 1 << 0,
	/* May be given new flows of clients that it has: ready, or draining for `clients`. */
	LB_BACKEND_TAKES_CLIENTS = 1 << 1,
	/* NAT: is to see outer_source as its client. */
	LB_BACKEND_SNAT = 1 << 2,
	/* NAT: outer_source is an address of the host, which hands out ports of it, too. */
	LB_BACKEND_HOST_SOURCE = 1 << 3,
};

#define LB_STATUS(incarnation, forward, flags)                                                     \
	((__u64)(incarnation) << 32 | (__u64)(forward) << 8 | (flags))
#define LB_STATUS_INCARNATION(status) ((__u32)((status) >> 32))
#define LB_STATUS_FORWARD(status)     ((__u32)((status) >> 8 & 0xff))

/*
 * All that forwarding a packet needs, in one cache line. The controller stores each 64-bit word
 * whole. Next hop fields of two words may be seen from before and after a change of route; the
 * packet is then lost with the old route, as it would have been anyway.
 */
struct lb_backend {
	/* Incarnation, enum lb_forward, enum lb_backend_flag: one store, so that a backend that
	 * goes down takes its entries with it. The incarnation grows with each step to "not
	 * usable". */
	__u64 status;
	__u8 destination_mac[6]; /* next hop */
	__u16 counter;      /* offset in each of its pool's services' runs of counters, from 1 */
	__u8 source_mac[6]; /* of the egress interface */
	__u16 mtu;          /* of the route, for the outer packet; L3 bytes */
	__u32 ifindex;      /* egress */
	__u16 source_bits;  /* low bits of outer_source that vary by flow, 0 to 32 */
	/* gue: destination port of the outer UDP header. NAT: of the backend; 0: the one that the
	 * client sent to. */
	__be16 port;
	union lb_addr outer_destination;
	union lb_addr outer_source; /* the varying bits are zero */
};

/* ---- probes: checks through the tunnel, see bpf/probe.bpf.c ---- */

/*
 * What lbd marks a probe's socket with, and by what the program knows what to do: eight bits that
 * say it is ours, eight that tell instances of one host apart (LB_PROBE_MARK of a hash of theirs),
 * one for a packet that is to have no outer header, and the backend's index. Taken off before the
 * packet leaves.
 */
#define LB_PROBE_MARK_OURS  0x4c000000U /* 'L' */
#define LB_PROBE_MARK(hash) (LB_PROBE_MARK_OURS | ((hash)&0xff) << 16)
#define LB_PROBE_MARK_MASK  0xffff0000U
#define LB_PROBE_PLAIN      0x8000U
#define LB_PROBE_INDEX_MASK 0x7fffU

/* What became of a probe's packet. X(name, text): the text goes on from "the probe's packets ". */
#define LB_PROBE_ENDS(X)                                                                           \
	X(SENT, "went into the tunnel")                                                            \
	X(NO_BACKEND, "were dropped: the data plane has no such backend")                          \
	X(NO_HOP, "were dropped: the backend has no next hop")                                     \
	X(TOO_BIG, "were dropped: they do not fit the path to the backend once encapsulated")      \
	X(INTERNAL, "were dropped: the program could not make the outer header")

enum lb_probe_end {
#define LB_PROBE_END_ENUM(name, text) LB_PROBE_##name,
	LB_PROBE_ENDS(LB_PROBE_END_ENUM)
#undef LB_PROBE_END_ENUM
		LB_PROBE_END_COUNT
};

/* Packets of probes of one backend, by what became of them. */
struct lb_probe {
	__u64 ends[LB_PROBE_END_COUNT];
};

/* ---- forward: NAT ---- */

/*
 * A NAT flow has two entries. The one under the client's tuple (lb_flow_key of packets from the
 * client) says what is made of them; the one under the backend's tuple (lb_flow_key of packets from
 * the backend, in the backend's family) says whose they are, and claims the port that tells flows
 * apart. The flow's entry is the one that is counted and judged; the return goes with it.
 */

/* Where a client's packets came from, and its answers go: no route is looked up for them. */
struct lb_nat_hop {
	__u32 ifindex;
	__u8 peer_mac[6]; /* of the client, or of the router before it */
	__u8 own_mac[6];
};

/* Backend and port belong together: one store. */
#define LB_NAT_TO(backend, port, incarnation)                                                      \
	((__u64)(incarnation) << 32 | (__u64)(__u16)(port) << 16 | (__u16)(backend))
#define LB_NAT_BACKEND(to)     ((__u32)(to)&0xffff)
#define LB_NAT_PORT(to)        ((__be16)((to) >> 16))
#define LB_NAT_INCARNATION(to) ((__u32)((to) >> 32))

struct lb_nat_flow {
	__u64 to;   /* LB_NAT_TO; the port is the source port that the backend sees */
	__u32 seen; /* tick of the client's last packet; LB_DOOMED as in struct lb_flow */
	__u16 pool;
	__u8 state;           /* enum lb_flow_state, by the client's packets */
	__u8 family;          /* of the backend, and of `source` */
	union lb_addr source; /* that the backend sees */
	struct lb_nat_hop hop;
};

struct lb_nat_return {
	__u32 seen;  /* tick of the backend's last packet; LB_DOOMED likewise */
	__u8 state;  /* enum lb_flow_state, by the backend's packets */
	__u8 family; /* of the client, and of the VIP */
	__be16 client_port;
	__be16 vip_port;
	__u16 unused;
	union lb_addr client;
	union lb_addr vip;
	struct lb_nat_hop hop;
};

/* By backend: new flows that were refused because every port was taken. */
struct lb_nat_pressure {
	__u64 refused;
	__u64 last_ns; /* CLOCK_MONOTONIC, when a search for a port last failed */
};

/* ---- counting ---- */

/*
 * One entry per CPU and (service, backend) pair: `counters[service.counter_base +
 * backend.counter]`. Offset 0 of a service's run counts what ended without a backend. Readers add
 * up what they want to know: a service is the sum of its run, a backend the sum over its pool's
 * services.
 */
struct lb_counter {
	__u64 packets;
	__u64 bytes;     /* L3 bytes as received, without the outer header */
	__u64 new_flows; /* TCP SYNs without ACK; tracked pools: new UDP flows too */
};

struct lb_verdict_counter {
	__u64 packets;
	__u64 bytes; /* frame bytes as received */
};

/* ---- identities: written and read by the controller alone, so that a new one can adopt ---- */

struct lb_pool_identity {
	char name[LB_NAME_SIZE];
	__u64 digest;        /* of the table published last */
	__u32 counter_count; /* offsets in use or free to use in the runs of its services */
	__u32 unused;
};

struct lb_service_identity {
	char name[LB_NAME_SIZE];
	__u32 pool;
	__u32 counter_base;
	__u32 counter_count;
	__u32 unused;
};

struct lb_backend_identity {
	char name[LB_NAME_SIZE];
	union lb_addr address;
	__u32 pool;
	__u16 port;   /* 0 where the mode has none */
	__u8 family;  /* 4 or 6 */
	__u8 forward; /* enum lb_forward */
	__u8 admin;   /* enum admin_state of the controller's model */
	__u8 health;  /* enum health_state of the controller's model */
	__u16 unused;
	__u32 weight;
	/* What its checks went through, so that a restart of the controller forgives no flapping:
	 */
	__u64 since_ms;    /* CLOCK_REALTIME of the last change of health; 0: not known */
	__u64 up_since_ms; /* CLOCK_MONOTONIC, as maps live no longer than that; 0: it is not up */
	__u64 held_until_ms; /* the same clock; 0: it is not held down */
	__u32 short_lives;
	__u32 unused_too;
};

/* ---- what a dry run of the program says of its packet, for `lbctl flow lookup` ---- */

struct lb_explanation {
	__u32 verdict;
	__u32 service;
	__u32 pool;
	__u32 slot;
	__u32 slot_word;
	__u32 backend;
	__u32 decided_by;
	__u32 entry_age; /* ticks since the flow's entry was seen; ~0: no entry */
};

/* ---- trace: single packets as they pass, see bpf/trace.h ---- */

enum {
	LB_TRACE_FRAME = 128,          /* bytes of a frame that are shown */
	LB_TRACE_RING_SIZE = 1 << 20,  /* bytes of events that nobody has fetched yet */
	LB_TRACE_BURST_NS = 125000000, /* what a CPU may show at once of what it may in a while */
	LB_TRACE_RATE_MAX = 10000,     /* events of a CPU in a second */
};

/* What has to be true of a packet that is shown. Zero: anything is. */
struct lb_trace_filter {
	union lb_addr address; /* source or destination, masked */
	union lb_addr mask;
	__u64 verdicts; /* bit v: those of verdict v */
	__u32 service;
	__u32 backend;
	__be16 port; /* source or destination */
	__u8 family; /* of the address */
	__u8 proto;  /* IPPROTO_TCP and so on */
	__u32 unused;
};

/* One of an installation. lbd writes the rest while until_ns is zero. */
struct lb_trace {
	__u64 until_ns; /* CLOCK_MONOTONIC; 0: off. lbd puts it off as long as somebody listens */
	__u64 interval_ns; /* between events of a CPU */
	__u32 id;          /* of this trace, in its events */
	__u32 unused;
	struct lb_trace_filter filter;
};

enum lb_trace_flag {
	LB_TRACE_SYN = 1 << 0,     /* SYN without ACK */
	LB_TRACE_CLOSING = 1 << 1, /* FIN or RST */
	LB_TRACE_RESET = 1 << 2,   /* RST */
	LB_TRACE_QUOTED = 1 << 3,  /* an ICMP error; the flow is that of the packet it quotes */
	LB_TRACE_FRAGMENT = 1 << 4,
};

struct lb_trace_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 trace;   /* lb_trace.id */
	__u32 ifindex; /* that it came in by */
	struct lb_explanation said;
	union lb_addr source; /* IPv4 with twelve zero bytes behind */
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 family; /* 0: none is known, and nothing of the flow */
	__u8 proto;
	__u8 flags; /* enum lb_trace_flag */
	__u8 unused;
	__u32 length;               /* of the frame */
	__u32 captured;             /* bytes of `frame` */
	__u8 frame[LB_TRACE_FRAME]; /* its beginning, as it came in */
};

/* Of each CPU. */
struct lb_trace_cpu {
	struct lb_trace_event event; /* the one that is being made */
	__u64 due_ns;                /* until when its events have used up its rate */
	__u64 limited; /* packets not shown for the rate; only grows, as do the next */
	__u64 lost;    /* events that found no room in the ring */
};

_Static_assert(LB_VERDICT_COUNT <= 64, "lb_trace_filter.verdicts has a bit for each");

/* ---- sweeps: what lbd asks of bpf/sweep.bpf.c, and what it learns ---- */

enum lb_sweep_table {
	LB_SWEEP_BIRTHS, /* births first: see bpf/sweep.h */
	LB_SWEEP_FLOWS,
	LB_SWEEP_CLIENTS,
	LB_SWEEP_NAT_FLOWS,
	LB_SWEEP_NAT_RETURNS,
	LB_SWEEP_TABLE_COUNT
};

struct lb_sweep {
	__u32 table;                 /* enum lb_sweep_table */
	__u32 now;                   /* tick at which the whole sweep began */
	__u32 read, doomed, deleted; /* out: entries */
	__u32 unused;
};

/* Live entries by backend and by pool, as of the last sweep. */
struct lb_tally {
	__u32 flows; /* not closing; a flow in both tables counts once */
	__u32 clients;
	__u32 nat_flows; /* of NAT; all that have an entry, closing or not */
	__u32 unused;
};

/* Room for a piece of a packet. */
struct lb_scratch {
	__u8 bytes[520]; /* 512 are used; the verifier is not that exact */
};

#define LB_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define LB_ASSERT_OFFSET(type, field, at)                                                          \
	_Static_assert(offsetof(type, field) == (at), "offset of " #type "." #field)

LB_ASSERT_SIZE(union lb_addr, 16);
LB_ASSERT_SIZE(struct lb_limits, 28);
LB_ASSERT_SIZE(struct lb_settings, 224);
LB_ASSERT_OFFSET(struct lb_settings, flags, 48);
LB_ASSERT_SIZE(struct lb_attachment, 40);
LB_ASSERT_SIZE(struct lb_service_key_v4, 8);
LB_ASSERT_SIZE(struct lb_service_key_v6, 20);
LB_ASSERT_SIZE(struct lb_service, 16);
LB_ASSERT_SIZE(struct lb_vip_key, 20);
LB_ASSERT_SIZE(struct lb_control, 16);
LB_ASSERT_SIZE(struct lb_source_key_v4, 12);
LB_ASSERT_SIZE(struct lb_source_key_v6, 24);
LB_ASSERT_SIZE(struct lb_new_flow_limit, 40);
LB_ASSERT_SIZE(struct lb_opener_key, 24);
LB_ASSERT_SIZE(struct lb_vip, 8);
LB_ASSERT_SIZE(struct lb_bucket, 16);
LB_ASSERT_SIZE(struct lb_fragment_key, 40);
LB_ASSERT_SIZE(struct lb_fragment, 16);
LB_ASSERT_SIZE(struct lb_pool, 64);
LB_ASSERT_OFFSET(struct lb_pool, mask_v6, 16);
LB_ASSERT_OFFSET(struct lb_pool, idle_tcp, 32);
LB_ASSERT_SIZE(struct lb_slot_block, 64);
LB_ASSERT_SIZE(struct lb_flow_key_v4, 16);
LB_ASSERT_SIZE(struct lb_flow_key_v6, 40);
LB_ASSERT_SIZE(struct lb_times, 16);
LB_ASSERT_SIZE(struct lb_flow, 16);
LB_ASSERT_SIZE(struct lb_birth, 20);
LB_ASSERT_SIZE(struct lb_usage, 40);
LB_ASSERT_SIZE(struct lb_client_key_v4, 8);
LB_ASSERT_SIZE(struct lb_client_key_v6, 20);
LB_ASSERT_SIZE(struct lb_client, 32);
LB_ASSERT_OFFSET(struct lb_client, times, 8);
LB_ASSERT_OFFSET(struct lb_client, seen, 24);
LB_ASSERT_SIZE(struct lb_pin, 24);
LB_ASSERT_SIZE(struct lb_backend, 64);
LB_ASSERT_OFFSET(struct lb_backend, destination_mac, 8);
LB_ASSERT_OFFSET(struct lb_backend, source_mac, 16);
LB_ASSERT_OFFSET(struct lb_backend, ifindex, 24);
LB_ASSERT_OFFSET(struct lb_backend, port, 30);
LB_ASSERT_OFFSET(struct lb_backend, outer_destination, 32);
LB_ASSERT_OFFSET(struct lb_backend, outer_source, 48);
LB_ASSERT_SIZE(struct lb_probe, 40);
LB_ASSERT_SIZE(struct lb_nat_flow, 48);
LB_ASSERT_OFFSET(struct lb_nat_flow, source, 16);
LB_ASSERT_SIZE(struct lb_nat_return, 60);
LB_ASSERT_SIZE(struct lb_nat_pressure, 16);
LB_ASSERT_SIZE(struct lb_counter, 24);
LB_ASSERT_SIZE(struct lb_verdict_counter, 16);
LB_ASSERT_SIZE(struct lb_pool_identity, 80);
LB_ASSERT_SIZE(struct lb_service_identity, 80);
LB_ASSERT_SIZE(struct lb_backend_identity, 128);
LB_ASSERT_SIZE(struct lb_explanation, 32);
LB_ASSERT_SIZE(struct lb_trace_filter, 56);
LB_ASSERT_SIZE(struct lb_trace, 80);
LB_ASSERT_SIZE(struct lb_trace_event, 224);
LB_ASSERT_OFFSET(struct lb_trace_event, said, 16);
LB_ASSERT_OFFSET(struct lb_trace_event, frame, 96);
LB_ASSERT_SIZE(struct lb_trace_cpu, 248);
LB_ASSERT_SIZE(struct lb_sweep, 24);
LB_ASSERT_SIZE(struct lb_tally, 16);

#endif
