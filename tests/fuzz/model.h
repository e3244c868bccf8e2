/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model: what the balancer is to do with a packet, said a second time: plain C over plain structs,
 * written from the design, the rules of stickiness and the RFCs. Given a configuration, what is
 * remembered and a frame, it says the verdict, the bytes that leave and what is remembered then.
 *
 * It shares nothing with bpf/, not even a header, so that a slip there is no slip here. It is
 * written to be read, not to be fast: addresses are bytes, tables are searched from one end to the
 * other. machine.c brings the same into the maps of the real program; compare.c finds what differs.
 *
 *   model.c          a packet's way through the others
 *   model_parse.c    bytes to flow
 *   model_hash.c     flow or client to a number
 *   model_pick.c     which backend: the rules
 *   model_client.c   clients' records in them
 *   model_table.c    entries: found, judged, written
 *   model_forward.c  the bytes that leave
 *   model_fragment.c, model_icmp.c, model_answer.c   what is no common packet
 *   model_finish.c     checksums that were left to hardware
 *   model_nat.c        flows of NAT: made, found, followed
 *   model_translate.c, model_translate_icmp.c   what NAT makes of a packet
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MODEL_BACKENDS = 16, /* index 0: none */
	MODEL_POOLS = 8,     /* index 0: none; a service's index is used likewise */
	MODEL_SERVICES = 12,
	MODEL_LISTENERS = 32,
	MODEL_SLOTS = 64,   /* of a pool, at most */
	MODEL_ENTRIES = 96, /* of births, and of flows */
	MODEL_CLIENTS = 64,
	MODEL_FRAGMENTS = 256,
	MODEL_NAT_FLOWS = 64,
	MODEL_NAT_RETURNS = 128,
	MODEL_FRAME = 10240,
	MODEL_SEED = 16,
};

/* ---- verdicts: by the names that users see ---- */

#define MODEL_VERDICTS(X)                                                                          \
	X(forwarded)                                                                               \
	X(pass_not_ip)                                                                             \
	X(pass_no_service)                                                                         \
	X(pass_icmp)                                                                               \
	X(drop_truncated)                                                                          \
	X(drop_bad_header)                                                                         \
	X(drop_fragment)                                                                           \
	X(drop_no_backend)                                                                         \
	X(drop_ttl)                                                                                \
	X(drop_too_big)                                                                            \
	X(drop_no_room)                                                                            \
	X(drop_internal)                                                                           \
	X(drop_bad_fragment)                                                                       \
	X(drop_extension)                                                                          \
	X(answered_echo)                                                                           \
	X(refused_ttl)                                                                             \
	X(refused_too_big)                                                                         \
	X(drop_untold)                                                                             \
	X(drop_echo)                                                                               \
	X(drop_quote)                                                                              \
	X(returned)                                                                                \
	X(drop_nat_full)                                                                           \
	X(drop_nat_ports)                                                                          \
	X(drop_nat_unknown)

enum model_verdict {
	MODEL_GOES_ON, /* no end yet */
#define MODEL_VERDICT_ENUM(name) MODEL_##name,
	MODEL_VERDICTS(MODEL_VERDICT_ENUM)
#undef MODEL_VERDICT_ENUM
		MODEL_VERDICT_COUNT
};

/* ---- configuration ---- */

struct model_address {
	uint8_t family;    /* 4, 6; 0: none */
	uint8_t bytes[16]; /* as in the packet; IPv4: the first four, the rest zero */
};

enum model_way {
	MODEL_NO_WAY,
	MODEL_L2,
	MODEL_IPIP4,
	MODEL_IPIP6,
	MODEL_GUE4,
	MODEL_GUE6,
	MODEL_NAT4, /* the backend's address is an IPv4 one, whatever the client's */
	MODEL_NAT6,
	MODEL_WAYS
};

