/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_what_if: `lbctl what-if ...`, what a change would do. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

static double percent(const json_t *object, const char *field)
{
	return json_number_value(json_object_get(object, field));
}

static bool is_verb(const json_t *answer, const char *verb)
{
	return !strcmp(ctl_text(answer, "change"), verb);
}

static void print_slots(const json_t *answer)
{
	const json_t *unsettled = json_object_get(answer, "unsettled_slots");
	const char *whose = strcmp(ctl_text(answer, "affinity"), "source-ip") ? "" : " of clients";

	ctl_line("slots",
		 "%" PRIu64 " of %" PRIu64 " get another owner; unsettled: %" PRIu64
		 " now, %" PRIu64 " then",
		 ctl_integer(answer, "slots_moved"), ctl_integer(answer, "table_size"),
		 ctl_integer(unsettled, "now"), ctl_integer(unsettled, "then"));
	ctl_line("new flows", "%.1f%%%s go to another backend",
		 percent(answer, "new_flows_percent"), whose);
	ctl_line("established", "%.1f%% of flows without an entry lose their backend%s",
		 percent(answer, "all_flows_percent"),
		 ctl_integer(answer, "slots_lost") ? "" : ": all stay where they are");
}

/* How many of what has entries; nothing where there are none. */
static void print_entries(const json_t *answer)
{
	const json_t *flows = json_object_get(answer, "tracked_flows");
	const json_t *clients = json_object_get(answer, "clients");
	const char *counted = ctl_text(answer, "counted");

	if (ctl_integer(flows, "all"))
		ctl_line("tracked flows", "%" PRIu64 " of %" PRIu64 " (%.1f%%) lose their backend",
			 ctl_integer(flows, "moving"), ctl_integer(flows, "all"),
			 percent(flows, "percent"));
	if (ctl_integer(clients, "all"))
		ctl_line("known clients",
			 "%" PRIu64 " of %" PRIu64 " (%.1f%%) move at once, %" PRIu64
			 " (%.1f%%) with their next flow",
			 ctl_integer(clients, "moving"), ctl_integer(clients, "all"),
			 percent(clients, "percent"), ctl_integer(clients, "moving_later"),
			 percent(clients, "later_percent"));
	if ((ctl_integer(flows, "all") || ctl_integer(clients, "all")) && counted[0])
		ctl_line("counted", "%s", counted);
}

static void print_later(const json_t *answer)
{
	const json_t *mode = json_object_get(answer, "pool_mode");
	const json_t *digest = json_object_get(answer, "table_digest");

	if (strcmp(ctl_text(mode, "now"), ctl_text(mode, "then")) != 0)
		ctl_line("pool mode", "%s now, %s then", ctl_text(mode, "now"),
			 ctl_text(mode, "then"));
	if (ctl_text(answer, "slow_start")[0])
		ctl_line("slow start", "it has this share after %s",
			 ctl_text(answer, "slow_start"));
	if (is_verb(answer, "drain"))
		ctl_line("drain", "mode %s; %s%s", ctl_text(answer, "drain_mode"),
			 ctl_text(answer, "drain_deadline")[0]
				 ? "what is left of it is moved after "
				 : "it has no deadline",
			 ctl_text(answer, "drain_deadline"));
	ctl_line("table digest", "%s now, %s then", ctl_text(digest, "now"),
		 ctl_text(digest, "then"));
}

/* A number of now or then; "-" where the backend is not there. */
static const char *cell(const json_t *share, const char *field, char out[CTL_NUMBER_SIZE])
{
	const json_t *value = json_object_get(share, field);

	if (json_is_real(value))
		snprintf(out, CTL_NUMBER_SIZE, "%.1f%%", json_real_value(value));
	else if (json_is_integer(value))
		ctl_number((uint64_t)json_integer_value(value), out);
	else
		snprintf(out, CTL_NUMBER_SIZE, "-");
	return out;
}

static void print_backends(const struct ctl *ctl, const json_t *list)
{
	static const struct ctl_column columns[] = {
		{"BACKEND", CTL_SHRINK}, {"WEIGHT", CTL_RIGHT},      {"THEN", CTL_RIGHT},
		{"SLOTS", CTL_RIGHT},    {"THEN", CTL_RIGHT},        {"NEW FLOWS", CTL_RIGHT},
		{"THEN", CTL_RIGHT},     {"ESTABLISHED", CTL_RIGHT}, {"THEN", CTL_RIGHT},
	};
	static const char *const fields[] = {"effective_weight", "slots", "share_percent",
					     "established_percent"};
	enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		char text[2 * FIELDS][CTL_NUMBER_SIZE];
		const char *cells[1 + 2 * FIELDS] = {ctl_text(item, "name")};

		for (int f = 0; f < FIELDS; f++) {
			cells[1 + 2 * f] =
				cell(json_object_get(item, "now"), fields[f], text[2 * f]);
			cells[2 + 2 * f] =
				cell(json_object_get(item, "then"), fields[f], text[2 * f + 1]);
		}
		ctl_table_add(table, cells);
	}
	ctl_table_finish(ctl, table);
}

static void print_answer(const struct ctl *ctl, const json_t *answer)
{
	ctl_line("what if", "%s %s/%s (nothing is changed)", ctl_text(answer, "change"),
		 ctl_text(answer, "pool"), ctl_text(answer, "backend"));
	print_slots(answer);
	print_entries(answer);
	print_later(answer);
	putchar('\n');
	print_backends(ctl, json_object_get(answer, "backends"));
}

int ctl_what_if(struct ctl *ctl, struct fault *fault)
{
	const char *weight = ctl->argument_count > 1 ? ctl->arguments[1] : ctl_value(ctl, "weight");
	const struct ctl_request request = {.method = "GET",
					    .path = {"what-if"},
					    .query = {{"change", ctl->command->verb},
						      {"backend", ctl->arguments[0]},
						      {"weight", weight},
						      {"mode", ctl_value(ctl, "mode")}}};
	struct ctl_target target;
	json_t *reply;

	if (ctl_target_parse(ctl->arguments[0], &target, fault) != 0 ||
	    ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_answer(ctl, reply);
	json_decref(reply);
	return 0;
}
