/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compare_memory: see compare_memory.h. */
#include "compare_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool differs(struct difference *difference, enum aspect aspect, const char *format, ...)
{
	va_list arguments;

	difference->aspect = aspect;
	va_start(arguments, format);
	vsnprintf(difference->text, sizeof(difference->text), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- what is remembered ---- */

static bool entry_same(const struct model_entry *a, const struct model_entry *b)
{
	return a->state == b->state && a->fate == b->fate && a->reborn == b->reborn &&
	       a->recorded == b->recorded && a->backend == b->backend &&
	       a->incarnation == b->incarnation && a->pool == b->pool && a->seen == b->seen &&
	       a->sequence == b->sequence;
}

bool entry_check(struct run *run, bool birth, const struct model_flow *flow,
		 struct model_memory *memory, enum aspect aspect, struct difference *difference)
{
	struct model_entry *said = model_entry_find(birth ? memory->births : memory->flows, flow);
	const char *what = birth ? "birth" : "flow";
	struct model_entry found;
	bool there = machine_entry(run->machine, birth, flow, &found);

	if (!there && !said)
		return true;
	if (!there || !said)
		return differs(difference, aspect, "there is %s %s", there ? "a" : "no", what);
	if (entry_same(&found, said))
		return true;
	return differs(difference, aspect,
		       "the %s has backend %u, state %u, fate %u, pool %u, incarnation %u, flags "
		       "%u%u, age %d, sequence %u",
		       what, found.backend, found.state, found.fate, found.pool, found.incarnation,
		       found.reborn, found.recorded, (int)(said->seen - found.seen),
		       found.sequence);
}

static bool times_same(const struct model_times *a, const struct model_times *b)
{
	return a->since == b->since && a->used == b->used && a->full == b->full &&
	       a->kept == b->kept;
}

static bool client_same(const struct model_client *a, const struct model_client *b)
{
	return a->fate == b->fate && a->changed == b->changed && a->known == b->known &&
	       a->owner == b->owner && a->fallback == b->fallback &&
	       a->owner_incarnation == b->owner_incarnation &&
	       a->fallback_incarnation == b->fallback_incarnation && a->seen == b->seen &&
	       times_same(&a->times, &b->times);
}

static const struct model_client *client_find(const struct model_memory *memory, uint32_t pool,
					      const struct model_address *network)
{
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		const struct model_client *client = &memory->clients[i];

		if (client->there && client->pool == pool &&
		    client->network.family == network->family &&
		    !memcmp(client->network.bytes, network->bytes, sizeof(network->bytes)))
			return client;
	}
	return NULL;
}

bool client_check(struct run *run, uint32_t pool, const struct model_address *network,
		  const struct model_memory *memory, enum aspect aspect,
		  struct difference *difference)
{
	const struct model_client *said = client_find(memory, pool, network);
	struct model_client found;
	bool there = machine_client(run->machine, pool, network, &found);

	if (!there && !said)
		return true;
	if (!there || !said)
		return differs(difference, aspect, "there is %s record of the client",
			       there ? "a" : "no");
	if (client_same(&found, said))
		return true;
	return differs(difference, aspect,
		       "the client's record has owner %u (%u), fallback %u (%u), changed %u, known "
		       "%u, fate %u, age %d",
		       found.owner, found.owner_incarnation, found.fallback,
		       found.fallback_incarnation, found.changed, found.known, found.fate,
		       (int)(said->seen - found.seen));
}

bool times_check(struct run *run, uint32_t pool, uint32_t slot, const struct model_memory *memory,
		 enum aspect aspect, struct difference *difference)
{
	const struct model_times *said = &memory->times[pool][slot];
	struct model_times found = machine_times(run->machine, pool, slot);

	if (times_same(said, &found))
		return true;
	return differs(
		difference, aspect,
		"times of slot %u of pool %u: since %u, used %u, full %u, kept %u; the model "
		"says %u, %u, %u, %u",
		slot, pool, found.since, found.used, found.full, found.kept, said->since,
		said->used, said->full, said->kept);
}

static bool fragment_check(struct run *run, const struct model_memory *memory,
			   const struct model_fragment *of, enum aspect aspect,
			   struct difference *difference)
{
	const struct model_fragment *said = NULL;
	struct model_fragment found;
	bool there = machine_fragment(run->machine, of, &found);

	for (int i = 0; i < MODEL_FRAGMENTS; i++) {
		const struct model_fragment *f = &memory->fragments[i];

		if (f->there && f->identification == of->identification &&
		    !memcmp(&f->flow.source, &of->flow.source, sizeof(f->flow.source)) &&
		    !memcmp(&f->flow.destination, &of->flow.destination,
			    sizeof(f->flow.destination)) &&
		    (of->flow.source.family == 6 || f->flow.proto == of->flow.proto))
			said = f;
	}
	if (there == (said != NULL) &&
	    (!there || (found.seen == said->seen && found.sequence == said->sequence &&
			found.flow.proto == said->flow.proto &&
			found.flow.source_port == said->flow.source_port &&
			found.flow.destination_port == said->flow.destination_port)))
		return true;
	return differs(difference, aspect, "of the first fragment %s is remembered",
		       !there ? "nothing"
		       : said ? "something else"
			      : "something");
}

/* ---- NAT ---- */

static bool same_hop(const struct model_hop *a, const struct model_hop *b)
{
	return a->ifindex == b->ifindex && !memcmp(a->peer_mac, b->peer_mac, 6) &&
	       !memcmp(a->own_mac, b->own_mac, 6);
}

static bool nat_flow_same(const struct model_nat_flow *a, const struct model_nat_flow *b)
{
	return a->fate == b->fate && a->state == b->state && a->port == b->port &&
	       a->backend == b->backend && a->incarnation == b->incarnation && a->pool == b->pool &&
	       a->seen == b->seen && model_same_address(&a->source, &b->source) &&
	       same_hop(&a->hop, &b->hop);
}

static bool nat_return_same(const struct model_nat_return *a, const struct model_nat_return *b)
{
	return a->fate == b->fate && a->state == b->state && a->seen == b->seen &&
	       a->client_port == b->client_port && a->vip_port == b->vip_port &&
	       model_same_address(&a->client, &b->client) && model_same_address(&a->vip, &b->vip) &&
	       same_hop(&a->hop, &b->hop);
}

static bool nat_flow_check(struct run *run, const struct model_flow *flow,
			   struct model_memory *memory, enum aspect aspect,
			   struct difference *difference)
{
	const struct model_nat_flow *said = model_nat_flow_find(memory, flow);
	struct model_nat_flow found;
	bool there = machine_nat_flow(run->machine, flow, &found);

	if (!there && !said)
		return true;
	if (!there || !said)
		return differs(difference, aspect, "there is %s NAT flow", there ? "a" : "no");
	if (nat_flow_same(&found, said))
		return true;
	return differs(difference, aspect,
		       "the NAT flow has backend %u, port %u, state %u, fate %u, pool %u, "
		       "incarnation %u, age %d; source and hop are %s",
		       found.backend, found.port, found.state, found.fate, found.pool,
		       found.incarnation, (int)(said->seen - found.seen),
		       !model_same_address(&found.source, &said->source) ? "others"
		       : same_hop(&found.hop, &said->hop)                ? "the same"
									 : "another way");
}

static bool nat_return_check(struct run *run, const struct model_flow *flow,
			     struct model_memory *memory, enum aspect aspect,
			     struct difference *difference)
{
	const struct model_nat_return *said = model_nat_return_find(memory, flow);
	struct model_nat_return found;
	bool there = machine_nat_return(run->machine, flow, &found);

	if (!there && !said)
		return true;
	if (!there || !said)
		return differs(difference, aspect, "there is %s return of a NAT flow",
			       there ? "a" : "no");
	if (nat_return_same(&found, said))
		return true;
	return differs(difference, aspect,
		       "the return has client port %u, state %u, fate %u, hop by %u, age %d",
		       found.client_port, found.state, found.fate, found.hop.ifindex,
		       (int)(said->seen - found.seen));
}

bool nat_check(struct run *run, struct model_memory *memory, struct difference *difference)
{
	const struct model_answer *model = &difference->model;

	return (!model->nat_flow || nat_flow_check(run, &model->flow, memory, NAT, difference)) &&
	       (!model->nat_return ||
		nat_return_check(run, &model->nat_back, memory, NAT, difference));
}

bool usage_check(struct run *run, const struct model_memory *memory, struct difference *difference)
{
	uint32_t count[MODEL_QUOTAS];

	model_quota_count(memory, count);
	if (machine_usage_is(run->machine, count))
		return true;
	return differs(difference, USAGE, "the usage is not what the tables hold");
}

/* ---- all of it ---- */

/* Every entry that one of the two has. */
static bool memory_same(struct run *run, struct model_memory *memory,
			const struct model_memory *other, struct difference *difference)
{
	for (int i = 0; i < MODEL_ENTRIES; i++)
		if ((other->births[i].there &&
		     !entry_check(run, true, &other->births[i].flow, memory, MEMORY, difference)) ||
		    (other->flows[i].there &&
		     !entry_check(run, false, &other->flows[i].flow, memory, MEMORY, difference)))
			return false;
	for (int i = 0; i < MODEL_FRAGMENTS; i++)
		if (other->fragments[i].there &&
		    !fragment_check(run, memory, &other->fragments[i], MEMORY, difference))
			return false;
	for (int i = 0; i < MODEL_NAT_FLOWS; i++)
		if (other->nat_flows[i].there &&
		    !nat_flow_check(run, &other->nat_flows[i].flow, memory, MEMORY, difference))
			return false;
	for (int i = 0; i < MODEL_NAT_RETURNS; i++)
		if (other->nat_returns[i].there &&
		    !nat_return_check(run, &other->nat_returns[i].flow, memory, MEMORY, difference))
			return false;
	for (int i = 0; i < MODEL_CLIENTS; i++)
		if (other->clients[i].there &&
		    !client_check(run, other->clients[i].pool, &other->clients[i].network, memory,
				  MEMORY, difference))
			return false;
	return true;
}

bool memory_check(struct run *run, struct difference *difference)
{
	static struct model_memory found;

	machine_recall(run->machine, &found);
	if (!memory_same(run, &run->memory, &run->memory, difference) ||
	    !memory_same(run, &run->memory, &found, difference))
		return false;
	for (uint32_t i = 0; i < MODEL_BACKENDS; i++)
		if (found.nat_refused[i] != run->memory.nat_refused[i])
			return differs(difference, MEMORY,
				       "backend %u: %u flows found no port, the model says %u", i,
				       found.nat_refused[i], run->memory.nat_refused[i]);
	for (int i = 0; i < MODEL_OPENERS; i++) {
		const struct model_opener *opener = &run->memory.openers[i];
		uint32_t flows = opener->there ? machine_opener(run->machine, opener->service,
								&opener->network)
					       : 0;

		if (opener->there && flows != opener->flows)
			return differs(difference, MEMORY,
				       "%u new flows are counted of an opener, the model says %u",
				       flows, opener->flows);
	}
	for (uint32_t p = 1; p < MODEL_POOLS; p++)
		for (uint32_t s = 0; s < MODEL_SLOTS; s++)
			if (!times_check(run, p, s, &run->memory, MEMORY, difference))
				return false;
	return true;
}

/* ---- time ---- */

static void times_shift(struct model_times *times, uint32_t by)
{
	uint32_t *all[] = {&times->since, &times->used, &times->full, &times->kept};

	for (int i = 0; i < 4; i++)
		if (*all[i])
			*all[i] += by;
}

void memory_shift(struct model_memory *memory, uint32_t by)
{
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		memory->births[i].seen += by;
		memory->flows[i].seen += by;
	}
	for (int i = 0; i < MODEL_FRAGMENTS; i++)
		memory->fragments[i].seen += by;
	for (int i = 0; i < MODEL_NAT_FLOWS; i++)
		memory->nat_flows[i].seen += by;
	for (int i = 0; i < MODEL_NAT_RETURNS; i++)
		memory->nat_returns[i].seen += by;
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		memory->clients[i].seen += by;
		times_shift(&memory->clients[i].times, by);
	}
	for (int p = 0; p < MODEL_POOLS; p++)
		for (int s = 0; s < MODEL_SLOTS; s++)
			times_shift(&memory->times[p][s], by);
}
