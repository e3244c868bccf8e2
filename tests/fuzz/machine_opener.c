/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine_opener: see machine.h. Who opened how many flows: a bucket as the maps hold it says when
 * it is full again.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <string.h>
#include <time.h>

#include "machine.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void opener_key(uint32_t service, const struct model_address *network,
		       struct lb_opener_key *key)
{
	memset(key, 0, sizeof(*key));
	key->service = service;
	key->family = network->family;
	memcpy(key->source.bytes, network->bytes, sizeof(network->bytes));
}

void machine_openers_remember(struct machine *machine, const struct model_memory *memory)
{
	int map = machine->dp->fds[MAP_openers];
	struct lb_opener_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		if (bpf_map_delete_elem(map, &key))
			err(1, "emptying the table of openers");
	for (int i = 0; i < MODEL_OPENERS; i++) {
		const struct model_opener *opener = &memory->openers[i];
		uint64_t full_ns = now_ns() + opener->flows * MACHINE_FLOW_NS;

		if (!opener->there)
			continue;
		opener_key(opener->service, &opener->network, &key);
		if (bpf_map_update_elem(map, &key, &full_ns, BPF_ANY))
			err(1, "making an opener's entry");
	}
}

uint32_t machine_opener(struct machine *machine, uint32_t service,
			const struct model_address *network)
{
	struct lb_opener_key key;
	uint64_t full_ns;

	opener_key(service, network, &key);
	if (bpf_map_lookup_elem(machine->dp->fds[MAP_openers], &key, &full_ns))
		return 0;
	return (uint32_t)((full_ns - now_ns() + MACHINE_FLOW_NS / 2) / MACHINE_FLOW_NS);
}
