/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* machine_config: see machine.h. The model's configuration, as the maps hold one. */
#include <arpa/inet.h>
#include <err.h>
#include <string.h>

#include "machine.h"
#include "model_bytes.h"

static void address_put(union lb_addr *out, const struct model_address *address)
{
	memcpy(out->bytes, address->bytes, sizeof(out->bytes));
}

static uint64_t status_of(const struct model_backend *backend)
{
	static const uint32_t ways[MODEL_WAYS] = {
		[MODEL_NO_WAY] = LB_FORWARD_NONE,   [MODEL_L2] = LB_FORWARD_L2,
		[MODEL_IPIP4] = LB_FORWARD_IPIP_V4, [MODEL_IPIP6] = LB_FORWARD_IPIP_V6,
		[MODEL_GUE4] = LB_FORWARD_GUE_V4,   [MODEL_GUE6] = LB_FORWARD_GUE_V6,
		[MODEL_NAT4] = LB_FORWARD_NAT_V4,   [MODEL_NAT6] = LB_FORWARD_NAT_V6};

	return LB_STATUS(backend->incarnation, ways[backend->way],
			 (backend->usable ? LB_BACKEND_USABLE : 0U) |
				 (backend->snat ? LB_BACKEND_SNAT : 0U) |
				 (backend->host_source ? LB_BACKEND_HOST_SOURCE : 0U) |
				 (backend->takes_clients ? LB_BACKEND_TAKES_CLIENTS : 0U));
}

static void backend_store(struct lb_backend *out, const struct model_backend *backend,
			  uint32_t index)
{
	*out = (struct lb_backend){.status = status_of(backend),
				   .counter = (uint16_t)index,
				   .mtu = backend->mtu,
				   .ifindex = backend->ifindex,
				   .source_bits = (uint16_t)backend->source_bits,
				   .port = htons(backend->gue_port)};
	memcpy(out->destination_mac, backend->next_hop, sizeof(out->destination_mac));
	memcpy(out->source_mac, backend->egress_mac, sizeof(out->source_mac));
	address_put(&out->outer_destination, &backend->outer_destination);
	address_put(&out->outer_source, &backend->outer_source);
}

static void mask_put(uint8_t *out, int bytes, int prefix)
{
	for (int i = 0; i < bytes; i++, prefix -= 8)
		out[i] = prefix >= 8 ? 0xff : prefix <= 0 ? 0 : (uint8_t)(0xff00 >> prefix);
}

static void pool_store(struct machine *machine, const struct model_pool *pool, uint32_t index)
{
	struct lb_pool *out = &dataplane_pools(machine->dp)[index];
	uint32_t base = index * MODEL_SLOTS, *slots = dataplane_slots(machine->dp) + base;
	uint32_t longest = pool->idle_tcp > pool->idle_udp ? pool->idle_tcp : pool->idle_udp;
	bool changed = false;

	if (longest < pool->idle_closing)
		longest = pool->idle_closing;
	for (uint32_t i = 0; i < MODEL_SLOTS; i++) {
		const struct model_slot *slot = &pool->slots[i];

		slots[i] = LB_SLOT(slot->owner, slot->fallback, slot->changed);
		changed |= slot->changed;
	}
	*out = (struct lb_pool){.table = pool->table_size ? LB_TABLE(base, pool->table_size) : 0,
				.flags = (pool->by_source ? LB_POOL_SOURCE : 0U) |
					 (pool->track_always ? LB_POOL_TRACK_ALWAYS : 0U) |
					 (changed ? LB_POOL_UNSETTLED : 0U),
				.idle_tcp = pool->idle_tcp,
				.idle_udp = pool->idle_udp,
				.idle_closing = pool->idle_closing,
				.idle_longest = longest,
				.client_timeout = pool->client_timeout,
				.client_life = model_client_life(pool),
				.times_base = base};
	mask_put((uint8_t *)&out->mask_v4, 4, pool->prefix_v4);
	mask_put(out->mask_v6.bytes, 16, pool->prefix_v6);
}

void machine_store(struct machine *machine, const struct model_config *config)
{
	for (uint32_t i = 1; i < MODEL_BACKENDS; i++)
		backend_store(&dataplane_backends(machine->dp)[i], &config->backends[i], i);
	for (uint32_t i = 1; i < MODEL_POOLS; i++)
		pool_store(machine, &config->pools[i], i);
	machine->loaded = *config;
}

/* ---- who may ---- */

static bool has_lines(const struct model_config *config, uint32_t service)
{
	for (int i = 0; i < MODEL_SOURCES; i++)
		if (config->sources[i].service == service)
			return true;
	return false;
}

