/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_lookup: which backend a packet would get, and why, in JSON and in words.
 *
 * The answer is the packet program's own, run on a made packet; here its indices become names and
 * its decision a sentence. Knows model and dataplane; nothing of HTTP.
 */
#include "api_lookup.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api_json.h"

enum { TICK_SHIFT = 30, WORDS_SIZE = 768 };

/* ---- the question ---- */

static int parse_end(const json_t *parameters, const char *name, struct addr *addr, uint16_t *port,
		     struct fault *fault)
{
	const char *text = json_string_value(json_object_get(parameters, name)), *why;

	if (!text) {
		fault_set(fault, FAULT_USAGE, "flow lookup: no %s given", name);
		return fault_hint(fault, "%s=192.0.2.10:443 or %s=[2001:db8::10]:443", name, name);
	}
	if (addr_port_parse(text, addr, port, &why) != 0) {
		fault_set(fault, FAULT_USAGE, "flow lookup: %s \"%s\": %s", name, text, why);
		return fault_hint(fault, "write it as 192.0.2.10:443 or [2001:db8::10]:443");
	}
	return 0;
}

static int parse_proto(const json_t *parameters, uint8_t *proto, struct fault *fault)
{
	const char *text = json_string_value(json_object_get(parameters, "proto"));

	if (text && !strcmp(text, "tcp"))
		*proto = IPPROTO_TCP;
	else if (text && !strcmp(text, "udp"))
		*proto = IPPROTO_UDP;
	else
		return fault_set(fault, FAULT_USAGE,
				 "flow lookup: protocol \"%s\": neither tcp nor udp",
				 text ? text : "");
	return 0;
}

int api_lookup_parse(const json_t *parameters, struct lookup_flow *flow, struct fault *fault)
{
	const char *syn = json_string_value(json_object_get(parameters, "syn"));

	memset(flow, 0, sizeof(*flow));
	if (parse_proto(parameters, &flow->proto, fault) != 0 ||
	    parse_end(parameters, "source", &flow->source, &flow->source_port, fault) != 0 ||
	    parse_end(parameters, "destination", &flow->destination, &flow->destination_port,
		      fault) != 0)
		return -1;
	if (flow->source.family != flow->destination.family)
		return fault_set(fault, FAULT_USAGE,
				 "flow lookup: source and destination are of different families");
	if (syn && strcmp(syn, "0") != 0 && strcmp(syn, "1") != 0)
		return fault_set(fault, FAULT_USAGE, "flow lookup: syn \"%s\": neither 0 nor 1",
				 syn);
	flow->syn = !syn || syn[0] == '1';
	return 0;
}

/* ---- indices to objects; index 0 is none ---- */

static const struct service *service_at(const struct model *model, uint32_t index)
{
	for (size_t i = 0; index && i < model->service_count; i++)
		if (model->services[i]->index == index)
			return model->services[i];
	return NULL;
}

static const struct pool *pool_at(const struct model *model, uint32_t index)
{
	for (size_t i = 0; index && i < model->pool_count; i++)
		if (model->pools[i]->index == index)
			return model->pools[i];
	return NULL;
}

static const struct backend *backend_at(const struct pool *pool, uint32_t index)
{
	for (size_t i = 0; index && pool && i < pool->backend_count; i++)
		if (pool->backends[i]->index == index)
			return pool->backends[i];
	return NULL;
}

/* ---- words ---- */

struct words {
	char text[WORDS_SIZE];
	size_t used;
};

/* Adds a clause behind "; ". */
__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list args;
	int size;

	if (words->used && words->used + 2 < sizeof(words->text)) {
		memcpy(words->text + words->used, "; ", 3);
		words->used += 2;
	}
	va_start(args, format);
	size = vsnprintf(words->text + words->used, sizeof(words->text) - words->used, format,
			 args);
	va_end(args);
	words->used += size > 0 ? (size_t)size : 0;
	if (words->used >= sizeof(words->text))
		words->used = sizeof(words->text) - 1;
}

