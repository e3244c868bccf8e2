/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbctl_http: see lbctl_http.h. Knows nothing of lbd. */
#include "lbctl_http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 128 << 10, /* there are replies of megabytes */
	SEND_TIMEOUT_S = 30,     /* where a reply may take for ever */
};

/* A reply as it comes. */
struct transfer {
	const struct http_request *request;
	struct http_reply *reply;
	int fd;
	bool sized;
	size_t left; /* of a body whose size was said */
	size_t size;
	char buffer[BUFFER_SIZE];
};

/* ---- the connection ---- */

static int timeout_set(int fd, int option, unsigned seconds)
{
	struct timeval value = {.tv_sec = seconds};

	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

/* Where a standard stream is closed, its number is not for a socket: what is printed would be sent.
 * The descriptor, or -1 with errno set. */
static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), other, error;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	error = errno;
	close(fd);
	errno = error;
	return other;
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	do
		rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* The descriptor, or -1 with errno set: EAGAIN if there was no place in time. */
static int open_connection(const struct http_request *request)
{
	unsigned send_s = request->timeout_s ? request->timeout_s : SEND_TIMEOUT_S;
	int fd = open_socket(), error;

	if (fd < 0)
		return -1;
	/* That of sending holds for connecting, too: with a full queue it would wait for ever. */
	if (timeout_set(fd, SO_SNDTIMEO, send_s) == 0 &&
	    timeout_set(fd, SO_RCVTIMEO, request->timeout_s) == 0 &&
	    connect_to(fd, request->socket) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* 0, or -1 with errno set. */
static int send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		data += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* Into what room the buffer has. Bytes, 0 at the end, or -1 with errno set. */
static ssize_t receive(struct transfer *transfer)
{
	ssize_t size;

	do
		size = recv(transfer->fd, transfer->buffer + transfer->size,
			    BUFFER_SIZE - transfer->size, 0);
	while (size < 0 && errno == EINTR);
	return size;
}

static enum http_end broken(struct transfer *transfer, ssize_t received)
{
	if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return HTTP_TIMEOUT;
	transfer->reply->error = received < 0 ? errno : 0;
	return HTTP_LOST;
}

/* ---- the request ---- */

static enum http_end send_request(struct transfer *transfer)
{
	const struct http_request *request = transfer->request;
	/* A shell takes the quotes off. */
	const char *quote = request->if_match && strchr(request->if_match, '"') ? "" : "\"";
	char *head = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&head, &size);
	int error;

	if (!out) {
		transfer->reply->error = errno;
		return HTTP_NO_CONNECTION;
	}
	fprintf(out, "%s %s HTTP/1.0\r\nHost: lbd\r\n", request->method, request->target);
	if (request->if_match)
		fprintf(out, "If-Match: %s%s%s\r\n", quote, request->if_match, quote);
	if (request->body)
		fprintf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			request->body_size);
	fputs("\r\n", out);
	error = fclose(out);
	if (!error)
		error = send_all(transfer->fd, head, size);
	if (!error && request->body)
		error = send_all(transfer->fd, request->body, request->body_size);
	free(head);
	/* Who refuses a body may close before all of it came: the reply is there nevertheless. */
	return error && errno != EPIPE && errno != ECONNRESET ? broken(transfer, -1) : HTTP_WHOLE;
}

/* ---- the reply ---- */

/* What follows "NAME:" in a line of the head; NULL if it is another one. */
static const char *field(const char *line, const char *name)
{
	size_t size = strlen(name);

	if (strncasecmp(line, name, size) != 0 || line[size] != ':')
		return NULL;
	line += size + 1;
	return line + strspn(line, " \t");
}

static bool read_field(struct transfer *transfer, const char *line)
{
	const char *value;
	char *end;

	if ((value = field(line, "ETag"))) {
		snprintf(transfer->reply->tag, HTTP_TAG_SIZE, "%s", value);
		return true;
	}
	if (field(line, "Transfer-Encoding"))
		return false;
	value = field(line, "Content-Length");
	if (!value)
		return true;
	errno = 0;
	transfer->left = strtoul(value, &end, 10);
	transfer->sized = true;
	return *value >= '0' && *value <= '9' && !*end && !errno;
}

/* `head`: lines that end in CRLF, without the empty one behind them. */
static bool read_head(struct transfer *transfer, char *head)
{
	char *line = head, *next;

	if (sscanf(head, "HTTP/1.%*1[01] %3d", &transfer->reply->status) != 1)
		return false;
	for (; line; line = next) {
		next = strstr(line, "\r\n");
		if (next) {
			*next = '\0';
			next += 2;
		}
		if (line != head && !read_field(transfer, line))
			return false;
	}
	return true;
}

/* Leaves in the buffer what came of the body. */
static enum http_end receive_head(struct transfer *transfer)
{
	char *end = NULL;
	ssize_t received;

	while (!end) {
		if (transfer->size == BUFFER_SIZE)
			return HTTP_FOREIGN;
		received = receive(transfer);
		if (received == 0 && transfer->size)
			return HTTP_FOREIGN;
		if (received <= 0)
			return broken(transfer, received);
		transfer->size += (size_t)received;
		end = memmem(transfer->buffer, transfer->size, "\r\n\r\n", 4);
	}
	*end = '\0';
	if (!read_head(transfer, transfer->buffer))
		return HTTP_FOREIGN;
	end += 4;
	transfer->size -= (size_t)(end - transfer->buffer);
	memmove(transfer->buffer, end, transfer->size);
	return HTTP_WHOLE;
}

static enum http_end receive_body(struct transfer *transfer)
{
	const struct http_request *request = transfer->request;

	for (;;) {
		ssize_t received;

		if (transfer->sized && transfer->size > transfer->left)
			transfer->size = transfer->left;
		if (transfer->size && !request->on_body(request->context, transfer->reply->status,
							transfer->buffer, transfer->size))
			return HTTP_STOPPED;
		transfer->left -= transfer->sized ? transfer->size : 0;
		transfer->size = 0;
		if (transfer->sized && !transfer->left)
			return HTTP_WHOLE;
		received = receive(transfer);
		if (received == 0 && !transfer->sized)
			return HTTP_WHOLE;
		if (received <= 0)
			return broken(transfer, received);
		transfer->size = (size_t)received;
	}
}

enum http_end http_ask(const struct http_request *request, struct http_reply *reply)
{
	struct transfer *transfer = malloc(sizeof(*transfer));
	enum http_end end = HTTP_NO_CONNECTION;

	*reply = (struct http_reply){.error = ENOMEM};
	if (!transfer)
		return end;
	transfer->request = request;
	transfer->reply = reply;
	transfer->size = 0;
	transfer->sized = false;
	transfer->fd = open_connection(request);
	reply->error = transfer->fd < 0 ? errno : 0;
	if (reply->error == EAGAIN)
		end = HTTP_TIMEOUT;
	if (transfer->fd >= 0) {
		end = send_request(transfer);
		if (end == HTTP_WHOLE)
			end = receive_head(transfer);
		if (end == HTTP_WHOLE)
			end = receive_body(transfer);
		close(transfer->fd);
	}
	free(transfer);
	return end;
}

void http_escape(FILE *out, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	for (; *text; text++) {
		if (strchr(unreserved, *text))
			fputc(*text, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*text);
	}
}
