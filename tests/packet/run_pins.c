/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * run_pins: see run_pins.h. A case is a list of steps: pins that begin and end, and packets, with
 * the backend that each has to reach. The copy that explains has to say the same of each, before.
 */
#include "run_pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "case.h"

enum { STEPS_MAX = 12, PORT = 4000, LONG = 100, WORLD_OLD_TICKS = WORLD_IDLE_UDP + 4 };

enum step_kind { END, PIN, OVER, SYN_OF, ACK_OF, DATAGRAM_OF, ERROR_OF };

struct step {
	enum step_kind kind;
	enum world_backend backend; /* pinned, or reached */
	enum lb_decided_by by;
	int sport; /* left out: PORT */
	bool stranger;
	int since; /* PIN: so many ticks ago */
};

struct pin_case {
	const char *name;
	enum world_service service;
	const char *vip4, *vip6;
	struct step steps[STEPS_MAX];
};

#define ON(service) S_##service, V4_S_##service, V6_S_##service

#define PINNED(to, ...)                                                                            \
	{                                                                                          \
		.kind = PIN, .backend = to, ##__VA_ARGS__                                          \
	}
#define TO(what, to, how, ...)                                                                     \
	{                                                                                          \
		.kind = what, .backend = to, .by = LB_BY_##how, ##__VA_ARGS__                      \
	}
#define ENDED                                                                                      \
	{                                                                                          \
		.kind = OVER                                                                       \
	}

/* clang-format off */
static const struct pin_case cases[] = {
	{"a settled slot: new flows go there, old ones stay, and so do new ones when it is over", ON(SETTLED),
	 {TO(ACK_OF, B_A, SLOT, .sport = 1), PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_C, FLOW),
	  TO(ACK_OF, B_A, FALLBACK, .sport = 1), TO(ACK_OF, B_A, FLOW, .sport = 1), ENDED,
	  TO(ACK_OF, B_C, FLOW), TO(ACK_OF, B_A, FLOW, .sport = 1), TO(SYN_OF, B_A, SLOT, .sport = 2)}},
	{"others go their way", ON(SETTLED),
	 {PINNED(B_C), TO(SYN_OF, B_A, SLOT, .stranger = true), TO(ACK_OF, B_A, SLOT, .stranger = true)}},
	{"a changed slot: its fallback stays one", ON(CHANGED),
	 {PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_A, FALLBACK, .sport = 1), TO(ACK_OF, B_C, FLOW),
	  ENDED, TO(SYN_OF, B_B, SLOT, .sport = 2), TO(ACK_OF, B_A, FALLBACK, .sport = 3), TO(ACK_OF, B_C, FLOW)}},
	{"pinned to where it goes anyway: known when that is over", ON(CHANGED),
	 {PINNED(B_A), TO(SYN_OF, B_A, CLIENT), TO(ACK_OF, B_A, FLOW), ENDED, TO(ACK_OF, B_A, FLOW)}},
	{"each flow is tracked", ON(TRACKED),
	 {TO(SYN_OF, B_A, SLOT, .sport = 1), PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_A, FLOW, .sport = 1),
	  ENDED, TO(ACK_OF, B_C, FLOW), TO(SYN_OF, B_A, SLOT, .sport = 2)}},
	{"a client that is remembered: its record is as before when it is over", ON(CLIENTS),
	 {TO(SYN_OF, B_A, SLOT, .sport = 1), PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_A, FALLBACK, .sport = 1),
	  ENDED, TO(ACK_OF, B_C, FLOW), TO(SYN_OF, B_A, CLIENT, .sport = 2)}},
	{"a backend that drains takes nobody", ON(SETTLED),
	 {PINNED(B_DRAIN), TO(SYN_OF, B_A, SLOT), TO(ACK_OF, B_A, FALLBACK)}},
	{"a backend that is down takes nobody", ON(SETTLED), {PINNED(B_DOWN), TO(SYN_OF, B_A, SLOT)}},
	{"without anybody who answers for old flows there is no new one", ON(ALL_DOWN), {PINNED(B_C), TO(SYN_OF, NOBODY, NONE)}},
	{"an owner that answers for a fallback that is down", ON(FALLBACK_DOWN),
	 {PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_B, FALLBACK, .sport = 1)}},
	{"datagrams: those of old flows stay, for as long as there can be some", ON(SETTLED),
	 {PINNED(B_C), TO(DATAGRAM_OF, B_A, FALLBACK), PINNED(B_C, .since = WORLD_OLD_TICKS),
	  TO(DATAGRAM_OF, B_C, CLIENT, .sport = 1), TO(DATAGRAM_OF, B_A, FLOW), ENDED,
	  TO(DATAGRAM_OF, B_C, FLOW, .sport = 1), TO(DATAGRAM_OF, B_A, SLOT, .sport = 2)}},
	{"datagrams that came while it was not in force are old", ON(SETTLED),
	 {PINNED(B_DOWN, .since = WORLD_OLD_TICKS), TO(DATAGRAM_OF, B_A, SLOT),
	  PINNED(B_C, .since = -1), TO(DATAGRAM_OF, B_A, FALLBACK)}},
	{"an ICMP error goes where its flow is", ON(SETTLED),
	 {PINNED(B_C), TO(SYN_OF, B_C, CLIENT), TO(ACK_OF, B_C, FLOW), TO(ERROR_OF, B_C, FLOW),
	  TO(ERROR_OF, B_A, FALLBACK, .sport = 1), ENDED, TO(ERROR_OF, B_C, FLOW)}},
};
/* clang-format on */

static struct dataplane_pin pin_of(const struct pin_case *row, bool six)
{
	struct dataplane_pin pin = {.pool = row->service};

