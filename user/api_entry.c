/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_entry: see api_entry.h. Judges entries as the packet program does (bpf/flow_table.h,
 * bpf/client_table.h); which of them are asked for is the caller's.
 */
#include "api_entry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { TICK_SHIFT = 30 };

/* ---- indices to names ---- */

void api_entry_names_destroy(struct api_entry_names *names)
{
	free(names->pools);
	free(names->backends);
}

int api_entry_names_make(struct api_entry_names *names, struct dataplane *dp,
			 const struct model *model)
{
	const struct lb_limits *limits = &dataplane_settings(dp)->limits;

	*names = (struct api_entry_names){
		.dp = dp,
		.pool_limit = limits->services,
		.backend_limit = limits->backends,
		.pools = calloc(limits->services + 1UL, sizeof(*names->pools)),
		.backends = calloc(limits->backends + 1UL, sizeof(*names->backends)),
		.now = dataplane_tick()};
	if (!names->pools || !names->backends)
		return -ENOMEM;
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		if (pool->index && pool->index <= limits->services)
			names->pools[pool->index] = pool;
		for (size_t b = 0; b < pool->backend_count; b++) {
			uint32_t index = pool->backends[b]->index;

			if (index && index <= limits->backends)
				names->backends[index] = pool->backends[b];
		}
	}
	return 0;
}

static json_t *pool_name(const struct api_entry_names *names, uint32_t index)
{
	return index <= names->pool_limit && names->pools[index]
		       ? json_string(names->pools[index]->name)
		       : json_null();
}

/* Null for a backend that is gone. */
static json_t *backend_name(const struct api_entry_names *names, uint32_t index)
{
	return index <= names->backend_limit && names->backends[index]
		       ? json_string(names->backends[index]->name)
		       : json_null();
}

static uint64_t backend_status(const struct api_entry_names *names, uint32_t index)
{
	if (index > names->backend_limit)
		return 0;
	return names->statuses ? names->statuses[index]
			       : dataplane_backends(names->dp)[index].status;
}

/* Ticks since the entry was seen. A packet may have stored a later one than `now`. */
static uint32_t age_of(uint32_t seen, uint32_t now)
{
	int32_t age = (int32_t)(now - (seen & ~(LB_DOOMED | LB_CLAIMED)));

	return age < 0 ? 0 : (uint32_t)age;
}

uint64_t api_entry_age_ms(uint32_t seen, uint32_t now)
{
	return ((uint64_t)age_of(seen, now) << TICK_SHIFT) / 1000000;
}

static json_t *age_json(const struct api_entry_names *names, uint32_t seen)
{
	return json_integer((json_int_t)(api_entry_age_ms(seen, names->now) / 1000));
}

/* ---- flows ---- */

static bool flow_live(const struct api_entry_names *names, const struct dataplane_flow *flow)
{
	const struct lb_flow *entry = &flow->entry;
	const struct lb_pool *pool;
	uint64_t status = backend_status(names, entry->backend);
	uint32_t idle;

	if (entry->seen & LB_DOOMED || entry->pool > names->pool_limit ||
	    !(status & LB_BACKEND_USABLE) || LB_STATUS_INCARNATION(status) != entry->incarnation)
		return false;
	pool = &dataplane_pools(names->dp)[entry->pool];
	idle = flow->proto == IPPROTO_UDP     ? pool->idle_udp
	       : entry->state == LB_FLOW_OPEN ? pool->idle_tcp
					      : pool->idle_closing;
	return age_of(entry->seen, names->now) <= idle;
}

static json_t *end_json(const struct addr *addr, uint16_t port)
{
	char text[ADDR_TEXT_SIZE], out[ADDR_TEXT_SIZE + 16];

	addr_format(addr, text);
	snprintf(out, sizeof(out), addr->family == 6 ? "[%s]:%u" : "%s:%u", text, port);
	return json_string(out);
}

json_t *api_entry_flow(const struct api_entry_names *names, const struct dataplane_flow *flow)
{
	static const char *const states[] = {
		[LB_FLOW_OPENING] = "opening",
		[LB_FLOW_OPEN] = "open",
		[LB_FLOW_CLOSING] = "closing",
		[LB_FLOW_RESET] = "reset",
	};
	const struct lb_flow *entry = &flow->entry;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:b}", "proto",
			 flow->proto == IPPROTO_UDP ? "udp" : "tcp", "source",
			 end_json(&flow->source, flow->source_port), "destination",
			 end_json(&flow->destination, flow->destination_port), "pool",
			 pool_name(names, entry->pool), "backend",
			 backend_name(names, entry->backend), "state",
			 entry->state <= LB_FLOW_RESET ? states[entry->state] : "unknown", "kind",
			 flow->birth ? "birth" : "flow", "age_s", age_json(names, entry->seen),
			 "live", flow_live(names, flow));
}

/* ---- clients ---- */

static bool client_live(const struct api_entry_names *names, const struct dataplane_client *client)
{
	const struct lb_pool *pool = &dataplane_pools(names->dp)[client->pool];
	uint32_t idle = pool->client_life;

	if (!client->record.known)
		idle = pool->idle_udp > pool->idle_closing ? pool->idle_udp : pool->idle_closing;
	return !(client->record.seen & LB_DOOMED) &&
	       age_of(client->record.seen, names->now) <= idle;
}

json_t *api_entry_client(const struct api_entry_names *names, const struct pool *pool,
			 const struct dataplane_client *client)
{
	uint32_t word = LB_CLIENT_WORD(client->record.pair);
	const struct prefix prefix = {.addr = client->address,
				      .length = client->address.family == 4 ? pool->prefix_v4
									    : pool->prefix_v6};
	char address[PREFIX_TEXT_SIZE];

	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:b, s:b}", "address",
			 prefix_format(&prefix, address), "owner",
			 backend_name(names, LB_SLOT_OWNER(word)), "fallback",
			 backend_name(names, LB_SLOT_FALLBACK(word)), "changed",
			 !!(word & LB_SLOT_CHANGED), "idle_s", age_json(names, client->record.seen),
			 "known", client->record.known != 0, "live", client_live(names, client));
}
