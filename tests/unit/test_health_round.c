/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a failure waits for the pool's other checks (user/health_round.h), what becomes of a pool
 * (pool_mode_of), and how weights begin (user/slow_start.h): arrays in, arrays out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/health_round.h"
#include "../../user/slow_start.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Members, one letter each: u up, d down, C up but about to be told down, s up but its last check
 * failed, h up and not heard; A down but about to be told up, r down but its last check was good,
 * l down and not heard; m in maint and not heard. Of others nothing was ever told: n is not heard
 * of, f failed its first check; N is about to be told up, and so is H, whose next hop is not heard
 * of. After a '+' come backups.
 */
static const struct {
	const char *what;
	const char *members;
	uint32_t panic_threshold;
	bool waits;
	const char *hasten; /* as many as members: ! or . */
} rounds[] = {
	{"nothing can come of it", "Chhh", 0, false, "...."},
	{"not even if all fail", "Csss", 0, false, "...."},
	{"alone among the well", "Cuuu", 50, false, "...."},
	{"enough are well", "Cuuuhs", 50, false, "......"},
	{"too few are well, others unheard", "Cuhh", 50, true, "..!!"},
	{"too few are well, others suspect", "Cuss", 50, true, "...."},
	{"one is heard well, and that is enough", "Cuuh", 50, false, "...."},
	{"both, of which one is asked", "Cush", 75, true, "...!"},
	{"panic is certain: told, so that it begins", "CCCC", 50, false, "...."},
	{"panic is certain whatever the last says", "CCCs", 50, false, "...."},
	{"panic already", "dddC", 50, false, "...."},
	{"those down before are nobody to wait for", "ddCs", 50, false, "...."},
	{"but they count", "dCuus", 60, true, "....."},
	{"maint counts for nothing", "mmCus", 50, true, "....."},
	{"maint is not asked", "Chm", 50, true, ".!."},

	{"panic ends: the others are about to come up", "AAdr", 50, true, "...."},
	{"panic ends: the others are asked", "AAdl", 50, true, "...!"},
	{"panic ends: the others are still down", "AAdd", 50, false, "...."},
	{"panic goes on: told at once", "Arrr", 50, false, "...."},
	{"one comes up where there is no panic", "uuAr", 50, false, "...."},
	{"one comes up and another goes down", "ACuu", 50, false, "...."},
	{"without panic nobody waits to come up", "Arrl", 0, false, "...."},

	{"a backup is up: the last one is awaited", "Cs+u", 0, true, "...."},
	{"a backup is up: the last one is asked", "Ch+u", 0, true, ".!.."},
	{"a backup is up, and another is well", "Chu+u", 0, false, "....."},
	{"the last one fails: backups begin", "C+u", 0, false, "..."},
	{"without a backup up, there is none", "Cs+d", 0, false, "...."},
	{"a suspect backup matters for panic", "C+s", 50, true, "..."},
	{"an unheard backup is asked", "C+h", 50, true, "..!"},
	{"a backup that fails alone", "uu+C", 50, false, "...."},

	{"a pool begins: others are not heard of", "nNn", 0, true, "!.!"},
	{"a pool begins: all are heard of", "NNf", 0, false, "..."},
	{"a pool begins: who failed is not awaited", "Nfn", 0, true, "..!"},
	{"a pool begins: one's next hop is not heard of", "NH", 0, true, ".."},
	{"a pool begins: who is in maint is not awaited", "Nm", 0, false, ".."},
	{"a pool of one begins", "N", 0, false, "."},
	{"it has begun", "uNn", 0, false, "..."},
	{"new ones take over from those that are down", "ddNn", 0, true, "...!"},
	{"one that was down comes back: at once", "dAn", 0, false, "..."},
	{"and takes with it who is new", "ANn", 0, false, "..."},
	{"a pool begins: backups have time", "N+n", 0, false, "..."},
	{"a pool begins with a backup: others are awaited", "n+N", 0, true, "!.."},
	{"a pool begins with backups: the others, too", "f+Nn", 0, true, "...!"},
	{"a backup serves already", "Nn+u", 0, false, "...."},
	{"all serve in panic", "Nnnn", 50, false, "...."},
	{"panic ends: those not heard of are asked", "NNnn", 50, true, "..!!"},
	{"panic ends: who failed is not awaited", "NNff", 50, false, "...."},
	{"a new one asks for no news of others", "hhN", 50, false, "..."},
};

static size_t members_of(const char *text, struct round_member *members)
{
	bool backup = false;
	size_t count = 0;

	for (; *text; text++) {
		struct round_member member = {.wanted = *text != 'm',
					      .backup = backup,
					      .up = strchr("uCsh", *text),
					      .pending = strchr("CANH", *text),
					      .doubtful = strchr("sr", *text),
					      .unheard = strchr("hlmn", *text),
					      .fresh = strchr("nfNHm", *text),
					      .expected = strchr("nHm", *text)};

		if (*text == '+')
			backup = true;
		else
			members[count++] = member;
	}
	return count;
}

