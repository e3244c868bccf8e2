/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_type: what a way of probing (probe_tcp.c and its like) implements for probe.c, which owns
 * the schedule and the timeout. Nobody else's to include.
 */
#ifndef LIMPET_PROBE_TYPE_H
#define LIMPET_PROBE_TYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "probe.h"

struct http_engine;
struct exec_orphan;

/* What is not a single prober's. */
struct probers {
	sd_event *event;
	struct http_engine *http;    /* probe_http's; NULL until it is needed */
	struct exec_orphan *orphans; /* probe_exec's: killed, and not gone yet */
};

void probe_http_destroy(struct probers *probers);
void probe_exec_destroy(struct probers *probers);

/* One probe after the other of one backend. */
struct probe_attempt {
	sd_event *event;
	struct probers *probers;
	const struct check *check;
	struct probe_target target;
	void *state; /* the type's own; NULL while no probe is under way */
};

struct probe_type {
	/* Begins a probe. Its outcome goes to probe_done: from the loop, or before this returns. */
	void (*start)(struct probe_attempt *attempt);
	/* Ends the probe under way, without an outcome, and sets `state` to NULL. Nothing to do if
	 * there is none. */
	void (*cancel)(struct probe_attempt *attempt);
	/* The reason is told as it is, without the time it took. */
	bool verbatim;
};

extern const struct probe_type probe_type_tcp;
extern const struct probe_type probe_type_udp;
extern const struct probe_type probe_type_icmp;
extern const struct probe_type probe_type_http; /* and https */
extern const struct probe_type probe_type_exec;
extern const struct probe_type probe_type_agent;

/* The probe has ended, and `state` is NULL again. `reason` says how, in words; a good one is told
 * with the time it took behind it ("connected in 0.4 ms"). May free the attempt: the caller touches
 * it no more. */
void probe_done(struct probe_attempt *attempt, bool good, const char *reason);

/* The same for a failed system call: the error's text. `error` is a positive errno. */
void probe_failed(struct probe_attempt *attempt, int error);

/* Tells what was done, if somebody wants to know. */
void probe_step(struct probe_attempt *attempt, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A socket to the target, not connected yet, that does not block; -1 with errno set. */
int probe_socket(const struct probe_attempt *attempt, int type, int protocol);
/* The same for a socket that somebody else made: has it go through the tunnel, where the target has
 * one. 0 or an errno. */
int probe_steer(const struct probe_attempt *attempt, int fd);

/* The target for connect(2). Returns the size. */
socklen_t probe_sockaddr(const struct probe_attempt *attempt, struct sockaddr_storage *out);

/* "10.0.0.1 port 80", or "192.0.2.10 port 80 in the tunnel to 10.0.0.1", for steps; port 0 is left
 * out. */
enum { PROBE_TARGET_TEXT_SIZE = 2 * ADDR_TEXT_SIZE + 32 };
const char *probe_target_text(const struct probe_attempt *attempt,
			      char out[PROBE_TARGET_TEXT_SIZE]);

#endif
