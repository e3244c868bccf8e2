/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_tables: the API's lists of flows and clients, and forgetting a client.
 *
 * The tables may hold millions of entries, and the event loop must not wait for that: a request
 * reads some of them, and its answer says where to go on (`next`, to be sent back as `cursor`).
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_call.h"
#include "api_entry.h"
#include "duration.h"
#include "find.h"
#include "pins.h"
#include "log.h"

enum {
	LIMIT_DEFAULT = 1000,
	LIMIT_MAX = 1000000,
	/* What one request reads and tells at most: some 10 ms. */
	READ_MAX = 8 * DATAPLANE_BATCH_MAX,
	FOUND_MAX = DATAPLANE_BATCH_MAX,
};

static struct dataplane *dataplane_of(const struct call *call)
{
	return controller_dataplane(call->state->controller);
}

/* ---- what is asked ---- */

struct filter {
	const struct pool *pool;       /* NULL: any */
	const struct backend *backend; /* NULL: any */
	struct prefix source;          /* family 0: any */
	uint64_t older_ms, younger_ms; /* 0: any */
	size_t limit;
	struct dataplane_cursor cursor;
};

static int bad_parameter(struct call *call, const char *name, const char *what)
{
	return fault_set(&call->fault, FAULT_USAGE, "%s: parameter %s: \"%s\" is no %s",
			 call->request->path, name, call_parameter(call, name), what);
}

static int parse_count(struct call *call, const char *name, size_t most, size_t *out)
{
	char range[64];
	const char *text = call_parameter(call, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (!text)
		return 0;
	*out = digits && digits < 9 && !text[digits] ? strtoul(text, NULL, 10) : 0;
	snprintf(range, sizeof(range), "number from 1 to %zu", most);
	return *out && *out <= most ? 0 : bad_parameter(call, name, range);
}

static int parse_time(struct call *call, const char *name, uint64_t *out)
{
	const char *text = call_parameter(call, name);

	return !text || duration_parse(text, out) ? 0 : bad_parameter(call, name, "time");
}

static int parse_cursor(struct call *call, struct dataplane_cursor *cursor)
{
	const char *text = call_parameter(call, "cursor");
	int end = 0;

	if (!text)
		return 0;
	if (sscanf(text, "%" SCNu32 ".%" SCNu32 "%n", &cursor->table, &cursor->bucket, &end) != 2 ||
	    text[end])
		return bad_parameter(call, "cursor", "answer of a request before");
	return 0;
}

static int parse_source(struct call *call, struct prefix *out)
{
	const char *text = call_parameter(call, "source");
	struct addr addr;

	if (!text || prefix_parse(text, out, NULL) == 0)
		return 0;
	if (addr_parse(text, &addr, NULL) != 0)
		return bad_parameter(call, "source", "address or prefix");
	*out = (struct prefix){.addr = addr, .length = addr.family == 4 ? 32 : 128};
	return 0;
}

/* POOL/NAME. */
static int parse_backend(struct call *call, struct filter *filter)
{
	const char *text = call_parameter(call, "backend"), *slash;
	char pool[MODEL_NAME_SIZE];

	if (!text)
		return 0;
	slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof(pool))
		return bad_parameter(call, "backend", "POOL/NAME");
	snprintf(pool, sizeof(pool), "%.*s", (int)(slash - text), text);
	filter->pool = find_pool(call_model(call), pool, "listing its flows", &call->fault);
	if (!filter->pool)
		return -1;
	filter->backend = find_backend(filter->pool, slash + 1, "listing its flows", &call->fault);
	return filter->backend ? 0 : -1;
}

static int parse_filter(struct call *call, struct filter *filter)
{
	const char *pool = call_parameter(call, "pool");

	*filter = (struct filter){.limit = LIMIT_DEFAULT};
	if (pool) {
		filter->pool = find_pool(call_model(call), pool, "listing its flows", &call->fault);
		if (!filter->pool)
			return -1;
	}
	if (parse_backend(call, filter) != 0 || parse_source(call, &filter->source) != 0 ||
	    parse_time(call, "older", &filter->older_ms) != 0 ||
	    parse_time(call, "younger", &filter->younger_ms) != 0 ||
	    parse_count(call, "limit", LIMIT_MAX, &filter->limit) != 0)
		return -1;
	return parse_cursor(call, &filter->cursor);
}

