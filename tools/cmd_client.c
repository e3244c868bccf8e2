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

/* ---- pins ---- */

void ctl_print_pins(const struct ctl *ctl, const json_t *pins)
{
	static const struct ctl_column columns[] = {{"PINNED CLIENT", 0},
						    {"BACKEND", 0},
						    {"LEFT", CTL_RIGHT},
						    {"IN EFFECT", CTL_STATE}};
	struct ctl_table *table;
	const json_t *pin;
	size_t i;

	if (!json_array_size(pins))
		return;
	putchar('\n');
	table = ctl_table_create(columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach (pins, i, pin) {
		char left[CTL_NUMBER_SIZE + 2], number[CTL_NUMBER_SIZE];

		snprintf(left, sizeof(left), "%s s",
			 ctl_number(ctl_integer(pin, "left_s"), number));
		ctl_table_add(table, (const char *[]){
					     ctl_text(pin, "client"),
					     ctl_text(pin, "backend"),
					     left,
					     json_is_true(json_object_get(pin, "in_effect"))
						     ? "yes"
						     : "no: it takes no new flows",
				     });
	}
	ctl_table_finish(ctl, table);
}

int ctl_client_pin(struct ctl *ctl, struct fault *fault)
{
	const char *backend = ctl->arguments[2], *slash = strchr(backend, '/');
	const size_t size = strlen(ctl->arguments[0]);
	struct ctl_request request = {
		.method = "PUT",
		.path = {"pools", ctl->arguments[0], "clients", ctl->arguments[1], "pin"}};
	json_t *body;
	int error;

	if (!ctl_value(ctl, "for")) {
		fault_set(fault, FAULT_USAGE, "client pin: for how long?");
		return fault_hint(fault, "--for 10m");
	}
	/* POOL/NAME, too, where it is that pool. */
	if (slash && (size_t)(slash - backend) == size &&
	    !strncmp(backend, ctl->arguments[0], size))
		backend = slash + 1;
	body = json_pack("{s:s, s:s}", "backend", backend, "for", ctl_value(ctl, "for"));
	request.body = body;
	error = ctl_change(ctl, &request, fault);
	json_decref(body);
	return error;
}

int ctl_client_unpin(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {
		.method = "DELETE",
		.path = {"pools", ctl->arguments[0], "clients", ctl->arguments[1], "pin"}};

	return ctl_change(ctl, &request, fault);
}
