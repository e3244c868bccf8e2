/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * run_trace: see run_trace.h. First what is shown of a packet, and which filters it fits; then when
 * nothing is shown: beyond the rate, without room, after the end, and by the copy that explains.
 */
#include "run_trace.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/addr.h"
#include "case.h"

enum {
	SHOWN_MAX = 8192,
	RING_EVENTS = LB_TRACE_RING_SIZE / (sizeof(struct lb_trace_event) + 8),
	MORE_THAN_FIT = RING_EVENTS + 500,
};

#define HOURS_NS (3600ULL * 1000000000)

/* A filter, as people think of it; nothing given: any packet fits. */
struct asked {
	const char *address; /* or a prefix */
	int port, proto;
	enum world_service service;
	enum world_backend backend;
	uint64_t verdicts;
};

#define ENDS(what) (1ULL << LB_##what)

enum { FILTERS_MAX = 6 };

struct trace_case {
	const char *name;
	struct layer in[PACKET_LAYERS_MAX];
	size_t cut; /* the frame ends there; 0: it is whole */
	/* What is shown of it; without `family` no flow is known. */
	struct {
		enum lb_verdict verdict;
		enum world_service service;
		enum world_backend backend;
		enum lb_decided_by by;
		const char *source, *destination;
		int sport, dport, proto;
		uint8_t flags;
	} shown;
	struct asked fit[FILTERS_MAX], unfit[FILTERS_MAX];
};

#define SHOWN_TO(to, how) .verdict = LB_FORWARDED, .service = S_##to, .backend = B_##to, .by = how
#define FLOW4(vip, kind)                                                                           \
	.source = CLIENT4, .destination = vip, .sport = 4000, .dport = 80, .proto = kind
#define FLOW6(vip, kind)                                                                           \
	.source = CLIENT6, .destination = vip, .sport = 4000, .dport = 80, .proto = kind