/* ---- flows ---- */

static bool flow_wanted(const struct filter *filter, const struct dataplane_flow *flow,
			uint32_t now)
{
	const struct prefix *source = &filter->source;
	uint64_t age_ms = api_entry_age_ms(flow->entry.seen, now);
	struct addr masked;

	if ((filter->pool && filter->pool->index != flow->entry.pool) ||
	    (filter->backend && filter->backend->index != flow->entry.backend) ||
	    (filter->older_ms && age_ms < filter->older_ms) ||
	    (filter->younger_ms && age_ms >= filter->younger_ms))
		return false;
	if (!source->addr.family)
		return true;
	if (source->addr.family != flow->source.family)
		return false;
	masked = addr_mask(&flow->source, source->length);
	return addr_equal(&masked, &source->addr);
}

/* ---- lists ---- */

/* What a request has read so far. */
struct listing {
	struct call *call;
	struct filter filter;
	struct api_entry_names names;
	json_t *list;
	bool cut; /* there is more, and the limit is reached */
	size_t read;
};

static bool list_full(const struct listing *listing)
{
	return json_array_size(listing->list) >= listing->filter.limit;
}

/* NULL: an entry that is not wanted. */
typedef json_t *(*list_item)(const struct listing *listing, const void *entry);

static void list_add(struct listing *listing, list_item item, const void *entries, size_t size,
		     int count)
{
	for (int i = 0; i < count && !listing->cut; i++) {
		json_t *json = item(listing, (const char *)entries + (size_t)i * size);

		if (!json)
			continue;
		listing->cut = list_full(listing);
		if (listing->cut)
			json_decref(json);
		else
			json_array_append_new(listing->list, json);
	}
}

static json_t *flow_item(const struct listing *listing, const void *entry)
{
	return flow_wanted(&listing->filter, entry, listing->names.now)
		       ? api_entry_flow(&listing->names, entry)
		       : NULL;
}

static json_t *client_item(const struct listing *listing, const void *entry)
{
	const struct dataplane_client *client = entry;
	const struct pool *pool = listing->filter.pool;

	return client->pool == pool->index ? api_entry_client(&listing->names, pool, client) : NULL;
}

/* 0 or a negative errno. */
static int list_read(struct listing *listing, bool flows)
{
	struct dataplane *dp = dataplane_of(listing->call);
	struct dataplane_cursor *cursor = &listing->filter.cursor;
	const uint32_t end = flows ? DATAPLANE_FLOW_TABLES : DATAPLANE_CLIENT_TABLES;
	const size_t size = flows ? sizeof(struct dataplane_flow) : sizeof(struct dataplane_client);
	void *entries = malloc(size * DATAPLANE_BATCH_MAX);
	int count = entries ? 0 : -ENOMEM;

	while (count >= 0 && cursor->table < end && !listing->cut && listing->read < READ_MAX &&
	       json_array_size(listing->list) < FOUND_MAX) {
		count = flows ? dataplane_flows_read(dp, cursor, entries, DATAPLANE_BATCH_MAX)
			      : dataplane_clients_read(dp, cursor, entries, DATAPLANE_BATCH_MAX);
		list_add(listing, flows ? flow_item : client_item, entries, size, count);
		listing->read += count > 0 ? (size_t)count : 0;
	}
	free(entries);
	return count < 0 ? count : 0;
}

static json_t *next_json(const struct listing *listing, bool flows)
{
	const struct dataplane_cursor *cursor = &listing->filter.cursor;
	char text[32];

	if (listing->cut ||
	    cursor->table >= (flows ? DATAPLANE_FLOW_TABLES : DATAPLANE_CLIENT_TABLES))
		return json_null();
	snprintf(text, sizeof(text), "%" PRIu32 ".%" PRIu32, cursor->table, cursor->bucket);
	return json_string(text);
}

