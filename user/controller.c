/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller: see controller.h. Two models: `base` is the file as read last, `running` is the base
 * with the overrides applied, and carries the state. Here is the loop; how a change becomes a new
 * running model is in controller_change.c, the file in controller_file.c, what is heard of backends
 * in controller_news.c.
 */
#include "controller_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agents.h"
#include "drain.h"
#include "grace.h"
#include "guard.h"
#include "interfaces.h"
#include "left.h"
#include "neighbour.h"
#include "slow_start.h"
#include "vip.h"

enum {
	/* The first round waits for checks and next hops until so long after the start, so that it
	 * need not move anyone that the second would move back; reading a large file and large maps
	 * is part of it. */
	START_WAIT_US = 1200 * 1000,
	START_WAIT_LEAST_US = 600 * 1000,
	RETRY_US = 5 * 1000 * 1000,
	PUBLISH_LATE_US = 10 * 1000, /* a loop that is never idle puts it off no longer */
	TIMER_ACCURACY_US = 1000,    /* 0 would let the loop be 250 ms late */
	SWEEP_INTERVAL_MS = 10 * 1000,
	LOCK_WAIT_MS = 1000,
	LOCK_STEP_MS = 20,
};

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

	facts.published = controller->published;
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
	int marked = SD_EVENT_OFF;

	if (controller->starting)
		return;
	sd_event_source_get_enabled(controller->publish_source, &marked);
	if (marked != SD_EVENT_OFF)
		return;
	sd_event_source_set_enabled(controller->publish_source, SD_EVENT_ONESHOT);
	sd_event_source_set_time_relative(controller->late_source, PUBLISH_LATE_US);
	sd_event_source_set_enabled(controller->late_source, SD_EVENT_ONESHOT);
}

/* What follows from the states of all backends together, before it is published. */
static void reconsider(struct controller *controller)
{
	const struct model *model = controller->running;
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC), due_ms = 0;

	for (size_t p = 0; p < model->pool_count; p++) {
		enum pool_mode mode = model->pools[p]->mode;
		uint64_t next_ms;

		pool_reconsider(model->pools[p], now_ms);
		if (model->pools[p]->mode != mode)
			controller_tell_mode(controller, model->pools[p], mode);
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

/* What this round switched away from is free for a later one that way, which need not wait. */
static void await_grace(struct controller *controller)
{
	if (!grace_under_way(controller->grace) && publish_grace_begin(controller->publish))
		grace_begin(controller->grace);
}

static void on_grace_over(void *context)
{
	struct controller *controller = context;

	publish_grace_over(controller->publish);
	await_grace(controller);
}

void controller_publish(struct controller *controller)
{
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
	struct fault fault = {0};
	uint32_t suppressed;
	int rc;

	sd_event_source_set_enabled(controller->publish_source, SD_EVENT_OFF);
	sd_event_source_set_enabled(controller->late_source, SD_EVENT_OFF);
	reconsider(controller);
	rc = publish_run(controller->publish, controller->running, &fault);
	controller->facts.publish_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
	await_grace(controller);
	/* Packets that an address brings meet the services and tables of this round. */
	vips_follow(controller->vips, controller->running);
	agents_published(controller->agents, controller->running);
	controller_tell_publish(controller, &fault);
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
	controller_publish(context);
	return 0;
}

/* The last round failed, or the loop had something else to do ever since it was asked for. */
static int on_publish_due(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	controller_publish(context);
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
	struct controller *controller = context;

	(void)source;
	(void)usec;
	start_end(controller);
	agents_waited(controller->agents);
	return 0;
}

/* ---- news ---- */

void controller_news_arrived(struct controller *controller, bool changed)
{
	if (controller->starting && agents_all_heard(controller->agents))
		start_end(controller);
	else if (changed)
		mark_dirty(controller);
}

static void on_interface(void *context, const struct interface_state *before,
			 const struct interface_state *now)
{
	struct controller *controller = context;

	controller_tell_interface(controller, before, now);
	vips_look(controller->vips);
}

/* ---- sweeping ---- */

static void on_swept(void *context, const struct sweep_result *result)
{
	struct controller *controller = context;

	controller_tell_attachments(controller);
	if (result->error) {
		log_warn("flow tables: sweeping them: %s", strerror(-result->error));
		return;
	}
	log_debug("flow tables: %u entries read, %u doomed, %u deleted in %llu us", result->read,
		  result->doomed, result->deleted, (unsigned long long)result->cpu_ns / 1000);
	left_report(controller->dp, controller->running, result->began, clock_ms(CLOCK_REALTIME));
	publish_settle(controller->publish, controller->running, result->began);
	pins_swept(controller->pins, result->began);
}

/* ---- drains ---- */

/* Ends what has to end, and waits for the next. True if something is to be published. */
bool controller_judge_drains(struct controller *controller)
{
	uint64_t now_ms = clock_ms(CLOCK_REALTIME), next_ms;
	bool ended;

	controller_tell_drains(controller, now_ms);
	ended = drain_judge(controller->running, now_ms, &next_ms);
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
	if (controller_judge_drains(controller))
		mark_dirty(controller);
	return 0;
}

/* ---- pinned clients ---- */

struct pins *controller_pins(const struct controller *controller)
{
	return controller->pins;
}

/* ---- the node ---- */

const struct vips *controller_vips(const struct controller *controller)
{
	return controller->vips;
}

int controller_node_set(struct controller *controller, enum node_state state,
			const struct controller_request *request, struct fault *fault)
{
	enum node_state before = vips_node(controller->vips);
	int rc = vips_node_set(controller->vips, controller->running, state, request->who,
			       request->dry_run, fault);

	if (rc == 0 && !request->dry_run && state != before)
		controller_tell_done(controller, request->who, "change node", "admin",
				     state == NODE_DRAIN ? "ready -> drain" : "drain -> ready");
	return rc;
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

int controller_doctor_start(struct controller *controller)
{
	if (!controller->doctor)
		controller->doctor = doctor_create(controller->event, controller->dp);
	pins_count(controller->pins);
	return controller->doctor ? doctor_start(controller->doctor, controller->running) : -ENOMEM;
}

struct doctor_report controller_doctor_report(const struct controller *controller)
{
	return controller->doctor ? doctor_report(controller->doctor) : (struct doctor_report){};
}

/* ---- start and stop ---- */

/* One that was killed holds its lock until its last thread is gone, which may be within the kernel,
 * waiting for packets under way (grace.h). */
static bool lock_taken(int fd)
{
	for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)
			return false;
		usleep(LOCK_STEP_MS * 1000);
	}
	return true;
}

