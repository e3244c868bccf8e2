/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* trace_line: see trace_line.h. */
#include "trace_line.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "addr.h"
#include "api_json.h"
#include "dataplane.h"
#include "find.h"

enum { TIME_SIZE = 40, END_SIZE = ADDR_TEXT_SIZE + 8, PROTO_SIZE = 12 };

static const char *time_text(uint64_t unix_ns, char out[TIME_SIZE])
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	struct tm tm;
	size_t used;

	gmtime_r(&seconds, &tm);
	used = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + used, TIME_SIZE - used, ".%06uZ", (unsigned)(unix_ns % 1000000000 / 1000));
	return out;
}

static json_t *begin_line(uint64_t unix_ns)
{
	char text[TIME_SIZE];

	return json_pack("{s:i, s:s}", "schema", API_SCHEMA, "time", time_text(unix_ns, text));
}

static const char *proto_text(const struct lb_trace_event *event, char out[PROTO_SIZE])
{
	switch (event->proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		snprintf(out, PROTO_SIZE, "%u", event->proto);
		return out;
	}
}

/* An address, with a port where there is one. */
static json_t *end_json(uint8_t family, const union lb_addr *ip, __be16 port)
{
	const struct addr addr = {.family = family, .ip = *ip};
	char address[ADDR_TEXT_SIZE], text[END_SIZE];

	addr_format(&addr, address);
	if (!port)
		return json_string(address);
	snprintf(text, sizeof(text), family == 6 ? "[%s]:%u" : "%s:%u", address, ntohs(port));
	return json_string(text);
}

static json_t *flags_json(uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {{LB_TRACE_SYN, "syn"},
		     {LB_TRACE_CLOSING, "fin"},
		     {LB_TRACE_RESET, "rst"},
		     {LB_TRACE_QUOTED, "icmp-error"},
		     {LB_TRACE_FRAGMENT, "fragment"}};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* A reset closes, too, but is no FIN. */
		if (names[i].flag == LB_TRACE_CLOSING && flags & LB_TRACE_RESET)
			continue;
		if (flags & names[i].flag)
			json_array_append_new(list, json_string(names[i].name));
	}
	return list;
}

static void add_flow(json_t *line, const struct lb_trace_event *event)
{
	char proto[PROTO_SIZE];

	json_object_set_new(line, "proto",
			    event->family ? json_string(proto_text(event, proto)) : json_null());
	json_object_set_new(line, "source",
			    event->family
				    ? end_json(event->family, &event->source, event->source_port)
				    : json_null());
	json_object_set_new(line, "destination",
			    event->family ? end_json(event->family, &event->destination,
						     event->destination_port)
					  : json_null());
	json_object_set_new(line, "flags", flags_json(event->flags));
}

static json_t *name_json(const char *name)
{
	return name ? json_string(name) : json_null();
}

static void add_decision(json_t *line, const struct model *model, const struct lb_explanation *said)
{
	const struct service *service = find_service_at(model, said->service);
	const struct pool *pool = find_pool_at(model, said->pool);
	const struct backend *backend = find_backend_at(pool, said->backend);
	char address[ADDR_TEXT_SIZE];

	json_object_set_new(line, "verdict", json_string(dataplane_verdict_name(said->verdict)));
	json_object_set_new(line, "meaning", json_string(dataplane_verdict_text(said->verdict)));
	json_object_set_new(line, "service", name_json(service ? service->name : NULL));
	json_object_set_new(line, "pool", name_json(pool ? pool->name : NULL));
	/* As in api_lookup: a slot that was looked at names somebody. */
	json_object_set_new(line, "slot",
			    pool && said->slot_word ? json_integer(said->slot) : json_null());
	json_object_set_new(line, "backend", name_json(backend ? backend->name : NULL));
	json_object_set_new(line, "address",
			    name_json(backend ? addr_format(&backend->address, address) : NULL));
	json_object_set_new(line, "decided_by", json_string(api_decided_by_name(said->decided_by)));
}

static void add_interface(json_t *line, uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	json_object_set_new(line, "interface", name_json(if_indextoname(ifindex, name)));
}

static void add_frame(json_t *line, const struct lb_trace_event *event, uint64_t unix_ns)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t size = event->captured < LB_TRACE_FRAME ? event->captured : LB_TRACE_FRAME;
	char text[2 * LB_TRACE_FRAME];

	for (uint32_t i = 0; i < size; i++) {
		text[2 * i] = digits[event->frame[i] >> 4];
		text[2 * i + 1] = digits[event->frame[i] & 15];
	}
	json_object_set_new(line, "time_ns", json_integer((json_int_t)unix_ns));
	json_object_set_new(line, "frame", json_stringn(text, 2UL * size));
}

json_t *trace_line_packet(const struct model *model, const struct lb_trace_event *event,
			  uint64_t unix_ns, bool frames)
{
	json_t *line = begin_line(unix_ns + event->time_ns);

	if (!line)
		return NULL;
	add_interface(line, event->ifindex);
	add_flow(line, event);
	json_object_set_new(line, "length", json_integer(event->length));
	add_decision(line, model, &event->said);
	if (frames)
		add_frame(line, event, unix_ns + event->time_ns);
	return line;
}

json_t *trace_line_missed(const struct trace_missed *missed, uint64_t now_ns)
{
	json_t *line = begin_line(now_ns);

	if (!line)
		return NULL;
	json_object_set_new(
		line, "not_shown",
		json_integer((json_int_t)(missed->rate + missed->ring + missed->reader)));
	json_object_set_new(line, "for_rate", json_integer((json_int_t)missed->rate));
	json_object_set_new(line, "for_ring", json_integer((json_int_t)missed->ring));
	json_object_set_new(line, "for_reader", json_integer((json_int_t)missed->reader));
	return line;
}

json_t *trace_line_begin(uint32_t rate, uint64_t now_ns)
{
	json_t *line = begin_line(now_ns);

	if (line)
		json_object_set_new(line, "tracing", json_pack("{s:I}", "rate", (json_int_t)rate));
	return line;
}
