/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_source: who may open flows to a service: allow and deny lists, and limits of new flows.
 *
 * A list is never swapped but changed prefix by prefix: what is new or says otherwise is written
 * before the service's listener is (publish_service.c, whose flags say that there are lists), what
 * is gone is deleted behind it. So each packet meets at least what both lists have, and no moment
 * has none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish_private.h"

enum { FIRST_ROOM = 64 };

#define SECOND_NS 1000000000ULL

static int held_compare(const void *a, const void *b)
{
	const struct held_source *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return source_rule_compare(&x->rule, &y->rule);
}

static int held_push(struct held_sources *list, uint32_t service, const struct source_rule *rule)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : FIRST_ROOM;
		struct held_source *items = reallocarray(list->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = (struct held_source){service, *rule};
	return 0;
}

static void held_sort(struct held_sources *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), held_compare);
}

static int source_read(void *context, uint32_t service, const struct prefix *prefix, bool allow)
{
	const struct source_rule rule = {.prefix = *prefix, .allow = allow};

	return held_push(context, service, &rule);
}

int publish_sources_read(struct publish *publish)
{
	int rc;

	publish->sources.count = 0;
	rc = dataplane_sources(publish->dp, source_read, &publish->sources);
	held_sort(&publish->sources);
	return rc;
}

/* All rules of the model's services that have an index, ordered: 0 or -ENOMEM. */
static int sources_wanted(const struct model *model, struct held_sources *wanted)
{
	int rc = 0;

	for (size_t s = 0; s < model->service_count; s++) {
		const struct service *service = model->services[s];

		for (size_t i = 0; rc == 0 && service->index && i < service->source_count; i++)
			rc = held_push(wanted, service->index, &service->sources[i]);
	}
	held_sort(wanted);
	return rc;
}

static void fail_source(struct publish *publish, const struct held_source *item,
			const char *attempt, int error)
{
	char text[PREFIX_TEXT_SIZE];
	struct fault fault;

	fault_set(&fault, fault_code_of_errno(error), "service %s: %s: %s %s: %s",
		  publish->services[item->service].identity.name,
		  item->rule.allow ? "allow" : "deny", attempt,
		  prefix_format(&item->rule.prefix, text), strerror(error));
	if (error == ENOSPC)
		fault_hint(&fault,
			   "the lists of all services together have room for %d prefixes "
			   "of each family",
			   LB_SOURCES_MAX);
	publish_fail(publish, &fault);
}

/* ---- limits ---- */

static __be32 mask_v4(uint8_t length)
{
	struct addr ones = {.family = 4, .ip.v4 = 0xffffffff};

	return addr_mask(&ones, length).ip.v4;
}

static struct lb_new_flow_limit limit_wanted(const struct service *service)
{
	struct lb_new_flow_limit limit = {0};
	struct addr ones = {.family = 6};
	uint32_t burst =
		service->new_flow_burst ? service->new_flow_burst : service->new_flow_limit;

	if (!service->new_flow_limit)
		return limit;
	memset(&ones.ip, 0xff, sizeof(ones.ip));
	limit.flow_ns = SECOND_NS / service->new_flow_limit;
	limit.bucket_ns = limit.flow_ns * burst;
	limit.mask_v4 = mask_v4(service->new_flow_prefix_v4);
	limit.mask_v6 = addr_mask(&ones, service->new_flow_prefix_v6).ip;
	return limit;
}

/* A packet that meets it half written is judged by numbers of both: there is no wrong one. */
static void limits_write(struct publish *publish, const struct model *model)
{
	struct lb_new_flow_limit *limits = dataplane_new_flow_limits(publish->dp);

	for (size_t s = 0; s < model->service_count; s++) {
		const struct service *service = model->services[s];
		const struct lb_new_flow_limit limit = limit_wanted(service);

		if (service->index && memcmp(&limits[service->index], &limit, sizeof(limit)) != 0)
			limits[service->index] = limit;
	}
}

/* ---- publish_private.h ---- */

uint32_t publish_source_flags(const struct service *service)
{
	uint32_t flags = 0;

	if (service->source_count)
		flags |= LB_SERVICE_LISTED;
	if (service_sources_count(service, true))
		flags |= LB_SERVICE_ALLOWED_ONLY;
	if (service->new_flow_limit)
		flags |= LB_SERVICE_LIMITED;
	return flags;
}

static void source_put(struct publish *publish, const struct held_source *item)
{
	int rc = dataplane_source_put(publish->dp, item->service, &item->rule.prefix,
				      item->rule.allow);

	if (rc < 0)
		fail_source(publish, item, "adding", -rc);
}

void publish_sources_add(struct publish *publish, const struct model *model)
{
	const struct held_sources *held = &publish->sources;
	struct held_sources wanted = {0};
	bool changed = false;
	size_t h = 0;

	limits_write(publish, model);
	if (sources_wanted(model, &wanted) < 0) {
		free(wanted.items);
		return;
	}
	for (size_t w = 0; w < wanted.count; w++) {
		const struct held_source *item = &wanted.items[w];

		while (h < held->count && held_compare(&held->items[h], item) < 0)
			h++;
		if (h < held->count && held_compare(&held->items[h], item) == 0 &&
		    held->items[h].rule.allow == item->rule.allow)
			continue;
		source_put(publish, item);
		changed = true;
	}
	free(wanted.items);
	if (changed)
		publish_sources_read(publish);
}

void publish_sources_remove(struct publish *publish, const struct model *model)
{
	struct held_sources wanted = {0};
	size_t kept = 0, w = 0;

	if (!publish->sources.count || sources_wanted(model, &wanted) < 0)
		goto out;
	for (size_t h = 0; h < publish->sources.count; h++) {
		struct held_source *item = &publish->sources.items[h];
		int rc;

		while (w < wanted.count && held_compare(&wanted.items[w], item) < 0)
			w++;
		if (w < wanted.count && held_compare(&wanted.items[w], item) == 0) {
			publish->sources.items[kept++] = *item;
			continue;
		}
		rc = dataplane_source_del(publish->dp, item->service, &item->rule.prefix);
		if (rc < 0 && rc != -ENOENT) {
			fail_source(publish, item, "removing", -rc);
			publish->sources.items[kept++] = *item;
		}
	}
	publish->sources.count = kept;
out:
	free(wanted.items);
}
