/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane: see lane.h.
 */
#include "lane.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.skel.h" /* needs the types of traffic.h */

struct lane {
	struct bench_bpf *programs;
	unsigned int near, far;
	int program_fd;           /* the one to measure */
	struct bench_seen before; /* what the sink had counted when the run began */
};

static int fail(struct fault *fault, int error, const char *object, const char *attempt)
{
	fault_set(fault, fault_code_of_errno(error), "%s: %s: %s", object, attempt,
		  strerror(error));
	return -1;
}

/* ---- the lane ---- */

/* The floors' constant outer headers, as the sink expects them. */
static void outer_headers_write(struct bench_bpf__bss *shared)
{
	const uint8_t proto = shared->traffic.outer_proto;
	const struct iphdr four = {.version = 4, .ihl = 5, .ttl = 64, .protocol = proto};
	const struct ip6_hdr six = {.ip6_flow = htonl(6U << 28), .ip6_hlim = 64, .ip6_nxt = proto};

	memcpy(shared->outer_v4, &four, sizeof(four));
	memcpy(shared->outer_v6, &six, sizeof(six));
}

static int floors_prepare(struct lane *lane, struct fault *fault)
{
	for (int i = 0; i < BENCH_CPUS; i++)
		lane->programs->bss->states[i].random = 0x9e3779b97f4a7c15 * (uint64_t)(i + 1);
	if (bpf_xdp_attach((int)lane->near, bpf_program__fd(lane->programs->progs.sink),
			   XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "sink", "attaching it");
	return lane_floor(lane, LANE_REFLECT, fault);
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

int lane_program(struct lane *lane, int program_fd, struct fault *fault)
{
	const int zero = 0;

	if (program_fd == lane->program_fd)
		return 0; /* each change costs grace periods */
	lane->program_fd = -1;
	if (bpf_xdp_attach((int)lane->far, program_fd, XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "program under test", "attaching it");
	if (bpf_map_update_elem(bpf_map__fd(lane->programs->maps.under_test), &zero, &program_fd,
				BPF_ANY))
		return fail(fault, errno, "program under test", "putting it into the loop");
	lane->program_fd = program_fd;
	return 0;
}

int lane_floor(struct lane *lane, enum lane_floor floor, struct fault *fault)
{
	const struct bpf_program *programs[LANE_FLOORS] = {
		[LANE_REFLECT] = lane->programs->progs.reflect,
		[LANE_ENCAP_V4] = lane->programs->progs.encap_v4,
		[LANE_ENCAP_V6] = lane->programs->progs.encap_v6,
		[LANE_PASS] = lane->programs->progs.pass,
	};

	return lane_program(lane, bpf_program__fd(programs[floor]), fault);
}

enum frame_outcome lane_floor_outcome(enum lane_floor floor)
{
	static const enum frame_outcome outcomes[LANE_FLOORS] = {
		[LANE_REFLECT] = FRAME_SENT_BACK,
		[LANE_ENCAP_V4] = FRAME_IPIP_V4,
		[LANE_ENCAP_V6] = FRAME_IPIP_V6,
		[LANE_PASS] = FRAME_PASSED,
	};

	return outcomes[floor];
}

int lane_leave(struct lane *lane, struct fault *fault)
{
	lane->program_fd = -1;
	if (bpf_xdp_detach((int)lane->far, XDP_FLAGS_DRV_MODE, NULL))
		return fail(fault, errno, "program under test", "taking it off");
	return 0;
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

int lane_send(struct lane *lane, enum lane_way way, uint64_t *packets, double *ns,
	      struct fault *fault)
{
	int err = run(lane, way, packets, ns);

	return err ? fail(fault, -err, way == LANE_PATH ? "generator" : "loop", "running it") : 0;
}

int lane_begin(struct lane *lane, const struct frame_traffic *traffic, struct fault *fault)
{
	struct bench_bpf__bss *shared = lane->programs->bss;

	frame_write(&shared->traffic, traffic);
	outer_headers_write(shared);
	for (int i = 0; i < BENCH_CPUS; i++)
		shared->states[i].position = traffic->first;
	return seen_sum(lane, &lane->before, fault);
}

int lane_end(struct lane *lane, uint64_t packets, struct fault *fault)
{
	struct bench_seen after;

	if (seen_sum(lane, &after, fault))
		return -1;
	after.good -= lane->before.good;
	after.other -= lane->before.other;
	if (after.good == packets && !after.other)
		return 0;
	return fault_set(fault, FAULT_FAILED,
			 "of %llu packets %llu came out as they should and %llu in another way",
			 (unsigned long long)packets, (unsigned long long)after.good,
			 (unsigned long long)after.other);
}

/* By rtnetlink, for sysfs shows the network namespace that it was mounted in. */
int lane_dropped(const struct lane *lane, uint64_t *packets, struct fault *fault)
{
	struct ifaddrs *all;

	if (getifaddrs(&all))
		return fail(fault, errno, "veth pair", "reading what it dropped");
	*packets = 0;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
		unsigned int index = if_nametoindex(one->ifa_name);

		if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && one->ifa_data &&
		    (index == lane->near || index == lane->far))
			*packets += ((const struct rtnl_link_stats *)one->ifa_data)->tx_dropped;
	}
	freeifaddrs(all);
	return 0;
}

int lane_run(struct lane *lane, enum lane_way way, const struct frame_traffic *traffic,
	     uint64_t *packets, double *ns, struct fault *fault)
{
	if (lane_begin(lane, traffic, fault) || lane_send(lane, way, packets, ns, fault))
		return -1;
	return lane_end(lane, *packets, fault);
}
