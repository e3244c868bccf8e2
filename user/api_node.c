/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_node: the API's view of the node itself: whether it is drained, and which VIPs it holds
 * (vip.h). Which path comes here is api_routes.c's.
 */
#include <string.h>

#include "api_call.h"
#include "vip.h"
#include "vip_wanted.h"

static const char *state_name(enum node_state state)
{
	return state == NODE_DRAIN ? "drain" : "ready";
}

static json_t *node_json(const struct call *call)
{
	const struct vips *vips = controller_vips(call->state->controller);
	const struct vip_wanted *wanted = vips_wanted(vips);
	json_t *list = json_array();

	for (size_t i = 0; i < wanted->count; i++) {
		const struct vip_want *one = &wanted->items[i];
		char text[ADDR_TEXT_SIZE];

		json_array_append_new(
			list, json_pack("{s:s, s:b, s:b, s:s}", "address",
					addr_format(&one->addr, text), "wanted", !one->why_not[0],
					"held", vips_holds(vips, &one->addr), "why", one->why_not));
	}
	return json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "admin", state_name(vips_node(vips)),
			 "vip",
			 call_model(call)->global.vip == VIP_INTERFACE ? "interface" : "none",
			 "addresses", list);
}

int api_get_node(struct call *call)
{
	return call_answer(call, node_json(call));
}

/* 0, or -1 with a fault. */
static int read_state(struct call *call, enum node_state *state)
{
	const json_t *body = call->request->body;
	const char *admin = json_string_value(json_object_get(body, "admin"));

	if (!admin || json_object_size(body) != 1 ||
	    (strcmp(admin, "drain") != 0 && strcmp(admin, "ready") != 0))
		return fault_set(&call->fault, FAULT_USAGE,
				 "%s: changing it: the body has to be {\"admin\": \"drain\"} or "
				 "\"ready\"",
				 call->request->path);
	*state = strcmp(admin, "drain") == 0 ? NODE_DRAIN : NODE_READY;
	return 0;
}

int api_change_node(struct call *call)
{
	const struct vips *vips = controller_vips(call->state->controller);
	struct controller_request request = {.who = call->request->who};
	json_t *changes = json_array();
	enum node_state state = NODE_READY, before = vips_node(vips);

	if (call_flag(call, "dry_run", &request.dry_run) != 0 || read_state(call, &state) != 0 ||
	    controller_node_set(call->state->controller, state, &request, &call->fault) != 0) {
		json_decref(changes);
		return -1;
	}
	if (state != before)
		json_array_append_new(changes, json_pack("{s:s, s:s, s:s, s:i}", "change",
							 "change node", "object", "admin", "detail",
							 state == NODE_DRAIN ? "ready -> drain"
									     : "drain -> ready",
							 "moved_percent", 0));
	return call_answer(call,
			   json_pack("{s:b, s:o}", "dry_run", request.dry_run, "changes", changes));
}
