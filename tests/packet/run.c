/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet [--program FILE] [TOPIC...]: all cases, or those of some topics; FILE: see program.h, and
 * then the first case that fails is the last.
 *
 * Puts each packet case (case.h) through the real program with its real maps, by BPF_PROG_TEST_RUN,
 * and compares everything a case speaks of. Prints TAP; exit status 1 if a case failed, 2 if there
 * was nothing to run them on. Each verdict has to be some case's. Root; it moves into network and
 * mount namespaces of its own, so that nothing of it is seen outside and nothing stays.
 *
 * Each packet is also shown to the read-only copy of the program, which must say the same and leave
 * no trace: `lbctl flow lookup` rests on that.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "case.h"
#include "openers.h"
#include "program.h"
#include "run_listeners.h"
#include "run_nat.h"
#include "run_pins.h"
#include "run_sweep.h"
#include "run_trace.h"
#include "state.h"
#include "tally.h"

#define BPFFS             "/sys/fs/bpf"
#define PIN_DIR           BPFFS "/packet"
#define PIN_DIR_NAT       BPFFS "/nat"
#define PIN_DIR_FORGETFUL BPFFS "/forgetful"

enum { METADATA_ALWAYS = 32 }; /* bytes of it that every kernel takes */

static const struct case_list *const lists[] = {
	&headers,    &truncated, &listeners,   &encapsulation, &gue,       &icmp,
	&answers,    &affinity,  &established, &clients,       &forgetful, &link_layer,
	&extensions, &fragments, &admission,   &checksums,
};

static const char *action_name(uint32_t action)
{
	static const char *const names[] = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					    "XDP_REDIRECT"};

	return action < 5 ? names[action] : "an unknown action";
}

/* What leaves, by the case. */
static void packet_expected(const struct packet_case *row, const struct packet *in,
			    struct packet *out)
{
	static const struct layer macs[WORLD_BACKENDS] = {
		[B_L2] = TO_L2, [B_FAR_L2] = TO_FAR_L2, [B_A] = TO_A,
		[B_B] = TO_B,   [B_C] = TO_C,           [B_DRAIN] = TO_DRAIN};
	struct packet ethernet;

	if (row->out[0].kind != LAYER_END) {
		packet_build_quoting(row->out, in, out);
		return;
	}
	*out = *in;
	if (row->verdict != LB_FORWARDED)
		return;
	packet_build((const struct layer[]){macs[row->backend], {.kind = LAYER_END}}, &ethernet);
	memcpy(out->bytes, ethernet.bytes, 12);
}

/* What is dropped may be in any state. */
static bool check_packet(const struct packet_case *row, const struct packet *in,
			 const struct packet *got, const char *what)
{
	struct packet expected;

	if (row->action == XDP_DROP)
		return true;
	packet_expected(row, in, &expected);
	if (expected.size == got->size && !memcmp(expected.bytes, got->bytes, got->size))
		return true;
	printf("#   %s: the packet differs\n", what);
	packet_print_difference(&expected, got);
	return false;
}

static uint32_t program_run(struct dataplane *dp, const struct packet_case *row,
			    const struct packet *in, struct packet *out)
{
	static uint8_t frame[PACKET_SIZE_MAX];
	struct xdp_md context = {.data = row->metadata,
				 .data_end = (uint32_t)in->size + row->metadata,
				 .ingress_ifindex = WORLD_NEAR_IFINDEX};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame,
		    .data_size_in = (uint32_t)in->size + row->metadata, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	memset(frame, 0, row->metadata);
	memcpy(frame + row->metadata, in->bytes, in->size);
	if (bpf_prog_test_run_opts(dataplane_program_fd(dp), &run))
		err(1, "packet case %s: running the program on %zu bytes", row->name, in->size);
	out->size = run.data_size_out;
	return run.retval;
}

