/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client_record: what happened to the flows, and the report of it, in JSON. It judges nothing: what
 * was allowed to break is for judge.py to find, which knows what was done to the backends.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

enum { MARKS_MAX = 64 };

static const char *const cause_names[CAUSE_COUNT] = {
	[CAUSE_RESET] = "reset",           [CAUSE_CLOSED] = "closed",
	[CAUSE_TIMEOUT] = "timeout",       [CAUSE_REFUSED] = "refused",
	[CAUSE_WRONG_DATA] = "wrong data", [CAUSE_CHANGED] = "changed backend",
	[CAUSE_OTHER] = "other",
};

/* Both breaks and moves. */
struct happening {
	uint64_t t_ms;
	const struct group *group;
	uint32_t source;
	enum cause cause;
	int from, to;
	uint64_t answer_ms; /* the last one */
	uint64_t opened_ms;
	uint64_t quiet_ms;
};

struct list {
	struct happening *items;
	size_t count, room;
};

struct arrival {
	uint64_t t_ms;
	int backend;
};

struct mark {
	uint64_t t_ms;
	char name[64];
	struct group groups[GROUPS_MAX]; /* as they were */
	uint32_t clients[BACKENDS_MAX];  /* that come again, by the backend of their last answer */
};

static char backends[BACKENDS_MAX][MESSAGE_NAME_SIZE];
static int backend_count;
static struct list breaks, moves;
static struct arrival *arrivals;
static size_t arrival_count, arrival_room;
static struct mark marks[MARKS_MAX];
static size_t mark_count;

/* A client that comes again, and came. */
static bool is_known_client(const struct flow *flow)
{
	return flow->group->asks && !flow->group->fresh && flow->last_backend != NO_BACKEND;
}

int record_backend_find(const char *name)
{
	for (int i = 0; i < backend_count; i++) {
		if (strcmp(backends[i], name) == 0)
			return i;
	}
	return NO_BACKEND;
}

int record_backend(const char *name)
{
	int known = record_backend_find(name);

	if (known != NO_BACKEND)
		return known;
	if (backend_count == BACKENDS_MAX)
		client_die("too many names of backends");
	snprintf(backends[backend_count], MESSAGE_NAME_SIZE, "%s", name);
	return backend_count++;
}

void record_mark(const char *name)
{
	struct mark *mark = &marks[mark_count];

	if (mark_count == MARKS_MAX)
		client_die("too many marks");
	mark->t_ms = now_ms;
	snprintf(mark->name, sizeof(mark->name), "%s", name);
	memcpy(mark->groups, groups, sizeof(groups));
	for (uint32_t i = 0; i < flow_count; i++)
		if (is_known_client(&flows[i]))
			mark->clients[flows[i].last_backend]++;
	mark_count++;
}

/* ---- what happens ---- */

static void *with_room(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? *room * 2 : 1024;
	items = reallocarray(items, *room, size);
	if (!items)
		client_die("recording");
	return items;
}

static void list_add(struct list *list, const struct happening *item)
{
	list->items = with_room(list->items, list->count, &list->room, sizeof(*item));
	list->items[list->count++] = *item;
}

static struct happening happening(const struct flow *flow, int from, int to)
{
	return (struct happening){.t_ms = now_ms,
				  .group = flow->group,
				  .source = flow->source,
				  .from = from,
				  .to = to,
				  .answer_ms = flow->answer_ms,
				  .opened_ms = flow->opened_ms,
				  .quiet_ms = flow->quiet_ms};
}

void record_break(const struct flow *flow, enum cause cause, int to)
{
	struct happening item = happening(flow, flow->backend, to);

	item.cause = cause;
	list_add(&breaks, &item);
}

void record_move(const struct flow *flow, int from, int to)
{
	struct happening item = happening(flow, from, to);

	item.answer_ms = flow->visited_ms;
	item.quiet_ms = now_ms - flow->visited_ms;
	list_add(&moves, &item);
}

void record_arrival(const struct flow *flow, int backend)
{
	(void)flow;
	arrivals = with_room(arrivals, arrival_count, &arrival_room, sizeof(*arrivals));
	arrivals[arrival_count++] = (struct arrival){.t_ms = now_ms, .backend = backend};
}

size_t record_arrivals(void)
{
	return arrival_count;
}

size_t record_breaks(void)
{
	return breaks.count;
}

/* ---- the report ---- */

