/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_server: see metrics_server.h. A request takes four steps: read the counters (stats),
 * gather the rest from model, controller and data plane, render (metrics), send (httpd).
 *
 * Strangers may reach this listener. They cannot hold the loop: connections are few, time out, and
 * make room for newer ones, and how often text is rendered is bounded, however often it is asked
 * for.
 */
#include "metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_json.h"
#include "attach.h"
#include "clock.h"
#include "interfaces.h"
#include "httpd.h"
#include "log.h"
#include "metrics.h"
#include "metrics_socket.h"
#include "pins.h"
#include "rendering.h"
#include "stats.h"
#include "status_page.h"

enum {
	CONNECTIONS_MAX = 16,
	IDLE_TIMEOUT_S = 10,
};

/* Where it listens, or is about to. */
struct listener {
	char *address; /* NULL: nowhere */
	int fd;
	struct httpd *httpd;
};

struct metrics_server {
	sd_event *event;
	struct controller *controller;
	struct listener listener;
	struct listener prepared;
	bool moving; /* `prepared` is to take the place of `listener` */
	struct rendering renderings[METRICS_SCOPE_COUNT];
	struct api_state api; /* of the status page's questions */
	struct rendering status;
	struct log_limit failures;
};

/* ---- gathering ---- */

static size_t gather_drops(const struct stats_totals *totals,
			   struct metrics_count drops[LB_VERDICT_COUNT])
{
	size_t count = 0;

	for (uint32_t verdict = 0; verdict < LB_VERDICT_COUNT; verdict++)
		if (api_verdict_drops(verdict))
			drops[count++] = (struct metrics_count){dataplane_verdict_name(verdict),
								totals->verdicts[verdict].packets};
	return count;
}

/* What was attached in another network namespace cannot be looked at from here, and is believed. */
static int gather_interfaces(struct dataplane *dp, struct metrics_interface *out)
{
	struct interface_state states[INTERFACES_MAX];
	int count = interfaces_read(dp, states);

	for (int i = 0; i < count; i++) {
		snprintf(out[i].name, sizeof(out[i].name), "%s", states[i].name);
		out[i].mode = attach_mode_name(states[i].mode);
		out[i].attached = interface_attached(&states[i]);
	}
	return count;
}

static int gather_notes(struct dataplane *dp, struct metrics_count notes[LB_NOTE_COUNT])
{
	uint64_t counts[LB_NOTE_COUNT];
	int error = dataplane_notes(dp, counts);

	for (int note = 0; !error && note < LB_NOTE_COUNT; note++)
		notes[note] = (struct metrics_count){dataplane_note_name(note), counts[note]};
	return error;
}

static void gather_tables(struct dataplane *dp, struct metrics_input *input)
{
	const struct lb_limits *limits = &dataplane_settings(dp)->limits;
	const uint32_t *count = dataplane_usage(dp)->count;

	input->flow_entries = (uint64_t)count[LB_QUOTA_TCP] + count[LB_QUOTA_UDP];
	input->flow_limit = limits->flows;
	input->client_entries = count[LB_QUOTA_CLIENTS];
	input->client_limit = limits->clients;
	input->nat_entries = (uint64_t)count[LB_QUOTA_NAT_TCP] + count[LB_QUOTA_NAT_UDP];
	input->nat_limit = limits->nat_flows;
}

/* The text, for the caller to free, or NULL with errno set. */
static char *render(const struct controller *controller, enum metrics_scope scope, size_t *size)
{
	const struct controller_facts facts = controller_facts(controller);
	struct dataplane *dp = controller_dataplane(controller);
	struct metrics_interface interfaces[INTERFACES_MAX];
	struct metrics_count drops[LB_VERDICT_COUNT], notes[LB_NOTE_COUNT];
	struct stats_totals totals = {0};
	struct metrics_input input = {
		.model = controller_model(controller),
		.drops = drops,
		.notes = notes,
		.note_count = LB_NOTE_COUNT,
		.interfaces = interfaces,
		.table_build_ns = facts.build_ns,
		.publish_ns = facts.publish_ns,
		.reload_good = facts.reload_good,
		.reload_ms = facts.reload_ms,
	};
	int count = gather_interfaces(dp, interfaces);
	int error = count < 0 ? count : gather_notes(dp, notes);
	char *text = NULL;

	pins_count(controller_pins(controller));
	if (!error)
		error = stats_collect(dp, input.model, &totals);
	if (!error) {
		input.interface_count = (size_t)count;
		input.services = totals.services;
		input.backends = totals.backends;
		input.drop_count = gather_drops(&totals, drops);
		gather_tables(dp, &input);
		text = metrics_render(&input, scope, size);
		error = text ? 0 : -ENOMEM;
	}
	stats_totals_destroy(&totals);
	errno = -error;
	return text;
}

