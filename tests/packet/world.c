/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* world: see world.h. The rows, and their way into the maps. */
#include "world.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	TABLE_SIZE = LB_SLOT_BLOCK, /* of every pool */
	LIMIT = 64,                 /* of backends and services: more than there are */
};

#define LIMITS(flow_limit, client_limit)                                                           \
	.limits = {.flows = flow_limit,                                                            \
		   .clients = client_limit,                                                        \
		   .backends = LIMIT,                                                              \
		   .services = LIMIT,                                                              \
		   .slots = WORLD_SLOTS,                                                           \
		   .counters = LIMIT * LIMIT,                                                      \
		   .nat_flows = flow_limit}

/* Fixed, so that what depends on the hash is known. */
#define SEED .hash_seed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

/* With checksums to finish, which is to leave alone all that are finished. */
const struct lb_settings world_settings = {LIMITS(16, 16), SEED, .flags = LB_SETTING_FINISH};
const struct lb_settings world_settings_forgetful = {LIMITS(0, 0), SEED};

struct backend_row {
	enum lb_forward forward;
	bool far, unusable, drains;
	uint16_t mtu;
	uint8_t source_bits;
	uint16_t port;
};

/* clang-format off */
#define VIA(how, ...) {.forward = LB_FORWARD_##how, ##__VA_ARGS__}

static const struct backend_row backend_rows[WORLD_BACKENDS] = {
	[B_IN4]      = VIA(IPIP_V4, .mtu = 1600),
	[B_IN6]      = VIA(IPIP_V6, .mtu = 1600),
	[B_L2]       = VIA(L2),
	[B_FAR_IN4]  = VIA(IPIP_V4, .far = true),
	[B_FAR_IN6]  = VIA(IPIP_V6, .far = true),
	[B_FAR_L2]   = VIA(L2, .far = true),
	[B_SPREAD4]  = VIA(IPIP_V4, .source_bits = 16),
	[B_SPREAD6]  = VIA(IPIP_V6, .source_bits = 32),
	[B_TIGHT4]   = VIA(IPIP_V4, .mtu = 1500),
	[B_TIGHT6]   = VIA(IPIP_V6, .mtu = 1500),
	[B_A]        = VIA(L2),
	[B_B]        = VIA(L2),
	[B_DOWN]     = VIA(L2, .unusable = true),
	[B_UNROUTED] = VIA(NONE),
	[B_C]        = VIA(L2),
	[B_DRAIN]    = VIA(L2, .drains = true),
	[B_GUE4]     = VIA(GUE_V4, .mtu = 1500, .port = WORLD_GUE4_PORT),
	[B_GUE6]     = VIA(GUE_V6, .mtu = 1500, .port = WORLD_GUE6_PORT),
	[B_NARROW]   = VIA(IPIP_V4, .mtu = 580),
	[B_FAR_GUE6] = VIA(GUE_V6, .far = true, .source_bits = 32, .port = WORLD_GUE6_PORT),
};

struct pool_row {
	uint16_t owner, fallback;
	bool changed;
	uint32_t flags;
	uint16_t every_other; /* owner and fallback of each second slot */
	bool elsewhere;       /* does not listen at its own VIP */
	bool clients;         /* remembers them */
	uint32_t idle_udp;    /* left out: WORLD_IDLE_UDP */
};

#define BEYOND (LIMIT + 1)
#define SLOTS(one, two, ...) {.owner = one, .fallback = two, ##__VA_ARGS__}