struct model_backend {
	bool usable;        /* may be given packets */
	bool snat;          /* of NAT: it sees outer_source as its client */
	bool host_source;   /* which is the host's own, and so are some of its ports */
	bool takes_clients; /* may be given new flows of clients that it has */
	uint8_t way;        /* enum model_way */
	uint8_t next_hop[6], egress_mac[6];
	uint16_t mtu; /* 0: any */
	uint32_t incarnation;
	uint32_t ifindex;
	uint32_t source_bits; /* low bits of the outer source that vary by flow */
	uint16_t gue_port;    /* of the outer UDP header; of NAT, the backend's; 0: the VIP's */
	struct model_address outer_source, outer_destination;
};

struct model_slot {
	uint32_t owner, fallback;
	bool changed;
};

struct model_pool {
	uint32_t table_size; /* 0: it has none yet */
	bool usable;         /* some backend of it is */
	bool by_source;
	bool track_always;
	uint8_t prefix_v4, prefix_v6;              /* of the source */
	uint32_t idle_tcp, idle_udp, idle_closing; /* ticks */
	uint32_t client_timeout;                   /* ticks; 0: clients are not remembered */
	struct model_slot slots[MODEL_SLOTS];
};

struct model_listener {
	struct model_address vip; /* family 0: no such listener */
	uint8_t proto;
	uint16_t first, last; /* ports */
	uint32_t service;
};

struct model_config {
	uint8_t seed[MODEL_SEED];
	uint32_t flows, clients, nat_flows; /* limits */
	bool finish;                        /* frames may come with unfinished checksums */
	bool nat;                           /* there are backends of NAT */
	uint16_t host_first, host_count;    /* ports that the host gives out itself */
	struct model_backend backends[MODEL_BACKENDS];
	struct model_pool pools[MODEL_POOLS];
	uint32_t service_pools[MODEL_SERVICES]; /* 0: no such service */
	struct model_listener listeners[MODEL_LISTENERS];
};

/* ---- what is remembered ---- */

struct model_flow {
	struct model_address source, destination;
	uint16_t source_port, destination_port;
	uint8_t proto;
};

enum model_state { MODEL_OPENING, MODEL_OPEN, MODEL_CLOSING, MODEL_RESET, MODEL_STATES };

/* How far a sweep has got with an entry: doomed ones are none any more, but may be taken over;
 * claimed ones may not, they are about to go. */
enum model_fate { MODEL_KEPT, MODEL_DOOMED, MODEL_CLAIMED, MODEL_FATES };

struct model_entry {
	bool there;
	uint8_t state; /* enum model_state */
	uint8_t fate;  /* enum model_fate */
	bool reborn;   /* of flows: births may know of a later life */
	bool recorded; /* of flows: an old flow, met at its fallback */
	uint32_t backend, incarnation, pool;
	uint32_t seen;     /* tick */
	uint32_t sequence; /* of births */
	struct model_flow flow;
};

/* Ticks; 0: never. */
struct model_times {
	uint32_t since, used, full, kept;
};

struct model_client {
	bool there;
	uint8_t fate;
	bool changed;
	bool known;
	uint32_t pool;
	uint32_t owner, fallback;
	uint16_t owner_incarnation, fallback_incarnation;
	uint32_t seen;
	struct model_times times;
	struct model_address network; /* the source under the pool's prefix */
};

/* Whatever could not be remembered. */
enum model_note {
	MODEL_NEW_FLOW_UNTRACKED,
	MODEL_OLD_FLOW_UNTRACKED,
	MODEL_CLIENT_UNTRACKED,
	MODEL_NAT_FULL,
	MODEL_NAT_PORTS,
	MODEL_NOTES
};

/* What the first fragment of a packet left for the others. */
struct model_fragment {
	bool there;
	uint32_t identification;
	uint32_t seen;
	uint32_t sequence;
	struct model_flow flow;
};

/* Where a client's packets come from, and the answers go. */
struct model_hop {
	uint32_t ifindex;
	uint8_t peer_mac[6], own_mac[6];
};

