/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_node: `lbctl node ...`. See lbctl.h. */
#include <stdio.h>

#include "lbctl.h"

static void print_addresses(const struct ctl *ctl, const json_t *list)
{
	static const struct ctl_column columns[] = {{"VIP", 0}, {"HELD", CTL_STATE}, {"WHY", 0}};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(item, "address"),
				      json_is_true(json_object_get(item, "held")) ? "yes" : "no",
				      ctl_text(item, "why"),
			      });
	ctl_table_finish(ctl, table);
}

int ctl_node_show(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET", .path = {"node"}};
	const json_t *addresses;
	json_t *reply;

	if (ctl_ask_tagged(ctl, &request, &reply, fault) != 0)
		return -1;
	addresses = json_object_get(reply, "addresses");
	if (!ctl_print_json(ctl, reply)) {
		ctl_line("admin", "%s", ctl_text(reply, "admin"));
		ctl_line("vip", "%s", ctl_text(reply, "vip"));
		ctl_line("etag", "%s", ctl_text(reply, "etag"));
		if (json_array_size(addresses))
			print_addresses(ctl, addresses);
	}
	json_decref(reply);
	return 0;
}

static int change(struct ctl *ctl, const char *admin, struct fault *fault)
{
	struct ctl_request request = {.method = "PATCH", .path = {"node"}};
	json_t *body = json_pack("{s:s}", "admin", admin);
	int error;

	request.body = body;
	error = ctl_change(ctl, &request, fault);
	json_decref(body);
	return error;
}

int ctl_node_drain(struct ctl *ctl, struct fault *fault)
{
	return change(ctl, "drain", fault);
}

int ctl_node_ready(struct ctl *ctl, struct fault *fault)
{
	return change(ctl, "ready", fault);
}
