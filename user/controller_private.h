/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_private: what the controller's files share. controller.c has the loop: news, rounds of
 * publishing, sweeps, drains, start and stop; controller_change.c puts a new running model in place
 * of the old one; controller_file.c reads the file; controller_document.c takes whole
 * configurations; controller_news.c hears of backends. For these files alone.
 */
#ifndef LIMPET_CONTROLLER_PRIVATE_H
#define LIMPET_CONTROLLER_PRIVATE_H

#include "clock.h"
#include "controller.h"
#include "interfaces.h"
#include "events.h"
#include "log.h"
#include "pins.h"
#include "publish.h"
#include "sweep.h"

/* An interface that has the program. */
struct controller_attachment {
	uint32_t ifindex;
	const char *mode;
	char interface[16];
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
	struct doctor *doctor;
	struct interfaces *interfaces;
	struct model *base;
	char *base_text; /* that of the file which it was made of */
	struct model *running;
	struct overrides *overrides;
	struct sweeper *sweeper;
	struct grace *grace;
	struct pins *pins;
	struct vips *vips;
	uint64_t started_ms;
	bool starting;
	bool published; /* once */
	struct controller_facts facts;
	struct controller_follower follower;
	struct events *events;
	struct controller_attachment *attachments; /* as they were told last */
	size_t attachment_count;
	struct log_limit publish_limit;
	sd_event_source *publish_source;
	sd_event_source *late_source;
	sd_event_source *start_source;
	sd_event_source *retry_source;
	sd_event_source *drain_source; /* at the nearest deadline of a drain */
	sd_event_source *slow_source;  /* the next step of a slow start */
};

/* ---- controller.c ---- */

/* A round of publishing, at once. */
void controller_publish(struct controller *controller);
/* Ends drains whose deadline has come, and waits for the next. True if something is to be
 * published. */
bool controller_judge_drains(struct controller *controller);

/* Something was heard of a backend; `changed`: something is to be published. */
void controller_news_arrived(struct controller *controller, bool changed);

/* ---- controller_news.c ---- */

/* Those who hear of backends, for this controller. NULL if out of memory. */
struct agents *controller_agents_create(struct controller *controller);

/* ---- controller_events.c: each tells one thing to those who watch ---- */

struct plan;

void controller_tell_health(struct controller *controller, const struct pool *pool,
			    const struct backend *backend, enum health_state from);
void controller_tell_agent(struct controller *controller, const struct pool *pool,
			   const struct backend *backend);
/* `before`: whether it had one. */
void controller_tell_next_hop(struct controller *controller, const struct pool *pool,
			      const struct backend *backend, bool before);
void controller_tell_mode(struct controller *controller, const struct pool *pool,
			  enum pool_mode from);
/* Before drain_judge ends those whose deadline has passed. */
void controller_tell_drains(struct controller *controller, uint64_t now_ms);
/* `model` is about to take the running one's place. */
void controller_tell_change(struct controller *controller, const struct plan *plan,
			    const struct model *model, const char *who);
void controller_tell_reload(struct controller *controller, const char *who,
			    const struct fault *fault);
void controller_tell_publish(struct controller *controller, const struct fault *fault);
/* What was attached and detached since the last call. */
void controller_tell_interface(struct controller *controller, const struct interface_state *before,
			       const struct interface_state *now);
void controller_tell_attachments(struct controller *controller);

/* ---- controller_change.c ---- */

/* The running model that they make, with the drains that it has; NULL with `fault` set. */
struct model *controller_apply(struct overrides *overrides, const struct model *base,
			       struct fault *fault);
/* Puts `model` in place of the running one, unless that breaks flows that nobody said to break.
 * Takes over `model` and `overrides` in any case; saves what is new before it takes effect. */
int controller_switch(struct controller *controller, struct model *model,
		      struct overrides *overrides, const struct controller_request *request,
		      json_t **report, struct fault *fault);
/* Adds to `report` what `model`, in place of the running one, would do to tables. It takes over
 * state for that: it is not to be used for more. */
void controller_report_tables(const struct controller *controller, struct model *model,
			      json_t *report);
/* Before anything is written: the maps may hold flows that the configuration would move. */
int controller_judge_start(struct controller *controller, bool break_flows, struct fault *fault);

/* ---- controller_file.c ---- */

/* FAULT_CONFLICT if `base` has a hash seed that is new and not the data plane's. */
int controller_judge_seed(const struct controller *controller, const struct model *base,
			  const struct controller_request *request, struct fault *fault);

/* What the file says now, and its text, both for the caller to free. A wrong file: NULL with
 * `fault` set to the first error, and all of them in `*errors_text` (unless NULL), for the caller
 * to free.
 */
struct model *controller_read_file(const struct controller *controller, char **text,
				   char **errors_text, struct fault *fault);
/* Logs what is fixed when the data plane is attached and differs from the file. */
void controller_warn_fixed(const struct controller *controller, const struct model *model);
/* An override that the file has overtaken. */
void controller_on_dropped(void *context, const char *object);
/* When the file was read last, and whether it was good. */
void controller_note_reading(struct controller *controller, bool good);

#endif
