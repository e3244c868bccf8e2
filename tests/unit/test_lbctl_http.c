/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests to a server on a Unix socket and what becomes of its replies (tools/lbctl_http.h). The
 * server is a thread that says what a case has it say, whatever it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/lbctl_http.h"

enum { ROOM = 4 << 20 };

static char folder[] = "/tmp/test_lbctl_http.XXXXXX", path[sizeof(folder) + 8];
static int listener;

static int setup(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (const struct sockaddr *)&address, sizeof(address)) ||
	       listen(listener, 8);
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	unlink(path);
	return rmdir(folder);
}

/* ---- the server ---- */

struct server {
	const char *parts[3]; /* sent one after the other, up to a NULL */
	size_t padding;       /* bytes of 'x' behind them */
	bool silent;          /* keeps the connection, until the client has left it */
	bool deaf;            /* does not read the body */
	char asked[1024];
	size_t asked_size, body_size;
};

static void hear(struct server *server, int fd)
{
	char *end = NULL, rest[4096];
	const char *size;
	size_t wanted, have;
	ssize_t got;

	while (!end) {
		got = recv(fd, server->asked + server->asked_size,
			   sizeof(server->asked) - 1 - server->asked_size, 0);
		if (got <= 0)
			return;
		server->asked_size += (size_t)got;
		end = strstr(server->asked, "\r\n\r\n");
	}
	size = strstr(server->asked, "Content-Length: ");
	wanted = size ? strtoul(size + 16, NULL, 10) : 0;
	have = server->asked_size - (size_t)(end + 4 - server->asked);
	while (!server->deaf && have < wanted && (got = recv(fd, rest, sizeof(rest), 0)) > 0)
		have += (size_t)got;
	server->body_size = have;
}

static void *serve(void *context)
{
	struct server *server = context;
	char *padding = malloc(server->padding + 1), byte;
	int fd = accept(listener, NULL, NULL);

	memset(padding, 'x', server->padding);
	hear(server, fd);
	for (int i = 0; i < 3 && server->parts[i]; i++) {
		send(fd, server->parts[i], strlen(server->parts[i]), MSG_NOSIGNAL);
		usleep(1000);
	}
	for (size_t sent = 0; sent < server->padding;) {
		ssize_t now = send(fd, padding + sent, server->padding - sent, MSG_NOSIGNAL);

		if (now <= 0)
			break;
		sent += (size_t)now;
	}
	if (server->silent)
		recv(fd, &byte, 1, 0);
	close(fd);
	free(padding);
	return NULL;
}

/* ---- the client ---- */

struct body {
	char *bytes;
	size_t size;
	bool refuse;
	bool over_input; /* the connection has the number of standard input */
};

static bool is_connection(int fd)
{
	struct sockaddr_un peer = {0};
	socklen_t size = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
	       !strcmp(peer.sun_path, path);
}

static bool keep(void *context, int status, const char *data, size_t size)
{
	struct body *body = context;

	(void)status;
	body->over_input = is_connection(STDIN_FILENO);
	if (body->refuse)
		return false;
	assert_true(body->size + size < ROOM);
	memcpy(body->bytes + body->size, data, size);
	body->size += size;
	body->bytes[body->size] = '\0';
	return true;
}

static enum http_end ask(struct server *server, struct http_request request,
			 struct http_reply *reply, struct body *body)
{
	pthread_t thread;
	enum http_end end;

	body->bytes = calloc(1, ROOM);
	assert_non_null(body->bytes);
	request.socket = path;
	request.on_body = keep;
	request.context = body;
	assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
	end = http_ask(&request, reply);
	pthread_join(thread, NULL);
	return end;
}

static const struct http_request get = {.method = "GET", .target = "/v1/x", .timeout_s = 20};

/* ---- replies ---- */

