/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * host_env: the kernel that the packet path stands on in unit tests and in the simulator (see
 * bpf/env.h): maps are tables in memory, the clock stands where the test puts it. All of it is the
 * test's to set: it is one translation unit. Sizes may be defined before this is included.
 */
#ifndef HOST_ENV_H
#define HOST_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/cdefs.h>

#include "../../bpf/lb_abi.h"

/* Fit for case labels, as the kernel's are. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpf_htons(x) ((__be16)__builtin_bswap16(x))
#define bpf_htonl(x) ((__be32)__builtin_bswap32(x))
#else
#define bpf_htons(x) ((__be16)(x))
#define bpf_htonl(x) ((__be32)(x))
#endif
#define bpf_ntohs(x) bpf_htons(x)
#define bpf_ntohl(x) bpf_htonl(x)

#define BPF_ANY     0
#define BPF_NOEXIST 1
#define BPF_EXIST   2

#ifndef HOST_BACKENDS
#define HOST_BACKENDS 8
#endif
#ifndef HOST_POOLS
#define HOST_POOLS 4
#endif
#ifndef HOST_SLOT_BLOCKS
#define HOST_SLOT_BLOCKS 4
#endif
#ifndef HOST_BUCKETS /* of each hash; a power of two */
#define HOST_BUCKETS 16
#endif

#define HOST __attribute__((unused)) static

HOST uint64_t hash_keys[LB_HASH_KEYS];
HOST uint32_t quotas[LB_QUOTA_COUNT];
HOST bool read_only;
HOST uint64_t host_now_ns;
/* What another CPU does: called before each look into a map, unless NULL. */
HOST void (*host_meanwhile)(void);

/* ---- maps ---- */

enum { HOST_CHUNK = 4096, HOST_CHUNKS_MAX = 65536 };

/* An element of a hash: key and value follow. `next` is 1 + the number of the next in its bucket,
 * or of the next free one. */
struct host_element {
	uint32_t next;
	uint32_t number;
};

struct host_map {
	size_t key_size; /* 0: an array, whose keys are indices */
	size_t value_size;
	uint32_t entries_max;
	void *values; /* of an array */
	/* Elements of a hash are made in chunks and never move. */
	uint32_t count, made, vacant;
	uint32_t buckets[HOST_BUCKETS];
	uint8_t *chunks[HOST_CHUNKS_MAX];
};

#define HOST_ARRAY(name, type, size)                                                               \
	HOST type name##_host[size];                                                               \
	HOST struct host_map name = {                                                              \
		.value_size = sizeof(type), .entries_max = (size), .values = name##_host}

#define HOST_HASH(name, key_type, type)                                                            \
	HOST struct host_map name = {.key_size = sizeof(key_type),                                 \
				     .value_size = sizeof(type),                                   \
				     .entries_max = UINT32_MAX}

HOST_ARRAY(backends, struct lb_backend, HOST_BACKENDS);
HOST_ARRAY(pools, struct lb_pool, HOST_POOLS);
HOST_ARRAY(slots, struct lb_slot_block, HOST_SLOT_BLOCKS);
HOST_ARRAY(slot_times, struct lb_times, HOST_SLOT_BLOCKS *LB_SLOT_BLOCK);
HOST_ARRAY(usage, struct lb_usage, 1);
HOST_ARRAY(notes, uint64_t, LB_NOTE_COUNT);
HOST_ARRAY(backend_tallies, struct lb_tally, HOST_BACKENDS);
HOST_ARRAY(pool_tallies, struct lb_tally, HOST_POOLS);
HOST_HASH(births_v4, struct lb_flow_key_v4, struct lb_birth);
HOST_HASH(births_v6, struct lb_flow_key_v6, struct lb_birth);
HOST_HASH(flows_v4, struct lb_flow_key_v4, struct lb_flow);
HOST_HASH(flows_v6, struct lb_flow_key_v6, struct lb_flow);
HOST_HASH(clients_v4, struct lb_client_key_v4, struct lb_client);
HOST_HASH(clients_v6, struct lb_client_key_v6, struct lb_client);
HOST_HASH(pins_v4, struct lb_client_key_v4, struct lb_pin);
HOST_HASH(pins_v6, struct lb_client_key_v6, struct lb_pin);

/* Values are aligned to eight bytes, as the kernel's are, and so are elements. */
HOST size_t host_aligned(size_t size)
{
	return (size + 7) / 8 * 8;
}

HOST size_t host_element_size(const struct host_map *map)
{
	return sizeof(struct host_element) + host_aligned(map->key_size) +
	       host_aligned(map->value_size);
}

HOST struct host_element *host_element(const struct host_map *map, uint32_t number)
{
	return (struct host_element *)(map->chunks[number / HOST_CHUNK] +
				       number % HOST_CHUNK * host_element_size(map));
}

HOST void *host_key(struct host_element *element)
{
	return element + 1;
}

HOST void *host_value(const struct host_map *map, struct host_element *element)
{
	return (uint8_t *)(element + 1) + host_aligned(map->key_size);
}

HOST uint32_t *host_bucket(struct host_map *map, const void *key)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < map->key_size; i += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)key + i, 4);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return &map->buckets[hash & (HOST_BUCKETS - 1)];
}