/* clang-format off */
static const struct trace_case cases[] = {
	{.name = "a SYN that leaves in another header",
	 .in = {ETH(), IP4(CLIENT4, V4_S_IN4), TCP(4000, 80, .flags = SYN), DATA(300)},
	 .shown = {SHOWN_TO(IN4, LB_BY_SLOT), FLOW4(V4_S_IN4, IPPROTO_TCP), .flags = LB_TRACE_SYN},
	 .fit = {{.address = CLIENT4}, {.address = V4_S_IN4}, {.address = "198.51.100.0/24", .port = 80},
		 {.port = 4000, .proto = IPPROTO_TCP}, {.service = S_IN4, .backend = B_IN4},
		 {.verdicts = ENDS(FORWARDED) | ENDS(DROP_TTL)}},
	 .unfit = {{.address = "198.51.100.8"}, {.address = "2001::/16"}, {.port = 8000},
		   {.proto = IPPROTO_UDP}, {.service = S_L2}, {.verdicts = ENDS(DROP_TTL)}}},
	{.name = "IPv6, and both ends are looked at",
	 .in = {ETH(), IP6(CLIENT6, V6_S_L2), UDP(4000, 80), DATA(10)},
	 .shown = {SHOWN_TO(L2, LB_BY_SLOT), FLOW6(V6_S_L2, IPPROTO_UDP)},
	 .fit = {{.address = CLIENT6}, {.address = V6_S_L2}, {.address = "2001:db8:c::/48"},
		 {.address = "2001:db8::/64", .port = 4000}, {.backend = B_L2}, {.proto = IPPROTO_UDP}},
	 .unfit = {{.address = "2001:db8:c::8"}, {.address = "2001:db8:d::/48"}, {.address = "0.0.0.0/0"},
		   {.backend = B_IN6}, {.address = CLIENT6, .port = 81}, {.proto = IPPROTO_TCP}}},
	{.name = "as it came in, though its link header changes in place",
	 .in = {ETH(), IP4(CLIENT4, V4_S_L2), TCP(4000, 80, .flags = FIN | ACK)},
	 .shown = {SHOWN_TO(L2, LB_BY_SLOT), FLOW4(V4_S_L2, IPPROTO_TCP), .flags = LB_TRACE_CLOSING}},
	{.name = "a reset of a tracked flow's service",
	 .in = {ETH(), IP4(CLIENT4, V4_S_CHANGED), TCP(4000, 80, .flags = RST)},
	 .shown = {.verdict = LB_FORWARDED, .service = S_CHANGED, .backend = B_A, .by = LB_BY_FALLBACK,
		   FLOW4(V4_S_CHANGED, IPPROTO_TCP), .flags = LB_TRACE_CLOSING | LB_TRACE_RESET},
	 .fit = {{.backend = B_A}}, .unfit = {{.backend = B_B}}},
	{.name = "nobody to go to",
	 .in = {ETH(), IP4(CLIENT4, V4_S_ALL_DOWN), TCP(4000, 80, .flags = SYN)},
	 .shown = {.verdict = LB_DROP_NO_BACKEND, .service = S_ALL_DOWN, FLOW4(V4_S_ALL_DOWN, IPPROTO_TCP),
		   .flags = LB_TRACE_SYN},
	 .fit = {{.verdicts = ENDS(DROP_NO_BACKEND)}, {.service = S_ALL_DOWN}},
	 .unfit = {{.verdicts = ~ENDS(DROP_NO_BACKEND)}, {.backend = B_DOWN}}},
	{.name = "a ping that is answered, as it came in",
	 .in = {ETH(), IP4(CLIENT4, V4_S_L2), ICMP(8, 0), DATA(200)},
	 .shown = {.verdict = LB_ANSWERED_ECHO, .source = CLIENT4, .destination = V4_S_L2, .proto = IPPROTO_ICMP},
	 .fit = {{.proto = IPPROTO_ICMP}, {.address = CLIENT4}, {.verdicts = ENDS(ANSWERED_ECHO)}},
	 .unfit = {{.proto = IPPROTO_TCP}, {.port = 80}, {.service = S_L2}}},
	{.name = "an ICMP error is its flow's",
	 .in = {ETH(), IP4("203.0.113.9", V4_S_L2), ICMP(3, 4, .rest = 1400), IP4(V4_S_L2, CLIENT4),
		TCP(80, 4000), DATA(9)},
	 .shown = {SHOWN_TO(L2, LB_BY_SLOT), FLOW4(V4_S_L2, IPPROTO_TCP), .flags = LB_TRACE_QUOTED},
	 .fit = {{.address = CLIENT4, .port = 4000, .proto = IPPROTO_TCP}},
	 .unfit = {{.address = "203.0.113.9"}}},
	{.name = "a fragment without its first one",
	 .in = {ETH(), IP4(CLIENT4, V4_S_L2, .proto = 17, .id = 999, .offset = 185), DATA(100)},
	 .shown = {.verdict = LB_DROP_FRAGMENT, .source = CLIENT4, .destination = V4_S_L2, .proto = IPPROTO_UDP,
		   .flags = LB_TRACE_FRAGMENT},
	 .fit = {{.address = CLIENT4}}, .unfit = {{.port = 80}}},
	{.name = "no service's",
	 .in = {ETH(), IP4(CLIENT4, NO_VIP4), UDP(4000, 80)},
	 .shown = {.verdict = LB_PASS_NO_SERVICE, FLOW4(NO_VIP4, IPPROTO_UDP)},
	 .fit = {{.address = NO_VIP4}, {.verdicts = ENDS(PASS_NO_SERVICE)}}, .unfit = {{.service = S_L2}}},
	{.name = "no IP",
	 .in = {ETH(.type = 0x0806), DATA(28)},
	 .shown = {.verdict = LB_PASS_NOT_IP},
	 .fit = {{.verdicts = ENDS(PASS_NOT_IP)}, {.port = 0}},
	 .unfit = {{.address = "0.0.0.0/0"}, {.address = "::/0"}, {.port = 80}, {.proto = IPPROTO_TCP}}},
	{.name = "a frame that ends early",
	 .in = {ETH(), IP4(CLIENT4, V4_S_L2), TCP(4000, 80)}, .cut = 20,
	 .shown = {.verdict = LB_DROP_TRUNCATED},
	 .fit = {{.verdicts = ENDS(DROP_TRUNCATED)}}, .unfit = {{.address = CLIENT4}}},
};
/* clang-format on */

