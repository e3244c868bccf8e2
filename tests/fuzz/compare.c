/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compare: see compare.h. */
#include "compare.h"

#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool differs(struct difference *difference, enum aspect aspect, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Returns false, as the checks do. */
static bool differs(struct difference *difference, enum aspect aspect, const char *format, ...)
{
	va_list arguments;

	difference->aspect = aspect;
	va_start(arguments, format);
	vsnprintf(difference->text, sizeof(difference->text), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- what leaves ---- */

static uint32_t action_of(const struct model_answer *answer)
{
	if (answer->verdict == MODEL_forwarded)
		return answer->redirected ? XDP_REDIRECT : XDP_TX;
	if (model_answers(answer->verdict))
		return XDP_TX;
	return model_drops(answer->verdict) ? XDP_DROP : XDP_PASS;
}

static bool bytes_same(const struct model_answer *model, const struct machine_answer *program,
		       enum aspect aspect, struct difference *difference)
{
	uint32_t at = 0;

	/* What is dropped may be in any state. */
	if (model_drops(model->verdict))
		return true;
	if (model->size != program->size)
		return differs(difference, aspect, "%u bytes leave, the model says %u",
			       program->size, model->size);
	if (!memcmp(model->bytes, program->bytes, model->size))
		return true;
	while (model->bytes[at] == program->bytes[at])
		at++;
	return differs(difference, aspect, "byte %u is %02x, the model says %02x", at,
		       program->bytes[at], model->bytes[at]);
}

/* ---- what is counted ---- */

static void tally_add(struct machine_tally *tally, const struct model_frame *frame,
		      const struct model_answer *answer)
{
	uint32_t backend = answer->verdict == MODEL_forwarded ? answer->backend : 0;
	struct lb_counter *counter =
		&tally->services[machine_counter_index(answer->service, backend)];
	struct lb_verdict_counter *verdict = &tally->verdicts[machine_verdict(answer->verdict)];

	if (answer->verdict != MODEL_forwarded) {
		verdict->packets++;
		verdict->bytes += frame->size;
	}
	if (answer->service) {
		counter->packets++;
		counter->bytes += answer->l3_size;
		counter->new_flows += answer->new_flow;
	}
	for (int i = 0; i < MODEL_NOTES; i++)
		tally->notes[i] += answer->notes[i];
}

static bool counted(struct run *run, const struct machine_tally *tally,
		    const struct model_answer *answer)
{
	uint32_t verdict = machine_verdict(answer->verdict);
	uint32_t backend = answer->verdict == MODEL_forwarded ? answer->backend : 0;
	struct lb_counter counter;
	struct lb_verdict_counter ended;

	if (answer->verdict != MODEL_forwarded) {
		ended = machine_verdict_counter(run->machine, verdict);
		if (memcmp(&ended, &tally->verdicts[verdict], sizeof(ended)) != 0)
			return false;
	}
	if (!answer->service)
		return true;
	counter = machine_counter(run->machine, answer->service, backend);
	return !memcmp(&counter, &tally->services[machine_counter_index(answer->service, backend)],
		       sizeof(counter));
}

/* What the program counted the frame as, by comparison with the counts before it. */
static uint32_t verdict_counted(struct run *run)
{
	struct machine_tally now;

	machine_tally(run->machine, &now);
	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++)
		if (now.verdicts[i].packets != run->tally.verdicts[i].packets)
			return i;
	return LB_FORWARDED;
}

/* ---- what is remembered ---- */

static bool entry_same(const struct model_entry *a, const struct model_entry *b)
{
	return a->state == b->state && a->fate == b->fate && a->reborn == b->reborn &&
	       a->recorded == b->recorded && a->backend == b->backend &&
	       a->incarnation == b->incarnation && a->pool == b->pool && a->seen == b->seen &&
	       a->sequence == b->sequence;
}

static bool entry_check(struct run *run, bool birth, const struct model_flow *flow,
			struct model_memory *memory, enum aspect aspect,
			struct difference *difference)
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

static bool client_check(struct run *run, uint32_t pool, const struct model_address *network,
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

static bool times_check(struct run *run, uint32_t pool, uint32_t slot,
			const struct model_memory *memory, enum aspect aspect,
			struct difference *difference)
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

static bool usage_check(struct run *run, const struct model_memory *memory,
			struct difference *difference)
{
	uint32_t count[MODEL_QUOTAS];

	model_quota_count(memory, count);
	if (machine_usage_is(run->machine, count))
		return true;
	return differs(difference, USAGE, "the usage is not what the tables hold");
}

/* ---- one frame ---- */

/* Takes up what the frame was about. */
static bool step_check(struct run *run, const struct model_frame *frame,
		       struct model_memory *memory, struct machine_tally *tally,
		       struct difference *difference)
{
	const struct model_answer *model = &difference->model;
	struct model_address network;

	if (difference->program.action != action_of(model))
		return differs(difference, ACTION, "action %u", difference->program.action);
	tally_add(tally, frame, model);
	if (!counted(run, tally, model))
		return differs(difference, COUNTERS, "it is counted otherwise");
	if (!bytes_same(model, &difference->program, BYTES, difference))
		return false;
	if (!model->service)
		return true;
	network = model_network(&run->config->pools[model->pool], &model->flow.source);
	return entry_check(run, true, &model->flow, memory, ENTRY, difference) &&
	       entry_check(run, false, &model->flow, memory, ENTRY, difference) &&
	       client_check(run, model->pool, &network, memory, CLIENT, difference) &&
	       times_check(run, model->pool, model->slot, memory, TIMES, difference) &&
	       usage_check(run, memory, difference);
}

/* The model's answer for one tick, held against the program's. Takes it over if they agree. */
static bool step_agrees(struct run *run, const struct model_frame *frame, uint32_t now,
			struct difference *difference)
{
	static struct model_memory memory;
	static struct machine_tally tally;

	memory = run->memory;
	tally = run->tally;
	model_run(run->config, &memory, frame, now, &difference->model);
	if (!step_check(run, frame, &memory, &tally, difference))
		return false;
	run->memory = memory;
	run->tally = tally;
	difference->aspect = SAME;
	return true;
}

/* What the read-only copy says, which leaves no trace: the step after it would show one. */
static bool explanation_check(struct run *run, const struct model_frame *frame,
			      struct difference *difference)
{
	/* The copy does not write down the first fragment, but then it is no later one's. */
	static struct model_memory memory;
	const struct model_answer *model = &difference->model;
	struct lb_explanation said;
	uint32_t now = machine_tick();

	machine_explain(run->machine, frame, &said, &difference->program);
	if (machine_tick() != now)
		return true;
	memory = run->memory;
	model_run(run->config, &memory, frame, now, &difference->model);
	difference->program_verdict = said.verdict;
	if (said.verdict != machine_verdict(model->verdict))
		return differs(difference, EXPLANATION, "it is explained otherwise");
	if (said.service != model->service || said.pool != model->pool ||
	    (model->verdict == MODEL_forwarded &&
	     (said.backend != model->backend || said.slot != model->slot)) ||
	    (model->verdict == MODEL_forwarded && !model->quoted &&
	     (said.decided_by != (uint32_t)model->decided_by ||
	      (said.entry_age != ~0U) != (model->decided_by == MODEL_BY_FLOW))))
		return differs(difference, EXPLANATION,
			       "it is explained with service %u, pool %u, backend %u, slot %u, "
			       "decided by %u, age %d",
			       said.service, said.pool, said.backend, said.slot, said.decided_by,
			       (int)said.entry_age);
	return bytes_same(model, &difference->program, EXPLANATION, difference);
}

bool run_step(struct run *run, const struct model_frame *frame, bool explain,
	      struct difference *difference)
{
	uint32_t before, after;

	difference->aspect = SAME;
	if (explain && !frame->metadata && !frame->untold &&
	    !explanation_check(run, frame, difference))
		return false;
	before = machine_tick();
	machine_run(run->machine, frame, &difference->program);
	after = machine_tick();
	/* The program's clock was somewhere between. */
	if (step_agrees(run, frame, before, difference) ||
	    (after != before && step_agrees(run, frame, after, difference)))
		return true;
	difference->program_verdict = verdict_counted(run);
	return false;
}

/* ---- all of it ---- */

void run_begin(struct run *run, struct machine *machine, const struct model_config *config,
	       const struct model_memory *memory)
{
	run->machine = machine;
	run->config = config;
	run->memory = *memory;
	machine_load(machine, config);
	machine_remember(machine, memory);
	machine_tally(machine, &run->tally);
}

/* Every entry that one of the two has. */
static bool memory_check(struct run *run, struct model_memory *memory,
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
	for (int i = 0; i < MODEL_CLIENTS; i++)
		if (other->clients[i].there &&
		    !client_check(run, other->clients[i].pool, &other->clients[i].network, memory,
				  MEMORY, difference))
			return false;
	return true;
}

bool run_check(struct run *run, struct difference *difference)
{
	static struct model_memory found;
	struct machine_tally tally;

	machine_recall(run->machine, &found);
	if (!memory_check(run, &run->memory, &run->memory, difference) ||
	    !memory_check(run, &run->memory, &found, difference))
		return false;
	for (uint32_t p = 1; p < MODEL_POOLS; p++)
		for (uint32_t s = 0; s < MODEL_SLOTS; s++)
			if (!times_check(run, p, s, &run->memory, MEMORY, difference))
				return false;
	machine_tally(run->machine, &tally);
	if (memcmp(&tally, &run->tally, sizeof(tally)) != 0)
		return differs(difference, COUNTERS, "the counters' sums are others");
	return true;
}

static void times_shift(struct model_times *times, uint32_t by)
{
	uint32_t *all[] = {&times->since, &times->used, &times->full, &times->kept};

	for (int i = 0; i < 4; i++)
		if (*all[i])
			*all[i] += by;
}

/* As old as it was when it was found. */
static void memory_shift(struct model_memory *memory, uint32_t by)
{
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		memory->births[i].seen += by;
		memory->flows[i].seen += by;
	}
	for (int i = 0; i < MODEL_FRAGMENTS; i++)
		memory->fragments[i].seen += by;
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		memory->clients[i].seen += by;
		times_shift(&memory->clients[i].times, by);
	}
	for (int p = 0; p < MODEL_POOLS; p++)
		for (int s = 0; s < MODEL_SLOTS; s++)
			times_shift(&memory->times[p][s], by);
}

bool scenario_run(struct machine *machine, const struct scenario *scenario,
		  struct difference *difference)
{
	static struct model_memory memory;
	static struct run run;

	memory = scenario->memory;
	memory_shift(&memory, machine_tick() - scenario->now);
	run_begin(&run, machine, &scenario->config, &memory);
	if (!run_step(&run, &scenario->frame, true, difference) || !run_check(&run, difference))
		return false;
	if (!scenario->verdict || difference->model.verdict == scenario->verdict)
		return true;
	difference->program_verdict = machine_verdict(difference->model.verdict);
	return differs(difference, EXPECTED, "the case says %s",
		       model_verdict_name(scenario->verdict));
}
