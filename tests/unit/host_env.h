/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * host_env: the kernel that the packet path stands on in unit tests (see bpf/env.h): maps are small
 * tables in memory, the clock stands where the test puts it. All of it is the test's to set: it is
 * one translation unit.
 */
#ifndef HOST_ENV_H
#define HOST_ENV_H

#include <stdbool.h>
#include <stdint.h>
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

#define BPF_ANY   0
#define HOST_TEST __attribute__((unused)) static

HOST_TEST uint64_t hash_keys[LB_HASH_KEYS];
HOST_TEST bool read_only;
HOST_TEST uint64_t host_now_ns;

enum { HOST_BACKENDS = 8, HOST_POOLS = 4, HOST_SLOT_BLOCKS = 4, HOST_FLOWS_MAX = 8 };

struct host_map {
	size_t key_size; /* 0: an array, whose keys are indices */
	size_t value_size;
	uint32_t entries_max;
	uint32_t count;
	uint8_t *keys;
	void *values;
};

#define HOST_ARRAY(name, type, size)                                                               \
	HOST_TEST type name##_host[size];                                                          \
	HOST_TEST struct host_map name = {                                                         \
		.value_size = sizeof(type), .entries_max = (size), .values = name##_host}

#define HOST_HASH(name, key_type, type, size)                                                      \
	HOST_TEST key_type name##_keys[size];                                                      \
	HOST_TEST type name##_host[size];                                                          \
	HOST_TEST struct host_map name = {.key_size = sizeof(key_type),                            \
					  .value_size = sizeof(type),                              \
					  .entries_max = (size),                                   \
					  .keys = (uint8_t *)name##_keys,                          \
					  .values = name##_host}

HOST_ARRAY(backends, struct lb_backend, HOST_BACKENDS);
HOST_ARRAY(pools, struct lb_pool, HOST_POOLS);
HOST_ARRAY(slots, struct lb_slot_block, HOST_SLOT_BLOCKS);
HOST_HASH(flows_v4, struct lb_flow_key_v4, struct lb_flow, HOST_FLOWS_MAX);
HOST_HASH(flows_v6, struct lb_flow_key_v6, struct lb_flow, HOST_FLOWS_MAX);

HOST_TEST void *bpf_map_lookup_elem(struct host_map *map, const void *key)
{
	uint32_t i = 0;

	if (!map->key_size)
		memcpy(&i, key, sizeof(i));
	else
		while (i < map->count && memcmp(map->keys + i * map->key_size, key, map->key_size))
			i++;
	if (i >= (map->key_size ? map->count : map->entries_max))
		return NULL;
	return (uint8_t *)map->values + i * map->value_size;
}

/* Hashes only. An entry that is there is overwritten, however full the map. */
HOST_TEST long bpf_map_update_elem(struct host_map *map, const void *key, const void *value,
				   uint64_t flags)
{
	void *entry = bpf_map_lookup_elem(map, key);

	(void)flags;
	if (!entry) {
		if (map->count == map->entries_max)
			return -1;
		memcpy(map->keys + map->count * map->key_size, key, map->key_size);
		entry = (uint8_t *)map->values + map->count++ * map->value_size;
	}
	memcpy(entry, value, map->value_size);
	return 0;
}

HOST_TEST uint64_t bpf_ktime_get_coarse_ns(void)
{
	return host_now_ns;
}

#endif
