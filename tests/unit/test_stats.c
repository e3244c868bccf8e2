/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats: totals of all at once are those of each by itself, and cost one reading in all.
 * The data plane is one of our own: counter I counted I packets.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/stats.h"

enum { RUN = 8 };

static struct lb_backend backends[8];
static unsigned readings;
static int failure; /* of the next reading */

struct lb_backend *dataplane_backends(struct dataplane *dp)
{
	(void)dp;
	return backends;
}

int dataplane_service_identity(struct dataplane *dp, uint32_t index,
			       struct lb_service_identity *out)
{
	(void)dp;
	*out = (struct lb_service_identity){.counter_base = index * RUN, .counter_count = RUN};
	return 0;
}

int dataplane_counters(struct dataplane *dp, uint32_t first, uint32_t count, struct lb_counter *out)
{
	(void)dp;
	readings++;
	for (uint32_t i = 0; i < count; i++)
		out[i] = (struct lb_counter){first + i, 100 * (first + i), 7 * (first + i)};
	return failure;
}

int dataplane_verdicts_ended(struct dataplane *dp, struct lb_verdict_counter *out)
{
	(void)dp;
	memset(out, 0, LB_VERDICT_COUNT * sizeof(*out));
	out[LB_DROP_TTL].packets = 5;
	return 0;
}

static void add_service(struct model *model, const char *name, const char *pool, uint32_t index)
{
	struct service *service = model_service_add(model, name);

	strcpy(service->pool, pool);
	service->index = index;
}

static void add_backend(struct model *model, const char *pool, const char *name, uint32_t index,
			uint16_t counter)
{
	pool_backend_add(model_pool_find(model, pool), name)->index = index;
	backends[index].counter = counter;
}

/* Two services share a pool, one has a pool to itself, one is not published, and so is a backend;
 * one has no counter yet, and one an offset that no run of its services reaches. */
static struct model *make_model(void)
{
	struct model *model = model_create();

	memset(backends, 0, sizeof(backends));
	model_pool_add(model, "idle");
	model_pool_add(model, "ns");
	model_pool_add(model, "web");
	add_backend(model, "web", "w1", 1, 3);
	add_backend(model, "web", "w2", 2, 1);
	add_backend(model, "web", "w3", 0, 0);
	add_backend(model, "web", "w4", 4, RUN + 1);
	add_backend(model, "ns", "n1", 5, 2);
	add_backend(model, "ns", "n2", 6, 0);
	add_service(model, "dns", "ns", 2);
	add_service(model, "http", "web", 1);
	add_service(model, "https", "web", 3);
	add_service(model, "new", "web", 0);
	add_service(model, "stray", "none", 4);
	return model;
}

static void test_all_at_once(void **state)
{
	struct lb_verdict_counter verdicts[LB_VERDICT_COUNT];
	struct model *model = make_model();
	struct stats_totals totals;
	struct lb_counter one, some[4];
	size_t at = 0;

	(void)state;
	readings = 0;
	assert_int_equal(stats_collect(NULL, model, &totals), 0);
	assert_int_equal(readings, 1);
	for (size_t i = 0; i < model->service_count; i++) {
		assert_int_equal(stats_service(NULL, model->services[i], &one), 0);
		assert_memory_equal(&totals.services[i], &one, sizeof(one));
	}
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		assert_int_equal(stats_pool(NULL, model, pool, some), 0);
		assert_memory_equal(&totals.backends[at], some,
				    pool->backend_count * sizeof(some[0]));
		at += pool->backend_count;
	}
	assert_int_equal(stats_verdicts(NULL, model, verdicts), 0);
	assert_memory_equal(totals.verdicts, verdicts, sizeof(verdicts));
	/* Not only the same, but right: w1 has counter 3 of the runs of http and https. */
	assert_int_equal(totals.backends[2].packets, (RUN + 3) + (3 * RUN + 3));
	assert_int_equal(totals.services[1].packets, 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15);
	stats_totals_destroy(&totals);
	model_free(model);
}

static void test_failure_leaves_nothing(void **state)
{
	struct model *model = make_model();
	struct stats_totals totals;

	(void)state;
	failure = -EPERM;
	assert_int_equal(stats_collect(NULL, model, &totals), -EPERM);
	failure = 0;
	assert_null(totals.services);
	assert_null(totals.backends);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_failure_leaves_nothing),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
