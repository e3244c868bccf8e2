/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_lookup: which backend a packet would get, and why, in JSON and in words.
 *
 * The answer is the packet program's own, run on a made packet; here its indices become names and
 * its decision a sentence (api_lookup_words). With a backend supposed to be down it runs on the
 * tables that would be published then. Knows model and dataplane; nothing of HTTP.
 */
#include "api_lookup.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api_entry.h"
#include "api_json.h"
#include "api_lookup_words.h"
#include "find.h"
#include "packet_headers.h"
#include "suppose.h"

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

/* ---- asking ---- */

/* One run of the program on the packet, and what it works on. */
struct asking {
	const struct model *model;
	struct dataplane *dp;
	const struct lookup_flow *flow;
	struct lb_explanation said;
	uint8_t sent[LOOKUP_SENT_SIZE];
	size_t sent_size; /* of the packet; what is in `sent` may be less */
	struct lookup_flow now;
	const char *if_down;               /* NULL: nothing is supposed */
	struct supposed supposed;          /* zeroes: nothing */
	struct dataplane_supposed instead; /* likewise */
};

static int run(struct asking *asking, struct fault *fault)
{
	uint8_t frame[LOOKUP_PACKET_SIZE_MAX];
	size_t size = lookup_packet_build(asking->flow, frame);
	struct lb_attachment attachment;
	uint32_t ifindex = 0;

	/* Which interface a packet comes in by decides nothing but how it leaves. */
	dataplane_attachments(asking->dp, &ifindex, &attachment, 1);
	asking->sent_size = sizeof(asking->sent);
	if (asking->instead.words)
		return dataplane_explain_supposed(asking->dp, &asking->instead, frame, size,
						  ifindex, &asking->said, asking->sent,
						  &asking->sent_size, fault);
	return dataplane_explain(asking->dp, frame, size, ifindex, &asking->said, asking->sent,
				 &asking->sent_size, fault);
}

/* Once the program has said which pool it is: NAME or POOL/NAME of that. */
static int suppose_down(struct asking *asking, struct fault *fault)
{
	const struct pool *pool = find_pool_at(asking->model, asking->said.pool);
	struct supposition supposition = {.what = SUPPOSE_KILL, .backend = asking->if_down};
	const char *slash = strchr(asking->if_down, '/');
	size_t size = pool ? strlen(pool->name) : 0;

	if (!pool)
		return fault_set(fault, FAULT_NOT_FOUND,
				 "flow lookup: supposing that backend %s is down: no service takes "
				 "this flow",
				 asking->if_down);
	if (slash && ((size_t)(slash - asking->if_down) != size ||
		      strncmp(asking->if_down, pool->name, size) != 0)) {
		fault_set(fault, FAULT_USAGE,
			  "flow lookup: supposing that backend %s is down: the flow is of pool %s",
			  asking->if_down, pool->name);
		return fault_hint(fault, "`lbctl backend list %s` shows that pool's", pool->name);
	}
	if (slash)
		supposition.backend = asking->if_down = slash + 1;
	supposition.pool = pool->name;
	if (suppose(&asking->supposed, asking->dp, asking->model, &supposition, fault) != 0)
		return -1;
	return suppose_maps(&asking->supposed, asking->dp, &asking->instead, fault);
}

/* ---- the answer ---- */

static json_t *name_json(const char *name)
{
	return name ? json_string(name) : json_null();
}

static json_t *backend_name_json(const struct backend *backend)
{
	return name_json(backend ? backend->name : NULL);
}

/* The word that the table has, which is not what a client's record says. */
static uint32_t slot_word(const struct asking *asking, const struct pool *pool)
{
	struct impact_table table = suppose_table(asking->dp, pool);
	const uint32_t *words = asking->instead.words ? asking->instead.words : table.words;
	uint32_t size = asking->instead.words ? asking->instead.size : table.size;

	return words && asking->said.slot < size ? words[asking->said.slot]
						 : asking->said.slot_word;
}

static void answer_fill(const struct asking *asking, struct lookup_answer *answer)
{
	const struct lb_explanation *said = &asking->said;
	const struct model *model = asking->model;

	*answer = (struct lookup_answer){.flow = asking->flow,
					 .said = said,
					 .now = &asking->now,
					 .if_down = asking->if_down,
					 .service = find_service_at(model, said->service),
					 .pool = find_pool_at(model, said->pool)};
	answer->backend = find_backend_at(answer->pool, said->backend);
	answer->owner = find_backend_at(answer->pool, LB_SLOT_OWNER(said->slot_word));
	answer->fallback = find_backend_at(answer->pool, LB_SLOT_FALLBACK(said->slot_word));
	/* A slot that was looked at names an owner: the controller publishes no empty ones but in
	 * a pool where nobody takes new flows. */
	answer->has_slot = answer->pool && said->slot_word;
	if (!answer->has_slot)
		return;
	answer->slot_word = slot_word(asking, answer->pool);
	answer->slot_owner = find_backend_at(answer->pool, LB_SLOT_OWNER(answer->slot_word));
	answer->slot_fallback = find_backend_at(answer->pool, LB_SLOT_FALLBACK(answer->slot_word));
}

