/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_http: a request over HTTP or HTTPS, judged by status and body. See probe_type.h; probe.c
 * keeps the time.
 *
 * libcurl speaks; its sockets and its timer are sources of the event loop. Every probe makes a
 * connection of its own, because that is what a new client does. The connection goes to the backend
 * whatever the request says: the name in the URL is there for SNI and for the certificate.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "check.h"
#include "probe_type.h"
#include "version.h"

enum { BODY_MAX = 64 * 1024, REASON_SIZE = 320 };

struct http_engine {
	sd_event *event;
	CURLM *multi;
	sd_event_source *timer;
};

struct http_probe {
	CURL *easy;
	struct curl_slist *connect_to;
	struct curl_slist *headers;
	char *body; /* what was read of it, if it matters */
	size_t body_size;
	bool body_enough;
	char error[CURL_ERROR_SIZE];
};

/* ---- outcomes ---- */

static void http_cancel(struct probe_attempt *attempt)
{
	struct http_probe *http = attempt->state;

	if (!http)
		return;
	attempt->state = NULL;
	if (http->easy) {
		curl_multi_remove_handle(attempt->probers->http->multi, http->easy);
		curl_easy_cleanup(http->easy);
	}
	curl_slist_free_all(http->connect_to);
	curl_slist_free_all(http->headers);
	free(http->body);
	free(http);
}

static void http_fail(struct probe_attempt *attempt, const char *reason)
{
	char text[REASON_SIZE];

	snprintf(text, sizeof(text), "%s", reason);
	http_cancel(attempt);
	probe_done(attempt, false, text);
}

static void tell_steps(struct probe_attempt *attempt, CURL *easy)
{
	curl_off_t connected = 0, secured = 0;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
	curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &secured);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (connected)
		probe_step(attempt, "connected within %.1f ms", (double)connected / 1000.0);
	if (secured)
		probe_step(attempt, "TLS was set up within %.1f ms", (double)secured / 1000.0);
	if (status)
		probe_step(attempt, "the answer's status is %ld", status);
}

/* The request was answered: is it what is expected? */
static void judge(struct probe_attempt *attempt)
{
	const struct check *check = attempt->check;
	struct http_probe *http = attempt->state;
	char reason[REASON_SIZE];
	bool good;
	long status = 0;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	good = check_statuses_have(check->statuses, (unsigned)status);
	if (!good) {
		snprintf(reason, sizeof(reason), "status %ld, expected %s", status,
			 check->statuses[0] ? check->statuses : "200-299");
	} else if (check->body[0]) {
		good = http->body &&
		       memmem(http->body, http->body_size, check->body, strlen(check->body));
		probe_step(attempt, "its body %s what is expected", good ? "has" : "does not have");
		snprintf(reason, sizeof(reason), "status %ld%s", status,
			 good ? "" : ", but not the expected body");
	} else {
		snprintf(reason, sizeof(reason), "status %ld", status);
	}
	http_cancel(attempt);
	probe_done(attempt, good, reason);
}

static void transfer_over(struct probe_attempt *attempt, CURLcode code)
{
	struct http_probe *http = attempt->state;
	long os_error = 0;

	tell_steps(attempt, http->easy);
	/* We stop reading when we have what we want. */
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && http->body_enough)) {
		judge(attempt);
		return;
	}
	curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error) {
		http_cancel(attempt);
		probe_failed(attempt, (int)os_error);
		return;
	}
	if (!http->error[0])
		snprintf(http->error, sizeof(http->error), "%s", curl_easy_strerror(code));
	/* It will stand in the middle of a sentence. */
	if (!isupper((unsigned char)http->error[1]))
		http->error[0] = (char)tolower((unsigned char)http->error[0]);
	http_fail(attempt, http->error);
}

/* Outcomes may free any prober, so that each look starts anew. */
static void take_outcomes(struct http_engine *engine)
{
	struct probe_attempt *attempt;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(engine->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&attempt);
		transfer_over(attempt, message->data.result);
	}
}

/* ---- the loop ---- */

