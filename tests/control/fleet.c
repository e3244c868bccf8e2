/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* fleet: see fleet.h. Peers are one process behind one address range: a local route takes it all.
 */
#include "fleet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_TCP = 80, PORT_UDP = 7000 };

uint64_t fleet_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

enum fleet_check fleet_check(uint32_t pool)
{
	if (pool < 2 * FLEET_BIG_POOLS)
		return FLEET_DATAGRAM;
	return pool % 2 ? FLEET_TCP : FLEET_ICMP;
}

uint32_t fleet_address(uint32_t pool, uint32_t backend)
{
	return htonl(0x0a010000 | pool << 8 | (backend + 1));
}

/* ---- the configuration ---- */

static void pool_write(FILE *file, uint32_t pool, bool checked)
{
	static const char *const checks[] = {
		[FLEET_DATAGRAM] = "{type: udp, port: 7000, send: \"?\", expect: \"yes\", "
				   "interval: 2s, rise: 1, fall: 1, hold_down: 0s, via: direct}",
		[FLEET_TCP] = "{type: tcp, interval: 2s, via: direct}",
		[FLEET_ICMP] = "{type: icmp, interval: 2s, via: direct}",
	};

	fprintf(file, "- name: pool%u\n  table_size: %u\n  check: %s\n  backends:\n", pool,
		pool < FLEET_BIG_POOLS ? FLEET_BIG_TABLE : FLEET_TABLE,
		checked ? checks[fleet_check(pool)] : "{type: none}");
	for (uint32_t i = 0; i < FLEET_POOL_BACKENDS; i++)
		fprintf(file, "  - {name: web%u, address: 10.1.%u.%u}\n", i, pool, i + 1);
}

int fleet_config_write(const char *path, bool checked)
{
	FILE *file = fopen(path, "we");
	bool failed;

	if (!file)
		return -errno;
	fprintf(file,
		"version: 1\n"
		"global:\n"
		"  hash_seed: 000102030405060708090a0b0c0d0e0f\n"
		"  limits: {flows: 1000000, clients: 1000000, backends: %u, services: %u}\n"
		"pools:\n",
		FLEET_BACKENDS + 64, FLEET_SERVICES);
	for (uint32_t i = 0; i < FLEET_POOLS; i++)
		pool_write(file, i, checked);
	fprintf(file, "services:\n");
	for (uint32_t i = 0; i < FLEET_SERVICES; i++)
		fprintf(file,
			"- {name: service%u, listen: \"tcp://10.200.%u.%u:80\", pool: pool%u}\n", i,
			i / 256, i % 256, i % FLEET_POOLS);
	failed = ferror(file);
	return fclose(file) || failed ? -EIO : 0;
}

/* ---- the peers ---- */

static int socket_bound(int type, uint16_t port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* The address a datagram was sent to, to answer from it. */
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 &&
	    (type == SOCK_DGRAM || listen(fd, 4096) == 0))
		return fd;
	close(fd);
	return -1;
}

/* What the backend at `address` says, and when it said so. */
static const char *word_of(struct fleet_peers *peers, uint32_t address)
{
	for (int i = 0; i < FLEET_CASES; i++) {
		struct fleet_case *one = &peers->cases[i];
		bool fails = __atomic_load_n(&one->fails, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&one->address, __ATOMIC_ACQUIRE) != address)
			continue;
		if (!__atomic_load_n(&one->told_ns, __ATOMIC_RELAXED))
			__atomic_store_n(&one->told_ns, fleet_now_ns(), __ATOMIC_RELEASE);
		return fails ? "no" : "yes";
	}
	return "yes";
}

static bool answer(int fd, struct fleet_peers *peers)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct sockaddr_in from;
	char data[64];
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct in_pktinfo *info;

	if (recvmsg(fd, &message, 0) < 0)
		return false;
	info = (struct in_pktinfo *)CMSG_DATA(&control.header);
	info->ipi_ifindex = 0;
	info->ipi_spec_dst = info->ipi_addr;
	part.iov_len =
		(size_t)snprintf(data, sizeof(data), "%s", word_of(peers, info->ipi_addr.s_addr));
	sendmsg(fd, &message, 0);
	return true;
}

static int serve(struct fleet_peers *peers)
{
	struct pollfd fds[] = {{.fd = socket_bound(SOCK_STREAM, PORT_TCP), .events = POLLIN},
			       {.fd = socket_bound(SOCK_DGRAM, PORT_UDP), .events = POLLIN}};

	if (fds[0].fd < 0 || fds[1].fd < 0)
		return 1;
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		int fd;

		while ((fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			close(fd);
		while (answer(fds[1].fd, peers))
			;
	}
	return 1;
}

struct fleet_peers *fleet_peers_start(const char *path)
{
	struct fleet_peers *peers = mmap(NULL, sizeof(*peers), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int netns = open(path, O_RDONLY | O_CLOEXEC);
	pid_t child;

	if (peers == MAP_FAILED || netns < 0)
		return NULL;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(setns(netns, CLONE_NEWNET) < 0 ? 1 : serve(peers));
	}
	close(netns);
	return child < 0 ? NULL : peers;
}
