/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_backend: `lbctl backend ...`. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

enum { WEIGHT_MAX = 65535, PORT_MAX = 65535, OBJECT_SIZE = 256 };

/* ---- what is given ---- */

/* `*out` becomes NULL where nothing is given. 0, or -1 with `fault`. */
static int parse_number(const char *what, const char *text, uint32_t least, uint32_t most,
			json_t **out, struct fault *fault)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;
	unsigned long number;

	*out = NULL;
	if (!text)
		return 0;
	number = digits && digits < 9 ? strtoul(text, NULL, 10) : 0;
	if (!digits || digits > 8 || text[digits] || number < least || number > most)
		return fault_set(fault, FAULT_USAGE,
				 "%s \"%s\": not a number from %" PRIu32 " to %" PRIu32, what, text,
				 least, most);
	*out = json_integer((json_int_t)number);
	return 0;
}

/* ---- list and show ---- */

const char *ctl_backend_reason(const json_t *drain, const char *why, const char *reason,
			       char out[CTL_REASON_SIZE])
{
	if (json_is_true(json_object_get(drain, "deadline_passed"))) {
		snprintf(out, CTL_REASON_SIZE, "deadline passed: what was left is moved");
		return out;
	}
	if (json_is_true(json_object_get(drain, "done")))
		return "drained: no flow is left";
	if (!why[0])
		return reason;
	snprintf(out, CTL_REASON_SIZE, "%s%s%s", why, reason[0] ? "; " : "", reason);
	return out;
}

/* Empty where there is none. */
static void hop_text(const char *interface, const char *mac, const char *mtu, char out[OBJECT_SIZE])
{
	out[0] = '\0';
	if (mac[0])
		snprintf(out, OBJECT_SIZE, "%s %s, MTU %s", interface, mac, mtu);
}

static const struct ctl_column columns[] = {
	{"BACKEND", 0},
	{"ADDRESS", 0},
	{"PORT", CTL_RIGHT | CTL_WIDER},
	{"ADMIN", CTL_STATE},
	{"HEALTH", CTL_STATE},
	{"WEIGHT", CTL_RIGHT},
	{"EFFECTIVE", CTL_RIGHT | CTL_WIDER},
	{"SLOTS", CTL_RIGHT},
	{"PACKETS", CTL_RIGHT},
	{"BYTES", CTL_RIGHT},
	{"NEW FLOWS", CTL_RIGHT},
	{"NO PORT", CTL_RIGHT | CTL_WIDER},
	{"PINS", CTL_RIGHT | CTL_WIDER | CTL_SOME},
	{"SINCE", CTL_WIDER},
	{"LAST CHECK", CTL_WIDER},
	{"NEXT HOP", CTL_WIDER},
	{"REASON", CTL_SHRINK},
};

/* What a row is made of; those behind FIELD_SHOWN only of a wide one. */
enum field {
	FIELD_POOL,
	FIELD_NAME,
	FIELD_ADDRESS,
	FIELD_ADMIN,
	FIELD_HEALTH,
	FIELD_WEIGHT,
	FIELD_SLOTS,
	FIELD_PACKETS,
	FIELD_BYTES,
	FIELD_NEW_FLOWS,
	FIELD_DRAIN,
	FIELD_WHY,
	FIELD_REASON,
	FIELD_SHOWN,
	FIELD_PORT = FIELD_SHOWN,
	FIELD_EFFECTIVE_WEIGHT,
	FIELD_SINCE,
	FIELD_LAST_CHECK,
	FIELD_HOP_INTERFACE,
	FIELD_HOP_MAC,
	FIELD_HOP_MTU,
	FIELD_NAT_REFUSED,
	FIELD_PINS,
	FIELD_COUNT
};

static const char *const fields[FIELD_COUNT] = {
	"pool",         "name",         "address",
	"admin",        "health",       "weight",
	"slots",        "packets",      "bytes",
	"new_flows",    "drain",        "why",
	"reason",       "port",         "effective_weight",
	"since",        "last_check",   "next_hop.interface",
	"next_hop.mac", "next_hop.mtu", "nat_refused",
	"pins",
};

struct list {
	struct ctl_table *table;
	bool wide;
};

static json_t *cell_json(const char *cell)
{
	return cell[0] ? json_loads(cell, 0, NULL) : NULL;
}

