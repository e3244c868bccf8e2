/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * service_memo: what searches for services found of late, so that most packets need none: a hash of
 * the kernel's costs as much as all the rest of a packet's way. Called by service.h. The program's
 * own memory, in no pinned map: whoever loads a program begins with none.
 *
 * All CPUs share it and nobody locks. A memo is sealed: a sum over what it was asked, what was
 * found and what lb_control said of the listeners before the search has to be right. So a memo that
 * two CPUs wrote at once, or that is older than the last change of a listener, is none. The sum is
 * over a keyed hash of the question, so that nobody outside can have two with the same.
 *
 * That there is no service is remembered, too, but apart, and seldom in the place of anything else
 * that is true: else a flood to strange ports would have all CPUs write all the time.
 */
#ifndef LB_SERVICE_MEMO_H
#define LB_SERVICE_MEMO_H

#include "env.h"
#include "hash.h"
#include "parse.h"

enum {
	MEMO_BITS = 12, /* of the number of places for services, and of those for strangers */
	MEMO_KEY_WORDS = 3,
	MEMO_PATIENCE =
		16, /* strangers that come in vain where another one is, before one takes over */
};

struct service_memo {
	__u64 key[MEMO_KEY_WORDS];
	__u64 index_and_pool; /* of the service; 0: it is a stranger's */
	__u64 base_and_flags;
	__u64 seal;
	__u64 state;  /* of the listeners, see memo_state: for whoever wants the place */
	__u64 unused; /* a cache line each */
};

struct memo_place {
	struct service_memo service;
	struct service_memo stranger;
};

static struct memo_place memo_places[1 << MEMO_BITS] __attribute__((aligned(64)));

/* A destination, and that in one number. */
struct memo_key {
	__u64 word[MEMO_KEY_WORDS];
	__u64 mixed;
};

static __always_inline __u64 memo_words(__u32 low, __u32 high)
{
	return (__u64)high << 32 | low;
}

/* What tells searches before a change of the listeners from those after it. */
static __always_inline __u64 memo_state(void)
{
	return memo_words(LOAD_ONCE(control.listener_changes), LOAD_ONCE(control.port_blocks));
}

/* `listener`: port and protocol. */
static __always_inline void memo_key_fill(struct memo_key *key, const struct packet *packet,
					  __u32 listener)
{
	const __be32 *v6 = packet->flow.v6.destination.v6;

	key->word[2] = memo_words(listener, packet->family);
	if (packet->family == 4) {
		key->word[0] = packet->flow.v4.destination;
		key->word[1] = 0;
		key->mixed = hash_keys[0] + hash_pair(0, packet->flow.v4.destination, listener);
		return;
	}
	key->word[0] = memo_words(v6[0], v6[1]);
	key->word[1] = memo_words(v6[2], v6[3]);
	key->mixed = hash_keys[0] + hash_pair(0, v6[0], v6[1]) + hash_pair(1, v6[2], v6[3]) +
		     hash_pair(2, listener, 6);
}

static __always_inline struct memo_place *memo_place(const struct memo_key *key)
{
	return &memo_places[key->mixed >> (64 - MEMO_BITS)];
}

/* Multipliers: odd, and otherwise random. */
static __always_inline __u64 memo_seal(const struct memo_key *key, __u64 state,
				       __u64 index_and_pool, __u64 base_and_flags)
{
	return key->mixed + index_and_pool * 0xe7037ed1a0b428db +
	       base_and_flags * 0x8ebc6af09c88c6e3 + state * 0x589965cc75374cc3;
}

static __always_inline bool memo_read(const struct service_memo *memo, const struct memo_key *key,
				      __u64 state, struct lb_service *found)
{
	__u64 index_and_pool = LOAD_ONCE(memo->index_and_pool);
	__u64 base_and_flags = LOAD_ONCE(memo->base_and_flags);

	if (LOAD_ONCE(memo->key[0]) != key->word[0] || LOAD_ONCE(memo->key[1]) != key->word[1] ||
	    LOAD_ONCE(memo->key[2]) != key->word[2] ||
	    LOAD_ONCE(memo->seal) != memo_seal(key, state, index_and_pool, base_and_flags))
		return false;
	found->index = index_and_pool;
	found->pool = index_and_pool >> 32;
	found->counter_base = base_and_flags;
	found->flags = base_and_flags >> 32;
	return true;
}

/* False: it is not known. `found->index` 0: there is no such service. */
static __always_inline bool memo_recall(const struct packet *packet, __u32 listener, __u64 state,
					struct lb_service *found)
{
	const struct memo_place *place;
	struct memo_key key;

	memo_key_fill(&key, packet, listener);
	place = memo_place(&key);
	return memo_read(&place->service, &key, state, found) ||
	       memo_read(&place->stranger, &key, state, found);
}

/* What a search found that began after `state` was read. NULL: nothing. */
static __always_inline void memo_write(const struct packet *packet, __u32 listener, __u64 state,
				       const struct lb_service *found)
{
	__u64 index_and_pool = found ? memo_words(found->index, found->pool) : 0;
	__u64 base_and_flags = found ? memo_words(found->counter_base, found->flags) : 0;
	struct service_memo *memo;
	struct memo_key key;

	if (read_only)
		return;
	memo_key_fill(&key, packet, listener);
	memo = found ? &memo_place(&key)->service : &memo_place(&key)->stranger;
	if (!found && LOAD_ONCE(memo->state) == state && bpf_get_prandom_u32() % MEMO_PATIENCE)
		return;
	STORE_ONCE(memo->key[0], key.word[0]);
	STORE_ONCE(memo->key[1], key.word[1]);
	STORE_ONCE(memo->key[2], key.word[2]);
	STORE_ONCE(memo->index_and_pool, index_and_pool);
	STORE_ONCE(memo->base_and_flags, base_and_flags);
	STORE_ONCE(memo->seal, memo_seal(&key, state, index_and_pool, base_and_flags));
	STORE_ONCE(memo->state, state);
}

#endif
