/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of pick.h and sweep.h share: a pool with a slot in a given state, a flow's entries
 * as data, packets by what they are to a flow, and what the tables hold. The kernel is that of
 * tests/host/host_env.h.
 */
#ifndef PICK_FIXTURE_H
#define PICK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/pick.h"

/* Backends: all can be used but GONE and what lies beyond the map; DRAINING takes no new flows of
 * clients that it has. */
enum { NONE, A, B, C, D, DRAINING, GONE, BEYOND = HOST_BACKENDS };

enum {
	POOL = 2,
	TABLE_BASE = LB_SLOT_BLOCK,
	TABLE_SIZE = 16,
	TIMES_BASE = 23,
	INCARNATION = 9,
	IDLE_TCP = 300,
	IDLE_UDP = 30,
	IDLE_CLOSING = 60,
	ALWAYS = LB_POOL_TRACK_ALWAYS,
	RECORDED = LB_FLOW_RECORDED,
	REBORN = LB_FLOW_REBORN,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

HOST uint32_t now = 1000;

HOST bool is_usable(uint32_t backend)
{
	return backend >= A && backend < GONE;
}

/* ---- packets ---- */

/* What a packet is to the birth of its flow: sequence numbers are the birth's or far from it. */
enum kind {
	SYN,
	SYN_AGAIN,
	ACK,
	FIN,
	RST,
	STRAY_ACK,
	STRAY_FIN,
	STRAY_RST,
	DATAGRAM,
	PLAIN_KINDS,
	WINDOW_BEFORE = PLAIN_KINDS,
	WINDOW_FIRST,
	WINDOW_LAST,
	WINDOW_PAST,
};

/* Of births. The window behind it reaches beyond 2^32. */
#define INITIAL 0xffff0000U

static const struct {
	bool syn, closing, reset, udp;
	uint32_t ahead; /* of INITIAL */
} packets[] = {
	[SYN] = {.syn = true, .ahead = 1 << 20},
	[SYN_AGAIN] = {.syn = true},
	[ACK] = {.ahead = 1},
	[FIN] = {.ahead = 1, .closing = true},
	[RST] = {.ahead = 1, .closing = true, .reset = true},
	[STRAY_ACK] = {.ahead = 1 << 24},
	[STRAY_FIN] = {.ahead = 1 << 24, .closing = true},
	[STRAY_RST] = {.ahead = 1 << 24, .closing = true, .reset = true},
	[DATAGRAM] = {.udp = true},
	[WINDOW_BEFORE] = {.ahead = -1},
	[WINDOW_FIRST] = {.ahead = 0},
	[WINDOW_LAST] = {.ahead = 1 << 17},
	[WINDOW_PAST] = {.ahead = (1 << 17) + 1},
};

HOST struct packet packet_of(enum kind kind, uint8_t family)
{
	struct packet packet = {.family = family,
				.proto = packets[kind].udp ? IPPROTO_UDP : IPPROTO_TCP,
				.syn = packets[kind].syn,
				.closing = packets[kind].closing,
				.reset = packets[kind].reset,
				.sequence = packets[kind].udp ? 0 : INITIAL + packets[kind].ahead};

	if (family == 4)
		packet.flow.v4 = (struct lb_flow_key_v4){.source = bpf_htonl(0xc0000207),
							 .destination = bpf_htonl(0xcb007101),
							 .source_port = 0x1234,
							 .destination_port = 80,
							 .proto = packet.proto};
	else
		packet.flow.v6 = (struct lb_flow_key_v6){.source.bytes = {0x20, 1, [15] = 7},
							 .destination.bytes = {0x20, 2, [15] = 1},
							 .source_port = 0x1234,
							 .destination_port = 80,
							 .proto = packet.proto};
	return packet;
}

/* ---- entries ---- */

/* An entry before or after the packet; backend NONE: there is none. */
struct entry {
	uint16_t backend;
	uint8_t state;
	uint8_t flags;
	int age; /* ticks since it was seen; before the packet, 0 is BIRTH_AGE or FLOW_AGE */
	bool outlived, of_other_pool, doomed;
	bool newborn; /* a birth with the sequence number of the packet */
};

enum { BIRTH_AGE = 5, FLOW_AGE = 7 }; /* of entries that are there before the packet */

HOST struct lb_flow flow_of(const struct entry *entry, int age)
{
	return (struct lb_flow){.seen = (now - (uint32_t)age) | (entry->doomed ? LB_DOOMED : 0),
				.incarnation = entry->outlived ? INCARNATION - 1 : INCARNATION,
				.backend = entry->backend,
				.pool = entry->of_other_pool ? POOL + 1 : POOL,
				.state = entry->state,
				.flags = entry->flags};
}

HOST struct lb_birth birth_of(const struct entry *entry, int age, const struct packet *packet)
{
	uint32_t sequence = packet->proto == IPPROTO_UDP ? 0
			    : entry->newborn             ? packet->sequence
							 : INITIAL;

	return (struct lb_birth){.flow = flow_of(entry, age), .sequence = sequence};
}

HOST int birth_age(const struct entry *before)
{
	return before->age ? before->age : BIRTH_AGE;
}

HOST int flow_age(const struct entry *before)
{
	return before->age ? before->age : FLOW_AGE;
}

HOST struct host_map *births_of(uint8_t family)
{
	return family == 4 ? &births_v4 : &births_v6;
}

HOST struct host_map *flows_of(uint8_t family)
{
	return family == 4 ? &flows_v4 : &flows_v6;
}

HOST void entries_put(const struct packet *packet, const struct entry *birth,
		      const struct entry *flow)
{
	struct lb_birth b = birth_of(birth, birth_age(birth), packet);
	struct lb_flow f = flow_of(flow, flow_age(flow));

	if (birth->backend)
		bpf_map_update_elem(births_of(packet->family), &packet->flow, &b, BPF_ANY);
	if (flow->backend)
		bpf_map_update_elem(flows_of(packet->family), &packet->flow, &f, BPF_ANY);
}

/* NULL, or what is wrong with the birth. `after` NONE: it shall be as it was. */
HOST const char *birth_problem(const struct entry *before, const struct entry *after,
			       const struct packet *packet)
{
	const struct lb_birth *found = birth_find(packet);
	bool stays = !after->backend;
	struct lb_birth expected = stays ? birth_of(before, birth_age(before), packet)
					 : birth_of(after, after->age, packet);

	if (stays && !before->backend)
		return found ? "a birth was made" : NULL;
	if (!found)
		return "no birth was made";
	if (!memcmp(found, &expected, sizeof(expected)))
		return NULL;
	return stays ? "the birth was touched" : "the birth differs";
}

HOST const char *flow_problem(const struct entry *before, const struct entry *after,
			      const struct packet *packet)
{
	const struct lb_flow *found = flow_find(packet);
	bool stays = !after->backend;
	struct lb_flow expected =
		stays ? flow_of(before, flow_age(before)) : flow_of(after, after->age);

	if (stays && !before->backend)
		return found ? "a flow entry was made" : NULL;
	if (!found)
		return "no flow entry was made";
	if (!memcmp(found, &expected, sizeof(expected)))
		return NULL;
	return stays ? "the flow entry was touched" : "the flow entry differs";
}

/* ---- what the tables hold ---- */

static long held_birth(struct host_map *map, const void *key, const struct lb_birth *birth,
		       struct lb_usage *held)
{
	bool v4 = map == &births_v4;
	uint8_t proto = v4 ? ((const struct lb_flow_key_v4 *)key)->proto
			   : ((const struct lb_flow_key_v6 *)key)->proto;