static json_t *listen_json(const struct lookup_answer *answer)
{
	const struct endpoint *listen = lookup_listener(answer->service, answer->flow);
	char text[ENDPOINT_TEXT_SIZE];

	return listen ? json_string(endpoint_format(listen, text)) : json_null();
}

/* What hashes to the slot: the client, or the flow. */
static json_t *key_json(const struct lookup_answer *answer)
{
	const struct lookup_flow *flow = answer->flow;
	char source[LOOKUP_END_SIZE], destination[LOOKUP_END_SIZE], client[PREFIX_TEXT_SIZE];
	struct prefix prefix;

	if (!answer->pool)
		return json_null();
	if (answer->pool->affinity == AFFINITY_SOURCE_IP) {
		prefix = lookup_client(answer->pool, flow);
		return json_string(prefix_format(&prefix, client));
	}
	return json_sprintf("%s %s %s", flow->proto == IPPROTO_UDP ? "udp" : "tcp",
			    lookup_end(&flow->source, flow->source_port, source),
			    lookup_end(&flow->destination, flow->destination_port, destination));
}

static json_t *rewritten_json(const struct lookup_flow *now)
{
	char source[LOOKUP_END_SIZE], destination[LOOKUP_END_SIZE];

	if (!now->source.family)
		return json_null();
	return json_pack("{s:s, s:s}", "source", lookup_end(&now->source, now->source_port, source),
			 "destination",
			 lookup_end(&now->destination, now->destination_port, destination));
}

/* ---- what is remembered of the flow and its client ---- */

static json_t *entries_json(const struct asking *asking, const struct api_entry_names *names)
{
	const struct lookup_flow *flow = asking->flow;
	const struct dataplane_flow wanted = {.source = flow->source,
					      .destination = flow->destination,
					      .source_port = flow->source_port,
					      .destination_port = flow->destination_port,
					      .proto = flow->proto};
	struct dataplane_flow found[2];
	int count = dataplane_flow_find(asking->dp, &wanted, found);
	json_t *list = count < 0 ? json_null() : json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list, api_entry_flow(names, &found[i]));
	return list;
}

static json_t *client_json(const struct asking *asking, const struct api_entry_names *names,
			   const struct pool *pool)
{
	struct dataplane_client client;
	struct prefix prefix;

	if (!pool || pool->affinity != AFFINITY_SOURCE_IP || !pool->client_timeout_ms)
		return json_null();
	prefix = lookup_client(pool, asking->flow);
	return dataplane_client_find(asking->dp, pool->index, &prefix.addr, &client) == 1
		       ? api_entry_client(names, pool, &client)
		       : json_null();
}

static int add_memory(const struct asking *asking, const struct pool *pool, json_t *json)
{
	struct api_entry_names names;
	int error = api_entry_names_make(&names, asking->dp, asking->model);

	names.statuses = asking->instead.statuses;
	if (!error && (json_object_set_new(json, "entries", entries_json(asking, &names)) != 0 ||
		       json_object_set_new(json, "client", client_json(asking, &names, pool)) != 0))
		error = -1;
	api_entry_names_destroy(&names);
	return error;
}

/* ---- backends ---- */

/* As it is, or as it is supposed to be. */
static json_t *state_json(const struct asking *asking, const struct pool *pool,
			  const struct backend *backend)
{
	char why[BACKEND_WHY_SIZE], address[ADDR_TEXT_SIZE];

	if (asking->supposed.to) {
		pool = asking->supposed.to;
		backend = pool_backend_find(pool, backend->name);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:b}", "name", backend->name,
			 "address", addr_format(&backend->address, address), "admin",
			 admin_name(backend->admin), "health", health_name(backend->health),
			 "reason", backend->reason, "weight", (json_int_t)backend->weight,
			 "effective_weight", (json_int_t)backend_effective_weight(pool, backend),
			 "why", backend_why(pool, backend, why), "usable",
			 backend_usable(pool, backend));
}

/* Each that the answer names, once: the chosen one first. */
static json_t *states_json(const struct asking *asking, const struct lookup_answer *answer)
{
	const struct backend *named[] = {answer->backend, answer->owner, answer->fallback,
					 answer->slot_owner, answer->slot_fallback};
	enum { NAMED = sizeof(named) / sizeof(named[0]) };
	json_t *list = json_array();

	for (int i = 0; i < NAMED; i++) {
		bool told = !named[i];

		for (int j = 0; j < i; j++)
			told = told || named[j] == named[i];
		if (!told)
			json_array_append_new(list, state_json(asking, answer->pool, named[i]));
	}
	return list;
}

/* ---- what is sent ---- */

static json_t *headers_json(const struct packet_header *headers, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s}", "header", headers[i].name,
						"source", headers[i].source, "destination",
						headers[i].destination, "more", headers[i].more));
	return list;
}

