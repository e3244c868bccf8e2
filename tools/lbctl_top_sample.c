/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_top_sample: see lbctl_top.h. Counters are lbd's; rates are made here, from two of its
 * answers. Counters stay when lbd starts anew, for they are in the maps, and go back where what
 * they count was deleted: such a step says nothing.
 */
#include <string.h>
#include <time.h>

#include "lbctl_top.h"

#define BACKEND_FIELDS                                                                             \
	"pool,name,address,admin,health,weight,effective_weight,slots,fair_slots,packets,bytes,"   \
	"new_flows,left,drain,why,reason"

enum { TIMEOUT_S = 3 };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- asking ---- */

/* `field` NULL: all of the answer. */
static json_t *ask(const struct ctl *ctl, const char *object, const char *field,
		   struct fault *fault)
{
	/* Of thousands of backends only what is shown. */
	const char *fields = strcmp(object, "backends") ? NULL : BACKEND_FIELDS;
	const struct ctl_request request = {.method = "GET",
					    .path = {object},
					    .query = {{"fields", fields}},
					    .timeout_s = TIMEOUT_S};
	json_t *reply, *kept;

	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return NULL;
	kept = field ? json_incref(json_object_get(reply, field)) : json_incref(reply);
	json_decref(reply);
	if (!kept) {
		fault_set(fault, FAULT_FAILED, "lbd: asking it for %s: its answer has none",
			  object);
		fault_hint(fault,
			   "`lbctl status` and `lbctl --version` say whether it is of another "
			   "version");
	}
	return kept;
}

int top_sample_take(const struct ctl *ctl, struct top_sample *sample, struct fault *fault)
{
	*sample = (struct top_sample){.at_s = now_s()};
	sample->status = ask(ctl, "status", NULL, fault);
	if (sample->status)
		sample->services = ask(ctl, "services", "services", fault);
	if (sample->services)
		sample->pools = ask(ctl, "pools", "pools", fault);
	if (sample->pools)
		sample->backends = ask(ctl, "backends", "backends", fault);
	if (sample->backends)
		sample->drops = ask(ctl, "drops", "drops", fault);
	if (sample->drops)
		return 0;
	top_sample_destroy(sample);
	return -1;
}

void top_sample_destroy(struct top_sample *sample)
{
	json_decref(sample->status);
	json_decref(sample->services);
	json_decref(sample->pools);
	json_decref(sample->backends);
	json_decref(sample->drops);
	*sample = (struct top_sample){0};
}

/* ---- rates ---- */

/* "pool/name" of a backend, else its name. */
static void item_key(const json_t *item, char out[TOP_CELL_SIZE])
{
	const char *verdict = ctl_text(item, "verdict");

	if (json_object_get(item, "address"))
		snprintf(out, TOP_CELL_SIZE, "%s/%s", ctl_text(item, "pool"),
			 ctl_text(item, "name"));
	else
		snprintf(out, TOP_CELL_SIZE, "%s", verdict[0] ? verdict : ctl_text(item, "name"));
}

/* By item_key, the items of a list. */
static json_t *make_index(const json_t *list)
{
	json_t *index = json_object();
	char key[TOP_CELL_SIZE];
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		item_key(item, key);
		json_object_set(index, key, item);
	}
	return index;
}

/* Null where it cannot be told. */
static json_t *rate(const json_t *before, const json_t *now, const char *counter, double factor,
		    double over_s)
{
	const json_t *old = json_object_get(before, counter), *new = json_object_get(now, counter);
	json_int_t step = json_integer_value(new) - json_integer_value(old);

	if (!json_is_integer(old) || !json_is_integer(new) || step < 0 || over_s <= 0)
		return json_null();
	return json_real((double)step * factor / over_s);
}

/* A copy of the list, with rates. */
static json_t *with_rates(const json_t *before, const json_t *now, double over_s)
{
	json_t *index = make_index(before), *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (now, i, item) {
		json_t *copy = json_copy((json_t *)item);
		char key[TOP_CELL_SIZE];
		const json_t *old;

		item_key(item, key);
		old = json_object_get(index, key);
		json_object_set_new(copy, "packets_per_s", rate(old, item, "packets", 1, over_s));
		json_object_set_new(copy, "bits_per_s", rate(old, item, "bytes", 8, over_s));
		if (json_object_get(item, "new_flows"))
			json_object_set_new(copy, "new_flows_per_s",
					    rate(old, item, "new_flows", 1, over_s));
		json_array_append_new(list, copy);
	}
	json_decref(index);
	return list;
}

/* Adds up a field of the items of that pool (NULL: of all); null where none knows it. */
static json_t *sum(const json_t *list, const char *field, const char *pool)
{
	const json_t *item, *value;
	bool known = false;
	double total = 0;
	size_t i;

	json_array_foreach (list, i, item) {
		value = json_object_get(item, field);
		if ((pool && strcmp(ctl_text(item, "pool"), pool) != 0) || !json_is_number(value))
			continue;
		known = true;
		total += json_number_value(value);
	}
	return known ? json_real(total) : json_null();
}

static const char *const rates[] = {"packets_per_s", "bits_per_s", "new_flows_per_s"};
enum { RATES = sizeof(rates) / sizeof(rates[0]) };

/* A pool has no counters of its own: its rates are those of its services. */
static json_t *pools_with_rates(const json_t *pools, const json_t *services)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (pools, i, item) {
		json_t *copy = json_copy((json_t *)item);

		for (int r = 0; r < RATES; r++)
			json_object_set_new(copy, rates[r],
					    sum(services, rates[r], ctl_text(item, "name")));
		json_array_append_new(list, copy);
	}
	return list;
}

static json_t *totals(const struct top_sample *before, const struct top_sample *now,
		      const json_t *services, double over_s)
{
	const json_t *old = json_object_get(before->status, "totals");
	const json_t *new = json_object_get(now->status, "totals");
	json_t *all = json_object();

	json_object_set_new(all, "packets_per_s", rate(old, new, "packets", 1, over_s));
	json_object_set_new(all, "bits_per_s", rate(old, new, "bytes", 8, over_s));
	json_object_set_new(all, "drops_per_s", rate(old, new, "dropped_packets", 1, over_s));
	json_object_set_new(all, "new_flows_per_s", sum(services, "new_flows_per_s", NULL));
	json_object_set_new(all, "unsettled_slots", sum(now->pools, "unsettled_slots", NULL));
	return all;
}

json_t *top_answer(const struct top_sample *before, const struct top_sample *now)
{
	double over_s = before->status ? now->at_s - before->at_s : 0;
	json_t *services = with_rates(before->services, now->services, over_s);

	return json_pack("{s:i, s:o, s:O, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "over_s",
			 over_s > 0 ? json_real(over_s) : json_null(), "status", now->status,
			 "totals", totals(before, now, services, over_s), "pools",
			 pools_with_rates(now->pools, services), "backends",
			 with_rates(before->backends, now->backends, over_s), "drops",
			 with_rates(before->drops, now->drops, over_s), "services", services);
}
