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

/* Whether a field is there and not null. */
static bool has(const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	return value && !json_is_null(value);
}

static void print_slot(const json_t *answer)
{
	const char *owner = ctl_text(answer, "slot_owner");

	if (!has(answer, "slot"))
		return;
	if (json_is_true(json_object_get(answer, "slot_settled")))
		ctl_line("slot", "%" PRIu64 " of %" PRIu64 ", settled: owner and fallback %s",
			 ctl_integer(answer, "slot"), ctl_integer(answer, "table_size"), owner);
	else
		ctl_line("slot", "%" PRIu64 " of %" PRIu64 ", unsettled: owner %s, fallback %s",
			 ctl_integer(answer, "slot"), ctl_integer(answer, "table_size"), owner,
			 ctl_text(answer, "slot_fallback"));
}

/* What is remembered of the client and the flow. */
static void print_memory(const json_t *answer)
{
	const json_t *client = json_object_get(answer, "client");
	const json_t *entries = json_object_get(answer, "entries"), *entry;
	size_t i;

	if (json_is_object(client))
		ctl_line("client", "known: owner %s, fallback %s, %s; seen %" PRIu64 " s ago%s",
			 ctl_text(client, "owner"), ctl_text(client, "fallback"),
			 json_is_true(json_object_get(client, "changed")) ? "unsettled" : "settled",
			 ctl_integer(client, "idle_s"),
			 json_is_true(json_object_get(client, "live")) ? "" : ", no longer valid");
	json_array_foreach (entries, i, entry)
		ctl_line("entry", "%s, %s, names %s; seen %" PRIu64 " s ago%s",
			 ctl_text(entry, "kind"), ctl_text(entry, "state"),
			 ctl_text(entry, "backend")[0] ? ctl_text(entry, "backend")
						       : "a backend that is gone",
			 ctl_integer(entry, "age_s"),
			 json_is_true(json_object_get(entry, "live")) ? "" : ", no longer valid");
	if (ctl_text(answer, "pool")[0] && !json_array_size(entries))
		ctl_line("entry", "none");
}

static void print_backends(const json_t *answer)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, "backends"), i, item) {
		const char *why = ctl_text(item, "why"), *reason = ctl_text(item, "reason");

		ctl_line(ctl_text(item, "name"),
			 "admin %s; health %s%s%s%s; weight %" PRIu64 ", effective %" PRIu64
			 "%s%s%s",
			 ctl_text(item, "admin"), ctl_text(item, "health"), reason[0] ? " (" : "",
			 reason, reason[0] ? ")" : "", ctl_integer(item, "weight"),
			 ctl_integer(item, "effective_weight"), why[0] ? " (" : "", why,
			 why[0] ? ")" : "");
	}
}

/* Sixteen bytes a line. */
static void print_bytes(const char *hex)
{
	char line[64];

	for (size_t at = 0; hex[at];) {
		size_t offset = at / 2, used = 0;

		for (int i = 0; i < 16 && hex[at] && hex[at + 1]; i++, at += 2)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%.2s",
						 i ? " " : "", hex + at);
		ctl_line("", "%04zx  %s", offset, line);
	}
}

static void print_sent(const struct ctl *ctl, const json_t *sent)
{
	const json_t *header;
	size_t i;

	if (!json_is_object(sent))
		return;
	ctl_line("sends", "%" PRIu64 " bytes on %s", ctl_integer(sent, "size"),
		 ctl_text(sent, "interface")[0] ? ctl_text(sent, "interface") : "its interface");
	json_array_foreach (json_object_get(sent, "headers"), i, header) {
		const char *source = ctl_text(header, "source"), *more = ctl_text(header, "more");

		ctl_line("", "%-8s  %s%s%s%s%s", ctl_text(header, "header"), source,
			 source[0] ? " > " : "", ctl_text(header, "destination"),
			 source[0] && more[0] ? ", " : "", more);
	}
	if (ctl->output == CTL_WIDE)
		print_bytes(ctl_text(sent, "bytes"));
}

/* What is supposed, and what is without it. */
static void print_supposed(const json_t *answer)
{
	const json_t *now = json_object_get(answer, "now");

	if (!json_is_object(now))
		return;
	ctl_line("supposed", "%s is down (nothing is changed)", ctl_text(answer, "if_down"));
	ctl_line("now", "%s, by %s",
		 ctl_text(now, "backend")[0] ? ctl_text(now, "backend") : ctl_text(now, "verdict"),
		 ctl_text(now, "decided_by"));
}

static void print_answer(const struct ctl *ctl, const json_t *answer)
{
	const char *listen = ctl_text(answer, "listen");

	print_supposed(answer);
	ctl_line("verdict", "%s: %s", ctl_text(answer, "verdict"), ctl_text(answer, "meaning"));
	if (ctl_text(answer, "service")[0])
		ctl_line("service", "%s%s%s", ctl_text(answer, "service"),
			 listen[0] ? ", which listens on " : "", listen);
	if (ctl_text(answer, "pool")[0]) {
		ctl_line("pool", "%s", ctl_text(answer, "pool"));
		ctl_line("key", "%s (affinity %s)", ctl_text(answer, "key"),
			 ctl_text(answer, "affinity"));
	}
	print_slot(answer);
	print_memory(answer);
	if (ctl_text(answer, "backend")[0]) {
		ctl_line("backend", "%s (%s)", ctl_text(answer, "backend"),
			 ctl_text(answer, "address"));
		ctl_line("decided by", "%s", ctl_text(answer, "decided_by"));
	}
	print_explanation(ctl_text(answer, "explanation"));
	print_backends(answer);
	print_sent(ctl, json_object_get(answer, "sent"));
}

int ctl_flow_lookup(struct ctl *ctl, struct fault *fault)
{
	const bool established = ctl_value(ctl, "established");
	const struct ctl_request request = {.method = "GET",
					    .path = {"flows", "lookup"},
					    .query = {{"proto", ctl->arguments[0]},
						      {"source", ctl->arguments[1]},
						      {"destination", ctl->arguments[2]},
						      {"syn", established ? "0" : "1"},
						      {"if_down", ctl_value(ctl, "if-down")}}};
	json_t *reply;

	if (established && ctl_value(ctl, "syn"))
		return fault_set(
			fault, FAULT_USAGE,
			"flow lookup: --syn and --established: a packet is one or the other");
	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_answer(ctl, reply);
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
