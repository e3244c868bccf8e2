/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_client: one request to lbd over its Unix socket. Knows its paths, tags and error objects;
 * what is asked and what the reply means is the commands'.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lbctl.h"

enum { ANSWER_TIMEOUT_S = 30, POLL_US = 20 * 1000 };

struct text {
	char *bytes;
	size_t size;
};

/* One request and what came back so far. */
struct transfer {
	const struct ctl *ctl;
	/* Called with each line as it comes; NULL: the reply is read as a whole. */
	ctl_line_handler each;
	void *context;
	bool endless;  /* there may always be another line */
	bool verbatim; /* the reply is printed as it comes, not parsed */
	struct text text;
};

static void tell_lines(struct transfer *transfer)
{
	struct text *text = &transfer->text;
	char *line = text->bytes, *end;

	while ((end = memchr(line, '\n', text->size - (size_t)(line - text->bytes)))) {
		*end = '\0';
		transfer->each(transfer->ctl, line, transfer->context);
		line = end + 1;
	}
	text->size -= (size_t)(line - text->bytes);
	memmove(text->bytes, line, text->size);
}

static bool add_text(struct text *text, const char *data, size_t size)
{
	char *bytes = realloc(text->bytes, text->size + size + 1);

	if (!bytes)
		return false;
	memcpy(bytes + text->size, data, size);
	text->bytes = bytes;
	text->size += size;
	return true;
}

static bool on_body(void *context, int status, const char *data, size_t size)
{
	struct transfer *transfer = context;

	if (transfer->verbatim && status == HTTP_OK)
		return fwrite(data, 1, size, stdout) == size;
	if (!add_text(&transfer->text, data, size))
		return false;
	if (transfer->each && status == HTTP_OK)
		tell_lines(transfer);
	return true;
}

static int out_of_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_FAILED, "lbd: asking it: out of memory");
}

/* NULL if out of memory; the caller frees it. */
static char *make_target(const struct ctl_request *request)
{
	const size_t segments = sizeof(request->path) / sizeof(request->path[0]);
	const size_t parameters = sizeof(request->query) / sizeof(request->query[0]);
	char *target = NULL, before = '?';
	size_t size;
	FILE *out = open_memstream(&target, &size);

	if (!out)
		return NULL;
	fputs("/v1", out);
	for (size_t i = 0; i < segments && request->path[i]; i++) {
		fputc('/', out);
		http_escape(out, request->path[i]);
	}
	for (size_t i = 0; i < parameters && request->query[i][0]; i++) {
		if (!request->query[i][1])
			continue;
		fprintf(out, "%c%s=", before, request->query[i][0]);
		http_escape(out, request->query[i][1]);
		before = '&';
	}
	if (fclose(out) == 0)
		return target;
	free(target);
	return NULL;
}

static int connect_fault(const struct ctl *ctl, int error, struct fault *fault)
{
	if (error == EACCES || error == EPERM) {
		fault_set(fault, FAULT_PERMISSION, "lbd: connecting to %s: %s", ctl->socket,
			  strerror(error));
		return fault_hint(fault, "be root, or a member of group lbd");
	}
	fault_set(fault, FAULT_UNREACHABLE, "lbd: connecting to %s: %s", ctl->socket,
		  strerror(error));
	return fault_hint(fault, "is lbd running? (another socket: --socket PATH or LBD_SOCKET)");
}

static int transfer_fault(const struct ctl *ctl, enum http_end end, const struct http_reply *reply,
			  struct fault *fault)
{
	switch (end) {
	case HTTP_NO_CONNECTION:
		return connect_fault(ctl, reply->error, fault);
	case HTTP_TIMEOUT:
		return fault_set(fault, FAULT_TIMEOUT, "lbd: waiting for its answer on %s: %s",
				 ctl->socket, strerror(ETIMEDOUT));
	case HTTP_STOPPED:
		if (ferror(stdout))
			return fault_set(fault, FAULT_FAILED, "output: writing it: %s",
					 strerror(errno));
		return out_of_memory(fault);
	case HTTP_WHOLE:
	case HTTP_LOST:
	case HTTP_FOREIGN:
		break;
	}
	fault_set(fault, FAULT_UNREACHABLE, "lbd: asking it on %s: %s", ctl->socket,
		  end == HTTP_FOREIGN ? "what came is no answer to that"
		  : reply->error      ? strerror(reply->error)
				      : "the connection was lost");
	return fault_hint(fault, "is lbd running, and is that its socket?");
}

