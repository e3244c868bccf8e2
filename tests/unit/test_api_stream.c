/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api: replies that go on, readers that are slow, clients that are slow, hostile or many, and the
 * socket for reading alone. All over real sockets, with the loop on the same thread: what a client
 * could block would never end here.
 */
#include "api_fixture.h"

#include <sys/resource.h>

#include "../../user/clock.h"

enum { TURNS = 20000, TURN_US = 1000 };

static void turn(struct place *place)
{
	assert_true(sd_event_run(place->event, TURN_US) >= 0);
}

static void add_numbered(unsigned number)
{
	events_add(events, "test", json_pack("{s:i}", "number", (int)number), 1700000000123);
}

/* ---- the ring ---- */

static void read_all(struct events_reader *reader, size_t step, char *out, size_t room)
{
	size_t used = 0, got;

	while ((got = events_read(events, reader, out + used, step)) > 0) {
		used += got;
		assert_true(used + step < room);
	}
	out[used] = '\0';
}

static void test_ring(void **state)
{
	static char text[1 << 20];
	struct events_reader reader;
	unsigned lines = 0;

	(void)state;
	events_reader_init(events, &reader, false);
	read_all(&reader, 100, text, sizeof(text));
	assert_string_equal(text, "");
	add_numbered(1);
	add_numbered(2);
	/* However little is asked for at a time. */
	read_all(&reader, 7, text, sizeof(text));
	assert_string_equal(text, "{\"schema\":1,\"seq\":1,\"time\":\"2023-11-14T22:13:20.123Z\","
				  "\"event\":\"test\",\"number\":1}\n"
				  "{\"schema\":1,\"seq\":2,\"time\":\"2023-11-14T22:13:20.123Z\","
				  "\"event\":\"test\",\"number\":2}\n");
	/* Half a line read, and then the ring goes round twice: that line is whole. */
	add_numbered(3);
	assert_int_equal(events_read(events, &reader, text, 20), 20);
	for (unsigned i = 0; i < 2 * EVENTS_KEPT; i++)
		add_numbered(4 + i);
	read_all(&reader, 4096, text + 20, sizeof(text) - 20);
	assert_int_equal(strncmp(text, "{\"schema\":1,\"seq\":3,", 20), 0);
	assert_non_null(strstr(text, "\"number\":3}\n{\"schema\":1,\"event\":\"lost\","
				     "\"count\":1024,"));
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 2 + EVENTS_KEPT);
	events_reader_destroy(&reader);
}

/* ---- following ---- */

/* Sends `text` and returns the connection. */
static int say(struct place *place, const char *text)
{
	size_t size = strlen(text), sent = 0;
	int fd = connect_to(place->path);

	for (unsigned i = 0; i < TURNS && sent < size; i++) {
		ssize_t step = send(fd, text + sent, size - sent, MSG_NOSIGNAL);

		sent += step > 0 ? (size_t)step : 0;
		turn(place);
	}
	assert_int_equal(sent, size);
	return fd;
}

/* Reads until `end` is there; the end of the connection where that is NULL. The caller frees it. */
static char *hear(struct place *place, int fd, const char *end)
{
	enum { ROOM = 4 << 20 };
	char *text = calloc(1, ROOM);
	size_t used = 0;
	ssize_t step = -1;

	for (unsigned i = 0; i < TURNS && step != 0; i++) {
		step = recv(fd, text + used, ROOM - 1 - used, 0);
		used += step > 0 ? (size_t)step : 0;
		if (step < 0 && errno != EAGAIN)
			break;
		if (end && strstr(text, end))
			return text;
		if (step < 0)
			turn(place);
	}
	if (end)
		fail_msg("no '%s' in: %s", end, text);
	return text;
}

#define FOLLOW "GET /v1/events HTTP/1.1\r\nHost: lbd\r\n\r\n"

