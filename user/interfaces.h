/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * interfaces: those that the data plane is attached to, and what became of them: up, down, renamed,
 * another MTU, gone, back without the program. Tells each change; repairs nothing, because lbd
 * attaches nothing: it names the command that does.
 */
#ifndef LIMPET_INTERFACES_H
#define LIMPET_INTERFACES_H

#include <systemd/sd-event.h>

#include "dataplane.h"
#include "neighbour.h"

enum interface_condition {
	INTERFACE_UP,
	INTERFACE_DOWN,
	INTERFACE_NO_CARRIER,
	INTERFACE_NO_PROGRAM, /* it was taken off by other hands */
	INTERFACE_GONE,
	INTERFACE_BACK,      /* another one has the name now, without the program */
	INTERFACE_ELSEWHERE, /* in another network namespace: not known */
	INTERFACE_CONDITION_COUNT
};

struct interface_state {
	uint32_t ifindex;
	char name[16]; /* as it is called now; as recorded, if it is gone */
	enum lb_attach_mode mode;
	enum interface_condition condition;
	uint32_t mtu;  /* 0: not known */
	uint32_t peer; /* see struct netlink_link */
};

enum { INTERFACES_MAX = 64 };

/* As they are now, in the order of ifindex. Returns their number, or a negative errno. */
int interfaces_read(struct dataplane *dp, struct interface_state out[INTERFACES_MAX]);

/* "up", "down", "no carrier", "program gone", "gone", "back without the program", "elsewhere". */
const char *interface_condition_name(enum interface_condition condition);
/* Whether the program is on it, as far as can be told. */
bool interface_attached(const struct interface_state *state);

struct interfaces;

/* Called for each change after it was logged; `before` NULL: attached since, `now` NULL: detached.
 */
typedef void (*interface_changed)(void *context, const struct interface_state *before,
				  const struct interface_state *now);

/* Looks at once (which is no change), and again whenever links change. NULL if out of memory. `dp`
 * and `neighbours` must outlive the result. */
struct interfaces *interfaces_create(sd_event *event, struct dataplane *dp,
				     struct neighbours *neighbours, interface_changed changed,
				     void *context);
void interfaces_free(struct interfaces *interfaces); /* NULL is fine */

#endif
