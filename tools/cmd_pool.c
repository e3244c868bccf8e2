/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_pool: `lbctl pool ...`. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

static void affinity_text(const json_t *pool, char out[CTL_NAME_SIZE])
{
	const json_t *affinity = json_object_get(pool, "affinity");

	if (json_object_get(affinity, "prefix_v4"))
		snprintf(out, CTL_NAME_SIZE, "%s /%" PRIu64 " /%" PRIu64, ctl_text(affinity, "key"),
			 ctl_integer(affinity, "prefix_v4"), ctl_integer(affinity, "prefix_v6"));
	else
		snprintf(out, CTL_NAME_SIZE, "%s", ctl_text(affinity, "key"));
}

static void up_text(const json_t *pool, char out[CTL_NAME_SIZE])
{
	snprintf(out, CTL_NAME_SIZE, "%" PRIu64 "/%" PRIu64, ctl_integer(pool, "backends_up"),
		 ctl_integer(pool, "backend_count"));
}

static void print_list(const struct ctl *ctl, const json_t *pools)
{
	static const struct ctl_column columns[] = {
		{"POOL", 0},
		{"AFFINITY", 0},
		{"FORWARD", 0},
		{"TRACK", CTL_WIDER},
		{"TABLE", CTL_RIGHT},
		{"DIGEST", CTL_WIDER},
		{"UNSETTLED", CTL_RIGHT},
		{"UP", CTL_RIGHT},
		{"SERVICES", CTL_SHRINK},
	};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (pools, i, item) {
		char affinity[CTL_NAME_SIZE], up[CTL_NAME_SIZE];
		char size[CTL_NUMBER_SIZE], unsettled[CTL_NUMBER_SIZE];
		char *services = ctl_join(json_object_get(item, "services"));

		affinity_text(item, affinity);
		up_text(item, up);
		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(item, "name"),
				      affinity,
				      ctl_text(item, "forward"),
				      ctl_text(item, "track"),
				      ctl_number(ctl_integer(item, "table_size"), size),
				      ctl_text(item, "table_digest"),
				      ctl_number(ctl_integer(item, "unsettled_slots"), unsettled),
				      up,
				      services ? services : "",
			      });
		free(services);
	}
	ctl_table_finish(ctl, table);
}

int ctl_pool_list(struct ctl *ctl, struct fault *fault)
{
	const struct ctl_request request = {.method = "GET", .path = {"pools"}};
	json_t *reply;

	if (ctl_ask_shown(ctl, &request, &reply, fault) != 0)
		return -1;
	if (reply)
		print_list(ctl, json_object_get(reply, "pools"));
	json_decref(reply);
	return 0;
}

static void print_backends(const struct ctl *ctl, const json_t *backends)
{
	static const struct ctl_column columns[] = {
		{"BACKEND", 0},         {"ADDRESS", 0},
		{"ADMIN", CTL_STATE},   {"HEALTH", CTL_STATE},
		{"WEIGHT", CTL_RIGHT},  {"EFFECTIVE", CTL_RIGHT},
		{"SLOTS", CTL_RIGHT},   {"FAIR SHARE", CTL_RIGHT},
		{"REASON", CTL_SHRINK},
	};
	struct ctl_table *table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *item;
	size_t i;

	json_array_foreach (backends, i, item) {
		char weight[CTL_NUMBER_SIZE], effective[CTL_NUMBER_SIZE];
		char slots[CTL_NUMBER_SIZE], fair[CTL_NUMBER_SIZE], reason[CTL_REASON_SIZE];

		ctl_table_add(table,
			      (const char *[]){
				      ctl_text(item, "name"),
				      ctl_text(item, "address"),
				      ctl_text(item, "admin"),
				      ctl_text(item, "health"),
				      ctl_number(ctl_integer(item, "weight"), weight),
				      ctl_number(ctl_integer(item, "effective_weight"), effective),
				      ctl_number(ctl_integer(item, "slots"), slots),
				      ctl_number(ctl_integer(item, "fair_slots"), fair),
				      ctl_backend_reason(json_object_get(item, "drain"),
							 ctl_text(item, "why"),
							 ctl_text(item, "reason"), reason),
			      });
	}
	ctl_table_finish(ctl, table);
}

static void print_pool(const struct ctl *ctl, const json_t *pool)
{
	char affinity[CTL_NAME_SIZE], up[CTL_NAME_SIZE], number[CTL_NUMBER_SIZE];
	char *services = ctl_join(json_object_get(pool, "services"));

	affinity_text(pool, affinity);
	up_text(pool, up);
	ctl_line("pool", "%s", ctl_text(pool, "name"));
	ctl_line("services", "%s", services ? services : "");
	ctl_line("mode", "%s", ctl_text(pool, "mode"));
	ctl_line("affinity", "%s", affinity);
	ctl_line("forward", "%s%s", ctl_text(pool, "forward"),
		 json_is_true(json_object_get(pool, "snat")) ? ", snat" : "");
	ctl_line("track", "%s", ctl_text(pool, "track"));
	ctl_line("table size", "%" PRIu64, ctl_integer(pool, "table_size"));
	ctl_line("table digest", "%s", ctl_text(pool, "table_digest"));
	ctl_line("unsettled slots", "%" PRIu64, ctl_integer(pool, "unsettled_slots"));
	ctl_line("tracked flows", "%s", ctl_count_field(ctl, pool, "tracked_flows", number));
	if (!strcmp(ctl_text(pool, "forward"), "nat"))
		ctl_line("NAT flows", "%s", ctl_count_field(ctl, pool, "nat_flows", number));
	ctl_line("clients known", "%s", ctl_count_field(ctl, pool, "clients", number));
	ctl_line("backends up", "%s", up);
	ctl_line("etag", "%s", ctl_text(pool, "etag"));
	putchar('\n');
	print_backends(ctl, json_object_get(pool, "backends"));
	free(services);
}

int ctl_pool_show(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.method = "GET", .path = {"pools", ctl->arguments[0]}};
	json_t *reply;

	if (ctl_ask_tagged(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply)) {
		print_pool(ctl, reply);
		ctl_print_pins(ctl, json_object_get(reply, "pins"));
	}
	json_decref(reply);
	return 0;
}
