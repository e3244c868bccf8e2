/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_fixture: what test_api.c and test_api_stream.c stand on: a directory with an API in it, and a
 * client; what is behind the API is api_world.h's. For those files alone.
 */
#ifndef LIMPET_TEST_API_FIXTURE_H
#define LIMPET_TEST_API_FIXTURE_H

#include "api_world.h"

/* ---- a place with an API in it ---- */

struct place {
	char directory[64];
	char path[96];
	sd_event *event;
	struct api *api;
	const void *of; /* the case, where there is one */
};

static void set_state(void)
{
	struct pool *web = model_pool_find(model, "web"), *dns = model_pool_find(model, "dns");

	for (size_t i = 0; i < web->backend_count; i++) {
		struct backend *backend = web->backends[i];

		backend->index = (uint32_t)i + 1;
		backends[backend->index].counter = (uint16_t)(i + 1);
		/* web3 went down since its flows began. */
		backends[backend->index].status = LB_STATUS(i == 2 ? 8 : 7, 0, LB_BACKEND_USABLE);
		backend->hop = (struct next_hop){.resolved = true,
						 .ifindex = 1,
						 .mtu = 1500,
						 .destination_mac = {2, 0, 0x9f, 0xa0, 0, 11}};
		backend->health = HEALTH_UP;
		strcpy(backend->reason, "connected in 0.4 ms");
		backend->since_ms = 1700000000123;
	}
	web->backends[0]->slots = 65537;
	web->backends[2]->health = HEALTH_DOWN;
	strcpy(dns->backends[0]->hop.why, "no route to host");
	web->index = 1;
	web->table_digest = 0xab;
	web->unsettled_slots = 5;
	dns->index = 2;
	model_service_find(model, "http")->index = 1;
	model_service_find(model, "dns")->index = 2;
}

static int make_place(void **state)
{
	struct config_errors errors = {0};
	struct place *place = calloc(1, sizeof(*place));
	struct fault fault = {0};

	strcpy(place->directory, "/tmp/limpet-api-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/lbd.sock", place->directory);
	model = config_parse(file, strlen(file), NULL, &errors);
	if (!model)
		fail_msg("the test's file is wrong: %s", errors.items[0].what);
	set_state();
	events = events_create();
	assert_int_equal(sd_event_new(&place->event), 0);
	place->api = api_create(place->event, NULL, place->path, false, &fault);
	if (!place->api)
		fail_msg("%s", fault.message);
	place->of = *state;
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	api_free(place->api);
	sd_event_unref(place->event);
	model_free(model);
	events_free(events);
	unlink(place->path);
	rmdir(place->directory);
	free(place);
	return 0;
}

/* ---- a client on the same thread: the loop runs until it has what it waits for ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Sends all of `text`, reads until the other end closes. The caller frees the result. */
static char *talk(struct place *place, const char *text, size_t size)
{
	enum { ANSWER_MAX = 1 << 16, TURNS_MAX = 100000 };
	char *answer = calloc(1, ANSWER_MAX);
	size_t sent = 0, got = 0;
	int fd = connect_to(place->path);
	ssize_t step = -1;

	for (int turn = 0; turn < TURNS_MAX && step != 0; turn++) {
		/* A refused request is answered before it is read. */
		step = sent < size ? send(fd, text + sent, size - sent, MSG_NOSIGNAL) : 0;
		sent += step > 0 ? (size_t)step : 0;
		assert_true(sd_event_run(place->event, 1000) >= 0);
		step = recv(fd, answer + got, ANSWER_MAX - 1 - got, 0);
		got += step > 0 ? (size_t)step : 0;
		if (step < 0 && errno != EAGAIN)
			break;
	}
	close(fd);
	return answer;
}

static char *request(struct place *place, const char *method, const char *path, const char *body,
		     const char *header)
{
	char text[2048];
	int size = snprintf(text, sizeof(text),
			    "%s %s HTTP/1.1\r\nHost: lbd\r\nConnection: close\r\n%s"
			    "Content-Length: %zu\r\n\r\n%s",
			    method, path, header ? header : "", body ? strlen(body) : 0,
			    body ? body : "");

	return talk(place, text, (size_t)size);
}

static json_t *body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	return body ? json_loads(body + 4, 0, NULL) : NULL;
}

static unsigned status_of(const char *answer)
{
	unsigned status = 0;

	sscanf(answer, "HTTP/1.1 %u", &status);
	return status;
}

/* True if `is` has everything that `wanted` has. A wanted string may be a part of one. */
static bool holds(const json_t *is, const json_t *wanted)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(wanted)) {
		json_object_foreach ((json_t *)wanted, key, value)
			if (!holds(json_object_get(is, key), value))
				return false;
		return json_is_object(is);
	}
	if (json_is_array(wanted)) {
		json_array_foreach (wanted, i, value) {
			if (json_is_string(value) && !strcmp(json_string_value(value), "..."))
				return true; /* and whatever else there is */
			if (!holds(json_array_get(is, i), value))
				return false;
		}
		return json_array_size(is) == json_array_size(wanted);
	}
	if (json_is_string(wanted))
		return json_is_string(is) &&
		       strstr(json_string_value(is), json_string_value(wanted));
	return json_equal(is, wanted);
}

static void assert_answer(const char *of, const char *answer, unsigned status, const char *wanted)
{
	json_error_t error;
	json_t *is = body_of(answer), *must = json_loads(wanted, 0, &error);

	if (!must)
		fail_msg("%s: the case is wrong: %s", of, error.text);
	if (status_of(answer) != status || !holds(is, must) ||
	    json_integer_value(json_object_get(is, "schema")) != 1)
		fail_msg("%s: wanted %u and %s, got %s", of, status, wanted, answer);
	json_decref(is);
	json_decref(must);
}

#endif
