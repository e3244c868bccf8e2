/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* trace_filter: see trace_filter.h. */
#include "trace_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "api_json.h"
#include "dataplane.h"
#include "find.h"

enum { COUNT_MAX = 1000000000, WORD_SIZE = 64 };

static const char *parameter(const json_t *parameters, const char *name)
{
	return json_string_value(json_object_get(parameters, name));
}

/* A number from 1 to `most`; `*out` stays where it is not given. */
static int parse_number(const json_t *parameters, const char *name, uint64_t most, uint64_t *out,
			struct fault *fault)
{
	const char *text = parameter(parameters, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	uint64_t number;

	if (!text)
		return 0;
	number = digits && digits < 11 && !text[digits] ? strtoull(text, NULL, 10) : 0;
	if (!number || number > most)
		return fault_set(fault, FAULT_USAGE,
				 "trace: %s \"%s\": not a number from 1 to %llu", name, text,
				 (unsigned long long)most);
	*out = number;
	return 0;
}

static int parse_address(const json_t *parameters, struct lb_trace_filter *filter,
			 struct fault *fault)
{
	const char *text = parameter(parameters, "address"), *why;
	struct addr ones = {0};
	struct prefix prefix;

	if (!text)
		return 0;
	if (prefix_parse(text, &prefix, &why) != 0) {
		fault_set(fault, FAULT_USAGE, "trace: address \"%s\": %s", text, why);
		return fault_hint(fault, "one like 198.51.100.7, or a prefix like 2001:db8::/32");
	}
	memset(&ones.ip, 0xff, sizeof(ones.ip));
	ones.family = prefix.addr.family;
	filter->family = prefix.addr.family;
	filter->address = prefix.addr.ip;
	filter->mask = addr_mask(&ones, prefix.length).ip;
	return 0;
}

static int parse_proto(const json_t *parameters, struct lb_trace_filter *filter,
		       struct fault *fault)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = {{"tcp", IPPROTO_TCP},
		      {"udp", IPPROTO_UDP},
		      {"icmp", IPPROTO_ICMP},
		      {"icmpv6", IPPROTO_ICMPV6}};
	const char *text = parameter(parameters, "proto");

	for (size_t i = 0; text && i < sizeof(protos) / sizeof(protos[0]); i++)
		if (!strcmp(text, protos[i].name))
			filter->proto = protos[i].proto;
	if (!text || filter->proto)
		return 0;
	return fault_set(fault, FAULT_USAGE,
			 "trace: protocol \"%s\": neither tcp, udp, icmp nor icmpv6", text);
}

/* What has no index yet is not in the maps, and no packet is its. */
static int not_there_yet(const char *kind, const char *name, struct fault *fault)
{
	fault_set(fault, FAULT_CONFLICT, "%s %s: tracing it: it is not in the data plane yet", kind,
		  name);
	return fault_hint(fault, "lbd's log says why, if it stays so; then once more");
}

static int parse_objects(const json_t *parameters, const struct model *model,
			 struct lb_trace_filter *filter, struct fault *fault)
{
	const char *service_name = parameter(parameters, "service");
	const char *target = parameter(parameters, "backend"), *name;
	char pool_name[MODEL_NAME_SIZE];
	const struct service *service;
	const struct backend *backend;
	const struct pool *pool;

	if (service_name) {
		service = find_service(model, service_name, "tracing it", fault);
		if (!service)
			return -1;
		filter->service = service->index;
		if (!filter->service)
			return not_there_yet("service", service_name, fault);
	}
	if (!target)
		return 0;
	name = strchr(target, '/');
	if (!name || (size_t)(name - target) >= sizeof(pool_name)) {
		fault_set(fault, FAULT_USAGE, "trace: backend \"%s\": it is written POOL/NAME",
			  target);
		return fault_hint(fault, "`lbctl backend list` shows them so");
	}
	memcpy(pool_name, target, (size_t)(name - target));
	pool_name[name - target] = '\0';
	pool = find_pool(model, pool_name, "tracing its backend", fault);
	backend = pool ? find_backend(pool, name + 1, "tracing it", fault) : NULL;
	if (!backend)
		return -1;
	filter->backend = backend->index;
	return filter->backend ? 0 : not_there_yet("backend", target, fault);
}

/* ---- verdicts ---- */

static int unknown_verdict(const char *word, struct fault *fault)
{
	const char *words[2 * LB_VERDICT_COUNT], *nearest;
	size_t count = 0;

	for (uint32_t verdict = LB_CONTINUE + 1; verdict < LB_VERDICT_COUNT; verdict++) {
		words[count++] = dataplane_verdict_name(verdict);
		words[count++] = api_verdict_action(verdict);
	}
	nearest = fault_nearest(word, words, count);
	fault_set(fault, FAULT_NOT_FOUND, "trace: verdict \"%s\": there is no such verdict", word);
	if (nearest)
		return fault_hint(fault, "did you mean %s?", nearest);
	return fault_hint(fault, "`lbctl drops -o wide` shows what there is");
}

/* Those that `word` names: itself, or all of an action. */
static uint64_t verdicts_of(const char *word)
{
	uint64_t found = 0;

	for (uint32_t verdict = LB_CONTINUE + 1; verdict < LB_VERDICT_COUNT; verdict++)
		if (!strcmp(word, dataplane_verdict_name(verdict)) ||
		    !strcmp(word, api_verdict_action(verdict)))
			found |= 1ULL << verdict;
	return found;
}

static int parse_verdicts(const json_t *parameters, struct lb_trace_filter *filter,
			  struct fault *fault)
{
	const char *text = parameter(parameters, "verdict");
	char word[WORD_SIZE];
	uint64_t found;

	while (text) {
		size_t size = strcspn(text, ",");

		snprintf(word, sizeof(word), "%.*s", (int)size, text);
		found = verdicts_of(word);
		if (!found)
			return unknown_verdict(word, fault);
		filter->verdicts |= found;
		text = text[size] ? text + size + 1 : NULL;
	}
	return 0;
}

int trace_filter_parse(const json_t *parameters, const struct model *model,
		       struct trace_question *out, struct fault *fault)
{
	const char *frames = parameter(parameters, "frames");
	uint64_t port = 0, rate = TRACE_RATE;

	memset(out, 0, sizeof(*out));
	if (parse_address(parameters, &out->filter, fault) != 0 ||
	    parse_number(parameters, "port", UINT16_MAX, &port, fault) != 0 ||
	    parse_proto(parameters, &out->filter, fault) != 0 ||
	    parse_objects(parameters, model, &out->filter, fault) != 0 ||
	    parse_verdicts(parameters, &out->filter, fault) != 0 ||
	    parse_number(parameters, "rate", LB_TRACE_RATE_MAX, &rate, fault) != 0 ||
	    parse_number(parameters, "count", COUNT_MAX, &out->count, fault) != 0)
		return -1;
	if (frames && strcmp(frames, "0") != 0 && strcmp(frames, "1") != 0)
		return fault_set(fault, FAULT_USAGE, "trace: frames \"%s\": neither 0 nor 1",
				 frames);
	out->frames = frames && frames[0] == '1';
	out->filter.port = htons((uint16_t)port);
	out->rate = (uint32_t)rate;
	return 0;
}