	(void)birth;
	held->count[quota_of(proto)]++;
	held->count[quota_of(proto) + 1]++;
	return 0;
}

static long held_flow(struct host_map *map, const void *key, const struct lb_flow *flow,
		      struct lb_usage *held)
{
	bool v4 = map == &flows_v4;
	uint8_t proto = v4 ? ((const struct lb_flow_key_v4 *)key)->proto
			   : ((const struct lb_flow_key_v6 *)key)->proto;

	held->count[quota_of(proto)]++;
	if (flow->flags & LB_FLOW_RECORDED)
		held->count[LB_QUOTA_TCP_RECORDED]++;
	return 0;
}

static long held_client(struct host_map *map, const void *key, const struct lb_client *client,
			struct lb_usage *held)
{
	(void)map;
	(void)key;
	held->count[LB_QUOTA_CLIENTS]++;
	if (!client->known)
		held->count[LB_QUOTA_CLIENTS_NEW]++;
	return 0;
}

/* What `usage` must say. */
HOST struct lb_usage usage_held(void)
{
	struct lb_usage held = {};

	bpf_for_each_map_elem(&births_v4, held_birth, &held, 0);
	bpf_for_each_map_elem(&births_v6, held_birth, &held, 0);
	bpf_for_each_map_elem(&flows_v4, held_flow, &held, 0);
	bpf_for_each_map_elem(&flows_v6, held_flow, &held, 0);
	bpf_for_each_map_elem(&clients_v4, held_client, &held, 0);
	bpf_for_each_map_elem(&clients_v6, held_client, &held, 0);
	return held;
}

HOST bool usage_is_right(void)
{
	struct lb_usage held = usage_held();

	return !memcmp(&held, &usage_host[0], sizeof(held));
}

static uint64_t digest_add(uint64_t digest, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)data + i, 4);
		digest = (digest ^ word) * 0x100000001b3ULL;
	}
	return digest;
}

