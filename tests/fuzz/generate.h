/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * generate: configurations, memories and frames, at random, but such that they have to do with each
 * other: few clients, few ports, entries of flows that come again.
 *
 *   generate_config.c   configurations, and changes while packets come
 *   generate_memory.c   what was remembered before the first packet
 *   generate_sources.c  who may
 *   generate_nat.c      and of NAT; its backends
 *   generate_frame.c, generate_transport.c   frames as clients send them, with some oddities
 *   mutate.c            frames as nobody sends them
 */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H

#include "model.h"
#include "random.h"
#include "writer.h"

enum { GENERATE_CLIENTS = 5, GENERATE_PORTS = 4, GENERATE_OLDEST = 60 /* ticks: of anything */ };

/* Who sends, of one round. */
struct crowd {
	struct model_address clients[2][GENERATE_CLIENTS]; /* IPv4, IPv6 */
	uint16_t ports[GENERATE_PORTS];
	uint32_t sequences[GENERATE_PORTS];
	uint32_t numbers[GENERATE_PORTS]; /* identifications of fragments */
};

/* Seed and limits are the caller's. */
void generate_config(struct random *r, struct model_config *config);
/* Lists of sources, and limits of new flows. */
void generate_sources(struct random *r, const struct crowd *crowd, struct model_config *config);
/* Makes backends such of NAT. */
void generate_nat_config(struct random *r, struct model_config *config);
void generate_nat_memory(struct random *r, const struct model_config *config,
			 const struct crowd *crowd, uint32_t now, struct model_memory *memory);
/* A flow of NAT that is remembered, from either side. False if there is none. */
bool generate_nat_flow(struct random *r, const struct model_memory *memory,
		       struct model_flow *flow);
/* Some backends' states or some slots become others. */
void generate_change(struct random *r, struct model_config *config);
void generate_crowd(struct random *r, struct crowd *crowd);
/* What sweeps and time do to entries. */
uint8_t generate_fate(struct random *r);
uint32_t generate_tick(struct random *r, uint32_t now);
void generate_memory(struct random *r, const struct model_config *config, const struct crowd *crowd,
		     uint32_t now, struct model_memory *memory);
/* A flow of the crowd's to one of the listeners, or nearly. */
struct model_flow generate_flow(struct random *r, const struct model_config *config,
				const struct crowd *crowd);
void generate_frame(struct random *r, const struct model_config *config, const struct crowd *crowd,
		    const struct model_memory *memory, struct model_frame *frame);
/* What is behind the IP header. Returns its protocol. */
uint32_t generate_transport(struct writer *w, const struct model_flow *flow, uint32_t sequence);
/* The checksum of the `size` bytes `at`, which are all of the packet at `ip` behind its headers;
 * mostly. */
void generate_checksum(struct random *r, uint8_t *ip, bool six, uint32_t proto, uint8_t *at,
		       uint32_t size);
/* IPv6 extension headers in front of what the byte at `next_at` names. */
void generate_extensions(struct writer *w, uint32_t next_at, uint32_t count);
/* Bytes become others, the frame shorter or longer. */
void mutate(struct random *r, struct model_frame *frame);

#endif