static struct subject subject_quoted(const struct layer *layers, struct subject subject)
{
	for (; layers->kind != LAYER_END; layers++) {
		if (layers->kind == LAYER_IP4) {
			subject.src = layers->ip4.dst;
			subject.dst = layers->ip4.src;
		} else if (layers->kind == LAYER_IP6) {
			subject.src = layers->ip6.dst;
			subject.dst = layers->ip6.src;
		} else if (layers->kind == LAYER_TCP) {
			subject.proto = IPPROTO_TCP;
			subject.sport = layers->tcp.dport;
			subject.dport = layers->tcp.sport;
		} else if (layers->kind == LAYER_UDP) {
			subject.proto = IPPROTO_UDP;
			subject.sport = layers->udp.dport;
			subject.dport = layers->udp.sport;
		}
	}
	return subject;
}

/* The flow that the packet is of, where it has one. */
static struct subject subject_of(const struct packet_case *row)
{
	const struct case_fragment *first = &row->before.fragments[0];
	struct subject subject = {.service = row->service,
				  .proto = first->proto,
				  .sport = first->sport,
				  .dport = first->dport};

	for (int i = 0; i < PACKET_LAYERS_MAX; i++) {
		const struct layer *layer = &row->in[i];

		/* That of the quoted packet, turned round. */
		if (layer->kind == LAYER_ICMP)
			return subject_quoted(&row->in[i + 1], subject);
		if (layer->kind == LAYER_IP4 || layer->kind == LAYER_IP6) {
			bool six = layer->kind == LAYER_IP6;

			subject.src = six ? layer->ip6.src : layer->ip4.src;
			subject.dst = six ? layer->ip6.dst : layer->ip4.dst;
		} else if (layer->kind == LAYER_TCP || layer->kind == LAYER_UDP) {
			bool udp = layer->kind == LAYER_UDP;

			subject.proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
			subject.sport = udp ? layer->udp.sport : layer->tcp.sport;
			subject.dport = udp ? layer->udp.dport : layer->tcp.dport;
		}
	}
	return subject;
}

static bool check_said(const struct packet_case *row, const struct lb_explanation *said)
{
	/* Of a packet that was lost after its backend was chosen, the case does not say whose. */
	bool backend_known =
		!row->service || row->verdict == LB_FORWARDED || row->verdict == LB_DROP_NO_BACKEND;
	bool by_entry = said->decided_by == LB_BY_FLOW;
	bool age_right = row->verdict != LB_FORWARDED || by_entry == (said->entry_age != ~0U);

	if (said->verdict == row->verdict && said->service == row->service &&
	    (!backend_known || said->backend == row->backend) &&
	    (!row->by || said->decided_by == row->by) && age_right)
		return true;
	printf("#   explained as %s: service %u, backend %u, decided by %u, age of the entry %d\n",
	       dataplane_verdict_name(said->verdict), said->service, said->backend,
	       said->decided_by, (int)said->entry_age);
	return false;
}

/* The read-only copy says what the other one will do, and does nothing. */
static bool check_explained(struct dataplane *dp, const struct packet_case *row,
			    const struct packet *in, const struct tally *before,
			    const struct state *state, uint32_t *slot)
{
	struct lb_explanation said;
	struct packet out = {.size = sizeof(out.bytes)};
	struct fault fault;
	struct tally after;
	bool good;

	if (dataplane_explain(dp, in->bytes, in->size, WORLD_NEAR_IFINDEX, &said, out.bytes,
			      &out.size, &fault))
		errx(1, "packet case %s: %s", row->name, fault.message);
	*slot = said.slot;
	tally_read(dp, &after);
	good = !memcmp(before, &after, sizeof(after));
	if (!good)
		printf("#   explained: something was counted\n");
	good &= state_check(state, state->before, said.slot, "explained");
	good &= check_said(row, &said);
	return good & check_packet(row, in, &out, "explained");
}

enum { ERRORS_LEFT = 5, IN_FUTURE_S = -3600 };

