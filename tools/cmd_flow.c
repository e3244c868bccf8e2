/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_flow: `lbctl flow ...`. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

/* Clause by clause: each on its line. */
static void print_explanation(const char *text)
{
	const char *title = "why";

	while (*text) {
		int size = (int)strcspn(text, ";");

		ctl_line(title, "%.*s", size, text);
		title = "";
		text += size;
		text += strspn(text, "; ");
	}
}

static void print_answer(const json_t *answer)
{
	const char *const titles[] = {"verdict", "service", "pool"};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (ctl_text(answer, titles[i])[0])
			ctl_line(titles[i], "%s", ctl_text(answer, titles[i]));
	if (ctl_text(answer, "backend")[0])
		ctl_line("backend", "%s (%s)", ctl_text(answer, "backend"),
			 ctl_text(answer, "address"));
	if (json_is_integer(json_object_get(answer, "slot")))
		ctl_line("slot", "%" PRIu64, ctl_integer(answer, "slot"));
	if (ctl_text(answer, "backend")[0])
		ctl_line("decided by", "%s", ctl_text(answer, "decided_by"));
	if (json_is_integer(json_object_get(answer, "entry_age_s")))
		ctl_line("entry age", "%" PRIu64 " s", ctl_integer(answer, "entry_age_s"));
	print_explanation(ctl_text(answer, "explanation"));
}

int ctl_flow_lookup(struct ctl *ctl, struct fault *fault)
{
	const bool established = ctl_value(ctl, "established");
	const struct ctl_request request = {.method = "GET",
					    .path = {"flows", "lookup"},
					    .query = {{"proto", ctl->arguments[0]},
						      {"source", ctl->arguments[1]},
						      {"destination", ctl->arguments[2]},
						      {"syn", established ? "0" : "1"}}};
	json_t *reply;

	if (established && ctl_value(ctl, "syn"))
		return fault_set(fault, FAULT_USAGE,
				 "flow lookup: --syn and --established: one of them");
	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_answer(reply);
	json_decref(reply);
	return 0;
}

/* ---- list ---- */

static void print_flows(const struct ctl *ctl, const json_t *list)
{
	static const struct ctl_column columns[] = {
		{"PROTO", 0}, {"SOURCE", 0}, {"DESTINATION", 0}, {"BACKEND", CTL_SHRINK},
		{"STATE", 0}, {"KIND", 0},   {"AGE", CTL_RIGHT}, {"LIVE", CTL_WIDER},
	};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		char backend[256], age[CTL_NUMBER_SIZE];

		snprintf(backend, sizeof(backend), "%s/%s", ctl_text(item, "pool"),
			 ctl_text(item, "backend"));
		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(item, "proto"),
				      ctl_text(item, "source"),
				      ctl_text(item, "destination"),
				      backend,
				      ctl_text(item, "state"),
				      ctl_text(item, "kind"),
				      ctl_number(ctl_integer(item, "age_s"), age),
				      json_is_true(json_object_get(item, "live")) ? "yes" : "no",
			      });
	}
	ctl_table_finish(ctl, table);
}

int ctl_flow_list(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET",
				      .path = {"flows"},
				      .query = {{"pool", ctl_value(ctl, "pool")},
						{"backend", ctl_value(ctl, "backend")},
						{"source", ctl_value(ctl, "source")},
						{"older", ctl_value(ctl, "older")},
						{"younger", ctl_value(ctl, "younger")}}};

	return ctl_list(ctl, &request, 5, "flows", print_flows, fault);
}
