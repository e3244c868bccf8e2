/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client_flow: one flow's life.
 *
 *   closed -> connecting -> asking <-> resting -> closed ...
 *
 * One question is out at a time. Whatever ends a connection but the flow's own wish is a break,
 * goes to the record with its cause, and the flow begins again. A UDP flow is a connected socket; a
 * question without an answer is sent again, and the flow broken when patience ends. It goes on
 * where another backend answers than before, but that is a break, too.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"

enum { PORT_FIRST = 1024, PORT_COUNT = 63000 };

static uint32_t connections;

void flow_init(struct flow *flow, struct group *group, uint32_t source)
{
	flow->group = group;
	flow->fd = -1;
	flow->source = source;
	flow->port = client_random(PORT_COUNT);
	flow->last_backend = NO_BACKEND;
	flow->backend = NO_BACKEND;
}

static void flow_wake(const struct flow *flow, uint64_t when)
{
	due[flow - flows] = when;
}

/* By half more or less, so that flows do not march in step. */
static uint64_t after_pause(const struct flow *flow)
{
	uint32_t pause = flow->group->pause_ms;

	return now_ms + pause / 2 + client_random(pause + 1);
}

static void flow_close(struct flow *flow, uint64_t again_ms)
{
	if (flow->backend != NO_BACKEND)
		flow->group->live--;
	close(flow->fd);
	flow->fd = -1;
	flow->backend = NO_BACKEND;
	flow->state = FLOW_CLOSED;
	flow->finishing = false;
	flow_wake(flow, again_ms);
}

/* ---- breaks ---- */

static enum cause cause_of(int error)
{
	switch (error) {
	case ECONNRESET:
	case EPIPE:
		return CAUSE_RESET;
	case ECONNREFUSED:
		return CAUSE_REFUSED;
	case ETIMEDOUT:
		return CAUSE_TIMEOUT;
	default:
		return CAUSE_OTHER;
	}
}

static void flow_broken(struct flow *flow, enum cause cause, int to)
{
	/* A connection that breaks while nothing is out was quiet up to now. */
	if (flow->state == FLOW_RESTING)
		flow->quiet_ms = now_ms - flow->sent_ms;
	record_break(flow, cause, to);
	control_round_broken(flow);
	flow_close(flow, now_ms + REOPEN_MS + client_random(REOPEN_MS));
}

/* ---- asking ---- */

static bool flow_send(struct flow *flow)
{
	union {
		struct message message;
		uint8_t bytes[MESSAGE_SIZE_MAX];
	} out = {.message = {.magic = htonl(MESSAGE_MAGIC),
			     .connection = htonl(flow->connection),
			     .number = htonl(flow->number),
			     .kind = MESSAGE_QUESTION}};
	ssize_t size, sent;

	message_fill(&out.message);
	size = (ssize_t)message_size(&out.message);
	sent = send(flow->fd, &out, (size_t)size, MSG_NOSIGNAL);
	/* An ICMP error for an earlier datagram, or no room for this one: it is sent again. */
	if (sent < 0 && flow->group->udp)
		return true;
	if (sent == size)
		return true;
	flow_broken(flow, sent < 0 ? cause_of(errno) : CAUSE_OTHER, NO_BACKEND);
	return false;
}

static void flow_wait(struct flow *flow)
{
	uint64_t end = flow->asked_ms + PATIENCE_MS, again = now_ms + RESEND_MS;

	flow_wake(flow, flow->group->udp && again < end ? again : end);
}

static void flow_ask(struct flow *flow)
{
	flow->number++;
	flow->state = FLOW_ASKING;
	flow->quiet_ms = flow->sent_ms ? now_ms - flow->sent_ms : 0;
	flow->asked_ms = now_ms;
	flow->sent_ms = now_ms;
	flow->have = 0;
	if (flow_send(flow))
		flow_wait(flow);
}

/* ---- opening ---- */

/*
 * Each UDP flow of a client comes from another port for as long as there are ports, in order: with
 * random ones some would be used again within seconds, and such a flow may meet the entry of the
 * one before, which is dead and not yet deleted. That has to be tested by itself. TCP gets its port
 * from connect, which knows what is free towards the target.
 */
static void flow_bind(struct flow *flow, struct sockaddr_storage *source, socklen_t size)
{
	/* At the same place for both families. */
	in_port_t *from = &((struct sockaddr_in *)source)->sin_port;
	int yes = 1;

	if (!flow->group->udp)
		setsockopt(flow->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	else
		*from = htons((uint16_t)(PORT_FIRST + flow->port++ % PORT_COUNT));
	if (bind(flow->fd, (struct sockaddr *)source, size) == 0)
		return;
	*from = 0;
	if (bind(flow->fd, (struct sockaddr *)source, size) < 0)
		client_die("bind");
}

static void flow_open(struct flow *flow)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = flow};
	struct group *group = flow->group;
	struct sockaddr_storage source;
	int error;
	socklen_t size;

	if (group->fresh)
		flow->source = group->next_source++ % group->sources;
	size = group_source(group, flow->source, &source);
	flow->connection = ++connections;
	flow->number = 0;
	flow->opened_ms = now_ms;
	flow->asked_ms = now_ms;
	flow->sent_ms = 0;
	flow->answer_ms = 0;
	flow->fd =
		socket(source.ss_family,
		       (group->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		client_die("socket");
	flow_bind(flow, &source, size);
	flow->state = FLOW_CONNECTING;
	error = connect(flow->fd, (struct sockaddr *)&group->target, group_target_size(group));
	if (error && errno != EINPROGRESS) {
		flow_broken(flow, cause_of(errno), NO_BACKEND);
		return;
	}
	if (epoll_ctl(client_epoll, EPOLL_CTL_ADD, flow->fd, &event) < 0)
		client_die("epoll");
	if (group->udp)
		flow_ask(flow);
	else
		flow_wake(flow, now_ms + PATIENCE_MS);
}

static void flow_connected(struct flow *flow)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error)
		flow_broken(flow, cause_of(error), NO_BACKEND);
	else
		flow_ask(flow);
}

