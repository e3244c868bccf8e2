/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * impact: what a change would do to a table, settled or not, in counts that can be worked out by
 * hand; and the new words against slots_change on the same table with the maps' own indices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../user/config.h"
#include "../../user/impact.h"
#include "../../user/maglev.h"
#include "../../user/slots.h"

enum { SIZE = 1009, GONE = 77 };

static const uint8_t seed[LB_SEED_SIZE] = {7};
static const struct impact_table none;

#define POOL(keys, backends)                                                                       \
	"version: 1\npools:\n- {name: web, table_size: 1009, " keys " backends: [" backends "]}\n" \
	"services:\n- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n"
#define A "{name: a, address: 10.0.0.1}"
#define B "{name: b, address: 10.0.0.2}"

/* All up, indices from 1. */
static struct model *make(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("the test's file is wrong: %s", errors.items[0].what);
	for (size_t i = 0; i < model->pools[0]->backend_count; i++) {
		model->pools[0]->backends[i]->hop.resolved = true;
		model->pools[0]->backends[i]->health = HEALTH_UP;
		model->pools[0]->backends[i]->index = (uint32_t)i + 1;
	}
	return model;
}

static struct impact ask(const struct model *from, const struct model *to,
			 const struct impact_table *held)
{
	struct impact impact;

	assert_int_equal(impact_pool(&impact, seed, from->pools[0], to->pools[0], held), 0);
	return impact;
}

static void test_add(void **state)
{
	struct model *one = make(POOL("", A)), *two = make(POOL("", A "," B));
	struct impact impact;

	(void)state;
	two->pools[0]->backends[1]->index = 0;
	two->pools[0]->backends[1]->hop.resolved = false;
	two->pools[0]->backends[1]->health = HEALTH_UNKNOWN;
	impact_expect(two->pools[0]);
	impact = ask(one, two, &none);
	/* It gets half, and nobody's flows move. */
	assert_int_equal(impact.backend_count, 2);
	assert_null(impact.backends[1].before);
	assert_string_equal(impact.backends[1].after->name, "b");
	assert_int_equal(impact.backends[0].now.owned, SIZE);
	assert_int_equal(impact.backends[1].now.owned, 0);
	assert_in_range(impact.backends[1].then.owned, 504, 505);
	assert_int_equal(impact.backends[1].then.belonged, 0);
	assert_int_equal(impact.moved, impact.backends[1].then.owned);
	assert_int_equal(impact.unsettled, impact.moved);
	assert_int_equal(impact.lost, 0);
	impact_destroy(&impact);
	model_free(one);
	model_free(two);
}

static void test_remove_and_drain(void **state)
{
	struct model *one = make(POOL("", A)), *two = make(POOL("", A "," B)), *drained;
	struct impact impact = ask(two, one, &none);

	(void)state;
	/* What it had goes, flows and all; what nobody can be at is settled. */
	assert_in_range(impact.backends[1].now.owned, 504, 505);
	assert_null(impact.backends[1].after);
	assert_int_equal(impact.moved, impact.backends[1].now.owned);
	assert_int_equal(impact.lost, impact.moved);
	assert_int_equal(impact.unsettled, 0);
	impact_destroy(&impact);
	/* Drained: new flows alone. */
	drained = model_copy(two);
	drained->pools[0]->backends[1]->admin = ADMIN_DRAIN;
	impact = ask(two, drained, &none);
	assert_in_range(impact.moved, 504, 505);
	assert_int_equal(impact.lost, 0);
	assert_int_equal(impact.backends[1].then.owned, 0);
	assert_int_equal(impact.backends[1].then.belonged, impact.moved);
	impact_destroy(&impact);
	model_free(one);
	model_free(two);
	model_free(drained);
}

/* Another address under the name is another backend: it takes over the slots, and no flow. */
static void test_another_address(void **state)
{
	struct model *from = make(POOL("", A "," B));
	struct model *to = make(POOL("", A ",{name: b, address: 10.0.0.9}"));
	struct impact impact = ask(from, to, &none);

	(void)state;
	assert_int_equal(impact.backend_count, 3);
	assert_int_equal(impact.moved, impact.backends[1].now.owned);
	assert_int_equal(impact.lost, impact.moved);
	assert_int_equal(impact.backends[1].then.owned, 0);
	assert_int_equal(impact.backends[2].then.owned, impact.moved);
	impact_destroy(&impact);
	model_free(from);
	model_free(to);
}

static void test_another_size(void **state)
{
	struct model *from = make(POOL("", A "," B)), *to = model_copy(from);
	struct impact impact;

	(void)state;
	to->pools[0]->table_size = 2003;
	impact = ask(from, to, &none);
	assert_true(impact.resized);
	assert_int_equal(impact.backends[0].now.owned + impact.backends[1].now.owned, SIZE);
	assert_int_equal(impact.backends[0].then.owned + impact.backends[1].then.owned, 2003);
	assert_int_equal(impact.moved, 0);
	impact_destroy(&impact);
	model_free(from);
	model_free(to);
}

/* ---- a table in force, in all states that a slot can have ---- */

static uint32_t words[SIZE];
static struct lb_times times[SIZE];

static bool usable(const void *context, uint32_t index)
{
	const struct pool *pool = context;

	return index >= 1 && index <= pool->backend_count &&
	       backend_usable(pool, pool->backends[index - 1]);
}