static const struct pool_row pool_rows[WORLD_SERVICES] = {
	[S_IN4]           = SLOTS(B_IN4, B_IN4),
	[S_IN6]           = SLOTS(B_IN6, B_IN6),
	[S_L2]            = SLOTS(B_L2, B_L2),
	[S_FAR_IN4]       = SLOTS(B_FAR_IN4, B_FAR_IN4),
	[S_FAR_IN6]       = SLOTS(B_FAR_IN6, B_FAR_IN6),
	[S_FAR_L2]        = SLOTS(B_FAR_L2, B_FAR_L2),
	[S_SPREAD4]       = SLOTS(B_SPREAD4, B_SPREAD4),
	[S_SPREAD6]       = SLOTS(B_SPREAD6, B_SPREAD6),
	[S_TIGHT4]        = SLOTS(B_TIGHT4, B_TIGHT4),
	[S_TIGHT6]        = SLOTS(B_TIGHT6, B_TIGHT6),
	[S_EXACT]         = SLOTS(B_A, B_A, .elsewhere = true),
	[S_RANGE]         = SLOTS(B_B, B_B, .elsewhere = true),
	[S_ANY]           = SLOTS(B_L2, B_L2, .elsewhere = true),
	[S_SETTLED]       = SLOTS(B_A, B_A),
	[S_CHANGED]       = SLOTS(B_B, B_A, .changed = true),
	[S_TRACKED]       = SLOTS(B_A, B_A, .flags = LB_POOL_TRACK_ALWAYS),
	[S_TRACKED_MOVED] = SLOTS(B_B, B_A, .changed = true, .flags = LB_POOL_TRACK_ALWAYS),
	[S_OWNER_DOWN]    = SLOTS(B_DOWN, B_A, .changed = true),
	[S_FALLBACK_DOWN] = SLOTS(B_B, B_DOWN, .changed = true),
	[S_ALL_DOWN]      = SLOTS(B_DOWN, B_DOWN),
	[S_CHANGED_DOWN]  = SLOTS(B_DOWN, B_DOWN, .changed = true),
	[S_NO_OWNER]      = SLOTS(NOBODY, NOBODY),
	[S_NO_TABLE]      = SLOTS(B_A, B_A),
	[S_BY_FLOW]       = SLOTS(B_A, B_A, .every_other = B_B),
	[S_BY_SOURCE]     = SLOTS(B_A, B_A, .every_other = B_B, .flags = LB_POOL_SOURCE),
	[S_BAD_POOL]      = SLOTS(B_A, B_A),
	[S_BAD_TABLE]     = SLOTS(B_A, B_A),
	[S_BAD_SLOT]      = SLOTS(BEYOND, BEYOND),
	[S_BAD_FORWARD]   = SLOTS(B_UNROUTED, B_UNROUTED),
	[S_SAME]          = SLOTS(B_A, B_A, .changed = true),
	[S_CLIENTS]       = SLOTS(B_A, B_A, .clients = true, .flags = LB_POOL_SOURCE),
	[S_CLIENTS_CHANGED] = SLOTS(B_B, B_A, .changed = true, .clients = true, .flags = LB_POOL_SOURCE),
	[S_CLIENTS_DOWN]  = SLOTS(B_DOWN, B_DOWN, .clients = true, .flags = LB_POOL_SOURCE),
	[S_BAD_TIMES]     = SLOTS(B_B, B_A, .changed = true),
	[S_CLIENTS_OWNER_DOWN] = SLOTS(B_DOWN, B_A, .changed = true, .clients = true, .flags = LB_POOL_SOURCE),
	[S_CLIENTS_FALLBACK_DOWN] = SLOTS(B_B, B_DOWN, .changed = true, .clients = true, .flags = LB_POOL_SOURCE),
	[S_GUE4]          = SLOTS(B_GUE4, B_GUE4),
	[S_GUE6]          = SLOTS(B_GUE6, B_GUE6),
	[S_FAR_GUE6]      = SLOTS(B_FAR_GUE6, B_FAR_GUE6),
	[S_NARROW]        = SLOTS(B_NARROW, B_NARROW),
	[S_LISTED]        = SLOTS(B_A, B_A),
	[S_DENYING]       = SLOTS(B_A, B_A),
	[S_LIMITED]       = SLOTS(B_A, B_A),
	[S_LIMITED_TRACKED] = SLOTS(B_A, B_A, .flags = LB_POOL_TRACK_ALWAYS),
	[S_CLIENTS_UDP]   = SLOTS(B_A, B_A, .clients = true, .flags = LB_POOL_SOURCE, .idle_udp = WORLD_IDLE_UDP_LONG),
};

/* Allow and deny lists. */
static const struct {
	enum world_service service;
	const char *prefix;
	bool allow;
} source_rows[] = {
	{S_LISTED,  "198.51.100.0/24",          false},
	{S_LISTED,  "198.51.100.128/25",        true},
	{S_LISTED,  "198.51.100.200/32",        false},
	{S_LISTED,  "203.0.113.0/24",           true},
	{S_LISTED,  "2001:db8:c::/48",          false},
	{S_LISTED,  "2001:db8:c:0:8000::/65",   true},
	{S_LISTED,  "2001:db8:c:0:8000::c8/128", false},
	{S_LISTED,  "2001:db8:d::/48",          true},
	{S_DENYING, "198.51.100.0/24",          false},
	{S_DENYING, "2001:db8:c::/48",          false},
};

