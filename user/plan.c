/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* plan: see plan.h. */
#include "plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *plan_step_text(const struct plan_step *step)
{
	static const char *const texts[][PLAN_KIND_COUNT] = {
		[PLAN_ADD] = {"add pool", "add backend", "add service", "add setting"},
		[PLAN_CHANGE] = {"change pool", "change backend", "change service",
				 "change setting"},
		[PLAN_REMOVE] = {"remove pool", "remove backend", "remove service",
				 "remove setting"},
	};

	return texts[step->verb][step->kind];
}

static struct plan_step *plan_push(struct plan *plan, enum plan_verb verb, enum plan_kind kind,
				   const char *pool, const char *name)
{
	struct plan_step *steps = realloc(plan->steps, (plan->count + 1) * sizeof(*steps));
	struct plan_step *step;

	if (!steps)
		return NULL;
	plan->steps = steps;
	step = &steps[plan->count++];
	*step = (struct plan_step){.verb = verb, .kind = kind};
	if (pool)
		snprintf(step->object, sizeof(step->object), "%s/%s", pool, name);
	else
		snprintf(step->object, sizeof(step->object), "%s", name);
	return step;
}

__attribute__((format(printf, 2, 3))) static void detail_add(char detail[192], const char *format,
							     ...)
{
	size_t used = strlen(detail);
	va_list args;

	if (used)
		used += snprintf(detail + used, 192 - used, ", ");
	if (used >= 192)
		return;
	va_start(args, format);
	vsnprintf(detail + used, 192 - used, format, args);
	va_end(args);
}

static void detail_word(char detail[192], const char *key, const char *from, const char *to)
{
	if (strcmp(from, to) != 0)
		detail_add(detail, "%s %s -> %s", key, from, to);
}

static void detail_number(char detail[192], const char *key, uint64_t from, uint64_t to)
{
	if (from != to)
		detail_add(detail, "%s %llu -> %llu", key, (unsigned long long)from,
			   (unsigned long long)to);
}

static void backend_detail(const struct backend *from, const struct backend *to, char detail[192])
{
	char a[ADDR_TEXT_SIZE], b[ADDR_TEXT_SIZE];

	if (!addr_equal(&from->address, &to->address))
		detail_word(detail, "address", addr_format(&from->address, a),
			    addr_format(&to->address, b));
	detail_number(detail, "port", from->port, to->port);
	detail_number(detail, "weight", from->weight, to->weight);
	detail_word(detail, "admin", admin_name(from->admin), admin_name(to->admin));
	if (from->drain_mode != to->drain_mode)
		detail_add(detail, "drain_mode");
	if (from->drain_deadline_ms != to->drain_deadline_ms)
		detail_add(detail, "drain_deadline");
	if (from->admin == ADMIN_DRAIN && to->admin == ADMIN_DRAIN &&
	    from->drain_began_ms != to->drain_began_ms)
		detail_add(detail, "the drain begins anew");
	detail_number(detail, "backup", from->backup, to->backup);
}

static void pool_detail(const struct pool *from, const struct pool *to, char detail[192])
{
	detail_word(detail, "affinity", affinity_name(from->affinity), affinity_name(to->affinity));
	detail_number(detail, "prefix_v4", from->prefix_v4, to->prefix_v4);
	detail_number(detail, "prefix_v6", from->prefix_v6, to->prefix_v6);
	detail_word(detail, "forward", forward_name(from->forward), forward_name(to->forward));
	detail_number(detail, "gue_port", from->gue_port, to->gue_port);
	detail_number(detail, "table_size", from->table_size, to->table_size);
	if (from->track != to->track)
		detail_add(detail, "track");
	if (from->on_down != to->on_down)
		detail_add(detail, "on_down");
	detail_number(detail, "idle_timeout.tcp (ms)", from->idle_tcp_ms, to->idle_tcp_ms);
	detail_number(detail, "idle_timeout.udp (ms)", from->idle_udp_ms, to->idle_udp_ms);
	detail_number(detail, "panic_threshold", from->panic_threshold, to->panic_threshold);
	detail_number(detail, "slow_start (ms)", from->slow_start_ms, to->slow_start_ms);
	if (memcmp(&from->check, &to->check, sizeof(from->check)) != 0)
		detail_add(detail, "check");
}

static bool listens_on(const struct service *service, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < service->listen_count; i++) {
		if (endpoint_equal(&service->listen[i], endpoint))
			return true;
	}
	return false;
}

static void sources_detail(const struct service *from, const struct service *to, bool allow,
			   char detail[192])
{
	const char *key = allow ? "allow" : "deny";
	size_t a = 0, b = 0, gone = 0, come = 0;

	while (a < from->source_count || b < to->source_count) {
		int order = a == from->source_count ? 1
			    : b == to->source_count
				    ? -1
				    : source_rule_compare(&from->sources[a], &to->sources[b]);
		bool was = order <= 0 && from->sources[a].allow == allow;
		bool is = order >= 0 && to->sources[b].allow == allow;

		gone += was && !is;
		come += is && !was;
		a += order <= 0;
		b += order >= 0;
	}
	if (come)
		detail_add(detail, "%s +%zu", key, come);
	if (gone)
		detail_add(detail, "%s -%zu", key, gone);
}