static void test_follow(void **state)
{
	struct place *place = *state;
	char *text;
	int fd;

	add_numbered(1);
	fd = say(place, FOLLOW);
	free(hear(place, fd, "\r\n\r\n"));
	add_numbered(2);
	text = hear(place, fd, "\"number\":2}");
	assert_null(strstr(text, "\"number\":1}")); /* that was before */
	free(text);
	add_numbered(3);
	free(hear(place, fd, "\"number\":3}"));
	/* It ends with lbd, though it waits. */
	api_free(place->api);
	place->api = NULL;
	text = hear(place, fd, NULL);
	free(text);
	close(fd);
}

static void test_history(void **state)
{
	struct place *place = *state;
	char *text;

	add_numbered(1);
	add_numbered(2);
	text = request(place, "GET", "/v1/events?history=1&follow=0", NULL, NULL);
	assert_int_equal(status_of(text), 200);
	assert_non_null(strstr(text, "\"number\":1}\n"));
	assert_non_null(strstr(text, "\"number\":2}\n"));
	free(text);
	text = request(place, "GET", "/v1/events?follow=2", NULL, NULL);
	assert_answer("neither", text, 400, "{\"error\": {\"code\": \"usage\"}}");
	free(text);
}

/* Adds up what it was told: events, and how many of them it lost. */
static void count_events(const char *text, unsigned *events_seen, unsigned *lost)
{
	for (const char *at = text; (at = strstr(at, "\"event\":\"test\"")); at++)
		++*events_seen;
	for (const char *at = text; (at = strstr(at, "\"lost\",\"count\":")); at++)
		*lost += (unsigned)atoi(at + strlen("\"lost\",\"count\":"));
}

static void test_slow_reader(void **state)
{
	enum { MANY = 20 * EVENTS_KEPT };
	struct place *place = *state;
	unsigned seen = 0, lost = 0;
	char *text;
	int fd = say(place, FOLLOW);

	free(hear(place, fd, "\r\n\r\n"));
	for (unsigned i = 1; i <= MANY; i++) {
		add_numbered(i);
		if (i % 64 == 0)
			turn(place);
	}
	/* Nobody waits for it. */
	text = request(place, "GET", "/v1/status", NULL, NULL);
	assert_int_equal(status_of(text), 200);
	free(text);
	text = hear(place, fd, "\"number\":20480}");
	count_events(text, &seen, &lost);
	assert_int_equal(seen + lost, MANY);
	assert_true(lost > 0 && seen >= EVENTS_KEPT);
	free(text);
	close(fd);
}

static void test_too_many_readers(void **state)
{
	enum { MOST = 16 };
	struct place *place = *state;
	int fds[MOST];
	char *text;

	for (size_t i = 0; i < MOST; i++) {
		fds[i] = say(place, FOLLOW);
		free(hear(place, fds[i], "\r\n\r\n"));
	}
	text = request(place, "GET", "/v1/events", NULL, NULL);
	assert_answer("one too many", text, 503, "{\"error\": {\"code\": \"conflict\"}}");
	free(text);
	/* One that is gone leaves its place to the next but one who asks. */
	close(fds[0]);
	text = request(place, "GET", "/v1/events?follow=0", NULL, NULL);
	free(text);
	fds[0] = say(place, FOLLOW);
	text = hear(place, fds[0], "\r\n\r\n");
	assert_int_equal(status_of(text), 200);
	free(text);
	for (size_t i = 0; i < MOST; i++)
		close(fds[i]);
}

/* ---- the socket for reading ---- */

static void test_read_only(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};
	struct stat st;
	char *text;

	api_free(place->api);
	place->api = api_create(place->event, NULL, place->path, true, &fault);
	assert_non_null(place->api);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	text = request(place, "GET", "/v1/status", NULL, NULL);
	assert_int_equal(status_of(text), 200);
	free(text);
	for (size_t i = 0; i < 5; i++) {
		static const char *const methods[] = {"POST", "PATCH", "DELETE", "PUT", "BREW"};

		asked[0] = '\0';
		text = request(place, methods[i], "/v1/services/http", "{\"pool\": \"web\"}", NULL);
		assert_answer(methods[i], text, 403, "{\"error\": {\"code\": \"permission\"}}");
		assert_string_equal(asked, "");
		free(text);
	}
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		count++;
	return count;
}

enum { ASKED = 200 };

