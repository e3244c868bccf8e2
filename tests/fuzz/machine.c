/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* machine: see machine.h. The program: loaded, run, and what it counts. */
#include "machine.h"

#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"

enum { CPUS_MAX = 512, TICK_BITS = 30, NEAR_NS = 500000 };

void machine_enter(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET))
		err(1, "cannot make namespaces (are you root?)");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		err(1, "cannot mount a BPF file system of its own on %s", BPFFS);
}

bool machine_buffers_settable(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT}};
	static const uint8_t frame[256];
	struct xdp_md context = {.data_end = 128, .ingress_ifindex = MACHINE_NEAR};
	LIBBPF_OPTS(bpf_prog_load_opts, load, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, &load), failed;

	if (program < 0)
		err(1, "loading a program of two instructions");
	failed = bpf_prog_test_run_opts(program, &run);
	close(program);
	return !failed;
}

struct machine *machine_create(const uint8_t seed[MODEL_SEED], uint32_t flows, uint32_t clients,
			       bool finish)
{
	static int number;
	struct lb_settings settings = {.limits = {.flows = flows,
						  .clients = clients,
						  .nat_flows = MACHINE_NAT_FLOWS,
						  .backends = MODEL_BACKENDS - 1,
						  .services = MODEL_SERVICES - 1,
						  .slots = MODEL_POOLS * MODEL_SLOTS,
						  .counters = MODEL_SERVICES * MODEL_BACKENDS},
				       .flags = finish ? LB_SETTING_FINISH : 0U};
	struct machine *machine = calloc(1, sizeof(*machine));
	struct fault fault;
	char pin_dir[64];

	if (!machine)
		err(1, "fuzz");
	snprintf(pin_dir, sizeof(pin_dir), BPFFS "/fuzz%d", number++);
	memcpy(settings.hash_seed, seed, MODEL_SEED);
	memcpy(machine->seed, seed, MODEL_SEED);
	machine->flows = flows;
	machine->clients = clients;
	machine->finish = finish;
	machine->dp = dataplane_create(pin_dir, &settings, &fault);
	if (!machine->dp)
		exit(fault_print(&fault, "fuzz"));
	return machine;
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	dataplane_close(machine->dp);
	free(machine);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint32_t machine_tick(void)
{
	return (uint32_t)(clock_ns(CLOCK_MONOTONIC_COARSE) >> TICK_BITS);
}

/* The coarse clock follows the other one within a few milliseconds. */
void machine_tick_settle(void)
{
	while ((clock_ns(CLOCK_MONOTONIC) + NEAR_NS) >> TICK_BITS != machine_tick())
		;
}

uint32_t machine_verdict(enum model_verdict verdict)
{
	static uint32_t numbers[MODEL_VERDICT_COUNT];

	if (!numbers[verdict]) {
		uint32_t number = LB_CONTINUE + 1;

		while (number < LB_VERDICT_COUNT &&
		       strcmp(dataplane_verdict_name(number), model_verdict_name(verdict)) != 0)
			number++;
		if (number == LB_VERDICT_COUNT)
			errx(1, "the program knows no verdict %s", model_verdict_name(verdict));
		numbers[verdict] = number;
	}
	return numbers[verdict];
}

/* The time is one to come, so that none is added for what passes. */
void machine_errors_left(struct machine *machine, uint32_t tokens)
{
	static struct lb_bucket each[CPUS_MAX];
	const uint32_t zero = 0;

	for (int i = 0; i < CPUS_MAX; i++)
		each[i] = (struct lb_bucket){.filled_ns = 1ULL << 62, .tokens = tokens};
	if (bpf_map_update_elem(machine->dp->fds[MAP_error_bucket], &zero, each, BPF_ANY))
		err(1, "writing the share of ICMP errors");
}

static void frame_run(struct machine *machine, const struct model_frame *frame,
		      struct machine_answer *answer)
{
	static uint8_t bytes[MODEL_FRAME + 256];
	uint32_t size = frame->size + frame->metadata;
	/* Where this is less than the size, it is what the first buffer is to hold (Linux 6.18). */
	struct xdp_md context = {.data = frame->metadata,
				 .data_end = frame->linear ? model_linear(frame) + frame->metadata
							   : size,
				 .ingress_ifindex = frame->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = size,
		    .data_out = answer->bytes, .data_size_out = sizeof(answer->bytes),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	if (frame->metadata) {
		memset(bytes, 0, frame->metadata);
		memcpy(bytes + frame->metadata, frame->bytes, frame->size);
		run.data_in = bytes;
	}
	if (bpf_prog_test_run_opts(dataplane_program_fd(machine->dp), &run))
		err(1, "running the program on %u bytes, metadata %u", frame->size,
		    frame->metadata);
	answer->action = run.retval;
	answer->size = run.data_size_out;
	/* What comes back begins with the metadata. */
	if (frame->metadata && answer->size > frame->metadata) {
		answer->size -= frame->metadata;
		memmove(answer->bytes, answer->bytes + frame->metadata, answer->size);
	}
}

void machine_run(struct machine *machine, const struct model_frame *frame,
		 struct machine_answer *answer)
{
	if (frame->untold)
		machine_errors_left(machine, 0);
	frame_run(machine, frame, answer);
	if (frame->untold)
		machine_errors_left(machine, LB_ERRORS_BURST);
}

void machine_explain(struct machine *machine, const struct model_frame *frame,
		     struct lb_explanation *said, struct machine_answer *answer)
{
	size_t size = sizeof(answer->bytes);
	struct fault fault;

	if (dataplane_explain(machine->dp, frame->bytes, frame->size, frame->ifindex, said,
			      answer->bytes, &size, &fault))
		exit(fault_print(&fault, "fuzz"));
	answer->size = (uint32_t)size;
}

/* ---- counters ---- */

uint32_t machine_counter_index(uint32_t service, uint32_t backend)
{
	return service * MODEL_BACKENDS + backend;
}

void machine_tally(struct machine *machine, struct machine_tally *tally)
{
	if (dataplane_counters(machine->dp, 0, MODEL_SERVICES * MODEL_BACKENDS, tally->services) ||
	    dataplane_verdicts_ended(machine->dp, tally->verdicts) ||
	    dataplane_notes(machine->dp, tally->notes))
		errx(1, "cannot read the counters");
}

struct lb_counter machine_counter(struct machine *machine, uint32_t service, uint32_t backend)
{
	struct lb_counter sum;

	if (dataplane_counters(machine->dp, machine_counter_index(service, backend), 1, &sum))
		errx(1, "cannot read a counter");
	return sum;
}

struct lb_verdict_counter machine_verdict_counter(struct machine *machine, uint32_t verdict)
{
	static struct lb_verdict_counter each[CPUS_MAX];
	struct lb_verdict_counter sum = {0};

	if (bpf_map_lookup_elem(machine->dp->fds[MAP_verdicts], &verdict, each))
		err(1, "reading the counter of a verdict");
	for (int i = 0; i < machine->dp->cpu_count && i < CPUS_MAX; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	return sum;
}
