/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_icmp: an echo request, and its reply. See probe_type.h; probe.c keeps the time.
 *
 * A raw socket (CAP_NET_RAW) gets a copy of every ICMP message from the host that it is connected
 * to: a filter in the kernel leaves the echo replies, and a number that nobody can guess tells
 * ours.
 */
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "probe_type.h"

enum { REPLY_SIZE = 2048 };

/* An echo of both protocols: only the types and who fills in the checksum differ. */
struct echo {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t id;
	uint16_t sequence;
	uint64_t number;
	uint8_t padding[40]; /* as long as those of ping, for hosts that count */
};

struct icmp_probe {
	int fd;
	sd_event_source *source;
	struct echo request;
};

static void icmp_cancel(struct probe_attempt *attempt)
{
	struct icmp_probe *icmp = attempt->state;

	if (!icmp)
		return;
	attempt->state = NULL;
	sd_event_source_disable_unref(icmp->source);
	if (icmp->fd >= 0)
		close(icmp->fd);
	free(icmp);
}

static void icmp_fail(struct probe_attempt *attempt, int error)
{
	icmp_cancel(attempt);
	probe_failed(attempt, error);
}

static bool is_reply(const struct probe_attempt *attempt, const uint8_t *data, size_t size)
{
	const struct icmp_probe *icmp = attempt->state;
	bool v4 = attempt->target.address.family == 4;
	size_t header = v4 && size ? (size_t)(data[0] & 0xf) * 4 : 0; /* v6 comes without one */
	struct echo reply;

	if (size < header + sizeof(reply))
		return false;
	memcpy(&reply, data + header, sizeof(reply));
	return reply.type == (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
	       reply.id == icmp->request.id && reply.number == icmp->request.number;
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct probe_attempt *attempt = context;
	uint8_t data[REPLY_SIZE];
	ssize_t size = recv(fd, data, sizeof(data), 0);

	(void)source;
	(void)events;
	if (size < 0 && errno != EAGAIN && errno != EINTR) {
		icmp_fail(attempt, errno);
	} else if (size >= 0 && is_reply(attempt, data, (size_t)size)) {
		probe_step(attempt, "an echo reply");
		icmp_cancel(attempt);
		probe_done(attempt, true, "echo reply");
	}
	return 0;
}

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* Leaves echo replies. Only a saving: is_reply looks again. */
static void filter_set(int fd, bool v4)
{
	struct icmp_filter filter_v4 = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter_v6;

	if (v4) {
		(void)setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter_v4, sizeof(filter_v4));
		return;
	}
	ICMP6_FILTER_SETBLOCKALL(&filter_v6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter_v6);
	(void)setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter_v6, sizeof(filter_v6));
}

static int request_make(struct echo *request, bool v4)
{
	if (getrandom(&request->number, sizeof(request->number), 0) != sizeof(request->number))
		return errno;
	request->id = (uint16_t)request->number;
	request->sequence = htons(1);
	request->type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	if (v4)
		request->checksum = checksum(request, sizeof(*request));
	return 0;
}

/* 0: on_message will tell; else an errno. */
static int icmp_send(struct probe_attempt *attempt)
{
	struct icmp_probe *icmp = attempt->state;
	bool v4 = attempt->target.address.family == 4;
	char text[PROBE_TARGET_TEXT_SIZE];
	struct sockaddr_storage to;
	socklen_t size = probe_sockaddr(attempt, &to);
	int err;

	icmp->fd = probe_socket(attempt, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (icmp->fd < 0)
		return errno;
	filter_set(icmp->fd, v4);
	err = request_make(&icmp->request, v4);
	if (err)
		return err;
	if (connect(icmp->fd, (struct sockaddr *)&to, size) < 0)
		return errno;
	err = sd_event_add_io(attempt->event, &icmp->source, icmp->fd, EPOLLIN, on_message,
			      attempt);
	if (err < 0)
		return -err;
	probe_step(attempt, "sending an echo request to %s", probe_target_text(attempt, text));
	return send(icmp->fd, &icmp->request, sizeof(icmp->request), 0) < 0 ? errno : 0;
}

static void icmp_start(struct probe_attempt *attempt)
{
	struct icmp_probe *icmp = calloc(1, sizeof(*icmp));
	int error;

	if (!icmp) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	icmp->fd = -1;
	attempt->state = icmp;
	error = icmp_send(attempt);
	if (error)
		icmp_fail(attempt, error);
}

const struct probe_type probe_type_icmp = {.start = icmp_start, .cancel = icmp_cancel};
