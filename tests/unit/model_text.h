/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A model's configuration as one line of JSON (user/model_json.h), to be compared or read again. */
#ifndef LIMPET_TEST_MODEL_TEXT_H
#define LIMPET_TEST_MODEL_TEXT_H

#include "../../user/model_json.h"

/* The caller frees it. */
static char *model_text(const struct model *model)
{
	struct json_text text = {0};

	json_text_begin(&text, NULL, '{');
	model_json_put(&text, model, false);
	json_text_end(&text, '}');
	json_text_newline(&text);
	assert_false(text.failed);
	text.bytes[text.size - 1] = '\0';
	return text.bytes;
}

#endif