/* Owners and fallbacks by turns, among them a backend that is forgotten. */
static void fill(void)
{
	static const uint32_t kinds[] = {
		LB_SLOT(1, 1, false), LB_SLOT(2, 2, false),   LB_SLOT(1, 2, true),
		LB_SLOT(2, 1, true),  LB_SLOT(1, GONE, true), LB_SLOT(2, 2, true),
	};

	for (uint32_t i = 0; i < SIZE; i++) {
		words[i] = kinds[i % (sizeof(kinds) / sizeof(kinds[0]))];
		times[i] = (struct lb_times){.since = i, .used = i + 1};
	}
}

static void expect_words(const struct impact *impact, const struct pool *to)
{
	struct maglev_backend backends[2];
	struct lb_times then[SIZE];
	uint32_t wanted[SIZE];
	int32_t table[SIZE];

	for (size_t i = 0; i < 2; i++)
		backends[i] = (struct maglev_backend){
			to->backends[i]->name, backend_effective_weight(to, to->backends[i])};
	assert_int_equal(maglev_build(seed, backends, 2, table, SIZE), 0);
	assert_int_equal(impact->digest, maglev_digest(backends, 2, table, SIZE));
	for (uint32_t i = 0; i < SIZE; i++)
		wanted[i] = (uint32_t)(table[i] + 1);
	memcpy(then, times, sizeof(then));
	slots_change(words, wanted, wanted, then, 5000, SIZE, usable, to);
	/* The indices are the places in the list. */
	assert_memory_equal(impact->words, wanted, sizeof(wanted));
	assert_memory_equal(impact->times, then, sizeof(then));
}

static void test_table_in_force(void **state)
{
	const struct impact_table held = {words, times, SIZE, 5000};
	struct model *from = make(POOL("", A "," B)), *to = model_copy(from);
	struct impact impact;
	uint32_t lost = 0;

	(void)state;
	fill();
	to->pools[0]->backends[1]->hop.resolved = false;
	impact = ask(from, to, &held);
	expect_words(&impact, to->pools[0]);
	for (uint32_t i = 0; i < SIZE; i++)
		lost += LB_SLOT_FALLBACK(words[i]) == 2;
	assert_int_equal(impact.lost, lost);
	/* Where the fallback is gone, the owner counts. */
	assert_int_equal(impact.backends[0].now.belonged, SIZE - lost);
	assert_int_equal(impact.backends[0].then.belonged, SIZE);
	impact_destroy(&impact);
	/* Kept although it is down: nobody's flows move. */
	to->pools[0]->backends[1]->hop.resolved = true;
	to->pools[0]->backends[1]->health = HEALTH_DOWN;
	to->pools[0]->on_down = ON_DOWN_KEEP;
	to->pools[0]->check.type = CHECK_TCP;
	impact = ask(from, to, &held);
	expect_words(&impact, to->pools[0]);
	assert_int_equal(impact.backends[1].then.owned, 0);
	assert_int_equal(impact.lost, 0);
	impact_destroy(&impact);
	model_free(from);
	model_free(to);
}

/* ---- what is known without a table ---- */

static void keep(struct pool *pool)
{
	pool->slow_start_ms = 1;
	pool->panic_threshold = 30;
	pool->backends[0]->drain_deadline_ms = 5;
}

static void weigh(struct pool *pool)
{
	pool->backends[1]->weight = 50;
}

static void drain(struct pool *pool)
{
	pool->backends[1]->admin = ADMIN_DRAIN;
}

/* As light as a drained one, but its flows go, too. */
static void maintain(struct pool *pool)
{
	pool->backends[1]->admin = ADMIN_MAINT;
}

static void readdress(struct pool *pool)
{
	pool->backends[1]->address.ip.bytes[3] = 9;
}

static void reforward(struct pool *pool)
{
	pool->forward = FORWARD_MODE_L2;
}

static void resize(struct pool *pool)
{
	pool->table_size = 2003;
}

static void rename_one(struct pool *pool)
{
	strcpy(pool->backends[1]->name, "c");
}

static void remove_one(struct pool *pool)
{
	pool_backend_del(pool, "b");
}

static void test_none(void **state)
{
	static const struct {
		void (*change)(struct pool *pool);
		bool drained; /* before */
		bool none;
	} cases[] = {
		{keep, false, true},        {weigh, false, false},      {drain, false, false},
		{drain, true, true},        {maintain, true, false},    {maintain, false, false},
		{readdress, false, false},  {reforward, false, false},  {resize, false, false},
		{rename_one, false, false}, {remove_one, false, false},
	};
	struct model *from, *to;
	struct impact impact;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		from = make(POOL("", A "," B));
		if (cases[i].drained)
			from->pools[0]->backends[1]->admin = ADMIN_DRAIN;
		to = model_copy(from);
		cases[i].change(to->pools[0]);
		if (impact_none(from->pools[0], to->pools[0]) != cases[i].none)
			fail_msg("case %zu", i);
		/* What is said to be nothing is nothing. */
		impact = ask(from, to, &none);
		if (cases[i].none && (impact.moved || impact.lost || impact.resized))
			fail_msg("case %zu: %u moved, %u lost", i, impact.moved, impact.lost);
		impact_destroy(&impact);
		model_free(from);
		model_free(to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_remove_and_drain),
		cmocka_unit_test(test_another_address),
		cmocka_unit_test(test_another_size),
		cmocka_unit_test(test_table_in_force),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
