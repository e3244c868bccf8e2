/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_client: `lbctl client ...`. See lbctl.h. */
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

static void print_clients(const struct ctl *ctl, const json_t *list)
{
	static const struct ctl_column columns[] = {
		{"CLIENT", 0},       {"BACKEND", 0},       {"OLD FLOWS WITH", 0}, {"UNSETTLED", 0},
		{"IDLE", CTL_RIGHT}, {"KNOWN", CTL_WIDER}, {"LIVE", CTL_WIDER},
	};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		char idle[CTL_NUMBER_SIZE];

		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(item, "address"),
				      ctl_text(item, "owner"),
				      ctl_text(item, "fallback"),
				      json_is_true(json_object_get(item, "changed")) ? "yes" : "no",
				      ctl_number(ctl_integer(item, "idle_s"), idle),
				      json_is_true(json_object_get(item, "known")) ? "yes" : "no",
				      json_is_true(json_object_get(item, "live")) ? "yes" : "no",
			      });
	}
	ctl_table_finish(ctl, table);
}

int ctl_client_list(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET",
				      .path = {"pools", ctl->arguments[0], "clients"}};

	return ctl_list(ctl, &request, 0, "clients", print_clients, fault);
}

int ctl_client_forget(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "DELETE",
				      .path = {"pools", ctl->arguments[0], "clients"}};
	char address[128];

	/* As the list shows it, with its prefix length; that is the pool's in any case. */
	snprintf(address, sizeof(address), "%.*s", (int)strcspn(ctl->arguments[1], "/"),
		 ctl->arguments[1]);
	request.path[3] = address;
	return ctl_change(ctl, &request, fault);
}
