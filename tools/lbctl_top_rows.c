/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_top_rows: what stands in the columns of `lbctl top`, which items are shown, and in which
 * order; and the lines above. Knows the fields of answers; nothing of terminals.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl_top.h"

/* ---- cells ---- */

static const char *scaled(const struct ctl *ctl, const json_t *object, const char *field,
			  char out[CTL_NUMBER_SIZE])
{
	const json_t *value = json_object_get(object, field);

	if (!json_is_number(value))
		return "-";
	return ctl_count(ctl, (uint64_t)(json_number_value(value) + 0.5), out);
}

static double number(const json_t *object, const char *field)
{
	return json_number_value(json_object_get(object, field));
}

#define TEXT_FIELD(name, field)                                                                    \
	static void name(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])       \
	{                                                                                          \
		(void)ctl;                                                                         \
		snprintf(out, TOP_CELL_SIZE, "%s", ctl_text(item, field));                         \
	}
#define NUMBER_FIELD(name, field)                                                                  \
	static void name(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])       \
	{                                                                                          \
		char text[CTL_NUMBER_SIZE];                                                        \
		snprintf(out, TOP_CELL_SIZE, "%s", scaled(ctl, item, field, text));                \
	}                                                                                          \
	static double name##_key(const json_t *item)                                               \
	{                                                                                          \
		return number(item, field);                                                        \
	}

TEXT_FIELD(name_text, "name")
TEXT_FIELD(pool_text, "pool")
TEXT_FIELD(admin_text, "admin")
TEXT_FIELD(health_text, "health")
TEXT_FIELD(mode_text, "mode")
TEXT_FIELD(forward_text, "forward")
NUMBER_FIELD(packets, "packets_per_s")
NUMBER_FIELD(bits, "bits_per_s")
NUMBER_FIELD(new_flows, "new_flows_per_s")
NUMBER_FIELD(table, "table_size")
NUMBER_FIELD(unsettled, "unsettled_slots")
NUMBER_FIELD(tracked, "tracked_flows")
NUMBER_FIELD(clients, "clients")

static void backend_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	snprintf(out, TOP_CELL_SIZE, "%s/%s", ctl_text(item, "pool"), ctl_text(item, "name"));
}

static void weight_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	uint64_t weight = ctl_integer(item, "weight"),
		 effective = ctl_integer(item, "effective_weight");

	(void)ctl;
	if (weight == effective)
		snprintf(out, TOP_CELL_SIZE, "%" PRIu64, weight);
	else
		snprintf(out, TOP_CELL_SIZE, "%" PRIu64 "/%" PRIu64, effective, weight);
}

static double weight_key(const json_t *item)
{
	return number(item, "effective_weight");
}

static void slots_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	snprintf(out, TOP_CELL_SIZE, "%" PRIu64 "/%" PRIu64, ctl_integer(item, "slots"),
		 ctl_integer(item, "fair_slots"));
}

static double slots_key(const json_t *item)
{
	return number(item, "slots");
}

/* What a draining backend has still: flows, clients, slots. */
static void left_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	const json_t *left = json_object_get(item, "left");
	char flows[CTL_NUMBER_SIZE], known[CTL_NUMBER_SIZE], slots[CTL_NUMBER_SIZE];

	out[0] = '\0';
	if (json_is_object(left))
		snprintf(out, TOP_CELL_SIZE, "%s fl %s cl %s sl", scaled(ctl, left, "flows", flows),
			 scaled(ctl, left, "clients", known), scaled(ctl, left, "slots", slots));
}

static double left_key(const json_t *item)
{
	const json_t *left = json_object_get(item, "left");

	return json_is_object(left) ? number(left, "flows") + number(left, "clients") : -1;
}

static void why_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	char reason[CTL_REASON_SIZE];

	(void)ctl;
	snprintf(out, TOP_CELL_SIZE, "%s",
		 ctl_backend_reason(json_object_get(item, "drain"), ctl_text(item, "why"),
				    ctl_text(item, "reason"), reason));
}