/* What is made of the packets that a client sends. */
struct model_nat_flow {
	bool there;
	uint8_t fate, state;
	uint16_t port; /* source port that the backend sees */
	uint32_t backend, incarnation, pool, seen;
	struct model_address source; /* that the backend sees */
	struct model_hop hop;
	struct model_flow flow; /* as the client sends it */
};

/* Whose the packets are that a backend sends. */
struct model_nat_return {
	bool there;
	uint8_t fate, state;
	uint16_t client_port, vip_port;
	uint32_t seen;
	struct model_address client, vip;
	struct model_hop hop;
	struct model_flow flow; /* as the backend sends it */
};

struct model_memory {
	struct model_entry births[MODEL_ENTRIES];
	struct model_entry flows[MODEL_ENTRIES];
	struct model_client clients[MODEL_CLIENTS];
	struct model_times times[MODEL_POOLS][MODEL_SLOTS];
	struct model_fragment fragments[MODEL_FRAGMENTS];
	struct model_nat_flow nat_flows[MODEL_NAT_FLOWS];
	struct model_nat_return nat_returns[MODEL_NAT_RETURNS];
	/* New flows for which no port was found, since the program was loaded. */
	uint32_t nat_refused[MODEL_BACKENDS];
};

/* What the quotas are about. */
enum model_quota {
	MODEL_QUOTA_TCP,
	MODEL_QUOTA_TCP_BIRTHS,
	MODEL_QUOTA_TCP_RECORDED,
	MODEL_QUOTA_UDP,
	MODEL_QUOTA_UDP_BIRTHS,
	MODEL_QUOTA_CLIENTS,
	MODEL_QUOTA_CLIENTS_NEW,
	MODEL_QUOTA_NAT_TCP,
	MODEL_QUOTA_NAT_UDP,
	MODEL_QUOTAS
};

/* ---- a packet, and what becomes of it ---- */

struct model_frame {
	uint32_t metadata; /* bytes that it takes from the room before the frame */
	uint32_t ifindex;  /* where it came in */
	bool untold;       /* so many ICMP errors were just sent that no more may be */
	/* A long frame comes in several buffers (`xdp.frags`), of which a program reads the first
	 * as memory: so many bytes of it. 0: as many as the kernel's test run puts there. What
	 * headers are to be changed, or decide, have to be in it. */
	uint32_t linear;
	uint32_t size;
	uint8_t bytes[MODEL_FRAME];
};

/* Which source port a new flow gets of NAT, where it cannot have the client's own, is the program's
 * choice. The model is told, and says whether it could choose so. */
enum model_port_kind {
	MODEL_PORT_ANY,  /* not known: it changed nothing that can be seen */
	MODEL_PORT_NONE, /* it found none */
	MODEL_PORT_FULL, /* it found one, but no room */
	MODEL_PORT_SAID
};

struct model_port {
	uint8_t kind; /* enum model_port_kind */
	uint16_t port;
	/* By the copy that explains, which writes nothing: it does not see a full table. */
	bool unwritten;
};

enum model_decided_by {
	MODEL_BY_NONE,
	MODEL_BY_SLOT,
	MODEL_BY_FALLBACK,
	MODEL_BY_FLOW,
	MODEL_BY_CLIENT
};

struct model_answer {
	enum model_verdict verdict;
	uint32_t service, pool, backend; /* 0: none was reached */
	uint32_t slot;
	struct model_flow flow; /* where a service was reached */
	enum model_decided_by decided_by;
	uint32_t l3_size; /* of the packet as it came */
	bool new_flow;
	bool quoted;     /* an ICMP error that speaks of the flow: which way led to the backend is
			    not said of one */
	bool redirected; /* it leaves by another interface than it came by */
	bool notes[MODEL_NOTES];
	/* Of NAT: the flow's entry, and the return, may have changed. */
	bool nat_flow, nat_return;
	struct model_flow nat_back; /* the return's tuple */
	const char *objection;      /* to the program's choice of a port; NULL: none */
	uint32_t size;              /* what leaves, or goes to the kernel; unless dropped */
	uint8_t bytes[MODEL_FRAME];
};