/* ---- events ---- */

static struct {
	struct lb_trace_event events[SHOWN_MAX];
	unsigned count;
} shown;

static void on_event(void *context, const struct lb_trace_event *event)
{
	(void)context;
	if (shown.count < SHOWN_MAX)
		shown.events[shown.count] = *event;
	shown.count++;
}

static unsigned shown_read(struct dataplane *dp)
{
	shown.count = 0;
	dataplane_trace_read(dp, SHOWN_MAX, on_event, NULL);
	return shown.count;
}

/* As if no event had been made yet. */
static void cpus_clear(const char *pin_dir)
{
	struct lb_trace_cpu *cpus = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*cpus));
	const uint32_t zero = 0;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/trace_cpus", pin_dir);
	fd = bpf_obj_get(path);
	if (!cpus || fd < 0 || bpf_map_update_elem(fd, &zero, cpus, BPF_ANY))
		err(1, "%s", path);
	close(fd);
	free(cpus);
}

static uint64_t until_read(const char *pin_dir, const uint64_t *set)
{
	struct lb_trace trace;
	const uint32_t zero = 0;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/data_trace", pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &trace))
		err(1, "%s", path);
	if (set) {
		trace.until_ns = *set;
		if (bpf_map_update_elem(fd, &zero, &trace, BPF_ANY))
			err(1, "%s", path);
	}
	close(fd);
	return trace.until_ns;
}

static void start(struct dataplane *dp, const struct asked *asked, uint64_t interval_ns)
{
	struct lb_trace what = {.interval_ns = interval_ns};
	struct lb_trace_filter *filter = &what.filter;
	struct addr ones = {0};
	struct prefix prefix;
	struct fault fault;

	if (asked->address) {
		if (prefix_parse(asked->address, &prefix, NULL))
			errx(1, "trace cases: %s", asked->address);
		memset(&ones.ip, 0xff, sizeof(ones.ip));
		ones.family = filter->family = prefix.addr.family;
		filter->address = prefix.addr.ip;
		filter->mask = addr_mask(&ones, prefix.length).ip;
	}
	filter->port = htons((uint16_t)asked->port);
	filter->proto = (uint8_t)asked->proto;
	filter->service = asked->service;
	filter->backend = asked->backend;
	filter->verdicts = asked->verdicts;
	if (dataplane_trace_start(dp, &what, &fault))
		errx(1, "trace cases: %s", fault.message);
}

static void pass(struct dataplane *dp, const struct packet *in, int times)
{
	struct xdp_md context = {.data_end = (uint32_t)in->size,
				 .ingress_ifindex = WORLD_NEAR_IFINDEX};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->size, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = times);

	if (bpf_prog_test_run_opts(dataplane_program_fd(dp), &run))
		err(1, "trace cases: running the program");
}

/* ---- what is shown ---- */

static bool end_is(uint8_t family, const union lb_addr *ip, const char *expected)
{
	const struct addr addr = {.family = family, .ip = *ip};
	char text[ADDR_TEXT_SIZE];

	return family ? expected && !strcmp(addr_format(&addr, text), expected) : !expected;
}