/* ---- answers ---- */

static void flow_note(struct flow *flow, int backend)
{
	struct group *group = flow->group;

	group->answers++;
	if (flow->backend == NO_BACKEND) {
		group->opened++;
		group->live++;
	}
	if (group->fresh)
		record_arrival(flow, backend);
	else if (group->asks && flow->last_backend != NO_BACKEND && flow->last_backend != backend)
		record_move(flow, flow->last_backend, backend);
	flow->backend = backend;
	flow->last_backend = backend;
	flow->answer_ms = now_ms;
	flow->visited_ms = now_ms;
}

static void flow_rest(struct flow *flow)
{
	bool done = flow->finishing || (flow->group->asks && flow->number >= flow->group->asks);
	bool again = flow->round_due;

	if (done) {
		flow_close(flow, again || flow->finishing ? now_ms : after_pause(flow));
		return;
	}
	flow->state = FLOW_RESTING;
	flow_wake(flow, again ? now_ms : after_pause(flow));
}

/* A whole answer is there. */
static void flow_answered(struct flow *flow)
{
	const struct message *in = &flow->in.message;
	int backend, before = flow->backend;

	if (in->kind != MESSAGE_ANSWER || ntohl(in->connection) != flow->connection ||
	    ntohl(in->number) != flow->number || !message_data_right(in) ||
	    !memchr(in->backend, '\0', sizeof(in->backend))) {
		flow_broken(flow, CAUSE_WRONG_DATA, NO_BACKEND);
		return;
	}
	backend = record_backend(in->backend);
	if (before != NO_BACKEND && before != backend) {
		if (!flow->group->udp) {
			flow_broken(flow, CAUSE_CHANGED, backend);
			return;
		}
		record_break(flow, CAUSE_CHANGED, backend);
	}
	flow_note(flow, backend);
	control_round_answered(flow);
	flow_rest(flow);
}

/* A late answer to a question that was answered since, or to a repeated one, is none of ours. */
static bool is_late(const struct flow *flow)
{
	return ntohl(flow->in.message.connection) == flow->connection &&
	       ntohl(flow->in.message.number) <= flow->number &&
	       (flow->state != FLOW_ASKING || ntohl(flow->in.message.number) < flow->number);
}

static void flow_read_datagrams(struct flow *flow)
{
	while (flow->fd >= 0) {
		ssize_t got = recv(flow->fd, &flow->in, sizeof(flow->in), 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			continue; /* an ICMP error; patience decides */
		if (got < MESSAGE_HEADER_SIZE || !message_sound(&flow->in.message) ||
		    (size_t)got != message_size(&flow->in.message)) {
			flow_broken(flow, CAUSE_WRONG_DATA, NO_BACKEND);
			return;
		}
		if (!is_late(flow))
			flow_answered(flow);
	}
}

static size_t flow_wants(const struct flow *flow)
{
	return flow->have < MESSAGE_HEADER_SIZE ? (size_t)MESSAGE_HEADER_SIZE
						: message_size(&flow->in.message);
}

static void flow_read_stream(struct flow *flow)
{
	while (flow->fd >= 0) {
		ssize_t got = recv(flow->fd, flow->in.bytes + flow->have,
				   flow_wants(flow) - flow->have, 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			flow_broken(flow, got < 0 ? cause_of(errno) : CAUSE_CLOSED, NO_BACKEND);
			return;
		}
		flow->have += (size_t)got;
		if (flow->state != FLOW_ASKING ||
		    (flow->have >= MESSAGE_HEADER_SIZE && !message_sound(&flow->in.message))) {
			flow_broken(flow, CAUSE_WRONG_DATA, NO_BACKEND);
			return;
		}
		if (flow->have >= MESSAGE_HEADER_SIZE &&
		    flow->have == message_size(&flow->in.message)) {
			flow->have = 0;
			flow_answered(flow);
		}
	}
}

/* ---- entries ---- */

void flow_event(struct flow *flow, uint32_t events)
{
	if (flow->fd < 0)
		return;
	if (flow->state == FLOW_CONNECTING) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			flow_connected(flow);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)))
		return;
	if (flow->group->udp)
		flow_read_datagrams(flow);
	else
		flow_read_stream(flow);
}

static void flow_resend(struct flow *flow)
{
	flow->group->lost++;
	flow->sent_ms = now_ms;
	if (flow_send(flow))
		flow_wait(flow);
}

void flow_due(struct flow *flow)
{
	switch (flow->state) {
	case FLOW_CLOSED:
		flow_open(flow);
		break;
	case FLOW_RESTING:
		if (flow->finishing)
			flow_close(flow, now_ms);
		else
			flow_ask(flow);
		break;
	case FLOW_CONNECTING:
		flow_broken(flow, CAUSE_TIMEOUT, NO_BACKEND);
		break;
	case FLOW_ASKING:
		if (flow->group->udp && now_ms < flow->asked_ms + PATIENCE_MS)
			flow_resend(flow);
		else
			flow_broken(flow, CAUSE_TIMEOUT, NO_BACKEND);
		break;
	}
}

void flow_finish(struct flow *flow, uint64_t when)
{
	flow->finishing = true;
	if (flow->state == FLOW_RESTING)
		flow_wake(flow, when);
}
