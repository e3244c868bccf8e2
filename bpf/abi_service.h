/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* the installation, services and what is asked before a backend is: part of lb_abi.h. */
#ifndef LB_ABI_SERVICE_H
#define LB_ABI_SERVICE_H

#include "abi_base.h"

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

/* Room for a piece of a packet. */
struct lb_scratch {
	__u8 bytes[520]; /* 512 are used; the verifier is not that exact */
};

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

#endif
