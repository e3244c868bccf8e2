/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_service: listeners (a service's ports as aligned blocks, see struct lb_service_key_v4)
 * and the set of VIPs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish_private.h"

static int listener_compare(const void *a, const void *b)
{
	const struct held_listener *x = a, *y = b;
	int order = addr_compare(&x->vip, &y->vip);

	if (!order)
		order = (int)x->proto - (int)y->proto;
	if (!order)
		order = (int)x->block.port - (int)y->block.port;
	return order ? order : (int)x->block.bits - (int)y->block.bits;
}

static int listeners_push(struct held_listeners *list, const struct held_listener *item)
{
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		struct held_listener *items = realloc(list->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
	}
	list->items[list->count++] = *item;
	return 0;
}

static void listeners_sort(struct held_listeners *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), listener_compare);
}

static const struct held_listener *listeners_find(const struct held_listeners *list,
						  const struct held_listener *key)
{
	return list->count ? bsearch(key, list->items, list->count, sizeof(*list->items),
				     listener_compare)
			   : NULL;
}

struct listener_reading {
	struct held_listeners *list;
	int rc;
};

static void listener_read(void *context, const struct addr *vip, uint8_t proto,
			  const struct port_block *block, const struct lb_service *service)
{
	struct listener_reading *reading = context;
	struct held_listener item = {
		.vip = *vip, .proto = proto, .block = *block, .value = *service};

	if (reading->rc == 0)
		reading->rc = listeners_push(reading->list, &item);
}

int publish_listeners_read(struct publish *publish)
{
	struct listener_reading reading = {.list = &publish->listeners};
	int rc;

	publish->listeners.count = 0;
	rc = dataplane_listeners(publish->dp, listener_read, &reading);
	listeners_sort(&publish->listeners);
	return rc < 0 ? rc : reading.rc;
}

/* A range may begin or end with a block of one port, where an exact listener may be, too: that one
 * wins. `exact`: those alone, ordered. */
static bool taken_by_exact(const struct held_listeners *exact, const struct held_listener *item)
{
	return item->block.bits == 0 && listeners_find(exact, item);
}

static int wanted_endpoint(const struct publish *publish, const struct service *service,
			   const struct endpoint *endpoint, const struct held_listeners *exact,
			   struct held_listeners *wanted)
{
	const struct lb_service_identity *identity = &publish->services[service->index].identity;
	struct port_block blocks[PORT_BLOCKS_MAX];
	int count = endpoint_blocks(endpoint, blocks);
	int rc = 0;

	for (int i = 0; i < count && rc == 0; i++) {
		struct held_listener item = {
			.vip = endpoint->addr,
			.proto = endpoint->proto,
			.block = blocks[i],
			.value = {.index = service->index,
				  .pool = identity->pool,
				  .counter_base = identity->counter_base,
				  .flags = publish_source_flags(service)},
		};
		if (!exact || !taken_by_exact(exact, &item))
			rc = listeners_push(wanted, &item);
	}
	return rc;
}

/* Those with an exact port (`exact` NULL), or all others. */
static int wanted_endpoints(const struct publish *publish, const struct model *model,
			    const struct held_listeners *exact, struct held_listeners *wanted)
{
	int rc = 0;

	for (size_t s = 0; s < model->service_count; s++) {
		const struct service *service = model->services[s];

		for (size_t i = 0; rc == 0 && service->index && i < service->listen_count; i++)
			if (endpoint_is_exact(&service->listen[i]) == !exact)
				rc = wanted_endpoint(publish, service, &service->listen[i], exact,
						     wanted);
	}
	return rc;
}

/* All listeners of the model's services that have an index, ordered. */
static int listeners_wanted(const struct publish *publish, const struct model *model,
			    struct held_listeners *wanted)
{
	struct held_listeners exact = {0};
	int rc = wanted_endpoints(publish, model, NULL, &exact);

	listeners_sort(&exact);
	for (size_t i = 0; rc == 0 && i < exact.count; i++)
		rc = listeners_push(wanted, &exact.items[i]);
	if (rc == 0)
		rc = wanted_endpoints(publish, model, &exact, wanted);
	listeners_sort(wanted);
	free(exact.items);
	return rc;
}

static uint32_t listeners_widths(const struct held_listeners *list)
{
	uint32_t widths = 0;

	for (size_t i = 0; i < list->count; i++)
		widths |= 1U << list->items[i].block.bits;
	return widths;
}

static void widths_store(struct publish *publish, uint32_t widths)
{
	struct lb_control *control = dataplane_control(publish->dp);

	if (control->port_blocks != widths)
		__atomic_store_n(&control->port_blocks, widths, __ATOMIC_RELEASE);
}

static void fail_listener(struct publish *publish, const struct held_listener *item,
			  const char *attempt, int error)
{
	struct endpoint endpoint = {.proto = item->proto,
				    .addr = item->vip,
				    .port_first = item->block.port,
				    .port_last = item->block.port + (1U << item->block.bits) - 1};
	char text[ENDPOINT_TEXT_SIZE];
	struct fault fault;

	fault_set(&fault, fault_code_of_errno(error), "listener %s: %s: %s",
		  endpoint_format(&endpoint, text), attempt, strerror(error));
	if (error == E2BIG || error == ENOSPC)
		fault_hint(&fault, "raise global.limits.services, then attach the data plane anew");
	publish_fail(publish, &fault);
}

static bool listener_same(const struct held_listener *a, const struct held_listener *b)
{
	return memcmp(&a->value, &b->value, sizeof(a->value)) == 0;
}

struct vip_list {
	struct addr *items;
	size_t count;
};

static void vip_collect(void *context, const struct addr *vip)
{
	struct vip_list *list = context;
	struct addr *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return; /* it stays, and goes next time */
	list->items = items;
	items[list->count++] = *vip;
}

