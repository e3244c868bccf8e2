/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scale: see scale.h.
 */
#include "scale.h"

#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { CORES = 2, FLOWS = 1000000, PACKETS = 1000000 };

/* What runs on one CPU. */
struct sender {
	struct lane *lane;
	pthread_barrier_t *together;
	int cpu;
	bool failed;
	uint64_t packets;
	double ns;
	struct fault fault;
};

static void *send_from_cpu(void *context)
{
	struct sender *sender = context;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sender->cpu, &one);
	sender->failed = sched_setaffinity(0, sizeof(one), &one) != 0;
	pthread_barrier_wait(sender->together);
	if (!sender->failed)
		sender->failed = lane_send(sender->lane, LANE_PATH, &sender->packets, &sender->ns,
					   &sender->fault);
	return NULL;
}

static int last_cpu(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

/* Packets in a nanosecond of the last `cores` CPUs together. */
static double rate(const struct measure *measure, const struct frame_traffic *traffic, int cores)
{
	struct sender senders[CORES] = {0};
	pthread_barrier_t together;
	pthread_t threads[CORES];
	struct fault fault = {0};
	uint64_t packets = 0;
	double sum = 0;

	pthread_barrier_init(&together, NULL, (unsigned int)cores);
	if (lane_begin(measure->lane, traffic, &fault))
		errx(1, "scale-2cores: %s", fault.message);
	for (int i = 0; i < cores; i++) {
		senders[i] = (struct sender){
			.lane = measure->lane,
			.together = &together,
			.cpu = last_cpu() - i,
			.packets = PACKETS < measure->packets_max ? PACKETS : measure->packets_max};
		if (pthread_create(&threads[i], NULL, send_from_cpu, &senders[i]))
			errx(1, "scale-2cores: no thread to send with");
	}
	for (int i = 0; i < cores; i++) {
		pthread_join(threads[i], NULL);
		if (senders[i].failed)
			errx(1, "scale-2cores: CPU %d: %s", senders[i].cpu,
			     senders[i].fault.message);
		packets += senders[i].packets;
		sum += 1 / senders[i].ns;
	}
	if (lane_end(measure->lane, packets, &fault))
		errx(1, "scale-2cores: %s", fault.message);
	pthread_barrier_destroy(&together);
	return sum;
}

bool scale_measure(const struct measure *measure, struct result *result, const char **why)
{
	const struct frame_traffic traffic = {.destination = balancer_vip(BALANCER_CHANGED, 4),
					      .port = BALANCER_PORT,
					      .flows = FLOWS,
					      .outcome = FRAME_IPIP_V4};
	struct series ours, floor;
	struct fault fault = {0};

	if (last_cpu() < CORES - 1) {
		*why = "there is one CPU";
		return false;
	}
	for (int i = 0; i < measure->rounds; i++) {
		if (lane_floor(measure->lane, LANE_ENCAP_V4, &fault))
			errx(1, "scale-2cores: %s", fault.message);
		floor.ns[i] = rate(measure, &traffic, 1);
		floor.ns[i] = rate(measure, &traffic, CORES) / floor.ns[i];
		if (lane_program(measure->lane, dataplane_program_fd(measure->dp), &fault))
			errx(1, "scale-2cores: %s", fault.message);
		ours.ns[i] = rate(measure, &traffic, 1);
		ours.ns[i] = rate(measure, &traffic, CORES) / ours.ns[i];
	}
	*result = (struct result){.name = "scale-2cores", .metric = "rate_of_one", .unit = "x"};
	result_of_values(result, measure->rounds, &ours, &floor);
	result->remark = "floor: what reflect+encap scales to";
	return true;
}