/* ---- model.c ---- */

const char *model_verdict_name(enum model_verdict verdict);
bool model_drops(enum model_verdict verdict);
/* Whether what leaves is the balancer's own answer. */
bool model_answers(enum model_verdict verdict);

/* Bytes of the frame that can be read as memory. */
uint32_t model_linear(const struct model_frame *frame);

/* Judges `frame` at tick `now`; `memory` becomes what it is afterwards. */
void model_run(const struct model_config *config, struct model_memory *memory,
	       const struct model_frame *frame, uint32_t now, struct model_port port,
	       struct model_answer *answer);

/* ---- between the parts ---- */

enum model_part { MODEL_WHOLE, MODEL_FIRST, MODEL_LATER };

/* What the bytes say. */
struct model_packet {
	uint8_t family; /* 0: no destination is known */
	struct model_flow flow;
	uint32_t l3_offset, l3_size;
	uint32_t l4_offset;      /* behind options and extension headers */
	uint32_t identification; /* of a fragment */
	uint8_t part;            /* enum model_part */
	uint8_t traffic_class;
	uint32_t sequence;
	bool syn;     /* SYN without ACK */
	bool closing; /* FIN or RST */
	bool reset;
	uint32_t linear;     /* of the frame */
	bool quoted;         /* an ICMP error that speaks of the flow */
	bool sequence_known; /* of that: it tells where the flow is */
};

/* The choice of a backend, as it is being made. */
struct model_pick {
	const struct model_config *config;
	struct model_memory *memory;
	const struct model_packet *packet;
	const struct model_pool *pool;
	uint32_t pool_index;
	uint32_t slot_index;
	struct model_slot slot; /* what the table says, before any client's record */
	uint32_t now;
	/* The pair the packet is judged by, and where its times are. */
	uint32_t owner, fallback; /* 0: none that can be used */
	bool changed;
	bool by_client; /* a client's record that was there before */
	struct model_times *times;
	struct model_answer *answer;
};

/* Of IPv6: whether the number is that of an extension header, and the size of the one at `at`. */
bool model_is_extension(uint32_t proto);
uint32_t model_extension_size(uint32_t proto, const uint8_t *at);
/* `linear`: bytes that can be read; see struct model_frame. */
enum model_verdict model_parse(const uint8_t *bytes, uint32_t size, uint32_t linear,
			       struct model_packet *packet);
bool model_is_vip(const struct model_config *config, const struct model_address *address);
/* The service for the flow, or 0. */
uint32_t model_service(const struct model_config *config, const struct model_flow *flow);

uint32_t model_hash_flow(const uint8_t seed[MODEL_SEED], const struct model_flow *flow);
uint32_t model_hash_client(const uint8_t seed[MODEL_SEED], const struct model_address *network);
/* What varies by flow, from the hash that chose the slot. */
uint32_t model_entropy(const struct model_pool *pool, uint32_t hash, const struct model_flow *flow);

/* Makes a fragment one of its flow's packets. */
enum model_verdict model_fragment_follow(const struct model_config *config,
					 struct model_memory *memory, struct model_packet *packet,
					 uint32_t now);
/* Of ICMP: answered, or the flow that an error speaks of, or the end. */
enum model_verdict model_icmp(const struct model_config *config, struct model_packet *packet,
			      struct model_answer *answer);
/* What the program is told of a VIP: see model_fragment.c and model_icmp.c. */
uint16_t model_vip_port(const struct model_config *config, const struct model_address *vip,
			uint8_t proto);
