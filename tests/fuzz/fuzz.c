/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The real program and the model (model.h) side by side: on the cases that were kept, and on
 * generated packets, configurations and memories.
 *
 *   fuzz [--seed N] [--count N] [--round N] [--program FILE] [CASE...]
 *
 * Frames come in rounds of one configuration each, which changes while they come. Each round is
 * generated from the seed and its number, so that `--round` repeats one. What was remembered before
 * has ages, so that only the second at which a test falls differs between two runs of a seed.
 *
 * `--program` puts another build of the packet program in (mutations.py of tests/packet).
 *
 * A difference ends the run. It is told as a scenario (text.h), made smaller, with both answers; as
 * a file below tests/fuzz/cases/ it is run every time from then on.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../packet/program.h"
#include "generate.h"
#include "shrink.h"
#include "text.h"

enum {
	FRAMES_PER_ROUND = 200,
	EXPLAINED_PERCENT = 5,
	CHANGE_PERCENT = 3,
	MACHINES_MAX = 16,
};

struct fuzz {
	uint64_t seed;
	struct machine *machines[MACHINES_MAX];
	uint32_t verdicts[MODEL_VERDICT_COUNT];
	bool buffers; /* the kernel lets a test say how long the first one is */
};

/* ---- machines: limits and hash seed are fixed when the program is loaded ---- */

static struct machine *machine_for(struct fuzz *fuzz, const uint8_t seed[MODEL_SEED],
				   uint32_t flows, uint32_t clients, bool finish)
{
	for (int i = 0; i < MACHINES_MAX; i++) {
		struct machine *machine = fuzz->machines[i];

		if (!machine) {
			fuzz->machines[i] = machine_create(seed, flows, clients, finish);
			return fuzz->machines[i];
		}
		if (!memcmp(machine->seed, seed, MODEL_SEED) && machine->flows == flows &&
		    machine->clients == clients && machine->finish == finish)
			return machine;
	}
	errx(1, "the kept cases have too many seeds and limits: give them the same ones");
}

/* All but one have a seed that never changes, so that cases from them can be kept together. */
static struct machine *machine_of_round(struct fuzz *fuzz, struct random *r)
{
	static const struct {
		uint32_t flows, clients;
		bool own_seed, finish;
	} kinds[] = {{96, 40, false, false},
		     {16, 16, false, false},
		     {0, 0, false, false},
		     {96, 40, true, false},
		     {96, 40, false, true}};
	static const uint8_t weights[] = {0, 0, 1, 1, 2, 3, 3, 4, 4};
	uint32_t kind = RANDOM_OF(r, weights);
	struct random own = random_begin(fuzz->seed, ~0ULL);
	uint8_t seed[MODEL_SEED] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

	for (int i = 0; kinds[kind].own_seed && i < MODEL_SEED; i++)
		seed[i] = (uint8_t)random_next(&own);
	return machine_for(fuzz, seed, kinds[kind].flows, kinds[kind].clients, kinds[kind].finish);
}

/* ---- what is told ---- */

static void answers_write(FILE *out, const struct difference *difference)
{
	const struct model_answer *model = &difference->model;
	const struct machine_answer *program = &difference->program;

	fprintf(out, "# %s\n", difference->text);
	fprintf(out, "# model:   %s, service %u, backend %u, slot %u, decided by %u\n",
		model_verdict_name(model->verdict), model->service, model->backend, model->slot,
		model->decided_by);
	if (!model_drops(model->verdict)) {
		fprintf(out, "# model:   ");
		text_hex(out, model->bytes, model->size);
		fputc('\n', out);
	}
	fprintf(out, "# program: %s, action %u\n",
		dataplane_verdict_name(difference->program_verdict), program->action);
	fprintf(out, "# program: ");
	text_hex(out, program->bytes, program->size);
	fputc('\n', out);
}

static void report(struct machine *machine, struct scenario *scenario,
		   struct difference *difference)
{
	struct difference first = *difference;

	if (!shrink(machine, scenario, difference)) {
		printf("# it does not differ by itself: as it was found\n");
		*difference = first;
	}
	text_write(stdout, scenario);
	answers_write(stdout, difference);
}

/* ---- rounds ---- */

