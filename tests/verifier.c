/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verifier: loads each packet program and says how many instructions the kernel's verifier walked,
 * as TAP. A program that took more than a tenth of the kernel's limit fails: another kernel, which
 * tells fewer ways apart, might refuse it. Root.
 *
 * Constants are set as an installation sets them, because the verifier follows only the branches
 * that they leave open.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/lb_abi.h"
#include "decap.skel.h"
#include "lb.skel.h"
#include "probe.skel.h"
#include "sweep.skel.h"

enum { INSTRUCTIONS_MAX = 100000, LOG_SIZE = 1 << 20, LOG_STATISTICS = 4 };

static const struct lb_limits limits = {.flows = 1000000, .clients = 1000000};
static unsigned int number, failed;

static void constants_set(const volatile __u64 *keys, const volatile __u32 *quotas)
{
	const __u32 some[LB_QUOTA_COUNT] = LB_QUOTAS(&limits);

	for (int i = 0; i < LB_HASH_KEYS; i++)
		((volatile __u64 *)keys)[i] = 0x9e3779b97f4a7c15ULL * (__u64)(i + 1);
	for (int i = 0; i < LB_QUOTA_COUNT; i++)
		((volatile __u32 *)quotas)[i] = some[i];
}

/* What the log says, or 0. */
static unsigned long processed(const char *log)
{
	const char *said = strstr(log, "processed ");

	return said ? strtoul(said + strlen("processed "), NULL, 10) : 0;
}

/* Loads the object, of one program, and frees it. */
static void judge(const char *name, struct bpf_object *object)
{
	struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	char *log = calloc(1, LOG_SIZE);
	unsigned long count;
	bool good;

	if (!program || !log)
		err(1, "%s", name);
	bpf_program__set_log_level(program, LOG_STATISTICS);
	bpf_program__set_log_buf(program, log, LOG_SIZE);
	good = !bpf_object__load(object);
	count = processed(log);
	if (!good)
		printf("# not loaded; the verifier says:\n# %s\n", log);
	good = good && count && count < INSTRUCTIONS_MAX;
	failed += !good;
	printf("%sok %u - %s: %lu of %d instructions\n", good ? "" : "not ", ++number, name, count,
	       INSTRUCTIONS_MAX);
	free(log);
}

static void judge_lb(const char *name, bool read_only, bool finish)
{
	struct lb_bpf *lb = lb_bpf__open();

	if (!lb)
		err(1, "%s", name);
	constants_set(lb->rodata->hash_keys, lb->rodata->quotas);
	lb->rodata->read_only = read_only;
	lb->rodata->finish_checksums = finish;
	lb->rodata->counter_stride = 8;
	judge(name, lb->obj);
	lb_bpf__destroy(lb);
}

int main(void)
{
	struct sweep_bpf *sweep;
	struct decap_bpf *decap;
	struct probe_bpf *probe;

	libbpf_set_print(NULL);
	sweep = sweep_bpf__open();
	decap = decap_bpf__open();
	probe = probe_bpf__open();
	if (!sweep || !decap || !probe)
		err(1, "opening the programs");
	judge_lb("limpet", false, false);
	judge_lb("limpet, where checksums are to be finished", false, true);
	judge_lb("limpet, the copy that explains", true, false);
	constants_set(sweep->rodata->hash_keys, sweep->rodata->quotas);
	judge("sweep", sweep->obj);
	judge("decap", decap->obj);
	probe->rodata->probe_mark = LB_PROBE_MARK(0);
	judge("probe", probe->obj);
	sweep_bpf__destroy(sweep);
	decap_bpf__destroy(decap);
	probe_bpf__destroy(probe);
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}