static void pool_up_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	snprintf(out, TOP_CELL_SIZE, "%" PRIu64 "/%" PRIu64, ctl_integer(item, "backends_up"),
		 ctl_integer(item, "backend_count"));
}

static void service_up_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	snprintf(out, TOP_CELL_SIZE, "%" PRIu64 "/%" PRIu64, ctl_integer(item, "backends_up"),
		 ctl_integer(item, "backends"));
}

static double up_key(const json_t *item)
{
	return number(item, "backends_up");
}

static void list_text(const json_t *list, char out[TOP_CELL_SIZE])
{
	char *text = json_is_array(list) ? ctl_join(list) : NULL;

	snprintf(out, TOP_CELL_SIZE, "%s",
		 text                   ? text
		 : json_is_string(list) ? json_string_value(list)
					: "");
	free(text);
}

static void listen_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	list_text(json_object_get(item, "listen"), out);
}

static void services_text(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE])
{
	(void)ctl;
	list_text(json_object_get(item, "services"), out);
}

/* ---- columns ---- */

static const struct top_column backend_columns[] = {
	{"BACKEND", CTL_SHRINK, 0, 'N', false, backend_text, NULL},
	{"ADMIN", CTL_STATE, 3, 'A', false, admin_text, NULL},
	{"HEALTH", CTL_STATE, 1, 'H', false, health_text, NULL},
	{"WEIGHT", CTL_RIGHT, 5, 'W', true, weight_text, weight_key},
	{"SLOTS/FAIR", CTL_RIGHT, 4, 'S', true, slots_text, slots_key},
	{"PACKETS/S", CTL_RIGHT, 0, 'P', true, packets, packets_key},
	{"BIT/S", CTL_RIGHT, 2, 'B', true, bits, bits_key},
	{"NEW/S", CTL_RIGHT, 6, 'F', true, new_flows, new_flows_key},
	{"LEFT", CTL_RIGHT, 7, 'L', true, left_text, left_key},
	{"REASON", CTL_SHRINK, 8, 0, false, why_text, NULL},
};

static const struct top_column pool_columns[] = {
	{"POOL", CTL_SHRINK, 0, 'N', false, name_text, NULL},
	{"UP", CTL_RIGHT, 1, 'U', false, pool_up_text, up_key},
	{"MODE", CTL_STATE, 6, 'M', false, mode_text, NULL},
	{"FORWARD", 0, 9, 0, false, forward_text, NULL},
	{"TABLE", CTL_RIGHT, 8, 'T', true, table, table_key},
	{"UNSETTLED", CTL_RIGHT, 3, 'S', true, unsettled, unsettled_key},
	{"TRACKED", CTL_RIGHT, 4, 'L', true, tracked, tracked_key},
	{"CLIENTS", CTL_RIGHT, 5, 'C', true, clients, clients_key},
	{"PACKETS/S", CTL_RIGHT, 0, 'P', true, packets, packets_key},
	{"BIT/S", CTL_RIGHT, 2, 'B', true, bits, bits_key},
	{"NEW/S", CTL_RIGHT, 7, 'F', true, new_flows, new_flows_key},
	{"SERVICES", CTL_SHRINK, 10, 0, false, services_text, NULL},
};

