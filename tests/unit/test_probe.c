/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP probes of sockets on loopback (user/probe.h): what comes out, and that nothing stays behind.
 * Times are bounds for a test that hangs, and never asserted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../user/clock.h"
#include "../../user/probe.h"

enum { PATIENCE_US = 20 * 1000 * 1000, FILLERS = 4 };

struct backend_socket {
	int fd;
	struct addr address;
	uint16_t port;
};

struct outcome {
	unsigned int count;
	unsigned int good;
	char reason[128];
	struct check check;     /* its own: it outlives the prober */
	struct prober *to_free; /* by the callback */
};

static sd_event *loop;
static struct probers *probers;

static int setup(void **state)
{
	(void)state;
	if (sd_event_new(&loop) < 0)
		return -1;
	probers = probers_create(loop);
	return !probers;
}

static int teardown(void **state)
{
	(void)state;
	probers_free(probers);
	loop = sd_event_unref(loop);
	return 0;
}

/* A socket bound to a port of its own; backlog -1: it does not listen. */
static struct backend_socket backend_open(const char *address, int backlog)
{
	struct backend_socket backend;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr *any;
	socklen_t size;

	assert_int_equal(addr_parse(address, &backend.address, NULL), 0);
	if (backend.address.family == 4) {
		memcpy(&v4.sin_addr, &backend.address.ip, sizeof(v4.sin_addr));
		any = (struct sockaddr *)&v4;
		size = sizeof(v4);
	} else {
		memcpy(&v6.sin6_addr, &backend.address.ip, sizeof(v6.sin6_addr));
		any = (struct sockaddr *)&v6;
		size = sizeof(v6);
	}
	backend.fd = socket(any->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(backend.fd >= 0);
	assert_int_equal(bind(backend.fd, any, size), 0);
	assert_int_equal(getsockname(backend.fd, any, &size), 0);
	backend.port = ntohs(backend.address.family == 4 ? v4.sin_port : v6.sin6_port);
	if (backlog >= 0)
		assert_int_equal(listen(backend.fd, backlog), 0);
	return backend;
}

static void on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct outcome *outcome = context;

	(void)duration_us;
	outcome->count++;
	outcome->good += good;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason);
	prober_free(outcome->to_free);
	outcome->to_free = NULL;
}

static struct prober *probe(const struct backend_socket *backend, uint32_t timeout_ms,
			    struct outcome *outcome)
{
	const struct probe_target target = {.address = backend->address,
					    .port = backend->port,
					    .pool = "pool",
					    .backend = "backend"};
	struct prober *prober;

	outcome->check = (struct check){.interval_ms = 10, .timeout_ms = timeout_ms};
	outcome->check.type = CHECK_TCP;
	prober = prober_create(probers, &outcome->check, &target, on_result, outcome);

	assert_non_null(prober);
	return prober;
}

static void run_until(const struct outcome *outcome, unsigned int count)
{
	while (outcome->count < count)
		assert_true(sd_event_run(loop, PATIENCE_US) > 0);
}

static void open_port(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "::1"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct backend_socket backend = backend_open(addresses[i], 100);
		struct outcome outcome = {0};
		struct prober *prober = probe(&backend, 10000, &outcome);
		float ms;
		int end = 0;

		run_until(&outcome, 3);
		assert_int_equal(outcome.good, outcome.count);
		assert_int_equal(sscanf(outcome.reason, "connected in %f ms%n", &ms, &end), 1);
		assert_int_equal(end, strlen(outcome.reason));
		prober_free(prober);
		close(backend.fd);
	}
}

static void closed_port(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", -1);
	struct outcome outcome = {0};
	struct prober *prober = probe(&backend, 10000, &outcome);

	(void)state;
	run_until(&outcome, 2);
	assert_int_equal(outcome.good, 0);
	assert_string_equal(outcome.reason, "connection refused");
	prober_free(prober);
	close(backend.fd);
}

/* A service that starts later is found, by the same prober. */
static void closed_then_open(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", -1);
	struct outcome outcome = {0};
	struct prober *prober = probe(&backend, 10000, &outcome);

	(void)state;
	run_until(&outcome, 1);
	assert_int_equal(outcome.good, 0);
	assert_int_equal(listen(backend.fd, 10), 0);
	run_until(&outcome, 2);
	assert_int_equal(outcome.good, 1);
	prober_free(prober);
	close(backend.fd);
}

/* The kernel answers no SYN for a listener whose queue is full. */
static void queue_fill(const struct backend_socket *backend, int fillers[FILLERS])
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(backend->port)};
	struct pollfd connected = {.events = POLLOUT};
	int i;

	memcpy(&to.sin_addr, &backend->address.ip, sizeof(to.sin_addr));
	for (i = 0; i < FILLERS; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(fillers[i] >= 0);
		if (connect(fillers[i], (struct sockaddr *)&to, sizeof(to)))
			assert_int_equal(errno, EINPROGRESS);
	}
	connected.fd = fillers[0];
	assert_int_equal(poll(&connected, 1, PATIENCE_US / 1000), 1);
}

static void no_answer(void **state)
{
	static const struct {
		uint32_t timeout_ms;
		const char *reason;
	} cases[] = {
		{30, "no answer within 30 ms"},
		{1000, "no answer within 1 s"},
		{1250, "no answer within 1.25 s"},
	};
	struct backend_socket backend = backend_open("127.0.0.1", 0);
	int fillers[FILLERS];
	size_t i;

	(void)state;
	queue_fill(&backend, fillers);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome = {0};
		struct prober *prober = probe(&backend, cases[i].timeout_ms, &outcome);

		run_until(&outcome, 1);
		assert_int_equal(outcome.good, 0);
		assert_string_equal(outcome.reason, cases[i].reason);
		prober_free(prober);
	}
	for (i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(backend.fd);
}