static uint32_t flags_of(const struct model_config *config, uint32_t service)
{
	uint32_t only = config->allowed_only[service] ? LB_SERVICE_ALLOWED_ONLY : 0;

	return (has_lines(config, service) || only ? LB_SERVICE_LISTED : 0U) | only |
	       (config->limits[service].burst ? LB_SERVICE_LIMITED : 0U);
}

/* Lines of lists are made, or taken away again. */
static void sources_store(struct machine *machine, const struct model_config *config, bool there)
{
	for (int i = 0; i < MODEL_SOURCES; i++) {
		const struct model_source *line = &config->sources[i];
		struct prefix prefix = {.addr = {.family = line->network.family},
					.length = line->prefix};

		if (!line->service)
			continue;
		address_put(&prefix.addr.ip, &line->network);
		if (there ? dataplane_source_put(machine->dp, line->service, &prefix, !line->deny)
			  : dataplane_source_del(machine->dp, line->service, &prefix))
			errx(1, "cannot change a list of sources");
	}
}

static void limits_store(struct machine *machine, const struct model_config *config)
{
	for (uint32_t i = 1; i < MODEL_SERVICES; i++) {
		const struct model_limit *limit = &config->limits[i];
		struct lb_new_flow_limit *out = &dataplane_new_flow_limits(machine->dp)[i];

		*out = (struct lb_new_flow_limit){.flow_ns = limit->burst ? MACHINE_FLOW_NS : 0,
						  .bucket_ns = limit->burst * MACHINE_FLOW_NS};
		mask_put((uint8_t *)&out->mask_v4, 4, limit->prefix_v4);
		mask_put(out->mask_v6.bytes, 16, limit->prefix_v6);
	}
}

/* The listener's blocks of ports: made, or taken away again. Returns their widths, as bits. */
static uint32_t listener_store(struct machine *machine, const struct model_config *config,
			       const struct model_listener *listener, bool there)
{
	struct lb_service service = {.index = listener->service,
				     .flags = flags_of(config, listener->service),
				     .pool = config->service_pools[listener->service],
				     .counter_base = machine_counter_index(listener->service, 0)};
	struct endpoint endpoint = {.proto = listener->proto,
				    .addr = {.family = listener->vip.family},
				    .port_first = listener->first,
				    .port_last = listener->last};
	struct lb_vip vip = {.tcp_port = htons(model_vip_port(config, &listener->vip, PROTO_TCP)),
			     .udp_port = htons(model_vip_port(config, &listener->vip, PROTO_UDP)),
			     .usable = model_vip_usable(config, &listener->vip)};
	struct port_block blocks[PORT_BLOCKS_MAX];
	int count = endpoint_blocks(&endpoint, blocks), err = 0;
	uint32_t widths = 0;

	address_put(&endpoint.addr.ip, &listener->vip);
	for (int i = 0; i < count; i++) {
		err |= there ? dataplane_listener_put(machine->dp, &endpoint.addr, endpoint.proto,
						      &blocks[i], &service)
			     : dataplane_listener_del(machine->dp, &endpoint.addr, endpoint.proto,
						      &blocks[i]);
		widths |= 1U << blocks[i].bits;
	}
	if (there)
		err |= dataplane_vip_put(machine->dp, &endpoint.addr, &vip);
	else
		dataplane_vip_del(machine->dp, &endpoint.addr);
	/* A block of two, of a range and of an exact port, is gone the second time. */
	if (err && there)
		errx(1, "cannot make a listener");
	return widths;
}

void machine_load(struct machine *machine, const struct model_config *config)
{
	uint32_t widths = 0;

	for (int i = 0; i < MODEL_LISTENERS; i++)
		if (machine->loaded.listeners[i].vip.family)
			listener_store(machine, &machine->loaded, &machine->loaded.listeners[i],
				       false);
	sources_store(machine, &machine->loaded, false);
	sources_store(machine, config, true);
	limits_store(machine, config);
	/* Exact ports last: where a range begins or ends with one they take its place. */
	for (int exact = 0; exact < 2; exact++) {
		for (int i = 0; i < MODEL_LISTENERS; i++) {
			const struct model_listener *listener = &config->listeners[i];

			if (listener->vip.family && (listener->first == listener->last) == exact)
				widths |= listener_store(machine, config, listener, true);
		}
	}
	dataplane_control(machine->dp)->port_blocks = widths;
	dataplane_control(machine->dp)->flags = config->nat ? LB_CONTROL_NAT : 0;
	dataplane_control(machine->dp)->host_ports_first = config->host_first;
	dataplane_control(machine->dp)->host_ports_count = config->host_count;
	machine_store(machine, config);
	machine_errors_left(machine, LB_ERRORS_BURST);
}
