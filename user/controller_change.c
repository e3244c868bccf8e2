/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_change: a change of the configuration, from what was asked for to a new running model
 * in place of the old one. A new model is built aside, so that it is made whole or not at all.
 */
#include "controller_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "impact.h"
#include "plan.h"
#include "stats.h"
#include "suppose.h"

/* ---- models ---- */

/* A backend that is the same in the new model goes on with what is known of it. */
static void carry_backend(const struct pool *old_pool, const struct pool *pool,
			  struct backend *backend)
{
	const struct backend *old = pool_backend_find(old_pool, backend->name);

	if (!old || !addr_equal(&old->address, &backend->address))
		return;
	backend->hop = old->hop;
	backend->index = old->index;
	backend->slots = old->slots;
	backend->left_slots = old->left_slots;
	backend->left_flows = old->left_flows;
	backend->left_clients = old->left_clients;
	backend->nat_refused = old->nat_refused;
	backend->check_failures = old->check_failures;
	backend->transition_count = old->transition_count;
	backend->left_missed_ms = old->left_missed_ms;
	if (backend->drain_began_ms == old->drain_began_ms) {
		backend->drain_over = old->drain_over;
		backend->drain_moved_flows = old->drain_moved_flows;
		backend->drain_moved_clients = old->drain_moved_clients;
		backend->drain_moved_known = old->drain_moved_known;
	}
	backend->serves = old->serves;
	backend->serves_since_ms = old->serves_since_ms;
	backend->held_back = old->held_back;
	if (pool->check.agent && old_pool->check.agent == pool->check.agent) {
		backend->agent = old->agent;
		memcpy(backend->agent_line, old->agent_line, sizeof(backend->agent_line));
	}
	if (old_pool->check.type != pool->check.type ||
	    !old_pool->check.agent != !pool->check.agent)
		return;
	backend->health = old->health;
	memcpy(backend->reason, old->reason, sizeof(backend->reason));
	backend->since_ms = old->since_ms;
	backend->checked_ms = old->checked_ms;
	backend->check_us = old->check_us;
	backend->held_until_ms = old->held_until_ms;
	backend->short_lives = old->short_lives;
	backend->history = old->history;
}

static void carry_state(const struct model *from, struct model *to)
{
	for (size_t p = 0; p < to->pool_count; p++) {
		struct pool *pool = to->pools[p];
		const struct pool *old = model_pool_find(from, pool->name);

		if (!old)
			continue;
		pool->mode = old->mode;
		pool->index = old->index;
		pool->table_digest = old->table_digest;
		pool->unsettled_slots = old->unsettled_slots;
		pool->tracked_flows = old->tracked_flows;
		pool->clients = old->clients;
		pool->swept_ms = old->swept_ms;
		for (size_t b = 0; b < pool->backend_count; b++)
			carry_backend(old, pool, pool->backends[b]);
	}
	for (size_t s = 0; s < to->service_count; s++) {
		const struct service *old = model_service_find(from, to->services[s]->name);

		if (old)
			to->services[s]->index = old->index;
	}
}

static void log_plan(const struct plan *plan, const char *who)
{
	for (size_t i = 0; i < plan->count; i++)
		log_info("%s: %s %s%s%s", who, plan_step_text(&plan->steps[i]),
			 plan->steps[i].object, plan->steps[i].detail[0] ? ": " : "",
			 plan->steps[i].detail);
}

static json_t *plan_json(const struct plan *plan)
{
	json_t *report = json_array();

	for (size_t i = 0; report && i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		json_array_append_new(
			report, json_pack("{s:s, s:s, s:s, s:I}", "change", plan_step_text(step),
					  "object", step->object, "detail", step->detail,
					  "moved_percent", (json_int_t)step->moved_percent));
	}
	return report;
}

/* ---- what a dry run tells of tables ---- */

