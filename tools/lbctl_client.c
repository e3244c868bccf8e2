/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_client: one request to lbd over its Unix socket, through libcurl. Knows HTTP and the error
 * object; what is asked and what the reply means is the commands'.
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lbctl.h"

enum {
	ANSWER_TIMEOUT_S = 30,
	BUFFER_SIZE = 128 << 10,
	POLL_US = 20 * 1000,
	STATUS_OK = 200,
	STATUS_OK_MAX = 299
};

struct text {
	char *bytes;
	size_t size;
};

/* One request and what came back so far. */
struct transfer {
	const struct ctl *ctl;
	CURL *curl;
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

static size_t on_data(char *data, size_t one, size_t count, void *context)
{
	struct transfer *transfer = context;
	long status = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->verbatim && status == STATUS_OK)
		return fwrite(data, one, count, stdout) * one;
	if (!add_text(&transfer->text, data, one * count))
		return 0;
	if (transfer->each && status == STATUS_OK)
		tell_lines(transfer);
	return one * count;
}

static size_t on_header(char *data, size_t one, size_t count, void *context)
{
	static const char name[] = "ETag:";
	const size_t size = one * count, skip = sizeof(name) - 1;
	char *etag = context;

	if (etag && size > skip && !strncasecmp(data, name, skip)) {
		snprintf(etag, CTL_ETAG_SIZE, "%.*s", (int)(size - skip), data + skip);
		memmove(etag, etag + strspn(etag, " "), strlen(etag) + 1 - strspn(etag, " "));
		etag[strcspn(etag, "\r\n")] = '\0';
	}
	return size;
}

/* NULL: none, or out of memory. */
static struct curl_slist *make_headers(const struct ctl *ctl, const struct ctl_request *request)
{
	const char *tag = ctl->if_match;
	char header[2 * CTL_ETAG_SIZE];

	if (!tag || !strcmp(request->method, "GET"))
		return NULL;
	/* A shell takes the quotes off. */
	snprintf(header, sizeof(header), strchr(tag, '"') ? "If-Match: %s" : "If-Match: \"%s\"",
		 tag);
	return curl_slist_append(NULL, header);
}

static int out_of_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_FAILED, "lbd: asking it: out of memory");
}

/* Adds `text` as it may stand in a URL. False if out of memory. */
static bool add_escaped(FILE *out, CURL *curl, const char *text)
{
	char *escaped = curl_easy_escape(curl, text, (int)strlen(text));

	if (escaped)
		fputs(escaped, out);
	curl_free(escaped);
	return escaped != NULL;
}

/* NULL if out of memory; the caller frees it. */
static char *make_url(CURL *curl, const struct ctl_request *request)
{
	const size_t segments = sizeof(request->path) / sizeof(request->path[0]);
	const size_t parameters = sizeof(request->query) / sizeof(request->query[0]);
	char *url = NULL, before = '?';
	size_t size;
	FILE *out = open_memstream(&url, &size);
	bool ok = out != NULL;

	if (!ok)
		return NULL;
	fputs("http://lbd/v1", out);
	for (size_t i = 0; ok && i < segments && request->path[i]; i++) {
		fputc('/', out);
		ok = add_escaped(out, curl, request->path[i]);
	}
	for (size_t i = 0; ok && i < parameters && request->query[i][0]; i++) {
		if (!request->query[i][1])
			continue;
		fprintf(out, "%c%s=", before, request->query[i][0]);
		ok = add_escaped(out, curl, request->query[i][1]);
		before = '&';
	}
	if (fclose(out) == 0 && ok)
		return url;
	free(url);
	return NULL;
}

/* libcurl does not say why it could not connect to a Unix socket: asked again, the kernel does. */
static int connect_error(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		return errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		error = errno;
	close(fd);
	return error;
}

static int connect_fault(const struct ctl *ctl, struct fault *fault)
{
	int error = connect_error(ctl->socket);

	if (error == EACCES || error == EPERM) {
		fault_set(fault, FAULT_PERMISSION, "lbd: connecting to %s: %s", ctl->socket,
			  strerror(error));
		return fault_hint(fault, "be root, or a member of group lbd");
	}
	fault_set(fault, FAULT_UNREACHABLE, "lbd: connecting to %s: %s", ctl->socket,
		  error ? strerror(error) : "the connection was lost");
	return fault_hint(fault, "is lbd running? (another socket: --socket PATH or LBD_SOCKET)");
}