	if (addr_parse(six ? CLIENT6 : CLIENT4, &pin.address, NULL))
		errx(1, "pin cases: an address");
	return pin;
}

/* Begins it, or gives it another backend; `since` -1: what the program has noted stays. */
static void pin_put(struct dataplane *dp, const struct pin_case *row, const struct step *step,
		    bool six)
{
	struct dataplane_pin pin = pin_of(row, six);
	uint32_t now = dataplane_tick();

	if (step->kind == OVER || step->since < 0)
		dataplane_pin_get(dp, row->service, &pin.address, &pin);
	if (step->kind == OVER)
		pin.value.until = now;
	if (step->kind == PIN) {
		pin.value.backend = step->backend;
		pin.value.until = now + LONG;
	}
	if (step->kind == PIN && step->since >= 0)
		pin.value.since = now - (uint32_t)step->since;
	if (dataplane_pin_put(dp, &pin))
		err(1, "pin cases: making one");
}

static void packet_make(const struct pin_case *row, const struct step *step, bool six,
			struct packet *out)
{
	const char *client = six              ? step->stranger ? "2001:db8:d::9" : CLIENT6
			     : step->stranger ? "203.0.113.9"
					      : CLIENT4;
	const char *vip = six ? row->vip6 : row->vip4;
	int sport = PORT + step->sport;
	struct layer ip = {.kind = six ? LAYER_IP6 : LAYER_IP4}, tcp, quoted;

	if (six)
		ip = (struct layer)IP6(client, vip);
	else
		ip = (struct layer)IP4(client, vip);
	if (step->kind == DATAGRAM_OF)
		tcp = (struct layer)UDP(sport, 80);
	else
		tcp = (struct layer)TCP(sport, 80, .flags = step->kind == SYN_OF ? SYN : ACK,
					.sequence = step->kind == SYN_OF ? 1000 : 1001);
	if (step->kind != ERROR_OF) {
		packet_build((const struct layer[]){ETH(), ip, tcp, {.kind = LAYER_END}}, out);
		return;
	}
	if (six) {
		ip = (struct layer)IP6("2001:db8:e::1", vip);
		quoted = (struct layer)IP6(vip, client);
	} else {
		ip = (struct layer)IP4("203.0.113.1", vip);
		quoted = (struct layer)IP4(vip, client);
	}
	packet_build((const struct layer[]){ETH(),
					    ip,
					    ICMP(six ? 2 : 3, six ? 0 : 4, .rest = 1400),
					    quoted,
					    TCP(80, sport),
					    DATA(9),
					    {.kind = LAYER_END}},
		     out);
}

static bool said_is(const struct lb_explanation *said, const struct step *step)
{
	enum lb_verdict verdict = step->backend ? LB_FORWARDED : LB_DROP_NO_BACKEND;

	if (said->verdict == verdict &&
	    (!step->backend || (said->backend == step->backend && said->decided_by == step->by)))
		return true;
	printf("#   %s, backend %u by %u; expected backend %u by %u\n",
	       dataplane_verdict_name(said->verdict), said->backend, said->decided_by,
	       step->backend, step->by);
	return false;
}

/* What the real program does is told by the frame: all are reached by L2. */
static bool frame_is(const uint8_t *frame, const struct step *step)
{
	static const struct layer macs[WORLD_BACKENDS] = {[B_A] = TO_A, [B_B] = TO_B, [B_C] = TO_C};
	struct packet ethernet;

	if (!step->backend)
		return true;
	packet_build((const struct layer[]){macs[step->backend], {.kind = LAYER_END}}, &ethernet);
	if (!memcmp(frame, ethernet.bytes, 6))
		return true;
	printf("#   sent to another backend than %u\n", step->backend);
	return false;
}

static bool packet_run(struct dataplane *dp, const struct pin_case *row, const struct step *step,
		       bool six)
{
	struct lb_explanation said;
	struct packet in, out;
	struct fault fault;
	struct xdp_md context = {.ingress_ifindex = WORLD_NEAR_IFINDEX};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in.bytes, .data_out = out.bytes,
		    .data_size_out = sizeof(out.bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	packet_make(row, step, six, &in);
	context.data_end = run.data_size_in = (uint32_t)in.size;
	if (dataplane_explain(dp, in.bytes, in.size, WORLD_NEAR_IFINDEX, &said, NULL, NULL, &fault))
		errx(1, "pin cases: %s", fault.message);
	if (bpf_prog_test_run_opts(dataplane_program_fd(dp), &run))
		err(1, "pin cases: running the program");
	return said_is(&said, step) & frame_is(out.bytes, step);
}

static bool case_run(const struct maps *maps, const struct pin_case *row, bool six)
{
	struct dataplane_pin pin = pin_of(row, six);
	const struct lb_usage none = {0};
	bool good = true;

	maps_clear(maps);
	maps_usage_put(maps, &none);
	for (int i = 0; i < STEPS_MAX && row->steps[i].kind != END && good; i++) {
		const struct step *step = &row->steps[i];

		if (step->kind == PIN || step->kind == OVER)
			pin_put(maps->dp, row, step, six);
		else
			good = packet_run(maps->dp, row, step, six);
		if (!good)
			printf("#   (step %d)\n", i + 1);
	}
	dataplane_pin_del(maps->dp, &pin);
	dataplane_pins_none(maps->dp, row->service);
	return good;
}

unsigned int pins_run(const struct maps *maps, unsigned int *number)
{
	unsigned int failed = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int six = 0; six < 2; six++) {
			bool good = case_run(maps, &cases[i], six);

			failed += !good;
			printf("%sok %u - pins: %s, %s\n", good ? "" : "not ", ++*number,
			       cases[i].name, six ? "IPv6" : "IPv4");
		}
	maps_clear(maps);
	return failed;
}