/* ---- replies ---- */

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
				 const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_failure(struct metrics_server *server,
				    struct MHD_Connection *connection, const char *what)
{
	uint32_t suppressed;
	char text[sizeof(((struct fault *)0)->message) + 2];

	snprintf(text, sizeof(text), "%s", what);
	if (log_allowed(&server->failures, clock_ms(CLOCK_MONOTONIC), &suppressed))
		log_warn("%s", text);
	strcat(text, "\n");
	return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, text);
}

static enum MHD_Result send_metrics(struct metrics_server *server,
				    struct MHD_Connection *connection, enum metrics_scope scope)
{
	struct rendering *rendering = &server->renderings[scope];
	uint64_t began = rendering_begin();
	char *text, what[256];
	size_t size;
	int error;

	if (!rendering_is_fresh(rendering)) {
		text = render(server->controller, scope, &size);
		error = text ? rendering_keep(rendering, text, size,
					      "text/plain; version=0.0.4; charset=utf-8", began)
			     : errno;
		if (error) {
			snprintf(what, sizeof(what), "metrics: reading counters: %s",
				 strerror(error));
			return send_failure(server, connection, what);
		}
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, rendering->response);
}

static enum MHD_Result send_status(struct metrics_server *server, struct MHD_Connection *connection)
{
	struct rendering *rendering = &server->status;
	uint64_t began = rendering_begin();
	struct fault fault;
	char *text;
	size_t size;

	if (!rendering_is_fresh(rendering)) {
		text = status_page_data(&server->api, &size, &fault);
		if (!text)
			return send_failure(server, connection, fault.message);
		if (rendering_keep(rendering, text, size, "application/json", began) != 0)
			return send_failure(server, connection, "status page: out of memory");
		MHD_add_response_header(rendering->response, "Cache-Control", "no-store");
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, rendering->response);
}

/* Whatever a name in the configuration may hold, the browser runs nothing but the page's own script
 * and asks nobody but lbd. */
static enum MHD_Result send_page(struct MHD_Connection *connection)
{
	size_t size;
	const char *page = status_page_html(&size);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, (void *)page, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/html; charset=utf-8");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; script-src 'unsafe-inline'; style-src "
				"'unsafe-inline'; connect-src 'self'; img-src data:; base-uri "
				"'none'; form-action 'none'; frame-ancestors 'none'");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- requests ---- */

/* What is wrong with the parameters, or what they say. */
struct parameters {
	enum metrics_scope scope;
	char wrong[256];
};

static enum MHD_Result on_parameter(void *context, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	struct parameters *parameters = context;

	(void)kind;
	if (strcmp(key, "scope") != 0)
		snprintf(parameters->wrong, sizeof(parameters->wrong),
			 "/metrics: unknown parameter \"%.100s\" (there is scope=service)\n", key);
	else if (!value || strcmp(value, "service") != 0)
		snprintf(parameters->wrong, sizeof(parameters->wrong),
			 "/metrics: unknown scope \"%.100s\" (there is scope=service, without "
			 "series for each backend)\n",
			 value ? value : "");
	else
		parameters->scope = METRICS_SERVICES;
	return MHD_YES;
}

