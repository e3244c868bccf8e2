/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_file: reading the configuration file, at the start and again.
 */
#include "controller_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "plan.h"

struct model *controller_read_file(const struct controller *controller, char **text,
				   char **errors_text, struct fault *fault)
{
	const char *path = controller->config_path;
	struct config_errors errors = {0};
	struct model *model =
		config_load_again(path, controller->base_text, controller->base, text, &errors);

	if (!model) {
		const struct config_error *first = &errors.items[0];

		if (first->line)
			fault_set(fault, FAULT_USAGE, "%s:%u:%u: %s%s", path, first->line,
				  first->column, first->what,
				  errors.count > 1 ? " (and more)" : "");
		else
			fault_set(fault, FAULT_USAGE, "%s: %s", path, first->what);
		if (*text)
			fault_hint(fault, "`lbctl config check %s` shows every error in its place",
				   path);
		else
			fault_hint(fault, "lbd must be able to read it; lbd.yaml(5) has an example "
					  "to begin with");
		if (errors_text)
			*errors_text = config_errors_format(&errors, path, *text, false);
		free(*text);
		*text = NULL;
	}
	config_errors_free(&errors);
	return model;
}

/* What is fixed when the data plane is attached and now differs from the file. */
void controller_warn_fixed(const struct controller *controller, const struct model *model)
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
	if (want->nat_flows != have->nat_flows)
		log_warn("global.limits.nat_flows is %u, the data plane has %u (%s)",
			 want->nat_flows, have->nat_flows, hint);
	if (want->backends != have->backends)
		log_warn("global.limits.backends is %u, the data plane has %u (%s)", want->backends,
			 have->backends, hint);
	if (want->services != have->services)
		log_warn("global.limits.services is %u, the data plane has %u (%s)", want->services,
			 have->services, hint);
}

void controller_note_reading(struct controller *controller, bool good)
{
	controller->facts.reload_good = good;
	controller->facts.reload_ms = clock_ms(CLOCK_REALTIME);
}

void controller_on_dropped(void *context, const char *object)
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
int controller_judge_seed(const struct controller *controller, const struct model *base,
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
		controller_on_dropped(NULL, json_string_value(object));
}

static int reload(struct controller *controller, const struct controller_request *request,
		  json_t **report, char **errors_text, struct fault *fault)
{
	char *text;
	struct model *base = controller_read_file(controller, &text, errors_text, fault);
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
	if (controller_judge_seed(controller, base, request, fault) < 0)
		goto out;
	overrides_rebase(overrides, base, note_dropped, dropped);
	model = controller_apply(overrides, base, fault);
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
	free(controller->base_text);
	controller->base = base;
	controller->base_text = text;
	base = NULL;
	text = NULL;
	controller_warn_fixed(controller, controller->base);
	log_info("reload by %s: done", request->who);
out:
	json_decref(dropped);
	overrides_free(overrides);
	model_free(base);
	free(text);
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
	controller_tell_reload(controller, request->who, rc < 0 ? fault : &(struct fault){0});
	controller_note_reading(controller, rc == 0);
	return rc;
}
