/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_events: what the controller tells those who watch, in the words of lbd(8). Which
 * moment is worth telling is decided where it happens; how it is told, here.
 */
#include "controller_private.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { ATTACHMENTS_MAX = 64 };

struct events *controller_events(const struct controller *controller)
{
	return controller->events;
}

static void tell(struct controller *controller, const char *kind, json_t *fields)
{
	events_add(controller->events, kind, fields, clock_ms(CLOCK_REALTIME));
}

void controller_tell_health(struct controller *controller, const struct pool *pool,
			    const struct backend *backend, enum health_state from)
{
	tell(controller, "health",
	     json_pack("{s:s, s:s, s:s, s:s, s:s}", "pool", pool->name, "backend", backend->name,
		       "from", health_name(from), "to", health_name(backend->health), "reason",
		       backend->reason));
}

void controller_tell_agent(struct controller *controller, const struct pool *pool,
			   const struct backend *backend)
{
	/* What it said may be no text. */
	json_t *line = json_string(backend->agent_line);

	tell(controller, "agent",
	     json_pack("{s:s, s:s, s:o}", "pool", pool->name, "backend", backend->name, "reason",
		       line ? line : json_string("")));
}

void controller_tell_next_hop(struct controller *controller, const struct pool *pool,
			      const struct backend *backend, bool before)
{
	const struct next_hop *hop = &backend->hop;
	char name[IF_NAMESIZE];
	json_t *fields = json_pack("{s:s, s:s, s:s, s:s, s:s}", "pool", pool->name, "backend",
				   backend->name, "from", before ? "resolved" : "unresolved", "to",
				   hop->resolved ? "resolved" : "unresolved", "reason", hop->why);

	if (fields && hop->resolved)
		json_object_update_new(fields, json_pack("{s:s?, s:i}", "interface",
							 if_indextoname(hop->ifindex, name), "mtu",
							 hop->mtu));
	tell(controller, "next_hop", fields);
}

void controller_tell_mode(struct controller *controller, const struct pool *pool,
			  enum pool_mode from)
{
	tell(controller, "pool_mode",
	     json_pack("{s:s, s:s, s:s}", "pool", pool->name, "from", pool_mode_name(from), "to",
		       pool_mode_name(pool->mode)));
}

/* Those whose deadline is here: drain_judge ends them. */
void controller_tell_drains(struct controller *controller, uint64_t now_ms)
{
	const struct model *model = controller->running;

	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct backend *backend = pool->backends[b];

			if (backend->admin == ADMIN_DRAIN && backend->drain_until_ms &&
			    !backend->drain_over && now_ms >= backend->drain_until_ms)
				tell(controller, "drain",
				     json_pack("{s:s, s:s, s:s, s:s, s:s}", "pool", pool->name,
					       "backend", backend->name, "from", "draining", "to",
					       "over", "reason", "its deadline has passed"));
		}
	}
}

void controller_tell_done(struct controller *controller, const char *who, const char *change,
			  const char *object, const char *detail)
{
	tell(controller, "change",
	     json_pack("{s:s, s:s, s:s, s:s}", "who", who, "change", change, "object", object,
		       "detail", detail));
}

static void tell_admin(struct controller *controller, const struct pool *old,
		       const struct pool *new, const char *who)
{
	for (size_t i = 0; i < new->backend_count; i++) {
		const struct backend *backend = new->backends[i];
		const struct backend *before = pool_backend_find(old, backend->name);

		if (before && before->admin != backend->admin)
			tell(controller, "admin",
			     json_pack("{s:s, s:s, s:s, s:s, s:s}", "pool", new->name, "backend",
				       backend->name, "from", admin_name(before->admin), "to",
				       admin_name(backend->admin), "reason", who));
	}
}

void controller_tell_change(struct controller *controller, const struct plan *plan,
			    const struct model *model, const char *who)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		controller_tell_done(controller, who, plan_step_text(step), step->object,
				     step->detail);
	}
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *old =
			model_pool_find(controller->running, model->pools[i]->name);

		if (old)
			tell_admin(controller, old, model->pools[i], who);
	}
}

void controller_tell_reload(struct controller *controller, const char *who,
			    const struct fault *fault)
{
	/* An error may quote what is no text. */
	json_t *reason = json_string(fault->message);

	tell(controller, "reload",
	     json_pack("{s:s, s:b, s:o}", "who", who, "good", !fault->code, "reason",
		       reason ? reason : json_string("")));
}

void controller_tell_publish(struct controller *controller, const struct fault *fault)
{
	tell(controller, "publish",
	     json_pack("{s:b, s:I, s:s}", "good", !fault->code, "took_us",
		       (json_int_t)(controller->facts.publish_ns / 1000), "reason",
		       fault->message));
}

/* ---- who has the program ---- */

static const char *mode_text(const struct lb_attachment *attachment)
{
	return attachment->mode == LB_ATTACH_GENERIC ? "generic" : "native";
}

static bool attached_in(const struct controller_attachment *list, size_t count,
			const struct controller_attachment *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].ifindex == wanted->ifindex && list[i].mode == wanted->mode)
			return true;
	return false;
}

static void tell_attach(struct controller *controller, const char *kind,
			const struct controller_attachment *attachment)
{
	tell(controller, kind,
	     json_pack("{s:s, s:s}", "interface", attachment->interface, "mode", attachment->mode));
}

void controller_tell_attachments(struct controller *controller)
{
	struct lb_attachment found[ATTACHMENTS_MAX];
	uint32_t ifindexes[ATTACHMENTS_MAX];
	int count = dataplane_attachments(controller->dp, ifindexes, found, ATTACHMENTS_MAX);
	struct controller_attachment *now;

	if (count < 0)
		return;
	if (count > ATTACHMENTS_MAX)
		count = ATTACHMENTS_MAX;
	now = calloc((size_t)count + 1, sizeof(*now));
	if (!now)
		return;
	for (int i = 0; i < count; i++) {
		now[i].ifindex = ifindexes[i];
		now[i].mode = mode_text(&found[i]);
		memcpy(now[i].interface, found[i].interface, sizeof(now[i].interface) - 1);
	}
	for (size_t i = 0; i < controller->attachment_count; i++)
		if (!attached_in(now, (size_t)count, &controller->attachments[i]))
			tell_attach(controller, "detach", &controller->attachments[i]);
	for (int i = 0; i < count; i++)
		if (!attached_in(controller->attachments, controller->attachment_count, &now[i]))
			tell_attach(controller, "attach", &now[i]);
	free(controller->attachments);
	controller->attachments = now;
	controller->attachment_count = (size_t)count;
}

/* Of those that stay attached. Who came and went, the attachments tell. */
void controller_tell_interface(struct controller *controller, const struct interface_state *before,
			       const struct interface_state *now)
{
	if (!before || !now) {
		controller_tell_attachments(controller);
		return;
	}
	tell(controller, "interface",
	     json_pack("{s:s, s:s, s:s, s:s, s:i, s:b}", "interface", now->name, "was",
		       before->name, "from", interface_condition_name(before->condition), "to",
		       interface_condition_name(now->condition), "mtu", (int)now->mtu, "attached",
		       interface_attached(now)));
}
