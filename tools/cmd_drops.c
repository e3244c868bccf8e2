/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_drops: `lbctl drops`. See lbctl.h. */
#include <stdio.h>

#include "lbctl.h"

int ctl_drops(struct ctl *ctl, struct fault *fault)
{
	static const struct ctl_column columns[] = {
		{"VERDICT", 0},       {"ACTION", CTL_WIDER},   {"PACKETS", CTL_RIGHT},
		{"BYTES", CTL_RIGHT}, {"MEANING", CTL_SHRINK},
	};
	const struct ctl_request request = {
		.method = "GET",
		.path = {"drops"},
		.query = {{"all", ctl->output == CTL_WIDE ? "1" : NULL}}};
	struct ctl_table *table;
	const json_t *item;
	json_t *reply;
	size_t i;

	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply)) {
		table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
		json_array_foreach (json_object_get(reply, "drops"), i, item) {
			char packets[CTL_NUMBER_SIZE], bytes[CTL_NUMBER_SIZE];

			ctl_table_add(table, (const char *[]){
						     ctl_text(item, "verdict"),
						     ctl_text(item, "action"),
						     ctl_count_field(ctl, item, "packets", packets),
						     ctl_count_field(ctl, item, "bytes", bytes),
						     ctl_text(item, "meaning"),
					     });
		}
		ctl_table_finish(ctl, table);
	}
	json_decref(reply);
	return 0;
}
