/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_http: one HTTP request (RFC 9112) over a Unix socket.
 *
 * Not through a library: libcurl loads thirty others, which takes most of the time that lbctl takes
 * as a whole. Requests say HTTP/1.0, so that no reply comes in chunks: its body ends with the
 * connection, or after as many bytes as it said.
 */
#ifndef LIMPET_LBCTL_HTTP_H
#define LIMPET_LBCTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { HTTP_TAG_SIZE = 64, HTTP_OK = 200, HTTP_OK_LAST = 299 };

struct http_request {
	const char *socket; /* shorter than a sockaddr_un's path */
	const char *method;
	const char *target;   /* path and query, as it may stand in a request */
	const char *if_match; /* an entity tag, with its quotes or without; NULL: none */
	const char *body;     /* NULL: none */
	size_t body_size;
	unsigned timeout_s; /* that nothing comes for; 0: for ever */
	/* Called with each part of the body as it comes. False: the rest is not wanted. */
	bool (*on_body)(void *context, int status, const char *data, size_t size);
	void *context;
};

enum http_end {
	HTTP_WHOLE,
	HTTP_NO_CONNECTION, /* `error` says why */
	HTTP_LOST,          /* ended before its end; `error`: 0 or why */
	HTTP_TIMEOUT,
	HTTP_FOREIGN, /* what came is no reply */
	HTTP_STOPPED  /* by on_body */
};

struct http_reply {
	int status;              /* 0: none came */
	int error;               /* an errno, as the end says */
	char tag[HTTP_TAG_SIZE]; /* of the reply, with its quotes; "" for none */
};

/* Asks, and waits for the reply. */
enum http_end http_ask(const struct http_request *request, struct http_reply *reply);

/* Writes `text` with all but unreserved characters percent-encoded (RFC 3986, section 2). */
void http_escape(FILE *out, const char *text);

#endif
