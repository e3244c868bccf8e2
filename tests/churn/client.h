/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client: thousands of flows through a balancer, each of which tells what became of it.
 *
 *   client.c          the loop, and what to type
 *   client_group.c    groups of flows that behave alike, from the command line
 *   client_flow.c     one flow: open, ask, answer, rest, close; every break goes to the record
 *   client_record.c   what happened, and the report
 *   client_control.c  the socket by which a script tells it what to do and when
 *
 * Times are milliseconds since the machine started (CLOCK_BOOTTIME, which a shell finds in
 * /proc/uptime). One thread.
 */
#ifndef CHURN_CLIENT_H
#define CHURN_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "message.h"

#define NEVER UINT64_MAX

enum {
	GROUPS_MAX = 16,
	BACKENDS_MAX = 256,
	NO_BACKEND = -1,
	PATIENCE_MS = 10000, /* for an answer; TCP sends again in between, UDP flows do it here */
	RESEND_MS = 1000,
	REOPEN_MS = 200, /* after a break */
	TICK_MS = 10,
};

/* Flows that behave alike. */
struct group {
	char name[32];
	bool udp;
	bool fresh; /* each connection comes from the next address */
	bool alone; /* not asked by rounds */
	uint32_t count;
	uint32_t pause_ms; /* between an answer and the next question, or connection */
	uint32_t asks;     /* questions of a connection; 0: without end */
	uint32_t sources;  /* addresses that are taken in turn */
	uint32_t next_source;
	struct sockaddr_storage target;
	struct sockaddr_storage source; /* the first */
	uint64_t opened;                /* connections that were made and answered once */
	uint64_t answers;
	uint64_t lost; /* datagrams without an answer within RESEND_MS */
	uint32_t live; /* flows that are open and were answered, now */
};

enum flow_state {
	FLOW_CLOSED,
	FLOW_CONNECTING,
	FLOW_ASKING,
	FLOW_RESTING,
};

struct flow {
	struct group *group;
	int fd;
	enum flow_state state;
	uint32_t connection; /* number of it; see message.h */
	uint32_t number;     /* of the last question */
	uint32_t source;     /* which of the group's addresses */
	uint32_t port;       /* the next one's number, of a UDP flow */
	int last_backend;    /* of the last answer ever, from whichever connection */
	int backend;         /* of this connection's last answer */
	uint64_t opened_ms;
	uint64_t asked_ms;
	uint64_t sent_ms;    /* the last packet, that of a repeated question too */
	uint64_t quiet_ms;   /* between the question and the packet before it */
	uint64_t answer_ms;  /* this connection's last answer */
	uint64_t visited_ms; /* the last answer ever */
	bool finishing;      /* closes once it has its answer */
	bool round_due;
	size_t have; /* bytes of the answer */
	union {
		struct message message;
		uint8_t bytes[MESSAGE_SIZE_MAX];
	} in;
};

/* Why a flow broke. */
enum cause {
	CAUSE_RESET,
	CAUSE_CLOSED, /* by the other side, in order */
	CAUSE_TIMEOUT,
	CAUSE_REFUSED,
	CAUSE_WRONG_DATA,
	CAUSE_CHANGED, /* another backend answered */
	CAUSE_OTHER,   /* any other error of the system */
	CAUSE_COUNT,
};

/* ---- client.c ---- */

extern struct flow *flows;
extern uint64_t *due; /* by flow: when it has something to do; apart, for all are looked at often */
extern uint32_t flow_count;
extern uint64_t now_ms;
extern int client_epoll;

/* Below `bound`; 0 for 0. */
uint32_t client_random(uint32_t bound);
void client_die(const char *what);

/* ---- client_group.c ---- */

extern struct group groups[GROUPS_MAX];
extern uint32_t group_count;

/* KEY=VALUE,...; false, having said why, if it is none. */
bool group_parse(char *text);
/* The n-th address of the group: its size, for bind. */
socklen_t group_source(const struct group *group, uint32_t n, struct sockaddr_storage *out);
socklen_t group_target_size(const struct group *group);

/* ---- client_flow.c ---- */

void flow_init(struct flow *flow, struct group *group, uint32_t source);
/* Its time has come. */
void flow_due(struct flow *flow);
/* Its socket has something. */
void flow_event(struct flow *flow, uint32_t events);
/* Has it close, once it has its answer, and come again as a new connection. */
void flow_finish(struct flow *flow, uint64_t when);

/* ---- client_record.c ---- */

int record_backend(const char *name); /* its number, from here on */
/* -1 if no answer ever came from it. */
int record_backend_find(const char *name);
void record_mark(const char *name);
/* `to`: the backend that answered wrongly, or NO_BACKEND. */
void record_break(const struct flow *flow, enum cause cause, int to);
/* A client that comes again was answered by another backend than last time. */
void record_move(const struct flow *flow, int from, int to);
/* A client that is new was answered. */
void record_arrival(const struct flow *flow, int backend);
size_t record_arrivals(void);
size_t record_breaks(void);
void record_write(FILE *out);

/* ---- client_control.c ---- */

void control_listen(const char *path);
/* True if the event was the control socket's. */
bool control_event(void *pointer);
/* The flow had the answer, or the break, that a round was waiting for. */
void control_round_answered(struct flow *flow);
void control_round_broken(struct flow *flow);
uint64_t control_round_start(void);
void control_tick(void);
extern bool control_quit;
/* Sends a command to a running client and prints what it says: the exit status. */
int control_ask(const char *path, char **words, int count);

#endif
