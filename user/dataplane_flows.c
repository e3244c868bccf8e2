/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_flows: walks over the flow tables. Which entries are dead is the caller's to say.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane_private.h"

enum { BATCH_START = 4096 };

uint32_t dataplane_tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >> 30);
}

/* One of the two tables, and room for a batch of it. */
struct sweep {
	int fd;
	size_t key_size;
	void (*key_read)(const void *key, struct dataplane_flow *out);
	dataplane_flow_dead dead;
	void *context;
	uint32_t capacity;
	uint8_t *keys;
	struct lb_flow *entries;
	int64_t stayed;
};

static void key_read_v4(const void *key, struct dataplane_flow *out)
{
	const struct lb_flow_key_v4 *k = key;

	out->source = (struct addr){.family = 4, .ip.v4 = k->source};
	out->destination = (struct addr){.family = 4, .ip.v4 = k->destination};
	out->source_port = ntohs(k->source_port);
	out->destination_port = ntohs(k->destination_port);
	out->proto = k->proto;
}

static void key_read_v6(const void *key, struct dataplane_flow *out)
{
	const struct lb_flow_key_v6 *k = key;

	out->source = (struct addr){.family = 6, .ip = k->source};
	out->destination = (struct addr){.family = 6, .ip = k->destination};
	out->source_port = ntohs(k->source_port);
	out->destination_port = ntohs(k->destination_port);
	out->proto = k->proto;
}

static int sweep_room(struct sweep *sweep, uint32_t capacity)
{
	uint8_t *keys = realloc(sweep->keys, capacity * sweep->key_size);
	struct lb_flow *entries;

	if (!keys)
		return -ENOMEM;
	sweep->keys = keys;
	entries = realloc(sweep->entries, capacity * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	sweep->entries = entries;
	sweep->capacity = capacity;
	return 0;
}

static int sweep_judge(struct sweep *sweep, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const void *key = sweep->keys + i * sweep->key_size;
		struct dataplane_flow flow = {.entry = sweep->entries[i]};

		sweep->key_read(key, &flow);
		if (!sweep->dead(sweep->context, &flow))
			sweep->stayed++;
		else if (bpf_map_delete_elem(sweep->fd, key) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int sweep_table(struct sweep *sweep)
{
	uint32_t cursor, next;
	bool begun = false, end = false;
	int err = sweep_room(sweep, BATCH_START);

	while (!err && !end) {
		uint32_t count = sweep->capacity;

		if (bpf_map_lookup_batch(sweep->fd, begun ? &cursor : NULL, &next, sweep->keys,
					 sweep->entries, &count, NULL)) {
			/* A bucket with more entries than fit: nothing was read, ask for more. */
			if (errno == ENOSPC) {
				err = sweep_room(sweep, sweep->capacity * 2);
				continue;
			}
			if (errno != ENOENT)
				return -errno;
			end = true;
		}
		err = sweep_judge(sweep, count);
		cursor = next;
		begun = true;
	}
	return err;
}

int64_t dataplane_flows_sweep(struct dataplane *dp, dataplane_flow_dead dead, void *context)
{
	struct sweep tables[] = {
		{.fd = dp->fds[MAP_flows_v4],
		 .key_size = sizeof(struct lb_flow_key_v4),
		 .key_read = key_read_v4},
		{.fd = dp->fds[MAP_flows_v6],
		 .key_size = sizeof(struct lb_flow_key_v6),
		 .key_read = key_read_v6},
	};
	int64_t stayed = 0;
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		tables[i].dead = dead;
		tables[i].context = context;
		err = sweep_table(&tables[i]);
		stayed += tables[i].stayed;
		free(tables[i].keys);
		free(tables[i].entries);
	}
	return err ? err : stayed;
}