static void write_source(FILE *out, const struct group *group, uint32_t n)
{
	struct sockaddr_storage address;
	char text[INET6_ADDRSTRLEN];
	const void *bytes;

	group_source(group, n, &address);
	bytes = address.ss_family == AF_INET6
			? (const void *)&((struct sockaddr_in6 *)&address)->sin6_addr
			: (const void *)&((struct sockaddr_in *)&address)->sin_addr;
	fprintf(out, "\"%s\"", inet_ntop(address.ss_family, bytes, text, sizeof(text)));
}

static void write_backend(FILE *out, const char *key, int backend)
{
	if (backend == NO_BACKEND)
		fprintf(out, ", \"%s\": null", key);
	else
		fprintf(out, ", \"%s\": \"%s\"", key, backends[backend]);
}

static void write_list(FILE *out, const char *name, const struct list *list, bool with_cause)
{
	fprintf(out, " \"%s\": [", name);
	for (size_t i = 0; i < list->count; i++) {
		const struct happening *item = &list->items[i];

		fprintf(out, "%s\n  {\"t\": %lu, \"group\": \"%s\", \"source\": ", i ? "," : "",
			item->t_ms, item->group->name);
		write_source(out, item->group, item->source);
		if (with_cause)
			fprintf(out, ", \"cause\": \"%s\"", cause_names[item->cause]);
		write_backend(out, "from", item->from);
		write_backend(out, "to", item->to);
		fprintf(out, ", \"last_answer\": %lu, \"opened\": %lu, \"quiet_ms\": %lu}",
			item->answer_ms, item->opened_ms, item->quiet_ms);
	}
	fprintf(out, "],\n");
}

static void write_groups(FILE *out, const struct group *some)
{
	fputc('{', out);
	for (uint32_t i = 0; i < group_count; i++)
		fprintf(out,
			"%s\"%s\": {\"proto\": \"%s\", \"count\": %u, \"asks\": %u, \"fresh\": %s, "
			"\"live\": %u, \"opened\": %lu, \"answers\": %lu, \"lost\": %lu}",
			i ? ", " : "", some[i].name, some[i].udp ? "udp" : "tcp", some[i].count,
			some[i].asks, some[i].fresh ? "true" : "false", some[i].live,
			some[i].opened, some[i].answers, some[i].lost);
	fputc('}', out);
}

static void write_marks(FILE *out)
{
	fprintf(out, " \"marks\": [");
	for (size_t i = 0; i < mark_count; i++) {
		fprintf(out, "%s\n  {\"t\": %lu, \"name\": \"%s\", \"groups\": ", i ? "," : "",
			marks[i].t_ms, marks[i].name);
		write_groups(out, marks[i].groups);
		fprintf(out, ", \"clients\": {");
		for (int j = 0; j < backend_count; j++)
			fprintf(out, "%s\"%s\": %u", j ? ", " : "", backends[j],
				marks[i].clients[j]);
		fprintf(out, "}}");
	}
	fprintf(out, "],\n");
}

static void write_arrivals(FILE *out)
{
	fprintf(out, " \"arrivals\": [");
	for (size_t i = 0; i < arrival_count; i++)
		fprintf(out, "%s[%lu, \"%s\"]", i ? ", " : "", arrivals[i].t_ms,
			backends[arrivals[i].backend]);
	fprintf(out, "],\n");
}

/* By group, address and last backend: clients that come again. */
static void write_clients(FILE *out)
{
	bool first = true;

	fprintf(out, " \"clients\": [");
	for (uint32_t i = 0; i < flow_count; i++) {
		const struct flow *flow = &flows[i];

		if (!is_known_client(flow))
			continue;
		fprintf(out, "%s[\"%s\", ", first ? "" : ", ", flow->group->name);
		write_source(out, flow->group, flow->source);
		fprintf(out, ", \"%s\", %lu]", backends[flow->last_backend], flow->visited_ms);
		first = false;
	}
	fprintf(out, "]\n");
}

void record_write(FILE *out)
{
	fprintf(out, "{\"t\": %lu, \"groups\": ", now_ms);
	write_groups(out, groups);
	fprintf(out, ",\n");
	write_marks(out);
	write_list(out, "breaks", &breaks, true);
	write_list(out, "moves", &moves, false);
	write_arrivals(out);
	write_clients(out);
	fprintf(out, "}\n");
}
