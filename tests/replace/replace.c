/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replace: runs `lbload replace` over and over while a thread sends packets through the program
 * without pause and counts what comes back. Started by tests/replace/run, which makes the network.
 * Neighbours: tests/bench/balancer (who is in the maps), tests/bench/lane (who sends and counts).
 */
#include <err.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../bench/balancer.h"
#include "../bench/lane.h"
#include "../control/rows.h"

enum {
	FLOWS = 1000,
	BURST = 100000, /* packets of one call; what comes back is counted after each */
};

struct sender {
	struct lane *lane;
	bool stop;
	bool failed;
	uint64_t packets; /* that came back as they should */
	uint64_t calls;
	uint64_t no_room; /* packets for which the rings of the cable had none, there or back */
	struct fault fault;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* `*packets`: how many came back. Fails if one is lost that the cable had room for. */
static int send_burst(struct sender *sender, uint64_t *packets)
{
	const struct frame_traffic traffic = {.destination = balancer_vip(BALANCER_CHANGED, 4),
					      .port = BALANCER_PORT,
					      .flows = FLOWS,
					      .outcome = FRAME_IPIP_V4};
	uint64_t before, after;
	double ns;

	*packets = BURST;
	if (lane_dropped(sender->lane, &before, &sender->fault) ||
	    lane_begin(sender->lane, &traffic, &sender->fault) ||
	    lane_send(sender->lane, LANE_PATH, packets, &ns, &sender->fault) ||
	    lane_dropped(sender->lane, &after, &sender->fault))
		return -1;
	sender->no_room += after - before;
	*packets -= after - before;
	return lane_end(sender->lane, *packets, &sender->fault);
}

static void *send_all_the_time(void *context)
{
	struct sender *sender = context;

	while (!__atomic_load_n(&sender->stop, __ATOMIC_RELAXED)) {
		uint64_t packets;

		if (send_burst(sender, &packets)) {
			__atomic_store_n(&sender->failed, true, __ATOMIC_RELEASE);
			break;
		}
		__atomic_fetch_add(&sender->packets, packets, __ATOMIC_RELAXED);
		__atomic_fetch_add(&sender->calls, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int lbload(const char *path, const char *pins, const char *verb, const char *interface)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		int nowhere = open("/dev/null", O_WRONLY);

		dup2(nowhere, STDOUT_FILENO);
		execl(path, path, "--pin-dir", pins, verb, interface, NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		err(1, "%s", path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A call that began before the replacement has ended, and one that began after it. */
static void calls_pass(const struct sender *sender, uint64_t count)
{
	uint64_t wanted = __atomic_load_n(&sender->calls, __ATOMIC_ACQUIRE) + count;

	while (__atomic_load_n(&sender->calls, __ATOMIC_ACQUIRE) < wanted &&
	       !__atomic_load_n(&sender->failed, __ATOMIC_ACQUIRE))
		usleep(200);
}

static void balancer_attach(const char *interface, const char *pins, const char *path)
{
	struct fault fault = {0};
	struct dataplane *dp =
		balancer_create(pins, if_nametoindex(interface), BALANCER_ROOM, &fault);

	if (!dp)
		errx(1, "balancer: %s", fault.message);
	dataplane_close(dp);
	if (lbload(path, pins, "attach", interface) != 0)
		errx(1, "lbload attach failed");
}

static void tell(const struct sender *sender, int done, double seconds, const char *path)
{
	struct rows *rows = rows_create();
	double rate = (double)sender->packets / seconds;

	printf("%d replacements while %.0f packets a second passed, %.1f million in all: %s\n",
	       done, rate, (double)sender->packets / 1e6,
	       sender->failed ? sender->fault.message : "0 lost");
	if (sender->no_room)
		printf("The cable had no room for %llu more.\n",
		       (unsigned long long)sender->no_room);
	if (!rows || sender->failed)
		goto out;
	rows_add(rows, "replace", "lost", "pkt", 0, 1, (size_t)done);
	rows_add(rows, "replace", "rate", "pkt/s", rate, 0, (size_t)done);
	if (rows_tell(rows, path) < 0)
		errx(1, "%s: cannot be written", path);
out:
	rows_free(rows);
}

int main(int argc, char **argv)
{
	struct sender sender = {0};
	struct fault fault = {0};
	int count, done = 0;
	pthread_t thread;
	double began_s;

	if (argc != 7)
		errx(2, "usage: replace NEAR FAR PIN_DIR LBLOAD COUNT JSON_FILE");
	count = atoi(argv[5]);
	sender.lane = lane_create(argv[1], argv[2], &fault);
	if (!sender.lane || lane_leave(sender.lane, &fault))
		errx(1, "lane: %s", fault.message);
	balancer_attach(argv[2], argv[3], argv[4]);
	if (pthread_create(&thread, NULL, send_all_the_time, &sender) != 0)
		errx(1, "no thread to send with");
	calls_pass(&sender, 1);
	began_s = now_s();
	sender.packets = 0;
	while (done < count && !__atomic_load_n(&sender.failed, __ATOMIC_ACQUIRE)) {
		if (lbload(argv[4], argv[3], "replace", argv[2]) != 0)
			errx(1, "replacement %d failed", done + 1);
		done++;
		calls_pass(&sender, 2);
	}
	__atomic_store_n(&sender.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tell(&sender, done, now_s() - began_s, argv[6]);
	lane_free(sender.lane);
	return sender.failed || done < count;
}