static void test_rounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rounds); i++) {
		struct round_member members[16];
		size_t count = members_of(rounds[i].members, members), wanted = 0;
		bool hasten[16], waits;

		waits = health_round_waits(members, count, rounds[i].panic_threshold, hasten);
		if (waits != rounds[i].waits)
			fail_msg("%s (%s): waits %d", rounds[i].what, rounds[i].members, waits);
		for (size_t j = 0; rounds[i].members[j]; j++) {
			if (rounds[i].members[j] == '+')
				continue;
			if (hasten[wanted] != (rounds[i].hasten[j] == '!'))
				fail_msg("%s (%s): hastens %zu", rounds[i].what, rounds[i].members,
					 j);
			wanted++;
		}
	}
}

static void test_patience(void **state)
{
	const struct check quick = {.interval_ms = 2000, .timeout_ms = 100, .fall = 3};
	const struct check slow = {.interval_ms = 2000, .timeout_ms = 1000, .fall = 3};
	const struct check at_once = {.interval_ms = 200, .timeout_ms = 40, .fall = 3};
	const struct check endless = {
		.interval_ms = UINT32_MAX, .timeout_ms = UINT32_MAX, .fall = 9};

	(void)state;
	assert_int_equal(health_round_patience_ms(&quick, false), 3 * 500 + 100);
	assert_int_equal(health_round_patience_ms(&slow, false), 3 * 1000 + 1000);
	assert_int_equal(health_round_patience_ms(&endless, false), UINT32_MAX);
	assert_int_equal(health_round_patience_ms(&at_once, true), 3 * 50 + 40);
	assert_int_equal(health_round_patience_ms(&slow, true), 1000);
	assert_int_equal(health_round_patience_ms(&endless, true), 1000);
}

