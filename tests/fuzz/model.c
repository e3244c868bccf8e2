/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model: a packet's way: parse, service, pick, forward. Of these the service is found here.
 */
#include "model.h"

#include <string.h>

static const char *const names[MODEL_VERDICT_COUNT] = {[MODEL_GOES_ON] = "goes_on",
#define MODEL_VERDICT_NAME(name) [MODEL_##name] = #name,
						       MODEL_VERDICTS(MODEL_VERDICT_NAME)
#undef MODEL_VERDICT_NAME
};

const char *model_verdict_name(enum model_verdict verdict)
{
	return verdict < MODEL_VERDICT_COUNT ? names[verdict] : "unknown";
}

bool model_answers(enum model_verdict verdict)
{
	return verdict == MODEL_answered_echo || verdict == MODEL_refused_ttl ||
	       verdict == MODEL_refused_too_big;
}

bool model_drops(enum model_verdict verdict)
{
	return !strncmp(model_verdict_name(verdict), "drop_", 5);
}

enum { BUFFER = 4096 - 256 - 320 /* a page less headroom, and what the kernel keeps behind */ };

uint32_t model_linear(const struct model_frame *frame)
{
	uint32_t linear = frame->linear ? frame->linear : BUFFER - frame->metadata;

	return frame->size < linear ? frame->size : linear;
}

bool model_is_vip(const struct model_config *config, const struct model_address *address)
{
	for (int i = 0; i < MODEL_LISTENERS; i++)
		if (config->listeners[i].vip.family &&
		    model_same_address(&config->listeners[i].vip, address))
			return true;
	return false;
}

/* An exact port before a range, a range before any port. Ranges of one address do not overlap. */
uint32_t model_service(const struct model_config *config, const struct model_flow *flow)
{
	const struct model_listener *best = NULL;

	for (int i = 0; i < MODEL_LISTENERS; i++) {
		const struct model_listener *l = &config->listeners[i];

		if (!model_same_address(&l->vip, &flow->destination) || l->proto != flow->proto ||
		    flow->destination_port < l->first || flow->destination_port > l->last)
			continue;
		if (!best || l->last - l->first < best->last - best->first)
			best = l;
	}
	return best ? best->service : 0;
}

/* The slot: an even share of the hash's range, without a division by the program. */
static uint32_t slot_of(const struct model_config *config, const struct model_pool *pool,
			const struct model_packet *packet, uint32_t *entropy)
{
	struct model_address network = model_network(pool, &packet->flow.source);
	uint32_t hash = pool->by_source ? model_hash_client(config->seed, &network)
					: model_hash_flow(config->seed, &packet->flow);

	*entropy = model_entropy(pool, hash, &packet->flow);
	return (uint32_t)(((uint64_t)hash * pool->table_size) >> 32);
}

/* "ICMP errors: as the quoted flow's non-SYN packet, entries read only." */
static enum model_verdict peek(struct model_pick *pick)
{
	static struct model_memory copy;
	enum model_verdict verdict;

	copy = *pick->memory;
	pick->memory = &copy;
	verdict = model_pick(pick);
	pick->answer->new_flow = false;
	memset(pick->answer->notes, 0, sizeof(pick->answer->notes));
	return verdict;
}

static enum model_verdict choose(const struct model_config *config, struct model_memory *memory,
				 const struct model_packet *packet, uint32_t now, uint32_t *entropy,
				 struct model_answer *answer)
{
	struct model_pick pick = {.config = config,
				  .memory = memory,
				  .packet = packet,
				  .pool = &config->pools[answer->pool],
				  .pool_index = answer->pool,
				  .now = now,
				  .answer = answer};

	if (!pick.pool->table_size)
		return MODEL_drop_no_backend;
	pick.slot_index = slot_of(config, pick.pool, packet, entropy);
	pick.slot = pick.pool->slots[pick.slot_index];
	answer->slot = pick.slot_index;
	return packet->quoted ? peek(&pick) : model_pick(&pick);
}

static enum model_verdict judge(const struct model_config *config, struct model_memory *memory,
				const struct model_frame *frame, uint32_t now,
				struct model_port port, struct model_answer *answer)
{
	static struct model_frame finished;
	const struct model_backend *backend;
	struct model_packet packet;
	enum model_verdict verdict =
		model_parse(frame->bytes, frame->size, model_linear(frame), &packet);
	uint32_t entropy;

	if (verdict == MODEL_pass_icmp)
		verdict = model_icmp(config, &packet, answer);
	else if (verdict == MODEL_GOES_ON && packet.part != MODEL_WHOLE)
		verdict = model_fragment_follow(config, memory, &packet, now);
	/* What has no flow is ours to judge only if it is for us. */
	if (verdict != MODEL_GOES_ON)
		return !packet.family || model_is_vip(config, &packet.flow.destination)
			       ? verdict
			       : MODEL_pass_no_service;
	answer->service = model_service(config, &packet.flow);
	if (!answer->service)
		return model_nat_return(config, memory, &packet, frame, now, answer);
	answer->pool = config->service_pools[answer->service];
	answer->flow = packet.flow;
	answer->quoted = packet.quoted;
	answer->l3_size = packet.l3_size;
	verdict = model_admit(config, memory, &packet, answer);
	if (verdict == MODEL_GOES_ON)
		verdict = choose(config, memory, &packet, now, &entropy, answer);
	answer->new_flow |= packet.syn;
	if (verdict != MODEL_GOES_ON)
		return verdict;
	if (config->finish) {
		finished = *frame;
		frame = &finished;
		model_finish(&packet, finished.bytes);
		memcpy(answer->bytes, finished.bytes, finished.size);
	}
	backend = &config->backends[answer->backend];
	answer->redirected = backend->ifindex != frame->ifindex;
	verdict = backend->way == MODEL_NAT4 || backend->way == MODEL_NAT6
			  ? model_nat_forward(config, memory, &packet, frame, now, entropy, port,
					      answer)
			  : model_forward(backend, &packet, frame, entropy, answer);
	return verdict == MODEL_drop_ttl || verdict == MODEL_drop_too_big
		       ? model_refuse(&packet, frame, verdict, model_fits(backend, packet.family),
				      answer)
		       : verdict;
}

void model_run(const struct model_config *config, struct model_memory *memory,
	       const struct model_frame *frame, uint32_t now, struct model_port port,
	       struct model_answer *answer)
{
	memset(answer, 0, offsetof(struct model_answer, bytes));
	answer->size = frame->size;
	memcpy(answer->bytes, frame->bytes, frame->size);
	answer->verdict = judge(config, memory, frame, now, port, answer);
}
