/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_tables: reads the tables of flows and clients in batches, for whoever lists them, and
 * deletes the record of a client. What an entry means is the reader's to say; sweeps are
 * dataplane_sweep.c's.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane_private.h"

/* One of the tables, and a batch of it. */
struct batch {
	enum dataplane_map map;
	size_t key_size, value_size;
	uint8_t *keys, *values;
	uint32_t count;
};

static const struct batch flow_tables[] = {
	{MAP_births_v4, sizeof(struct lb_flow_key_v4), sizeof(struct lb_birth), NULL, NULL, 0},
	{MAP_births_v6, sizeof(struct lb_flow_key_v6), sizeof(struct lb_birth), NULL, NULL, 0},
	{MAP_flows_v4, sizeof(struct lb_flow_key_v4), sizeof(struct lb_flow), NULL, NULL, 0},
	{MAP_flows_v6, sizeof(struct lb_flow_key_v6), sizeof(struct lb_flow), NULL, NULL, 0},
};

static const struct batch client_tables[] = {
	{MAP_clients_v4, sizeof(struct lb_client_key_v4), sizeof(struct lb_client), NULL, NULL, 0},
	{MAP_clients_v6, sizeof(struct lb_client_key_v6), sizeof(struct lb_client), NULL, NULL, 0},
};

_Static_assert(sizeof(flow_tables) / sizeof(flow_tables[0]) == DATAPLANE_FLOW_TABLES, "flows");
_Static_assert(sizeof(client_tables) / sizeof(client_tables[0]) == DATAPLANE_CLIENT_TABLES,
	       "clients");

static void batch_free(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}

/* Up to `max` entries of the table from the cursor's bucket on, whole buckets at a time; moves the
 * cursor. 0 or a negative errno; the caller releases the batch in any case. */
static int batch_read(struct dataplane *dp, struct batch *batch, struct dataplane_cursor *cursor,
		      uint32_t max)
{
	uint32_t next = 0;
	int err;

	batch->keys = malloc(max * batch->key_size);
	batch->values = malloc(max * batch->value_size);
	batch->count = max;
	if (!batch->keys || !batch->values)
		return -ENOMEM;
	err = bpf_map_lookup_batch(dp->fds[batch->map], cursor->bucket ? &cursor->bucket : NULL,
				   &next, batch->keys, batch->values, &batch->count, NULL)
		      ? -errno
		      : 0;
	if (err && err != -ENOENT)
		return err;
	cursor->bucket = err ? 0 : next;
	cursor->table += err != 0;
	return 0;
}

static void flow_key_read(const struct batch *batch, const void *key, struct dataplane_flow *out)
{
	const struct lb_flow_key_v4 *v4 = key;
	const struct lb_flow_key_v6 *v6 = key;

	if (batch->key_size == sizeof(*v4)) {
		out->source = (struct addr){.family = 4, .ip.v4 = v4->source};
		out->destination = (struct addr){.family = 4, .ip.v4 = v4->destination};
		out->source_port = ntohs(v4->source_port);
		out->destination_port = ntohs(v4->destination_port);
		out->proto = v4->proto;
	} else {
		out->source = (struct addr){.family = 6, .ip = v6->source};
		out->destination = (struct addr){.family = 6, .ip = v6->destination};
		out->source_port = ntohs(v6->source_port);
		out->destination_port = ntohs(v6->destination_port);
		out->proto = v6->proto;
	}
}

int dataplane_flows_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			 struct dataplane_flow *out, uint32_t max)
{
	struct batch batch;
	int err;

	if (cursor->table >= DATAPLANE_FLOW_TABLES)
		return 0;
	batch = flow_tables[cursor->table];
	err = batch_read(dp, &batch, cursor, max);
	for (uint32_t i = 0; !err && i < batch.count; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		flow_key_read(&batch, batch.keys + i * batch.key_size, &out[i]);
		/* A birth begins with what a flow is. */
		memcpy(&out[i].entry, batch.values + i * batch.value_size, sizeof(out[i].entry));
		out[i].birth = batch.value_size == sizeof(struct lb_birth);
	}
	batch_free(&batch);
	return err ? err : (int)batch.count;
}