/* One controller per data plane: two would undo each other's changes. */
static int lock_data_plane(struct controller *controller, const char *pin_dir, struct fault *fault)
{
	controller->lock_fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (controller->lock_fd < 0)
		return fault_set(fault, fault_code_of_errno(errno),
				 "pin directory %s: opening it: %s", pin_dir, strerror(errno));
	if (lock_taken(controller->lock_fd))
		return 0;
	fault_set(fault, FAULT_CONFLICT, "pin directory %s: another lbd manages its data plane",
		  pin_dir);
	return fault_hint(fault, "stop it first, or give this one its own --pin-dir and --socket");
}

static int timer_add(struct controller *controller, uint64_t after_us, sd_event_time_handler_t each,
		     int enabled, sd_event_source **source)
{
	int rc = sd_event_add_time_relative(controller->event, source, CLOCK_MONOTONIC, after_us,
					    TIMER_ACCURACY_US, each, controller);

	return rc < 0 ? rc : sd_event_source_set_enabled(*source, enabled);
}

static uint64_t start_wait_us(const struct controller *controller)
{
	uint64_t gone_us = controller_uptime_ms(controller) * 1000;

	return gone_us + START_WAIT_LEAST_US < START_WAIT_US ? START_WAIT_US - gone_us
							     : START_WAIT_LEAST_US;
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
		rc = timer_add(controller, 0, on_publish_due, SD_EVENT_OFF,
			       &controller->late_source);
	if (rc >= 0)
		rc = timer_add(controller, start_wait_us(controller), on_start_over,
			       SD_EVENT_ONESHOT, &controller->start_source);
	if (rc >= 0)
		rc = timer_add(controller, RETRY_US, on_publish_due, SD_EVENT_OFF,
			       &controller->retry_source);
	if (rc >= 0)
		rc = sd_event_add_time(controller->event, &controller->drain_source, CLOCK_REALTIME,
				       0, TIMER_ACCURACY_US, on_drain_deadline, controller);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(controller->drain_source, SD_EVENT_OFF);
	if (rc >= 0)
		rc = timer_add(controller, RETRY_US, on_publish_due, SD_EVENT_OFF,
			       &controller->slow_source);
	return rc < 0 ? fault_set(fault, FAULT_FAILED, "event loop: adding to it: %s",
				  strerror(-rc))
		      : 0;
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
	if (guard_check(options->state_dir, false, fault) < 0)
		return -1;
	if (asprintf(&controller->state_path, "%s/state.json", options->state_dir) < 0) {
		controller->state_path = NULL;
		return fault_set(fault, FAULT_FAILED, "state: %s", strerror(ENOMEM));
	}
	controller->overrides = overrides_load(controller->state_path, fault);
	if (!controller->overrides)
		return -1;
	/* The file may have changed while no lbd ran. */
	overrides_rebase(controller->overrides, controller->base, controller_on_dropped, NULL);
	controller->running = controller_apply(controller->overrides, controller->base, fault);
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
	controller->grace =
		grace_create(controller->event, controller->dp, on_grace_over, controller, fault);
	if (!controller->grace)
		return -1;
	controller->pins = pins_create(controller->event, controller->dp, controller->events,
				       &controller->running);
	if (!controller->pins)
		return fault_set(fault, FAULT_FAILED, "pinned clients: %s", strerror(errno));
	controller->publish = publish_create(controller->dp, fault);
	return controller->publish ? 0 : -1;
}

