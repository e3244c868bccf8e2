/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * drain: when it begins and ends (overrides_drain.c), when it is over and done (drain.c), and what
 * a backend may be given meanwhile (model_state.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/config.h"
#include "../../user/drain.h"
#include "../../user/log.h"
#include "../../user/overrides.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char file[] =
	"version: 1\n"
	"pools:\n"
	"- name: web\n"
	"  drain_deadline: 10s\n"
	"  backends:\n"
	"  - {name: web1, address: 10.0.0.11}\n"
	"  - {name: web2, address: 10.0.0.12}\n"
	"  - {name: web3, address: 10.0.0.13, admin: drain, drain_mode: clients}\n"
	"services:\n"
	"- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n";

/* ---- a set of overrides with its model ---- */

struct world {
	struct model *base;
	struct model *model;
	struct overrides *set;
};

static struct model *parse(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("the test's file is wrong: %s", errors.items[0].what);
	return model;
}

static void world_apply(struct world *world, const struct change *change, uint64_t now_ms)
{
	struct fault fault;

	model_free(world->model);
	world->model = overrides_apply(world->set, world->base, &fault);
	assert_non_null(world->model);
	assert_int_equal(overrides_drains(world->set, world->model, change, now_ms, &fault), 0);
}

static struct world world_create(uint64_t now_ms)
{
	struct world world = {.base = parse(file), .set = overrides_create()};

	world_apply(&world, NULL, now_ms);
	return world;
}

static void world_destroy(struct world *world)
{
	model_free(world->base);
	model_free(world->model);
	overrides_free(world->set);
}

static void patch(struct world *world, const char *name, const char *body, uint64_t now_ms)
{
	json_t *json = json_loads(body, 0, NULL);
	const struct change change = {.object = CHANGE_BACKEND,
				      .verb = CHANGE_SET,
				      .pool = "web",
				      .name = name,
				      .body = json};
	struct model *current, *result = NULL;
	struct fault fault;

	assert_non_null(json);
	current = overrides_apply(world->set, world->base, &fault);
	if (overrides_add(world->set, world->base, current, &change, &result, &fault) != 0)
		fail_msg("%s: %s", body, fault.message);
	model_free(result);
	model_free(current);
	world_apply(world, &change, now_ms);
	json_decref(json);
}

static struct backend *backend_of(const struct world *world, const char *name)
{
	return pool_backend_find(model_pool_find(world->model, "web"), name);
}

static void assert_drain(const struct world *world, const char *name, uint64_t began_ms,
			 uint64_t until_ms)
{
	const struct backend *backend = backend_of(world, name);

	assert_int_equal(backend->drain_began_ms, began_ms);
	assert_int_equal(backend->drain_until_ms, until_ms);
}

/* ---- begin and end ---- */

static void a_drain_begins_when_it_is_first_seen(void **state)
{
	struct world world = world_create(1000);

	(void)state;
	assert_drain(&world, "web1", 0, 0);
	assert_drain(&world, "web3", 1000, 11000); /* the file says so */
	patch(&world, "web1", "{\"admin\": \"drain\"}", 2000);
	assert_drain(&world, "web1", 2000, 12000);
	assert_drain(&world, "web3", 1000, 11000);
	assert_drain(&world, "web2", 0, 0);
	world_destroy(&world);
}

static void what_is_given_wins_over_the_pool(void **state)
{
	struct world world = world_create(1000);
	const struct pool *pool;

	(void)state;
	patch(&world, "web1",
	      "{\"admin\": \"drain\", \"drain_mode\": \"clients\", \"drain_deadline\": \"1m\"}",
	      5000);
	pool = model_pool_find(world.model, "web");
	assert_drain(&world, "web1", 5000, 65000);
	assert_int_equal(backend_drain_mode(pool, backend_of(&world, "web1")), DRAIN_CLIENTS);
	assert_int_equal(backend_drain_mode(pool, backend_of(&world, "web2")), DRAIN_FLOWS);
	world_destroy(&world);
}

static void a_deadline_of_zero_is_none(void **state)
{
	struct world world = world_create(1000);
	uint64_t next_ms;

	(void)state;
	patch(&world, "web3", "{\"drain_deadline\": \"0s\"}", 2000);
	assert_drain(&world, "web3", 2000, 0);
	assert_false(drain_judge(world.model, UINT64_MAX, &next_ms));
	assert_int_equal(next_ms, 0);
	world_destroy(&world);
}

static void to_be_told_again_changes_nothing_but_what_is_given(void **state)
{
	struct world world = world_create(1000);

	(void)state;
	patch(&world, "web1", "{\"admin\": \"drain\", \"drain_deadline\": \"1m\"}", 2000);
	patch(&world, "web1", "{\"admin\": \"drain\"}", 3000);
	assert_drain(&world, "web1", 2000, 62000);
	patch(&world, "web2", "{\"weight\": 7}", 3500);
	assert_drain(&world, "web1", 2000, 62000);
	patch(&world, "web1", "{\"admin\": \"drain\", \"drain_deadline\": \"1m\"}", 4000);
	assert_drain(&world, "web1", 4000, 64000);
	/* How long it lasts is fixed when it begins, and the mode given last stays. */
	patch(&world, "web1", "{\"admin\": \"drain\", \"drain_mode\": \"clients\"}", 5000);
	assert_drain(&world, "web1", 5000, 65000);
	world_destroy(&world);
}

static void ready_forgets_how_it_was_drained(void **state)
{
	struct world world = world_create(1000);
	const struct pool *pool;

	(void)state;
	patch(&world, "web1",
	      "{\"admin\": \"drain\", \"drain_mode\": \"clients\", \"drain_deadline\": \"1m\"}",
	      2000);
	patch(&world, "web1", "{\"admin\": \"ready\"}", 3000);
	assert_drain(&world, "web1", 0, 0);
	assert_int_equal(overrides_count(world.set), 0);
	patch(&world, "web1", "{\"admin\": \"drain\"}", 4000);
	pool = model_pool_find(world.model, "web");
	assert_drain(&world, "web1", 4000, 14000);
	assert_int_equal(backend_drain_mode(pool, backend_of(&world, "web1")), DRAIN_FLOWS);
	world_destroy(&world);
}

static void the_state_file_keeps_deadlines(void **state)
{
	struct world world = world_create(1000);
	char directory[] = "/tmp/limpet-test.XXXXXX", path[64];
	struct fault fault = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/state.json", directory);
	patch(&world, "web1", "{\"admin\": \"drain\", \"drain_deadline\": \"1m\"}", 2000);
	assert_int_equal(overrides_save(world.set, path, &fault), 0);
	overrides_free(world.set);
	world.set = overrides_load(path, &fault);
	assert_non_null(world.set);
	/* Later, in another lbd. */
	world_apply(&world, NULL, 50000);
	assert_drain(&world, "web1", 2000, 62000);
	assert_drain(&world, "web3", 1000, 11000);
	unlink(path);
	rmdir(directory);
	world_destroy(&world);
}

/* ---- over and done ---- */

static void the_nearest_deadline_comes_first(void **state)
{
	struct world world = world_create(1000);
	uint64_t next_ms;

	(void)state;
	patch(&world, "web1", "{\"admin\": \"drain\", \"drain_deadline\": \"2s\"}", 1000);
	assert_false(drain_judge(world.model, 2999, &next_ms));
	assert_int_equal(next_ms, 3000);
	backend_of(&world, "web1")->left_flows = 5;
	assert_true(drain_judge(world.model, 3000, &next_ms));
	assert_int_equal(next_ms, 11000);
	assert_true(backend_of(&world, "web1")->drain_over);
	assert_int_equal(backend_of(&world, "web1")->drain_moved_flows, 5);
	assert_false(drain_judge(world.model, 3001, &next_ms));
	/* A clock that is set back brings nobody back. */
	assert_false(drain_judge(world.model, 10, &next_ms));
	assert_true(backend_of(&world, "web1")->drain_over);
	world_destroy(&world);
}

static void a_drain_is_done_when_nothing_is_left(void **state)
{
	static const struct {
		const char *what;
		enum drain_mode mode;
		uint32_t slots, left_slots, flows, clients;
		uint64_t missed_ms, swept_ms;
		bool done;
	} cases[] = {
		{"no sweep yet", DRAIN_FLOWS, 0, 0, 0, 0, 0, 0, false},
		{"no slot, no entry", DRAIN_FLOWS, 0, 0, 0, 0, 0, 100000, true},
		{"no slot, but entries", DRAIN_FLOWS, 0, 0, 3, 0, 0, 200000, false},
		{"swept too soon", DRAIN_FLOWS, 0, 9, 0, 0, 0, 129999, false},
		{"swept long enough after", DRAIN_FLOWS, 0, 9, 0, 0, 0, 130000, true},
		{"owner of slots still", DRAIN_FLOWS, 9, 0, 0, 0, 0, 100000, false},
		{"one flow", DRAIN_FLOWS, 0, 9, 1, 0, 0, 500000, false},
		{"a flow was missed", DRAIN_FLOWS, 0, 9, 0, 0, 150000, 179999, false},
		{"and not again", DRAIN_FLOWS, 0, 9, 0, 0, 150000, 180000, true},
		{"clients do not matter", DRAIN_FLOWS, 0, 9, 0, 4, 0, 130000, true},
		{"clients may come back", DRAIN_CLIENTS, 0, 9, 0, 4, 0, 130000, false},
		{"no client is left", DRAIN_CLIENTS, 0, 9, 0, 0, 0, 130000, true},
	};
	struct pool pool = {.drain_mode = DRAIN_FLOWS};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct backend backend = {.admin = ADMIN_DRAIN,
						.drain_mode = cases[i].mode,
						.drain_began_ms = 100000,
						.slots = cases[i].slots,
						.left_slots = cases[i].left_slots,
						.left_flows = cases[i].flows,
						.left_clients = cases[i].clients,
						.left_missed_ms = cases[i].missed_ms};

		if (drain_done(&pool, &backend, cases[i].swept_ms) != cases[i].done)
			fail_msg("%s: not %d", cases[i].what, cases[i].done);
	}
	assert_false(drain_done(&pool, &(struct backend){.admin = ADMIN_READY}, 500000));
}