/* How many of so many requests at once are answered; the others are refused. */
static unsigned count_answered(struct place *place, const char *path)
{
	struct fault fault = {0};
	char *text = calloc(ASKED, strlen(path) + 64), *answer, *at = text;
	unsigned good;

	api_free(place->api);
	place->api = api_create(place->event, NULL, place->path, true, &fault);
	assert_non_null(place->api);
	for (unsigned i = 1; i <= ASKED; i++)
		at += sprintf(at, "GET %s HTTP/1.1\r\nHost: l\r\n%s\r\n", path,
			      i < ASKED ? "" : "Connection: close\r\n");
	answer = hear(place, say(place, text), NULL);
	good = count_of(answer, "HTTP/1.1 200");
	assert_int_equal(good + count_of(answer, "HTTP/1.1 429"), ASKED);
	free(answer);
	free(text);
	return good;
}

/* Nobody of those who may only look can keep lbd busy. */
static void test_read_only_rate(void **state)
{
	struct place *place = *state;
	uint64_t began_ms;
	unsigned answered;
	char *answer;

	assert_in_range(count_answered(place, "/v1/pools"), 20, ASKED - 1);
	/* What takes long, as to build a table, counts as several. On a busy machine it takes
	 * longer than its own time, and one more is allowed every 50 ms. */
	began_ms = clock_ms(CLOCK_MONOTONIC);
	answered = count_answered(place, "/v1/what-if?change=kill&backend=web/web1");
	assert_in_range(answered, 1, 15 + (clock_ms(CLOCK_MONOTONIC) - began_ms) / 50);
	/* No body is taken in, either. */
	answer = request(place, "GET", "/v1/pools", "{\"a\": 1}", NULL);
	assert_null(strstr(answer, "HTTP/1.1 200"));
	free(answer);
}

/* ---- who is slow, hostile or many ---- */

static void assert_answers(struct place *place, const char *after)
{
	char *text = request(place, "GET", "/v1/status", NULL, NULL);

	if (status_of(text) != 200)
		fail_msg("no answer after %s: %s", after, text);
	free(text);
}

static const char *const halves[] = {
	"G",
	"GET /v1/status HT",
	"GET /v1/status HTTP/1.1\r\nHost: l",
	"PATCH /v1/services/http HTTP/1.1\r\nHost: lbd\r\nContent-Length: 100\r\n\r\n{",
	"PATCH /v1/services/http HTTP/1.1\r\nHost: lbd\r\nTransfer-Encoding: "
	"chunked\r\n\r\nffff\r\n{",
};

/* Kept open while others ask, and closed in the middle. */
static void test_half_requests(void **state)
{
	struct place *place = *state;
	int fds[COUNT(halves)];

	for (size_t i = 0; i < COUNT(halves); i++) {
		fds[i] = say(place, halves[i]);
		assert_answers(place, halves[i]);
	}
	for (size_t i = 0; i < COUNT(halves); i++) {
		close(fds[i]);
		assert_answers(place, halves[i]);
	}
}

