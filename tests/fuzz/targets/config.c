/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: any bytes as lbd.yaml. Either there is a model, or at least one error, each in a place of
 * the text and printable. What is JSON and taken as such is taken as its text, too, and the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../../user/config.h"
#include "../../../user/model_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void errors_hold(const struct config_errors *errors, const char *text)
{
	char *printed = config_errors_format(errors, "lbd.yaml", text, false);

	if (!printed || !*printed)
		abort();
	for (size_t i = 0; i < errors->count; i++)
		if (!errors->items[i].what || !*errors->items[i].what)
			abort();
	free(printed);
}

static struct json_text told(const struct model *model)
{
	struct json_text text = {0};

	json_text_begin(&text, NULL, '{');
	model_json_put(&text, model, true);
	json_text_end(&text, '}');
	return text;
}

static void same_as_text(const json_t *document)
{
	struct model *quick = config_parse_json(document, "/nonexistent"), *model;
	char *dump = quick ? json_dumps(document, 0) : NULL;
	struct config_errors errors = {0};
	struct json_text a, b;

	if (!quick)
		return;
	model = config_parse(dump, strlen(dump), "/nonexistent", &errors);
	if (!model)
		abort();
	a = told(quick);
	b = told(model);
	if (a.size != b.size || memcmp(a.bytes, b.bytes, a.size) != 0)
		abort();
	free(a.bytes);
	free(b.bytes);
	free(dump);
	model_free(quick);
	model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	char *text = malloc(size + 1);
	struct model *model;
	json_t *document;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	/* No file of the machine is a hash seed here. */
	model = config_parse(text, size, "/nonexistent", &errors);
	if (!model == !errors.count)
		abort();
	if (errors.count)
		errors_hold(&errors, text);
	model_free(model);
	config_errors_free(&errors);
	document = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	if (document)
		same_as_text(document);
	json_decref(document);
	free(text);
	return 0;
}