int dataplane_clients_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			   struct dataplane_client *out, uint32_t max)
{
	struct batch batch;
	int err;

	if (cursor->table >= DATAPLANE_CLIENT_TABLES)
		return 0;
	batch = client_tables[cursor->table];
	err = batch_read(dp, &batch, cursor, max);
	for (uint32_t i = 0; !err && i < batch.count; i++) {
		const void *key = batch.keys + i * batch.key_size;
		const struct lb_client_key_v4 *v4 = key;
		const struct lb_client_key_v6 *v6 = key;

		memset(&out[i], 0, sizeof(out[i]));
		out[i].pool = v4->pool;
		if (batch.key_size == sizeof(*v4))
			out[i].address = (struct addr){.family = 4, .ip.v4 = v4->address};
		else
			out[i].address = (struct addr){.family = 6, .ip = v6->address};
		memcpy(&out[i].record, batch.values + i * batch.value_size, sizeof(out[i].record));
	}
	batch_free(&batch);
	return err ? err : (int)batch.count;
}

/* ---- one entry ---- */

static int entry_read(struct dataplane *dp, enum dataplane_map map, const void *key, void *value)
{
	if (bpf_map_lookup_elem(dp->fds[map], key, value) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int dataplane_flow_find(struct dataplane *dp, const struct dataplane_flow *wanted,
			struct dataplane_flow out[2])
{
	const struct lb_flow_key_v4 v4 = {.source = wanted->source.ip.v4,
					  .destination = wanted->destination.ip.v4,
					  .source_port = htons(wanted->source_port),
					  .destination_port = htons(wanted->destination_port),
					  .proto = wanted->proto};
	const struct lb_flow_key_v6 v6 = {.source = wanted->source.ip,
					  .destination = wanted->destination.ip,
					  .source_port = htons(wanted->source_port),
					  .destination_port = htons(wanted->destination_port),
					  .proto = wanted->proto};
	const bool four = wanted->source.family == 4;
	const void *key = four ? (const void *)&v4 : (const void *)&v6;
	struct lb_birth birth;
	int found, count = 0;

	out[0] = out[1] = *wanted;
	found = entry_read(dp, four ? MAP_births_v4 : MAP_births_v6, key, &birth);
	if (found < 0)
		return found;
	if (found) {
		out[count].birth = true;
		out[count++].entry = birth.flow;
	}
	found = entry_read(dp, four ? MAP_flows_v4 : MAP_flows_v6, key, &out[count].entry);
	return found < 0 ? found : count + found;
}

int dataplane_client_find(struct dataplane *dp, uint32_t pool, const struct addr *address,
			  struct dataplane_client *out)
{
	const struct lb_client_key_v4 v4 = {.pool = pool, .address = address->ip.v4};
	const struct lb_client_key_v6 v6 = {.pool = pool, .address = address->ip};
	const bool four = address->family == 4;

	*out = (struct dataplane_client){.pool = pool, .address = *address};
	return entry_read(dp, four ? MAP_clients_v4 : MAP_clients_v6,
			  four ? (const void *)&v4 : (const void *)&v6, &out->record);
}

/* ---- forgetting ---- */

static void usage_less(struct dataplane *dp, enum lb_quota quota)
{
	__atomic_fetch_sub(&dp->usage->count[quota], 1, __ATOMIC_RELAXED);
}

int dataplane_client_forget(struct dataplane *dp, uint32_t pool, const struct addr *address)
{
	const struct lb_client_key_v4 v4 = {.pool = pool, .address = address->ip.v4};
	const struct lb_client_key_v6 v6 = {.pool = pool, .address = address->ip};
	const void *key = address->family == 4 ? (const void *)&v4 : (const void *)&v6;
	int fd = dp->fds[address->family == 4 ? MAP_clients_v4 : MAP_clients_v6];
	struct lb_client record;

	if (bpf_map_lookup_elem(fd, key, &record) || bpf_map_delete_elem(fd, key))
		return -errno;
	usage_less(dp, LB_QUOTA_CLIENTS);
	if (!record.known)
		usage_less(dp, LB_QUOTA_CLIENTS_NEW);
	return 0;
}