static bool event_is(const struct lb_trace_event *event, const struct trace_case *row,
		     const struct packet *in)
{
	const size_t kept = in->size < LB_TRACE_FRAME ? in->size : LB_TRACE_FRAME;

	if (event->said.verdict == row->shown.verdict &&
	    event->said.service == row->shown.service &&
	    event->said.backend == row->shown.backend && event->said.decided_by == row->shown.by &&
	    end_is(event->family, &event->source, row->shown.source) &&
	    end_is(event->family, &event->destination, row->shown.destination) &&
	    ntohs(event->source_port) == row->shown.sport &&
	    ntohs(event->destination_port) == row->shown.dport &&
	    event->proto == row->shown.proto && event->flags == row->shown.flags &&
	    event->length == in->size && event->captured == kept &&
	    event->ifindex == WORLD_NEAR_IFINDEX && !memcmp(event->frame, in->bytes, kept))
		return true;
	printf("#   shown as %s, service %u, backend %u by %u, proto %u, ports %u to %u, flags %x, "
	       "family %u, %u of %u bytes, interface %u\n",
	       dataplane_verdict_name(event->said.verdict), event->said.service,
	       event->said.backend, event->said.decided_by, event->proto, ntohs(event->source_port),
	       ntohs(event->destination_port), event->flags, event->family, event->captured,
	       event->length, event->ifindex);
	return false;
}

static bool case_run(struct dataplane *dp, const struct trace_case *row)
{
	static const struct asked any;
	struct packet in;
	bool good = true;

	packet_build(row->in, &in);
	if (row->cut)
		in.size = row->cut;
	start(dp, &any, 1);
	pass(dp, &in, 1);
	good = shown_read(dp) == 1 && event_is(&shown.events[0], row, &in);
	if (!good)
		printf("#   %u events\n", shown.count);
	for (int i = 0; i < FILTERS_MAX; i++) {
		static const struct asked none;

		if (memcmp(&row->fit[i], &none, sizeof(none))) {
			start(dp, &row->fit[i], 1);
			pass(dp, &in, 1);
			if (shown_read(dp) != 1) {
				printf("#   not shown by filter %d that it fits\n", i);
				good = false;
			}
		}
		if (memcmp(&row->unfit[i], &none, sizeof(none))) {
			start(dp, &row->unfit[i], 1);
			pass(dp, &in, 1);
			if (shown_read(dp) != 0) {
				printf("#   shown by filter %d that it does not fit\n", i);
				good = false;
			}
		}
	}
	dataplane_trace_stop(dp);
	return good;
}

/* ---- when nothing is ---- */

static const struct layer dropped[] = {
	ETH(), IP4(CLIENT4, V4_S_ALL_DOWN), TCP(4000, 80, .flags = SYN), {.kind = LAYER_END}};

static bool expect(const char *what, uint64_t found, uint64_t expected)
{
	if (found == expected)
		return true;
	printf("#   %s: expected %llu, found %llu\n", what, (unsigned long long)expected,
	       (unsigned long long)found);
	return false;
}

/* What was missed since `before`, which becomes what was missed until now. */
static struct dataplane_trace_missed missed_since(struct dataplane *dp,
						  struct dataplane_trace_missed *before)
{
	struct dataplane_trace_missed was = *before;

	if (dataplane_trace_missed(dp, before))
		errx(1, "trace cases: reading what was not shown");
	return (struct dataplane_trace_missed){.limited = before->limited - was.limited,
					       .lost = before->lost - was.lost};
}

static bool rate_run(struct dataplane *dp, const char *pin_dir, const struct packet *in)
{
	static const struct asked any, other = {.service = S_L2}, elsewhere = {.port = 81};
	struct dataplane_trace_missed before = {0}, missed;
	bool good;

	cpus_clear(pin_dir);
	/* One, and nothing more for an hour. */
	start(dp, &any, HOURS_NS);
	missed_since(dp, &before);
	pass(dp, in, 100);
	good = expect("shown of 100", shown_read(dp), 1);
	missed = missed_since(dp, &before);
	good &= expect("limited of 100", missed.limited, 99);
	good &= expect("lost of 100", missed.lost, 0);
	/* What would not have been shown anyway is not missed. */
	start(dp, &other, HOURS_NS);
	pass(dp, in, 100);
	start(dp, &elsewhere, HOURS_NS);
	pass(dp, in, 100);
	good &= expect("shown of others", shown_read(dp), 0);
	good &= expect("limited of others", missed_since(dp, &before).limited, 0);
	/* A burst: an eighth of a second's, and the one that begins it. */
	cpus_clear(pin_dir);
	start(dp, &any, LB_TRACE_BURST_NS / 4);
	pass(dp, in, 100);
	shown_read(dp);
	return good & expect("at once 5, or some more where it took long",
			     shown.count >= 5 && shown.count < 20, true);
}

