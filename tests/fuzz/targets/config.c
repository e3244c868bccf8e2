/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: any bytes as lbd.yaml. Either there is a model, or at least one error, each in a place of
 * the text and printable.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../../user/config.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	char *text = malloc(size + 1);
	struct model *model;

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
	free(text);
	return 0;
}
