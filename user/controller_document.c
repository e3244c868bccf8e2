/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller_document: configurations as a whole: one to take, and how what runs differs from the
 * file.
 */
#include "controller_private.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "model_json.h"

/* Where errors are, for what came without a file. */
#define DOCUMENT_NAME "configuration"

const char *controller_config_path(const struct controller *controller)
{
	return controller->config_path;
}

static struct model *out_of_memory(struct fault *fault)
{
	fault_set(fault, FAULT_FAILED, "%s: reading it: out of memory", DOCUMENT_NAME);
	return NULL;
}

/* As text, where errors have places. */
static struct model *parse_text(const json_t *document, const char *directory, char **errors_text,
				struct fault *fault)
{
	struct config_errors errors = {0};
	char *text = json_dumps(document, JSON_INDENT(2));
	struct model *model;

	if (!text)
		return out_of_memory(fault);
	model = config_parse(text, strlen(text), directory, &errors);
	if (!model) {
		const struct config_error *first = &errors.items[0];

		fault_set(fault, FAULT_USAGE, "%s: %s%s", DOCUMENT_NAME, first->what,
			  errors.count > 1 ? " (and more)" : "");
		if (errors_text)
			*errors_text = config_errors_format(&errors, DOCUMENT_NAME, text, false);
	}
	config_errors_free(&errors);
	free(text);
	return model;
}

static struct model *read_document(const struct controller *controller, const json_t *document,
				   char **errors_text, struct fault *fault)
{
	char path[PATH_MAX], *directory;
	struct model *model;
	json_t *copy;

	if (!json_is_object(document)) {
		fault_set(fault, FAULT_USAGE, "%s: reading it: it is no object", DOCUMENT_NAME);
		return NULL;
	}
	copy = json_copy((json_t *)document);
	if (!copy)
		return out_of_memory(fault);
	/* What a reply has beside the configuration. */
	json_object_del(copy, "schema");
	snprintf(path, sizeof(path), "%s", controller->config_path);
	directory = dirname(path);
	model = config_parse_json(copy, directory);
	if (!model)
		model = parse_text(copy, directory, errors_text, fault);
	json_decref(copy);
	return model;
}

static void put(struct json_text *text, const struct model *model)
{
	json_text_begin(text, NULL, '{');
	model_json_put(text, model, false);
	json_text_end(text, '}');
}

static bool same(const struct model *a, const struct model *b)
{
	struct json_text a_text = {0}, b_text = {0};
	bool equal;

	put(&a_text, a);
	put(&b_text, b);
	equal = !a_text.failed && !b_text.failed && a_text.size == b_text.size &&
		!memcmp(a_text.bytes, b_text.bytes, a_text.size);
	free(a_text.bytes);
	free(b_text.bytes);
	return equal;
}

/* Never happens, and would be a change of something that nobody asked to change. */
static int check_same(const struct model *made, const struct model *wanted, struct fault *fault)
{
	if (same(made, wanted))
		return 0;
	return fault_set(fault, FAULT_FAILED,
			 "%s: taking it: it cannot be told as changes to the file", DOCUMENT_NAME);
}

static int take(struct controller *controller, const struct model *wanted,
		const struct controller_request *request, json_t **report, struct fault *fault)
{
	struct overrides *set =
		overrides_whole(controller->overrides, controller->base, wanted, fault);
	struct model *model = set ? controller_apply(set, controller->base, fault) : NULL;

	if (!model || check_same(model, wanted, fault) != 0) {
		model_free(model);
		overrides_free(set);
		return -1;
	}
	return controller_switch(controller, model, set, request, report, fault);
}

int controller_document(struct controller *controller, const json_t *document,
			const struct controller_request *request, json_t **report,
			char **errors_text, struct fault *fault)
{
	struct model *wanted = read_document(controller, document, errors_text, fault);
	int rc = -1;

	if (!wanted)
		return -1;
	if (controller_judge_seed(controller, wanted, request, fault) == 0)
		rc = same(wanted, controller->running)
			     ? 0
			     : take(controller, wanted, request, report, fault);
	if (rc < 0 && !request->dry_run)
		log_warn("configuration given by %s: %s; nothing is changed", request->who,
			 fault->message);
	model_free(wanted);
	return rc;
}

int controller_differences(struct controller *controller, json_t **list, json_t **tables,
			   char **errors_text, struct fault *fault)
{
	char *text;
	struct model *file = controller_read_file(controller, &text, errors_text, fault);

	if (!file)
		return -1;
	free(text);
	*list = overrides_differences(controller->base, file, controller->running);
	*tables = json_array();
	if (*tables)
		controller_report_tables(controller, file, *tables);
	model_free(file);
	if (*list && *tables)
		return 0;
	json_decref(*list);
	json_decref(*tables);
	return fault_set(fault, FAULT_FAILED, "configuration: comparing: out of memory");
}