static bool room_run(struct dataplane *dp, const char *pin_dir, const struct packet *in)
{
	struct dataplane_trace_missed before = {0}, missed;
	static const struct asked any;
	unsigned fetched;
	bool good;

	cpus_clear(pin_dir);
	start(dp, &any, 1);
	missed_since(dp, &before);
	pass(dp, in, MORE_THAN_FIT);
	missed = missed_since(dp, &before);
	fetched = shown_read(dp);
	good = expect("shown and lost", fetched + missed.lost, MORE_THAN_FIT);
	good &= expect("some are lost", missed.lost > 0 && fetched > RING_EVENTS / 2, true);
	/* What is fetched makes room. */
	pass(dp, in, 1);
	good &= expect("shown after that", shown_read(dp), 1);
	/* Those of a trace that is over are no other's. */
	pass(dp, in, 3);
	start(dp, &any, 1);
	good &= expect("shown of one before", shown_read(dp), 0);
	/* No more at a time than asked for. */
	pass(dp, in, 5);
	shown.count = 0;
	good &= expect("fetched", dataplane_trace_read(dp, 2, on_event, NULL), 2);
	return good & expect("the rest", shown_read(dp), 3);
}

static bool end_run(struct dataplane *dp, const char *pin_dir, const struct packet *in)
{
	const uint64_t past = 1, never = 0;
	static const struct asked any;
	struct lb_explanation said;
	struct fault fault;
	uint64_t until;
	bool good;

	cpus_clear(pin_dir);
	start(dp, &any, 1);
	until = until_read(pin_dir, NULL);
	pass(dp, in, 1);
	good = expect("shown while it goes on", shown_read(dp), 1);
	good &= expect("goes on", until_read(pin_dir, NULL), until);
	if (dataplane_explain(dp, in->bytes, in->size, 0, &said, NULL, NULL, &fault))
		errx(1, "trace cases: %s", fault.message);
	good &= expect("shown by the copy that explains", shown_read(dp), 0);
	/* Nobody has put it off: the program turns itself off, the copy nothing. */
	until_read(pin_dir, &past);
	dataplane_explain(dp, in->bytes, in->size, 0, &said, NULL, NULL, &fault);
	good &= expect("left by the copy that explains", until_read(pin_dir, NULL), past);
	pass(dp, in, 1);
	good &= expect("shown after its end", shown_read(dp), 0);
	good &= expect("off", until_read(pin_dir, NULL), never);
	start(dp, &any, 1);
	dataplane_trace_stop(dp);
	pass(dp, in, 1);
	good &= expect("shown after it was stopped", shown_read(dp), 0);
	return good & expect("off", until_read(pin_dir, NULL), never);
}

unsigned int traces_run(struct dataplane *dp, const char *pin_dir, unsigned int *number)
{
	static const struct {
		const char *name;
		bool (*run)(struct dataplane *dp, const char *pin_dir, const struct packet *in);
	} runs[] = {{"no more than the rate", rate_run},
		    {"no more than there is room for", room_run},
		    {"nothing after the end", end_run}};
	unsigned int failed = 0;
	struct packet in;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = case_run(dp, &cases[i]);

		failed += !good;
		printf("%sok %u - trace: %s\n", good ? "" : "not ", ++*number, cases[i].name);
	}
	packet_build(dropped, &in);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		bool good = runs[i].run(dp, pin_dir, &in);

		failed += !good;
		printf("%sok %u - trace: %s\n", good ? "" : "not ", ++*number, runs[i].name);
	}
	cpus_clear(pin_dir);
	return failed;
}
