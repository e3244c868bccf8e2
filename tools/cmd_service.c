/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_service: `lbctl service ...`. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbctl.h"

static void up_text(const json_t *service, char out[CTL_NAME_SIZE])
{
	snprintf(out, CTL_NAME_SIZE, "%" PRIu64 "/%" PRIu64, ctl_integer(service, "backends_up"),
		 ctl_integer(service, "backends"));
}

enum field {
	FIELD_NAME,
	FIELD_LISTEN,
	FIELD_POOL,
	FIELD_BACKENDS_UP,
	FIELD_BACKENDS,
	FIELD_PACKETS,
	FIELD_BYTES,
	FIELD_NEW_FLOWS,
	FIELD_COUNT
};

static const char *const fields[FIELD_COUNT] = {
	"name", "listen", "pool", "backends_up", "backends", "packets", "bytes", "new_flows",
};

static void add_row(const struct ctl *ctl, const char *const *cells, void *table)
{
	char packets[CTL_NUMBER_SIZE], bytes[CTL_NUMBER_SIZE], flows[CTL_NUMBER_SIZE];
	char up[CTL_NAME_SIZE];

	snprintf(up, sizeof(up), "%s/%s", cells[FIELD_BACKENDS_UP], cells[FIELD_BACKENDS]);
	ctl_table_add(table, (const char *[]){
				     cells[FIELD_NAME],
				     cells[FIELD_LISTEN],
				     cells[FIELD_POOL],
				     up,
				     ctl_count_cell(ctl, cells[FIELD_PACKETS], packets),
				     ctl_count_cell(ctl, cells[FIELD_BYTES], bytes),
				     ctl_count_cell(ctl, cells[FIELD_NEW_FLOWS], flows),
			     });
}

int ctl_service_list(struct ctl *ctl, struct fault *fault)
{
	static const struct ctl_column columns[] = {
		{"SERVICE", 0},           {"LISTEN", CTL_SHRINK}, {"POOL", 0},
		{"UP", CTL_RIGHT},        {"PACKETS", CTL_RIGHT}, {"BYTES", CTL_RIGHT},
		{"NEW FLOWS", CTL_RIGHT},
	};
	struct ctl_request request = {.method = "GET", .path = {"services"}};
	struct ctl_table *table;
	json_t *none;

	if (ctl->output == CTL_JSON)
		return ctl_ask_shown(ctl, &request, &none, fault);
	table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	if (ctl_rows(ctl, &request, 0, fields, FIELD_COUNT, false, add_row, table, fault) != 0) {
		ctl_table_free(table);
		return -1;
	}
	ctl_table_finish(ctl, table);
	return 0;
}

/* Who may open flows, where that is not everyone. */
static void print_sources(const json_t *service)
{
	static const char *const lists[] = {"allow", "deny"};
	const json_t *prefix = json_object_get(service, "new_flow_prefix");
	uint64_t limit = ctl_integer(service, "new_flow_limit");
	uint64_t burst = ctl_integer(service, "new_flow_burst");

	for (size_t i = 0; i < 2; i++) {
		const json_t *list = json_object_get(service, lists[i]);

		if (list)
			ctl_line(lists[i], "%zu %s", json_array_size(list),
				 json_array_size(list) == 1 ? "prefix" : "prefixes");
	}
	if (limit)
		ctl_line("new flow limit",
			 "%" PRIu64 " a second of each /%" PRIu64 " (IPv6: /%" PRIu64 "), %" PRIu64
			 " at once",
			 limit, ctl_integer(prefix, "v4"), ctl_integer(prefix, "v6"),
			 burst ? burst : limit);
}

int ctl_service_show(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET", .path = {"services", ctl->arguments[0]}};
	char number[CTL_NUMBER_SIZE], up[CTL_NAME_SIZE], *listen;
	json_t *reply;

	if (ctl_ask_tagged(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply)) {
		listen = ctl_join(json_object_get(reply, "listen"));
		up_text(reply, up);
		ctl_line("service", "%s", ctl_text(reply, "name"));
		ctl_line("listen", "%s", listen ? listen : "");
		ctl_line("pool", "%s", ctl_text(reply, "pool"));
		ctl_line("backends up", "%s", up);
		print_sources(reply);
		ctl_line("packets", "%s", ctl_count_field(ctl, reply, "packets", number));
		ctl_line("bytes", "%s", ctl_count_field(ctl, reply, "bytes", number));
		ctl_line("new flows", "%s", ctl_count_field(ctl, reply, "new_flows", number));
		ctl_line("etag", "%s", ctl_text(reply, "etag"));
		free(listen);
	}
	json_decref(reply);
	return 0;
}

int ctl_service_add(struct ctl *ctl, struct fault *fault)
{
	const char *affinity = ctl_value(ctl, "affinity");
	struct ctl_request request = {.method = "POST", .path = {"services", ctl->arguments[0]}};
	const char *timeout = ctl_value(ctl, "timeout");
	json_t *keys = affinity || timeout
			       ? json_pack("{s:s*, s:s*}", "key", affinity, "timeout", timeout)
			       : NULL;
	json_t *body = json_pack("{s:s, s:s*, s:s*, s:o*}", "listen", ctl->arguments[1], "pool",
				 ctl_value(ctl, "pool"), "forward", ctl_value(ctl, "forward"),
				 "affinity", keys);
	int error;

	if (!body || ((affinity || timeout) && !keys)) {
		json_decref(body);
		return fault_set(fault, FAULT_USAGE,
				 "service %s: adding it: an argument is no UTF-8 text",
				 ctl->arguments[0]);
	}
	request.body = body;
	error = ctl_change(ctl, &request, fault);
	json_decref(body);
	return error;
}

int ctl_service_del(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "DELETE", .path = {"services", ctl->arguments[0]}};

	return ctl_change(ctl, &request, fault);
}
