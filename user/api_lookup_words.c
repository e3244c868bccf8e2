/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* api_lookup_words: see api_lookup_words.h. Knows the model; no map, no JSON. */
#include "api_lookup_words.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TICK_SHIFT = 30 };

struct words {
	char *text;
	size_t used;
};

/* Adds a clause behind "; ". */
__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list args;
	int size;

	if (words->used && words->used + 2 < LOOKUP_WORDS_SIZE) {
		memcpy(words->text + words->used, "; ", 3);
		words->used += 2;
	}
	va_start(args, format);
	size = vsnprintf(words->text + words->used, LOOKUP_WORDS_SIZE - words->used, format, args);
	va_end(args);
	words->used += size > 0 ? (size_t)size : 0;
	if (words->used >= LOOKUP_WORDS_SIZE)
		words->used = LOOKUP_WORDS_SIZE - 1;
}

const struct endpoint *lookup_listener(const struct service *service,
				       const struct lookup_flow *flow)
{
	const struct endpoint *best = NULL;

	for (size_t i = 0; service && i < service->listen_count; i++) {
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

const char *lookup_end(const struct addr *addr, uint16_t port, char out[LOOKUP_END_SIZE])
{
	char text[ADDR_TEXT_SIZE];

	snprintf(out, LOOKUP_END_SIZE, addr->family == 6 ? "[%s]:%u" : "%s:%u",
		 addr_format(addr, text), port);
	return out;
}

struct prefix lookup_client(const struct pool *pool, const struct lookup_flow *flow)
{
	uint8_t length = flow->source.family == 4 ? pool->prefix_v4 : pool->prefix_v6;

	return (struct prefix){.addr = addr_mask(&flow->source, length), .length = length};
}

uint64_t lookup_entry_age_s(const struct lb_explanation *said)
{
	return ((uint64_t)said->entry_age << TICK_SHIFT) / 1000000000;
}

static const char *flow_kind(const struct lookup_flow *flow)
{
	if (flow->proto == IPPROTO_UDP)
		return "UDP packet";
	return flow->syn ? "new flow (SYN)" : "packet of an established flow";
}

static const char *name_or_none(const struct backend *backend)
{
	return backend ? backend->name : "no backend";
}

static void say_service(struct words *words, const struct lookup_answer *answer)
{
	const struct lookup_flow *flow = answer->flow;
	const struct endpoint *listen = lookup_listener(answer->service, flow);
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
}

static void say_slot(struct words *words, const struct lookup_answer *answer)
{
	uint32_t slot = answer->said->slot;

	if (!answer->has_slot)
		return;
	if (answer->slot_word & LB_SLOT_CHANGED)
		say(words, "slot %u owned by %s, unsettled, established flows belong to %s", slot,
		    name_or_none(answer->slot_owner), name_or_none(answer->slot_fallback));
	else
		say(words, "slot %u owned by %s, settled", slot, name_or_none(answer->slot_owner));
	if (answer->said->slot_word != answer->slot_word)
		say(words, "the client's record names %s, and %s for established flows",
		    name_or_none(answer->owner), name_or_none(answer->fallback));
}

static void say_decision(struct words *words, const struct lookup_answer *answer)
{
	const struct lb_explanation *said = answer->said;
	const char *backend = answer->backend->name;
	const char *whose = said->slot_word != answer->slot_word ? "client" : "slot";

	switch (said->decided_by) {
	case LB_BY_FLOW:
		say(words, "the flow has an entry in the flow table that names %s, seen %llu s ago",
		    backend, (unsigned long long)lookup_entry_age_s(said));
		break;
	case LB_BY_CLIENT:
		say(words, "the client is known and stays on %s", backend);
		break;
	case LB_BY_FALLBACK:
		say(words, "a %s goes to the %s's fallback, %s", flow_kind(answer->flow), whose,
		    backend);
		break;
	default:
		say(words, "a %s goes to the %s's owner, %s", flow_kind(answer->flow), whose,
		    backend);
		break;
	}
}

static void say_rewritten(struct words *words, const struct lookup_flow *now)
{
	char source[LOOKUP_END_SIZE], destination[LOOKUP_END_SIZE];

	if (now->source.family)
		say(words, "NAT makes it a packet from %s to %s",
		    lookup_end(&now->source, now->source_port, source),
		    lookup_end(&now->destination, now->destination_port, destination));
}

void lookup_words(const struct lookup_answer *answer, char out[LOOKUP_WORDS_SIZE])
{
	struct words words = {.text = out};

	out[0] = '\0';
	if (answer->if_down)
		say(&words, "if %s were down", answer->if_down);
	say_service(&words, answer);
	say_slot(&words, answer);
	if (answer->backend)
		say_decision(&words, answer);
	if (answer->said->verdict != LB_FORWARDED)
		say(&words, "%s", dataplane_verdict_text(answer->said->verdict));
	say_rewritten(&words, answer->now);
}