static int on_socket_ready(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct http_engine *engine = context;
	int ready = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		    (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		    (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	(void)source;
	curl_multi_socket_action(engine->multi, fd, ready, &running);
	take_outcomes(engine);
	return 0;
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	struct http_engine *engine = context;
	sd_event_source *source = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		curl_multi_assign(engine->multi, fd, NULL);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(engine->event, &source, fd, events, on_socket_ready, engine) < 0)
		return -1;
	curl_multi_assign(engine->multi, fd, source);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t due, void *context)
{
	struct http_engine *engine = context;
	int running;

	(void)source;
	(void)due;
	curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_outcomes(engine);
	return 0;
}

static int on_timer_wanted(CURLM *multi, long wait_ms, void *context)
{
	struct http_engine *engine = context;

	(void)multi;
	if (wait_ms < 0)
		return sd_event_source_set_enabled(engine->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	sd_event_source_set_time_relative(engine->timer, (uint64_t)wait_ms * 1000);
	return sd_event_source_set_enabled(engine->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

void probe_http_destroy(struct probers *probers)
{
	struct http_engine *engine = probers->http;

	if (!engine)
		return;
	probers->http = NULL;
	curl_multi_cleanup(engine->multi);
	sd_event_source_disable_unref(engine->timer);
	curl_global_cleanup();
	free(engine);
}

static struct http_engine *engine_of(struct probers *probers)
{
	struct http_engine *engine = probers->http;

	if (engine)
		return engine;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(engine);
		return NULL;
	}
	probers->http = engine;
	engine->event = probers->event;
	engine->multi = curl_multi_init();
	if (!engine->multi || sd_event_add_time(engine->event, &engine->timer, CLOCK_MONOTONIC,
						UINT64_MAX, 1000, on_timer, engine) < 0) {
		probe_http_destroy(probers);
		return NULL;
	}
	curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine);
	curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine);
	return engine;
}

/* ---- a request ---- */

/* Keeps what the body is judged by, and ends the transfer (by taking nothing) when that is known.
 */
static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
	struct probe_attempt *attempt = context;
	struct http_probe *http = attempt->state;
	size_t size = unit * count, room = BODY_MAX - http->body_size;

	if (!attempt->check->body[0]) {
		http->body_size += size < room ? size : room;
	} else {
		if (!http->body)
			http->body = malloc(BODY_MAX);
		if (!http->body)
			return 0;
		memcpy(http->body + http->body_size, data, size < room ? size : room);
		http->body_size += size < room ? size : room;
	}
	http->body_enough = size >= room;
	return http->body_enough ? 0 : size;
}

/* With a reset, like probe_tcp: thousands of probes leave no sockets in TIME_WAIT. */
static int on_socket_made(void *context, curl_socket_t fd, curlsocktype purpose)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct probe_attempt *attempt = context;
	struct http_probe *http = attempt->state;
	int error = probe_steer(attempt, fd);

	(void)purpose;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (!error)
		return CURL_SOCKOPT_OK;
	snprintf(http->error, sizeof(http->error), "%s", strerror(error));
	return CURL_SOCKOPT_ERROR;
}

static void set_tls(CURL *easy, const struct check *check)
{
	bool verify = check->ca[0];

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* Left alone, curl reads all that the system trusts for each connection, which takes many
	 * times as long as the check, and trusts it beside `ca`. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CAINFO, verify ? check->ca : NULL);
	if (check->certificate[0]) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, check->certificate);
		curl_easy_setopt(easy, CURLOPT_SSLKEY,
				 check->key[0] ? check->key : check->certificate);
	}
}

/* False if out of memory. */
static bool set_target(struct probe_attempt *attempt)
{
	const struct probe_target *target = &attempt->target;
	const struct check *check = attempt->check;
	bool tls = check->type == CHECK_HTTPS, bare = target->address.family == 4;
	char address[ADDR_TEXT_SIZE], host[CHECK_TEXT_SIZE], through[PROBE_TARGET_TEXT_SIZE];
	char url[3 * CHECK_TEXT_SIZE], to[CHECK_TEXT_SIZE + 16], header[CHECK_TEXT_SIZE + 8];
	struct http_probe *http = attempt->state;

	addr_format(&target->address, address);
	snprintf(host, sizeof(host), bare ? "%s" : "[%s]", address);
	snprintf(to, sizeof(to), "::%s:%u", host, target->port);
	if (tls && check->sni[0])
		snprintf(host, sizeof(host), "%s", check->sni);
	snprintf(url, sizeof(url), "http%s://%s:%u%s", tls ? "s" : "", host, target->port,
		 check->path);
	http->connect_to = curl_slist_append(NULL, to);
	if (check->host[0]) {
		snprintf(header, sizeof(header), "Host: %s", check->host);
		http->headers = curl_slist_append(NULL, header);
		if (!http->headers)
			return false;
	}
	curl_easy_setopt(http->easy, CURLOPT_CONNECT_TO, http->connect_to);
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->headers);
	if (target->tunnel)
		probe_step(attempt, "to %s", probe_target_text(attempt, through));
	probe_step(attempt, "GET %.100s%s%.60s", url, check->host[0] ? ", host " : "", check->host);
	return http->connect_to && curl_easy_setopt(http->easy, CURLOPT_URL, url) == CURLE_OK;
}

static bool http_request(struct probe_attempt *attempt, struct http_engine *engine)
{
	struct http_probe *http = attempt->state;
	CURL *easy = curl_easy_init();

	http->easy = easy;
	if (!easy || !set_target(attempt))
		return false;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, attempt);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "lbd/" LIMPET_VERSION);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	/* The environment is the operator's, and the backend is reached without a proxy. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	if (attempt->check->type == CHECK_HTTPS)
		set_tls(easy, attempt->check);
	return curl_multi_add_handle(engine->multi, easy) == CURLM_OK;
}

static void http_start(struct probe_attempt *attempt)
{
	struct http_engine *engine = engine_of(attempt->probers);
	struct http_probe *http = engine ? calloc(1, sizeof(*http)) : NULL;

	if (!http) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	attempt->state = http;
	if (http_request(attempt, engine))
		return;
	http_cancel(attempt);
	probe_failed(attempt, ENOMEM);
}

const struct probe_type probe_type_http = {.start = http_start, .cancel = http_cancel};
