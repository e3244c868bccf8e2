/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_output: replies, errors and numbers as text. Data goes to stdout, messages to stderr; with
 * JSON an error is the data.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

enum { TITLE_WIDTH = 18 };

bool ctl_print_json(const struct ctl *ctl, const json_t *reply)
{
	if (ctl->output != CTL_JSON)
		return false;
	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
	return true;
}

int ctl_report(const struct ctl *ctl, const struct fault *fault)
{
	json_t *json;

	fflush(stdout);
	/* The command said it all in its own way. */
	if (!fault->message[0])
		return fault->code;
	if (ctl->output != CTL_JSON)
		return fault_print(fault, "lbctl");
	json = json_pack("{s:i, s:{s:s, s:s, s:s}}", "schema", 1, "error", "code",
			 fault_code_name(fault->code), "message", fault->message, "hint",
			 fault->hint);
	/* Words of the command line that are no UTF-8 have no place in JSON. */
	if (!json)
		return fault_print(fault, "lbctl");
	ctl_print_json(ctl, json);
	json_decref(json);
	return fault->code;
}

void ctl_line(const char *title, const char *format, ...)
{
	va_list args;

	printf("%-*s", TITLE_WIDTH, title);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

const char *ctl_number(uint64_t number, char out[CTL_NUMBER_SIZE])
{
	snprintf(out, CTL_NUMBER_SIZE, "%" PRIu64, number);
	return out;
}

const char *ctl_count(const struct ctl *ctl, uint64_t count, char out[CTL_NUMBER_SIZE])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
	double scaled = (double)count;
	size_t unit = 0;

	if (ctl->output == CTL_WIDE || count < 10000)
		return ctl_number(count, out);
	/* 999.95 would be printed as 1000.0. */
	for (; scaled >= 999.95; unit++)
		scaled /= 1000;
	snprintf(out, CTL_NUMBER_SIZE, "%.1f%s", scaled, units[unit]);
	return out;
}

const char *ctl_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

uint64_t ctl_integer(const json_t *object, const char *field)
{
	return (uint64_t)json_integer_value(json_object_get(object, field));
}

const char *ctl_count_field(const struct ctl *ctl, const json_t *object, const char *field,
			    char out[CTL_NUMBER_SIZE])
{
	const json_t *value = json_object_get(object, field);

	if (!json_is_integer(value))
		return "-";
	return ctl_count(ctl, (uint64_t)json_integer_value(value), out);
}

const char *ctl_count_cell(const struct ctl *ctl, const char *cell, char out[CTL_NUMBER_SIZE])
{
	/* Of so few digits it is shown as it is. */
	if (cell[0] && (ctl->output == CTL_WIDE || strlen(cell) < 5))
		return cell;
	return cell[0] ? ctl_count(ctl, strtoull(cell, NULL, 10), out) : "-";
}

char *ctl_join(const json_t *array)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);
	const json_t *item;

	if (!out)
		return NULL;
	json_array_foreach (array, i, item)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(item));
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