/* Of the service's listeners that cover the flow the one that the program takes: the narrowest. */
static const struct endpoint *matched(const struct service *service, const struct lookup_flow *flow)
{
	const struct endpoint *best = NULL;

	for (size_t i = 0; i < service->listen_count; i++) {
		const struct endpoint *listen = &service->listen[i];

		if (listen->proto != flow->proto || flow->destination_port < listen->port_first ||
		    flow->destination_port > listen->port_last ||
		    !addr_equal(&listen->addr, &flow->destination))
			continue;
		if (!best ||
		    listen->port_last - listen->port_first < best->port_last - best->port_first)
			best = listen;
	}
	return best;
}

static const char *flow_kind(const struct lookup_flow *flow)
{
	if (flow->proto == IPPROTO_UDP)
		return "UDP packet";
	return flow->syn ? "new flow (SYN)" : "packet of an established flow";
}

/* What is known of the packet and its slot, found while answering. */
struct answer {
	const struct service *service;
	const struct pool *pool;
	const struct backend *backend, *owner, *fallback;
	bool has_slot;
};

static const char *name_or_none(const struct backend *backend)
{
	return backend ? backend->name : "no backend";
}

static void say_slot(struct words *words, const struct answer *answer,
		     const struct lb_explanation *said)
{
	if (!answer->has_slot)
		return;
	if (said->slot_word & LB_SLOT_CHANGED)
		say(words, "slot %u owned by %s, unsettled, established flows belong to %s",
		    said->slot, name_or_none(answer->owner), name_or_none(answer->fallback));
	else
		say(words, "slot %u owned by %s, settled", said->slot, name_or_none(answer->owner));
}

static void say_decision(struct words *words, const struct answer *answer,
			 const struct lookup_flow *flow, const struct lb_explanation *said)
{
	const char *backend = answer->backend->name;

	switch (said->decided_by) {
	case LB_BY_FLOW:
		say(words, "the flow has an entry in the flow table that names %s", backend);
		break;
	case LB_BY_CLIENT:
		say(words, "the client is known and stays on %s", backend);
		break;
	case LB_BY_FALLBACK:
		say(words, "a %s goes to the slot's fallback, %s", flow_kind(flow), backend);
		break;
	default:
		say(words, "a %s goes to the slot's owner, %s", flow_kind(flow), backend);
		break;
	}
}

/* An address and port, as one writes them. */
enum { END_TEXT_SIZE = ADDR_TEXT_SIZE + 8 };

static const char *end_text(const struct addr *addr, uint16_t port, char out[END_TEXT_SIZE])
{
	char text[ADDR_TEXT_SIZE];

	snprintf(out, END_TEXT_SIZE, addr->family == 6 ? "[%s]:%u" : "%s:%u",
		 addr_format(addr, text), port);
	return out;
}

static void say_rewritten(struct words *words, const struct lookup_flow *now)
{
	char source[END_TEXT_SIZE], destination[END_TEXT_SIZE];

	if (now && now->source.family)
		say(words, "NAT makes it a packet from %s to %s",
		    end_text(&now->source, now->source_port, source),
		    end_text(&now->destination, now->destination_port, destination));
}

static void explain(struct words *words, const struct answer *answer,
		    const struct lookup_flow *flow, const struct lb_explanation *said)
{
	const struct endpoint *listen = answer->service ? matched(answer->service, flow) : NULL;
	const struct endpoint asked = {.proto = flow->proto,
				       .addr = flow->destination,
				       .port_first = flow->destination_port,
				       .port_last = flow->destination_port};
	char text[ENDPOINT_TEXT_SIZE];

	if (answer->service)
		say(words, "service %s matched %s", answer->service->name,
		    endpoint_format(listen ? listen : &asked, text));
	else
		say(words, "no service matched %s", endpoint_format(&asked, text));
	if (answer->pool)
		say(words, "pool %s (affinity %s)", answer->pool->name,
		    affinity_name(answer->pool->affinity));
	say_slot(words, answer, said);
	if (answer->backend)
		say_decision(words, answer, flow, said);
	if (said->verdict != LB_FORWARDED)
		say(words, "%s", dataplane_verdict_text(said->verdict));
}