static long digest_element(struct host_map *map, const void *key, const void *value,
			   uint64_t *digest)
{
	*digest = digest_add(*digest, key, map->key_size);
	*digest = digest_add(*digest, value, map->value_size);
	return 0;
}

/* Of all that the program may write: it is another one if anything was written. */
HOST uint64_t maps_digest(void)
{
	uint64_t digest = 0xcbf29ce484222325ULL;

	digest = digest_add(digest, slots_host, sizeof(slots_host));
	digest = digest_add(digest, slot_times_host, sizeof(slot_times_host));
	digest = digest_add(digest, usage_host, sizeof(usage_host));
	digest = digest_add(digest, notes_host, sizeof(notes_host));
	bpf_for_each_map_elem(&births_v4, digest_element, &digest, 0);
	bpf_for_each_map_elem(&births_v6, digest_element, &digest, 0);
	bpf_for_each_map_elem(&flows_v4, digest_element, &digest, 0);
	bpf_for_each_map_elem(&flows_v6, digest_element, &digest, 0);
	bpf_for_each_map_elem(&clients_v4, digest_element, &digest, 0);
	bpf_for_each_map_elem(&clients_v6, digest_element, &digest, 0);
	return digest;
}

/* ---- the world before a packet ---- */

/* Others have entries too, or a count that falls below zero would be no surprise. */
static void put_strangers(void)
{
	static const struct lb_flow_key_v4 tcp = {.source = 1, .proto = IPPROTO_TCP};
	static const struct lb_flow_key_v4 udp = {.source = 2, .proto = IPPROTO_UDP};
	static const struct lb_client_key_v4 known = {.pool = 1}, unknown = {.pool = 3};
	const struct lb_birth birth = {.flow = {.seen = now, .backend = D, .pool = POOL}};
	const struct lb_flow flow = {.seen = now, .backend = D, .pool = POOL, .flags = RECORDED};
	const struct lb_client client = {.seen = now};

	bpf_map_update_elem(&births_v4, &tcp, &birth, BPF_ANY);
	bpf_map_update_elem(&births_v4, &udp, &birth, BPF_ANY);
	bpf_map_update_elem(&flows_v4, &tcp, &flow, BPF_ANY);
	bpf_map_update_elem(&clients_v4, &unknown, &client, BPF_ANY);
	bpf_map_update_elem(&clients_v4, &known, &(struct lb_client){.seen = now, .known = 1},
			    BPF_ANY);
}

