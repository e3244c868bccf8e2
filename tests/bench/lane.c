/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane: see lane.h.
 */
#include "lane.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "traffic.h"
#include "bench.skel.h" /* needs the types of traffic.h */

struct lane {
	struct bench_bpf *programs;
	unsigned int near, far;
	int program_fd; /* the one to measure */
	bool encapsulates;
};

static int fail(struct fault *fault, int error, const char *object, const char *attempt)
{
	fault_set(fault, fault_code_of_errno(error), "%s: %s: %s", object, attempt,
		  strerror(error));
	return -1;
}

/* ---- the lane ---- */

/* The floors' constant outer header: what the sink expects, and as large as it is. */
static void outer_header_write(struct bench_bpf *programs, uint8_t family)
{
	const struct iphdr four = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_IPIP};
	const struct ip6_hdr six = {
		.ip6_flow = htonl(6U << 28), .ip6_hlim = 64, .ip6_nxt = IPPROTO_IPV6};

	if (family == 4)
		memcpy(programs->bss->outer_header, &four, sizeof(four));
	else
		memcpy(programs->bss->outer_header, &six, sizeof(six));
}

static int floors_prepare(struct lane *lane, struct fault *fault)
{
	if (bpf_xdp_attach((int)lane->near, bpf_program__fd(lane->programs->progs.sink),
			   XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "sink", "attaching it");
	return lane_floor(lane, LANE_REFLECT, 4, fault);
}

struct lane *lane_create(const char *near, const char *far, struct fault *fault)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane) {
		fail(fault, ENOMEM, "lane", "making it");
		return NULL;
	}
	lane->program_fd = -1;
	lane->near = if_nametoindex(near);
	lane->far = if_nametoindex(far);
	if (!lane->near || !lane->far) {
		fail(fault, ENODEV, lane->near ? far : near, "finding it");
	} else {
		lane->programs = bench_bpf__open_and_load();
		if (!lane->programs)
			fail(fault, errno, "generator, sink and floors", "loading them");
		else if (!floors_prepare(lane, fault))
			return lane;
	}
	lane_free(lane);
	return NULL;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	bench_bpf__destroy(lane->programs);
	free(lane);
}