/* What is not named is 0 or empty. */
static const struct reply_case {
	const char *name, *parts[3];
	size_t padding;
	enum http_end end;
	int status;
	const char *tag, *body;
} replies[] = {
	{.name = "a body of a size",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
	 .status = 200,
	 .body = "abc"},
	{.name = "one that ends with the connection",
	 .parts = {"HTTP/1.0 200 OK\r\n\r\nabc"},
	 .status = 200,
	 .body = "abc"},
	{.name = "no body",
	 .parts = {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"},
	 .status = 204},
	{.name = "a tag, its name in other letters",
	 .parts = {"HTTP/1.1 200 OK\r\netag:  \"5-a\"\r\n\r\n"},
	 .status = 200,
	 .tag = "\"5-a\""},
	{.name = "in pieces, within lines",
	 .parts = {"HTTP/1.1 404 Not", " Found\r\nContent-Le", "ngth: 2\r\n\r\nab"},
	 .status = 404,
	 .body = "ab"},
	{.name = "in pieces, within the end of the head",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r", "\na", "b"},
	 .status = 200,
	 .body = "ab"},
	{.name = "more than was said",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"},
	 .status = 200,
	 .body = "a"},
	{.name = "less than was said",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"},
	 .end = HTTP_LOST,
	 .status = 200,
	 .body = "abc"},
	{.name = "nothing", .end = HTTP_LOST},
	{.name = "a part of the head",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-"},
	 .end = HTTP_FOREIGN},
	{.name = "something else",
	 .parts = {"220 mail.example ESMTP\r\n\r\n"},
	 .end = HTTP_FOREIGN},
	{.name = "a size that is none",
	 .parts = {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
	 .end = HTTP_FOREIGN,
	 .status = 200},
	{.name = "chunks, which were not asked for",
	 .parts = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
	 .end = HTTP_FOREIGN,
	 .status = 200},
	{.name = "a head without an end",
	 .parts = {"HTTP/1.1 200 OK\r\n"},
	 .padding = 200000,
	 .end = HTTP_FOREIGN},
};

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		const struct reply_case *row = &replies[i];
		struct server server = {.padding = row->padding};
		struct http_reply reply;
		struct body body = {0};
		enum http_end end;

		memcpy(server.parts, row->parts, sizeof(server.parts));
		end = ask(&server, get, &reply, &body);
		if (end != row->end || reply.status != row->status ||
		    strcmp(reply.tag, row->tag ? row->tag : "") ||
		    strcmp(body.bytes, row->body ? row->body : ""))
			fail_msg("%s: end %d, status %d, tag '%s', body '%.20s'", row->name, end,
				 reply.status, reply.tag, body.bytes);
		free(body.bytes);
	}
}

static void test_megabytes(void **state)
{
	struct server server = {.parts = {"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"},
				.padding = 3000000};
	struct http_reply reply;
	struct body body = {0};

	(void)state;
	assert_int_equal(ask(&server, get, &reply, &body), HTTP_WHOLE);
	assert_int_equal(body.size, 3000000);
	assert_int_equal(body.bytes[2999999], 'x');
	free(body.bytes);
}

static void test_not_wanted(void **state)
{
	struct server server = {.parts = {"HTTP/1.1 200 OK\r\n\r\nabc"}};
	struct http_reply reply;
	struct body body = {.refuse = true};

	(void)state;
	assert_int_equal(ask(&server, get, &reply, &body), HTTP_STOPPED);
	free(body.bytes);
}

static void test_silence(void **state)
{
	static const char *const beginnings[] = {NULL, "HTTP/1.1 200 OK\r\n\r\nabc",
						 "HTTP/1.1 200"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct server server = {.parts = {beginnings[i]}, .silent = true};
		struct http_request request = get;
		struct http_reply reply;
		struct body body = {0};

		request.timeout_s = 1;
		assert_int_equal(ask(&server, request, &reply, &body), HTTP_TIMEOUT);
		assert_string_equal(body.bytes, i == 1 ? "abc" : "");
		free(body.bytes);
	}
}

/* ---- requests ---- */

static void test_request(void **state)
{
	struct server server = {.parts = {"HTTP/1.1 200 OK\r\n\r\n"}};
	struct http_request request = {.method = "PATCH",
				       .target = "/v1/y?dry_run=1",
				       .if_match = "\"7\"",
				       .body = "{\"a\": 1}",
				       .body_size = 8,
				       .timeout_s = 20};
	struct http_reply reply;
	struct body body = {0};

	(void)state;
	assert_int_equal(ask(&server, request, &reply, &body), HTTP_WHOLE);
	assert_ptr_equal(strstr(server.asked, "PATCH /v1/y?dry_run=1 HTTP/1.0\r\n"), server.asked);
	assert_non_null(strstr(server.asked, "\r\nIf-Match: \"7\"\r\n"));
	assert_non_null(strstr(server.asked, "\r\nContent-Length: 8\r\n"));
	assert_non_null(strstr(server.asked, "\r\n\r\n"));
	assert_int_equal(server.body_size, 8);
	free(body.bytes);
}