/* An error object to a fault; what is more than its message holds goes to stderr. */
static int lbd_fault(const struct ctl *ctl, const json_t *error, struct fault *fault)
{
	const char *code = ctl_text(error, "code"), *details = ctl_text(error, "details");
	enum fault_code found = FAULT_FAILED;

	for (enum fault_code i = FAULT_FAILED; i <= FAULT_TIMEOUT; i++)
		if (!strcmp(code, fault_code_name(i)))
			found = i;
	if (ctl->output != CTL_JSON)
		fputs(details, stderr);
	fault_set(fault, found, "%s", ctl_text(error, "message"));
	return fault_hint(fault, "%s", ctl_text(error, "hint"));
}

static int read_reply(const struct ctl *ctl, const struct text *text, int status, json_t **reply,
		      struct fault *fault)
{
	json_t *root = json_loadb(text->bytes ? text->bytes : "", text->size, 0, NULL);
	const json_t *error = json_object_get(root, "error");

	if (error)
		lbd_fault(ctl, error, fault);
	else if (!root || status > HTTP_OK_LAST)
		fault_set(fault, FAULT_FAILED, "lbd: reading its answer on %s: not lbd's (HTTP %d)",
			  ctl->socket, status);
	if (!error && root && status <= HTTP_OK_LAST) {
		*reply = root;
		return 0;
	}
	json_decref(root);
	return -1;
}

static int perform(struct transfer *transfer, const struct ctl_request *request,
		   struct http_request *http, json_t **reply, struct fault *fault)
{
	const struct ctl *ctl = transfer->ctl;
	struct http_reply came;
	enum http_end end = http_ask(http, &came);

	if (request->etag)
		snprintf(request->etag, HTTP_TAG_SIZE, "%s", came.tag);
	/* One that goes on may be cut anywhere: what came until then was told. */
	if (end != HTTP_WHOLE && !(end == HTTP_LOST && transfer->endless && came.status == HTTP_OK))
		return transfer_fault(ctl, end, &came, fault);
	if (came.status == HTTP_OK && (transfer->each || transfer->verbatim))
		return 0;
	return read_reply(ctl, &transfer->text, came.status, reply, fault);
}