static json_t *impact_backends(const struct impact *impact)
{
	json_t *list = json_array();

	for (size_t i = 0; i < impact->backend_count; i++) {
		const struct impact_backend *backend = &impact->backends[i];

		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I}", "name",
					(backend->before ? backend->before : backend->after)->name,
					"slots_before", (json_int_t)backend->now.owned, "slots",
					(json_int_t)backend->then.owned));
	}
	return list;
}

/* In the form of the other steps, with the figures beside the words. */
static json_t *impact_json(const struct pool *pool, const struct impact *impact)
{
	double percent = 100.0 / impact->table_size;
	char detail[192];

	if (impact->resized)
		snprintf(detail, sizeof(detail), "a new one of %u slots", impact->table_size);
	else if (impact->lost)
		snprintf(detail, sizeof(detail),
			 "%u of %u slots (%.1f%%) get another owner, established flows of %u "
			 "(%.1f%%) move, too",
			 impact->moved, impact->table_size, impact->moved * percent, impact->lost,
			 impact->lost * percent);
	else
		snprintf(detail, sizeof(detail),
			 "%u of %u slots (%.1f%%) get another owner for new flows", impact->moved,
			 impact->table_size, impact->moved * percent);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:o}", "change",
			 "change table", "object", pool->name, "detail", detail, "moved_percent",
			 (json_int_t)0, "table_size", (json_int_t)impact->table_size, "slots_lost",
			 (json_int_t)impact->lost, "slots_moved",
			 impact->resized ? json_null() : json_integer(impact->moved), "resized",
			 json_boolean(impact->resized), "new_flows_percent",
			 impact->moved * percent, "all_flows_percent", impact->lost * percent,
			 "backends", impact_backends(impact));
}

void controller_report_tables(const struct controller *controller, struct model *model,
			      json_t *report)
{
	const uint8_t *seed = dataplane_settings(controller->dp)->hash_seed;

	carry_state(controller->running, model);
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *old =
			model_pool_find(controller->running, model->pools[i]->name);
		struct impact_table held;
		struct impact impact;

		if (!old)
			continue;
		held = suppose_table(controller->dp, old);
		impact_expect(model->pools[i]);
		if (impact_none(old, model->pools[i]))
			continue;
		if (impact_pool(&impact, seed, old, model->pools[i], &held) == 0 &&
		    (impact.moved || impact.lost || impact.resized))
			json_array_append_new(report, impact_json(model->pools[i], &impact));
		impact_destroy(&impact);
	}
}

/* ---- taking it ---- */

static void take_running(struct controller *controller, struct model *model)
{
	carry_state(controller->running, model);
	model_free(controller->running);
	controller->running = model;
	agents_sync(controller->agents, model);
	controller_judge_drains(controller);
	/* How much of a drain is left is asked soon. */
	sweeper_hurry(controller->sweeper);
	/* At once: who is told that it is done shall find it in force. */
	if (!controller->starting)
		controller_publish(controller);
}

/* Saves what is new, with the follower ready for it. */
static int switch_save(struct controller *controller, const struct model *model,
		       const struct overrides *overrides, bool dry_run, struct fault *fault)
{
	const struct controller_follower *follower = &controller->follower;
	int rc = follower->prepare ? follower->prepare(follower->context, model, fault) : 0;

	if (rc < 0)
		return rc;
	if (!dry_run)
		rc = overrides_save(overrides, controller->state_path, fault);
	if (follower->finish)
		follower->finish(follower->context, rc == 0 && !dry_run);
	return rc;
}

/* Whether it was ever given a packet, as far as the data plane knows: what is settled remembers no
 * flow. */
static bool has_flows(void *context, const struct service *service)
{
	const struct controller *controller = context;
	struct lb_counter counter;

	return stats_service(controller->dp, service, &counter) != 0 || counter.packets > 0;
}

