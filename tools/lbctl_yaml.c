/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_yaml: a configuration as lbd.yaml would have it, through libyaml's emitter. Knows no key.
 *
 * Objects that hold nothing but single values stand on one line, as people write backends.
 */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "lbctl.h"

enum { LINE_WIDTH = 100, FLOW_DEPTH = 2 };

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
	return yaml_emitter_emit(emitter, event);
}

/* Whether `text` without quotes is a string to every reader: a letter or '/' first, and nothing
 * that YAML reads otherwise. The emitter sees to its punctuation. */
static bool is_plain(const char *text)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no",
					    "on",   "off",   "y",    "n"};

	if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/", text[0]) || !text[0])
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return false;
	return true;
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(
		       &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), plain,
		       true, plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE) &&
	       emit(emitter, &event);
}

static bool emit_number(yaml_emitter_t *emitter, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	bool ok = text && emit_scalar(emitter, text, true);

	free(text);
	return ok;
}

static bool is_flat(const json_t *value)
{
	const json_t *item;
	const char *key;
	size_t i;

	json_array_foreach (value, i, item)
		if (json_is_object(item) || json_is_array(item))
			return false;
	json_object_foreach ((json_t *)value, key, item)
		if (json_is_object(item) || json_is_array(item))
			return false;
	return true;
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value, int depth);

static bool emit_list(yaml_emitter_t *emitter, const json_t *list, int depth)
{
	yaml_event_t event;
	const json_t *item;
	size_t i;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, true,
						  is_flat(list) ? YAML_FLOW_SEQUENCE_STYLE
								: YAML_BLOCK_SEQUENCE_STYLE) ||
	    !emit(emitter, &event))
		return false;
	json_array_foreach (list, i, item)
		if (!emit_value(emitter, item, depth + 1))
			return false;
	return yaml_sequence_end_event_initialize(&event) && emit(emitter, &event);
}

static bool emit_map(yaml_emitter_t *emitter, const json_t *map, int depth)
{
	yaml_event_t event;
	const char *key;
	json_t *item;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, true,
						 is_flat(map) && depth >= FLOW_DEPTH
							 ? YAML_FLOW_MAPPING_STYLE
							 : YAML_BLOCK_MAPPING_STYLE) ||
	    !emit(emitter, &event))
		return false;
	json_object_foreach ((json_t *)map, key, item)
		if (!emit_scalar(emitter, key, is_plain(key)) ||
		    !emit_value(emitter, item, depth + 1))
			return false;
	return yaml_mapping_end_event_initialize(&event) && emit(emitter, &event);
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value, int depth)
{
	const char *text = json_string_value(value);

	if (json_is_object(value))
		return emit_map(emitter, value, depth);
	if (json_is_array(value))
		return emit_list(emitter, value, depth);
	return text ? emit_scalar(emitter, text, is_plain(text)) : emit_number(emitter, value);
}

int ctl_yaml_print(const json_t *document, struct fault *fault)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	bool ok;

	if (!yaml_emitter_initialize(&emitter))
		return fault_set(fault, FAULT_FAILED, "configuration: writing it: out of memory");
	yaml_emitter_set_output_file(&emitter, stdout);
	yaml_emitter_set_unicode(&emitter, true);
	yaml_emitter_set_width(&emitter, LINE_WIDTH);
	ok = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
	     emit(&emitter, &event) &&
	     yaml_document_start_event_initialize(&event, NULL, NULL, NULL, true) &&
	     emit(&emitter, &event) && emit_value(&emitter, document, 0) &&
	     yaml_document_end_event_initialize(&event, true) && emit(&emitter, &event) &&
	     yaml_stream_end_event_initialize(&event) && emit(&emitter, &event);
	if (!ok)
		fault_set(fault, FAULT_FAILED, "configuration: writing it: %s",
			  emitter.problem ? emitter.problem : "out of memory");
	yaml_emitter_delete(&emitter);
	return ok ? 0 : -1;
}
