/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compare: see compare.h. */
#include "compare.h"

#include <linux/bpf.h>
#include <string.h>

#include "compare_memory.h"

/* ---- what leaves ---- */

static uint32_t action_of(const struct model_answer *answer)
{
	if (answer->verdict == MODEL_forwarded || answer->verdict == MODEL_returned)
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

/* ---- one frame ---- */

/* The source port of what the program sent. */
static struct model_port port_sent(const struct machine_answer *program)
{
	struct model_packet packet;
	bool sent =
		model_parse(program->bytes, program->size, program->size, &packet) == MODEL_GOES_ON;

	return (struct model_port){.kind = sent ? MODEL_PORT_SAID : MODEL_PORT_ANY,
				   .port = packet.flow.source_port};
}

/* The port that the program chose if the frame opened a flow of NAT. */
static struct model_port port_chosen(struct run *run, const struct model_frame *frame,
				     const struct machine_answer *program)
{
	static const struct {
		enum model_verdict verdict;
		enum model_port_kind kind;
	} ends[] = {{MODEL_drop_nat_ports, MODEL_PORT_NONE},
		    {MODEL_drop_nat_full, MODEL_PORT_FULL}};
	struct model_packet packet;
	struct model_nat_flow entry;

	if (!run->config->nat)
		return (struct model_port){.kind = MODEL_PORT_ANY};
	for (int i = 0; i < 2 && program->action == XDP_DROP; i++) {
		uint32_t verdict = machine_verdict(ends[i].verdict);

		if (machine_verdict_counter(run->machine, verdict).packets !=
		    run->tally.verdicts[verdict].packets)
			return (struct model_port){.kind = ends[i].kind};
	}
	/* What opens one is no error, and has ports of its own. */
	if (model_parse(frame->bytes, frame->size, frame->size, &packet) != MODEL_GOES_ON ||
	    !machine_nat_flow(run->machine, &packet.flow, &entry))
		return (struct model_port){.kind = MODEL_PORT_ANY};
	return (struct model_port){.kind = MODEL_PORT_SAID, .port = entry.port};
}

/* Takes up what the frame was about. */
static bool step_check(struct run *run, const struct model_frame *frame,
		       struct model_memory *memory, struct machine_tally *tally,
		       struct difference *difference)
{
	const struct model_answer *model = &difference->model;
	struct model_address network;

	if (model->objection)
		return differs(difference, PORT, "%s", model->objection);
	if (difference->program.action != action_of(model))
		return differs(difference, ACTION, "action %u", difference->program.action);
	tally_add(tally, frame, model);
	if (!counted(run, tally, model))
		return differs(difference, COUNTERS, "it is counted otherwise");
	if (!bytes_same(model, &difference->program, BYTES, difference))
		return false;
	if (!nat_check(run, memory, difference))
		return false;
	if (!model->service)
		return usage_check(run, memory, difference);
	network = model_network(&run->config->pools[model->pool], &model->flow.source);
	return entry_check(run, true, &model->flow, memory, ENTRY, difference) &&
	       entry_check(run, false, &model->flow, memory, ENTRY, difference) &&
	       client_check(run, model->pool, &network, memory, CLIENT, difference) &&
	       times_check(run, model->pool, model->slot, memory, TIMES, difference) &&
	       usage_check(run, memory, difference);
}

/* The model's answer for one tick, held against the program's. Takes it over if they agree. */
static bool step_agrees(struct run *run, const struct model_frame *frame, uint32_t now,
			struct model_port port, struct difference *difference)
{
	static struct model_memory memory;
	static struct machine_tally tally;

	memory = run->memory;
	tally = run->tally;
	model_run(run->config, &memory, frame, now, port, &difference->model);
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
	struct model_port port;
	uint32_t now = machine_tick();

	machine_explain(run->machine, frame, &said, &difference->program);
	if (machine_tick() != now)
		return true;
	memory = run->memory;
	port = said.verdict == machine_verdict(MODEL_forwarded) ? port_sent(&difference->program)
	       : said.verdict == machine_verdict(MODEL_drop_nat_ports)
		       ? (struct model_port){.kind = MODEL_PORT_NONE}
		       : (struct model_port){.kind = MODEL_PORT_ANY};
	port.unwritten = true;
	model_run(run->config, &memory, frame, now, port, &difference->model);
	if (model->objection)
		return differs(difference, EXPLANATION, "it is explained so that %s",
			       model->objection);
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
	struct model_port port;

	difference->aspect = SAME;
	machine_tick_settle();
	if (explain && !frame->metadata && !frame->untold && !frame->linear &&
	    !explanation_check(run, frame, difference))
		return false;
	before = machine_tick();
	machine_run(run->machine, frame, &difference->program);
	after = machine_tick();
	port = port_chosen(run, frame, &difference->program);
	/* The program's clock was somewhere between. */
	if (step_agrees(run, frame, before, port, difference) ||
	    (after != before && step_agrees(run, frame, after, port, difference)))
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

bool run_check(struct run *run, struct difference *difference)
{
	struct machine_tally tally;

	if (!memory_check(run, difference))
		return false;
	machine_tally(run->machine, &tally);
	if (memcmp(&tally, &run->tally, sizeof(tally)) != 0)
		return differs(difference, COUNTERS, "the counters' sums are others");
	return true;
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