static void test_tag_without_quotes(void **state)
{
	char tag[101] = "", wanted[128];
	struct server server = {.parts = {"HTTP/1.1 200 OK\r\n\r\n"}};
	struct http_request request = get;
	struct http_reply reply;
	struct body body = {0};

	(void)state;
	memset(tag, '7', 100);
	snprintf(wanted, sizeof(wanted), "\r\nIf-Match: \"%s\"\r\n", tag);
	request.if_match = tag;
	assert_int_equal(ask(&server, request, &reply, &body), HTTP_WHOLE);
	assert_non_null(strstr(server.asked, wanted));
	free(body.bytes);
}

/* Who says no before all of it came, and closes, is heard nevertheless. */
static void test_body_refused(void **state)
{
	struct server server = {
		.parts = {"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"},
		.deaf = true};
	struct http_request request = get;
	struct http_reply reply;
	struct body body = {0};
	char *much = calloc(1, ROOM);

	(void)state;
	request.method = "PUT";
	request.body = much;
	request.body_size = ROOM;
	assert_int_equal(ask(&server, request, &reply, &body), HTTP_WHOLE);
	assert_int_equal(reply.status, 413);
	assert_string_equal(body.bytes, "no");
	free(body.bytes);
	free(much);
}

static void test_nobody_listens(void **state)
{
	struct http_request request = get;
	struct http_reply reply;
	struct body body = {0};

	(void)state;
	request.on_body = keep;
	request.context = &body;
	request.socket = "/tmp/there is no such socket";
	assert_int_equal(http_ask(&request, &reply), HTTP_NO_CONNECTION);
	assert_int_equal(reply.error, ENOENT);
	request.socket = folder;
	assert_int_equal(http_ask(&request, &reply), HTTP_NO_CONNECTION);
	assert_int_equal(reply.error, ECONNREFUSED);
}

/* Nobody takes connections, and all places to wait for that are taken. */
static void test_queue_full(void **state)
{
	struct http_request request = get;
	struct http_reply reply;
	struct body body = {0};
	int fds[64], count = 0;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	do
		fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (connect(fds[count++], (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	       count < 64);
	request.socket = path;
	request.on_body = keep;
	request.context = &body;
	request.timeout_s = 1;
	assert_int_equal(http_ask(&request, &reply), HTTP_TIMEOUT);
	while (count)
		close(fds[--count]);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
		close(fd);
	fcntl(listener, F_SETFL, 0);
}

/* Else what lbctl prints would go to lbd. */
static void test_output_closed(void **state)
{
	struct server server = {.parts = {"HTTP/1.1 200 OK\r\n\r\nabc"}};
	struct http_reply reply;
	struct body body = {0};
	int input = dup(STDIN_FILENO);
	enum http_end end;

	(void)state;
	close(STDIN_FILENO);
	end = ask(&server, get, &reply, &body);
	dup2(input, STDIN_FILENO);
	close(input);
	assert_int_equal(end, HTTP_WHOLE);
	assert_false(body.over_input);
	free(body.bytes);
}

static void test_escape(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	http_escape(out, "web-1_2.a~Z9");
	http_escape(out, "a/b c?d&e=f%\xc3\xa9\"");
	fclose(out);
	assert_string_equal(text, "web-1_2.a~Z9a%2Fb%20c%3Fd%26e%3Df%25%C3%A9%22");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),      cmocka_unit_test(test_megabytes),
		cmocka_unit_test(test_not_wanted),   cmocka_unit_test(test_silence),
		cmocka_unit_test(test_request),      cmocka_unit_test(test_tag_without_quotes),
		cmocka_unit_test(test_body_refused), cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_queue_full),   cmocka_unit_test(test_output_closed),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
