/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller: see controller.h. Two models: `base` is the file as read last, `running` is the base
 * with the overrides applied, and carries the state. A change builds a new running model aside, so
 * that it is made whole or not at all.
 */
#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agents.h"
#include "config.h"
#include "drain.h"
#include "left.h"
#include "log.h"
#include "neighbour.h"
#include "plan.h"
#include "publish.h"
#include "slow_start.h"
#include "stats.h"
#include "sweep.h"

enum {
	/* The first round waits for this long for checks and next hops, so that it need not move
	 * anyone that the second would move back. */
	START_WAIT_US = 1200 * 1000,
	RETRY_US = 5 * 1000 * 1000,
	SWEEP_INTERVAL_MS = 10 * 1000,
};

struct controller {
	sd_event *event;
	char *config_path;
	char *state_path;
	int lock_fd;
	struct dataplane *dp;
	struct publish *publish;
	struct neighbours *neighbours;
	struct agents *agents;
	struct model *base;
	struct model *running;
	struct overrides *overrides;
	struct sweeper *sweeper;
	uint64_t started_ms;
	bool starting;
	bool published; /* once */
	struct controller_facts facts;
	struct controller_follower follower;
	struct log_limit publish_limit;
	sd_event_source *publish_source;
	sd_event_source *start_source;
	sd_event_source *retry_source;
	sd_event_source *drain_source; /* at the nearest deadline of a drain */
	sd_event_source *slow_source;  /* the next step of a slow start */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t clock_ms(clockid_t clock)
{
	return clock_ns(clock) / 1000000;
}

const struct model *controller_model(const struct controller *controller)
{
	return controller->running;
}

struct dataplane *controller_dataplane(const struct controller *controller)
{
	return controller->dp;
}

uint64_t controller_uptime_ms(const struct controller *controller)
{
	return clock_ms(CLOCK_MONOTONIC) - controller->started_ms;
}

size_t controller_override_count(const struct controller *controller)
{
	return overrides_count(controller->overrides);
}

struct controller_facts controller_facts(const struct controller *controller)
{
	struct controller_facts facts = controller->facts;

	facts.build_ns = publish_build_ns(controller->publish);
	return facts;
}

void controller_follow(struct controller *controller, const struct controller_follower *follower)
{
	controller->follower = follower ? *follower : (struct controller_follower){0};
}

/* ---- publishing ---- */

static void mark_dirty(struct controller *controller)
{
	if (!controller->starting)
		sd_event_source_set_enabled(controller->publish_source, SD_EVENT_ONESHOT);
}

/* What follows from the states of all backends together, before it is published. */
static void reconsider(struct controller *controller)
{
	const struct model *model = controller->running;
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC), due_ms = 0;

	for (size_t p = 0; p < model->pool_count; p++) {
		uint64_t next_ms;

		pool_reconsider(model->pools[p], now_ms);
		next_ms = slow_start_apply(model->pools[p], now_ms, controller->published);
		if (next_ms && (!due_ms || next_ms < due_ms))
			due_ms = next_ms;
	}
	controller->published = true;
	if (due_ms)
		sd_event_source_set_time(controller->slow_source, due_ms * 1000);
	sd_event_source_set_enabled(controller->slow_source,
				    due_ms ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void publish_now(struct controller *controller)
{
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
	struct fault fault = {0};
	uint32_t suppressed;
	int rc;

	reconsider(controller);
	rc = publish_run(controller->publish, controller->running, &fault);
	controller->facts.publish_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (rc == 0)
		return;
	if (log_allowed(&controller->publish_limit, clock_ms(CLOCK_MONOTONIC), &suppressed))
		log_err("%s%s%s", fault.message, fault.hint[0] ? "; " : "", fault.hint);
	sd_event_source_set_time_relative(controller->retry_source, RETRY_US);
	sd_event_source_set_enabled(controller->retry_source, SD_EVENT_ONESHOT);
}

static int on_publish(sd_event_source *source, void *context)
{
	(void)source;
	publish_now(context);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	publish_now(context);
	return 0;
}

static void start_end(struct controller *controller)
{
	controller->starting = false;
	sd_event_source_set_enabled(controller->start_source, SD_EVENT_OFF);
	mark_dirty(controller);
}

static int on_start_over(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	start_end(context);
	return 0;
}

/* ---- news of backends ---- */

static void news_arrived(struct controller *controller, bool changed)
{
	if (controller->starting && agents_all_heard(controller->agents))
		start_end(controller);
	else if (changed)
		mark_dirty(controller);
}

static struct backend *find_backend(const struct controller *controller, const char *pool_name,
				    const char *name, struct pool **pool)
{
	*pool = model_pool_find(controller->running, pool_name);
	return *pool ? pool_backend_find(*pool, name) : NULL;
}

static void on_checked(void *context, const char *pool_name, const char *name,
		       enum health_state health, const struct check_result *result)
{
	struct controller *controller = context;
	uint64_t now_ms = clock_ms(CLOCK_REALTIME);
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);

	if (!backend)
		return;
	backend->checked_ms = now_ms;
	backend->check_us = result->duration_us;
	backend->check_failures += !result->good;
	backend->held_until_ms = result->held_for_ms ? now_ms + result->held_for_ms : 0;
	backend->short_lives = result->short_lives;
	news_arrived(controller,
		     model_set_backend_health(pool, backend, health, result->reason, now_ms));
}

static void on_said(void *context, const char *pool_name, const char *name,
		    const struct agent_says *says, const char *line)
{
	struct controller *controller = context;
	uint32_t suppressed;
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);
	bool changed;

