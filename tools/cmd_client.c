/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_client: `lbctl client ...`. See lbctl.h. */
#include <stdio.h>
#include <string.h>

#include "../user/addr.h"
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

/* The address of one client, which the list may show with its whole length. */
static int pinned_address(const char *text, const char *attempt, char out[PREFIX_TEXT_SIZE],
			  struct fault *fault)
{
	size_t size = strcspn(text, "/");
	struct prefix prefix;

	if (text[size] && prefix_parse(text, &prefix, NULL) == 0 &&
	    prefix.length == (prefix.addr.family == 4 ? 32 : 128)) {
		addr_format(&prefix.addr, out);
		return 0;
	}
	if (!text[size] && size < PREFIX_TEXT_SIZE) {
		memcpy(out, text, size + 1);
		return 0;
	}
	fault_set(fault, FAULT_USAGE, "client \"%s\": %s: it is no single address", text, attempt);
	return fault_hint(fault, "a pin is for one address, whatever prefix the pool takes for a "
				 "client");
}

/* POOL/NAME, too, where it is that pool. NULL with the fault. */
static const char *pinned_to(const char *pool, const char *backend, struct fault *fault)
{
	const char *slash = strchr(backend, '/');
	const size_t size = strlen(pool);

	if (!slash)
		return backend;
	if ((size_t)(slash - backend) == size && !strncmp(backend, pool, size))
		return slash + 1;
	fault_set(fault, FAULT_USAGE,
		  "backend %s: pinning a client of pool %s to it: it is none of that pool's",
		  backend, pool);
	fault_hint(fault, "`lbctl backend list %s` shows those", pool);
	return NULL;
}

int ctl_client_pin(struct ctl *ctl, struct fault *fault)
{
	const char *backend = pinned_to(ctl->arguments[0], ctl->arguments[2], fault);
	char address[PREFIX_TEXT_SIZE];
	struct ctl_request request = {
		.method = "PUT", .path = {"pools", ctl->arguments[0], "clients", address, "pin"}};
	json_t *body;
	int error;

	if (!backend || pinned_address(ctl->arguments[1], "pinning it", address, fault) != 0)
		return -1;

	if (!ctl_value(ctl, "for")) {
		fault_set(fault, FAULT_USAGE, "client %s: pinning it: it is not said for how long",
			  ctl->arguments[1]);
		return fault_hint(fault, "--for T, from 1s to 24h: --for 10m");
	}
	body = json_pack("{s:s, s:s}", "backend", backend, "for", ctl_value(ctl, "for"));
	if (!body)
		return fault_set(fault, FAULT_USAGE,
				 "client %s: pinning it: the backend's name is no UTF-8 text",
				 address);
	request.body = body;
	error = ctl_change(ctl, &request, fault);
	json_decref(body);
	return error;
}

int ctl_client_unpin(struct ctl *ctl, struct fault *fault)
{
	char address[PREFIX_TEXT_SIZE];
	struct ctl_request request = {
		.method = "DELETE",
		.path = {"pools", ctl->arguments[0], "clients", address, "pin"}};

	if (pinned_address(ctl->arguments[1], "unpinning it", address, fault) != 0)
		return -1;
	return ctl_change(ctl, &request, fault);
}
