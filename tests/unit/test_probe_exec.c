/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes that run a program (user/probe_exec.c): what comes out, what the program may do, and that
 * none outlives its probe. Times are bounds for a test that hangs, and never asserted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "../../user/check.h"
#include "../../user/probe.h"

enum { PATIENCE_US = 20 * 1000 * 1000 };

struct outcome {
	struct check check;
	unsigned int count;
	bool good;
	char reason[128];
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

static void on_result(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct outcome *outcome = context;

	(void)duration_us;
	outcome->count++;
	outcome->good = good;
	snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason);
}

static struct prober *probe(const char *script, uint32_t timeout_ms, struct outcome *outcome)
{
	struct probe_target target = {.port = 53, .pool = "dns", .backend = "ns1"};
	struct prober *prober;

	*outcome = (struct outcome){
		.check = {.type = CHECK_EXEC, .interval_ms = 10, .timeout_ms = timeout_ms}};
	assert_true(check_command_add(&outcome->check, "/bin/sh"));
	assert_true(check_command_add(&outcome->check, "-c"));
	assert_true(check_command_add(&outcome->check, script));
	assert_int_equal(addr_parse("2001:db8::1", &target.address, NULL), 0);
	prober = prober_create(probers, &outcome->check, &target, on_result, outcome);
	assert_non_null(prober);
	return prober;
}

static void run_once(const char *script, uint32_t timeout_ms, struct outcome *outcome)
{
	struct prober *prober = probe(script, timeout_ms, outcome);

	while (!outcome->count)
		assert_true(sd_event_run(loop, PATIENCE_US) > 0);
	prober_free(prober);
}

static void ends(void **state)
{
	static const struct {
		const char *script;
		bool good;
		const char *reason; /* the beginning */
	} cases[] = {
		{"exit 0", true, "exit status 0 in "},
		{"echo all is well; echo more", true, "exit status 0: all is well in "},
		{"exit 3", false, "exit status 3"},
		{"echo >&2 no disk; exit 1", false, "exit status 1: no disk"},
		{"printf 'a\\033b\\200'; exit 1", false, "exit status 1: a?b?"},
		{"kill -9 $$", false, "signal 9"},
		{"exec /does/not/exist", false, "exit status 127: "},
		/* More than a pipe holds, so that somebody must read it. */
		{"head -c 300000 /dev/zero", true, "exit status 0: ????"},
		{"echo $LBD_ADDRESS $LBD_PORT $LBD_POOL $LBD_BACKEND $HOME", true,
		 "exit status 0: 2001:db8::1 53 dns ns1 in "},
	};
	struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_once(cases[i].script, 10000, &outcome);
		if (outcome.good != cases[i].good ||
		    strncmp(outcome.reason, cases[i].reason, strlen(cases[i].reason)) != 0)
			fail_msg("%s: %s", cases[i].script, outcome.reason);
	}
}

/* Neither now nor by running something that has the bit for it. */
static void without_capabilities(void **state)
{
	struct outcome outcome;

	(void)state;
	run_once("grep -E '^(Cap(Eff|Prm|Amb)|NoNewPrivs):' /proc/self/status | tr -d '\\n'", 10000,
		 &outcome);
	assert_string_equal(strtok(outcome.reason, " "), "exit");
	assert_string_equal(strtok(NULL, ":"), "status 0");
	assert_string_equal(strtok(NULL, ":"), " CapPrm");
	assert_string_equal(strtok(NULL, "C"), "\?0000000000000000");
	assert_string_equal(strtok(NULL, ":"), "apEff");
	assert_string_equal(strtok(NULL, "C"), "\?0000000000000000");
	assert_string_equal(strtok(NULL, ":"), "apAmb");
	assert_string_equal(strtok(NULL, "N"), "\?0000000000000000");
	assert_string_equal(strtok(NULL, " "), "oNewPrivs:?1");
}

/* Of lbd, with its sockets and maps. */
static void without_descriptors(void **state)
{
	struct outcome outcome;
	char script[128];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0); /* as if somebody forgot O_CLOEXEC */
	snprintf(script, sizeof(script), "test ! -e /proc/$$/fd/%d && test ! -e /proc/$$/fd/%d",
		 ends[0], ends[1]);
	run_once(script, 10000, &outcome);
	assert_true(outcome.good);
	close(ends[0]);
	close(ends[1]);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* What it started is killed with it. The shell's pid and its child's are what it says. */
static void killed_at_its_timeout(void **state)
{
	char name[] = "/tmp/limpet-exec.XXXXXX", script[128];
	int fd = mkstemp(name), shell = 0, child = 0;
	struct outcome outcome;
	FILE *file;

	(void)state;
	assert_true(fd >= 0);
	snprintf(script, sizeof(script), "trap '' TERM; sleep 600 & echo $$ $! >%s; wait", name);
	run_once(script, 500, &outcome);
	assert_false(outcome.good);
	assert_string_equal(outcome.reason, "no answer within 500 ms");
	file = fdopen(fd, "r");
	assert_int_equal(fscanf(file, "%d %d", &shell, &child), 2);
	fclose(file);
	unlink(name);
	while (!is_gone(shell)) /* the loop reaps it */
		assert_true(sd_event_run(loop, PATIENCE_US) > 0);
	/* Not ours to reap: a zombie of its new parent at most. */
	snprintf(script, sizeof(script), "! grep -qs '^State:.[^ZX]' /proc/%d/status", child);
	while (system(script) != 0)
		usleep(1000);
}

/* ASan tells of what is left behind. */
static void freed_while_it_runs(void **state)
{
	struct outcome outcome;
	struct prober *prober = probe("sleep 600", 10000, &outcome);

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		assert_true(sd_event_run(loop, 20 * 1000) >= 0);
	prober_free(prober);
	assert_int_equal(outcome.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ends, setup, teardown),
		cmocka_unit_test_setup_teardown(without_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_at_its_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_while_it_runs, setup, teardown),
	};

	return cmocka_run_group_tests_name("probe_exec", tests, NULL, NULL);
}