static void test_modes(void **state)
{
	static const struct {
		uint32_t wanted, up, backups_up, threshold;
		enum pool_mode mode;
	} cases[] = {
		{4, 4, 0, 50, POOL_NORMAL},  {4, 2, 0, 50, POOL_NORMAL}, {4, 1, 0, 50, POOL_PANIC},
		{4, 0, 0, 50, POOL_PANIC},   {4, 0, 0, 0, POOL_NORMAL},  {4, 3, 0, 100, POOL_PANIC},
		{4, 1, 1, 50, POOL_NORMAL},  {4, 0, 1, 50, POOL_BACKUP}, {4, 0, 1, 0, POOL_BACKUP},
		{0, 0, 0, 100, POOL_NORMAL}, {0, 0, 2, 0, POOL_BACKUP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(pool_mode_of(cases[i].wanted, cases[i].up, cases[i].backups_up,
					      cases[i].threshold),
				 cases[i].mode);
}

/* ---- pools ---- */

struct backend_case {
	char health; /* ? U D */
	bool backup;
	enum admin_state admin;
};

static struct pool *pool_of(struct model *model, const struct backend_case *cases, size_t count)
{
	struct pool *pool = model_pool_add(model, "web");
	char name[8];

	pool->check.type = CHECK_TCP;
	for (size_t i = 0; i < count; i++) {
		struct backend *backend;

		snprintf(name, sizeof(name), "web%zu", i);
		backend = pool_backend_add(pool, name);
		backend->backup = cases[i].backup;
		backend->admin = cases[i].admin;
		backend->hop.resolved = true;
		backend->health = cases[i].health == 'U'   ? HEALTH_UP
				  : cases[i].health == 'D' ? HEALTH_DOWN
							   : HEALTH_UNKNOWN;
	}
	return pool;
}

/* What each backend may get: n new flows and its old ones, o its old ones only, - nothing. */
static void assert_gets(const struct pool *pool, const char *expected)
{
	char gets[16] = "";

	for (size_t i = 0; i < pool->backend_count; i++)
		gets[i] = backend_takes_new(pool, pool->backends[i]) ? 'n'
			  : backend_usable(pool, pool->backends[i])  ? 'o'
								     : '-';
	assert_string_equal(gets, expected);
}

static void test_backups_are_used_when_no_other_is_up(void **state)
{
	static const struct backend_case cases[] = {
		{'U', false, ADMIN_READY}, {'U', false, ADMIN_READY}, {'U', true, ADMIN_READY}};
	struct model *model = model_create();
	struct pool *pool = pool_of(model, cases, COUNT(cases));
	char why[BACKEND_WHY_SIZE];

	(void)state;
	pool_reconsider(pool, 1);
	assert_gets(pool, "nno");
	assert_string_equal(backend_why(pool, pool->backends[2], why), "a backup, not needed");
	pool->backends[0]->health = HEALTH_DOWN;
	pool_reconsider(pool, 1);
	assert_gets(pool, "-no");
	pool->backends[1]->admin = ADMIN_MAINT;
	pool_reconsider(pool, 1);
	assert_int_equal(pool->mode, POOL_BACKUP);
	assert_gets(pool, "--n");
	assert_string_equal(backend_why(pool, pool->backends[2], why), "");
	pool->backends[1]->admin = ADMIN_READY;
	pool_reconsider(pool, 1);
	assert_gets(pool, "-no"); /* what the backup has stays */
	model_free(model);
}

static void test_panic_disregards_health(void **state)
{
	static const struct backend_case cases[] = {
		{'U', false, ADMIN_READY}, {'D', false, ADMIN_READY}, {'D', false, ADMIN_DRAIN},
		{'?', false, ADMIN_READY}, {'D', true, ADMIN_READY},  {'U', false, ADMIN_MAINT}};
	struct model *model = model_create();
	struct pool *pool = pool_of(model, cases, COUNT(cases));
	char why[BACKEND_WHY_SIZE];

	(void)state;
	pool->panic_threshold = 33;
	pool_reconsider(pool, 1);
	assert_gets(pool, "n--o--");
	pool->panic_threshold = 34;
	pool_reconsider(pool, 1);
	assert_int_equal(pool->mode, POOL_PANIC);
	assert_gets(pool, "nnon--");
	assert_string_equal(backend_why(pool, pool->backends[1], why),
			    "used though it is down: too few are up (panic)");
	model_free(model);
}

/* Before the first answer, and where none comes. */
static void test_an_agent_alone_denies(void **state)
{
	static const struct backend_case cases[] = {
		{'?', false, ADMIN_READY}, {'U', false, ADMIN_READY}, {'D', false, ADMIN_READY}};
	struct model *model = model_create();
	struct pool *pool = pool_of(model, cases, COUNT(cases));

	(void)state;
	pool->check.type = CHECK_NONE;
	assert_gets(pool, "nnn");
	pool->check.agent = 9000;
	assert_gets(pool, "nn-");
	pool->check.type = CHECK_TCP;
	assert_gets(pool, "on-");
	pool->backends[1]->agent.admin = ADMIN_DRAIN;
	assert_gets(pool, "oo-");
	pool->backends[1]->agent = (struct agent_says){.weight_less = 40};
	assert_int_equal(backend_effective_weight(pool, pool->backends[1]), 60);
	pool->backends[1]->agent = (struct agent_says){.weight_less = 100};
	assert_gets(pool, "oo-");
	model_free(model);
}

/* ---- slow start ---- */

static void assert_weights(const struct pool *pool, uint32_t a, uint32_t b)
{
	assert_int_equal(backend_effective_weight(pool, pool->backends[0]), a);
	assert_int_equal(backend_effective_weight(pool, pool->backends[1]), b);
}

static void test_slow_start(void **state)
{
	static const struct backend_case cases[] = {{'U', false, ADMIN_READY},
						    {'D', false, ADMIN_READY}};
	static const struct {
		uint64_t now_ms;
		uint64_t due_ms;
		uint32_t weight;
	} steps[] = {
		{5000, 7000, 20},   {6999, 7000, 20},   {7000, 9000, 40}, {9500, 11000, 60},
		{11000, 13000, 80}, {12999, 13000, 80}, {13000, 0, 100},  {14000, 0, 100},
	};
	struct model *model = model_create();
	struct pool *pool = pool_of(model, cases, COUNT(cases));

	(void)state;
	pool->slow_start_ms = 8000;
	assert_int_equal(slow_start_apply(pool, 1000, true), 0); /* nobody else served */
	assert_weights(pool, 100, 0);
	pool->backends[1]->health = HEALTH_UP;
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_int_equal(slow_start_apply(pool, steps[i].now_ms, true), steps[i].due_ms);
		assert_weights(pool, 100, steps[i].weight);
	}
	/* Anew after each return, and never less than 1. */
	pool->backends[1]->weight = 1;
	pool->backends[1]->admin = ADMIN_DRAIN;
	assert_int_equal(slow_start_apply(pool, 20000, true), 0);
	pool->backends[1]->admin = ADMIN_READY;
	assert_int_equal(slow_start_apply(pool, 30000, true), 32000);
	assert_weights(pool, 100, 1);
	model_free(model);
}

static void test_nobody_begins_when_a_controller_starts(void **state)
{
	static const struct backend_case cases[] = {{'U', false, ADMIN_READY},
						    {'U', false, ADMIN_READY}};
	struct model *model = model_create();
	struct pool *pool = pool_of(model, cases, COUNT(cases));

	(void)state;
	pool->slow_start_ms = 8000;
	pool->backends[0]->serves = true;
	assert_int_equal(slow_start_apply(pool, 1000, false), 0);
	assert_weights(pool, 100, 100);
	assert_int_equal(slow_start_apply(pool, 1001, true), 0);
	assert_weights(pool, 100, 100);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_backups_are_used_when_no_other_is_up),
		cmocka_unit_test(test_panic_disregards_health),
		cmocka_unit_test(test_an_agent_alone_denies),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_nobody_begins_when_a_controller_starts),
	};

	return cmocka_run_group_tests_name("health_round", tests, NULL, NULL);
}