static const struct top_column service_columns[] = {
	{"SERVICE", CTL_SHRINK, 0, 'N', false, name_text, NULL},
	{"POOL", 0, 3, 'O', false, pool_text, NULL},
	{"UP", CTL_RIGHT, 1, 'U', false, service_up_text, up_key},
	{"PACKETS/S", CTL_RIGHT, 0, 'P', true, packets, packets_key},
	{"BIT/S", CTL_RIGHT, 2, 'B', true, bits, bits_key},
	{"NEW/S", CTL_RIGHT, 4, 'F', true, new_flows, new_flows_key},
	{"LISTENS ON", CTL_SHRINK, 5, 0, false, listen_text, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name; /* also the field of the answer */
	const struct top_column *columns;
	size_t count;
} views[TOP_VIEW_COUNT] = {
	[TOP_BACKENDS] = {"backends", backend_columns, COUNT(backend_columns)},
	[TOP_POOLS] = {"pools", pool_columns, COUNT(pool_columns)},
	[TOP_SERVICES] = {"services", service_columns, COUNT(service_columns)},
};

const char *top_view_name(enum top_view view)
{
	return views[view].name;
}

enum top_view top_view_parse(const char *word)
{
	enum top_view view = TOP_BACKENDS;

	while (view < TOP_VIEW_COUNT && strcmp(word, views[view].name) != 0)
		view++;
	return view;
}

const struct top_column *top_columns(enum top_view view, size_t *count)
{
	*count = views[view].count;
	return views[view].columns;
}

size_t top_column_find(enum top_view view, const char *title)
{
	size_t i = 0;

	while (i < views[view].count && strcasecmp(title, views[view].columns[i].title) != 0)
		i++;
	return i;
}

size_t top_column_of(enum top_view view, char letter)
{
	size_t i = 0;

	while (i < views[view].count && views[view].columns[i].letter != letter)
		i++;
	return i;
}

/* ---- which, and in which order ---- */

static bool contains(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

/* Whether a service that leads to the pool has it in its name. */
static bool service_contains(const json_t *answer, const char *pool, const char *part)
{
	const json_t *service;
	size_t i;

	json_array_foreach (json_object_get(answer, "services"), i, service)
		if (!strcmp(ctl_text(service, "pool"), pool) &&
		    contains(ctl_text(service, "name"), part))
			return true;
	return false;
}

static bool wanted(const json_t *answer, const json_t *item, const struct top_order *order)
{
	static const char *const fields[] = {"name", "pool", "admin", "health", "address", "mode"};
	const char *part = order->filter;
	char name[TOP_CELL_SIZE];

	if (!part[0])
		return true;
	for (size_t i = 0; i < COUNT(fields); i++)
		if (contains(ctl_text(item, fields[i]), part))
			return true;
	backend_text(NULL, item, name);
	return contains(name, part) ||
	       service_contains(answer, ctl_text(item, order->view == TOP_POOLS ? "name" : "pool"),
				part);
}

struct sorting {
	const struct ctl *ctl;
	const struct top_column *column, *name;
	bool down;
};

static int by_text(const struct sorting *sorting, const struct top_column *column, const json_t *a,
		   const json_t *b)
{
	char text_a[TOP_CELL_SIZE], text_b[TOP_CELL_SIZE];

	column->text(sorting->ctl, a, text_a);
	column->text(sorting->ctl, b, text_b);
	return strcmp(text_a, text_b);
}

/* Equals stay in the order of their names, so that they do not jump. */
static int compare(const void *one, const void *other, void *context)
{
	const json_t *a = *(const json_t *const *)one, *b = *(const json_t *const *)other;
	const struct sorting *sorting = context;
	int order;

	if (sorting->column->key) {
		double key_a = sorting->column->key(a), key_b = sorting->column->key(b);

		order = key_a < key_b ? -1 : key_a > key_b;
	} else {
		order = by_text(sorting, sorting->column, a, b);
	}
	if (order)
		return sorting->down ? -order : order;
	return by_text(sorting, sorting->name, a, b);
}

const json_t **top_select(const struct ctl *ctl, const json_t *answer,
			  const struct top_order *order, size_t *count)
{
	const json_t *list = json_object_get(answer, views[order->view].name), *item;
	const json_t **items = calloc(json_array_size(list) + 1, sizeof(*items));
	const struct top_column *columns = views[order->view].columns;
	struct sorting sorting = {.ctl = ctl,
				  .column = &columns[order->column],
				  .name = &columns[0],
				  .down = columns[order->column].downward != order->reversed};
	size_t i;

	*count = 0;
	if (!items)
		return NULL;
	json_array_foreach (list, i, item)
		if (wanted(answer, item, order))
			items[(*count)++] = item;
	qsort_r(items, *count, sizeof(*items), compare, &sorting);
	return items;
}

/* ---- the lines above ---- */

static void interfaces_text(const json_t *status, char out[TOP_CELL_SIZE])
{
	const json_t *item;
	size_t i, used = 0;

	snprintf(out, TOP_CELL_SIZE, "no interface");
	json_array_foreach (json_object_get(status, "interfaces"), i, item)
		if (used < TOP_CELL_SIZE)
			used += (size_t)snprintf(out + used, TOP_CELL_SIZE - used, "%s%s %s",
						 i ? ", " : "", ctl_text(item, "interface"),
						 ctl_text(item, "mode"));
}

/* The verdicts that drop packets now. */
static void drops_text(const struct ctl *ctl, const json_t *answer, char out[TOP_CELL_SIZE])
{
	const json_t *item;
	size_t i, used = 0;

	out[0] = '\0';
	json_array_foreach (json_object_get(answer, "drops"), i, item) {
		char text[CTL_NUMBER_SIZE];

		if (number(item, "packets_per_s") < 0.5 || used >= TOP_CELL_SIZE)
			continue;
		used += (size_t)snprintf(out + used, TOP_CELL_SIZE - used, "%s%s %s",
					 used ? ", " : " (", ctl_text(item, "verdict"),
					 scaled(ctl, item, "packets_per_s", text));
	}
	if (used && used + 1 < TOP_CELL_SIZE)
		strcat(out, ")");
}

static void uptime_text(uint64_t seconds, char out[CTL_NUMBER_SIZE])
{
	unsigned days = (unsigned)(seconds / 86400);

	if (days)
		snprintf(out, CTL_NUMBER_SIZE, "%ud%02uh", days, (unsigned)(seconds / 3600 % 24));
	else
		snprintf(out, CTL_NUMBER_SIZE, "%u:%02u:%02u", (unsigned)(seconds / 3600),
			 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

void top_head(const struct ctl *ctl, const json_t *answer, char out[TOP_HEAD_LINES][TOP_CELL_SIZE])
{
	const json_t *status = json_object_get(answer, "status");
	const json_t *totals = json_object_get(answer, "totals");
	const json_t *flows = json_object_get(status, "flow_table");
	const json_t *known = json_object_get(status, "client_table");
	char up[CTL_NUMBER_SIZE], text[5][CTL_NUMBER_SIZE];
	char interfaces[TOP_CELL_SIZE], drops[TOP_CELL_SIZE], pins[64] = "";
	size_t pinned = json_array_size(json_object_get(status, "pins"));

	/* First, where a narrow terminal shows it, too. */
	if (pinned)
		snprintf(pins, sizeof(pins), "pinned clients: %zu  ", pinned);
	uptime_text(ctl_integer(status, "uptime_s"), up);
	interfaces_text(status, interfaces);
	drops_text(ctl, answer, drops);
	snprintf(out[0], TOP_CELL_SIZE,
		 "lbd %s  up %s  %.100s  backends up: %" PRIu64 " of %" PRIu64,
		 ctl_text(status, "version"), up, interfaces, ctl_integer(status, "backends_up"),
		 ctl_integer(status, "backends"));
	snprintf(out[1], TOP_CELL_SIZE,
		 "packets/s: %s  bit/s: %s  new flows/s: %s  dropped/s: %s%.150s",
		 scaled(ctl, totals, "packets_per_s", text[0]),
		 scaled(ctl, totals, "bits_per_s", text[1]),
		 scaled(ctl, totals, "new_flows_per_s", text[2]),
		 scaled(ctl, totals, "drops_per_s", text[3]), drops);
	snprintf(out[2], TOP_CELL_SIZE,
		 "%sunsettled slots: %s  flow entries: %s of %s  clients: %s of %s", pins,
		 scaled(ctl, totals, "unsettled_slots", text[0]),
		 scaled(ctl, flows, "entries", text[1]), scaled(ctl, flows, "limit", text[2]),
		 scaled(ctl, known, "entries", text[3]), scaled(ctl, known, "limit", text[4]));
}