static int transfer_fault(const struct ctl *ctl, CURLcode code, struct fault *fault)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return connect_fault(ctl, fault);
	case CURLE_OPERATION_TIMEDOUT:
		return fault_set(fault, FAULT_TIMEOUT, "lbd: waiting for its answer on %s: %s",
				 ctl->socket, curl_easy_strerror(code));
	case CURLE_WRITE_ERROR:
		if (ferror(stdout))
			return fault_set(fault, FAULT_FAILED, "output: writing it: %s",
					 strerror(errno));
		return out_of_memory(fault);
	case CURLE_OUT_OF_MEMORY:
		return out_of_memory(fault);
	default:
		fault_set(fault, FAULT_UNREACHABLE, "lbd: asking it on %s: %s", ctl->socket,
			  curl_easy_strerror(code));
		return fault_hint(fault, "is lbd running, and is that its socket?");
	}
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

static int read_reply(const struct ctl *ctl, const struct text *text, long status, json_t **reply,
		      struct fault *fault)
{
	json_t *root = json_loadb(text->bytes ? text->bytes : "", text->size, 0, NULL);
	const json_t *error = json_object_get(root, "error");

	if (error)
		lbd_fault(ctl, error, fault);
	else if (!root || status > STATUS_OK_MAX)
		fault_set(fault, FAULT_FAILED,
			  "lbd: reading its answer on %s: not lbd's (HTTP %ld)", ctl->socket,
			  status);
	if (!error && root && status <= STATUS_OK_MAX) {
		*reply = root;
		return 0;
	}
	json_decref(root);
	return -1;
}

static int perform(struct transfer *transfer, const struct ctl_request *request, const char *url,
		   const struct text *body, json_t **reply, struct fault *fault)
{
	const struct ctl *ctl = transfer->ctl;
	struct curl_slist *headers = make_headers(ctl, request);
	CURL *curl = transfer->curl;
	long status = 0;
	CURLcode code;
	int error = 0;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	/* A name "." is a name that is wrong, not a step in a path. */
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	/* A proxy in the environment is for other places. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (!transfer->endless)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT,
				 request->timeout_s ? (long)request->timeout_s
						    : (long)ANSWER_TIMEOUT_S);
	/* There are answers of megabytes. */
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, request->etag);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (body->bytes) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->bytes);
	}
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	/* One that goes on may be cut anywhere: what came until then was told. */
	if (code != CURLE_OK && !(transfer->endless && status == STATUS_OK))
		error = transfer_fault(ctl, code, fault);
	else if (status != STATUS_OK || !(transfer->each || transfer->verbatim))
		error = read_reply(ctl, &transfer->text, status, reply, fault);
	curl_slist_free_all(headers);
	return error;
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
	CURL *curl = curl_easy_init();
	char *url = curl ? make_url(curl, request) : NULL;
	char *dump = request->body ? json_dumps(request->body, 0) : NULL;
	struct text body = {dump, dump ? strlen(dump) : 0};
	char beside[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int error = -1;

	transfer->curl = curl;
	if (request->text)
		body = (struct text){request->text->bytes, request->text->size};
	if (!url || (request->body && !dump))
		out_of_memory(fault);
	else if (curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
				  choose_socket(ctl, request, beside)) != CURLE_OK)
		out_of_memory(fault);
	else if (strlen(ctl->socket) >= sizeof(beside))
		fault_set(fault, FAULT_USAGE,
			  "socket %s: its path is too long (a Unix socket's has %zu bytes)",
			  ctl->socket, sizeof(beside) - 1);
	else
		error = perform(transfer, request, url, &body, reply, fault);
	free(transfer->text.bytes);
	free(dump);
	free(url);
	curl_easy_cleanup(curl);
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
	char etag[CTL_ETAG_SIZE] = "", *tag = etag;

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
