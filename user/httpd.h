/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * httpd: libmicrohttpd on one listening socket, as a source of the caller's event loop. What is
 * asked and answered there is the caller's; so is the way the socket came about.
 *
 * Everything stays on one thread, and nothing blocks it: a connection that says nothing, or reads
 * nothing, costs its place until it times out.
 */
#ifndef LIMPET_HTTPD_H
#define LIMPET_HTTPD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

struct httpd;

struct httpd_options {
	int listener;     /* listening, not blocking; closed by httpd_free */
	const char *name; /* in front of its lines in the log; not copied */
	unsigned connections_max;
	unsigned idle_timeout_s; /* of a connection on which nothing moves */
	/* With all places taken, the connection that has been there longest makes room for the next
	 * one, but for those with httpd_keep: so nobody can take all places and stay. */
	bool oldest_yields;
	bool suspends; /* MHD_suspend_connection is used; see httpd_wake */
	MHD_AccessHandlerCallback on_request;
	MHD_RequestCompletedCallback on_completed; /* NULL: nothing to clean up */
	void *context;                             /* of both */
};

/* NULL with errno set; the listener is then still the caller's. */
struct httpd *httpd_create(sd_event *event, const struct httpd_options *options);
/* Such a connection does not make room, and may be still for `timeout_s`. */
void httpd_keep(struct httpd *httpd, struct MHD_Connection *connection, unsigned timeout_s);
/* After MHD_resume_connection: from anywhere, the library's own calls too. */
void httpd_wake(struct httpd *httpd);
/* Whether the other end of a connection is closed, for those whose reply waits for something. */
bool httpd_peer_gone(struct MHD_Connection *connection);
/* Closes the listener and all connections. NULL is fine. */
void httpd_free(struct httpd *httpd);

#endif
