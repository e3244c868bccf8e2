/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_config: `lbctl config ...` and `lbctl reload`. The check reads the file with lbd's own
 * code and needs no lbd. See lbctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../user/config.h"
#include "lbctl.h"

static json_t *errors_json(const struct config_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->count; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:s}", "line",
						      (int)errors->items[i].line, "column",
						      (int)errors->items[i].column, "message",
						      errors->items[i].what));
	return list;
}

/* Every error is its own message; as JSON they are the data, and the error object stands by. */
static void print_errors(const struct ctl *ctl, const char *path, const char *text,
			 const struct config_errors *errors)
{
	const char *no_colour = getenv("NO_COLOR");
	bool colour = isatty(STDERR_FILENO) && !(no_colour && no_colour[0]);
	char *formatted, message[512];
	json_t *json;

	if (ctl->output != CTL_JSON) {
		formatted = config_errors_format(errors, path, text, colour);
		fputs(formatted ? formatted : "", stderr);
		free(formatted);
		return;
	}
	snprintf(message, sizeof(message), "%s: checking it: %zu error%s", path, errors->count,
		 errors->count == 1 ? "" : "s");
	json = json_pack("{s:i, s:s, s:b, s:o, s:{s:s, s:s, s:s}}", "schema", 1, "file", path,
			 "valid", 0, "errors", errors_json(errors), "error", "code",
			 fault_code_name(FAULT_USAGE), "message", message, "hint", "see errors[]");
	ctl_print_json(ctl, json);
	json_decref(json);
}

static void print_valid(const struct ctl *ctl, const char *path, const struct model *model)
{
	size_t backends = 0;
	json_t *json;

	for (size_t i = 0; i < model->pool_count; i++)
		backends += model->pools[i]->backend_count;
	json = json_pack("{s:i, s:s, s:b, s:[], s:I, s:I, s:I}", "schema", 1, "file", path, "valid",
			 1, "errors", "services", (json_int_t)model->service_count, "pools",
			 (json_int_t)model->pool_count, "backends", (json_int_t)backends);
	if (!ctl_print_json(ctl, json))
		printf("%s: valid: %zu service%s, %zu pool%s, %zu backend%s\n", path,
		       model->service_count, model->service_count == 1 ? "" : "s",
		       model->pool_count, model->pool_count == 1 ? "" : "s", backends,
		       backends == 1 ? "" : "s");
	json_decref(json);
}

int ctl_config_check(struct ctl *ctl, struct fault *fault)
{
	const char *path = ctl->argument_count ? ctl->arguments[0] : ctl->config;
	struct config_errors errors = {0};
	char *text = NULL;
	struct model *model = config_load(path, &text, &errors);
	int error = 0;

	if (model) {
		print_valid(ctl, path, model);
	} else {
		print_errors(ctl, path, text, &errors);
		fault->code = FAULT_USAGE;
		error = -1;
	}
	model_free(model);
	config_errors_free(&errors);
	free(text);
	return error;
}

int ctl_reload(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "POST", .path = {"reload"}};

	return ctl_change(ctl, &request, fault);
}
