/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbctl_list: lists that may be long, which lbd gives in parts. See lbctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

enum { LIST_LIMIT = 1000, LIST_LIMIT_MAX = 1000000 };

static int parse_limit(const struct ctl *ctl, size_t *limit, struct fault *fault)
{
	const char *text = ctl_value(ctl, "limit");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*limit = LIST_LIMIT;
	if (!text)
		return 0;
	*limit = digits && digits < 9 && !text[digits] ? strtoul(text, NULL, 10) : 0;
	if (*limit && *limit <= LIST_LIMIT_MAX)
		return 0;
	return fault_set(fault, FAULT_USAGE, "--limit \"%s\": not a number from 1 to %d", text,
			 LIST_LIMIT_MAX);
}

/* Asks for parts until the list is whole or full. */
static int collect(const struct ctl *ctl, struct ctl_request *request, size_t free,
		   const char *field, size_t limit, json_t *list, json_t *pins, bool *cut,
		   struct fault *fault)
{
	char cursor[64] = "", room[CTL_NUMBER_SIZE];
	json_t *reply;

	do {
		request->query[free][0] = "limit";
		request->query[free][1] = ctl_number(limit - json_array_size(list), room);
		request->query[free + 1][0] = "cursor";
		request->query[free + 1][1] = cursor[0] ? cursor : NULL;
		if (ctl_ask(ctl, request, &reply, fault) != 0)
			return -1;
		json_array_extend(list, json_object_get(reply, field));
		json_array_clear(pins);
		json_array_extend(pins, json_object_get(reply, "pins"));
		*cut = json_is_true(json_object_get(reply, "cut"));
		snprintf(cursor, sizeof(cursor), "%s", ctl_text(reply, "next"));
		json_decref(reply);
		/* Full, and more of the table to be read: there may be more to tell. */
		*cut |= cursor[0] && json_array_size(list) >= limit;
	} while (cursor[0] && !*cut);
	return 0;
}

int ctl_list(const struct ctl *ctl, struct ctl_request *request, size_t free, const char *field,
	     void (*print)(const struct ctl *ctl, const json_t *list), struct fault *fault)
{
	json_t *list = json_array(), *pins = json_array(), *whole;
	size_t limit;
	bool cut = false;
	int error = parse_limit(ctl, &limit, fault);

	if (!error)
		error = collect(ctl, request, free, field, limit, list, pins, &cut, fault);
	if (!error) {
		whole = json_pack("{s:i, s:O, s:b}", "schema", 1, field, list, "cut", cut);
		if (!strcmp(field, "clients"))
			json_object_set(whole, "pins", pins);
		if (!ctl_print_json(ctl, whole)) {
			print(ctl, list);
			ctl_print_pins(ctl, pins);
		}
		json_decref(whole);
	}
	if (!error && cut && ctl->output != CTL_JSON)
		fprintf(stderr, "lbctl: there are more %s than these %zu (--limit)\n", field,
			json_array_size(list));
	json_decref(list);
	json_decref(pins);
	return error;
}