/* ---- what it may be given ---- */

static void a_draining_backend_takes_what_its_mode_says(void **state)
{
	static const struct {
		enum admin_state admin;
		enum drain_mode mode;
		bool over;
		enum health_state health;
		uint32_t weight;
		bool new, clients, usable;
	} cases[] = {
		{ADMIN_READY, DRAIN_FLOWS, false, HEALTH_UP, 1, true, true, true},
		{ADMIN_READY, DRAIN_FLOWS, false, HEALTH_UP, 0, false, false, true},
		{ADMIN_DRAIN, DRAIN_FLOWS, false, HEALTH_UP, 1, false, false, true},
		{ADMIN_DRAIN, DRAIN_CLIENTS, false, HEALTH_UP, 1, false, true, true},
		{ADMIN_DRAIN, DRAIN_CLIENTS, false, HEALTH_UP, 0, false, false, true},
		{ADMIN_DRAIN, DRAIN_CLIENTS, false, HEALTH_DOWN, 1, false, false, false},
		{ADMIN_DRAIN, DRAIN_CLIENTS, true, HEALTH_UP, 1, false, false, false},
		{ADMIN_DRAIN, DRAIN_FLOWS, true, HEALTH_UP, 1, false, false, false},
		/* `over` is of a drain that was. */
		{ADMIN_READY, DRAIN_FLOWS, true, HEALTH_UP, 1, true, true, true},
		{ADMIN_MAINT, DRAIN_CLIENTS, false, HEALTH_UP, 1, false, false, false},
	};
	const struct pool pool = {.check = {.type = CHECK_TCP}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct backend backend = {.admin = cases[i].admin,
						.drain_mode = cases[i].mode,
						.drain_over = cases[i].over,
						.health = cases[i].health,
						.weight = cases[i].weight,
						.hop = {.resolved = true}};

		if (backend_takes_new(&pool, &backend) != cases[i].new ||
		    backend_takes_clients(&pool, &backend) != cases[i].clients ||
		    backend_usable(&pool, &backend) != cases[i].usable)
			fail_msg("case %zu: new %d, clients %d, usable %d", i,
				 backend_takes_new(&pool, &backend),
				 backend_takes_clients(&pool, &backend),
				 backend_usable(&pool, &backend));
	}
}