/* Where to ask. Who may not use the socket for changes can read from the one beside it. */
static const char *choose_socket(const struct ctl *ctl, const struct ctl_request *request,
				 char beside[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
	size_t size = strlen(ctl->socket);

	if (strcmp(request->method, "GET") != 0 || access(ctl->socket, W_OK) == 0 ||
	    errno != EACCES)
		return ctl->socket;
	if (size > 5 && !strcmp(ctl->socket + size - 5, ".sock"))
		size -= 5;
	if ((size_t)snprintf(beside, room, "%.*s.ro.sock", (int)size, ctl->socket) >= room ||
	    access(beside, W_OK) != 0)
		return ctl->socket;
	return beside;
}

static int ask(struct transfer *transfer, const struct ctl_request *request, json_t **reply,
	       struct fault *fault)
{
	const struct ctl *ctl = transfer->ctl;
	char *target = make_target(request);
	char *dump = request->body ? json_dumps(request->body, 0) : NULL;
	char beside[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct http_request http = {.socket = choose_socket(ctl, request, beside),
				    .method = request->method,
				    .target = target,
				    .if_match =
					    strcmp(request->method, "GET") ? ctl->if_match : NULL,
				    .body = dump,
				    .body_size = dump ? strlen(dump) : 0,
				    .on_body = on_body,
				    .context = transfer};
	int error = -1;

	if (!transfer->endless)
		http.timeout_s = request->timeout_s ? request->timeout_s : ANSWER_TIMEOUT_S;
	if (request->text) {
		http.body = request->text->bytes;
		http.body_size = request->text->size;
	}
	if (!target || (request->body && !dump))
		out_of_memory(fault);
	else if (strlen(ctl->socket) >= sizeof(beside))
		fault_set(fault, FAULT_USAGE,
			  "socket %s: its path is too long (a Unix socket's has %zu bytes)",
			  ctl->socket, sizeof(beside) - 1);
	else
		error = perform(transfer, request, &http, reply, fault);
	free(transfer->text.bytes);
	free(dump);
	free(target);
	return error;
}

int ctl_ask(const struct ctl *ctl, const struct ctl_request *request, json_t **reply,
	    struct fault *fault)
{
	struct transfer transfer = {.ctl = ctl};

	return ask(&transfer, request, reply, fault);
}

int ctl_ask_finished(const struct ctl *ctl, struct ctl_request *request, json_t **reply,
		     struct fault *fault)
{
	request->method = "POST";
	if (ctl_ask(ctl, request, reply, fault) != 0)
		return -1;
	request->method = "GET";
	while (json_is_true(json_object_get(*reply, "running"))) {
		json_decref(*reply);
		usleep(POLL_US);
		if (ctl_ask(ctl, request, reply, fault) != 0)
			return -1;
	}
	return 0;
}

int ctl_ask_tagged(const struct ctl *ctl, struct ctl_request *request, json_t **reply,
		   struct fault *fault)
{
	char etag[HTTP_TAG_SIZE] = "", *tag = etag;

	request->etag = etag;
	if (ctl_ask(ctl, request, reply, fault) != 0)
		return -1;
	tag += strspn(tag, "\"");
	tag[strcspn(tag, "\"")] = '\0';
	json_object_set_new(*reply, "etag", json_string(tag));
	return 0;
}

int ctl_ask_shown(const struct ctl *ctl, const struct ctl_request *request, json_t **reply,
		  struct fault *fault)
{
	struct transfer transfer = {.ctl = ctl, .verbatim = ctl->output == CTL_JSON};

	*reply = NULL;
	return ask(&transfer, request, reply, fault);
}

int ctl_lines(const struct ctl *ctl, const struct ctl_request *request, ctl_line_handler each,
	      void *context, struct fault *fault)
{
	struct transfer transfer = {.ctl = ctl, .each = each, .context = context};
	json_t *reply = NULL;
	int error = ask(&transfer, request, &reply, fault);

	json_decref(reply);
	return error;
}

int ctl_stream(const struct ctl *ctl, const struct ctl_request *request, ctl_line_handler each,
	       struct fault *fault)
{
	struct transfer transfer = {.ctl = ctl, .each = each, .endless = true};
	json_t *reply = NULL;
	int error = ask(&transfer, request, &reply, fault);

	json_decref(reply);
	return error;
}

static void print_changes(const struct ctl *ctl, const json_t *reply)
{
	const json_t *changes = json_object_get(reply, "changes"), *change;
	const char *would = ctl->dry_run ? "would " : "";
	bool breaks = false;
	size_t i;

	json_array_foreach (changes, i, change) {
		const char *detail = ctl_text(change, "detail");
		uint64_t moved = ctl_integer(change, "moved_percent");

		printf("%s%s %s%s%s\n", would, ctl_text(change, "change"),
		       ctl_text(change, "object"), detail[0] ? ": " : "", detail);
		if (moved)
			printf("%smove %" PRIu64 "%% of its flows, which break\n", would, moved);
		breaks = breaks || moved;
	}
	if (breaks && ctl->dry_run && !ctl_value(ctl, "break-flows"))
		puts("it will be refused without --break-flows");
	if (!json_array_size(changes))
		puts("nothing to change");
}

static int ask_change(const struct ctl *ctl, struct ctl_request *request, json_t **reply,
		      struct fault *fault)
{
	request->query[0][0] = "dry_run";
	request->query[0][1] = ctl->dry_run ? "1" : NULL;
	request->query[1][0] = "break_flows";
	request->query[1][1] = ctl_value(ctl, "break-flows") ? "1" : NULL;
	return ctl_ask(ctl, request, reply, fault);
}

int ctl_change_count(const struct ctl *ctl, struct ctl_request *request, size_t *changes,
		     struct fault *fault)
{
	json_t *reply;

	if (ask_change(ctl, request, &reply, fault) != 0)
		return -1;
	*changes = json_array_size(json_object_get(reply, "changes"));
	if (!ctl_print_json(ctl, reply))
		print_changes(ctl, reply);
	json_decref(reply);
	return 0;
}

int ctl_change(const struct ctl *ctl, struct ctl_request *request, struct fault *fault)
{
	size_t changes;

	return ctl_change_count(ctl, request, &changes, fault);
}

int ctl_change_first(const struct ctl *ctl, struct ctl_request *request, struct fault *fault)
{
	json_t *reply;

	if (ask_change(ctl, request, &reply, fault) != 0)
		return -1;
	if (ctl->output != CTL_JSON)
		print_changes(ctl, reply);
	fflush(stdout);
	json_decref(reply);
	return 0;
}