static const struct hostile {
	const char *of, *text;
} hostile[] = {
	{"no HTTP", "\x16\x03\x01\x02\x01\x01\xfc\x03\r\n\r\n"},
	{"an empty line for ever", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"},
	{"a length that is none",
	 "PATCH /v1/services/http HTTP/1.1\r\nHost: l\r\nContent-Length: -1\r\n\r\n"},
	{"a huge length", "PATCH /v1/services/http HTTP/1.1\r\nHost: l\r\nContent-Length: "
			  "99999999999999999999999999\r\n\r\n"},
	{"two lengths", "PATCH /v1/services/http HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\n"
			"Content-Length: 3\r\n\r\n{}"},
	{"a chunk that is none", "PATCH /v1/services/http HTTP/1.1\r\nHost: l\r\n"
				 "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"},
	{"a path out of the tree", "GET /../../etc/passwd HTTP/1.1\r\nHost: l\r\n\r\n"},
	{"a path that is none", "GET %00%ff HTTP/1.1\r\nHost: l\r\n\r\n"},
	{"many requests at once", "GET /v1/pools HTTP/1.1\r\nHost: l\r\n\r\n"
				  "GET /v1/pools HTTP/1.1\r\nHost: l\r\n\r\n"
				  "GET /v1/pools HTTP/1.1\r\nHost: l\r\n\r\n"},
};

static void test_hostile(void **state)
{
	struct place *place = *state;

	for (size_t i = 0; i < COUNT(hostile); i++) {
		int fd = connect_to(place->path);

		/* What it says to that is its own business; not that it goes on. */
		send(fd, hostile[i].text, strlen(hostile[i].text), MSG_NOSIGNAL);
		for (int n = 0; n < 10; n++)
			turn(place);
		assert_answers(place, hostile[i].of);
		close(fd);
		assert_answers(place, hostile[i].of);
	}
}

static void test_huge_head(void **state)
{
	enum { HUGE_SIZE = 1 << 20 };
	struct place *place = *state;
	char *text = malloc(HUGE_SIZE + 256), *answer;
	int size = sprintf(text, "GET /v1/status HTTP/1.1\r\nHost: lbd\r\nX: ");

	memset(text + size, 'x', HUGE_SIZE);
	strcpy(text + size + HUGE_SIZE, "\r\n\r\n");
	answer = talk(place, text, (size_t)size + HUGE_SIZE + 4);
	assert_true(status_of(answer) != 200);
	free(answer);
	free(text);
	assert_answers(place, "a huge header");
}

/* The client's connect would wait for the queue, which only this thread can shorten. */
static void assert_answers_soon(struct place *place, const char *after)
{
	for (int i = 0; i < 200; i++)
		turn(place);
	assert_answers(place, after);
}

/* As many as may be open, half of them saying half a request: no place is held for good. */
static void test_thousands(void **state)
{
	enum { MANY = 3000 };
	struct place *place = *state;
	struct rlimit limit = {0};
	int *fds = calloc(MANY, sizeof(*fds));
	unsigned open_count = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (; open_count < MANY && open_count + 200 < limit.rlim_cur; open_count++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), tries = 0;

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", place->path);
		/* Full is the queue of those that wait, for a turn. */
		while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
		       tries++ < TURNS)
			turn(place);
		assert_true(tries < TURNS);
		if (open_count % 2)
			send(fd, halves[2], strlen(halves[2]), MSG_NOSIGNAL);
		fds[open_count] = fd;
		if (open_count % 500 == 0)
			assert_answers_soon(place, "some hundreds of connections");
	}
	assert_true(open_count > 500);
	assert_answers_soon(place, "thousands of connections");
	for (unsigned i = 0; i < open_count; i++)
		close(fds[i]);
	assert_answers(place, "their end");
	free(fds);
}

/* One byte a turn on each of more connections than there are places. */
static void test_trickle(void **state)
{
	enum { SLOW = 100 };
	static const char head[] = "GET /v1/status HTTP/1.1\r\nHost: lbd\r\nX: yyyyyyyyyyyyyyyyyyy";
	struct place *place = *state;
	int fds[SLOW];

	for (size_t i = 0; i < SLOW; i++) {
		fds[i] = connect_to(place->path);
		turn(place);
	}
	for (size_t at = 0; at < strlen(head); at++) {
		for (size_t i = 0; i < SLOW; i++)
			send(fds[i], head + at, 1, MSG_NOSIGNAL);
		turn(place);
		if (at % 16 == 0)
			assert_answers(place, "bytes that trickle in");
	}
	for (size_t i = 0; i < SLOW; i++)
		close(fds[i]);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_ring),
		WITH_PLACE(test_follow),
		WITH_PLACE(test_history),
		WITH_PLACE(test_slow_reader),
		WITH_PLACE(test_too_many_readers),
		WITH_PLACE(test_read_only),
		WITH_PLACE(test_read_only_rate),
		WITH_PLACE(test_half_requests),
		WITH_PLACE(test_hostile),
		WITH_PLACE(test_huge_head),
		WITH_PLACE(test_thousands),
		WITH_PLACE(test_trickle),
	};

	log_init(LOG_LEVEL_ERR, false);
	return cmocka_run_group_tests_name("API, streams and limits", tests, NULL, NULL);
}