struct controller *controller_create(sd_event *event, const struct controller_options *options,
				     struct fault *fault)
{
	struct controller *controller = calloc(1, sizeof(*controller));
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
	controller->events = events_create();
	if (!controller->config_path || !controller->events) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		goto fail;
	}
	controller->base = controller_read_file(controller, &controller->base_text, &errors, fault);
	if (errors)
		fputs(errors, stderr);
	free(errors);
	if (!controller->base || open_data_plane(controller, options->pin_dir, fault) < 0 ||
	    open_state(controller, options, fault) < 0 || sources_add(controller, fault) < 0)
		goto fail;
	controller_tell_attachments(controller);
	controller->vips = vips_create(event, controller->dp, options->state_dir, fault);
	if (!controller->vips)
		goto fail;
	controller_note_reading(controller, true);
	controller_warn_fixed(controller, controller->base);
	if (controller_judge_start(controller, options->break_flows, fault) < 0)
		goto fail;
	publish_adopt(controller->publish, controller->running);
	pins_judge(controller->pins);
	controller_judge_drains(controller);
	controller->neighbours = neighbours_create(event, fault);
	if (!controller->neighbours)
		goto fail;
	controller->interfaces = interfaces_create(event, controller->dp, controller->neighbours,
						   on_interface, controller);
	if (!controller->interfaces) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		goto fail;
	}
	controller->agents = controller_agents_create(controller);
	if (!controller->agents) {
		fault_set(fault, FAULT_FAILED, "starting: %s", strerror(ENOMEM));
		goto fail;
	}
	agents_sync(controller->agents, controller->running);
	controller_news_arrived(controller, false);
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
	sd_event_source_disable_unref(controller->late_source);
	sd_event_source_disable_unref(controller->start_source);
	sd_event_source_disable_unref(controller->retry_source);
	sd_event_source_disable_unref(controller->drain_source);
	sd_event_source_disable_unref(controller->slow_source);
	doctor_free(controller->doctor);
	agents_free(controller->agents);
	interfaces_free(controller->interfaces);
	neighbours_free(controller->neighbours);
	vips_free(controller->vips);
	sweeper_free(controller->sweeper);
	pins_free(controller->pins);
	grace_free(controller->grace);
	publish_free(controller->publish);
	dataplane_close(controller->dp);
	if (controller->lock_fd >= 0)
		close(controller->lock_fd);
	model_free(controller->running);
	model_free(controller->base);
	free(controller->base_text);
	overrides_free(controller->overrides);
	events_free(controller->events);
	free(controller->attachments);
	free(controller->state_path);
	free(controller->config_path);
	free(controller);
}
