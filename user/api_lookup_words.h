/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_lookup_words: the answer to a look-up as a sentence. For api_lookup alone.
 */
#ifndef LIMPET_API_LOOKUP_WORDS_H
#define LIMPET_API_LOOKUP_WORDS_H

#include "dataplane.h"
#include "lookup_packet.h"
#include "model.h"

/* What is known of the packet and its slot, found while answering. */
struct lookup_answer {
	const struct lookup_flow *flow;
	const struct lb_explanation *said; /* by the packet program */
	const struct service *service;     /* NULL: none */
	const struct pool *pool;
	const struct backend *backend;
	/* The pair that the packet was judged by: the slot's, or that of the client's record. */
	const struct backend *owner, *fallback;
	const struct backend *slot_owner, *slot_fallback;
	uint32_t slot_word;
	bool has_slot;
	const struct lookup_flow *now; /* what NAT made of it; family 0: nothing */
	const char *if_down;           /* the backend of which that is supposed; NULL: none */
};

enum { LOOKUP_WORDS_SIZE = 1024, LOOKUP_END_SIZE = ADDR_TEXT_SIZE + 8 };

/* Clauses, with "; " between. */
void lookup_words(const struct lookup_answer *answer, char out[LOOKUP_WORDS_SIZE]);

/* Of the service's listeners that cover the flow the one that the program takes: the narrowest;
 * NULL: none. */
const struct endpoint *lookup_listener(const struct service *service,
				       const struct lookup_flow *flow);
/* An address and port, as one writes them. Returns `out`. */
const char *lookup_end(const struct addr *addr, uint16_t port, char out[LOOKUP_END_SIZE]);
/* The client that the packet is of, in a pool with affinity by source. */
struct prefix lookup_client(const struct pool *pool, const struct lookup_flow *flow);
/* How long ago the entry that decided was seen. */
uint64_t lookup_entry_age_s(const struct lb_explanation *said);

#endif