static void add_row(const struct ctl *ctl, const char *const *cells, void *context)
{
	char number[4][CTL_NUMBER_SIZE], name[OBJECT_SIZE], hop[OBJECT_SIZE],
		reason[CTL_REASON_SIZE];
	const char *row[FIELD_COUNT];
	struct list *list = context;
	json_t *drain = cell_json(cells[FIELD_DRAIN]);

	for (size_t i = 0; i < FIELD_COUNT; i++)
		row[i] = i < FIELD_SHOWN || list->wide ? cells[i] : "";
	snprintf(name, sizeof(name), "%s/%s", row[FIELD_POOL], row[FIELD_NAME]);
	hop_text(row[FIELD_HOP_INTERFACE], row[FIELD_HOP_MAC], row[FIELD_HOP_MTU], hop);
	ctl_table_add(
		list->table,
		(const char *[]){
			name,
			row[FIELD_ADDRESS],
			row[FIELD_PORT],
			row[FIELD_ADMIN],
			row[FIELD_HEALTH],
			row[FIELD_WEIGHT],
			row[FIELD_EFFECTIVE_WEIGHT],
			row[FIELD_SLOTS],
			ctl_count_cell(ctl, row[FIELD_PACKETS], number[0]),
			ctl_count_cell(ctl, row[FIELD_BYTES], number[1]),
			ctl_count_cell(ctl, row[FIELD_NEW_FLOWS], number[2]),
			list->wide ? ctl_count_cell(ctl, row[FIELD_NAT_REFUSED], number[3]) : "",
			strcmp(row[FIELD_PINS], "0") ? row[FIELD_PINS] : "",
			row[FIELD_SINCE],
			row[FIELD_LAST_CHECK],
			hop,
			ctl_backend_reason(drain, row[FIELD_WHY], row[FIELD_REASON], reason),
		});
	json_decref(drain);
}

int ctl_backend_list(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {
		.method = "GET",
		.path = {"backends"},
		.query = {{"pool", ctl->argument_count ? ctl->arguments[0] : NULL}}};
	struct list list = {.wide = ctl->output == CTL_WIDE};
	json_t *none;

	if (ctl->output == CTL_JSON)
		return ctl_ask_shown(ctl, &request, &none, fault);
	list.table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	if (ctl_rows(ctl, &request, 1, fields, list.wide ? FIELD_COUNT : FIELD_SHOWN, true, add_row,
		     &list, fault) != 0) {
		ctl_table_free(list.table);
		return -1;
	}
	ctl_table_finish(ctl, list.table);
	return 0;
}

static void print_check_target(const json_t *target)
{
	uint64_t port = ctl_integer(target, "port");
	char text[32] = "";

	if (!json_is_object(target))
		return;
	if (port)
		snprintf(text, sizeof(text), " port %" PRIu64, port);
	ctl_line("checked", "%s at %s%s, %s", ctl_text(target, "type"), ctl_text(target, "address"),
		 text,
		 !strcmp(ctl_text(target, "via"), "tunnel") ? "through the tunnel" : "directly");
}

static void print_drain(const json_t *backend)
{
	const json_t *left = json_object_get(backend, "left");
	const json_t *drain = json_object_get(backend, "drain");
	const char *deadline = ctl_text(drain, "deadline");
	bool passed = json_is_true(json_object_get(drain, "deadline_passed"));

	if (!json_is_object(drain))
		return;
	ctl_line("drain", "%s, since %s, %s%s", ctl_text(drain, "mode"), ctl_text(drain, "began"),
		 !deadline[0] ? "no deadline"
		 : passed     ? "deadline passed: "
			      : "deadline ",
		 deadline);
	ctl_line("left", "%" PRIu64 " flows%s, %" PRIu64 " clients, %" PRIu64 " slots%s",
		 ctl_integer(left, "flows"),
		 json_is_false(json_object_get(left, "complete")) ? " (and some not counted)" : "",
		 ctl_integer(left, "clients"), ctl_integer(left, "slots"),
		 json_is_true(json_object_get(drain, "done")) ? " (no flow is left)" : "");
}

