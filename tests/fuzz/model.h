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
 *   model_admit.c    who may
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

#include "model_world.h"

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
	X(drop_nat_unknown)                                                                        \
	X(drop_denied)                                                                             \
	X(drop_new_flow_limit)

enum model_verdict {
	MODEL_GOES_ON, /* no end yet */
#define MODEL_VERDICT_ENUM(name) MODEL_##name,
	MODEL_VERDICTS(MODEL_VERDICT_ENUM)
#undef MODEL_VERDICT_ENUM
		MODEL_VERDICT_COUNT
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

/* Whether the service takes the packet, and another flow of that source. */
enum model_verdict model_admit(const struct model_config *config, struct model_memory *memory,
			       const struct model_packet *packet,
			       const struct model_answer *answer);
struct model_opener *model_opener_find(struct model_memory *memory, uint32_t service,
				       const struct model_address *network);

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

struct model_address model_masked(const struct model_address *address, uint32_t prefix);
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