/* The packet as it leaves for a backend; null where none does. */
static json_t *sent_json(const struct asking *asking, const struct lookup_answer *answer)
{
	struct packet_header headers[PACKET_HEADERS_MAX];
	char hex[2 * LOOKUP_SENT_SIZE + 1] = "", interface[IF_NAMESIZE];
	size_t size = asking->sent_size < LOOKUP_SENT_SIZE ? asking->sent_size : LOOKUP_SENT_SIZE;
	bool gue = answer->pool && answer->pool->forward == FORWARD_MODE_GUE;
	size_t count;

	if (asking->said.verdict != LB_FORWARDED || !answer->backend)
		return json_null();
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", asking->sent[i]);
	count = packet_headers(asking->sent, size, gue ? answer->pool->gue_port : 0, headers);
	return json_pack("{s:I, s:s?, s:o, s:s}", "size", (json_int_t)asking->sent_size,
			 "interface", if_indextoname(answer->backend->hop.ifindex, interface),
			 "headers", headers_json(headers, count), "bytes", hex);
}

/* ---- all of it ---- */

/* What scripts rely on, first. */
static json_t *base_json(const struct lookup_answer *answer)
{
	const struct lb_explanation *said = answer->said;
	const struct backend *backend = answer->backend;
	char address[ADDR_TEXT_SIZE], words[LOOKUP_WORDS_SIZE];

	lookup_words(answer, words);
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "verdict",
		dataplane_verdict_name(said->verdict), "service",
		name_json(answer->service ? answer->service->name : NULL), "pool",
		name_json(answer->pool ? answer->pool->name : NULL), "backend",
		backend_name_json(backend), "address",
		name_json(backend ? addr_format(&backend->address, address) : NULL), "slot",
		answer->has_slot ? json_integer(said->slot) : json_null(), "decided_by",
		api_decided_by_name(said->decided_by), "owner", backend_name_json(answer->owner),
		"fallback", backend_name_json(answer->fallback), "entry_age_s",
		said->decided_by == LB_BY_FLOW ? json_integer((json_int_t)lookup_entry_age_s(said))
					       : json_null(),
		"rewritten", rewritten_json(answer->now), "explanation", words);
}

static json_t *more_json(const struct asking *asking, const struct lookup_answer *answer)
{
	const struct pool *pool = answer->pool;
	bool settled = !(answer->slot_word & LB_SLOT_CHANGED);

	return json_pack("{s:s, s:o, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "meaning",
			 dataplane_verdict_text(asking->said.verdict), "listen",
			 listen_json(answer), "key", key_json(answer), "affinity",
			 pool ? affinity_name(pool->affinity) : NULL, "table_size",
			 pool ? json_integer(pool->table_size) : json_null(), "slot_owner",
			 backend_name_json(answer->slot_owner), "slot_fallback",
			 backend_name_json(answer->slot_fallback), "slot_settled",
			 answer->has_slot ? json_boolean(settled) : json_null(), "backends",
			 states_json(asking, answer), "sent", sent_json(asking, answer), "if_down",
			 asking->if_down);
}

static json_t *answer_json(const struct asking *asking)
{
	struct lookup_answer answer;
	json_t *json, *more;

	answer_fill(asking, &answer);
	json = base_json(&answer);
	more = more_json(asking, &answer);
	if (json && more && json_object_update(json, more) == 0 &&
	    add_memory(asking, answer.pool, json) == 0) {
		json_decref(more);
		return json;
	}
	json_decref(more);
	json_decref(json);
	return NULL;
}

/* Beside what would be: what is. */
static json_t *present_json(const struct model *model, const struct lb_explanation *said)
{
	const struct pool *pool = find_pool_at(model, said->pool);

	return json_pack("{s:s, s:o, s:s}", "verdict", dataplane_verdict_name(said->verdict),
			 "backend", backend_name_json(find_backend_at(pool, said->backend)),
			 "decided_by", api_decided_by_name(said->decided_by));
}

static json_t *answer_make(struct asking *asking, struct fault *fault)
{
	const struct pool *pool = find_pool_at(asking->model, asking->said.pool);
	json_t *json;

	if (pool && pool->forward == FORWARD_MODE_NAT && asking->said.verdict == LB_FORWARDED)
		lookup_packet_read(asking->sent, asking->sent_size, &asking->now);
	json = answer_json(asking);
	if (!json)
		fault_set(fault, FAULT_FAILED, "flow lookup: answering: out of memory");
	return json;
}

json_t *api_lookup(const struct model *model, struct dataplane *dp, const struct lookup_flow *flow,
		   const char *if_down, struct fault *fault)
{
	struct asking asking = {.model = model, .dp = dp, .flow = flow, .if_down = if_down};
	json_t *json = NULL, *present = NULL;

	if (run(&asking, fault) != 0)
		return NULL;
	if (if_down) {
		present = present_json(model, &asking.said);
		if (suppose_down(&asking, fault) != 0 || run(&asking, fault) != 0)
			goto out;
	}
	json = answer_make(&asking, fault);
	if (json && present)
		json_object_set(json, "now", present);
out:
	json_decref(present);
	suppose_destroy(&asking.supposed);
	return json;
}