static int list_answer(struct listing *listing, bool flows)
{
	struct call *call = listing->call;
	int err;

	listing->list = json_array();
	err = api_entry_names_make(&listing->names, dataplane_of(call), call_model(call));
	if (!err)
		err = list_read(listing, flows);
	api_entry_names_destroy(&listing->names);
	if (err) {
		json_decref(listing->list);
		return fault_set(&call->fault, fault_code_of_errno(-err),
				 "%s: reading the table: %s", call->request->path, strerror(-err));
	}
	return call_answer(
		call, json_pack("{s:o, s:b, s:o, s:o*}", flows ? "flows" : "clients", listing->list,
				"cut", listing->cut, "next", next_json(listing, flows), "pins",
				flows ? NULL
				      : pins_json(controller_pins(call->state->controller),
						  listing->filter.pool, NULL)));
}

int api_get_flows(struct call *call)
{
	struct listing listing = {.call = call};

	return parse_filter(call, &listing.filter) == 0 ? list_answer(&listing, true) : -1;
}

int api_get_clients(struct call *call)
{
	struct listing listing = {.call = call};

	if (parse_filter(call, &listing.filter) != 0)
		return -1;
	listing.filter.pool =
		find_pool(call_model(call), call->args[0], "listing its clients", &call->fault);
	return listing.filter.pool ? list_answer(&listing, false) : -1;
}

/* ---- forgetting ---- */

/* `unpinned`: a pin of it was ended (or would be), so that there may be no record. */
static int forget(struct call *call, const struct pool *pool, const struct prefix *client,
		  bool unpinned, bool dry_run)
{
	char text[PREFIX_TEXT_SIZE], object[MODEL_NAME_SIZE + PREFIX_TEXT_SIZE];
	int err = dry_run ? 0
			  : dataplane_client_forget(dataplane_of(call), pool->index, &client->addr);

	prefix_format(client, text);
	if (err == -ENOENT && unpinned)
		err = 0;
	if (err == -ENOENT) {
		fault_set(&call->fault, FAULT_NOT_FOUND,
			  "client %s: forgetting it: pool %s does "
			  "not know it",
			  text, pool->name);
		return fault_hint(&call->fault, "`lbctl client list %s` shows whom it knows",
				  pool->name);
	}
	if (err)
		return fault_set(&call->fault, fault_code_of_errno(-err),
				 "client %s: forgetting it: %s", text, strerror(-err));
	snprintf(object, sizeof(object), "%s/%s", pool->name, text);
	if (!dry_run) {
		log_info("%s: forget client %s", call->request->who, object);
		controller_tell_done(call->state->controller, call->request->who, "forget client",
				     object, unpinned ? "its pin is over" : "");
	}
	return call_answer(call, json_pack("{s:b, s:[{s:s, s:s, s:s}]}", "dry_run", dry_run,
					   "changes", "change", "forget client", "object", object,
					   "detail", unpinned ? "its pin is over" : ""));
}

int api_forget_client(struct call *call)
{
	const struct pool *pool =
		find_pool(call_model(call), call->args[0], "forgetting a client", &call->fault);
	struct pins *pins = controller_pins(call->state->controller);
	struct pin_request unpin = {.address = call->args[1], .who = call->request->who};
	struct prefix client;
	json_t *report;
	const char *why;
	bool dry_run, pinned;

	if (!pool || call_flag(call, "dry_run", &dry_run) != 0)
		return -1;
	if (addr_parse(call->args[1], &client.addr, &why) != 0)
		return fault_set(&call->fault, FAULT_USAGE, "client \"%s\": bad address: %s",
				 call->args[1], why);
	pinned = pins_has(pins, pool, &client.addr);
	if (pinned) {
		unpin.pool = pool->name;
		unpin.dry_run = dry_run;
		if (pins_set(pins, &unpin, &report, &call->fault) != 0)
			return -1;
		json_decref(report);
	}
	client.length = client.addr.family == 4 ? pool->prefix_v4 : pool->prefix_v6;
	client.addr = addr_mask(&client.addr, client.length);
	return forget(call, pool, &client, pinned, dry_run);
}