bool model_vip_usable(const struct model_config *config, const struct model_address *vip);
/* Whether the frame's sender may be answered at all. */
bool model_answerable(const uint8_t *frame, const struct model_packet *packet);
/* The largest packet of `family` that fits the way to the backend; 0: not known. */
uint32_t model_fits(const struct model_backend *backend, uint8_t family);
enum model_verdict model_refuse(const struct model_packet *packet, const struct model_frame *frame,
				enum model_verdict verdict, uint32_t fits,
				struct model_answer *answer);

enum model_verdict model_pick(struct model_pick *pick);
/* Judges by the client's record where there is one, or makes it. */
void model_pick_client(struct model_pick *pick);

enum model_verdict model_forward(const struct model_backend *backend,
				 const struct model_packet *packet, const struct model_frame *frame,
				 uint32_t entropy, struct model_answer *answer);

/* Makes the checksum in the frame, where the sender did not. */
void model_finish(const struct model_packet *packet, uint8_t *bytes);
/* The state of a TCP flow's entry after the packet. */
uint8_t model_state_after(const struct model_packet *packet, uint8_t state);

/* The packet is for a backend of NAT, which was picked. */
enum model_verdict model_nat_forward(const struct model_config *config, struct model_memory *memory,
				     const struct model_packet *packet,
				     const struct model_frame *frame, uint32_t now,
				     uint32_t entropy, struct model_port port,
				     struct model_answer *answer);
/* No service takes the packet: MODEL_returned, if it is a backend's answer to a client. */
enum model_verdict model_nat_return(const struct model_config *config, struct model_memory *memory,
				    const struct model_packet *packet,
				    const struct model_frame *frame, uint32_t now,
				    struct model_answer *answer);
struct model_nat_flow *model_nat_flow_find(struct model_memory *memory,
					   const struct model_flow *flow);
struct model_nat_return *model_nat_return_find(struct model_memory *memory,
					       const struct model_flow *flow);
/* Whether a backend's packet would be sent to a client. */
bool model_nat_answers(const struct model_config *config, struct model_memory *memory,
		       const struct model_flow *flow);

/* What NAT makes of a packet. */
struct model_translation {
	struct model_address source, destination;
	uint16_t source_port, destination_port;
	uint32_t mtu;      /* 0: any */
	bool keeps_source; /* an error comes from whom it came from */
	const uint8_t *next_hop, *egress_mac;
};

/* The bytes of `answer`; MODEL_GOES_ON, or what the packet ends with. */
enum model_verdict model_translate(const struct model_translation *to,
				   const struct model_packet *packet,
				   const struct model_frame *frame, struct model_answer *answer);
/* The same of an ICMP error about a packet that the receiver sent. */
enum model_verdict model_translate_error(const struct model_translation *to,
					 const struct model_packet *packet,
					 const struct model_frame *frame,
					 struct model_answer *answer);

struct model_address model_network(const struct model_pool *pool,
				   const struct model_address *address);
bool model_usable(const struct model_config *config, uint32_t backend);
uint32_t model_client_life(const struct model_pool *pool);

/* ---- model_table.c ---- */

bool model_same_address(const struct model_address *a, const struct model_address *b);
bool model_same_flow(const struct model_flow *a, const struct model_flow *b);
/* Of births (`births`) or flows. NULL: there is none. */
struct model_entry *model_entry_find(struct model_entry *table, const struct model_flow *flow);
bool model_entry_live(const struct model_pick *pick, const struct model_entry *entry);
/* Writes an entry over the flow's dead one or in a free place. False if there is no room. */
bool model_birth_write(struct model_pick *pick, const struct model_entry *entry);
bool model_flow_write(struct model_pick *pick, const struct model_entry *entry);
/* Whether the quota has room for one more. */
bool model_quota_left(const struct model_config *config, const struct model_memory *memory,
		      enum model_quota quota);
void model_quota_count(const struct model_memory *memory, uint32_t count[MODEL_QUOTAS]);

#endif
