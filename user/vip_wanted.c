/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vip_wanted: see vip_wanted.h. Neighbours: vip, which makes it so. */
#include "vip_wanted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char no_service[] = "no service has it";
static const char drained_node[] = "the node is drained";
static const char no_backend[] = "no backend takes traffic";

static bool can_serve(const struct model *model, const struct service *service)
{
	const struct pool *pool = model_pool_find(model, service->pool);

	for (size_t i = 0; pool && i < pool->backend_count; i++) {
		if (backend_takes_new(pool, pool->backends[i]))
			return true;
	}
	return false;
}

static int by_addr(const void *a, const void *b)
{
	const struct vip_want *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

/* One item for each address: wanted if one of its services wants it. */
static void merge(struct vip_wanted *wanted)
{
	size_t kept = 0;

	if (wanted->count)
		qsort(wanted->items, wanted->count, sizeof(*wanted->items), by_addr);
	for (size_t i = 0; i < wanted->count; i++) {
		struct vip_want *one = &wanted->items[i];
		struct vip_want *last = kept ? &wanted->items[kept - 1] : NULL;

		if (!last || !addr_equal(&last->addr, &one->addr))
			wanted->items[kept++] = *one;
		else if (!one->why_not[0])
			last->why_not = one->why_not;
	}
	wanted->count = kept;
}

int vip_wanted_read(struct vip_wanted *wanted, const struct model *model, bool drained)
{
	size_t room = 0;

	*wanted = (struct vip_wanted){0};
	if (model->global.vip != VIP_INTERFACE)
		return 0;
	for (size_t s = 0; s < model->service_count; s++)
		room += model->services[s]->listen_count;
	wanted->items = calloc(room + 1, sizeof(*wanted->items));
	if (!wanted->items)
		return -ENOMEM;
	for (size_t s = 0; s < model->service_count; s++) {
		const struct service *service = model->services[s];
		const char *why_not = "";

		if (drained)
			why_not = drained_node;
		else if (service->withdraw && !can_serve(model, service))
			why_not = no_backend;
		for (size_t i = 0; i < service->listen_count; i++)
			wanted->items[wanted->count++] =
				(struct vip_want){service->listen[i].addr, why_not};
	}
	merge(wanted);
	return 0;
}

void vip_wanted_destroy(struct vip_wanted *wanted)
{
	free(wanted->items);
	*wanted = (struct vip_wanted){0};
}

bool vip_wanted_equal(const struct vip_wanted *a, const struct vip_wanted *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!addr_equal(&a->items[i].addr, &b->items[i].addr) ||
		    a->items[i].why_not[0] != b->items[i].why_not[0])
			return false;
	}
	return true;
}

const char *vip_wanted_not(const struct vip_wanted *wanted, const struct addr *vip)
{
	const struct vip_want key = {.addr = *vip};
	const struct vip_want *found =
		wanted->count ? bsearch(&key, wanted->items, wanted->count, sizeof(key), by_addr)
			      : NULL;

	return found ? found->why_not : no_service;
}