static const uint32_t service_flags[WORLD_SERVICES] = {
	[S_LISTED]          = LB_SERVICE_LISTED | LB_SERVICE_ALLOWED_ONLY,
	[S_DENYING]         = LB_SERVICE_LISTED,
	[S_LIMITED]         = LB_SERVICE_LIMITED,
	[S_LIMITED_TRACKED] = LB_SERVICE_LIMITED,
};

/* Listeners of those that do not listen at their own VIP. */
static const struct {
	enum world_service service;
	const char *vip;
	uint16_t first, last;
} listener_rows[] = {
	{S_EXACT, V4_PORTS,   80,    80},
	{S_EXACT, V6_PORTS,   80,    80},
	{S_RANGE, V4_PORTS, 8000,  8099},
	{S_RANGE, V6_PORTS, 8000,  8099},
	{S_ANY,   V4_PORTS,    0, 65535},
	{S_ANY,   V6_PORTS,    0, 65535},
};
/* clang-format on */

uint32_t world_counter(enum world_service service, enum world_backend backend)
{
	return service * WORLD_BACKENDS + backend;
}

uint32_t world_counters(void)
{
	return WORLD_SERVICES * WORLD_BACKENDS;
}

uint32_t world_times_base(enum world_service service)
{
	return service * TABLE_SIZE;
}

uint32_t world_table_size(void)
{
	return TABLE_SIZE;
}

static void backend_create(struct dataplane *dp, uint32_t index)
{
	const struct backend_row *row = &backend_rows[index];
	struct lb_backend *backend = &dataplane_backends(dp)[index];
	bool six = row->forward == LB_FORWARD_IPIP_V6 || row->forward == LB_FORWARD_GUE_V6;
	const uint8_t next_hop[6] = {2, 0, 0, 0, 0xb0, (uint8_t)index};
	const uint8_t egress[6] = {2, 0, 0, 0, 0, row->far ? 0x0f : 0x01};
	const char *source = six                ? row->source_bits ? "fd09::" : OUR6
			     : row->source_bits ? "10.9.0.0"
						: OUR4;

	memcpy(backend->destination_mac, next_hop, sizeof(next_hop));
	memcpy(backend->source_mac, egress, sizeof(egress));
	backend->counter = (uint16_t)index;
	backend->mtu = row->mtu;
	backend->ifindex = row->far ? WORLD_FAR_IFINDEX : WORLD_NEAR_IFINDEX;
	backend->source_bits = row->source_bits;
	backend->port = htons(row->port);
	inet_pton(six ? AF_INET6 : AF_INET, source, &backend->outer_source);
	inet_pton(six ? AF_INET6 : AF_INET, six ? BACKEND6 : BACKEND4, &backend->outer_destination);
	backend->status =
		LB_STATUS(WORLD_INCARNATION, row->forward,
			  (row->unusable ? 0U : LB_BACKEND_USABLE) |
				  (row->unusable || row->drains ? 0U : LB_BACKEND_TAKES_CLIENTS));
}

static void pool_create(struct dataplane *dp, uint32_t index)
{
	const struct pool_row *row = &pool_rows[index];
	struct lb_pool *pool = &dataplane_pools(dp)[index];
	uint32_t *slots = dataplane_slots(dp) + index * TABLE_SIZE;
	uint32_t base = index == S_BAD_TABLE ? WORLD_SLOTS : index * TABLE_SIZE;

	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots[i] = i % 2 && row->every_other
				   ? LB_SLOT(row->every_other, row->every_other, false)
				   : LB_SLOT(row->owner, row->fallback, row->changed);
	pool->flags = row->flags | (row->changed ? LB_POOL_UNSETTLED : 0U);
	inet_pton(AF_INET, "255.255.255.0", &pool->mask_v4);
	inet_pton(AF_INET6, "ffff:ffff:ffff:ffff::", &pool->mask_v6);
	pool->idle_tcp = WORLD_IDLE_TCP;
	pool->idle_udp = row->idle_udp ? row->idle_udp : WORLD_IDLE_UDP;
	pool->idle_closing = WORLD_IDLE_CLOSING;
	pool->idle_longest = WORLD_IDLE_TCP;
	pool->client_timeout = row->clients ? WORLD_CLIENT_TIMEOUT : 0;
	pool->client_life = WORLD_IDLE_TCP;
	pool->times_base = index == S_BAD_TIMES ? WORLD_SLOTS : world_times_base(index);
	pool->table = index == S_NO_TABLE ? 0 : LB_TABLE(base, TABLE_SIZE);
}