	if (!backend)
		return;
	changed = backend->agent.down != says->down || backend->agent.admin != says->admin ||
		  backend->agent.weight_less != says->weight_less;
	backend->agent = *says;
	snprintf(backend->agent_line, sizeof(backend->agent_line), "%s", line);
	if (changed && log_allowed(&backend->transitions, clock_ms(CLOCK_REALTIME), &suppressed))
		log_info("backend %s/%s: its agent says: %s", pool_name, name, line);
	news_arrived(controller, changed);
}

static void on_moved(void *context, const char *pool_name, const char *name,
		     const struct next_hop *hop)
{
	struct controller *controller = context;
	struct pool *pool;
	struct backend *backend = find_backend(controller, pool_name, name, &pool);

	if (!backend)
		return;
	if (!hop->resolved)
		log_warn("backend %s/%s: no next hop: %s; it takes no traffic", pool_name, name,
			 hop->why);
	else if (!backend->hop.resolved)
		log_info("backend %s/%s: next hop %02x:%02x:%02x:%02x:%02x:%02x on interface %u",
			 pool_name, name, hop->destination_mac[0], hop->destination_mac[1],
			 hop->destination_mac[2], hop->destination_mac[3], hop->destination_mac[4],
			 hop->destination_mac[5], hop->ifindex);
	backend->hop = *hop;
	news_arrived(controller, true);
}

/* ---- sweeping ---- */

static void on_swept(void *context, const struct sweep_result *result)
{
	struct controller *controller = context;

	if (result->error) {
		log_warn("flow tables: sweeping them: %s", strerror(-result->error));
		return;
	}
	log_debug("flow tables: %u entries read, %u doomed, %u deleted in %llu us", result->read,
		  result->doomed, result->deleted, (unsigned long long)result->cpu_ns / 1000);
	left_report(controller->dp, controller->running, result->began, clock_ms(CLOCK_REALTIME));
	publish_settle(controller->publish, controller->running, result->began);
}

/* ---- drains ---- */