static void print_backend(const struct ctl *ctl, const json_t *backend)
{
	const json_t *next_hop = json_object_get(backend, "next_hop");
	char number[CTL_NUMBER_SIZE], hop[OBJECT_SIZE], reason[CTL_REASON_SIZE];

	hop_text(ctl_text(next_hop, "interface"), ctl_text(next_hop, "mac"),
		 ctl_number(ctl_integer(next_hop, "mtu"), number), hop);
	ctl_line("backend", "%s/%s", ctl_text(backend, "pool"), ctl_text(backend, "name"));
	ctl_line("address", "%s", ctl_text(backend, "address"));
	if (json_is_integer(json_object_get(backend, "port")))
		ctl_line("port", "%" PRIu64, ctl_integer(backend, "port"));
	if (json_is_true(json_object_get(backend, "backup")))
		ctl_line("backup", "yes");
	ctl_line("admin", "%s", ctl_text(backend, "admin"));
	print_drain(backend);
	ctl_line("health", "%s", ctl_text(backend, "health"));
	ctl_line("reason", "%s",
		 ctl_backend_reason(json_object_get(backend, "drain"), ctl_text(backend, "why"),
				    ctl_text(backend, "reason"), reason));
	if (ctl_text(backend, "held_until")[0])
		ctl_line("held down", "until %s (short lives in a row: %" PRIu64 ")",
			 ctl_text(backend, "held_until"), ctl_integer(backend, "short_lives"));
	if (json_is_object(json_object_get(backend, "agent")))
		ctl_line("agent says", "%s", ctl_text(json_object_get(backend, "agent"), "said"));
	ctl_line("since", "%s", ctl_text(backend, "since"));
	print_check_target(json_object_get(backend, "check_target"));
	ctl_line("last check", "%s", ctl_text(backend, "last_check"));
	ctl_line("next hop", "%s", hop[0] ? hop : "none");
	ctl_line("weight", "%" PRIu64 " (effective: %" PRIu64 ")", ctl_integer(backend, "weight"),
		 ctl_integer(backend, "effective_weight"));
	ctl_line("slots", "%" PRIu64 " (fair share: %" PRIu64 ")", ctl_integer(backend, "slots"),
		 ctl_integer(backend, "fair_slots"));
	ctl_line("packets", "%s", ctl_count_field(ctl, backend, "packets", number));
	ctl_line("bytes", "%s", ctl_count_field(ctl, backend, "bytes", number));
	ctl_line("new flows", "%s", ctl_count_field(ctl, backend, "new_flows", number));
	if (ctl_integer(backend, "pins"))
		ctl_line("pinned clients", "%" PRIu64 " (`lbctl client list %s`)",
			 ctl_integer(backend, "pins"), ctl_text(backend, "pool"));
	if (ctl_integer(backend, "nat_refused"))
		ctl_line("no port", "%s new flows were refused: no source port was free",
			 ctl_count_field(ctl, backend, "nat_refused", number));
	ctl_line("etag", "%s", ctl_text(backend, "etag"));
}

int ctl_backend_show(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET"};
	struct ctl_target target;
	json_t *reply;

	if (ctl_target_parse(ctl->arguments[0], &target, fault) != 0)
		return -1;
	ctl_target_path(&target, &request);
	if (ctl_ask_tagged(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_backend(ctl, reply);
	json_decref(reply);
	return 0;
}

/* ---- changes ---- */

/* Takes the body; NULL: none. */
static int change(struct ctl *ctl, const char *method, json_t *body, struct fault *fault)
{
	struct ctl_request request = {.method = method, .body = body};
	struct ctl_target target;
	int error = ctl_target_parse(ctl->arguments[0], &target, fault);

	if (!error) {
		ctl_target_path(&target, &request);
		error = ctl_change(ctl, &request, fault);
	}
	json_decref(body);
	return error;
}

int ctl_backend_add(struct ctl *ctl, struct fault *fault)
{
	json_t *weight, *port = NULL, *body;

	if (parse_number("weight", ctl_value(ctl, "weight"), 0, WEIGHT_MAX, &weight, fault) != 0 ||
	    parse_number("port", ctl_value(ctl, "port"), 1, PORT_MAX, &port, fault) != 0) {
		json_decref(weight);
		return -1;
	}
	body = json_pack("{s:s, s:o*, s:o*}", "address", ctl->arguments[1], "weight", weight,
			 "port", port);
	if (!body)
		return fault_set(fault, FAULT_USAGE, "backend: its address is no UTF-8 text");
	return change(ctl, "POST", body, fault);
}

int ctl_backend_del(struct ctl *ctl, struct fault *fault)
{
	return change(ctl, "DELETE", NULL, fault);
}

int ctl_backend_weight(struct ctl *ctl, struct fault *fault)
{
	json_t *weight;

	if (parse_number("weight", ctl->arguments[1], 0, WEIGHT_MAX, &weight, fault) != 0)
		return -1;
	return change(ctl, "PATCH", json_pack("{s:o}", "weight", weight), fault);
}

int ctl_backend_maint(struct ctl *ctl, struct fault *fault)
{
	return change(ctl, "PATCH", json_pack("{s:s}", "admin", "maint"), fault);
}

int ctl_backend_ready(struct ctl *ctl, struct fault *fault)
{
	return change(ctl, "PATCH", json_pack("{s:s}", "admin", "ready"), fault);
}
