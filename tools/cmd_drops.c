/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_drops: `lbctl drops`. See lbctl.h. */
#include <stdio.h>
#include <stdlib.h>

#include "lbctl.h"

struct verdict {
	const json_t *item;
	size_t place; /* in lbd's order */
};

/* Those with most packets first; the others in lbd's order. */
static int compare(const void *one, const void *other)
{
	const struct verdict *a = one, *b = other;
	uint64_t packets_a = ctl_integer(a->item, "packets");
	uint64_t packets_b = ctl_integer(b->item, "packets");

	if (packets_a != packets_b)
		return packets_a > packets_b ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static void print_drops(const struct ctl *ctl, const json_t *list)
{
	static const struct ctl_column columns[] = {
		{"VERDICT", 0},       {"ACTION", CTL_WIDER},   {"PACKETS", CTL_RIGHT},
		{"BYTES", CTL_RIGHT}, {"MEANING", CTL_SHRINK},
	};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const size_t count = json_array_size(list);
	struct verdict verdicts[count + 1];
	size_t i;

	for (i = 0; i < count; i++)
		verdicts[i] = (struct verdict){json_array_get(list, i), i};
	qsort(verdicts, count, sizeof(verdicts[0]), compare);
	for (i = 0; i < count; i++) {
		char packets[CTL_NUMBER_SIZE], bytes[CTL_NUMBER_SIZE];

		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(verdicts[i].item, "verdict"),
				      ctl_text(verdicts[i].item, "action"),
				      ctl_count_field(ctl, verdicts[i].item, "packets", packets),
				      ctl_count_field(ctl, verdicts[i].item, "bytes", bytes),
				      ctl_text(verdicts[i].item, "meaning"),
			      });
	}
	ctl_table_finish(ctl, table);
}

int ctl_drops(struct ctl *ctl, struct fault *fault)
{
	const struct ctl_request request = {
		.method = "GET",
		.path = {"drops"},
		.query = {{"all", ctl->output == CTL_WIDE ? "1" : NULL}}};
	json_t *reply;

	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_drops(ctl, json_object_get(reply, "drops"));
	json_decref(reply);
	return 0;
}