/* ---- the answer ---- */

static json_t *name_json(const char *name)
{
	return name ? json_string(name) : json_null();
}

/* Of no meaning where no entry decided. */
static json_t *entry_age(const struct lb_explanation *said)
{
	if (said->decided_by != LB_BY_FLOW)
		return json_null();
	return json_integer((json_int_t)(((uint64_t)said->entry_age << TICK_SHIFT) / 1000000000));
}

static json_t *rewritten_json(const struct lookup_flow *now)
{
	char source[END_TEXT_SIZE], destination[END_TEXT_SIZE];

	if (!now || !now->source.family)
		return json_null();
	return json_pack("{s:s, s:s}", "source", end_text(&now->source, now->source_port, source),
			 "destination",
			 end_text(&now->destination, now->destination_port, destination));
}

json_t *api_lookup_json(const struct model *model, const struct lookup_flow *flow,
			const struct lb_explanation *said, const struct lookup_flow *now)
{
	struct answer answer = {.service = service_at(model, said->service),
				.pool = pool_at(model, said->pool)};
	struct words words = {.used = 0};
	char address[ADDR_TEXT_SIZE];

	answer.backend = backend_at(answer.pool, said->backend);
	answer.owner = backend_at(answer.pool, LB_SLOT_OWNER(said->slot_word));
	answer.fallback = backend_at(answer.pool, LB_SLOT_FALLBACK(said->slot_word));
	/* A slot that was looked at names an owner: the controller publishes no empty ones but in
	 * a pool where nobody takes new flows. */
	answer.has_slot = answer.pool && said->slot_word;
	explain(&words, &answer, flow, said);
	say_rewritten(&words, now);
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "verdict",
		dataplane_verdict_name(said->verdict), "service",
		name_json(answer.service ? answer.service->name : NULL), "pool",
		name_json(answer.pool ? answer.pool->name : NULL), "backend",
		name_json(answer.backend ? answer.backend->name : NULL), "address",
		name_json(answer.backend ? addr_format(&answer.backend->address, address) : NULL),
		"slot", answer.has_slot ? json_integer(said->slot) : json_null(), "decided_by",
		api_decided_by_name(said->decided_by), "owner",
		name_json(answer.owner ? answer.owner->name : NULL), "fallback",
		name_json(answer.fallback ? answer.fallback->name : NULL), "entry_age_s",
		entry_age(said), "rewritten", rewritten_json(now), "explanation", words.text);
}

json_t *api_lookup(const struct model *model, struct dataplane *dp, const struct lookup_flow *flow,
		   struct fault *fault)
{
	uint8_t frame[LOOKUP_PACKET_SIZE_MAX];
	size_t size = lookup_packet_build(flow, frame);
	uint8_t sent[LOOKUP_SENT_SIZE];
	size_t sent_size = sizeof(sent);
	struct lookup_flow now = {0};
	const struct pool *pool;
	struct lb_explanation said;
	struct lb_attachment attachment;
	uint32_t ifindex = 0;
	json_t *json;

	/* Which interface a packet comes in by decides nothing but how it leaves. */
	dataplane_attachments(dp, &ifindex, &attachment, 1);
	if (dataplane_explain(dp, frame, size, ifindex, &said, sent, &sent_size, fault) != 0)
		return NULL;
	pool = pool_at(model, said.pool);
	if (pool && pool->forward == FORWARD_MODE_NAT && said.verdict == LB_FORWARDED)
		lookup_packet_read(sent, sent_size, &now);
	json = api_lookup_json(model, flow, &said, &now);
	if (!json)
		fault_set(fault, FAULT_FAILED, "flow lookup: answering: out of memory");
	return json;
}