/* Ends what has to end, and waits for the next. True if something is to be published. */
static bool drains_judge(struct controller *controller)
{
	uint64_t next_ms;
	bool ended = drain_judge(controller->running, clock_ms(CLOCK_REALTIME), &next_ms);

	if (next_ms)
		sd_event_source_set_time(controller->drain_source, next_ms * 1000);
	sd_event_source_set_enabled(controller->drain_source,
				    next_ms ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	return ended;
}

static int on_drain_deadline(sd_event_source *source, uint64_t usec, void *context)
{
	struct controller *controller = context;

	(void)source;
	(void)usec;
	if (drains_judge(controller))
		mark_dirty(controller);
	return 0;
}

int controller_check_start(struct controller *controller, const char *pool, const char *backend)
{
	return agents_check_start(controller->agents, pool, backend);
}

const struct agent_check *controller_check_last(const struct controller *controller,
						const char *pool, const char *backend)
{
	return agents_check_last(controller->agents, pool, backend);
}

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

static void take_running(struct controller *controller, struct model *model)
{
	carry_state(controller->running, model);
	model_free(controller->running);
	controller->running = model;
	agents_sync(controller->agents, model);
	drains_judge(controller);
	/* How much of a drain is left is asked soon. */
	sweeper_hurry(controller->sweeper);
	/* At once: who is told that it is done shall find it in force. */
	if (!controller->starting)
		publish_now(controller);
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

/* Takes over `model` and `overrides` in any case; saves what is new before it takes effect. */
static int controller_switch(struct controller *controller, struct model *model,
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
	if (breaks && !request->break_flows && !request->dry_run)
		rc = breaks_fault(&plan, fault);
	else
		rc = switch_save(controller, model, overrides, request->dry_run, fault);
	if (rc == 0 && !request->dry_run) {
		log_plan(&plan, request->who);
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

/* The running model that they make, with the drains that it has. */
static struct model *apply(struct overrides *overrides, const struct model *base,
			   const struct change *change, struct fault *fault)
{
	struct model *model = overrides_apply(overrides, base, fault);

	if (model && overrides_drains(overrides, model, change, clock_ms(CLOCK_REALTIME), fault)) {
		model_free(model);
		return NULL;
	}
	return model;
}

int controller_change(struct controller *controller, const struct change *change,
		      const struct controller_request *request, json_t **report,
		      struct fault *fault)
{
	struct overrides *overrides = overrides_copy(controller->overrides);
	struct model *model;

	if (!overrides)
		return fault_set(fault, FAULT_FAILED, "taking the change: %s", strerror(ENOMEM));
	if (overrides_add(overrides, controller->base, change, fault) < 0) {
		overrides_free(overrides);
		return -1;
	}
	model = apply(overrides, controller->base, change, fault);
	if (!model) {
		overrides_free(overrides);
		return -1;
	}
	return controller_switch(controller, model, overrides, request, report, fault);
}

/* ---- the file ---- */

static struct model *read_file(const char *path, char **errors_text, struct fault *fault)
{
	struct config_errors errors = {0};
	char *text = NULL;
	struct model *model = config_load(path, &text, &errors);

	if (!model) {
		const struct config_error *first = &errors.items[0];

		if (first->line)
			fault_set(fault, FAULT_USAGE, "%s:%u:%u: %s%s", path, first->line,
				  first->column, first->what,
				  errors.count > 1 ? " (and more)" : "");
		else
			fault_set(fault, FAULT_USAGE, "%s: %s", path, first->what);
		fault_hint(fault, "`lbctl config check %s` shows every error in its place", path);
		if (errors_text)
			*errors_text = config_errors_format(&errors, path, text, false);
	}
	config_errors_free(&errors);
	free(text);
	return model;
}

/* What is fixed when the data plane is attached and now differs from the file. */
static void warn_fixed(const struct controller *controller, const struct model *model)
{
	const struct lb_settings *settings = dataplane_settings(controller->dp);
	const struct lb_limits *have = &settings->limits, *want = &model->global.limits;
	const char *hint = "fixed when the data plane was attached; to change it: lbload detach, "
			   "clean and attach";

	if (model->global.hash_seed_set &&
	    memcmp(model->global.hash_seed, settings->hash_seed, LB_SEED_SIZE) != 0)
		log_warn("global.hash_seed differs from the data plane's, which stays (%s)", hint);
	if (want->flows != have->flows)
		log_warn("global.limits.flows is %u, the data plane has %u (%s)", want->flows,
			 have->flows, hint);
	if (want->clients != have->clients)
		log_warn("global.limits.clients is %u, the data plane has %u (%s)", want->clients,
			 have->clients, hint);
	if (want->backends != have->backends)
		log_warn("global.limits.backends is %u, the data plane has %u (%s)", want->backends,
			 have->backends, hint);
	if (want->services != have->services)
		log_warn("global.limits.services is %u, the data plane has %u (%s)", want->services,
			 have->services, hint);
}

static void note_reading(struct controller *controller, bool good)
{
	controller->facts.reload_good = good;
	controller->facts.reload_ms = clock_ms(CLOCK_REALTIME);
}

static void on_dropped(void *context, const char *object)
{
	(void)context;
	log_warn("%s: the file changed it, so the change made at run time is dropped", object);
}

/* A seed in the file that is new and not the data plane's. */
static bool seed_changed(const struct controller *controller, const struct model *base)
{
	const struct global *now = &base->global, *before = &controller->base->global;
	const uint8_t *have = dataplane_settings(controller->dp)->hash_seed;

	return now->hash_seed_set && memcmp(now->hash_seed, have, LB_SEED_SIZE) != 0 &&
	       !(before->hash_seed_set &&
		 memcmp(now->hash_seed, before->hash_seed, LB_SEED_SIZE) == 0);
}

/* The seed in force stays; but who changes it shall know what it would take. */
static int judge_seed(const struct controller *controller, const struct model *base,
		      const struct controller_request *request, struct fault *fault)
{
	if (request->dry_run || request->break_flows || !seed_changed(controller, base))
		return 0;
	fault_set(fault, FAULT_CONFLICT,
		  "global.hash_seed: another than the data plane's would move %u%% of all flows",
		  plan_reseed_percent(base));
	return fault_hint(fault, "it takes effect when the data plane is attached anew (lbload "
				 "detach, clean, attach); to take the rest of the file now: "
				 "--break-flows");
}

static void report_seed(const struct controller *controller, const struct model *base,
			json_t *report)
{
	if (seed_changed(controller, base))
		json_array_insert_new(
			report, 0,
			json_pack("{s:s, s:s, s:s, s:I}", "change", "change global", "object",
				  "hash_seed", "detail", "once the data plane is attached anew",
				  "moved_percent", (json_int_t)plan_reseed_percent(base)));
}

static void note_dropped(void *context, const char *object)
{
	json_array_append_new(context, json_string(object));
}

static void log_dropped(const json_t *dropped)
{
	const json_t *object;
	size_t i;

	json_array_foreach (dropped, i, object)
		on_dropped(NULL, json_string_value(object));
}

static int reload(struct controller *controller, const struct controller_request *request,
		  json_t **report, char **errors_text, struct fault *fault)
{
	struct model *base = read_file(controller->config_path, errors_text, fault);
	struct overrides *overrides = base ? overrides_copy(controller->overrides) : NULL;
	struct model *model;

	json_t *dropped = json_array();
	int rc = -1;

	if (!base)
		goto out;
	if (!overrides || !dropped) {
		fault_set(fault, FAULT_FAILED, "reload: %s", strerror(ENOMEM));
		goto out;
	}
	if (judge_seed(controller, base, request, fault) < 0)
		goto out;
	overrides_rebase(overrides, base, note_dropped, dropped);
	model = apply(overrides, base, NULL, fault);
	if (!model)
		goto out;
	rc = controller_switch(controller, model, overrides, request, report, fault);
	overrides = NULL;
	if (rc < 0)
		goto out;
	if (request->dry_run && report)
		report_seed(controller, base, *report);
	if (request->dry_run)
		goto out;
	log_dropped(dropped);
	model_free(controller->base);
	controller->base = base;
	base = NULL;
	warn_fixed(controller, controller->base);
	log_info("reload by %s: done", request->who);
out:
	json_decref(dropped);
	overrides_free(overrides);
	model_free(base);
	return rc;
}

int controller_reload(struct controller *controller, const struct controller_request *request,
		      json_t **report, char **errors_text, struct fault *fault)
{
	int rc = reload(controller, request, report, errors_text, fault);

	if (request->dry_run)
		return rc;
	if (rc < 0)
		log_err("reload by %s: %s; nothing is changed%s%s", request->who, fault->message,
			fault->hint[0] ? "; " : "", fault->hint);
	note_reading(controller, rc == 0);
	return rc;
}

/* ---- start and stop ---- */

/* One controller per data plane: two would undo each other's changes. */
static int lock_data_plane(struct controller *controller, const char *pin_dir, struct fault *fault)
{
	controller->lock_fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (controller->lock_fd < 0)
		return fault_set(fault, fault_code_of_errno(errno), "%s: opening: %s", pin_dir,
				 strerror(errno));
	if (flock(controller->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	fault_set(fault, FAULT_CONFLICT, "%s: another lbd manages this data plane", pin_dir);
	return fault_hint(fault, "stop it first, or give this one its own --pin-dir and --socket");
}

static int timer_add(struct controller *controller, uint64_t after_us, sd_event_time_handler_t each,
		     int enabled, sd_event_source **source)
{
	int rc = sd_event_add_time_relative(controller->event, source, CLOCK_MONOTONIC, after_us, 0,
					    each, controller);

	return rc < 0 ? rc : sd_event_source_set_enabled(*source, enabled);
}

static int sources_add(struct controller *controller, struct fault *fault)
{
	int rc = sd_event_add_defer(controller->event, &controller->publish_source, on_publish,
				    controller);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(controller->publish_source, SD_EVENT_OFF);
	/* After everything else that the same turn of the loop has to tell. */
	if (rc >= 0)
		rc = sd_event_source_set_priority(controller->publish_source,
						  SD_EVENT_PRIORITY_IDLE);
	if (rc >= 0)
		rc = timer_add(controller, START_WAIT_US, on_start_over, SD_EVENT_ONESHOT,
			       &controller->start_source);
	if (rc >= 0)
		rc = timer_add(controller, RETRY_US, on_retry, SD_EVENT_OFF,
			       &controller->retry_source);
	if (rc >= 0)
		rc = sd_event_add_time(controller->event, &controller->drain_source, CLOCK_REALTIME,
				       0, 0, on_drain_deadline, controller);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(controller->drain_source, SD_EVENT_OFF);
	if (rc >= 0)
		rc = timer_add(controller, RETRY_US, on_retry, SD_EVENT_OFF,
			       &controller->slow_source);
	return rc < 0 ? fault_set(fault, FAULT_FAILED, "event loop: %s", strerror(-rc)) : 0;
}

static int open_state(struct controller *controller, const struct controller_options *options,
		      struct fault *fault)
{
	struct fault unsaved = {0};

	if (mkdir(options->state_dir, 0700) < 0 && errno != EEXIST) {
		fault_set(fault, fault_code_of_errno(errno), "%s: making the state directory: %s",
			  options->state_dir, strerror(errno));
		return fault_hint(fault, "make it, or name another with --state-dir");
	}
	if (asprintf(&controller->state_path, "%s/state.json", options->state_dir) < 0) {
		controller->state_path = NULL;
		return fault_set(fault, FAULT_FAILED, "state: %s", strerror(ENOMEM));
	}
	controller->overrides = overrides_load(controller->state_path, fault);
	if (!controller->overrides)
		return -1;
	/* The file may have changed while no lbd ran. */
	overrides_rebase(controller->overrides, controller->base, on_dropped, NULL);
	controller->running = apply(controller->overrides, controller->base, NULL, fault);
	if (!controller->running)
		return -1;
	/* A drain that the file began counts from now, after a restart too. */
	if (overrides_save(controller->overrides, controller->state_path, &unsaved) < 0)
		log_warn("%s", unsaved.message);
	return 0;
}

static int open_data_plane(struct controller *controller, const char *pin_dir, struct fault *fault)
{
	controller->dp = dataplane_open(pin_dir, false, fault);
	if (!controller->dp || lock_data_plane(controller, pin_dir, fault) < 0)
		return -1;
	if (dataplane_sweep_prepare(controller->dp, fault) < 0)
		return -1;
	controller->sweeper = sweeper_create(controller->event, controller->dp, SWEEP_INTERVAL_MS,
					     on_swept, controller, fault);
	if (!controller->sweeper)
		return -1;
	controller->publish = publish_create(controller->dp, fault);
	return controller->publish ? 0 : -1;
}

/* Before anything is written: the maps may hold flows that the configuration would move. */
static int judge_start(struct controller *controller, bool break_flows, struct fault *fault)
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

struct controller *controller_create(sd_event *event, const struct controller_options *options,
				     struct fault *fault)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	const struct agents_listener listener = {controller, on_checked, on_said, on_moved};
	char *errors = NULL;

	if (!controller) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		return NULL;
	}
	controller->event = event;
	controller->lock_fd = -1;
	controller->started_ms = clock_ms(CLOCK_MONOTONIC);
	controller->starting = true;
	controller->publish_limit = (struct log_limit){.burst = 3, .interval_ms = 60 * 1000};
	controller->config_path = strdup(options->config_path);
	if (!controller->config_path) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		goto fail;
	}
	controller->base = read_file(options->config_path, &errors, fault);
	if (errors)
		fputs(errors, stderr);
	free(errors);
	if (!controller->base || open_data_plane(controller, options->pin_dir, fault) < 0 ||
	    open_state(controller, options, fault) < 0 || sources_add(controller, fault) < 0)
		goto fail;
	note_reading(controller, true);
	warn_fixed(controller, controller->base);
	if (judge_start(controller, options->break_flows, fault) < 0)
		goto fail;
	publish_adopt(controller->publish, controller->running);
	drains_judge(controller);
	controller->neighbours = neighbours_create(event, fault);
	if (!controller->neighbours)
		goto fail;
	controller->agents = agents_create(event, controller->neighbours, &listener);
	if (!controller->agents) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		goto fail;
	}
	agents_sync(controller->agents, controller->running);
	news_arrived(controller, false);
	return controller;
fail:
	controller_free(controller);
	return NULL;
}

void controller_free(struct controller *controller)
{
	if (!controller)
		return;
	sd_event_source_disable_unref(controller->publish_source);
	sd_event_source_disable_unref(controller->start_source);
	sd_event_source_disable_unref(controller->retry_source);
	sd_event_source_disable_unref(controller->drain_source);
	sd_event_source_disable_unref(controller->slow_source);
	agents_free(controller->agents);
	neighbours_free(controller->neighbours);
	sweeper_free(controller->sweeper);
	publish_free(controller->publish);
	dataplane_close(controller->dp);
	if (controller->lock_fd >= 0)
		close(controller->lock_fd);
	model_free(controller->running);
	model_free(controller->base);
	overrides_free(controller->overrides);
	free(controller->state_path);
	free(controller->config_path);
	free(controller);
}