/* Empty tables but for strangers' entries, backends, and a pool of which all slots say `word`. */
HOST void world_make(uint32_t word, uint32_t flags)
{
	host_now_ns = (uint64_t)now << 30;
	for (uint64_t i = 0; i < LB_HASH_KEYS; i++)
		hash_keys[i] = 0x9e3779b97f4a7c15ULL * (i + 1);
	for (uint32_t i = A; i < HOST_BACKENDS; i++) {
		uint32_t takes = i == DRAINING ? 0 : LB_BACKEND_TAKES_CLIENTS;

		backends_host[i].status = LB_STATUS(INCARNATION, LB_FORWARD_L2,
						    is_usable(i) ? LB_BACKEND_USABLE | takes : 0);
	}
	pools_host[POOL] = (struct lb_pool){.table = LB_TABLE(TABLE_BASE, TABLE_SIZE),
					    .flags = flags,
					    .idle_tcp = IDLE_TCP,
					    .idle_udp = IDLE_UDP,
					    .idle_closing = IDLE_CLOSING,
					    .idle_longest = IDLE_TCP,
					    .client_life = IDLE_TCP,
					    .times_base = TIMES_BASE};
	pools_host[POOL + 1] = pools_host[POOL];
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots_host[TABLE_BASE / LB_SLOT_BLOCK].slot[i] = word;
	memset(slot_times_host, 0, sizeof(slot_times_host));
	memset(notes_host, 0, sizeof(notes_host));
	host_map_clear(&births_v4);
	host_map_clear(&births_v6);
	host_map_clear(&flows_v4);
	host_map_clear(&flows_v6);
	host_map_clear(&clients_v4);
	host_map_clear(&clients_v6);
	put_strangers();
}

#define QUOTA(name) (1U << LB_QUOTA_##name)
#define ALL_QUOTAS  ((1U << LB_QUOTA_COUNT) - 1)

/* Counts what was put, and leaves room for one more of each kind but those of `full`. */
HOST void usage_set(uint32_t full)
{
	usage_host[0] = usage_held();
	for (uint32_t i = 0; i < LB_QUOTA_COUNT; i++)
		quotas[i] = usage_host[0].count[i] + (full >> i & 1 ? 0 : 1);
	if (full == ALL_QUOTAS)
		memset(quotas, 0, sizeof(quotas));
}

/* The same times for all slots of the pool. */
HOST void slot_times_set(const struct lb_times *times)
{
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slot_times_host[TIMES_BASE + i] = *times;
}

/* When something was `age` ticks ago; 0: it was never. */
HOST uint32_t time_of(int age)
{
	return age ? now - (uint32_t)age : 0;
}

HOST enum lb_verdict pick_once(const struct packet *packet, struct choice *choice)
{
	struct lb_backend *backend = NULL;
	enum lb_verdict verdict;

	memset(choice, 0, sizeof(*choice));
	verdict = pick(packet, POOL, choice, &backend);
	if (verdict == LB_CONTINUE)
		assert_ptr_equal(backend, &backends_host[choice->index]);
	return verdict;
}

HOST void maps_free(void)
{
	host_map_free(&births_v4);
	host_map_free(&births_v6);
	host_map_free(&flows_v4);
	host_map_free(&flows_v6);
	host_map_free(&clients_v4);
	host_map_free(&clients_v6);
}

HOST int group_done(void **state)
{
	(void)state;
	maps_free();
	return 0;
}

/* ---- a slot and a flow, as tests of pick describe them ---- */

struct scene {
	uint32_t owner, fallback;
	bool changed;
	uint32_t flags;
	struct entry birth, flow;
	int since, full;  /* ticks ago; 0: never */
	uint32_t no_room; /* QUOTA()s that are used up */
};

enum { USED_AGE = 41, KEPT_AGE = 43 };

HOST struct lb_times scene_times(const struct scene *scene)
{
	return (struct lb_times){.since = time_of(scene->since),
				 .used = now - USED_AGE,
				 .full = time_of(scene->full),
				 .kept = now - KEPT_AGE};
}

HOST void scene_set(const struct scene *scene, const struct packet *packet)
{
	const struct lb_times times = scene_times(scene);

	world_make(LB_SLOT(scene->owner, scene->fallback, scene->changed), scene->flags);
	slot_times_set(&times);
	entries_put(packet, &scene->birth, &scene->flow);
	usage_set(scene->no_room);
}

#endif