static bool pool_usable(const struct pool_row *row)
{
	const uint16_t named[] = {row->owner, row->fallback, row->every_other};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (named[i] && named[i] < WORLD_BACKENDS && !backend_rows[named[i]].unusable)
			return true;
	}
	return false;
}

static void listener_create(struct dataplane *dp, uint32_t index, const char *vip, uint8_t proto,
			    uint16_t first, uint16_t last)
{
	struct lb_service service = {.index = index,
				     .pool = index == S_BAD_POOL ? BEYOND : index,
				     .counter_base = world_counter(index, NOBODY),
				     .flags = service_flags[index]};
	struct endpoint endpoint = {.proto = proto, .port_first = first, .port_last = last};
	struct port_block blocks[PORT_BLOCKS_MAX];
	struct lb_vip value = {0};
	int count;

	if (addr_parse(vip, &endpoint.addr, NULL))
		errx(1, "world: bad VIP %s", vip);
	count = endpoint_blocks(&endpoint, blocks);
	for (int i = 0; i < count; i++) {
		if (dataplane_listener_put(dp, &endpoint.addr, proto, &blocks[i], &service))
			errx(1, "world: cannot make a listener at %s", vip);
		dataplane_control(dp)->port_blocks |= 1U << blocks[i].bits;
	}
	if (pool_rows[index].flags & LB_POOL_SOURCE)
		value.tcp_port = value.udp_port = htons(first);
	value.usable = pool_usable(&pool_rows[index]);
	if (dataplane_vip_put(dp, &endpoint.addr, &value))
		errx(1, "world: cannot make VIP %s", vip);
}

static void service_create(struct dataplane *dp, uint32_t index)
{
	char vip4[INET_ADDRSTRLEN], vip6[INET6_ADDRSTRLEN];

	snprintf(vip4, sizeof(vip4), "192.0.2.%u", index);
	snprintf(vip6, sizeof(vip6), "2001:db8::%x", index);
	listener_create(dp, index, vip4, IPPROTO_TCP, 80, 80);
	listener_create(dp, index, vip4, IPPROTO_UDP, 80, 80);
	listener_create(dp, index, vip6, IPPROTO_TCP, 80, 80);
	listener_create(dp, index, vip6, IPPROTO_UDP, 80, 80);
}

static void sources_create(struct dataplane *dp)
{
	for (size_t i = 0; i < sizeof(source_rows) / sizeof(source_rows[0]); i++) {
		struct prefix prefix;

		if (prefix_parse(source_rows[i].prefix, &prefix, NULL) ||
		    dataplane_source_put(dp, source_rows[i].service, &prefix, source_rows[i].allow))
			errx(1, "world: cannot list %s", source_rows[i].prefix);
	}
	for (uint32_t i = 1; i < WORLD_SERVICES; i++) {
		struct lb_new_flow_limit *limit = &dataplane_new_flow_limits(dp)[i];

		if (!(service_flags[i] & LB_SERVICE_LIMITED))
			continue;
		limit->flow_ns = WORLD_FLOW_NS;
		limit->bucket_ns = WORLD_BURST * WORLD_FLOW_NS;
		inet_pton(AF_INET, "255.255.255.0", &limit->mask_v4);
		inet_pton(AF_INET6, "ffff:ffff:ffff:ffff::", &limit->mask_v6);
	}
}

void world_create(struct dataplane *dp)
{
	sources_create(dp);
	for (uint32_t i = 1; i < WORLD_BACKENDS; i++)
		backend_create(dp, i);
	for (uint32_t i = 1; i < WORLD_SERVICES; i++) {
		pool_create(dp, i);
		if (!pool_rows[i].elsewhere)
			service_create(dp, i);
	}
	for (size_t i = 0; i < sizeof(listener_rows) / sizeof(listener_rows[0]); i++)
		listener_create(dp, listener_rows[i].service, listener_rows[i].vip, IPPROTO_TCP,
				listener_rows[i].first, listener_rows[i].last);
}