/* The link that leads to the key's element, or to nothing. */
HOST uint32_t *host_find(struct host_map *map, const void *key)
{
	uint32_t *link = host_bucket(map, key);

	while (*link) {
		struct host_element *element = host_element(map, *link - 1);

		if (!memcmp(host_key(element), key, map->key_size))
			break;
		link = &element->next;
	}
	return link;
}

HOST void host_look(void)
{
	if (host_meanwhile)
		host_meanwhile();
}

/* Between judging and this another CPU may have come, too. */
#define __sync_val_compare_and_swap(word, old, new)                                                \
	(host_look(), __sync_val_compare_and_swap(word, old, new))

HOST void *bpf_map_lookup_elem(struct host_map *map, const void *key)
{
	uint32_t index, *link;

	host_look();
	if (!map->key_size) {
		memcpy(&index, key, sizeof(index));
		return index < map->entries_max ? (uint8_t *)map->values + index * map->value_size
						: NULL;
	}
	link = host_find(map, key);
	return *link ? host_value(map, host_element(map, *link - 1)) : NULL;
}

HOST struct host_element *host_element_make(struct host_map *map)
{
	uint32_t number = map->made;

	if (map->vacant) {
		struct host_element *element = host_element(map, map->vacant - 1);

		map->vacant = element->next;
		return element;
	}
	if (!map->chunks[number / HOST_CHUNK])
		map->chunks[number / HOST_CHUNK] = calloc(HOST_CHUNK, host_element_size(map));
	map->made++;
	host_element(map, number)->number = number;
	return host_element(map, number);
}

/* Hashes only. */
HOST long bpf_map_update_elem(struct host_map *map, const void *key, const void *value,
			      uint64_t how)
{
	uint32_t *link;
	struct host_element *element;

	host_look();
	link = host_find(map, key);
	if (*link ? how == BPF_NOEXIST : how == BPF_EXIST || map->count >= map->entries_max)
		return -1;
	if (!*link) {
		element = host_element_make(map);
		element->next = 0;
		memcpy(host_key(element), key, map->key_size);
		*link = element->number + 1;
		map->count++;
	}
	memcpy(host_value(map, host_element(map, *link - 1)), value, map->value_size);
	return 0;
}

HOST long bpf_map_delete_elem(struct host_map *map, const void *key)
{
	uint32_t *link;
	struct host_element *element;

	host_look();
	link = host_find(map, key);
	if (!*link)
		return -1;
	element = host_element(map, *link - 1);
	*link = element->next;
	element->next = map->vacant;
	map->vacant = element->number + 1;
	map->count--;
	return 0;
}

/* The element that is visited may be deleted. */
#define bpf_for_each_map_elem(map, each, context, flags)                                           \
	do {                                                                                       \
		for (uint32_t bucket_ = 0; bucket_ < HOST_BUCKETS; bucket_++) {                    \
			uint32_t next_ = (map)->buckets[bucket_];                                  \
			while (next_) {                                                            \
				struct host_element *at_ = host_element(map, next_ - 1);           \
				next_ = at_->next;                                                 \
				each(map, host_key(at_), host_value(map, at_), context);           \
			}                                                                          \
		}                                                                                  \
	} while (0)

HOST void host_map_clear(struct host_map *map)
{
	memset(map->buckets, 0, sizeof(map->buckets));
	map->count = map->made = map->vacant = 0;
}

HOST void host_map_free(struct host_map *map)
{
	host_map_clear(map);
	for (uint32_t i = 0; i < HOST_CHUNKS_MAX && map->chunks[i]; i++) {
		free(map->chunks[i]);
		map->chunks[i] = NULL;
	}
}

HOST uint64_t bpf_ktime_get_coarse_ns(void)
{
	return host_now_ns;
}

#endif