/* The socket refuses at once, so the outcome is known before the start has returned. */
static void impossible_address(void **state)
{
	struct backend_socket backend = {.port = 80};
	struct outcome outcome = {0};

	(void)state;
	assert_int_equal(addr_parse("255.255.255.255", &backend.address, NULL), 0);
	outcome.to_free = probe(&backend, 10000, &outcome);
	run_until(&outcome, 1);
	assert_int_equal(outcome.good, 0);
	assert_string_equal(outcome.reason, "network is unreachable");
}

/* So that neither side keeps the connection in TIME_WAIT. */
static void ends_with_a_reset(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", 100);
	struct outcome outcome = {0};
	char byte;
	int fd;

	(void)state;
	outcome.to_free = probe(&backend, 10000, &outcome);
	run_until(&outcome, 1);
	fd = accept(backend.fd, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	close(backend.fd);
}

/* Interval 10 ms, and no answer ever: sockets under way would pile up before the timeout. */
static void one_at_a_time(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", 0);
	struct outcome outcome = {0};
	int fillers[FILLERS], lowest_free, lowest_free_later, i;
	struct prober *prober;

	(void)state;
	queue_fill(&backend, fillers);
	prober = probe(&backend, 100, &outcome);
	lowest_free = dup(backend.fd);
	close(lowest_free);
	while (outcome.count < 2) {
		assert_true(sd_event_run(loop, PATIENCE_US) > 0);
		lowest_free_later = dup(backend.fd);
		close(lowest_free_later);
		assert_in_range(lowest_free_later, lowest_free, lowest_free + 1);
	}
	prober_free(prober);
	lowest_free_later = dup(backend.fd);
	close(lowest_free_later);
	assert_int_equal(lowest_free_later, lowest_free);
	for (i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(backend.fd);
}

/* ASan tells of what a prober leaves behind that is freed before, in and after a probe. */
static void freed_at_any_time(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", 0);
	struct outcome outcome = {0};
	int fillers[FILLERS], i;

	(void)state;
	queue_fill(&backend, fillers);
	prober_free(probe(&backend, 10000, &outcome));
	for (i = 1; i < 4; i++) {
		struct prober *prober = probe(&backend, 10000, &outcome);
		int turn;

		for (turn = 0; turn < i; turn++)
			assert_true(sd_event_run(loop, 20 * 1000) >= 0);
		prober_free(prober);
	}
	prober_free(NULL);
	assert_int_equal(outcome.count, 0);
	for (i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(backend.fd);
}

static void bad_arguments(void **state)
{
	static const struct check checks[] = {
		{.type = CHECK_NONE, .interval_ms = 10, .timeout_ms = 10},
		{.type = CHECK_TCP, .interval_ms = 0, .timeout_ms = 10},
		{.type = CHECK_TCP, .interval_ms = 10, .timeout_ms = 0},
		{.type = (enum check_type)77, .interval_ms = 10, .timeout_ms = 10},
	};
	struct probe_target target = {.port = 1, .pool = "pool", .backend = "backend"};
	struct outcome outcome = {0};
	size_t i;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1", &target.address, NULL), 0);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		errno = 0;
		assert_null(prober_create(probers, &checks[i], &target, on_result, &outcome));
		assert_int_equal(errno, EINVAL);
	}
}

/* ---- when ---- */

enum { CROWD = 40, CROWD_INTERVAL_MS = 600 };

/* One of many that begin together. */
struct member {
	struct check check;
	struct prober *prober;
	uint64_t at_ms[3]; /* of its first results */
	unsigned count;
};

static void on_member(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct member *member = context;

	(void)good, (void)reason, (void)duration_us;
	if (member->count < 3)
		member->at_ms[member->count] = clock_ms(CLOCK_MONOTONIC);
	member->count++;
}

/* How far the crowd's results of that round are from each other. */
static uint64_t width(const struct member *members, unsigned round)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (int i = 0; i < CROWD; i++) {
		if (members[i].at_ms[round] < first)
			first = members[i].at_ms[round];
		if (members[i].at_ms[round] > last)
			last = members[i].at_ms[round];
	}
	return last - first;
}

/* Backends that are checked from the same moment on are not checked at the same moments. */
static void a_crowd_spreads(void **state)
{
	struct backend_socket backend = backend_open("127.0.0.1", -1);
	static struct member members[CROWD];
	int done = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		const struct probe_target target = {
			.address = {.family = 4, .ip.bytes = {127, 0, 0, (uint8_t)(i + 1)}},
			.port = backend.port,
			.pool = "pool",
			.backend = "backend"};

		members[i] = (struct member){.check = {.type = CHECK_TCP,
						       .interval_ms = CROWD_INTERVAL_MS,
						       .timeout_ms = 500}};
		members[i].prober =
			prober_create(probers, &members[i].check, &target, on_member, &members[i]);
		assert_non_null(members[i].prober);
	}
	while (done < CROWD) {
		assert_true(sd_event_run(loop, PATIENCE_US) > 0);
		done = 0;
		for (int i = 0; i < CROWD; i++)
			done += members[i].count >= 3;
	}
	for (int i = 0; i < CROWD; i++) {
		/* The second one comes sooner than asked, but not at once. */
		assert_in_range(members[i].at_ms[1] - members[i].at_ms[0], CROWD_INTERVAL_MS / 6,
				10000);
		prober_free(members[i].prober);
	}
	/* A machine that is busy with other things makes it only more. */
	assert_in_range(width(members, 0), 100, 10000);
	assert_in_range(width(members, 1), CROWD_INTERVAL_MS / 2, 10000);
	close(backend.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(open_port, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_port, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_then_open, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible_address, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_with_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_at_any_time, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_spreads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