static void errors_prepare(const struct maps *maps, const struct packet_case *row)
{
	bool some = row->errors == SOME_ERRORS || row->errors == ERROR_LOST;

	maps_bucket_put(maps, some ? ERRORS_LEFT : 0,
			row->errors == ERRORS_REFILL ? 5 : IN_FUTURE_S);
}

/* An error that was sent has taken one; filling up stops at the burst. */
static bool check_errors(const struct packet_case *row, uint32_t before, uint32_t after)
{
	bool taken = row->verdict == LB_REFUSED_TTL || row->verdict == LB_REFUSED_TOO_BIG ||
		     row->errors == ERROR_LOST;
	uint32_t expected = before - taken;

	if (row->errors == ERRORS_REFILL)
		expected = LB_ERRORS_BURST - 1;
	if (after == expected)
		return true;
	printf("#   expected %u ICMP errors to be left, found %u\n", expected, after);
	return false;
}

static bool case_run_once(const struct maps *maps, const struct packet_case *row,
			  const struct packet *in)
{
	const struct subject subject = subject_of(row);
	struct state state = {
		.maps = maps, .name = row->name, .subject = &subject, .before = &row->before};
	struct tally before, after;
	struct packet out;
	uint32_t action, slot = 0, errors;
	bool good = true;

	state_prepare(&state, row->full);
	openers_prepare(row, &subject);
	errors_prepare(maps, row);
	errors = maps_bucket_tokens(maps);
	tally_read(maps->dp, &before);
	/* A packet with metadata cannot be asked about. */
	if (!row->metadata)
		good = check_explained(maps->dp, row, in, &before, &state, &slot);
	good &= maps_bucket_tokens(maps) == errors;
	good &= openers_check(&subject, row->opened[0], "explained");
	action = program_run(maps->dp, row, in, &out);
	tally_read(maps->dp, &after);

	if (action != row->action) {
		printf("#   expected %s, got %s\n", action_name(row->action), action_name(action));
		good = false;
	}
	good &= tally_check(row, in, &before, &after);
	good &= check_errors(row, errors, maps_bucket_tokens(maps));
	good &= openers_check(&subject, row->opened[1], "after the packet");
	good &= check_packet(row, in, &out, "sent");
	return good & state_check(&state, &row->after, slot, "after the packet");
}

static bool case_run(const struct maps *maps, const struct packet_case *row)
{
	struct packet in;
	size_t first, last;
	bool good = true;

	packet_build(row->in, &in);
	first = row->cut[0] ? (size_t)row->cut[0] : in.size;
	last = row->cut[1] ? (size_t)row->cut[1] : in.size;
	if (first > last || last > in.size)
		errx(1, "packet case %s: cannot cut %zu bytes so", row->name, in.size);
	for (in.size = first; good && in.size <= last; in.size++) {
		good = case_run_once(maps, row, &in);
		if (!good)
			printf("#   (a frame of %zu bytes)\n", in.size);
	}
	return good;
}

/* Whether the kernel has drivers leave that much metadata before a frame. */
static bool metadata_allowed(struct dataplane *dp, uint32_t size)
{
	uint8_t frame[PACKET_SIZE_MAX] = {0};
	struct xdp_md context = {.data = size, .data_end = sizeof(struct ethhdr) + size};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = context.data_end,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	return size <= METADATA_ALWAYS || !bpf_prog_test_run_opts(dataplane_program_fd(dp), &run);
}

static void namespaces_enter(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET))
		err(1, "cannot make namespaces (are you root?)");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		err(1, "cannot mount a BPF file system of its own on %s", BPFFS);
}

/* Entries must be able to be older than any limit on a machine that has just started, too. */
static void age_wait(void)
{
	while (dataplane_tick() <= WORLD_OLDEST)
		sleep(1);
}

/* ---- which cases are run, and what they reach ---- */

static const char
	*program;     /* in the place of the one that was built; then the first failure ends */
static char **topics; /* NULL at the end; none: all */
static bool reached[LB_VERDICT_COUNT];