int lane_program(struct lane *lane, int program_fd, bool encapsulates, struct fault *fault)
{
	const int zero = 0;

	if (program_fd == lane->program_fd)
		return 0; /* each change costs grace periods */
	lane->program_fd = -1;
	lane->encapsulates = encapsulates;
	if (bpf_xdp_attach((int)lane->far, program_fd, XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "program under test", "attaching it");
	if (bpf_map_update_elem(bpf_map__fd(lane->programs->maps.under_test), &zero, &program_fd,
				BPF_ANY))
		return fail(fault, errno, "program under test", "putting it into the loop");
	lane->program_fd = program_fd;
	return 0;
}

int lane_floor(struct lane *lane, enum lane_floor floor, uint8_t family, struct fault *fault)
{
	const struct bpf_program *program = floor == LANE_REFLECT ? lane->programs->progs.reflect
					    : family == 4         ? lane->programs->progs.encap_v4
								  : lane->programs->progs.encap_v6;

	outer_header_write(lane->programs, family);
	return lane_program(lane, bpf_program__fd(program), floor == LANE_ENCAP, fault);
}

int lane_leave(struct lane *lane, struct fault *fault)
{
	lane->program_fd = -1;
	lane->encapsulates = true;
	if (bpf_xdp_detach((int)lane->far, XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "program under test", "taking it off");
	return 0;
}

/* ---- packets ---- */

static uint32_t words_sum(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

static size_t ip_write_v4(uint8_t *at, const struct lane_traffic *traffic)
{
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .tot_len = htons(BENCH_FRAME_V4 - ETH_HLEN),
			   .frag_off = htons(IP_DF),
			   .ttl = 64,
			   .protocol = IPPROTO_TCP,
			   .daddr = traffic->destination.ip.v4};

	inet_pton(AF_INET, "10.0.0.0", &ip.saddr);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t ip_write_v6(uint8_t *at, const struct lane_traffic *traffic)
{
	struct ip6_hdr ip = {.ip6_hlim = 64, .ip6_nxt = IPPROTO_TCP};

	ip.ip6_vfc = 6 << 4;
	ip.ip6_plen = htons(BENCH_FRAME_V6 - ETH_HLEN - sizeof(ip));
	inet_pton(AF_INET6, "2001:db8:c::", &ip.ip6_src);
	memcpy(&ip.ip6_dst, &traffic->destination.ip, sizeof(ip.ip6_dst));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static void traffic_write(struct bench_traffic *out, const struct lane_traffic *traffic,
			  bool encapsulates)
{
	bool four = traffic->destination.family == 4;
	const struct ethhdr ethernet = {.h_dest = {2, 0, 0, 0, 0, 1},
					.h_source = {2, 0, 0, 0, 0, 2},
					.h_proto = htons(four ? ETH_P_IP : ETH_P_IPV6)};
	const struct tcphdr tcp = {.dest = htons(traffic->port), .doff = 5, .ack = 1};
	uint8_t *ip = out->frame + sizeof(ethernet);
	size_t ip_size;

	memset(out, 0, sizeof(*out));
	memcpy(out->frame, &ethernet, sizeof(ethernet));
	ip_size = four ? ip_write_v4(ip, traffic) : ip_write_v6(ip, traffic);
	memcpy(ip + ip_size, &tcp, sizeof(tcp));
	if (four) {
		struct iphdr without_source;

		memcpy(&without_source, ip, sizeof(without_source));
		without_source.saddr = 0;
		out->checksum = words_sum(&without_source, sizeof(without_source));
	}
	out->family = traffic->destination.family;
	out->flows = traffic->flows;
	out->action = XDP_TX;
	out->ethertype = ethernet.h_proto;
	out->length = four ? BENCH_FRAME_V4 : BENCH_FRAME_V6;
	out->outer_proto = IPPROTO_TCP;
	if (encapsulates) {
		out->length += ip_size;
		out->outer_proto = four ? IPPROTO_IPIP : IPPROTO_IPV6;
	}
}

/* ---- running ---- */

static int seen_sum(const struct lane *lane, struct bench_seen *sum, struct fault *fault)
{
	int cpus = libbpf_num_possible_cpus();
	const int zero = 0;
	struct bench_seen *per_cpu = cpus > 0 ? calloc((size_t)cpus, sizeof(*per_cpu)) : NULL;
	int err = 0;

	*sum = (struct bench_seen){0};
	if (!per_cpu)
		return fail(fault, ENOMEM, "sink", "reading its counters");
	if (bpf_map_lookup_elem(bpf_map__fd(lane->programs->maps.seen), &zero, per_cpu))
		err = fail(fault, errno, "sink", "reading its counters");
	for (int i = 0; i < cpus; i++) {
		sum->good += per_cpu[i].good;
		sum->other += per_cpu[i].other;
	}
	free(per_cpu);
	return err;
}

/*
 * One system call for all packets. Both ways take frames as if received on one of the two ends, the
 * generator's own for the path, because that is where XDP_TX sends. The time is the kernel's: the
 * call itself also waits for grace periods, which end with a timer tick.
 */
static int run(const struct lane *lane, enum lane_way way, uint64_t *packets, double *ns)
{
	const struct bench_traffic *traffic = &lane->programs->bss->traffic;
	const uint32_t frame_size = traffic->family == 4 ? BENCH_FRAME_V4 : BENCH_FRAME_V6;
	struct xdp_md context = {
		.data_end = frame_size,
		.ingress_ifindex = way == LANE_PATH ? lane->near : lane->far,
	};
	uint64_t repeat = way == LANE_PATH ? *packets : (*packets + BENCH_LOOP - 1) / BENCH_LOOP;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = traffic->frame,
		    .data_size_in = frame_size, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = (int)repeat,
		    .flags = way == LANE_PATH ? BPF_F_TEST_XDP_LIVE_FRAMES : 0);
	const struct bpf_program *program =
		way == LANE_PATH ? lane->programs->progs.generate : lane->programs->progs.loop;
	int err = bpf_prog_test_run_opts(bpf_program__fd(program), &options);

	*ns = options.duration;
	if (way == LANE_LOOP) {
		*packets = repeat * BENCH_LOOP;
		*ns /= BENCH_LOOP;
	}
	return err;
}

int lane_run(struct lane *lane, enum lane_way way, const struct lane_traffic *traffic,
	     bool in_order, uint64_t *packets, double *ns, struct fault *fault)
{
	struct bench_bpf__bss *shared = lane->programs->bss;
	struct bench_seen before, after;
	int err;

	traffic_write(&shared->traffic, traffic, lane->encapsulates);
	shared->traffic.in_order = in_order;
	shared->position = 0;
	if (seen_sum(lane, &before, fault))
		return -1;
	err = run(lane, way, packets, ns);
	if (err)
		return fail(fault, -err, way == LANE_PATH ? "generator" : "loop", "running it");
	if (seen_sum(lane, &after, fault))
		return -1;
	if (after.good - before.good == *packets && after.other == before.other)
		return 0;
	return fault_set(fault, FAULT_FAILED,
			 "%s: of %llu packets %llu came out as they should and %llu in another way",
			 way == LANE_PATH ? "path" : "loop", (unsigned long long)*packets,
			 (unsigned long long)(after.good - before.good),
			 (unsigned long long)(after.other - before.other));
}