static void service_detail(const struct service *from, const struct service *to, char detail[192])
{
	char text[ENDPOINT_TEXT_SIZE];

	detail_word(detail, "pool", from->pool, to->pool);
	sources_detail(from, to, true, detail);
	sources_detail(from, to, false, detail);
	detail_number(detail, "new_flow_limit", from->new_flow_limit, to->new_flow_limit);
	detail_number(detail, "new_flow_burst", from->new_flow_burst, to->new_flow_burst);
	detail_number(detail, "new_flow_prefix.v4", from->new_flow_prefix_v4,
		      to->new_flow_prefix_v4);
	detail_number(detail, "new_flow_prefix.v6", from->new_flow_prefix_v6,
		      to->new_flow_prefix_v6);
	if (from->withdraw != to->withdraw)
		detail_word(detail, "withdraw", from->withdraw ? "true" : "false",
			    to->withdraw ? "true" : "false");
	for (size_t i = 0; i < from->listen_count; i++) {
		if (!listens_on(to, &from->listen[i]))
			detail_add(detail, "-%s", endpoint_format(&from->listen[i], text));
	}
	for (size_t i = 0; i < to->listen_count; i++) {
		if (!listens_on(from, &to->listen[i]))
			detail_add(detail, "+%s", endpoint_format(&to->listen[i], text));
	}
}

static int plan_backends(struct plan *plan, const struct pool *from, const struct pool *to)
{
	for (size_t i = 0; i < to->backend_count; i++) {
		const struct backend *backend = to->backends[i];
		const struct backend *old = from ? pool_backend_find(from, backend->name) : NULL;
		char detail[192] = "";
		struct plan_step *step;

		if (old)
			backend_detail(old, backend, detail);
		if (old && !detail[0])
			continue;
		step = plan_push(plan, old ? PLAN_CHANGE : PLAN_ADD, PLAN_BACKEND, to->name,
				 backend->name);
		if (!step)
			return -ENOMEM;
		memcpy(step->detail, detail, sizeof(detail));
	}
	return 0;
}

static int plan_pools(struct plan *plan, const struct model *from, const struct model *to)
{
	for (size_t i = 0; i < to->pool_count; i++) {
		const struct pool *pool = to->pools[i];
		const struct pool *old = model_pool_find(from, pool->name);
		char detail[192] = "";
		struct plan_step *step;

		if (old)
			pool_detail(old, pool, detail);
		if (!old || detail[0]) {
			step = plan_push(plan, old ? PLAN_CHANGE : PLAN_ADD, PLAN_POOL, NULL,
					 pool->name);
			if (!step)
				return -ENOMEM;
			memcpy(step->detail, detail, sizeof(detail));
		}
		if (plan_backends(plan, old, pool) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int plan_services(struct plan *plan, const struct model *from, const struct model *to)
{
	for (size_t i = 0; i < to->service_count; i++) {
		const struct service *service = to->services[i];
		const struct service *old = model_service_find(from, service->name);
		char detail[192] = "";
		struct plan_step *step;

		if (old)
			service_detail(old, service, detail);
		if (old && !detail[0])
			continue;
		step = plan_push(plan, old ? PLAN_CHANGE : PLAN_ADD, PLAN_SERVICE, NULL,
				 service->name);
		if (!step)
			return -ENOMEM;
		memcpy(step->detail, detail, sizeof(detail));
	}
	return 0;
}

static int plan_removals(struct plan *plan, const struct model *from, const struct model *to)
{
	for (size_t i = 0; i < from->service_count; i++) {
		if (!model_service_find(to, from->services[i]->name) &&
		    !plan_push(plan, PLAN_REMOVE, PLAN_SERVICE, NULL, from->services[i]->name))
			return -ENOMEM;
	}
	for (size_t i = 0; i < from->pool_count; i++) {
		const struct pool *pool = from->pools[i];
		const struct pool *kept = model_pool_find(to, pool->name);

		for (size_t b = 0; b < pool->backend_count; b++) {
			const char *name = pool->backends[b]->name;

			if ((!kept || !pool_backend_find(kept, name)) &&
			    !plan_push(plan, PLAN_REMOVE, PLAN_BACKEND, pool->name, name))
				return -ENOMEM;
		}
		if (!kept && !plan_push(plan, PLAN_REMOVE, PLAN_POOL, NULL, pool->name))
			return -ENOMEM;
	}
	return 0;
}

/* Of `global`, what takes effect without attaching anew. */
static int plan_vip(struct plan *plan, const struct global *from, const struct global *to)
{
	static const char *const words[] = {[VIP_NONE] = "none", [VIP_INTERFACE] = "interface"};
	struct plan_step *step;

	if (from->vip == to->vip)
		return 0;
	step = plan_push(plan, PLAN_CHANGE, PLAN_SETTING, NULL, "global.vip");
	if (!step)
		return -ENOMEM;
	detail_word(step->detail, "vip", words[from->vip], words[to->vip]);
	return 0;
}

static int plan_metrics(struct plan *plan, const struct global *from, const struct global *to)
{
	const char *old = from->metrics, *new = to->metrics;
	struct plan_step *step;

	if (old == new || (old && new && !strcmp(old, new)))
		return 0;
	step = plan_push(plan,
			 !old  ? PLAN_ADD
			 : new ? PLAN_CHANGE
			       : PLAN_REMOVE,
			 PLAN_SETTING, NULL, "global.metrics");
	if (!step)
		return -ENOMEM;
	if (old && new)
		detail_word(step->detail, "metrics", old, new);
	else
		detail_add(step->detail, "%s", old ? old : new);
	return 0;
}

int plan_make(struct plan *plan, const struct model *from, const struct model *to)
{
	*plan = (struct plan){0};
	if (plan_metrics(plan, &from->global, &to->global) < 0 ||
	    plan_vip(plan, &from->global, &to->global) < 0 || plan_pools(plan, from, to) < 0 ||
	    plan_services(plan, from, to) < 0 || plan_removals(plan, from, to) < 0) {
		plan_destroy(plan);
		return -ENOMEM;
	}
	return 0;
}

void plan_destroy(struct plan *plan)
{
	free(plan->steps);
	*plan = (struct plan){0};
}