static bool topic_wanted(const char *topic)
{
	bool wanted = !*topics;

	for (char **t = topics; *t; t++)
		wanted |= !strcmp(*t, topic);
	return wanted;
}

static bool world_wanted(bool forget)
{
	bool wanted =
		!forget && (topic_wanted("sweep") || topic_wanted("trace") || topic_wanted("pins"));

	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		wanted |= lists[l]->forgetful == forget && topic_wanted(lists[l]->topic);
	return wanted;
}

/* Cases take turns on the CPUs that there are: each counts for itself, in places of its own. */
static void cpu_next(void)
{
	static cpu_set_t all;
	static int cpu;
	cpu_set_t one;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		err(1, "asking for CPUs");
	do
		cpu = (cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(cpu, &all));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "going to CPU %d", cpu);
}

static unsigned int list_run(const struct maps *maps, const struct case_list *list,
			     unsigned int *number)
{
	unsigned int failed = 0;

	for (size_t c = 0; c < list->count && !(failed && program); c++) {
		const struct packet_case *row = &list->cases[c];
		bool good;

		reached[row->verdict] = true;
		if (!metadata_allowed(maps->dp, row->metadata)) {
			printf("# left out, for this kernel knows no such metadata: %s\n",
			       row->name);
			continue;
		}
		cpu_next();
		good = case_run(maps, row);
		failed += !good;
		printf("%sok %u - %s: %s\n", good ? "" : "not ", ++*number, list->topic, row->name);
	}
	return failed;
}

/* All cases of one world. Returns how many failed, as list_run does. */
static unsigned int world_run(const char *pin_dir, bool forget, unsigned int *number)
{
	const struct lb_settings *settings = forget ? &world_settings_forgetful : &world_settings;
	struct fault fault;
	struct dataplane *dp;
	struct maps maps;
	unsigned int failed = 0;

	if (!world_wanted(forget))
		return 0;
	dp = dataplane_create(pin_dir, settings, &fault);
	if (!dp) {
		fault_print(&fault, "packet");
		exit(2);
	}
	world_create(dp);
	maps_open(&maps, dp, pin_dir);
	openers_open(pin_dir);
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]) && !(failed && program); l++)
		if (lists[l]->forgetful == forget && topic_wanted(lists[l]->topic))
			failed += list_run(&maps, lists[l], number);
	if (!forget && topic_wanted("sweep") && !(failed && program))
		failed += sweeps_run(&maps, number);
	if (!forget && topic_wanted("pins") && !(failed && program))
		failed += pins_run(&maps, number);
	if (!forget && topic_wanted("trace") && !(failed && program))
		failed += traces_run(dp, pin_dir, number);
	if (!forget && topic_wanted("listeners") && !(failed && program))
		failed += listeners_run(dp, pin_dir, number);
	openers_close();
	maps_close(&maps);
	dataplane_close(dp);
	return failed;
}

static unsigned int verdicts_check(unsigned int *number)
{
	unsigned int failed = 0;

	for (int v = LB_CONTINUE + 1; v < LB_VERDICT_COUNT; v++) {
		failed += !reached[v];
		printf("%sok %u - a case reaches %s\n", reached[v] ? "" : "not ", ++*number,
		       dataplane_verdict_name((uint32_t)v));
	}
	return failed;
}

int main(int argc, char **argv)
{
	unsigned int number = 0, failed;

	topics = argv + 1;
	if (argc > 2 && !strcmp(argv[1], "--program")) {
		program = argv[2];
		topics += 2;
		program_replace(program);
	}
	namespaces_enter();
	age_wait();
	failed = world_run(PIN_DIR, false, &number);
	failed += world_run(PIN_DIR_FORGETFUL, true, &number);
	if (topic_wanted("nat") && !(failed && program))
		failed += nat_run(PIN_DIR_NAT, program != NULL, reached, &number);
	if (!*topics)
		failed += verdicts_check(&number);
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}