/* Names all steps that move flows, as far as they fit. Returns -1. */
static int breaks_fault(const struct plan *plan, struct fault *fault)
{
	char text[sizeof(fault->message)] = "";
	size_t used = 0;

	for (size_t i = 0; i < plan->count && used < sizeof(text); i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->moved_percent)
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "%s%s %s%s%s: would move %u%% of its flows",
						 used ? "; " : "", plan_step_text(step),
						 step->object, step->detail[0] ? ": " : "",
						 step->detail, step->moved_percent);
	}
	fault_set(fault, FAULT_CONFLICT, "%s", text);
	return fault_hint(fault, "moved flows break; to do it all the same: --break-flows");
}

int controller_switch(struct controller *controller, struct model *model,
		      struct overrides *overrides, const struct controller_request *request,
		      json_t **report, struct fault *fault)
{
	struct plan plan;
	int rc = plan_make(&plan, controller->running, model);
	bool breaks;

	if (rc < 0) {
		fault_set(fault, FAULT_FAILED, "comparing with the running state: %s",
			  strerror(-rc));
		goto keep;
	}
	breaks = plan_judge(&plan, controller->running, model, has_flows, controller);
	if (report)
		*report = plan_json(&plan);
	if (report && request->dry_run)
		controller_report_tables(controller, model, *report);
	if (breaks && !request->break_flows && !request->dry_run)
		rc = breaks_fault(&plan, fault);
	else
		rc = switch_save(controller, model, overrides, request->dry_run, fault);
	if (rc == 0 && !request->dry_run) {
		log_plan(&plan, request->who);
		controller_tell_change(controller, &plan, model, request->who);
		overrides_free(controller->overrides);
		controller->overrides = overrides;
		take_running(controller, model);
		plan_destroy(&plan);
		return 0;
	}
	plan_destroy(&plan);
keep:
	model_free(model);
	overrides_free(overrides);
	return rc;
}

/* Takes the model; NULL with the fault. */
static struct model *with_drains(struct overrides *overrides, struct model *model,
				 const struct change *change, struct fault *fault)
{
	if (model && overrides_drains(overrides, model, change, clock_ms(CLOCK_REALTIME), fault)) {
		model_free(model);
		return NULL;
	}
	return model;
}

struct model *controller_apply(struct overrides *overrides, const struct model *base,
			       struct fault *fault)
{
	return with_drains(overrides, overrides_apply(overrides, base, fault), NULL, fault);
}

int controller_change(struct controller *controller, const struct change *change,
		      const struct controller_request *request, json_t **report,
		      struct fault *fault)
{
	struct overrides *overrides = overrides_copy(controller->overrides);
	struct model *model = NULL;

	if (!overrides)
		return fault_set(fault, FAULT_FAILED, "taking the change: %s", strerror(ENOMEM));
	if (overrides_add(overrides, controller->base, controller->running, change, &model,
			  fault) == 0)
		model = with_drains(overrides, model, change, fault);
	if (!model) {
		overrides_free(overrides);
		return -1;
	}
	return controller_switch(controller, model, overrides, request, report, fault);
}

int controller_judge_start(struct controller *controller, bool break_flows, struct fault *fault)
{
	struct model *held = publish_held(controller->publish);
	struct plan plan = {0};
	int rc = held ? plan_make(&plan, held, controller->running) : -ENOMEM;

	if (rc < 0)
		fault_set(fault, FAULT_FAILED, "comparing with the data plane: %s", strerror(-rc));
	else if (plan_judge(&plan, held, controller->running, has_flows, controller)) {
		rc = breaks_fault(&plan, fault);
		fault_hint(fault, "moved flows break: give the file (or the state directory) the "
				  "old values, or start with --break-flows");
	}
	if (rc < 0 && break_flows && fault->code == FAULT_CONFLICT) {
		log_warn("%s (--break-flows)", fault->message);
		*fault = (struct fault){0};
		rc = 0;
	}
	plan_destroy(&plan);
	model_free(held);
	return rc;
}
