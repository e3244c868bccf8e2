/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_config: `lbctl config ...` and `lbctl reload`. Files are read with lbd's own code, so that a
 * check needs no lbd and errors are shown in their place. See lbctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../user/config.h"
#include "../user/model_json.h"
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

/* ---- whole configurations ---- */

/* As JSON with the seed, which a configuration that is told never holds: lbd compares it with the
 * one in force. 0 with `json` to be freed, or -1 with `fault` set, and the errors printed. */
static int load(const struct ctl *ctl, const char *path, struct json_text *json,
		struct fault *fault)
{
	const char *name = strcmp(path, "-") ? path : "/dev/stdin";
	struct config_errors errors = {0};
	char *text = NULL;
	struct model *model = config_load(name, &text, &errors);
	int error = model ? 0 : -1;

	if (model) {
		json_text_begin(json, NULL, '{');
		model_json_put(json, model, true);
		json_text_end(json, '}');
	} else {
		print_errors(ctl, path, text, &errors);
		fault->code = FAULT_USAGE;
	}
	if (json->failed)
		error = fault_set(fault, FAULT_FAILED, "%s: reading it: out of memory", path);
	model_free(model);
	config_errors_free(&errors);
	free(text);
	return error;
}

static int put(struct ctl *ctl, const char *path, size_t *changes, struct fault *fault)
{
	struct json_text json = {0};
	struct ctl_request request = {.method = "PUT", .path = {"config"}, .text = &json};
	int error = load(ctl, path, &json, fault);

	if (!error)
		error = ctl_change_count(ctl, &request, changes, fault);
	free(json.bytes);
	return error;
}

int ctl_config_apply(struct ctl *ctl, struct fault *fault)
{
	size_t changes;

	return put(ctl, ctl->arguments[0], &changes, fault);
}

int ctl_config_export(struct ctl *ctl, struct fault *fault)
{
	char etag[HTTP_TAG_SIZE] = "";
	const struct ctl_request request = {.method = "GET", .path = {"config"}, .etag = etag};
	json_t *reply;
	int error = 0;

	if (ctl_ask_shown(ctl, &request, &reply, fault) != 0)
		return -1;
	if (reply) {
		json_object_del(reply, "schema");
		printf("# What runs, by `lbctl config export`; ETag: %s\n", etag);
		fflush(stdout);
		error = ctl_yaml_print(reply, fault);
	}
	json_decref(reply);
	return error;
}

/* ---- differences ---- */

static void print_value(const json_t *value)
{
	char *text = json_is_null(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

	printf("%s", text ? text : "nothing");
	free(text);
}

static const char *origin_text(const json_t *difference)
{
	const char *origin = ctl_text(difference, "origin");

	if (!strcmp(origin, "file"))
		return "the file was edited since it was read";
	return strcmp(origin, "both") ? "changed at run time"
				      : "changed at run time, and the file was edited";
}

static void print_difference(const json_t *difference)
{
	const char *where = ctl_text(difference, "where");
	json_t *keys = json_object_get(difference, "keys"), *values;
	const char *key;

	if (strcmp(where, "both") != 0) {
		printf("%s: only in %s (%s): ", ctl_text(difference, "object"),
		       strcmp(where, "file") ? "what runs" : "the file", origin_text(difference));
		print_value(json_object_get(difference, where));
		putchar('\n');
		return;
	}
	printf("%s (%s)\n", ctl_text(difference, "object"), origin_text(difference));
	json_object_foreach (keys, key, values) {
		printf("  %s: file ", key);
		print_value(json_object_get(values, "file"));
		printf(", running ");
		print_value(json_object_get(values, "running"));
		putchar('\n');
	}
}

static void print_differences(const json_t *reply)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(reply, "differences"), i, item)
		print_difference(item);
	json_array_foreach (json_object_get(reply, "tables"), i, item)
		printf("table %s, with the file alone: %s\n", ctl_text(item, "object"),
		       ctl_text(item, "detail"));
}

/* As diff(1): 1 if they differ, 2 if that could not be told. */
static int diff_status(int error, size_t differences, struct fault *fault)
{
	if (error)
		fault->code = FAULT_USAGE;
	else if (differences)
		fault->code = FAULT_FAILED;
	return error || differences ? -1 : 0;
}

int ctl_config_diff(struct ctl *ctl, struct fault *fault)
{
	const struct ctl_request request = {.method = "GET", .path = {"config", "diff"}};
	size_t differences = 0;
	json_t *reply;
	int error;

	if (ctl->argument_count) {
		ctl->dry_run = true;
		error = put(ctl, ctl->arguments[0], &differences, fault);
		return diff_status(error, differences, fault);
	}
	error = ctl_ask(ctl, &request, &reply, fault);
	if (!error) {
		differences = json_array_size(json_object_get(reply, "differences"));
		if (!ctl_print_json(ctl, reply))
			print_differences(reply);
		json_decref(reply);
	}
	return diff_status(error, differences, fault);
}

int ctl_reload(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "POST", .path = {"reload"}};

	return ctl_change(ctl, &request, fault);
}