static enum MHD_Result answer(struct metrics_server *server, struct MHD_Connection *connection,
			      const char *path)
{
	struct parameters parameters = {.scope = METRICS_ALL};

	if (!strcmp(path, "/"))
		return send_page(connection);
	if (!strcmp(path, "/status.json"))
		return send_status(server, connection);
	if (strcmp(path, "/metrics") != 0)
		return send_text(
			connection, MHD_HTTP_NOT_FOUND,
			"There is nothing at this path; the status page is at /, metrics are at "
			"/metrics.\n");
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_parameter, &parameters);
	if (parameters.wrong[0])
		return send_text(connection, MHD_HTTP_BAD_REQUEST, parameters.wrong);
	return send_metrics(server, connection, parameters.scope);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	return (length && strcmp(length, "0") != 0) ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Called twice: when the head is there, and when all of the request is. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *data, size_t *size, void **request)
{
	static char seen;

	(void)version;
	(void)data;
	(void)size;
	if (*request)
		return answer(context, connection, path);
	*request = &seen;
	/* Answered before a body is read, the connection is closed behind the answer. */
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				 "Here is nothing but to GET; change things with lbctl.\n");
	if (has_body(connection))
		return send_text(connection, MHD_HTTP_BAD_REQUEST,
				 "A request for metrics has no body.\n");
	return MHD_YES;
}

/* ---- listening ---- */

static void listener_close(struct listener *listener)
{
	httpd_free(listener->httpd);
	free(listener->address);
	*listener = (struct listener){.fd = -1};
}

static int listener_open(struct metrics_server *server, const char *address,
			 struct listener *listener, struct fault *fault)
{
	struct httpd_options options = {
		.name = "metrics",
		.connections_max = CONNECTIONS_MAX,
		.idle_timeout_s = IDLE_TIMEOUT_S,
		.oldest_yields = true,
		.on_request = on_request,
		.context = server,
	};

	listener->fd = metrics_socket_open(address, server->listener.fd, fault);
	if (listener->fd < 0)
		return -1;
	options.listener = listener->fd;
	listener->address = strdup(address);
	if (listener->address)
		listener->httpd = httpd_create(server->event, &options);
	if (listener->httpd)
		return 0;
	fault_set(fault, FAULT_FAILED, "metrics %s: listening: %s", address, strerror(errno));
	close(listener->fd);
	listener_close(listener);
	return -1;
}

static int on_prepare(void *context, const struct model *model, struct fault *fault)
{
	struct metrics_server *server = context;
	const char *wanted = model->global.metrics, *now = server->listener.address;

	server->moving = wanted && now ? strcmp(wanted, now) != 0 : wanted != now;
	return server->moving && wanted ? listener_open(server, wanted, &server->prepared, fault)
					: 0;
}

static void on_finish(void *context, bool taken)
{
	struct metrics_server *server = context;

	if (!server->moving)
		return;
	server->moving = false;
	if (!taken) {
		listener_close(&server->prepared);
		return;
	}
	listener_close(&server->listener);
	server->listener = server->prepared;
	server->prepared = (struct listener){.fd = -1};
	if (server->listener.address)
		log_info("metrics: listening on %s", server->listener.address);
	else
		log_info("metrics: no longer listening");
}

struct metrics_server *metrics_server_create(sd_event *event, struct controller *controller,
					     struct fault *fault)
{
	struct metrics_server *server = calloc(1, sizeof(*server));
	const struct controller_follower follower = {on_prepare, on_finish, server};

	if (!server) {
		fault_set(fault, FAULT_FAILED, "metrics: starting: %s", strerror(ENOMEM));
		return NULL;
	}
	server->event = event;
	server->controller = controller;
	api_state_init(&server->api, controller);
	server->listener.fd = server->prepared.fd = -1;
	server->failures = (struct log_limit){.burst = 3, .interval_ms = 60 * 1000};
	if (on_prepare(server, controller_model(controller), fault) < 0) {
		free(server);
		return NULL;
	}
	on_finish(server, true);
	controller_follow(controller, &follower);
	return server;
}

void metrics_server_free(struct metrics_server *server)
{
	if (!server)
		return;
	controller_follow(server->controller, NULL);
	listener_close(&server->listener);
	for (int i = 0; i < METRICS_SCOPE_COUNT; i++)
		rendering_drop(&server->renderings[i]);
	rendering_drop(&server->status);
	free(server);
}