static bool vip_wanted(const struct held_listeners *wanted, const struct addr *vip)
{
	for (size_t i = 0; i < wanted->count; i++) {
		if (addr_equal(&wanted->items[i].vip, vip))
			return true;
	}
	return false;
}

static void vips_remove(struct publish *publish, const struct held_listeners *wanted)
{
	struct vip_list list = {0};

	dataplane_vips(publish->dp, vip_collect, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (!vip_wanted(wanted, &list.items[i]))
			dataplane_vip_del(publish->dp, &list.items[i]);
	}
	free(list.items);
}

/* What a run of listeners, of one VIP and protocol, has in common: a port of it, if it takes all
 * packets to one pool by their source alone; or 0. */
static uint16_t run_fragment_port(const struct publish *publish, const struct held_listener *run,
				  size_t count)
{
	const struct lb_pool *pools = dataplane_pools(publish->dp);
	/* Of a block that begins with port 0, another one. */
	uint16_t port = run->block.port || !run->block.bits ? run->block.port : 1;

	for (size_t i = 0; i < count; i++) {
		if (run[i].value.pool != run->value.pool ||
		    !(pools[run[i].value.pool].flags & LB_POOL_SOURCE))
			return 0;
	}
	return port;
}

static size_t run_length(const struct held_listeners *list, size_t from, bool any_proto)
{
	const struct held_listener *first = &list->items[from];
	size_t count = 1;

	while (from + count < list->count &&
	       addr_equal(&list->items[from + count].vip, &first->vip) &&
	       (any_proto || list->items[from + count].proto == first->proto))
		count++;
	return count;
}

/* `from`: the first listener of the VIP in an ordered list, of `count`. */
static struct lb_vip vip_value(const struct publish *publish, const struct held_listeners *list,
			       size_t from, size_t count)
{
	struct lb_vip value = {0};

	for (size_t i = from; i < from + count; i++)
		value.usable |= publish->pools[list->items[i].value.pool].usable;
	for (size_t at = from, length; at < from + count; at += length) {
		uint16_t port;

		length = run_length(list, at, false);
		port = htons(run_fragment_port(publish, &list->items[at], length));
		if (list->items[at].proto == IPPROTO_TCP)
			value.tcp_port = port;
		else
			value.udp_port = port;
	}
	return value;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ULL; /* FNV-1a */
	return hash;
}

/* Writes the values of all VIPs where `write`. Returns a hash of them. */
static uint64_t vips_put(struct publish *publish, const struct held_listeners *wanted, bool write)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0, count; i < wanted->count; i += count) {
		struct lb_vip value;
		int rc;

		count = run_length(wanted, i, true);
		value = vip_value(publish, wanted, i, count);
		hash = mix(mix(hash, &wanted->items[i].vip.ip, sizeof(union lb_addr)), &value,
			   sizeof(value));
		rc = write ? dataplane_vip_put(publish->dp, &wanted->items[i].vip, &value) : 0;
		if (rc < 0) {
			fail_listener(publish, &wanted->items[i], "adding its address", -rc);
			return 0;
		}
	}
	return hash;
}

/* Before the listeners, so that no packet of theirs meets an address that is not known. */
static void publish_vips(struct publish *publish, const struct held_listeners *wanted)
{
	if (vips_put(publish, wanted, false) != publish->vips_inputs)
		publish->vips_inputs = vips_put(publish, wanted, true);
}

void publish_services_remove(struct publish *publish, const struct model *model)
{
	struct held_listeners wanted = {0};
	bool removed = false;
	size_t kept = 0;

	if (listeners_wanted(publish, model, &wanted) < 0)
		goto out;
	for (size_t i = 0; i < publish->listeners.count; i++) {
		struct held_listener *item = &publish->listeners.items[i];
		int rc;

		if (listeners_find(&wanted, item)) {
			publish->listeners.items[kept++] = *item;
			continue;
		}
		rc = dataplane_listener_del(publish->dp, &item->vip, item->proto, &item->block);
		if (rc < 0 && rc != -ENOENT) {
			fail_listener(publish, item, "removing it", -rc);
			publish->listeners.items[kept++] = *item;
		}
		removed = true;
	}
	publish->listeners.count = kept;
	if (removed) {
		vips_remove(publish, &wanted);
		widths_store(publish, listeners_widths(&publish->listeners));
	}
out:
	free(wanted.items);
}

void publish_services_add(struct publish *publish, const struct model *model)
{
	struct held_listeners wanted = {0};
	bool changed = false;

	if (listeners_wanted(publish, model, &wanted) < 0)
		goto out;
	widths_store(publish, listeners_widths(&publish->listeners) | listeners_widths(&wanted));
	publish_vips(publish, &wanted);
	for (size_t i = 0; i < wanted.count; i++) {
		const struct held_listener *item = &wanted.items[i];
		const struct held_listener *held = listeners_find(&publish->listeners, item);
		int rc;

		if (held && listener_same(held, item))
			continue;
		rc = dataplane_listener_put(publish->dp, &item->vip, item->proto, &item->block,
					    &item->value);
		if (rc < 0)
			fail_listener(publish, item, "adding it", -rc);
		changed = true;
	}
	if (changed)
		publish_listeners_read(publish);
out:
	free(wanted.items);
}

int publish_service_rewrite(struct publish *publish, uint32_t index)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < publish->listeners.count; i++) {
		struct held_listener *item = &publish->listeners.items[i];

		if (item->value.index != index)
			continue;
		item->value.counter_base = publish->services[index].identity.counter_base;
		rc = dataplane_listener_put(publish->dp, &item->vip, item->proto, &item->block,
					    &item->value);
	}
	return rc;
}