static void down_and_kept_is_for_flows_alone(void **state)
{
	const struct pool pool = {
		.check = {.type = CHECK_TCP}, .on_down = ON_DOWN_KEEP, .drain_mode = DRAIN_CLIENTS};
	const struct backend backend = {.admin = ADMIN_DRAIN,
					.drain_mode = DRAIN_AS_POOL,
					.health = HEALTH_DOWN,
					.weight = 1,
					.hop = {.resolved = true}};

	(void)state;
	assert_true(backend_usable(&pool, &backend));
	assert_false(backend_takes_clients(&pool, &backend));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_begins_when_it_is_first_seen),
		cmocka_unit_test(what_is_given_wins_over_the_pool),
		cmocka_unit_test(a_deadline_of_zero_is_none),
		cmocka_unit_test(to_be_told_again_changes_nothing_but_what_is_given),
		cmocka_unit_test(ready_forgets_how_it_was_drained),
		cmocka_unit_test(the_state_file_keeps_deadlines),
		cmocka_unit_test(the_nearest_deadline_comes_first),
		cmocka_unit_test(a_drain_is_done_when_nothing_is_left),
		cmocka_unit_test(a_draining_backend_takes_what_its_mode_says),
		cmocka_unit_test(down_and_kept_is_for_flows_alone),
	};

	log_init(LOG_LEVEL_ERR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