/* `careful`: everything is compared after each frame. */
static bool round_run(struct fuzz *fuzz, uint64_t number, uint32_t frames, bool careful)
{
	static struct scenario scenario;
	static struct run run;
	static struct difference difference;
	struct random r = random_begin(fuzz->seed, number);
	struct machine *machine = machine_of_round(fuzz, &r);
	struct model_config *config = &scenario.config;
	struct crowd crowd;
	bool good = true;

	memcpy(config->seed, machine->seed, MODEL_SEED);
	config->flows = machine->flows;
	config->clients = machine->clients;
	config->finish = machine->finish;
	config->nat_flows = MACHINE_NAT_FLOWS;
	generate_config(&r, config);
	generate_crowd(&r, &crowd);
	generate_sources(&r, &crowd, config);
	generate_memory(&r, config, &crowd, machine_tick(), &scenario.memory);
	run_begin(&run, machine, config, &scenario.memory);
	for (uint32_t i = 0; i < frames && good; i++) {
		if (random_percent(&r, CHANGE_PERCENT)) {
			generate_change(&r, config);
			machine_store(machine, config);
		}
		generate_frame(&r, config, &crowd, &run.memory, &scenario.frame);
		if (!fuzz->buffers)
			scenario.frame.linear = 0;
		scenario.memory = run.memory;
		scenario.now = machine_tick();
		good = run_step(&run, &scenario.frame, random_percent(&r, EXPLAINED_PERCENT),
				&difference) &&
		       (!careful || run_check(&run, &difference));
		fuzz->verdicts[difference.model.verdict]++;
	}
	if (!good) {
		printf("# seed %llu, round %llu\n", (unsigned long long)fuzz->seed,
		       (unsigned long long)number);
		report(machine, &scenario, &difference);
		return false;
	}
	if (run_check(&run, &difference))
		return true;
	printf("# after round %llu: %s\n", (unsigned long long)number, difference.text);
	if (!careful)
		round_run(fuzz, number, frames, true);
	return false;
}

static bool rounds_run(struct fuzz *fuzz, uint64_t count)
{
	for (uint64_t done = 0, number = 0; done < count; number++) {
		uint64_t frames = count - done < FRAMES_PER_ROUND ? count - done : FRAMES_PER_ROUND;

		if (!round_run(fuzz, number, (uint32_t)frames, false))
			return false;
		done += frames;
	}
	return true;
}

/* ---- cases ---- */

static bool case_run(struct fuzz *fuzz, const char *path)
{
	static struct scenario scenario;
	static struct difference difference;
	struct machine *machine;

	text_read(path, &scenario);
	if (scenario.frame.linear && !fuzz->buffers)
		return true;
	machine = machine_for(fuzz, scenario.config.seed, scenario.config.flows,
			      scenario.config.clients, scenario.config.finish);
	if (scenario_run(machine, &scenario, &difference))
		return true;
	printf("# %s\n", path);
	answers_write(stdout, &difference);
	return false;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: fuzz [--seed N] [--count N] [--round N] [--program FILE] [CASE...]\n");
	exit(2);
}

/* Entries must be able to be older than any limit on a machine that has just started, too. */
static void age_wait(void)
{
	while (machine_tick() <= GENERATE_OLDEST + 1)
		sleep(1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"count", required_argument, NULL, 'c'},
						{"round", required_argument, NULL, 'r'},
						{"program", required_argument, NULL, 'p'},
						{0}};
	static struct fuzz fuzz;
	unsigned long long count = 200000, round = ~0ULL;
	int option, failed = 0, cases;

	fuzz.seed = (uint64_t)time(NULL);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			fuzz.seed = strtoull(optarg, NULL, 0);
		else if (option == 'c')
			count = strtoull(optarg, NULL, 0);
		else if (option == 'r')
			round = strtoull(optarg, NULL, 0);
		else if (option == 'p')
			program_replace(optarg);
		else
			usage();
	}
	cases = argc - optind;
	machine_enter();
	fuzz.buffers = machine_buffers_settable();
	if (!fuzz.buffers)
		printf("# this kernel fills the first buffer of a frame: no shorter one is "
		       "tried\n");
	age_wait();
	for (int i = optind; i < argc; i++)
		failed += !case_run(&fuzz, argv[i]);
	printf("%d kept cases, %d of them differ\n", cases, failed);
	printf("seed %llu\n", (unsigned long long)fuzz.seed);
	fflush(stdout);
	if (round != ~0ULL ? !round_run(&fuzz, round, FRAMES_PER_ROUND, true)
			   : !rounds_run(&fuzz, count))
		return 1;
	for (int i = 1; i < MODEL_VERDICT_COUNT; i++)
		printf("%10u %s\n", fuzz.verdicts[i], model_verdict_name(i));
	printf("%llu packets, no difference\n", count);
	for (int i = 0; i < MACHINES_MAX; i++)
		machine_free(fuzz.machines[i]);
	return failed ? 1 : 0;
}
